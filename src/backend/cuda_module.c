/*
 * The CUDA backend as the program knows it: a name whose devices come from the module
 * supcon-cuda.so. An open device belongs to the module's class; this one only asks for it, and says
 * why there is none.
 *
 * Without a driver the module is not loaded at all: its libraries are large, and there is nothing
 * they could do. A module named by SUPCON_BACKEND_PATH is always asked.
 */
#include "backend/module.h"

#include <dlfcn.h>
#include <stdlib.h>

extern const struct backend_class cuda_backend;

static bool has_driver(void)
{
    void *driver = dlopen("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL);
    if (driver)
        dlclose(driver);
    return driver != NULL;
}

static const struct backend_class *load(char *why, size_t size)
{
    const char *given = getenv("SUPCON_BACKEND_PATH");
    char path[1024];
    if (given && *given)
        return module_load("cuda", why, size);
    if (module_find(path, sizeof path, "cuda", why, size))
        return NULL;
    if (has_driver())
        return module_load("cuda", why, size);
    snprintf(why, size,
             "no NVIDIA driver was found (libcuda.so.1); install the GPU's driver, or "
             "use the device cpu");
    return NULL;
}

static int probe(struct device_info *out, int max)
{
    if (max < 1)
        return 0;
    *out = (struct device_info){.id = "cuda", .name = "CUDA", .usable = false};
    const struct backend_class *class = load(out->detail, sizeof out->detail);
    return class ? class->probe(out, max) : 1;
}

static int open_device(struct device *dev, int index, const struct device_options *o, struct err *e)
{
    char why[512];
    const struct backend_class *class = load(why, sizeof why);
    if (!class)
        return err_set(e, EXIT_UNAVAILABLE, "no CUDA device: %s", why);
    return class->open(dev, index, o, e);
}

/* An open device has the module's class. */
static void close_device(struct device *dev)
{
    if (dev->class && dev->class != &cuda_backend)
        dev->class->close(dev);
}

const struct backend_class cuda_backend = {
    .name = "cuda",
    .help = "NVIDIA GPUs",
    .probe = probe,
    .open = open_device,
    .close = close_device,
};
