/* Rows: normalised to length one, and cross-entropy. */
#include "kernels_test.h"
#include "nn/loss_stat.h"

static void check_l2norm(int64_t rows, int d)
{
    int64_t n = rows * d;
    float *x = fresh<float>(n), *z = fresh<float>(n), *dz = fresh<float>(n), *dx = fresh<float>(n);
    std::vector<double> want((size_t)n), back((size_t)n);
    for (int64_t i = 0; i < n; i++) {
        x[i] = (float)((i / d == 2 ? 0 : i / d == 3 ? 1e-15 : 1) * drawn(1, i)); /* short rows */
        dz[i] = (float)drawn(2, i);
    }
    for (int64_t i = 0; i < n; i++) {
        int64_t first = i / d * d;
        double squares = 0, dot = 0;
        for (int64_t k = first; k < first + d; k++) {
            squares += (double)x[k] * (double)x[k];
            dot += (double)x[k] * (double)dz[k];
        }
        double length = fmax(sqrt(squares), 1e-12);
        want[(size_t)i] = (double)x[i] / length;
        dot = length > 1e-12 ? dot / length / length : 0;
        back[(size_t)i] = ((double)dz[i] - (double)x[i] * dot) / length;
    }
    bool good = k_l2norm(nullptr, rows, d, x, z) == 0 && distance(floats(z, n), want) < 1e-6;
    good &= k_l2norm_backward(nullptr, rows, d, x, z, dz, dx) == 0;
    for (int64_t i = 0; i < n; i++) { /* the short ones are larger than all others: each alone */
        bool is_short = i / d == 2 || i / d == 3;
        good &= !is_short || std::abs((double)dx[i] / back[(size_t)i] - 1) < 1e-6;
        dx[i] = is_short ? 0 : dx[i];
        back[(size_t)i] = is_short ? 0 : back[(size_t)i];
    }
    good &= distance(floats(dx, n), back) < 1e-5;
    report(good && memory_done(), "l2norm of %d rows of %d", (int)rows, d);
}

struct xent_case {
    const char *what;
    int n, views, k, soft;
    float smoothing;
    double size;
};

static const xent_case cases[] = {
    {"10 classes", 16, 1, 10, 0, 0, 1},     {"1000 classes", 5, 1, 1000, 0, 0, 3},
    {"two views", 9, 2, 17, 0, 0, 1},       {"smoothing", 300, 1, 33, 0, 0.1f, 1},
    {"soft targets", 12, 1, 10, 1, 0, 1},   {"one row, two classes", 1, 1, 2, 0, 0, 1},
    {"large scores", 12, 1, 10, 0, 0, 300}, {"a row of equal scores", 4, 1, 12, 0, 0, 0},
};

struct xent_data {
    k_xent k;
    float *s, *soft;
    int32_t *labels;
    int64_t rows;
};

static xent_data build(const xent_case &t)
{
    xent_data d = {};
    d.rows = (int64_t)t.n * t.views;
    d.s = fresh<float>(d.rows * t.k);
    d.soft = fresh<float>(d.rows * t.k);
    d.labels = fresh<int32_t>(t.n);
    for (int64_t i = 0; i < d.rows * t.k; i++) {
        d.s[i] = (float)(t.size * drawn(1, i));
        d.soft[i] = (float)((1 + drawn(2, i)) / t.k); /* does not sum to one */
    }
    for (int i = 0; i < t.n; i++)
        d.labels[i] = (int)((1 + drawn(3, i)) / 2 * t.k) % t.k;
    d.k = {t.n,
           t.views,
           t.k,
           t.smoothing,
           d.s,
           t.soft ? nullptr : d.labels,
           t.soft ? d.soft : nullptr,
           fresh<float>(STAT_N),
           fresh<float>(d.rows * t.k),
           nullptr};
    d.k.workspace = memory(k_xent_workspace(&d.k));
    return d;
}

static double target(const xent_data &d, int64_t row, int k)
{
    if (d.k.soft)
        return (double)d.soft[row * d.k.k + k];
    double eps = (double)d.k.smoothing;
    return (k == d.labels[row % d.k.n] ? 1 - eps : 0) + eps / d.k.k;
}

static void reference(const xent_data &d, double stats[STAT_N], std::vector<double> &ds)
{
    for (int64_t r = 0; r < d.rows; r++) {
        const float *s = d.s + r * d.k.k;
        double top = -INFINITY, sum = 0, mass = 0;
        int best = 0, before = 0;
        for (int k = 0; k < d.k.k; k++) {
            top = fmax(top, (double)s[k]);
            mass += target(d, r, k);
            best = target(d, r, k) > target(d, r, best) ? k : best;
        }
        for (int k = 0; k < d.k.k; k++)
            sum += exp((double)s[k] - top);
        for (int k = 0; k < d.k.k; k++) {
            double log_p = (double)s[k] - top - log(sum), share = 1 / (double)d.rows;
            before += s[k] > s[best] || (s[k] == s[best] && k < best);
            stats[STAT_LOSS] -= target(d, r, k) * log_p * share;
            ds[(size_t)(r * d.k.k + k)] = (mass * exp(log_p) - target(d, r, k)) * share;
        }
        stats[STAT_TOP1] += before < 1;
        stats[STAT_TOP5] += before < 5;
        stats[STAT_ROWS] += 1;
    }
}

static void check_xent(const xent_case &t)
{
    xent_data d = build(t);
    double stats[STAT_N] = {0};
    std::vector<double> ds((size_t)(d.rows * t.k));
    reference(d, stats, ds);
    bool good = k_xent_forward(nullptr, &d.k) == 0;
    double loss = std::abs((double)d.k.stats[STAT_LOSS] / stats[STAT_LOSS] - 1);
    for (int i = STAT_TOP1; i < STAT_N; i++)
        good &= (double)d.k.stats[i] == stats[i];
    report(good && loss < 1e-6, "xent, %s: statistics (%.1e)", t.what, loss);
    good = k_xent_backward(nullptr, &d.k) == 0;
    double error = distance(floats(d.k.ds, d.rows * t.k), ds);
    report(good && error < 1e-5 && memory_done(), "xent, %s: gradient (%.1e)", t.what, error);
}

static void check_bad_label()
{
    bool good = true;
    for (int label : {-1, 10, 1 << 30}) {
        xent_data d = build(cases[0]);
        d.labels[3] = label;
        good &= k_xent_forward(nullptr, &d.k) == 0 && std::isnan(d.k.stats[STAT_LOSS]);
        good &= k_xent_backward(nullptr, &d.k) == 0 && std::isnan(d.k.ds[3 * 10]);
        good &= !std::isnan(d.k.ds[4 * 10]) && memory_done();
    }
    report(good, "xent: a label that is no class makes the loss NaN");
}

void test_rows()
{
    check_l2norm(17, 128);
    check_l2norm(5, 37);
    check_l2norm(1, 1);
    for (const xent_case &t : cases)
        check_xent(t);
    check_bad_label();
}
