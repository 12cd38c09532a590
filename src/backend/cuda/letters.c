/*
 * Few bytes between host and device without waiting. Letters to the device take the next of a ring
 * of pinned buffers; only when the ring has gone round is the oldest waited for, which left the
 * host many steps ago. Letters from the device have a slot each, which the caller counts.
 */
#include "backend/cuda/cuda.h"

#include <string.h>

static int letter_init(struct letter *l, struct err *e)
{
    void *host = NULL;
    if (CU(e, cudaHostAlloc(&host, DEVICE_FEW, cudaHostAllocDefault)))
        return -1;
    l->host = host;
    return CU(e,
              cudaEventCreateWithFlags(&l->done, cudaEventDisableTiming | cudaEventBlockingSync));
}

static void letter_done(struct letter *l)
{
    if (l->done)
        (void)cudaEventDestroy(l->done);
    if (l->host)
        (void)cudaFreeHost(l->host);
}

int cuda_letters_init(struct cuda *c, struct err *e)
{
    for (int i = 0; i < N_LETTERS; i++)
        if (letter_init(&c->out[i], e))
            return -1;
    for (int i = 0; i < DEVICE_DEPTH_MAX; i++)
        if (letter_init(&c->in[i], e))
            return -1;
    return 0;
}

void cuda_letters_done(struct cuda *c)
{
    for (int i = 0; i < N_LETTERS; i++)
        letter_done(&c->out[i]);
    for (int i = 0; i < DEVICE_DEPTH_MAX; i++)
        letter_done(&c->in[i]);
}

static int check_size(size_t bytes, struct err *e)
{
    if (bytes <= DEVICE_FEW)
        return 0;
    return err_set(e, EXIT_SOFTWARE, "%zu bytes are too many for a letter of %d", bytes,
                   DEVICE_FEW);
}

int cuda_write(struct device *dev, void *dst, const void *src, size_t bytes, struct err *e)
{
    struct cuda *c = cuda_of(dev);
    struct letter *l = &c->out[c->next_letter];
    if (check_size(bytes, e) || cuda_refuse_recording(c, "a write", e) ||
        CU(e, cudaEventSynchronize(l->done)))
        return -1;
    memcpy(l->host, src, bytes);
    if (CU(e, cudaMemcpyAsync(dst, l->host, bytes, cudaMemcpyHostToDevice, c->compute)) ||
        CU(e, cudaEventRecord(l->done, c->compute)))
        return -1;
    c->next_letter = (c->next_letter + 1) % N_LETTERS;
    return 0;
}

int cuda_post(struct device *dev, int slot, const void *src, size_t bytes, struct err *e)
{
    struct cuda *c = cuda_of(dev);
    struct letter *l = &c->in[slot];
    if (check_size(bytes, e) || cuda_refuse_recording(c, "a post", e) ||
        CU(e, cudaMemcpyAsync(l->host, src, bytes, cudaMemcpyDeviceToHost, c->compute)))
        return -1;
    return CU(e, cudaEventRecord(l->done, c->compute));
}

int cuda_fetch(struct device *dev, int slot, void *dst, size_t bytes, bool wait, struct err *e)
{
    struct letter *l = &cuda_of(dev)->in[slot];
    if (check_size(bytes, e))
        return -1;
    cudaError_t status = wait ? cudaEventSynchronize(l->done) : cudaEventQuery(l->done);
    if (status == cudaErrorNotReady) {
        (void)cudaGetLastError(); /* else the next launch would be told of it */
        return 0;
    }
    if (cuda_check(e, (int)status, "cudaEventQuery"))
        return -1;
    memcpy(dst, l->host, bytes);
    return 1;
}
