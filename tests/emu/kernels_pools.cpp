/* Maximum, average and global pooling. */
#include "kernels_test.h"

struct pool_case {
    const char *what;
    int n, c, h, w, window, stride, pad, bf16;
};

static const pool_case cases[] = {
    {"3, stride 2, padding", 2, 20, 12, 12, 3, 2, 1, 0},
    {"2, odd map", 1, 3, 9, 7, 2, 2, 0, 0},
    {"3, no padding", 2, 5, 8, 8, 3, 2, 0, 1},
    {"3, stride 1", 1, 16, 6, 5, 3, 1, 1, 1},
    {"1x1 map", 3, 8, 1, 1, 3, 2, 1, 0},
    {"3, stride 3", 2, 16, 6, 6, 3, 3, 0, 0},
};

struct pool_data {
    k_pool k;
    elements x, y, dy, dx;
    uint8_t *index;
};

static int side(int n, const pool_case &t)
{
    return (n + 2 * t.pad - t.window) / t.stride + 1;
}

static pool_data build(const pool_case &t)
{
    pool_data d = {};
    d.k = {map_of(t.n, t.h, t.w, t.c, t.bf16), map_of(t.n, side(t.h, t), side(t.w, t), t.c, t.bf16),
           t.window, t.stride, t.pad};
    d.x = map_new(d.k.in);
    d.y = map_new(d.k.out);
    d.dy = map_new(d.k.out);
    d.dx = map_new(d.k.in);
    d.index = fresh<uint8_t>(map_count(d.k.out));
    fill_map(d.x, d.k.in, 1, -3); /* below zero: padding must not win */
    fill_map(d.dy, d.k.out, 2, 0);
    put(d.x, 0, get(d.x, d.k.in.cs % d.x.n)); /* equal values: the first wins */
    return d;
}

/* Where tap t of output element o lies in the input; -1: in the padding. */
static int64_t place(const k_pool &p, int64_t o, int t)
{
    int64_t ch = o % p.out.cs, x = o / p.out.cs % p.out.w, y = o / p.out.cs / p.out.w % p.out.h;
    int64_t n = o / p.out.cs / p.out.w / p.out.h;
    int64_t row = y * p.stride - p.pad + t / p.window, col = x * p.stride - p.pad + t % p.window;
    if (row < 0 || col < 0 || row >= p.in.h || col >= p.in.w)
        return -1;
    return ((n * p.in.h + row) * p.in.w + col) * p.in.cs + ch;
}

static void check_max(const pool_case &t, const pool_data &d)
{
    std::vector<double> want((size_t)d.y.n), back((size_t)d.x.n);
    for (int64_t o = 0; o < d.y.n; o++) {
        int64_t best = -1;
        for (int k = 0; k < t.window * t.window; k++) {
            int64_t i = place(d.k, o, k);
            if (i >= 0 && (best < 0 || get(d.x, i) > get(d.x, best)))
                best = i;
        }
        want[(size_t)o] = get(d.x, best);
        back[(size_t)best] += get(d.dy, o);
    }
    bool good = k_maxpool(nullptr, &d.k, d.x.p, d.y.p, d.index) == 0 && all_of(d.y) == want;
    report(good, "maximum, %s: forward", t.what);
    good = k_maxpool_backward(nullptr, &d.k, d.dy.p, d.index, d.dx.p) == 0;
    report(good && distance(all_of(d.dx), back) < tolerance(t.bf16), "maximum, %s: backward",
           t.what);
}

static void check_average(const pool_case &t, const pool_data &d)
{
    int taps = t.window * t.window;
    std::vector<double> want((size_t)d.y.n), back((size_t)d.x.n);
    for (int64_t o = 0; o < d.y.n; o++)
        for (int k = 0; k < taps; k++) {
            int64_t i = place(d.k, o, k);
            if (i < 0)
                continue;
            want[(size_t)o] += get(d.x, i) / taps;
            back[(size_t)i] += get(d.dy, o) / taps;
        }
    bool good = k_avgpool(nullptr, &d.k, d.x.p, d.y.p) == 0;
    report(good && distance(all_of(d.y), want) < tolerance(t.bf16), "average, %s: forward", t.what);
    good = k_avgpool_backward(nullptr, &d.k, d.dy.p, d.dx.p) == 0;
    report(good && distance(all_of(d.dx), back) < tolerance(t.bf16), "average, %s: backward",
           t.what);
}

static void check_nan()
{
    pool_data d = build(cases[0]);
    put(d.x, 3 * d.k.in.cs, NAN);
    int seen = 0;
    bool good = k_maxpool(nullptr, &d.k, d.x.p, d.y.p, nullptr) == 0;
    for (int64_t o = 0; o < d.y.n; o++)
        seen += std::isnan(get(d.y, o));
    report(good && seen > 0 && memory_done(), "maximum: NaN is seen");
}

static void check_global(const k_map &m)
{
    int64_t pixels = m.h * m.w;
    elements x = map_new(m), dx = map_new(m);
    float *y = fresh<float>(m.n * m.c), *dy = fresh<float>(m.n * m.c);
    std::vector<double> want((size_t)(m.n * m.c)), back((size_t)x.n);
    fill_map(x, m, 1, 0.2);
    for (int64_t i = 0; i < m.n * m.c; i++)
        dy[i] = (float)drawn(2, i);
    for (int64_t i = 0; i < x.n; i++) {
        int64_t at = i / m.cs / pixels * m.c + i % m.cs;
        if (i % m.cs >= m.c)
            continue;
        want[(size_t)at] += get(x, i) / (double)pixels;
        back[(size_t)i] = (double)dy[at] / (double)pixels;
    }
    bool good = k_globalpool(nullptr, &m, x.p, y) == 0;
    good &= distance(floats(y, m.n * m.c), want) < 2e-6;
    good &= k_globalpool_backward(nullptr, &m, dy, dx.p) == 0;
    good &= distance(all_of(dx), back) < tolerance(m.bf16) && padding_is_zero(dx, m);
    report(good && memory_done(), "global pool [%d,%d,%d,%d], %s", (int)m.n, m.c, m.h, m.w,
           m.bf16 ? "bf16" : "f32");
}

void test_pools()
{
    for (const pool_case &t : cases) {
        pool_data d = build(t);
        check_max(t, d);
        check_average(t, d);
        report(memory_done(), "pools, %s: write nothing outside", t.what);
    }
    check_nan();
    for (int bf16 = 0; bf16 < 2; bf16++) {
        check_global(map_of(3, 4, 4, 20, bf16));
        check_global(map_of(40, 1, 1, 64, bf16));
        check_global(map_of(1, 7, 7, 3, bf16));
    }
}
