/*
 * What the files of the CPU backend share: the device's private state, the kernels, instruction
 * sets, and parallel loops whose results do not depend on luck.
 *
 * Repeats are bit-identical: loops are cut into fixed chunks and partial results are added in index
 * order, never by an OpenMP reduction (whose order is open).
 */
#ifndef SUPCON_BACKEND_CPU_CPU_H
#define SUPCON_BACKEND_CPU_CPU_H

#include "backend/backend.h"
#include "backend/tuning.h"

#include <dnnl.h>

/* Instruction sets our own loops are compiled for; the one used is oneDNN's effective one, so that
 * ONEDNN_MAX_CPU_ISA limits both. */
enum isa { ISA_BASE, ISA_AVX2, ISA_AVX512, ISA_N };

/* Attributes for functions compiled for an instruction set other than the build's. Dispatch with
 * cpu_isa(): one always_inline body, one wrapper per set, a table [ISA_N]. */
#if defined __x86_64__
#define TARGET_AVX2 __attribute__((target("avx2,fma")))
#define TARGET_AVX512                                                                              \
    __attribute__((target("avx2,fma,avx512f,avx512bw,avx512vl,avx512dq,prefer-vector-width=512")))
#else
#define TARGET_AVX2
#define TARGET_AVX512
#endif

/* Physical layouts of 4-D activations: [N][C/8][H][W][8] and [N][C/16][H][W][16]; channels are
 * padded to whole blocks, and the padding is always zero. */
enum { LAYOUT_BLOCK8 = 1, LAYOUT_BLOCK16 = 2 };

struct simd;

enum { CPU_PARTIALS = 4096, CPU_POST = 4096 };

struct cpu { /* device->impl */
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    enum isa isa;
    bool bf16;               /* the processor multiplies bf16 */
    const struct simd *simd; /* our loops for this instruction set */
    int block;               /* channels in a block: 8 or 16 */
    struct tuning *own;      /* used when the caller gave no record */
    char tuning_prefix[160]; /* processor, instruction set, library, threads */
    char *scratch;           /* random numbers for timing, while plans are prepared */
    size_t scratch_bytes;
    enum dtype scratch_dtype;
    double partial[CPU_PARTIALS]; /* of cpu_chunk_sum */
    char posted[CPU_POST];        /* of cpu_post */
};

static inline struct cpu *cpu_of(const struct device *dev)
{
    return (struct cpu *)dev->impl;
}

static inline enum isa cpu_isa(const struct device *dev)
{
    return cpu_of(dev)->isa;
}

/* fn(ctx, begin, end) for the chunks [0, chunk), [chunk, 2 chunk), ... of 0 .. n-1, on
 * device->threads threads. The chunks do not depend on the number of threads. */
void cpu_chunks(const struct device *, int64_t n, int64_t chunk,
                void (*fn)(void *ctx, int64_t begin, int64_t end), void *ctx);
/* The sum of fn over such chunks, added in index order. Chunks are enlarged when there would be
 * more than CPU_PARTIALS. Not reentrant for one device. */
double cpu_chunk_sum(const struct device *, int64_t n, int64_t chunk,
                     double (*fn)(void *ctx, int64_t begin, int64_t end), void *ctx);

/* A buffer of at least `bytes` with random numbers of that type in [-1, 1), for timing candidates
 * in prepare(). Owned by the device; valid until the next call or cpu_scratch_drop(). */
int cpu_scratch(struct device *, size_t bytes, enum dtype, void **, struct err *);
void cpu_scratch_drop(struct device *);

/* Optimizer rule over flat memory, and the sum of squares (update.c). */
int cpu_update(struct device *, const struct update *, struct err *);
int cpu_sum_squares(struct device *, const float *x, int64_t n, double *out, struct err *);

/* Small traffic and the verdict on a step (traffic.c); see backend.h. */
int cpu_write(struct device *, void *dst, const void *src, size_t bytes, struct err *);
int cpu_post(struct device *, int slot, const void *src, size_t bytes, struct err *);
int cpu_fetch(struct device *, int slot, void *dst, size_t bytes, bool wait, struct err *);
int cpu_judge(struct device *, int n, const float *stats, int n_squares, const double *squares,
              uint32_t *held, struct err *);

/* The most arithmetic the processor does, measured (peak.c); see backend.h. */
int cpu_peak(struct device *, enum dtype, double *gflops, struct err *);

/* The kernels, one per file; listed in kernels.c. */
extern const struct kernel cpu_conv, cpu_batchnorm, cpu_relu, cpu_add, cpu_pool, cpu_globalpool,
    cpu_linear, cpu_l2norm, cpu_xent, cpu_contrastive;
extern const struct kernel *const cpu_kernels[OP_N];

#endif
