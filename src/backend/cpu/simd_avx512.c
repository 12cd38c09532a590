/* The loops of simd.h for processors with AVX-512 (core: F, BW, VL, DQ). */
#if defined __x86_64__
#pragma GCC target("avx2,fma,avx512f,avx512bw,avx512vl,avx512dq,prefer-vector-width=512")
#endif
#define SIMD_TABLE simd_avx512
#include "backend/cpu/simd_body.h"
