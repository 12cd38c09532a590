/* Batch-norm: forward, again, evaluation, backward, running statistics. */
#include "kernels_test.h"

struct norm_case {
    const char *what;
    int n, h, w, c, bf16, skip, relu;
    double mean;
};

static const norm_case cases[] = {
    {"3 channels, one image", 1, 5, 7, 3, 0, 0, 0, 0},
    {"20 channels, skip, relu", 3, 4, 5, 20, 0, 1, 1, 0},
    {"1x1 map", 6, 1, 1, 32, 0, 0, 1, 0},
    {"two values", 2, 1, 1, 8, 0, 0, 0, 0},
    {"mean far from zero", 8, 6, 6, 16, 0, 0, 0, 100},
    {"many chunks", 4, 32, 32, 64, 0, 0, 1, 0},
    {"many chunks, skip, bf16", 4, 32, 32, 64, 1, 1, 1, 0},
    {"two tiles", 20, 4, 4, 512, 1, 0, 1, 0},
    {"two tiles of different width", 30, 3, 3, 264, 0, 1, 1, 0},
    {"one octet, bf16", 5, 9, 9, 8, 1, 1, 1, 2},
};

struct norm_data {
    k_norm k;
    elements x, skip, y, dy, dx, dskip;
    std::vector<double> mean, rstd; /* of the reference, [c] */
    std::vector<double> value;      /* before the ReLU */
    double count;
};

static norm_data build(const norm_case &t)
{
    norm_data d = {};
    k_map m = map_of(t.n, t.h, t.w, t.c, t.bf16);
    d.x = map_new(m);
    d.skip = map_new(m);
    d.y = map_new(m);
    d.dy = map_new(m);
    d.dx = map_new(m);
    d.dskip = map_new(m);
    fill_map(d.x, m, 1, t.mean);
    fill_map(d.skip, m, 2, 0);
    fill_map(d.dy, m, 3, 0.1);
    float *gamma = fresh<float>(t.c, 1), *beta = fresh<float>(t.c, 3);
    for (int i = 0; i < t.c; i++) {
        gamma[i] = (float)(1 + 0.5 * drawn(4, i));
        beta[i] = (float)drawn(5, i);
    }
    d.k = {m,
           1e-5f,
           t.relu,
           d.x.p,
           t.skip ? d.skip.p : nullptr,
           d.y.p,
           nullptr,
           gamma,
           beta,
           fresh<float>(m.cs),
           fresh<float>(m.cs),
           t.relu ? static_cast<uint32_t *>(memory(k_norm_mask_bytes(&m))) : nullptr,
           memory(k_norm_workspace(&m)),
           d.dy.p,
           d.dx.p,
           t.skip ? d.dskip.p : nullptr,
           fresh<float>(t.c, 1),
           fresh<float>(t.c, 2)};
    d.count = (double)(m.n * m.h * m.w);
    return d;
}

static void statistics(norm_data &d)
{
    int cs = d.k.map.cs;
    for (int ch = 0; ch < d.k.map.c; ch++) {
        double mean = 0, var = 0;
        for (int64_t i = ch; i < d.x.n; i += cs)
            mean += get(d.x, i) / d.count;
        for (int64_t i = ch; i < d.x.n; i += cs)
            var += (get(d.x, i) - mean) * (get(d.x, i) - mean) / d.count;
        d.mean.push_back(mean);
        d.rstd.push_back(1 / sqrt(var + (double)d.k.eps));
    }
}

static std::vector<double> forward_of(norm_data &d)
{
    std::vector<double> y((size_t)d.x.n);
    d.value.assign((size_t)d.x.n, 0);
    for (int64_t i = 0; i < d.x.n; i++) {
        size_t ch = (size_t)(i % d.k.map.cs);
        if (ch >= (size_t)d.k.map.c)
            continue;
        double v = (get(d.x, i) - d.mean[ch]) * d.rstd[ch] * (double)d.k.gamma[ch] +
                   (double)d.k.beta[ch] + (d.k.skip ? get(d.skip, i) : 0);
        d.value[(size_t)i] = v;
        y[(size_t)i] = d.k.relu && v < 0 ? 0 : v;
    }
    return y;
}

