/*
 * Parallel loops over fixed chunks: what a chunk computes does not depend on which thread takes it,
 * and sums are added in index order, so results do not depend on the number of threads either.
 */
#include "backend/cpu/cpu.h"

#include <omp.h>

static int64_t ceil_div(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

static int64_t chunk_end(int64_t begin, int64_t chunk, int64_t n)
{
    return begin + chunk < n ? begin + chunk : n;
}

void cpu_chunks(const struct device *dev, int64_t n, int64_t chunk,
                void (*fn)(void *ctx, int64_t begin, int64_t end), void *ctx)
{
    int64_t chunks = ceil_div(n, chunk);
    if (chunks == 1) { /* not worth waking the others */
        fn(ctx, 0, n);
        return;
    }
#pragma omp parallel for schedule(static) num_threads(dev->threads)
    for (int64_t i = 0; i < chunks; i++)
        fn(ctx, i * chunk, chunk_end(i * chunk, chunk, n));
}

double cpu_chunk_sum(const struct device *dev, int64_t n, int64_t chunk,
                     double (*fn)(void *ctx, int64_t begin, int64_t end), void *ctx)
{
    double *partial = cpu_of(dev)->partial, sum = 0;
    if (ceil_div(n, chunk) > CPU_PARTIALS)
        chunk = ceil_div(n, CPU_PARTIALS);
    int64_t chunks = ceil_div(n, chunk);
#pragma omp parallel for schedule(static) num_threads(dev->threads)
    for (int64_t i = 0; i < chunks; i++)
        partial[i] = fn(ctx, i * chunk, chunk_end(i * chunk, chunk, n));
    for (int64_t i = 0; i < chunks; i++)
        sum += partial[i];
    return sum;
}
