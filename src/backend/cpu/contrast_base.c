/* The tiles of contrast.h for any processor; the compiler's vectors of four floats. */
#define CONTRAST_TABLE contrast_base
#define WIDTH 4
#define VECS 2
#include "backend/cpu/contrast_vec.h"

#include <stdbool.h>

/* b where either is NaN. */
static inline vec vmax(vec a, vec b)
{
    ivec above = a > b;
    return (vec)(((ivec)a & above) | ((ivec)b & ~above));
}

static inline bool any_reaches(vec a, vec b)
{
    ivec reaches = a >= b;
    return (reaches[0] | reaches[1] | reaches[2] | reaches[3]) != 0;
}

static inline double total(vec a)
{
    return (double)((a[0] + a[2]) + (a[1] + a[3]));
}

#include "backend/cpu/contrast_body.h"
