/*
 * Memory and layouts of a GPU. Allocation happens while plans are compiled, never in a step;
 * memory comes zeroed, by a memset that is in order with everything else.
 */
#include "backend/cuda/cuda.h"

#include <stdlib.h>

enum { NOISE_BYTES = 1 << 20 };

static double mib(size_t bytes)
{
    return (double)bytes / (1 << 20);
}

static int no_memory(struct device *dev, size_t bytes, struct err *e)
{
    size_t available = 0, total = 0;
    (void)cudaGetLastError();
    (void)cudaMemGetInfo(&available, &total);
    return err_set(e, EXIT_OS,
                   "%s is out of memory: %.1f MiB more are needed, %.1f of %.1f MiB are free; use "
                   "a smaller batch or model, or end what else runs on that GPU",
                   dev->info.id, mib(bytes), mib(available), mib(total));
}

int cuda_alloc(struct device *dev, size_t bytes, void **out, struct err *e)
{
    cudaError_t status = cudaMalloc(out, bytes ? bytes : 1);
    if (status == cudaErrorMemoryAllocation) {
        *out = NULL;
        return no_memory(dev, bytes, e);
    }
    if (cuda_check(e, (int)status, "cudaMalloc"))
        return -1;
    if (CU(e, cudaMemsetAsync(*out, 0, bytes ? bytes : 1, cuda_of(dev)->compute)) == 0)
        return 0;
    (void)cudaFree(*out);
    *out = NULL;
    return -1;
}

void cuda_free(struct device *dev, void *p, size_t bytes)
{
    (void)dev;
    (void)bytes;
    if (p)
        (void)cudaFree(p); /* waits for what still uses it; a lost device has nothing to free */
}

/* What transfers will still take is set aside; never 0, which would mean that nothing is known. */
size_t cuda_memory_free(struct device *dev)
{
    size_t available = 0, total = 0, aside = cuda_staging_to_come(cuda_of(dev));
    if (cudaMemGetInfo(&available, &total) != cudaSuccess)
        return 0;
    return available > aside ? available - aside : 1;
}

void cuda_layout(struct device *dev, struct tensor *t)
{
    (void)dev;
    bool image = t->ndim == 4 && (t->dtype == DT_F32 || t->dtype == DT_BF16);
    t->layout = image ? LAYOUT_NHWC : LAYOUT_PLAIN;
    int64_t count = tensor_count(t);
    if (image)
        count = t->dim[0] * t->dim[2] * t->dim[3] * cuda_map(t).cs;
    t->bytes = (size_t)count * dtype_size(t->dtype);
}

struct k_map cuda_map(const struct tensor *t)
{
    int c = (int)t->dim[1];
    return (struct k_map){.n = t->dim[0],
                          .h = (int)t->dim[2],
                          .w = (int)t->dim[3],
                          .c = c,
                          .cs = (c + CHANNEL_ALIGN - 1) / CHANNEL_ALIGN * CHANNEL_ALIGN,
                          .bf16 = t->dtype == DT_BF16};
}

int64_t cuda_stored(const struct tensor *t)
{
    return (int64_t)(t->bytes / dtype_size(t->dtype));
}

int cuda_copy(struct device *dev, void *dst, const void *src, size_t bytes, struct err *e)
{
    return CU(e, cudaMemcpyAsync(dst, src, bytes, cudaMemcpyDeviceToDevice, cuda_of(dev)->compute));
}

int cuda_accumulate(struct device *dev, struct tensor *y, const struct tensor *x, struct err *e)
{
    if (y->bytes != x->bytes || y->dtype != x->dtype || y->layout != x->layout)
        return err_set(e, EXIT_SOFTWARE,
                       "%s and %s differ in shape, type or layout and cannot be added", y->name,
                       x->name);
    return CU(e, k_accumulate(cuda_of(dev)->compute, y->dtype == DT_BF16, cuda_stored(y), y->data,
                              x->data));
}

/* Sleeps instead of spinning: the wait may be a step long. */
int cuda_sync(struct device *dev, struct err *e)
{
    struct cuda *c = cuda_of(dev);
    if (cuda_join(c, e) || CU(e, cudaEventRecord(c->idle, c->compute)))
        return -1;
    return CU(e, cudaEventSynchronize(c->idle));
}

/* --- noise ------------------------------------------------------------------------------------ */

static void fill_noise(void *out, enum dtype dtype)
{
    uint32_t x = 0x9E3779B9u;
    for (size_t i = 0; i < NOISE_BYTES / dtype_size(dtype); i++) {
        x = x * 1664525u + 1013904223u;
        union {
            float f;
            uint32_t bits;
        } v = {(float)(int32_t)x * 0x1p-31f};
        if (dtype == DT_BF16)
            ((uint16_t *)out)[i] = (uint16_t)(v.bits >> 16);
        else
            ((float *)out)[i] = v.f;
    }
}

/* A block from the host, then repeated on the device. */
static int spread_noise(struct device *dev, char *out, size_t bytes, void *block, struct err *e)
{
    struct tensor t = {.name = "noise",
                       .dtype = DT_U8,
                       .ndim = 1,
                       .bytes = bytes < NOISE_BYTES ? bytes : NOISE_BYTES,
                       .data = out};
    if (cuda_upload(dev, &t, block, e))
        return -1;
    for (size_t at = NOISE_BYTES; at < bytes; at += NOISE_BYTES) {
        size_t n = bytes - at < NOISE_BYTES ? bytes - at : NOISE_BYTES;
        if (cuda_copy(dev, out + at, out, n, e))
            return -1;
    }
    return 0;
}

int cuda_noise(struct device *dev, size_t bytes, enum dtype dtype, void **out, struct err *e)
{
    void *block = malloc(NOISE_BYTES);
    if (!block)
        return err_set(e, EXIT_OS, "out of memory while timing algorithms");
    fill_noise(block, dtype);
    int rc = cuda_alloc(dev, bytes, out, e);
    if (rc == 0 && spread_noise(dev, *out, bytes, block, e)) {
        cuda_free(dev, *out, bytes);
        rc = -1;
    }
    free(block);
    return rc;
}
