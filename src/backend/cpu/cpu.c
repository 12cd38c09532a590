/*
 * The CPU as a device: opening it fixes the number of threads and the instruction set, which the
 * primitives made afterwards depend on.
 *
 * bf16 needs AVX-512; without the bf16 instructions oneDNN emulates it, which is slower than f32.
 */
#include "backend/cpu/cpu.h"
#include "backend/cpu/dnn.h"
#include "backend/cpu/memory.h"
#include "backend/cpu/processor.h"
#include "backend/cpu/simd.h"
#include "base/log.h"

#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What oneDNN's instruction sets mean to us, best first; a set contains the bits of the lesser. */
static const struct level {
    unsigned bits;
    const char *name, *words;
    enum isa isa;
    bool bf16;
} levels[] = {
    {dnnl_cpu_isa_avx512_core_amx, "avx512_core_amx", "AVX-512, AMX, bf16", ISA_AVX512, true},
    {dnnl_cpu_isa_avx512_core_bf16, "avx512_core_bf16", "AVX-512, bf16", ISA_AVX512, true},
    {dnnl_cpu_isa_avx512_core_vnni, "avx512_core_vnni", "AVX-512, bf16 emulated", ISA_AVX512,
     false},
    {dnnl_cpu_isa_avx512_core, "avx512_core", "AVX-512, bf16 emulated", ISA_AVX512, false},
    {dnnl_cpu_isa_avx2, "avx2", "AVX2; slower without AVX-512, no bf16", ISA_AVX2, false},
    {0, "sse41", "SSE4.1; much slower without AVX-512, no bf16", ISA_BASE, false},
};

static const struct level *effective_level(void)
{
    unsigned isa = (unsigned)dnnl_get_effective_cpu_isa();
    const struct level *l = levels;
    while ((isa & l->bits) != l->bits)
        l++;
    return l;
}

static void describe(struct device_info *info, int threads)
{
    const struct level *l = effective_level();
    const dnnl_version_t *v = dnnl_version();
    memset(info, 0, sizeof *info);
    snprintf(info->id, sizeof info->id, "cpu");
    processor_name(info->name, sizeof info->name);
    snprintf(info->detail, sizeof info->detail, "%d thread%s, %s", threads, threads == 1 ? "" : "s",
             l->words);
    snprintf(info->libraries, sizeof info->libraries, "oneDNN %d.%d.%d, %s", v->major, v->minor,
             v->patch, l->name);
    info->usable = true;
    info->memory_bytes = (size_t)sysconf(_SC_PHYS_PAGES) * (size_t)sysconf(_SC_PAGESIZE);
}

static int probe(struct device_info *out, int max)
{
    if (max > 0)
        describe(out, processor_threads(0));
    return max > 0;
}

static void close_device(struct device *dev)
{
    struct cpu *cpu = cpu_of(dev);
    if (!cpu)
        return;
    cpu_scratch_drop(dev);
    if (cpu->stream)
        dnnl_stream_destroy(cpu->stream);
    if (cpu->engine)
        dnnl_engine_destroy(cpu->engine);
    tuning_free(cpu->own);
    free(cpu);
    dev->impl = NULL;
}

static void choose_loops(struct cpu *cpu)
{
    static const struct simd *const loops[ISA_N] = {
        [ISA_BASE] = &simd_base, [ISA_AVX2] = &simd_avx2, [ISA_AVX512] = &simd_avx512};
    const struct level *l = effective_level();
    cpu->isa = l->isa;
    cpu->bf16 = l->bf16;
    cpu->simd = loops[l->isa];
    cpu->block = l->isa == ISA_AVX512 ? 16 : 8;
}

static int open_library(struct cpu *cpu, struct err *e)
{
    if (DNN(e, dnnl_engine_create(&cpu->engine, dnnl_cpu, 0)))
        return -1;
    return DNN(e, dnnl_stream_create(&cpu->stream, cpu->engine, dnnl_stream_default_flags));
}

static int open_device(struct device *dev, int index, const struct device_options *o, struct err *e)
{
    if (index != 0)
        return err_set(e, EXIT_UNAVAILABLE, "there is one CPU device; number %d was asked for",
                       index);
    struct cpu *cpu = calloc(1, sizeof *cpu);
    if (!cpu)
        return err_set(e, EXIT_OS, "out of memory while opening the CPU");
    char id[128];
    *dev = (struct device){.class = &cpu_backend, .impl = cpu};
    dev->threads = processor_threads(o->threads);
    dev->deterministic = o->deterministic;
    describe(&dev->info, dev->threads);
    omp_set_dynamic(0);
    omp_set_num_threads(dev->threads);
    choose_loops(cpu);
    processor_id(id, sizeof id);
    snprintf(cpu->tuning_prefix, sizeof cpu->tuning_prefix, "%.80s|%.50s|%d threads", id,
             dev->info.libraries, dev->threads);
    dev->tuning = o->tuning ? o->tuning : (cpu->own = tuning_new());
    if (!dev->tuning || open_library(cpu, e)) {
        close_device(dev);
        return dev->tuning ? -1 : err_set(e, EXIT_OS, "out of memory while opening the CPU");
    }
    if (cpu->isa != ISA_AVX512)
        log_info("this processor has no AVX-512: training works, but slower, and in f32 only");
    return 0;
}

static int sync_device(struct device *dev, struct err *e)
{
    (void)dev;
    (void)e;
    return 0; /* everything has been computed when a call returns */
}

static bool can_fuse(const struct device *dev, enum fusion f, const struct tensor *y)
{
    (void)dev;
    (void)y;
    return f != FUSE_CONV_SUMS;
}

static bool has_dtype(const struct device *dev, enum dtype dtype, char *why, size_t why_bytes)
{
    const struct cpu *cpu = cpu_of(dev);
    const char *reason = "";
    bool has = dtype == DT_F32 || (dtype == DT_BF16 && cpu->isa == ISA_AVX512);
    if (!has)
        reason = dtype == DT_BF16 ? "bf16 on the CPU needs AVX-512, which this processor lacks"
                                  : "the CPU computes in f32 or bf16";
    else if (dtype == DT_BF16 && !cpu->bf16)
        reason = "this processor has no bf16 instructions: bf16 is emulated and slower than f32";
    if (why && why_bytes)
        snprintf(why, why_bytes, "%s", reason);
    return has;
}

const struct backend_class cpu_backend = {
    .name = "cpu",
    .help = "processor cores, with oneDNN",
    .probe = probe,
    .open = open_device,
    .close = close_device,
    .alloc = cpu_alloc,
    .free = cpu_free,
    .layout = cpu_layout,
    .upload = cpu_upload,
    .download = cpu_download,
    .accumulate = cpu_accumulate,
    .update = cpu_update,
    .sum_squares = cpu_sum_squares,
    .judge = cpu_judge,
    .sync = sync_device,
    .write = cpu_write,
    .copy = cpu_write,
    .post = cpu_post,
    .fetch = cpu_fetch,
    .depth = 1,
    .spares_memory = true,
    .memory_free = cpu_memory_free,
    .can_fuse = can_fuse,
    .has_dtype = has_dtype,
    .preferred = DT_F32,
    .kernels = cpu_kernels,
    .peak = cpu_peak,
};
