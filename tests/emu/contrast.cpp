/*
 * The tiled contrastive loss by itself: every method, embeddings wider than a chunk, several blocks
 * of rows and spans of columns, and what the op cases do not reach. Compared with plain loops in
 * double. Speaks TAP.
 *
 * Tolerances, relative (gradients in the L2 norm): f32 1e-5. bf16x3 leaves out 2^-18 of each
 * product: 2e-5. bf16 rounds z and the weights to 2^-9: 2 %.
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
    double looser; /* than the method's tolerance, times */
    bool simclr, anchors_one;
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
        for (int k = 0; k < p->d; k++)
            z[k] = (float)uniform(&state);
        for (int k = 0; k < p->d; k++)
            sum += (double)z[k] * z[k];
        for (int k = 0; k < p->d; k++)
            z[k] = (float)(z[k] / std::sqrt(sum) * p->length);
    }
    for (int i = 0; i < p->n; i++)
        p->labels.push_back(p->classes ? (int32_t)((uniform(&state) + 1) / 2 * p->classes) * 7 - 9
                                       : i);
}

/* --- in double --- */

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
    answer a = {0, 0, 0, std::vector<double>(p.z.size(), 0)};
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

static double distance(const std::vector<float> &got, const std::vector<double> &want)
{
    double error = 0, norm = 0;
    for (size_t i = 0; i < want.size(); i++) {
        error += ((double)got[i] - want[i]) * ((double)got[i] - want[i]);
        norm += want[i] * want[i];
    }
    return std::sqrt(error) / fmax(std::sqrt(norm), 1e-9);
}

static const struct {
    const char *name;
    double tolerance;
} methods[K_CONTRAST_N] = {{", f32", 1e-5}, {", bf16x3", 2e-5}, {", bf16", 2e-2}};

static void check(const problem &p, const answer &want, k_contrast_method m)
{
    result got = run(p, m);
    double tolerance = methods[m].tolerance * p.looser;
    double loss = fabs((double)got.stats[STAT_LOSS] - want.loss) / fmax(fabs(want.loss), 1e-3);
    double gradient = distance(got.dz, want.dz);
    bool counts = (int)got.stats[STAT_LONELY] == want.lonely &&
                  (int)got.stats[STAT_ROWS] == p.anchors() &&
                  (m == K_CONTRAST_BF16 || (int)got.stats[STAT_TOP1] == want.top1);
    bool good = got.rc == 0 && loss <= tolerance && gradient <= tolerance && counts;
    expect(good, p.what, methods[m].name);
    if (!good)
        printf("# loss %.9g, expected %.9g; gradient off by %.3g; top1 %g of %d, lonely %g of %d\n",
               (double)got.stats[STAT_LOSS], want.loss, gradient, (double)got.stats[STAT_TOP1],
               want.top1, (double)got.stats[STAT_LONELY], want.lonely);
}

static problem problems[] = {
    {"wide embedding, 512", 20, 2, 512, 4, 0.1f, 1, 1, false, false, {}, {}},
    {"embedding of 136, a narrow last chunk", 17, 2, 136, 3, 0.1f, 1, 1, false, false, {}, {}},
    {"five blocks of rows, five spans", 300, 2, 32, 10, 0.1f, 1, 1, false, false, {}, {}},
    {"SimCLR, two blocks, four views", 50, 4, 40, 0, 0.2f, 1, 1, true, false, {}, {}},
    {"anchors of the first view in two blocks", 90, 2, 24, 6, 0.1f, 1, 1, false, true, {}, {}},
    {"two rows", 1, 2, 16, 1, 0.5f, 1, 1, false, false, {}, {}},
    {"one row", 1, 1, 16, 1, 0.5f, 1, 1, false, false, {}, {}},
    /* |s| reaches 9000: its rounding alone is 5e-4 */
    {"one element, long rows of both signs", 9, 2, 1, 0, 0.1f, 30, 100, true, false, {}, {}},
};

/* Spans of two blocks of columns each. */
static problem large = {"2100 rows", 1050, 2, 16, 40, 0.1f, 1, 1, false, false, {}, {}};

static void not_a_number()
{
    problem p = {"", 40, 2, 32, 5, 0.1f, 1, 1, false, false, {}, {}};
    fill(&p);
    p.z[77] = NAN;
    for (int m = 0; m < K_CONTRAST_N; m++) {
        result r = run(p, (k_contrast_method)m);
        expect(r.stats[STAT_LOSS] != r.stats[STAT_LOSS], "NaN in z is NaN in the loss",
               methods[m].name);
    }
}

/* Every pair of rows belongs to one block, at every size; about two blocks per multiprocessor. */
static void cuts()
{
    bool covered = true, filled = true;
    for (int m = 1; m < 70000; m = m < 3000 ? m + 1 : m + 997) {
        contrast_cut c = contrast_cut_of(m, 128);
        covered &= c.rows >= m && c.rows - m < CONTRAST_ROWS && c.span % CONTRAST_LOOK == 0 &&
                   c.spans * c.span >= c.rows && (c.spans - 1) * c.span < c.rows;
        filled &= c.row_blocks * c.spans >= 2 * SM_COUNT * 2 / 3 || c.spans == c.row_blocks;
    }
    expect(covered, "spans cover the rows at every size");
    expect(filled, "at every size the blocks fill the multiprocessors, or there is no more to cut");
    contrast_cut c = contrast_cut_of(8192, 128);
    expect(c.row_blocks == 64 && c.spans == 4, "8192 rows make 64 x 4 blocks");
}

int main()
{
    for (problem &p : problems) {
        fill(&p);
        answer want = solve(p);
        for (int m = 0; m < K_CONTRAST_N; m++)
            check(p, want, (k_contrast_method)m);
    }
    fill(&large);
    check(large, solve(large), K_CONTRAST_BF16X3);
    not_a_number();
    cuts();
    printf("1..%d\n", number);
    return failures > 0;
}
