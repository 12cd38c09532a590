/*
 * What the processor's arithmetic can do at most: a loop of independent multiply-adds that stays in
 * registers, run on all threads at once. A convolution cannot be faster unless its algorithm
 * multiplies less, as Winograd's does.
 *
 * Left out: matrix tiles (AMX), whose peak is not that of a dot product; for those nothing is said.
 */
#include "backend/cpu/cpu.h"

#include "base/file.h"

#include <omp.h>

#if defined __x86_64__
#include <immintrin.h>
#endif

/* Chains of dependent operations: more than latency times units of any processor so far. */
enum { CHAINS = 12, REPEATS = 5 };
static const int64_t LEAST_USEC = 20000;

/* n rounds of CHAINS multiply-adds of so many lanes; the value keeps them from being left out. */
#define MULTIPLY_ADD(name, target, lanes)                                                          \
    target static float name(int64_t n)                                                            \
    {                                                                                              \
        typedef float vec __attribute__((vector_size((lanes)*4)));                                 \
        vec a[CHAINS], x = 0.5f - (vec){0}, y = 1.0f - (vec){0};                                   \
        float sum = 0;                                                                             \
        for (int i = 0; i < CHAINS; i++)                                                           \
            a[i] = (float)i - (vec){0};                                                            \
        for (int64_t r = 0; r < n; r++)                                                            \
            _Pragma("GCC unroll 12") for (int i = 0; i < CHAINS; i++) a[i] = a[i] * x + y;         \
        for (int i = 0; i < CHAINS; i++)                                                           \
            sum += a[i][0];                                                                        \
        return sum;                                                                                \
    }

MULTIPLY_ADD(f32_base, , 4)
#if defined __x86_64__
MULTIPLY_ADD(f32_avx2, TARGET_AVX2, 8)
MULTIPLY_ADD(f32_avx512, TARGET_AVX512, 16)

/* Dot products of pairs: two multiply-adds in each of 16 lanes. */
__attribute__((target("avx512f,avx512bw,avx512vl,avx512bf16"))) static float bf16_avx512(int64_t n)
{
    __m512 a[CHAINS];
    __m512bh x = _mm512_cvtne2ps_pbh(_mm512_set1_ps(0.25f), _mm512_set1_ps(0.25f));
    float sum = 0;
    for (int i = 0; i < CHAINS; i++)
        a[i] = _mm512_set1_ps((float)i);
    for (int64_t r = 0; r < n; r++)
#pragma GCC unroll 12
        for (int i = 0; i < CHAINS; i++)
            a[i] = _mm512_dpbf16_ps(a[i], x, x);
    for (int i = 0; i < CHAINS; i++)
        sum += _mm512_cvtss_f32(a[i]);
    return sum;
}
#else
#define f32_avx2 f32_base
#define f32_avx512 f32_base
#endif

struct loop {
    float (*run)(int64_t n);
    int flops; /* of one chain's step */
};

static const struct loop f32_loops[ISA_N] = {
    [ISA_BASE] = {f32_base, 8}, [ISA_AVX2] = {f32_avx2, 16}, [ISA_AVX512] = {f32_avx512, 32}};

static struct loop find(const struct cpu *cpu, enum dtype dtype)
{
#if defined __x86_64__
    unsigned isa = (unsigned)dnnl_get_effective_cpu_isa(), amx = dnnl_cpu_isa_avx512_core_amx;
    if (dtype == DT_BF16 && cpu->bf16 && (isa & amx) != amx)
        return (struct loop){bf16_avx512, 64};
#endif
    return dtype == DT_F32 ? f32_loops[cpu->isa] : (struct loop){0};
}

/* Microseconds that n rounds take on every thread. */
static int64_t time_loop(const struct loop *l, int64_t n, int threads)
{
    volatile float sink = 0;
    int64_t start = clock_usec();
#pragma omp parallel num_threads(threads)
    {
        float value = l->run(n);
        if (value < 0) /* never: all terms are positive */
            sink = value;
    }
    (void)sink;
    return clock_usec() - start;
}

int cpu_peak(struct device *dev, enum dtype dtype, double *gflops, struct err *e)
{
    struct loop l = find(cpu_of(dev), dtype);
    int64_t n = 1 << 16;
    (void)e;
    *gflops = 0;
    if (!l.run)
        return 0;
    while (time_loop(&l, n, dev->threads) < LEAST_USEC)
        n *= 2;
    for (int i = 0; i < REPEATS; i++) {
        double usec = (double)time_loop(&l, n, dev->threads);
        double rate = (double)n * CHAINS * l.flops * dev->threads / usec * 1e-3;
        *gflops = rate > *gflops ? rate : *gflops;
    }
    return 0;
}
