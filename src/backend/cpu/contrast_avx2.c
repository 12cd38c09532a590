/* The tiles of contrast.h for processors with AVX2 and FMA. */
#if defined __x86_64__
#pragma GCC target("avx2,fma")
#include <immintrin.h>

#define CONTRAST_TABLE contrast_avx2
#define WIDTH 8
#define VECS 2
#include "backend/cpu/contrast_vec.h"

static inline double total(vec a)
{
    __m128 x = _mm_add_ps(_mm256_castps256_ps128((__m256)a), _mm256_extractf128_ps((__m256)a, 1));
    x = _mm_add_ps(x, _mm_movehl_ps(x, x));
    return (double)_mm_cvtss_f32(_mm_add_ss(x, _mm_movehdup_ps(x)));
}

#define vmax(a, b) ((vec)_mm256_max_ps((__m256)(a), (__m256)(b)))
#define any_reaches(a, b)                                                                          \
    (_mm256_movemask_ps(_mm256_cmp_ps((__m256)(a), (__m256)(b), _CMP_GE_OQ)) != 0)
#include "backend/cpu/contrast_body.h"
#endif
