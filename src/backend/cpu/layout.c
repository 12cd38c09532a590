/*
 * Layouts of activations, and the ways in and out of them.
 *
 * Four dimensions with more than PLAIN_CHANNELS channels are blocked, which oneDNN's convolutions
 * and our normalisation want. Images as they come (1 or 3 channels) stay plain: the first
 * convolution is faster on them, and an upload is a copy.
 */
#include "backend/cpu/memory.h"
#include "backend/cpu/simd.h"

#include <string.h>

enum { PLAIN_CHANNELS = 4, CHUNK = 1 << 14 };

int layout_block(int layout)
{
    static const int blocks[] = {[LAYOUT_PLAIN] = 1, [LAYOUT_BLOCK8] = 8, [LAYOUT_BLOCK16] = 16};
    return blocks[layout];
}

int64_t stored_count(const struct tensor *t)
{
    return (int64_t)(t->bytes / dtype_size(t->dtype));
}

int64_t stored_runs(const struct tensor *t, int64_t *run)
{
    *run = t->dim[2] * t->dim[3] * layout_block(t->layout);
    return *run ? stored_count(t) / *run : 0;
}

void cpu_layout(struct device *dev, struct tensor *t)
{
    const struct cpu *cpu = cpu_of(dev);
    bool blocked =
        t->ndim == 4 && t->dim[1] > PLAIN_CHANNELS && (t->dtype == DT_F32 || t->dtype == DT_BF16);
    t->layout = !blocked ? LAYOUT_PLAIN : cpu->block == 16 ? LAYOUT_BLOCK16 : LAYOUT_BLOCK8;
    int64_t count = tensor_count(t), block = layout_block(t->layout);
    if (blocked)
        count = count / t->dim[1] * ((t->dim[1] + block - 1) / block * block);
    t->bytes = (size_t)count * dtype_size(t->dtype);
}

/* --- copies ----------------------------------------------------------------------------------- */

struct copy {
    const struct simd *simd;
    const struct tensor *t;
    char *host;
    int64_t blocks, run; /* of blocks of channels, elements of a run */
};

static struct copy copy_of(struct device *dev, const struct tensor *t, void *host)
{
    struct copy c = {.simd = cpu_of(dev)->simd, .t = t, .host = host};
    int block = layout_block(t->layout);
    c.blocks = (t->dim[1] + block - 1) / block;
    c.run = t->dim[2] * t->dim[3] * block;
    return c;
}

/* The first element of a run in host memory, and how many of its channels are real. */
static float *run_host(const struct copy *c, int64_t run, int *channels)
{
    int block = layout_block(c->t->layout);
    int64_t image = run / c->blocks, first = run % c->blocks * block;
    *channels = (int)(c->t->dim[1] - first < block ? c->t->dim[1] - first : block);
    return (float *)c->host + (image * c->t->dim[1] + first) * c->t->dim[2] * c->t->dim[3];
}

static void upload_runs(void *ctx, int64_t begin, int64_t end)
{
    const struct copy *c = ctx;
    int block = layout_block(c->t->layout), channels;
    int64_t pixels = c->run / block;
    for (int64_t r = begin; r < end; r++) {
        const float *src = run_host(c, r, &channels);
        for (int64_t p = 0; p < pixels; p++) {
            float v[LANES] = {0};
            for (int l = 0; l < channels; l++)
                v[l] = src[l * pixels + p];
            if (c->t->dtype == DT_BF16)
                c->simd->narrow(v, (uint16_t *)c->t->data + r * c->run + p * block, block);
            else
                memcpy((float *)c->t->data + r * c->run + p * block, v, sizeof *v * (size_t)block);
        }
    }
}

static void download_runs(void *ctx, int64_t begin, int64_t end)
{
    const struct copy *c = ctx;
    int block = layout_block(c->t->layout), channels;
    int64_t pixels = c->run / block;
    for (int64_t r = begin; r < end; r++) {
        float *dst = run_host(c, r, &channels);
        for (int64_t p = 0; p < pixels; p++) {
            float v[LANES];
            if (c->t->dtype == DT_BF16)
                c->simd->widen((uint16_t *)c->t->data + r * c->run + p * block, v, block);
            else
                memcpy(v, (float *)c->t->data + r * c->run + p * block, sizeof *v * (size_t)block);
            for (int l = 0; l < channels; l++)
                dst[l * pixels + p] = v[l];
        }
    }
}

static void narrow_chunk(void *ctx, int64_t begin, int64_t end)
{
    const struct copy *c = ctx;
    c->simd->narrow((float *)c->host + begin, (uint16_t *)c->t->data + begin, end - begin);
}

static void widen_chunk(void *ctx, int64_t begin, int64_t end)
{
    const struct copy *c = ctx;
    c->simd->widen((uint16_t *)c->t->data + begin, (float *)c->host + begin, end - begin);
}

static void transfer(struct device *dev, const struct tensor *t, void *host, bool up)
{
    struct copy c = copy_of(dev, t, host);
    if (t->layout != LAYOUT_PLAIN)
        cpu_chunks(dev, t->dim[0] * c.blocks, 16, up ? upload_runs : download_runs, &c);
    else if (t->dtype == DT_BF16)
        cpu_chunks(dev, tensor_count(t), CHUNK, up ? narrow_chunk : widen_chunk, &c);
    else if (up)
        memcpy(t->data, host, t->bytes);
    else
        memcpy(host, t->data, t->bytes);
}

int cpu_upload(struct device *dev, struct tensor *dst, const void *src, struct err *e)
{
    (void)e;
    transfer(dev, dst, (void *)src, true);
    return 0;
}

int cpu_download(struct device *dev, const struct tensor *src, void *dst, struct err *e)
{
    (void)e;
    transfer(dev, src, dst, false);
    return 0;
}

struct sum {
    const struct simd *simd;
    struct tensor *y;
    const struct tensor *x;
};

static void sum_chunk(void *ctx, int64_t begin, int64_t end)
{
    const struct sum *s = ctx;
    size_t at = (size_t)begin * dtype_size(s->y->dtype);
    char *y = (char *)s->y->data + at;
    s->simd->add[s->y->dtype == DT_BF16](y, (char *)s->x->data + at, y, NULL, false, end - begin);
}

int cpu_accumulate(struct device *dev, struct tensor *y, const struct tensor *x, struct err *e)
{
    if (y->bytes != x->bytes || y->dtype != x->dtype || y->layout != x->layout)
        return err_set(e, EXIT_SOFTWARE,
                       "%s and %s differ in shape, type or layout and cannot be "
                       "added",
                       y->name, x->name);
    struct sum s = {cpu_of(dev)->simd, y, x};
    cpu_chunks(dev, stored_count(y), CHUNK, sum_chunk, &s);
    return 0;
}
