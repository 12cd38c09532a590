/* The optimizer, the verdict on a step, and augmentation: one launch each. */
#include "backend/cuda/cuda.h"
#include "optim/optim.h"

#include <string.h>

static const struct {
    const char *name;
    enum k_rule rule;
} rules[] = {{"sgd", K_RULE_SGD}, {"rmsprop", K_RULE_RMSPROP}};

int cuda_update(struct device *dev, const struct update *u, struct err *e)
{
    size_t i = 0, n = sizeof rules / sizeof *rules;
    while (i < n && strcmp(rules[i].name, u->rule->name) != 0)
        i++;
    if (i == n)
        return err_set(e, EXIT_UNAVAILABLE, "the CUDA backend has no optimizer %s", u->rule->name);
    const struct k_update k = {.rule = rules[i].rule,
                               .n = u->n,
                               .w = u->w,
                               .g = u->g,
                               .slot = {u->slot[0], u->slot[1]},
                               .hyper = u->hyper,
                               .held = u->held};
    return CU(e, k_update(cuda_of(dev)->compute, &k));
}

/* Room for the partial sums; made once, since the longest comes in the first step. */
static int reserve(struct device *dev, int64_t n, struct err *e)
{
    struct cuda *c = cuda_of(dev);
    size_t bytes = k_sum_squares_workspace(n);
    if (bytes <= c->squares_bytes)
        return 0;
    if (cuda_refuse_recording(c, "an allocation", e))
        return -1;
    cuda_free(dev, c->squares, c->squares_bytes);
    c->squares = NULL;
    c->squares_bytes = 0;
    if (cuda_alloc(dev, bytes, &c->squares, e))
        return -1;
    c->squares_bytes = bytes;
    return 0;
}

int cuda_sum_squares(struct device *dev, const float *x, int64_t n, double *out, struct err *e)
{
    struct cuda *c = cuda_of(dev);
    if (reserve(dev, n, e))
        return -1;
    return CU(e, k_sum_squares(c->compute, n, x, out, c->squares));
}

int cuda_judge(struct device *dev, int n, const float *stats, int n_squares, const double *squares,
               uint32_t *held, struct err *e)
{
    return CU(e, k_judge(cuda_of(dev)->compute, n, stats, n_squares, squares, held));
}

int cuda_augment(struct device *dev, const struct device_augment *a, struct tensor *out,
                 struct err *e)
{
    struct k_augment k = {.out = cuda_map(out),
                          .shape = a->shape,
                          .images = a->images,
                          .params = a->params,
                          .y = out->data};
    return CU(e, k_augment(cuda_of(dev)->compute, &k));
}
