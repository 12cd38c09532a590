/* The tiles of contrast.h for processors with AVX-512. */
#if defined __x86_64__
#pragma GCC target("avx2,fma,avx512f,avx512bw,avx512vl,avx512dq,prefer-vector-width=512")
#include <immintrin.h>

#define CONTRAST_TABLE contrast_avx512
#define WIDTH 16
#define VECS 4
#include "backend/cpu/contrast_vec.h"

#define vmax(a, b) ((vec)_mm512_max_ps((__m512)(a), (__m512)(b)))
#define any_reaches(a, b) (_mm512_cmp_ps_mask((__m512)(a), (__m512)(b), _CMP_GE_OQ) != 0)
#define total(a) ((double)_mm512_reduce_add_ps((__m512)(a)))
#include "backend/cpu/contrast_body.h"
#endif
