/* A device in host memory without kernels, for what only needs memory or a list of fusions. */
#ifndef SUPCON_TESTS_FAKE_DEVICE_H
#define SUPCON_TESTS_FAKE_DEVICE_H

#include "backend/backend.h"
#include <stdlib.h>
#include <string.h>

static inline int fake_alloc(struct device *dev, size_t bytes, void **out, struct err *e)
{
    (void)dev;
    *out = calloc(1, bytes);
    return *out ? 0 : err_set(e, EXIT_OS, "out of memory");
}

static inline void fake_free(struct device *dev, void *p, size_t bytes)
{
    (void)dev;
    (void)bytes;
    free(p);
}

static inline int fake_upload(struct device *dev, struct tensor *t, const void *src, struct err *e)
{
    (void)dev;
    (void)e;
    memcpy(t->data, src, t->bytes);
    return 0;
}

static inline int fake_download(struct device *dev, const struct tensor *t, void *dst,
                                struct err *e)
{
    (void)dev;
    (void)e;
    memcpy(dst, t->data, t->bytes);
    return 0;
}

/* Fusions as a bit mask in dev->impl. */
static inline bool fake_can_fuse(const struct device *dev, enum fusion fusion,
                                 const struct tensor *y)
{
    (void)y;
    return *(const unsigned *)dev->impl >> fusion & 1u;
}

static const struct backend_class fake_backend = {.name = "fake",
                                                  .alloc = fake_alloc,
                                                  .free = fake_free,
                                                  .upload = fake_upload,
                                                  .download = fake_download,
                                                  .can_fuse = fake_can_fuse};

#endif
