/*
 * Memory of the CPU device. Big blocks start on a 2 MiB boundary and ask for huge pages: a training
 * step walks through hundreds of megabytes, and page faults and TLB misses are a measurable part of
 * it. They come zeroed from the kernel and are not touched here.
 */
#include "backend/cpu/memory.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "backend/cpu/simd.h"

enum { HUGE_PAGE = 2 << 20 };

static size_t round_up(size_t bytes, size_t unit)
{
    return (bytes + unit - 1) / unit * unit;
}

/* The number behind `key` in a file of lines "KEY: NUMBER ..."; key "": the first number of all.
 * `otherwise` where there is none. */
static double number_in(const char *path, const char *key, double otherwise)
{
    char line[256];
    double found = otherwise;
    FILE *f = fopen(path, "r");
    while (f && fgets(line, sizeof line, f)) {
        size_t n = strlen(key);
        if (strncmp(line, key, n) == 0 && sscanf(line + n, "%lf", &found) == 1)
            break;
    }
    if (f)
        fclose(f);
    return found;
}

/* What the kernel could give without killing anybody, and what the control group still allows. */
size_t cpu_memory_free(struct device *dev)
{
    (void)dev;
    double kib =
        number_in("/proc/meminfo", "MemAvailable:", 0) + number_in("/proc/meminfo", "SwapFree:", 0);
    double limit = number_in("/sys/fs/cgroup/memory.max", "", INFINITY);
    double left = limit - number_in("/sys/fs/cgroup/memory.current", "", 0);
    double room = fmin(kib * 1024, fmax(left, 1));
    return (size_t)room;
}

static void *map_aligned(size_t bytes)
{
    char *raw =
        mmap(NULL, bytes + HUGE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (raw == MAP_FAILED)
        return NULL;
    char *start = (char *)round_up((size_t)raw, HUGE_PAGE);
    if (start > raw)
        munmap(raw, (size_t)(start - raw));
    munmap(start + bytes, (size_t)(raw + HUGE_PAGE - start));
    madvise(start, bytes, MADV_HUGEPAGE); /* a wish; without it things are merely slower */
    return start;
}

static void *heap_zeroed(size_t bytes)
{
    void *p = aligned_alloc(64, round_up(bytes ? bytes : 1, 64));
    if (p)
        memset(p, 0, round_up(bytes ? bytes : 1, 64));
    return p;
}

int cpu_alloc(struct device *dev, size_t bytes, void **out, struct err *e)
{
    (void)dev;
    bool big = bytes >= HUGE_PAGE;
    *out = bytes > SIZE_MAX / 2 ? NULL
           : big                ? map_aligned(round_up(bytes, HUGE_PAGE))
                                : heap_zeroed(bytes);
    if (!*out)
        return err_set(e, EXIT_OS,
                       "out of memory: %.1f MiB more were asked for; use a smaller "
                       "batch or model",
                       (double)bytes / (1 << 20));
    return 0;
}

void cpu_free(struct device *dev, void *p, size_t bytes)
{
    (void)dev;
    if (p && bytes >= HUGE_PAGE)
        munmap(p, round_up(bytes, HUGE_PAGE));
    else
        free(p);
}

/* --- random numbers to time candidates with --------------------------------------------------- */

struct fill {
    const struct simd *simd;
    char *data;
    enum dtype dtype;
};

static void fill_chunk(void *ctx, int64_t begin, int64_t end)
{
    const struct fill *f = ctx;
    float v[LANES];
    uint32_t x = 0x9E3779B9u ^ (uint32_t)begin;
    for (int64_t i = begin; i < end; i += LANES) {
        int n = (int)(end - i < LANES ? end - i : LANES);
        for (int l = 0; l < n; l++) {
            x = x * 1664525u + 1013904223u;
            v[l] = (float)(int32_t)x * 0x1p-31f;
        }
        if (f->dtype == DT_BF16)
            f->simd->narrow(v, (uint16_t *)f->data + i, n);
        else
            memcpy((float *)f->data + i, v, sizeof *v * (size_t)n);
    }
}

int cpu_scratch(struct device *dev, size_t bytes, enum dtype dtype, void **out, struct err *e)
{
    struct cpu *cpu = cpu_of(dev);
    if (cpu->scratch_bytes < bytes || cpu->scratch_dtype != dtype) {
        size_t want = bytes > cpu->scratch_bytes ? bytes : cpu->scratch_bytes;
        void *p;
        cpu_scratch_drop(dev);
        if (cpu_alloc(dev, want, &p, e))
            return -1;
        cpu->scratch = p;
        cpu->scratch_bytes = want;
        cpu->scratch_dtype = dtype;
        struct fill f = {cpu->simd, p, dtype};
        cpu_chunks(dev, (int64_t)(want / dtype_size(dtype)), 1 << 16, fill_chunk, &f);
    }
    *out = cpu->scratch;
    return 0;
}

void cpu_scratch_drop(struct device *dev)
{
    struct cpu *cpu = cpu_of(dev);
    cpu_free(dev, cpu->scratch, cpu->scratch_bytes);
    cpu->scratch = NULL;
    cpu->scratch_bytes = 0;
}
