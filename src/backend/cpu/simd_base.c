/* The loops of simd.h for any processor. */
#define SIMD_TABLE simd_base
#include "backend/cpu/simd_body.h"
