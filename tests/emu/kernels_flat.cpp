/* Flat memory: optimizer rules, the sum of squares, the judge; and whether kernels overlap. */
#include "kernels_test.h"
#include "nn/loss_stat.h"
#include "optim/rules.h"

#include <cstdlib>

struct flat {
    struct k_update k;
    float *g;
    std::vector<float> w, v, s; /* what is expected */
};

/* Elements of memory `offset` after a multiple of 16 bytes; g by `other` more. */
static flat build(k_rule rule, int64_t n, int64_t offset, int64_t other, optim_hyper *hyper,
                  uint32_t *held)
{
    flat f = {};
    f.g = fresh<float>(n, offset + other);
    f.k = {rule, n, fresh<float>(n, offset), f.g, {fresh<float>(n, offset), nullptr}, hyper, held};
    if (rule == K_RULE_RMSPROP)
        f.k.slot[1] = fresh<float>(n, offset);
    for (int64_t i = 0; i < n; i++) {
        f.k.w[i] = (float)drawn(1, i);
        f.g[i] = (float)drawn(2, i);
        f.k.slot[0][i] = (float)drawn(3, i);
        if (f.k.slot[1])
            f.k.slot[1][i] = (float)(1 + drawn(4, i));
        f.w.push_back(f.k.w[i]);
        f.v.push_back(f.k.slot[0][i]);
        f.s.push_back(f.k.slot[1] ? f.k.slot[1][i] : 0);
    }
    return f;
}

static bool is_expected(const flat &f)
{
    size_t bytes = (size_t)f.k.n * sizeof(float);
    return memcmp(f.k.w, f.w.data(), bytes) == 0 && memcmp(f.k.slot[0], f.v.data(), bytes) == 0 &&
           (!f.k.slot[1] || memcmp(f.k.slot[1], f.s.data(), bytes) == 0);
}

static void check_update(k_rule rule, int64_t n, int64_t offset, int64_t other)
{
    optim_hyper *hyper = fresh<optim_hyper>(1);
    uint32_t *held = fresh<uint32_t>(1);
    *hyper = {0.1f, 0.9f, 0.01f, 0.9f, 1e-3f, n % 2 == 0};
    flat f = build(rule, n, offset, other, hyper, held);
    *held = 1;
    bool good = k_update(nullptr, &f.k) == 0 && is_expected(f);
    *held = 0;
    for (size_t i = 0; i < (size_t)n; i++)
        if (rule == K_RULE_SGD)
            rule_sgd(hyper, &f.w[i], f.g[i], &f.v[i]);
        else
            rule_rmsprop(hyper, &f.w[i], f.g[i], &f.v[i], &f.s[i]);
    good &= k_update(nullptr, &f.k) == 0 && is_expected(f);
    report(good && memory_done(), "%s of %d elements at offset %d, gradient %d further",
           rule == K_RULE_SGD ? "sgd" : "rmsprop", (int)n, (int)offset, (int)other);
}

static void check_squares(int64_t n, int64_t offset)
{
    float *x = fresh<float>(n, offset);
    double *out = fresh<double>(1), want = 0;
    for (int64_t i = 0; i < n; i++) {
        x[i] = (float)drawn(1, i);
        want += (double)x[i] * (double)x[i];
    }
    int rc = k_sum_squares(nullptr, n, x, out, memory(k_sum_squares_workspace(n)));
    report(rc == 0 && std::abs(*out - want) <= 1e-13 * want && memory_done(),
           "sum of %d squares at offset %d", (int)n, (int)offset);
}

static void check_judge()
{
    static const double bad[] = {INFINITY, -INFINITY, NAN};
    float *losses = fresh<float>(3 * STAT_N);
    double *squares = fresh<double>(40);
    uint32_t *held = fresh<uint32_t>(1);
    bool good = true;
    for (int i = 0; i < 3; i++)
        losses[i * STAT_N + STAT_LOSS] = 1e30f; /* the other statistics are NaN, and no matter */
    for (int i = 0; i < 40; i++)
        squares[i] = 1e300;
    *held = 0;
    good &= k_judge(nullptr, 3, losses, 40, squares, held) == 0 && *held == 0;
    *held = 4;
    good &= k_judge(nullptr, 0, losses, 0, squares, held) == 0 && *held == 4;
    for (double v : bad) {
        *held = 4;
        losses[2 * STAT_N + STAT_LOSS] = (float)v;
        good &= k_judge(nullptr, 3, losses, 40, squares, held) == 0 && *held == 5;
        losses[2 * STAT_N + STAT_LOSS] = 1;
        squares[39] = v;
        *held = 0;
        good &= k_judge(nullptr, 3, losses, 40, squares, held) == 0 && *held == 1;
        squares[39] = 1;
    }
    report(good && memory_done(), "the judge holds back what is not finite, and only that");
}

static void check_overlap()
{
    const char *before = getenv("SUPCON_EMULATION_SM");
    std::string kept = before ? before : "90";
    setenv("SUPCON_EMULATION_SM", "90", 1);
    report(k_overlap(1) == 1 && k_overlap(0) == 0, "kernels overlap where that is wanted");
    setenv("SUPCON_EMULATION_SM", "86", 1);
    report(k_overlap(1) == 0, "and not where their code does not wait");
    setenv("SUPCON_EMULATION_SM", kept.c_str(), 1);
}

void test_flat()
{
    for (k_rule rule : {K_RULE_SGD, K_RULE_RMSPROP}) {
        check_update(rule, 1, 0, 0);
        check_update(rule, 3, 3, 0);
        check_update(rule, 5000, 0, 0);
        check_update(rule, 4097, 1, 0);
        check_update(rule, 501, 2, 1);
    }
    for (int64_t offset = 0; offset < 4; offset++)
        check_squares(70000 + offset, offset);
    for (int64_t offset = 0; offset < 4; offset++)
        check_squares(8192 - offset, offset);
    check_squares(1, 1);
    check_squares(2, 3);
    check_judge();
    check_overlap();
}
