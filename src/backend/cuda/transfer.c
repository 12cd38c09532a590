/*
 * Host memory to device memory and back, through staging buffers that take turns: while one is on
 * its way, the host fills or empties the other. Layout and type are converted on the device.
 *
 * Upwards the transfer runs on the copy stream and touches staging memory alone, so that the next
 * batch travels while the compute stream is still busy with the one before; the last leg, from
 * staging to the tensor, is in order with everything else.
 */
#include "backend/cuda/cuda.h"

#include <string.h>

enum { STAGING_MIN = 1 << 20, STAGING_MAX = 64 << 20 };

/* A tensor cut into pieces that fit a staging buffer: images, or bytes where it lies plain. */
struct pieces {
    int64_t n, per_piece; /* units in all and at once */
    size_t unit;          /* bytes of a unit in host memory */
    size_t stored;        /* and in the tensor */
    bool images;
};

static struct pieces cut(const struct tensor *t)
{
    struct pieces p = {.n = (int64_t)t->bytes, .unit = 1, .stored = 1};
    if (t->layout == LAYOUT_NHWC) {
        struct k_map m = cuda_map(t);
        size_t pixels = (size_t)m.h * (size_t)m.w;
        p = (struct pieces){.n = m.n,
                            .unit = pixels * (size_t)m.c * sizeof(float),
                            .stored = pixels * (size_t)m.cs * dtype_size(t->dtype),
                            .images = true};
    }
    return p;
}

/* --- staging buffers -------------------------------------------------------------------------- */

static void free_memory(struct cuda *c)
{
    for (int i = 0; i < N_STAGING; i++) {
        if (c->staging[i].host)
            (void)cudaFreeHost(c->staging[i].host);
        if (c->staging[i].device)
            (void)cudaFree(c->staging[i].device);
        c->staging[i].host = c->staging[i].device = NULL;
    }
    c->staging_bytes = 0;
}

size_t cuda_staging_to_come(const struct cuda *c)
{
    return c->staging_bytes < STAGING_MAX ? N_STAGING * (STAGING_MAX - c->staging_bytes) : 0;
}

void cuda_staging_done(struct cuda *c)
{
    free_memory(c);
    for (int i = 0; i < N_STAGING; i++) {
        if (c->staging[i].copied)
            (void)cudaEventDestroy(c->staging[i].copied);
        if (c->staging[i].taken)
            (void)cudaEventDestroy(c->staging[i].taken);
    }
}

static int new_event(cudaEvent_t *event, struct err *e)
{
    if (*event)
        return 0;
    return CU(e, cudaEventCreateWithFlags(event, cudaEventDisableTiming | cudaEventBlockingSync));
}

static int make(struct device *dev, struct staging *s, size_t bytes, struct err *e)
{
    void *host = NULL, *device = NULL;
    if (new_event(&s->copied, e) || new_event(&s->taken, e) ||
        CU(e, cudaHostAlloc(&host, bytes, cudaHostAllocDefault)))
        return -1;
    s->host = host;
    if (cuda_alloc(dev, bytes, &device, e))
        return -1;
    s->device = device;
    /* It is zeroed on the compute stream: the copy stream has to wait for that. */
    return CU(e, cudaEventRecord(s->taken, cuda_of(dev)->compute));
}

/* Grow to what this tensor would like, within bounds; one unit has to fit. */
static int reserve(struct device *dev, struct pieces *p, struct err *e)
{
    struct cuda *c = cuda_of(dev);
    size_t bytes = p->unit * (size_t)p->n;
    bytes = bytes < STAGING_MIN ? STAGING_MIN : bytes > STAGING_MAX ? STAGING_MAX : bytes;
    bytes = bytes < p->unit ? p->unit : bytes;
    if (bytes > c->staging_bytes) {
        if (cuda_sync(dev, e))
            return -1;
        free_memory(c);
        for (int i = 0; i < N_STAGING; i++)
            if (make(dev, &c->staging[i], bytes, e))
                return -1;
        c->staging_bytes = bytes;
    }
    p->per_piece = (int64_t)(c->staging_bytes / (p->unit ? p->unit : 1));
    return 0;
}

static struct staging *next(struct cuda *c)
{
    struct staging *s = &c->staging[c->turn];
    c->turn = (c->turn + 1) % N_STAGING;
    return s;
}

static struct k_map map_of(const struct tensor *t, int64_t images)
{
    struct k_map m = cuda_map(t);
    m.n = images;
    return m;
}

/* --- up --------------------------------------------------------------------------------------- */