/* g: dy where the kernel's own mask is set, so that a value near zero is not judged twice. */
static double gated(const norm_data &d, int64_t i)
{
    const uint8_t *mask = reinterpret_cast<const uint8_t *>(d.k.mask);
    return !mask || (mask[i / 8] >> (i % 8) & 1) ? get(d.dy, i) : 0;
}

static void backward_of(const norm_data &d, std::vector<double> &dx, std::vector<double> &dskip,
                        std::vector<double> &dgamma, std::vector<double> &dbeta)
{
    int cs = d.k.map.cs;
    for (int ch = 0; ch < d.k.map.c; ch++) {
        size_t c = (size_t)ch;
        double sum = 0, dot = 0;
        for (int64_t i = ch; i < d.x.n; i += cs) {
            sum += gated(d, i);
            dot += gated(d, i) * (get(d.x, i) - d.mean[c]) * d.rstd[c];
        }
        dgamma[c] = dot;
        dbeta[c] = sum;
        for (int64_t i = ch; i < d.x.n; i += cs) {
            double xhat = (get(d.x, i) - d.mean[c]) * d.rstd[c];
            dskip[(size_t)i] = gated(d, i);
            dx[(size_t)i] = (double)d.k.gamma[c] * d.rstd[c] *
                            (gated(d, i) - sum / d.count - xhat * dot / d.count);
        }
    }
}

static bool mask_is_right(const norm_data &d)
{
    const uint8_t *mask = reinterpret_cast<const uint8_t *>(d.k.mask);
    bool good = true;
    for (int64_t i = 0; i < d.x.n && mask; i++)
        if (std::abs(d.value[(size_t)i]) > 1e-4)
            good &= (mask[i / 8] >> (i % 8) & 1) == (d.value[(size_t)i] > 0);
    return good;
}

/* x - mean cancels as many digits as the mean has more than the deviation. */
static double within(const norm_case &t)
{
    return tolerance(t.bf16) + 1e-7 * t.mean;
}

/* Largest error of a mean, in deviations. */
static double mean_error(const norm_data &d)
{
    double most = 0;
    for (size_t c = 0; c < d.mean.size(); c++)
        most = fmax(most, std::abs((double)d.k.mean[c] - d.mean[c]) * d.rstd[c]);
    return most;
}

static void check_forward(const norm_case &t, norm_data &d)
{
    int rc = k_norm_forward(nullptr, &d.k);
    statistics(d);
    std::vector<double> want = forward_of(d);
    double error = distance(all_of(d.y), want);
    report(rc == 0 && error < within(t) && padding_is_zero(d.y, d.k.map) && mask_is_right(d),
           "norm, %s: forward (error %.1e)", t.what, error);
    double mean = mean_error(d);
    double rstd = distance(floats(d.k.rstd, t.c), d.rstd);
    /* f32 sums about a pivot that lies some deviations off */
    report(mean < 1e-6 + 1e-7 * t.mean && rstd < 1e-6, "norm, %s: mean, rstd (%.1e, %.1e)", t.what,
           mean, rstd);
}

static void check_again(const norm_case &t, const norm_data &d)
{
    k_norm k = d.k;
    elements y = map_new(k.map);
    k.y = y.p;
    k.mask = nullptr;
    report(k_norm_apply(nullptr, &k) == 0 && same_bits(y, d.y), "norm, %s: the same bits again",
           t.what);
}

static void check_backward(const norm_case &t, const norm_data &d)
{
    size_t n = (size_t)d.x.n, c = (size_t)t.c;
    std::vector<double> dx(n), dskip(n), dgamma(c), dbeta(c);
    int rc = k_norm_backward(nullptr, &d.k);
    backward_of(d, dx, dskip, dgamma, dbeta);
    double error = distance(all_of(d.dx), dx);
    /* with two values per channel dx is what is left of numbers 300 times as large */
    double most = d.count < 3 ? 0.05 : within(t) * 4;
    report(rc == 0 && error < most && padding_is_zero(d.dx, d.k.map), "norm, %s: dx (error %.1e)",
           t.what, error);
    if (t.skip)
        report(distance(all_of(d.dskip), dskip) == 0, "norm, %s: dskip", t.what);
    double g = distance(floats(d.k.dgamma, t.c), dgamma);
    double b = distance(floats(d.k.dbeta, t.c), dbeta);
    report(g < 2e-5 + 1e-6 * t.mean && b < 2e-5, "norm, %s: dgamma, dbeta (%.1e, %.1e)", t.what, g,
           b);
}

