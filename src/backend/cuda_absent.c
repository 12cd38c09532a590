/*
 * What stands in for the CUDA backend in a build without its module: it finds no usable device, and
 * says why.
 */
#include "base/file.h"
#include "backend/backend.h"

extern const struct backend_class cuda_backend;

static const char *reason(void)
{
    return path_exists("/proc/driver/nvidia/version")
               ? "this build has no CUDA backend; use the device cpu"
               : "this build has no CUDA backend, and no NVIDIA driver was found";
}

static int probe(struct device_info *out, int max)
{
    if (max < 1)
        return 0;
    *out = (struct device_info){.id = "cuda", .name = "CUDA", .usable = false};
    snprintf(out->detail, sizeof out->detail, "%s", reason());
    return 1;
}

static int open_device(struct device *dev, int index, const struct device_options *o, struct err *e)
{
    (void)dev;
    (void)index;
    (void)o;
    return err_set(e, EXIT_UNAVAILABLE, "no CUDA device: %s", reason());
}

static void close_device(struct device *dev)
{
    (void)dev;
}

const struct backend_class cuda_backend = {
    .name = "cuda",
    .help = "NVIDIA GPUs",
    .probe = probe,
    .open = open_device,
    .close = close_device,
};