static int unpack(struct cuda *c, const struct tensor *t, const struct pieces *p, int64_t first,
                  int64_t n, const char *from, struct err *e)
{
    char *to = (char *)t->data + (size_t)first * p->stored;
    struct k_map m = map_of(t, n);
    if (p->images)
        return CU(e, k_to_nhwc(c->compute, &m, (const float *)from, to));
    return CU(e, cudaMemcpyAsync(to, from, (size_t)n, cudaMemcpyDeviceToDevice, c->compute));
}

static int send(struct cuda *c, struct staging *s, const char *from, size_t bytes, struct err *e)
{
    if (CU(e, cudaEventSynchronize(s->copied)))
        return -1;
    memcpy(s->host, from, bytes);
    if (CU(e, cudaStreamWaitEvent(c->copy, s->taken, 0)) ||
        CU(e, cudaMemcpyAsync(s->device, s->host, bytes, cudaMemcpyHostToDevice, c->copy)) ||
        CU(e, cudaEventRecord(s->copied, c->copy)))
        return -1;
    return CU(e, cudaStreamWaitEvent(c->compute, s->copied, 0));
}

int cuda_upload(struct device *dev, struct tensor *dst, const void *src, struct err *e)
{
    struct cuda *c = cuda_of(dev);
    struct pieces p = cut(dst);
    if (dst->layout == LAYOUT_PLAIN && dst->dtype == DT_BF16)
        return err_set(e, EXIT_SOFTWARE, "%s: bf16 has four dimensions on a GPU", dst->name);
    if (cuda_refuse_recording(c, "an upload", e) || reserve(dev, &p, e))
        return -1;
    for (int64_t at = 0; at < p.n; at += p.per_piece) {
        int64_t n = p.n - at < p.per_piece ? p.n - at : p.per_piece;
        struct staging *s = next(c);
        if (send(c, s, (const char *)src + (size_t)at * p.unit, (size_t)n * p.unit, e) ||
            unpack(c, dst, &p, at, n, s->device, e) || CU(e, cudaEventRecord(s->taken, c->compute)))
            return -1;
    }
    return 0;
}

/* --- down ------------------------------------------------------------------------------------- */

static int pack(struct cuda *c, const struct tensor *t, const struct pieces *p, int64_t first,
                int64_t n, char *to, struct err *e)
{
    const char *from = (const char *)t->data + (size_t)first * p->stored;
    struct k_map m = map_of(t, n);
    if (p->images)
        return CU(e, k_from_nhwc(c->compute, &m, from, (float *)to));
    return CU(e, cudaMemcpyAsync(to, from, (size_t)n, cudaMemcpyDeviceToDevice, c->compute));
}

static int fetch(struct cuda *c, struct staging *s, size_t bytes, struct err *e)
{
    if (CU(e, cudaMemcpyAsync(s->host, s->device, bytes, cudaMemcpyDeviceToHost, c->compute)) ||
        CU(e, cudaEventRecord(s->copied, c->compute)))
        return -1;
    return CU(e, cudaEventRecord(s->taken, c->compute));
}

/* What has arrived goes to its place while the next piece travels. */
struct arrival {
    struct staging *staging;
    char *to;
    size_t bytes;
};

static int receive(struct arrival *a, struct err *e)
{
    if (!a->staging)
        return 0;
    if (CU(e, cudaEventSynchronize(a->staging->copied)))
        return -1;
    memcpy(a->to, a->staging->host, a->bytes);
    return 0;
}

int cuda_download(struct device *dev, const struct tensor *src, void *dst, struct err *e)
{
    struct cuda *c = cuda_of(dev);
    struct pieces p = cut(src);
    struct arrival before = {0};
    if (src->layout == LAYOUT_PLAIN && src->dtype == DT_BF16)
        return err_set(e, EXIT_SOFTWARE, "%s: bf16 has four dimensions on a GPU", src->name);
    if (cuda_refuse_recording(c, "a download", e) || reserve(dev, &p, e))
        return -1;
    for (int64_t at = 0; at < p.n; at += p.per_piece) {
        int64_t n = p.n - at < p.per_piece ? p.n - at : p.per_piece;
        struct arrival now = {next(c), (char *)dst + (size_t)at * p.unit, (size_t)n * p.unit};
        if (CU(e, cudaEventSynchronize(now.staging->copied)) ||
            pack(c, src, &p, at, n, now.staging->device, e) ||
            fetch(c, now.staging, now.bytes, e) || receive(&before, e))
            return -1;
        before = now;
    }
    return receive(&before, e);
}