/* The same outputs from sums alone; x itself is walked once. */
static void check_from_sums(const norm_case &t, norm_data &d)
{
    int cs = d.k.map.cs;
    float *sums = fresh<float>(2 * cs);
    for (int ch = 0; ch < cs; ch++) {
        double sum = 0, squares = 0;
        for (int64_t i = ch; i < d.x.n; i += cs) {
            sum += get(d.x, i);
            squares += get(d.x, i) * get(d.x, i);
        }
        sums[ch] = (float)sum;
        sums[cs + ch] = (float)squares;
    }
    k_norm k = d.k;
    k.sums = sums;
    k.mean = fresh<float>(cs);
    k.rstd = fresh<float>(cs);
    int rc = k_norm_forward(nullptr, &k);
    double error = distance(all_of(d.y), forward_of(d));
    double rstd = distance(floats(k.rstd, t.c), d.rstd);
    double mean = 0;
    for (size_t c = 0; c < d.mean.size(); c++)
        mean = fmax(mean, std::abs((double)k.mean[c] - d.mean[c]) * d.rstd[c]);
    /* squares have the rounding of their sum, which the mean's square takes a part of */
    double lost = 1e-7 * (1 + t.mean * t.mean);
    report(rc == 0 && error < within(t) + 4 * lost && padding_is_zero(d.y, d.k.map) &&
               rstd < 1e-6 + 4 * lost && mean < 1e-6 + lost,
           "norm, %s: from sums (error %.1e, rstd %.1e)", t.what, error, rstd);
}

static void check_commit(const norm_case &t, const norm_data &d)
{
    float *mean = fresh<float>(t.c, 1), *var = fresh<float>(t.c, 1);
    uint32_t *held = fresh<uint32_t>(1);
    std::vector<double> want_mean, want_var;
    for (int i = 0; i < t.c; i++) {
        size_t c = (size_t)i;
        double batch = (1 / (d.rstd[c] * d.rstd[c]) - (double)d.k.eps) * d.count / (d.count - 1);
        mean[i] = 0.5f;
        var[i] = 2;
        want_mean.push_back(0.9 * 0.5 + 0.1 * d.mean[c]);
        want_var.push_back(0.9 * 2 + 0.1 * batch);
    }
    *held = 1;
    const k_norm_commit_job job = {t.c, d.k.eps, 0.1f, d.count, d.k.mean, d.k.rstd, mean, var};
    int rc = k_norm_commit(nullptr, &job, 1, held);
    report(rc == 0 && mean[0] == 0.5f && var[t.c - 1] == 2, "norm, %s: held back", t.what);
    *held = 0;
    rc = k_norm_commit(nullptr, &job, 1, held);
    report(rc == 0 && distance(floats(mean, t.c), want_mean) < 1e-6 &&
               distance(floats(var, t.c), want_var) < 1e-6,
           "norm, %s: running statistics", t.what);
}

static void check_evaluation(const norm_case &t, norm_data &d)
{
    float *mean = fresh<float>(t.c, 1), *var = fresh<float>(t.c, 3);
    for (int i = 0; i < t.c; i++) {
        size_t c = (size_t)i;
        mean[i] = (float)(t.mean + 0.1 * drawn(6, i));
        var[i] = (float)(1 + 0.5 * drawn(7, i));
        d.mean[c] = (double)mean[i];
        d.rstd[c] = 1 / sqrt((double)var[i] + (double)d.k.eps);
    }
    d.k.mask = nullptr;
    int rc = k_norm_evaluate(nullptr, &d.k, mean, var);
    report(rc == 0 && distance(all_of(d.y), forward_of(d)) < within(t) &&
               padding_is_zero(d.y, d.k.map),
           "norm, %s: evaluation", t.what);
}

void test_norm()
{
    for (const norm_case &t : cases) {
        norm_data d = build(t);
        check_forward(t, d);
        check_again(t, d);
        check_from_sums(t, d);
        check_backward(t, d);
        check_commit(t, d);
        check_evaluation(t, d);
        report(memory_done(), "norm, %s: writes nothing outside", t.what);
    }
}
