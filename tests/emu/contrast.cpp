/*
 * The tiled contrastive loss by itself: both methods, embeddings wider than a chunk, several blocks
 * of rows and spans of columns, and what the op cases do not reach. Compared with plain loops in
 * double. Speaks TAP.
 *
 * Tolerances, relative (gradients in the L2 norm): f32 1e-5. f16 rounds z to u = 2^-11, so that a
 * score is off by at most 2 u |z_i| |z_j| / tau, and the logarithm of a sum of exponentials, and
 * the loss, by at most twice that; errors of both signs make it some hundredths of this. It may be
 * off by what products of TF32 numbers, which have the same bits, make of the same problem.
 */
#include "cuda_emulation.h"
#include "kernels/contrast_cut.h"
#include "kernels/kernels.h"
#include "nn/loss_stat.h"

#include <cstdio>
#include <cstdlib>
#include <vector>

static int number, failures;

static void expect(bool good, const char *what, const char *method = "")
{
    printf("%sok %d - %s%s\n", good ? "" : "not ", ++number, what, method);
    failures += !good;
}

struct problem {
    const char *what;
    int n, views, d, classes; /* classes 0: every sample its own */
    float tau, length;
    double looser; /* tolerances, times: scores of hundreds or more, few of them */
    bool simclr, anchors_one;
    float apart; /* views of a sample: 0 any, else so near to each other */
    std::vector<float> z;
    std::vector<int32_t> labels;

    int rows() const
    {
        return n * views;
    }
    int anchors() const
    {
        return anchors_one ? n : n * views;
    }
    bool positive(int i, int j) const
    {
        return i != j &&
               (simclr ? i % n == j % n : labels[(size_t)(i % n)] == labels[(size_t)(j % n)]);
    }
};

struct answer {
    double loss;
    int top1, lonely;
    bool rounded;
    std::vector<double> dz;
};

static double uniform(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (double)(*state >> 11) * 0x1p-53 * 2 - 1;
}

static void fill(problem *p)
{
    uint64_t state = (uint64_t)p->n * 1000 + (uint64_t)p->d;
    p->z.resize((size_t)p->rows() * (size_t)p->d);
    for (int i = 0; i < p->rows(); i++) {
        float *z = &p->z[(size_t)i * (size_t)p->d];
        double sum = 0;
        for (int k = 0; k < p->d; k++) {
            float any = (float)uniform(&state);
            bool copy = p->apart > 0 && i >= p->n;
            z[k] = copy ? z[k - p->n * p->d] + p->apart * any : any;
        }
        for (int k = 0; k < p->d; k++)
            sum += (double)z[k] * z[k];
        for (int k = 0; k < p->d; k++)
            z[k] = (float)(z[k] / std::sqrt(sum) * p->length);
    }
    for (int i = 0; i < p->n; i++)
        p->labels.push_back(p->classes ? (int32_t)((uniform(&state) + 1) / 2 * p->classes) * 7 - 9
                                       : i);
}

/* --- in double; or with operands of products rounded to 11 bits, as TF32 has --- */

static double tf32(double x)
{
    int exponent;
    double fraction = frexp(x, &exponent);
    return ldexp(nearbyint(ldexp(fraction, 11)), exponent - 11);
}

static double score(const problem &p, int i, int j)
{
    const float *a = &p.z[(size_t)i * (size_t)p.d], *b = &p.z[(size_t)j * (size_t)p.d];
    double sum = 0;
    for (int k = 0; k < p.d; k++)
        sum += (double)a[k] * b[k];
    return sum / (double)p.tau;
}

static void pull(const problem &p, answer *a, int i, int j, double weight)
{
    weight /= (double)p.tau * p.anchors();
    weight = a->rounded ? tf32(weight) : weight;
    for (int k = 0; k < p.d; k++) {
        size_t at_i = (size_t)i * (size_t)p.d + (size_t)k,
               at_j = (size_t)j * (size_t)p.d + (size_t)k;
        a->dz[at_i] += weight * (double)p.z[at_j];
        a->dz[at_j] += weight * (double)p.z[at_i];
    }
}

static void anchor(const problem &p, answer *a, int i)
{
    std::vector<double> s((size_t)p.rows());
    double top = -INFINITY, sum = 0, positive = 0;
    int nearest = -1, count = 0;
    for (int j = 0; j < p.rows(); j++) {
        double x = s[(size_t)j] = j == i ? -INFINITY : score(p, i, j);
        nearest = x > top ? j : nearest;
        top = x > top ? x : top;
        positive += p.positive(i, j) ? x : 0;
        count += p.positive(i, j);
    }
    for (double x : s)
        sum += exp(x - top);
    a->top1 += nearest >= 0 && p.positive(i, nearest);
    a->lonely += count == 0;
    if (!count)
        return;
    a->loss += (top + log(sum) - positive / count) / p.anchors();
    for (int j = 0; j < p.rows(); j++)
        if (j != i)
            pull(p, a, i, j, exp(s[(size_t)j] - top) / sum - (p.positive(i, j) ? 1.0 / count : 0));
}

