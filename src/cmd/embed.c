/*
 * supcon embed: what a network makes of images, as a file: features, and logits when the weights
 * hold a classifier. Evaluation mode, f32.
 */
#include "backend/tuning.h"
#include "base/safetensors.h"
#include "cmd/cmd.h"
#include "cmd/embed_images.h"
#include "engine/network.h"

#include <stdlib.h>
#include <string.h>

enum { BATCH = 64 };

struct embedding {
    struct device dev;
    struct network net;
    struct plan *plan;
    int batch;
    float *features, *logits; /* [N + batch, D], [N + batch, K] or NULL */
};

static int need(const struct cmd_args *args, const char *option, const char **out, struct err *e)
{
    *out = cmd_value(args, option);
    return *out ? 0 : err_set(e, EXIT_USAGE, "embed needs --%s", option);
}

static int load_network(const struct cmd_args *args, const struct images *in, struct embedding *m,
                        struct err *e)
{
    const char *weights, *arch;
    struct model_conf model = {.dtype = "f32", .projection_dim = 128};
    struct network_shape shape = {in->channels, in->height, in->width, 0};
    long classes;
    if (need(args, "weights", &weights, e) < 0 || need(args, "arch", &arch, e) < 0 ||
        cmd_int(args, "classes", 1, 1 << 20, 10, &classes, e) < 0)
        return -1;
    const struct arch_class *class = arch_find(arch, e);
    if (!class)
        return -1;
    shape.n_classes = (int)classes;
    snprintf(model.arch, sizeof model.arch, "%s", class->name);
    snprintf(model.stem, sizeof model.stem, "%.*s", (int)strcspn(class->stems, " "), class->stems);
    if (cmd_has(args, "stem"))
        snprintf(model.stem, sizeof model.stem, "%s", cmd_value(args, "stem"));
    return network_init(&m->net, &m->dev, &model, &shape, 0, e) < 0
               ? -1
               : network_load_weights(&m->net, weights, e);
}

static int make_plan(const struct images *in, struct embedding *m, struct err *e)
{
    bool classifies = m->net.live[GROUP_FC];
    m->batch = in->n < BATCH ? (int)in->n : BATCH;
    m->plan = network_eval_plan(&m->net, m->batch, classifies ? GROUP_FC : GROUP_ENCODER, e);
    if (!m->plan)
        return -1;
    size_t rows = (size_t)in->n + (size_t)m->batch;
    m->features = malloc(rows * (size_t)m->net.arch->features * sizeof(float));
    m->logits = classifies ? malloc(rows * (size_t)m->net.shape.n_classes * sizeof(float)) : NULL;
    return m->features && (m->logits || !classifies) ? 0 : err_set(e, EXIT_OS, "out of memory");
}

static int run_batch(struct embedding *m, const float *images, int64_t first, struct err *e)
{
    int64_t dim = m->net.arch->features, classes = m->net.shape.n_classes;
    if (plan_upload(m->plan, "images", images, e) < 0 || plan_forward(m->plan, e) < 0 ||
        plan_download(m->plan, "features", m->features + first * dim, e) < 0)
        return -1;
    return m->logits ? plan_download(m->plan, "logits", m->logits + first * classes, e) : 0;
}

static int write_result(const char *path, const struct images *in, const struct embedding *m,
                        struct err *e)
{
    struct st_out out[3];
    int n = 0;
    out[n++] = (struct st_out){.name = "features",
                               .dtype = ST_F32,
                               .ndim = 2,
                               .dim = {in->n, m->net.arch->features},
                               .data = m->features};
    if (m->logits)
        out[n++] = (struct st_out){.name = "logits",
                                   .dtype = ST_F32,
                                   .ndim = 2,
                                   .dim = {in->n, m->net.shape.n_classes},
                                   .data = m->logits};
    if (in->labels)
        out[n++] = (struct st_out){
            .name = "labels", .dtype = ST_I32, .ndim = 1, .dim = {in->n}, .data = in->labels};
    return st_write(path, out, n, NULL, e);
}

static int embed(const struct cmd_args *args, struct images *in, struct embedding *m, struct err *e)
{
    const char *output, *device = cmd_value(args, "device");
    struct device_options options = {.deterministic = true};
    if (need(args, "output", &output, e) < 0)
        return -1;
    if (device_open(&m->dev, device ? device : "auto", &options, e) < 0 ||
        load_network(args, in, m, e) < 0 || make_plan(in, m, e) < 0)
        return -1;
    for (int64_t first = 0; first < in->n; first += m->batch) {
        const float *images = images_batch(in, first, m->batch, e);
        if (!images || run_batch(m, images, first, e) < 0)
            return -1;
    }
    if (write_result(output, in, m, e) < 0)
        return -1;
    printf("%lld images of %dx%d, features of %d%s: %s\n", (long long)in->n, in->height, in->width,
           m->net.arch->features, m->logits ? ", logits" : "", output);
    return 0;
}

static int run(const struct cmd_args *args, struct err *e)
{
    const char *input;
    struct images in;
    struct embedding m = {.plan = NULL};
    if (need(args, "input", &input, e) < 0 ||
        images_open(&in, input, cmd_value(args, "data-path"), e) < 0)
        return -1;
    int rc = embed(args, &in, &m, e);
    plan_free(m.plan);
    network_done(&m.net);
    device_close(&m.dev);
    free(m.features);
    free(m.logits);
    images_close(&in);
    return rc;
}

static const struct cmd_option options[] = {
    {"arch", 0, "NAME", "architecture of the encoder", false},
    {"stem", 0, "NAME", "imagenet or cifar (the architecture's first)", false},
    {"classes", 0, "K", "classes of the classifier in the weights, if there is one (10)", false},
    {"weights", 0, "FILE", "safetensors with torchvision's names", false},
    {"input", 0, "FILE|NAME",
     "safetensors with images [N,3,H,W], normalised; or a data set, whose "
     "test part is taken",
     false},
    {"data-path", 0, "DIR", "where the data set is", false},
    {"output", 0, "FILE", "safetensors to write: features, logits, labels", false},
    {"device", 0, "ID", "auto, cpu, cuda, cuda:N (auto)", false},
    {NULL, 0, NULL, NULL, false},
};

const struct cmd_class cmd_embed = {
    .name = "embed",
    .operands = "",
    .help = "write a network's features of images to a file\n\n"
            "Writes \"features\" [N,D], and \"logits\" [N,K] when the weights hold a classifier; "
            "for a data set also \"labels\" [N]. The network is in evaluation mode and computes in "
            "f32.",
    .options = options,
    .run = run,
};
