/*
 * Batch-norm with the skip connection and the ReLU that may follow it, by kernels of our own: no
 * plan of cuDNN was found that undoes the ReLU in the backward pass of batch-norm, and none leaves
 * its mask (tests/gpu/engines). The sums it needs may have been made by the convolution before, in
 * passing. What is saved: mean and inverse deviation of the batch, for the backward pass, a
 * repeated output and the running statistics; and one bit per element where there is a ReLU to
 * undo.
 */
#include "backend/cuda/multi.h"

static size_t aligned(size_t bytes)
{
    return (bytes + 255) / 256 * 256;
}

static size_t statistics_bytes(const struct k_map *m)
{
    return aligned((size_t)m->cs * sizeof(float));
}

static bool keeps_mask(const struct call *c)
{
    return c->attr.relu && c->want_backward;
}

static int check(const struct call *c, struct err *e)
{
    const int64_t *d = c->in[0]->dim;
    if (c->attr.training && d[0] * d[2] * d[3] < 2)
        return err_set(e, EXIT_CONFIG,
                       "%s: one value per channel has no variance; use a larger batch or image",
                       c->name);
    if (c->want_backward && !c->attr.training)
        return err_set(e, EXIT_UNAVAILABLE,
                       "%s: the CUDA backend has no gradient through running statistics", c->name);
    return 0;
}

static int prepare(struct device *dev, struct call *c, struct err *e)
{
    struct k_map m = cuda_map(c->in[0]);
    (void)dev;
    if (check(c, e))
        return -1;
    c->saved_bytes = 2 * statistics_bytes(&m) + (keeps_mask(c) ? k_norm_mask_bytes(&m) : 0);
    c->workspace_bytes = k_norm_workspace(&m);
    snprintf(c->algorithm[0], sizeof c->algorithm[0], "own");
    return 0;
}

static void *data_of(const struct tensor *t)
{
    return t ? t->data : NULL;
}

/* All of a call but y, dy and what is made of it. */
static struct k_norm norm_of(const struct call *c)
{
    struct k_map m = cuda_map(c->in[0]);
    char *saved = c->saved;
    return (struct k_norm){.map = m,
                           .eps = c->attr.eps,
                           .relu = c->attr.relu,
                           .x = c->in[0]->data,
                           .skip = c->n_in > 5 ? c->in[5]->data : NULL,
                           .gamma = c->in[1]->data,
                           .beta = c->in[2]->data,
                           .mean = (float *)saved,
                           .rstd = (float *)(saved + statistics_bytes(&m)),
                           .mask = keeps_mask(c) ? (uint32_t *)(saved + 2 * statistics_bytes(&m))
                                                 : NULL,
                           .workspace = c->workspace};
}

static int forward(struct device *dev, struct call *c, struct err *e)
{
    struct k_norm n = norm_of(c);
    n.y = c->out->data;
    n.sums = c->maker ? c->maker->sums : NULL;
    if (c->attr.training)
        return CU(e, k_norm_forward(cuda_of(dev)->compute, &n));
    return CU(e, k_norm_evaluate(cuda_of(dev)->compute, &n, c->in[3]->data, c->in[4]->data));
}

/* The statistics of the batch and the mask are still there. */
static int again(struct device *dev, struct call *c, struct tensor *out, struct err *e)
{
    struct k_norm n = norm_of(c);
    n.y = out->data;
    n.mask = NULL;
    if (c->attr.training)
        return CU(e, k_norm_apply(cuda_of(dev)->compute, &n));
    return CU(e, k_norm_evaluate(cuda_of(dev)->compute, &n, c->in[3]->data, c->in[4]->data));
}

static int backward(struct device *dev, struct call *c, struct err *e)
{
    struct k_norm n = norm_of(c);
    n.dy = c->dout->data;
    n.dx = data_of(c->din[0]);
    n.dgamma = data_of(c->din[1]);
    n.dbeta = data_of(c->din[2]);
    n.dskip = c->n_in > 5 ? data_of(c->din[5]) : NULL;
    return CU(e, k_norm_backward(cuda_of(dev)->compute, &n));
}

bool batchnorm_commit_job(const struct call *c, struct k_norm_commit_job *job)
{
    const struct k_norm n = norm_of(c);
    *job = (struct k_norm_commit_job){.c = n.map.c,
                                      .eps = n.eps,
                                      .momentum = c->attr.momentum,
                                      .count = (double)(n.map.n * n.map.h * n.map.w),
                                      .mean = n.mean,
                                      .rstd = n.rstd,
                                      .running_mean = c->in[3]->data,
                                      .running_var = c->in[4]->data};
    return c->attr.training;
}

static int commit(struct device *dev, struct call *c, const uint32_t *held, struct err *e)
{
    struct k_norm_commit_job job;
    if (!batchnorm_commit_job(c, &job))
        return 0;
    return CU(e, k_norm_commit(cuda_of(dev)->compute, &job, 1, held));
}

const struct kernel cuda_batchnorm = {.prepare = prepare,
                                      .forward = forward,
                                      .backward = backward,
                                      .again = again,
                                      .commit = commit,
                                      .done = cuda_done_plain};
