/*
 * The device functions of CUDA C that need no other thread: numbers' bits, fast mathematics (here
 * exact to the rounding of libm, so tolerances must allow for the device's own error), integer
 * atomics (threads take turns, so plain operations are atomic), loads with cache hints.
 */
#ifndef SUPCON_TESTS_CUDA_INTRINSICS_H
#define SUPCON_TESTS_CUDA_INTRINSICS_H

/* clang-format off */
template <class To, class From> inline To emu_bits(From x)
{
    static_assert(sizeof(To) == sizeof(From), "same size");
    To y;
    memcpy(&y, &x, sizeof y);
    return y;
}

inline int __float_as_int(float x) { return emu_bits<int>(x); }
inline unsigned __float_as_uint(float x) { return emu_bits<unsigned>(x); }
inline float __int_as_float(int x) { return emu_bits<float>(x); }
inline float __uint_as_float(unsigned x) { return emu_bits<float>(x); }
inline long long __double_as_longlong(double x) { return emu_bits<long long>(x); }
inline double __longlong_as_double(long long x) { return emu_bits<double>(x); }

using std::isfinite;
using std::isinf;
using std::isnan;

inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline int __clz(int x) { return x ? __builtin_clz((unsigned)x) : 32; }
inline int __clzll(long long x) { return x ? __builtin_clzll((unsigned long long)x) : 64; }
inline unsigned __umulhi(unsigned a, unsigned b) { return (unsigned)((uint64_t)a * b >> 32); }
inline unsigned __brev(unsigned x)
{
    unsigned y = 0;
    for (int i = 0; i < 32; i++)
        y |= (x >> i & 1) << (31 - i);
    return y;
}

inline float __expf(float x) { return expf(x); }
inline float __exp2f(float x) { return exp2f(x); }
inline float __logf(float x) { return logf(x); }
inline float __log2f(float x) { return log2f(x); }
inline float __powf(float x, float y) { return powf(x, y); }
inline float __sinf(float x) { return sinf(x); }
inline float __cosf(float x) { return cosf(x); }
inline float __fdividef(float x, float y) { return x / y; }
inline float __frcp_rn(float x) { return 1 / x; }
inline float __frsqrt_rn(float x) { return (float)(1 / std::sqrt((double)x)); }
inline float __fsqrt_rn(float x) { return sqrtf(x); }
inline float __fmaf_rn(float a, float b, float c) { return fmaf(a, b, c); }
inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fsub_rn(float a, float b) { return a - b; }
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fdiv_rn(float a, float b) { return a / b; }
inline float __saturatef(float x) { return x > 0 ? x < 1 ? x : 1 : 0; }
inline int __float2int_rn(float x) { return (int)nearbyintf(x); }
inline int __float2int_rd(float x) { return (int)floorf(x); }
inline int __float2int_rz(float x) { return (int)x; }
inline unsigned __float2uint_rn(float x) { return (unsigned)nearbyintf(x); }
inline float __int2float_rn(int x) { return (float)x; }
inline float __uint2float_rn(unsigned x) { return (float)x; }
#if !defined rsqrtf
inline float emu_rsqrtf(float x) { return (float)(1 / std::sqrt((double)x)); }
#define rsqrtf emu_rsqrtf
#endif

/* As CUDA's: for equal types; NaN loses in fminf and fmaxf. */
inline int min(int a, int b) { return a < b ? a : b; }
inline int max(int a, int b) { return a > b ? a : b; }
inline unsigned min(unsigned a, unsigned b) { return a < b ? a : b; }
inline unsigned max(unsigned a, unsigned b) { return a > b ? a : b; }
inline long min(long a, long b) { return a < b ? a : b; }
inline long max(long a, long b) { return a > b ? a : b; }
inline unsigned long min(unsigned long a, unsigned long b) { return a < b ? a : b; }
inline unsigned long max(unsigned long a, unsigned long b) { return a > b ? a : b; }
inline long long min(long long a, long long b) { return a < b ? a : b; }
inline long long max(long long a, long long b) { return a > b ? a : b; }
inline float min(float a, float b) { return fminf(a, b); }
inline float max(float a, float b) { return fmaxf(a, b); }
inline double min(double a, double b) { return fmin(a, b); }
inline double max(double a, double b) { return fmax(a, b); }

#undef __ldg
template <class T> inline T emu_load(const T *p)
{
    if ((uintptr_t)p % sizeof(T) != 0 && sizeof(T) <= 16)
        __builtin_trap(); /* a device faults on a misaligned address */
    return *p;
}
#define __ldg(p) emu_load(p)
#define __ldcs(p) emu_load(p)
#define __ldcg(p) emu_load(p)
template <class T> inline void __stcs(T *p, T x) { *p = x; }
template <class T> inline void __stcg(T *p, T x) { *p = x; }

/* Integers only: a sum of floats in the order threads happen to come is no result. */
template <class T, class F> inline T emu_atomic(T *p, F change)
{
    static_assert(std::is_integral<T>::value, "no float atomics: sums have a fixed order");
    T old = *p;
    *p = change(old);
    return old;
}
template <class T> inline T atomicAdd(T *p, std::common_type_t<T> x) { return emu_atomic(p, [x](T old) { return (T)(old + x); }); }
template <class T> inline T atomicSub(T *p, std::common_type_t<T> x) { return emu_atomic(p, [x](T old) { return (T)(old - x); }); }
template <class T> inline T atomicMin(T *p, std::common_type_t<T> x) { return emu_atomic(p, [x](T old) { return old < x ? old : x; }); }
template <class T> inline T atomicMax(T *p, std::common_type_t<T> x) { return emu_atomic(p, [x](T old) { return old > x ? old : x; }); }
template <class T> inline T atomicAnd(T *p, std::common_type_t<T> x) { return emu_atomic(p, [x](T old) { return (T)(old & x); }); }
template <class T> inline T atomicOr(T *p, std::common_type_t<T> x) { return emu_atomic(p, [x](T old) { return (T)(old | x); }); }
template <class T> inline T atomicExch(T *p, std::common_type_t<T> x) { return emu_atomic(p, [x](T) { return x; }); }
template <class T> inline T atomicCAS(T *p, std::common_type_t<T> compare, std::common_type_t<T> x)
{
    return emu_atomic(p, [=](T old) { return old == compare ? x : old; });
}
inline void __threadfence() {}
inline void __threadfence_block() {}
inline void __nanosleep(unsigned) {}
#define __trap() __builtin_trap()
/* clang-format on */

#endif
