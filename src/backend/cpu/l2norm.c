/*
 * Rows of length one: z = x / max(|x|, 1e-12). Backward: dx = (dz - z (z . dz)) / |x|; for a row
 * shorter than the floor the divisor is a constant, dx = dz / 1e-12. Sums run in 16 lanes that are
 * added in one order.
 */
#include "backend/cpu/cpu.h"

#include <math.h>
#include <string.h>

enum { NORM_LANES = 16, CHUNK = 1 << 15 /* elements: less is not worth another thread */ };

static const float floor_length = 1e-12f;

typedef float lanes __attribute__((vector_size(NORM_LANES * 4)));

static float dot(const float *a, const float *b, int64_t d)
{
    lanes sum = {0}, x, y;
    float rest = 0, part[NORM_LANES];
    int64_t k = 0;
    for (; k + NORM_LANES <= d; k += NORM_LANES) {
        memcpy(&x, a + k, sizeof x);
        memcpy(&y, b + k, sizeof y);
        sum += x * y;
    }
    for (; k < d; k++)
        rest += a[k] * b[k];
    memcpy(part, &sum, sizeof part);
    for (int width = NORM_LANES / 2; width > 0; width /= 2)
        for (int l = 0; l < width; l++)
            part[l] += part[l + width];
    return part[0] + rest;
}

static int64_t rows_in_chunk(const struct call *call)
{
    return CHUNK / call->in[0]->dim[1] + 1;
}

static void normalise(void *ctx, int64_t begin, int64_t end)
{
    struct call *call = ctx;
    int64_t d = call->in[0]->dim[1];
    for (int64_t i = begin; i < end; i++) {
        const float *x = (const float *)call->in[0]->data + i * d;
        float *z = (float *)call->out->data + i * d, length = sqrtf(dot(x, x, d));
        float divisor = length < floor_length ? floor_length : length;
        ((float *)call->saved)[i] = length;
        for (int64_t k = 0; k < d; k++)
            z[k] = x[k] / divisor;
    }
}

static void pull_back(void *ctx, int64_t begin, int64_t end)
{
    struct call *call = ctx;
    int64_t d = call->in[0]->dim[1];
    for (int64_t i = begin; i < end; i++) {
        const float *z = (const float *)call->out->data + i * d;
        const float *dz = (const float *)call->dout->data + i * d;
        float *dx = (float *)call->din[0]->data + i * d, length = ((float *)call->saved)[i];
        float radial = length < floor_length ? 0 : dot(z, dz, d);
        float divisor = length < floor_length ? floor_length : length;
        for (int64_t k = 0; k < d; k++)
            dx[k] = (dz[k] - z[k] * radial) / divisor;
    }
}

static int prepare(struct device *dev, struct call *call, struct err *e)
{
    (void)dev;
    (void)e;
    call->saved_bytes = (size_t)call->in[0]->dim[0] * sizeof(float); /* lengths */
    return 0;
}

static int forward(struct device *dev, struct call *call, struct err *e)
{
    (void)e;
    cpu_chunks(dev, call->in[0]->dim[0], rows_in_chunk(call), normalise, call);
    return 0;
}

static int backward(struct device *dev, struct call *call, struct err *e)
{
    (void)e;
    if (call->din[0])
        cpu_chunks(dev, call->in[0]->dim[0], rows_in_chunk(call), pull_back, call);
    return 0;
}

static void done(struct device *dev, struct call *call)
{
    (void)dev;
    (void)call;
}

const struct kernel cpu_l2norm = {
    .prepare = prepare, .forward = forward, .backward = backward, .done = done};