static answer solve(const problem &p)
{
    answer a = {0, 0, 0, false, std::vector<double>(p.z.size(), 0)};
    for (int i = 0; i < p.anchors(); i++)
        anchor(p, &a, i);
    return a;
}

static answer solve_rounded(problem p)
{
    answer a = {0, 0, 0, true, std::vector<double>(p.z.size(), 0)};
    for (float &x : p.z)
        x = (float)tf32(x);
    for (int i = 0; i < p.anchors(); i++)
        anchor(p, &a, i);
    return a;
}

/* --- on the device --- */

static void *device(size_t bytes)
{
    void *p = nullptr;
    (void)cudaMalloc(&p, bytes);
    return p;
}

struct result {
    int rc;
    float stats[STAT_N];
    std::vector<float> dz;
};

static result run(const problem &p, k_contrast_method method)
{
    k_contrast k = {};
    size_t bytes = p.z.size() * sizeof(float);
    float *z = (float *)device(bytes);
    int32_t *labels = (int32_t *)device(p.labels.size() * sizeof(int32_t));
    memcpy(z, p.z.data(), bytes);
    memcpy(labels, p.labels.data(), p.labels.size() * sizeof(int32_t));
    k.n = p.n;
    k.views = p.views;
    k.d = p.d;
    k.temperature = p.tau;
    k.scale = 1;
    k.simclr = p.simclr;
    k.anchors_one = p.anchors_one;
    k.method = method;
    k.z = z;
    k.labels = labels;
    k.stats = (float *)device(STAT_N * sizeof(float));
    k.dz = (float *)device(bytes);
    k.saved = device(k_contrast_saved(&k));
    k.workspace = device(k_contrast_workspace(&k));
    result r = {k_contrast_forward(nullptr, &k), {}, std::vector<float>(p.z.size())};
    (void)cudaDeviceSynchronize();
    memset(k.workspace, 0xFF, k_contrast_workspace(&k)); /* another's between the passes */
    r.rc |= k_contrast_backward(nullptr, &k);
    (void)cudaDeviceSynchronize();
    memcpy(r.stats, k.stats, sizeof r.stats);
    memcpy(r.dz.data(), k.dz, bytes);
    for (void *block :
         {(void *)z, (void *)labels, (void *)k.stats, (void *)k.dz, k.saved, k.workspace})
        (void)cudaFree(block);
    return r;
}

template <class T>
static double distance(const std::vector<T> &got, const std::vector<double> &want)
{
    double error = 0;
    for (size_t i = 0; i < want.size(); i++)
        error += ((double)got[i] - want[i]) * ((double)got[i] - want[i]);
    return std::sqrt(error);
}

static double norm(const std::vector<double> &v)
{
    return distance(std::vector<double>(v.size(), 0), v);
}

/* How far a result may be off. */
struct allowed {
    double loss, gradient; /* gradient: in the L2 norm */
};

/* Of each of the two parts of the gradient, which may cancel; f32 gives scores of 20 to 2^-20. */
static double cancelled(const problem &p)
{
    return 0x1p-19 * std::sqrt((double)p.rows()) * (double)p.length / (double)p.tau / p.anchors();
}

static allowed allowed_f32(const problem &p, const answer &want)
{
    return {1e-5 * p.looser * fmax(fabs(want.loss), 1e-3),
            1e-5 * p.looser * norm(want.dz) + cancelled(p)};
}

static allowed allowed_f16(const problem &p, const answer &want, const answer &rounded)
{
    double most = 0x1p-10 * (double)p.length * (double)p.length / (double)p.tau;
    return {0.05 * p.looser * most + 1e-6 * fabs(want.loss),
            (p.looser > 1 ? 2 : 1.25) * distance(rounded.dz, want.dz) + cancelled(p)};
}

static const char *const method_names[K_CONTRAST_N] = {", f32", ", f16"};

static void check(const problem &p, const answer &want, k_contrast_method m, const allowed &off)
{
    result got = run(p, m);
    double loss = fabs((double)got.stats[STAT_LOSS] - want.loss);
    double gradient = distance(got.dz, want.dz);
    bool counts = (int)got.stats[STAT_LONELY] == want.lonely &&
                  (int)got.stats[STAT_ROWS] == p.anchors() &&
                  (m == K_CONTRAST_F16 || (int)got.stats[STAT_TOP1] == want.top1);
    bool good = got.rc == 0 && loss <= off.loss && gradient <= off.gradient && counts;
    expect(good, p.what, method_names[m]);
    if (!good)
        printf(
            "# loss %.9g is off by %.3g of %.3g, gradient %.3g by %.3g of %.3g; top1 %g of %d, lonely %g of %d\n",
            want.loss, loss, off.loss, norm(want.dz), gradient, off.gradient,
            (double)got.stats[STAT_TOP1], want.top1, (double)got.stats[STAT_LONELY], want.lonely);
}

