/* Which windows of a pool cover which places, along one side. C and C++. */
#ifndef SUPCON_KERNELS_POOL_MATH_H
#define SUPCON_KERNELS_POOL_MATH_H

#include "base/hd.h"

/* Consecutive numbers begin .. end - 1. */
struct span {
    int begin, end;
};

/* Taps of the window at output o that fall into an input of n: in the window's own count. */
HD struct span pool_taps(int o, int n, int window, int stride, int pad)
{
    int first = o * stride - pad;
    struct span s = {first < 0 ? -first : 0, first + window > n ? n - first : window};
    return s;
}

/* Outputs whose windows cover input i, of n_out. */
HD struct span pool_covering(int i, int n_out, int window, int stride, int pad)
{
    int far = i + pad - window + 1; /* start of the first window that reaches i */
    struct span s = {far <= 0 ? 0 : (far + stride - 1) / stride, (i + pad) / stride + 1};
    s.end = s.end < n_out ? s.end : n_out;
    return s;
}

/* A maximum takes NaN, so that it is seen in the loss. */
HD int pool_is_larger(float v, float best)
{
    return v > best || v != v;
}

#endif
