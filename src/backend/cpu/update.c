/*
 * The optimizer's loop over flat memory, and the sum of squares for the gradient norm. Chunks are
 * fixed, so neither depends on the number of threads.
 */
#include "backend/cpu/cpu.h"
#include "optim/optim.h"

enum { ELEMENTS = 1 << 15 };

static void apply(void *ctx, int64_t begin, int64_t end)
{
    const struct update *u = ctx;
    u->rule->apply(u, begin, end);
}

int cpu_update(struct device *dev, const struct update *u, struct err *e)
{
    struct update copy = *u;
    (void)e;
    if (u->held && *u->held)
        return 0;
    cpu_chunks(dev, u->n, ELEMENTS, apply, &copy);
    return 0;
}

static double squares(void *ctx, int64_t begin, int64_t end)
{
    const float *x = *(const float **)ctx;
    double sum[8] = {0};
    int64_t i = begin;
    for (; i + 8 <= end; i += 8)
        for (int l = 0; l < 8; l++)
            sum[l] += (double)x[i + l] * (double)x[i + l];
    for (; i < end; i++)
        sum[0] += (double)x[i] * (double)x[i];
    return ((sum[0] + sum[4]) + (sum[2] + sum[6])) + ((sum[1] + sum[5]) + (sum[3] + sum[7]));
}

int cpu_sum_squares(struct device *dev, const float *x, int64_t n, double *out, struct err *e)
{
    (void)e;
    *out = cpu_chunk_sum(dev, n, ELEMENTS, squares, &x);
    return 0;
}
