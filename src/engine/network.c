/*
 * Networks: see network.h. All parameters that any objective can ask for are declared at once, by
 * building every objective's graph on a tiny batch, so that switching objectives never moves the
 * store.
 */
#include "engine/network.h"

#include <stdlib.h>
#include <string.h>

void network_resolve(struct model_conf *model, const struct device *dev)
{
    if (!strcmp(model->dtype, "auto"))
        snprintf(model->dtype, sizeof model->dtype, "%s", dtype_name(dev->class->preferred));
}

static int dtype_of(const struct model_conf *model, enum dtype *out, struct err *e)
{
    static const enum dtype known[] = {DT_F32, DT_BF16};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcmp(dtype_name(known[i]), model->dtype)) {
            *out = known[i];
            return 0;
        }
    return err_set(e, EXIT_CONFIG, "model.dtype is \"%s\", expected f32 or bf16", model->dtype);
}

static bool has_word(const char *words, const char *word)
{
    size_t n = strlen(word);
    for (const char *at = words; n && (at = strstr(at, word)); at += n)
        if ((at == words || at[-1] == ' ') && (at[n] == ' ' || at[n] == '\0'))
            return true;
    return false;
}

static int check(const struct network *net, struct err *e)
{
    const struct network_shape *s = &net->shape;
    enum dtype dtype;
    char why[256] = "";
    if (dtype_of(&net->model, &dtype, e) < 0)
        return -1;
    if (!net->dev->class->has_dtype(net->dev, dtype, why, sizeof why))
        return err_set(e, EXIT_UNAVAILABLE, "model.dtype %s does not work on %s: %s",
                       net->model.dtype, net->dev->info.id, why);
    if (!has_word(net->arch->stems, net->model.stem))
        return err_set(e, EXIT_CONFIG, "%s has no stem \"%s\"; it knows: %s", net->arch->name,
                       net->model.stem, net->arch->stems);
    if (s->height < net->arch->min_size || s->width < net->arch->min_size)
        return err_set(e, EXIT_CONFIG, "%s needs images of at least %dx%d, found %dx%d",
                       net->arch->name, net->arch->min_size, net->arch->min_size, s->height,
                       s->width);
    return 0;
}

/* A graph with input "images" [rows,C,H,W] and the encoder; its features in *r. */
static struct graph *begin(const struct network *net, bool training, int rows, int *r,
                           struct err *e)
{
    enum dtype dtype;
    if (dtype_of(&net->model, &dtype, e) < 0)
        return NULL;
    struct graph *g = graph_new(dtype, training);
    if (!g) {
        err_set(e, EXIT_OS, "out of memory for a network");
        return NULL;
    }
    const struct network_shape *s = &net->shape;
    int images =
        graph_input(g, "images", dtype, 4, (int64_t[]){rows, s->channels, s->height, s->width});
    *r = net->arch->build(g, images, net->model.stem);
    return g;
}

/* The graph if it is sound; else freed, and NULL. */
static struct graph *finish(struct graph *g, struct err *e)
{
    if (graph_finish(g, e) == 0)
        return g;
    graph_free(g);
    return NULL;
}

static void add_probe(struct graph *g, int features, int labels, int views, int n_classes)
{
    int scores = graph_linear(g, "probe", graph_detach(g, features), n_classes);
    graph_xent(g, "probe", scores, labels, &(struct op_attr){.views = views});
}

struct graph *network_train_graph(const struct network *net, const struct objective_class *class,
                                  const struct objective_conf *conf, int n, int views,
                                  struct err *e)
{
    int r;
    struct graph *g = begin(net, true, n * views, &r, e);
    if (!g)
        return NULL;
    int labels = graph_input(g, "labels", DT_I32, 1, (int64_t[]){n});
    struct objective_input in = {.conf = conf,
                                 .features = r,
                                 .labels = labels,
                                 .views = views,
                                 .n_classes = net->shape.n_classes,
                                 .projection_dim = (int)net->model.projection_dim};
    class->build(g, &in);
    if (class->contrastive)
        add_probe(g, r, labels, views, net->shape.n_classes);
    return finish(g, e);
}

struct graph *network_eval_graph(const struct network *net, int batch, enum param_group head,
                                 struct err *e)
{
    static const char *const names[GROUP_N] = {[GROUP_FC] = "fc", [GROUP_PROBE] = "probe"};
    int r;
    struct graph *g = begin(net, false, batch, &r, e);
    if (!g)
        return NULL;
    graph_output(g, "features", r);
    if (names[head])
        graph_output(g, "logits", graph_linear(g, names[head], r, net->shape.n_classes));
    return finish(g, e);
}

static int declare(struct network *net, struct err *e)
{
    struct objective_conf conf = {.temperature = 0.1, .contrast_mode = "all"};
    for (int i = 0; objective_classes[i]; i++) {
        const struct objective_class *class = objective_classes[i];
        snprintf(conf.name, sizeof conf.name, "%s", class->name);
        struct graph *g = network_train_graph(net, class, &conf, 2, class->views, e);
        int rc = g ? params_declare(net->params, g, e) : -1;
        graph_free(g);
        if (rc < 0)
            return -1;
    }
    return 0;
}

int network_init(struct network *net, struct device *dev, const struct model_conf *model,
                 const struct network_shape *shape, uint64_t seed, struct err *e)
{
    *net = (struct network){.dev = dev, .model = *model, .shape = *shape};
    network_resolve(&net->model, dev);
    net->live[GROUP_ENCODER] = true;
    net->arch = arch_find(model->arch, e);
    if (!net->arch || check(net, e) < 0)
        return -1;
    net->params = params_new(dev);
    if (!net->params)
        return err_set(e, EXIT_OS, "out of memory for a network");
    if (declare(net, e) == 0 && params_alloc(net->params, e) == 0 &&
        params_init(net->params, seed, e) == 0)
        return 0;
    network_done(net);
    return -1;
}

void network_done(struct network *net)
{
    params_free(net->params);
    net->params = NULL;
}

struct plan *network_train_plan(struct network *net, const struct objective_class *class,
                                const struct objective_conf *conf, int n, int views, struct err *e)
{
    struct graph *g = network_train_graph(net, class, conf, n, views, e);
    struct plan *plan = g ? plan_compile(net->dev, g, net->params, e) : NULL;
    graph_free(g);
    return plan;
}

struct plan *network_eval_plan(struct network *net, int batch, enum param_group head, struct err *e)
{
    struct graph *g = network_eval_graph(net, batch, head, e);
    struct plan *plan = g ? plan_compile(net->dev, g, net->params, e) : NULL;
    graph_free(g);
    return plan;
}
