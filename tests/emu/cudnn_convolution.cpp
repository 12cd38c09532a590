/*
 * The three passes of a convolution in f32. Operands are gathered into dense [N,H,W,C] and
 * [K,R,S,C] first, so that strides and types are read in one place; the inner loop is over
 * channels.
 */
#include "cudnn_emulation.h"

#include <cstring>

namespace
{
struct dense { /* [outer][height][width][channels] */
    int64_t n, h, w, c;
    std::vector<float> v;

    float *at(int64_t i, int64_t y, int64_t x)
    {
        return &v[(size_t)(((i * h + y) * w + x) * c)];
    }
};

float widen(uint16_t bits)
{
    uint32_t u = (uint32_t)bits << 16;
    float x;
    memcpy(&x, &u, sizeof x);
    return x;
}

uint16_t narrow(float x)
{
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    if (x != x)
        return (uint16_t)(u >> 16 | 0x40);
    return (uint16_t)((u + 0x7FFF + (u >> 16 & 1)) >> 16);
}

float tf32(float x)
{
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    u = (u + 0x1000) & 0xFFFFE000u;
    memcpy(&x, &u, sizeof x);
    return x;
}

float load(const dnn_tensor &t, int64_t i)
{
    if (t.type == CUDNN_DATA_FLOAT)
        return static_cast<const float *>(t.data)[i];
    return widen(static_cast<const uint16_t *>(t.data)[i]);
}

void store(const dnn_tensor &t, int64_t i, float x)
{
    if (t.type == CUDNN_DATA_FLOAT)
        static_cast<float *>(t.data)[i] = x;
    else
        static_cast<uint16_t *>(t.data)[i] = narrow(x);
}

dense shaped(const dnn_tensor &t)
{
    dense d = {t.dim[0], t.dim[2], t.dim[3], t.dim[1], {}};
    d.v.assign((size_t)(d.n * d.h * d.w * d.c), 0);
    return d;
}

int64_t place(const dnn_tensor &t, int64_t i, int64_t c, int64_t y, int64_t x)
{
    return i * t.stride[0] + c * t.stride[1] + y * t.stride[2] + x * t.stride[3];
}

dense gather(const dnn_tensor &t, bool rounds)
{
    dense d = shaped(t);
    float *to = d.v.data();
    for (int64_t i = 0; i < d.n; i++)
        for (int64_t y = 0; y < d.h; y++)
            for (int64_t x = 0; x < d.w; x++)
                for (int64_t c = 0; c < d.c; c++) {
                    float v = load(t, place(t, i, c, y, x));
                    *to++ = rounds ? tf32(v) : v;
                }
    return d;
}

void scatter(const dense &d, const dnn_tensor &t, float alpha, float beta)
{
    const float *from = d.v.data();
    for (int64_t i = 0; i < d.n; i++)
        for (int64_t y = 0; y < d.h; y++)
            for (int64_t x = 0; x < d.w; x++)
                for (int64_t c = 0; c < d.c; c++) {
                    int64_t at = place(t, i, c, y, x);
                    float old = beta < 0 || beta > 0 ? beta * load(t, at) : 0;
                    store(t, at, alpha * *from++ + old);
                }
}

/* Added to what is there, in f32, in one order or the other. */
void sum_channels(const dense &y, bool backward, float *sums, float *squares)
{
    for (size_t n = 0; n < y.v.size(); n++) {
        size_t i = backward ? y.v.size() - 1 - n : n, k = i % (size_t)y.c;
        sums[k] += y.v[i];
        squares[k] += y.v[i] * y.v[i];
    }
}

float dot(const float *a, const float *b, int64_t n)
{
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

void add_scaled(float *y, float a, const float *x, int64_t n)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++)
        y[i] += a * x[i];
}

/* All products of one pixel of y and one tap of the filter. */
void tap(dnn_pass pass, dense &x, dense &w, dense &y, const int64_t at[7])
{
    enum { N, P, Q, R, S, ROW, COLUMN };
    float *px = x.at(at[N], at[ROW], at[COLUMN]), *py = y.at(at[N], at[P], at[Q]);
    for (int64_t k = 0; k < y.c; k++) {
        float *pw = w.at(k, at[R], at[S]);
        if (pass == DNN_FORWARD)
            py[k] += dot(px, pw, x.c);
        else if (pass == DNN_BACKWARD_DATA)
            add_scaled(px, py[k], pw, x.c);
        else
            add_scaled(pw, py[k], px, x.c);
    }
}

void image(const dnn_convolution &c, dense &x, dense &w, dense &y, int64_t n)
{
    for (int64_t p = 0; p < y.h; p++)
        for (int64_t q = 0; q < y.w; q++)
            for (int64_t r = 0; r < w.h; r++)
                for (int64_t s = 0; s < w.w; s++) {
                    int64_t row = p * c.stride[0] - c.pad[0] + r * c.dilation[0];
                    int64_t column = q * c.stride[1] - c.pad[1] + s * c.dilation[1];
                    const int64_t at[] = {n, p, q, r, s, row, column};
                    if (row >= 0 && row < x.h && column >= 0 && column < x.w)
                        tap(c.pass, x, w, y, at);
                }
}
} // namespace

int64_t dnn_elements(const dnn_tensor &t)
{
    int64_t last = 0;
    for (int i = 0; i < 4; i++)
        last += (t.dim[i] - 1) * t.stride[i];
    return last + 1;
}

void dnn_convolve(const dnn_convolution &c)
{
    dense x = c.pass == DNN_BACKWARD_DATA ? shaped(c.x) : gather(c.x, c.tf32);
    dense w = c.pass == DNN_BACKWARD_FILTER ? shaped(c.w) : gather(c.w, c.tf32);
    dense y = c.pass == DNN_FORWARD ? shaped(c.y) : gather(c.y, c.tf32);
    for (int64_t i = 0; i < x.n; i++)
        image(c, x, w, y, c.backward ? x.n - 1 - i : i);
    const dense &out = c.pass == DNN_FORWARD ? y : c.pass == DNN_BACKWARD_DATA ? x : w;
    scatter(out,
            c.pass == DNN_FORWARD         ? c.y
            : c.pass == DNN_BACKWARD_DATA ? c.x
                                          : c.w,
            c.alpha, c.beta);
    if (c.sums)
        sum_channels(y, c.other_order, c.sums, c.squares);
}