static void check_both(problem *p)
{
    fill(p);
    answer want = solve(*p);
    if (p->rows() < 1000) /* it is the slower one here */
        check(*p, want, K_CONTRAST_F32, allowed_f32(*p, want));
    check(*p, want, K_CONTRAST_F16, allowed_f16(*p, want, solve_rounded(*p)));
}

static problem problems[] = {
    {"wide embedding, 512", 20, 2, 512, 4, 0.1f, 1, 1, false, false, 0, {}, {}},
    {"embedding of 136, a narrow last chunk", 17, 2, 136, 3, 0.1f, 1, 1, false, false, 0, {}, {}},
    {"embedding of 128", 100, 2, 128, 10, 0.07f, 1, 1, false, false, 0, {}, {}},
    {"embedding of 100, near views", 70, 2, 100, 10, 0.1f, 1, 1, false, false, 0.02f, {}, {}},
    {"SimCLR, 128, near views", 130, 2, 128, 0, 0.5f, 1, 1, true, false, 0.1f, {}, {}},
    {"SimCLR, equal views", 40, 2, 64, 0, 0.07f, 1, 1, true, false, 1e-9f, {}, {}},
    {"anchors of the first view, lonely ones", 90, 1, 80, 60, 0.1f, 1, 1, false, true, 0, {}, {}},
    {"five blocks of rows, five spans", 300, 2, 32, 10, 0.1f, 1, 1, false, false, 0, {}, {}},
    {"SimCLR, two blocks, four views", 50, 4, 40, 0, 0.2f, 1, 1, true, false, 0, {}, {}},
    {"anchors of the first view in two blocks", 90, 2, 24, 6, 0.1f, 1, 1, false, true, 0, {}, {}},
    {"two rows", 1, 2, 16, 1, 0.5f, 1, 1, false, false, 0, {}, {}},
    {"one row", 1, 1, 16, 1, 0.5f, 1, 1, false, false, 0, {}, {}},
    /* |s| reaches 9000: its rounding alone is 5e-4 */
    {"one element, long rows of both signs", 9, 2, 1, 0, 0.1f, 30, 100, true, false, 0, {}, {}},
    {"tiny temperature", 60, 2, 128, 5, 0.005f, 1, 10, false, false, 0, {}, {}},
    /* scores and log-sums of 288, whose exponentials no f32 holds */
    {"tiny temperature, near views", 60, 2, 128, 5, 0.005f, 1, 10, false, false, 0.01f, {}, {}},
    {"short rows", 60, 2, 64, 5, 0.1f, 1e-3f, 1, false, false, 0, {}, {}},
    {"2100 rows", 1050, 2, 16, 40, 0.1f, 1, 1, false, false, 0, {}, {}},
};

/* Of one element x among others: the loss of each method. */
static float loss_with(float x, k_contrast_method m)
{
    problem p = {"", 40, 2, 32, 5, 0.1f, 1, 1, false, false, 0, {}, {}};
    fill(&p);
    p.z[77] = x;
    return run(p, m).stats[STAT_LOSS];
}

static void not_finite()
{
    for (int m = 0; m < K_CONTRAST_N; m++) {
        float loss = loss_with(NAN, (k_contrast_method)m);
        expect(loss != loss, "NaN in z is NaN in the loss", method_names[m]);
    }
    expect(std::isfinite(loss_with(-5000, K_CONTRAST_F16)), "an element of 5000 fits, f16");
    expect(!std::isfinite(loss_with(-50000, K_CONTRAST_F16)),
           "what does not fit makes the loss not finite, f16");
    expect(std::isfinite(loss_with(-50000, K_CONTRAST_F32)), "and fits, f32");
}

/* Every pair of rows belongs to one block, at every size; about two blocks per multiprocessor. */
static void cuts()
{
    bool covered = true, filled = true;
    for (int m = 1; m < 70000; m = m < 3000 ? m + 1 : m + 997) {
        contrast_cut c = contrast_cut_of(m, 128, 2 + m % 2);
        covered &= c.rows >= m && c.rows - m < CONTRAST_ROWS && c.span % CONTRAST_TILE == 0 &&
                   c.spans * c.span >= c.rows && (c.spans - 1) * c.span < c.rows;
        filled &=
            c.row_blocks * c.spans >= (2 + m % 2) * SM_COUNT * 2 / 3 || c.spans >= c.row_blocks - 1;
    }
    expect(covered, "spans cover the rows at every size");
    expect(filled, "at every size the blocks fill the multiprocessors, or there is no more to cut");
    contrast_cut pull = contrast_cut_of(8192, 128, 2), look = contrast_cut_of(8192, 128, 3);
    expect(pull.row_blocks == 64 && pull.spans == 4 && look.spans == 6,
           "8192 rows make 64 x 4 blocks, or 64 x 6");
}

int main()
{
    for (problem &p : problems)
        check_both(&p);
    not_finite();
    cuts();
    printf("1..%d\n", number);
    return failures > 0;
}
