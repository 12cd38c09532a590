/*
 * See nvml.h. The functions are looked up by name, with the signatures NVIDIA documents; the
 * versions asked for exist since 2016. Each that is missing or fails leaves its bit unset.
 */
#include "backend/nvml.h"

#include <dlfcn.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct memory {
    unsigned long long total, available, used;
};
struct load {
    unsigned gpu, memory;
};
enum { SENSOR_GPU = 0, OK = 0 };

struct nvml {
    void *library, *gpu;
    int (*shutdown)(void);
    int (*memory)(void *gpu, struct memory *);
    int (*load)(void *gpu, struct load *);
    int (*power)(void *gpu, unsigned *milliwatts);
    int (*limit)(void *gpu, unsigned *milliwatts);
    int (*heat)(void *gpu, int sensor, unsigned *celsius);
};

static const struct {
    const char *name;
    size_t offset;
} functions[] = {
    {"nvmlShutdown", offsetof(struct nvml, shutdown)},
    {"nvmlDeviceGetMemoryInfo", offsetof(struct nvml, memory)},
    {"nvmlDeviceGetUtilizationRates", offsetof(struct nvml, load)},
    {"nvmlDeviceGetPowerUsage", offsetof(struct nvml, power)},
    {"nvmlDeviceGetEnforcedPowerLimit", offsetof(struct nvml, limit)},
    {"nvmlDeviceGetTemperature", offsetof(struct nvml, heat)},
};

static void find_functions(struct nvml *n)
{
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        void *address = dlsym(n->library, functions[i].name);
        memcpy((char *)n + functions[i].offset, &address, sizeof address);
    }
}

static bool start(struct nvml *n, const char *bus)
{
    int (*init)(void);
    int (*find)(const char *, void **);
    n->library = dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL);
    if (!n->library)
        return false;
    find_functions(n);
    *(void **)&init = dlsym(n->library, "nvmlInit_v2");
    *(void **)&find = dlsym(n->library, "nvmlDeviceGetHandleByPciBusId_v2");
    if (!init || !find || init() != OK)
        return false;
    if (find(bus, &n->gpu) == OK)
        return true;
    if (n->shutdown)
        n->shutdown();
    return false;
}

struct nvml *nvml_open(const char *bus)
{
    struct nvml *n = *bus ? calloc(1, sizeof *n) : NULL;
    if (!n || start(n, bus))
        return n;
    if (n->library)
        dlclose(n->library);
    free(n);
    return NULL;
}

void nvml_close(struct nvml *n)
{
    if (!n)
        return;
    if (n->shutdown)
        n->shutdown();
    dlclose(n->library);
    free(n);
}

void nvml_read(struct nvml *n, struct nvml_sample *s)
{
    struct memory memory;
    struct load load;
    unsigned number;
    *s = (struct nvml_sample){0};
    if (n->memory && n->memory(n->gpu, &memory) == OK) {
        s->valid |= NVML_MEMORY;
        s->memory_total = memory.total;
        s->memory_used = memory.used;
    }
    if (n->load && n->load(n->gpu, &load) == OK) {
        s->valid |= NVML_LOAD;
        s->load = load.gpu;
    }
    if (n->power && n->power(n->gpu, &number) == OK) {
        s->valid |= NVML_POWER;
        s->power = number * 1e-3;
    }
    if (n->limit && n->limit(n->gpu, &number) == OK) {
        s->valid |= NVML_LIMIT;
        s->power_limit = number * 1e-3;
    }
    if (n->heat && n->heat(n->gpu, SENSOR_GPU, &number) == OK) {
        s->valid |= NVML_HEAT;
        s->celsius = number;
    }
}

/* "A" then "A, B". */
static void append(char out[NVML_TEXT], const char *part)
{
    size_t at = strlen(out);
    snprintf(out + at, NVML_TEXT - at, "%s%s", at ? ", " : "", part);
}

const char *nvml_text(char out[NVML_TEXT], const struct nvml_sample *s)
{
    char part[64];
    out[0] = '\0';
    if (s->valid & NVML_MEMORY) {
        snprintf(part, sizeof part, "%.1f of %.1f GiB used", (double)s->memory_used / (1 << 30),
                 (double)s->memory_total / (1 << 30));
        append(out, part);
    }
    if (s->valid & NVML_LOAD) {
        snprintf(part, sizeof part, "%u %% busy", s->load);
        append(out, part);
    }
    if (s->valid & NVML_POWER) {
        char limit[32] = "";
        if (s->valid & NVML_LIMIT)
            snprintf(limit, sizeof limit, " of %.0f", s->power_limit);
        snprintf(part, sizeof part, "%.0f%s W", s->power, limit);
        append(out, part);
    }
    if (s->valid & NVML_HEAT) {
        snprintf(part, sizeof part, "%u C", s->celsius);
        append(out, part);
    }
    return out;
}
