/*
 * Colours of one image. Each operation is one pass without branches, so that it vectorises. The hue
 * shift goes over hexcone coordinates: with value v, chroma c and hue h in sixths of a turn,
 * channel n in {5, 3, 1} is v - c * clamp(min(k, 4 - k), 0, 1), k = (n + h) mod 6.
 */
#include "data/image.h"

static inline float clip(float x)
{
    x = x < 0 ? 0 : x;
    return x > 1 ? 1 : x;
}

static inline float grey(float r, float g, float b)
{
    return .299f * r + .587f * g + .114f * b;
}

void image_brightness(float *rgb, int n, float factor)
{
#pragma omp simd
    for (int i = 0; i < 3 * n; i++)
        rgb[i] = clip(factor * rgb[i]);
}

void image_contrast(float *rgb, int n, float factor)
{
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int i = 0; i < n; i++)
        sum += grey(rgb[i], rgb[n + i], rgb[2 * n + i]);
    float rest = (1 - factor) * (sum / (float)n);
#pragma omp simd
    for (int i = 0; i < 3 * n; i++)
        rgb[i] = clip(factor * rgb[i] + rest);
}

void image_saturation(float *rgb, int n, float factor)
{
    float *r = rgb, *g = rgb + n, *b = rgb + 2 * n;
#pragma omp simd
    for (int i = 0; i < n; i++) {
        float rest = (1 - factor) * grey(r[i], g[i], b[i]);
        r[i] = clip(factor * r[i] + rest);
        g[i] = clip(factor * g[i] + rest);
        b[i] = clip(factor * b[i] + rest);
    }
}

/* Amount of chroma to take from the value, for k = n + h not yet reduced: -4 < k < 14. */
static inline float take(float k)
{
    k = k < 0 ? k + 6 : k;
    k = k >= 6 ? k - 6 : k;
    k = k >= 6 ? k - 6 : k;
    return clip(k < 4 - k ? k : 4 - k);
}

void image_hue(float *rgb, int n, float turns)
{
    float *r = rgb, *g = rgb + n, *b = rgb + 2 * n;
    float shift = 6 * turns;
#pragma omp simd
    for (int i = 0; i < n; i++) {
        float max = r[i] > g[i] ? r[i] : g[i], min = r[i] < g[i] ? r[i] : g[i];
        max = max > b[i] ? max : b[i];
        min = min < b[i] ? min : b[i];
        float chroma = max - min, inverse = 1 / (chroma > 0 ? chroma : 1);
        float on_b = 4 + (r[i] - g[i]) * inverse, on_g = 2 + (b[i] - r[i]) * inverse;
        float on_r = (g[i] - b[i]) * inverse;
        float h = max == r[i] ? on_r : max == g[i] ? on_g : on_b;
        h += shift;
        r[i] = clip(max - chroma * take(5 + h));
        g[i] = clip(max - chroma * take(3 + h));
        b[i] = clip(max - chroma * take(1 + h));
    }
}

void image_grayscale(float *rgb, int n)
{
    float *r = rgb, *g = rgb + n, *b = rgb + 2 * n;
#pragma omp simd
    for (int i = 0; i < n; i++)
        r[i] = g[i] = b[i] = grey(r[i], g[i], b[i]);
}
