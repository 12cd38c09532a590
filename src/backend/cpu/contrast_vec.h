/*
 * Vectors of WIDTH floats without intrinsics, for contrast_body.h: loads need no alignment.
 */
#include <stdint.h>

typedef float vec __attribute__((vector_size(WIDTH * 4), aligned(4), may_alias));
typedef int32_t ivec __attribute__((vector_size(WIDTH * 4), aligned(4), may_alias));

static inline __attribute__((always_inline)) vec splat(float x)
{
    return x - (vec){0};
}
