/* The loops of simd.h for processors with AVX2 and FMA. */
#if defined __x86_64__
#pragma GCC target("avx2,fma")
#endif
#define SIMD_TABLE simd_avx2
#include "backend/cpu/simd_body.h"
