/*
 * The contrastive losses. An error of a similarity is multiplied by 1 / temperature, so bf16 is too
 * coarse. Where the network computes in bf16, similarities are products of numbers of half
 * precision on tensor cores: 11 bits, as TF32 has, at twice its speed. Where it computes in f32,
 * they are f32. Nothing stands between: whoever asks for more than 11 bits has f32, at some ten
 * times the cost. SUPCON_CUDA_CONTRAST names the other method; the choice is shown as the
 * algorithm.
 */
#include "backend/cuda/cuda.h"

#include <stdlib.h>
#include <string.h>

static const char *const method_names[K_CONTRAST_N] = {
    [K_CONTRAST_F32] = "f32", [K_CONTRAST_F16] = "f16"};

static enum k_contrast_method method_for(const struct call *c)
{
    const char *word = getenv("SUPCON_CUDA_CONTRAST");
    for (int m = 0; word && m < K_CONTRAST_N; m++)
        if (strcmp(word, method_names[m]) == 0)
            return (enum k_contrast_method)m;
    return c->compute == DT_BF16 ? K_CONTRAST_F16 : K_CONTRAST_F32;
}

static struct k_contrast contrast_of(const struct call *c)
{
    const struct tensor *z = c->in[0];
    return (struct k_contrast){.n = c->in[1]->dim[0],
                               .views = c->attr.views,
                               .d = (int)z->dim[1],
                               .temperature = c->attr.temperature,
                               .scale = c->attr.scale,
                               .simclr = c->attr.simclr,
                               .anchors_one = c->attr.anchors_one,
                               .method = *(const enum k_contrast_method *)c->impl,
                               .z = z->data,
                               .labels = c->in[1]->data,
                               .stats = c->out->data,
                               .saved = c->saved,
                               .workspace = c->workspace};
}

static int check(const struct call *c, struct err *e)
{
    const struct tensor *z = c->in[0], *labels = c->in[1];
    if (z->dim[0] != labels->dim[0] * c->attr.views)
        return err_set(e, EXIT_SOFTWARE, "%s: %lld rows for %lld samples in %d views", c->name,
                       (long long)z->dim[0], (long long)labels->dim[0], c->attr.views);
    if (!(c->attr.temperature > 0))
        return err_set(e, EXIT_CONFIG, "%s: temperature %g; it must be positive", c->name,
                       (double)c->attr.temperature);
    return 0;
}

static int prepare(struct device *dev, struct call *c, struct err *e)
{
    enum k_contrast_method *m = c->impl = calloc(1, sizeof *m);
    (void)dev;
    if (!m)
        return err_set(e, EXIT_OS, "%s: out of memory", c->name);
    if (check(c, e))
        return -1;
    *m = method_for(c);
    struct k_contrast k = contrast_of(c);
    c->saved_bytes = k_contrast_saved(&k);
    c->workspace_bytes = k_contrast_workspace(&k);
    for (int pass = 0; pass < 2; pass++)
        snprintf(c->algorithm[pass], sizeof c->algorithm[pass], "%s", method_names[*m]);
    return 0;
}

static int forward(struct device *dev, struct call *c, struct err *e)
{
    struct k_contrast k = contrast_of(c);
    return CU(e, k_contrast_forward(cuda_of(dev)->compute, &k));
}

static int backward(struct device *dev, struct call *c, struct err *e)
{
    struct k_contrast k = contrast_of(c);
    if (!c->din[0])
        return 0;
    k.dz = c->din[0]->data;
    return CU(e, k_contrast_backward(cuda_of(dev)->compute, &k));
}

const struct kernel cuda_contrastive = {
    .prepare = prepare, .forward = forward, .backward = backward, .done = cuda_done_plain};
