/*
 * The mathematics of batch-norm (Ioffe and Szegedy 2015), per channel and per element. C and C++.
 *
 * Moments of a chunk of rows are taken about a pivot, its first row: a mean far from zero cancels
 * nothing. Chunks are joined (Chan, Golub and LeVeque 1979) in double, about the mean of the first.
 */
#ifndef SUPCON_KERNELS_NORM_MATH_H
#define SUPCON_KERNELS_NORM_MATH_H

#include "base/hd.h"
#include <math.h>
#include <stdint.h>

struct moments {
    float mean, m2; /* m2: sum of squared deviations from the mean */
};

/* sum, squares: of x - pivot, and of its square, over `count` rows. */
HD struct moments moments_of(float pivot, float sum, float squares, float count)
{
    struct moments m;
    float shift = sum / count, m2 = squares - sum * shift;
    m.mean = pivot + shift;
    m.m2 = m2 < 0 ? 0 : m2; /* NaN stays */
    return m;
}

/* What has been joined so far: counts times distances of means from the origin, and the sum of
 * squared deviations from it. */
struct joined {
    double first, second;
};

HD void moments_join(struct joined *j, struct moments m, double count, double origin)
{
    double off = (double)m.mean - origin;
    j->first += count * off;
    j->second += (double)m.m2 + count * off * off;
}

HD void joined_statistics(struct joined j, double count, double origin, float eps, float *mean,
                          float *rstd)
{
    double off = j.first / count, variance = (j.second - j.first * off) / count;
    variance = variance < 0 ? 0 : variance;
    *mean = (float)(origin + off);
    *rstd = (float)(1 / sqrt(variance + (double)eps));
}

/* Mean and inverse deviation from the sums of `count` values and of their squares. The squares of a
 * mean far from zero cancel: for values that are themselves coarser than what is lost. */
HD void sums_statistics(float sum, float squares, double count, float eps, float *mean, float *rstd)
{
    double m = (double)sum / count, variance = (double)squares / count - m * m;
    variance = variance < 0 ? 0 : variance; /* NaN stays */
    *mean = (float)m;
    *rstd = (float)(1 / sqrt(variance + (double)eps));
}

/* y before skip and ReLU is slope * x + shift, one multiplication and addition per element. */
struct norm_scale {
    float slope, shift;
};

HD struct norm_scale norm_scale_of(float mean, float rstd, float gamma, float beta)
{
    struct norm_scale s;
    s.slope = gamma * rstd;
    s.shift = beta - mean * s.slope; /* of the rounded slope: x = mean gives beta */
    return s;
}

HD float norm_value(struct norm_scale s, float x)
{
    return s.slope * x + s.shift;
}

/* dx = slope * g - fall * x + shift, with g the gradient behind the ReLU. */
struct norm_gradient {
    float slope, fall, shift;
};

HD float norm_dx(struct norm_gradient d, float g, float x)
{
    return d.slope * g - (d.fall * x - d.shift);
}

/* sum = sum g, product = sum g (x - mean), over `count` rows. */
HD struct norm_gradient norm_gradient_of(float gamma, float mean, float rstd, double sum,
                                         double product, double count)
{
    struct norm_gradient d;
    double slope = (double)gamma * rstd;
    double fall = slope * rstd * rstd * product / count;
    double level = slope * sum / count;
    d.slope = (float)slope;
    d.fall = (float)fall;
    d.shift = (float)(fall * mean - level);
    return d;
}

/* The batch's unbiased variance, from what the forward pass kept. */
HD double norm_unbiased(float rstd, float eps, double count)
{
    double variance = 1 / ((double)rstd * (double)rstd) - (double)eps;
    return (variance < 0 ? 0 : variance) * count / (count - 1);
}

HD int norm_is_finite(float x)
{
    return x - x == 0;
}

HD float norm_blend(float running, double batch, float momentum)
{
    return (float)((1 - (double)momentum) * (double)running + (double)momentum * batch);
}

#endif
