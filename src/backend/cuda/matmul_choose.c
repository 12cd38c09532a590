/*
 * The timed choice among the algorithms of a product. Candidates are what cuBLASLt's heuristic
 * recommends, fused and apart (matmul.h), less those whose numbers are not wanted: sums in less
 * than f32 always; in f32, inputs that are rounded unless TF32 is allowed; under deterministic =
 * true, splits of the inner dimension that add to C in place, where the library promises that they
 * take turns but not in which order. Splits whose parts are summed in a step of their own stay.
 * They race on random numbers in memory of their own, each with what is made apart behind it. The
 * choice is on record, so that repeating or resuming a run computes the same numbers; and what runs
 * was always made from its text.
 */
#include "backend/cuda/matmul.h"
#include "backend/cuda/race.h"

#include <stdlib.h>
#include <string.h>

enum {
    WORKSPACE_MAX = 32 << 20,
    ALIGNMENT = 16,
    ASKED = 32, /* of each way; the first TAKEN that are wanted race */
    TAKEN = 16,
};

/* Before the text of a product that can be had in two ways. */
static const char *const ways[2] = {"apart/", "fused/"};

struct candidate {
    bool fused;
    cublasLtMatmulAlgo_t algorithm;
    size_t workspace_bytes;
    char text[MATMUL_TEXT];
};

struct choice {
    struct device *dev;
    struct matmul way[2]; /* [1]: fused */
    struct candidate *c;
    int n;
    double ms[2 * TAKEN];
};

static bool has_ways(const struct matmul_shape *s)
{
    return s->undone || s->sums;
}

/* "cuda NVIDIA H200|...|f32|product, bias, relu|512x128 by 2048 nt" */
static void make_key(char *out, size_t size, const struct device *dev, const struct matmul_shape *s)
{
    snprintf(out, size, "%s|%s|product%s%s%s%s|%lldx%lld by %lld %c%c", cuda_of(dev)->tuning_prefix,
             dtype_name(s->dtype), s->bias ? ", bias" : "", s->relu ? ", relu" : "",
             s->undone ? ", undone" : "", s->sums ? ", sums" : "", (long long)s->rows,
             (long long)s->columns, (long long)s->inner, s->a_transposed ? 't' : 'n',
             s->b_transposed ? 't' : 'n');
}

/* --- the record ------------------------------------------------------------------------------- */

/* Which way the text is of; *text moves behind the mark. -1: of none that this product has. */
static int way_of(const struct matmul_shape *s, const char **text)
{
    if (!has_ways(s))
        return 0;
    for (int way = 0; way < 1 + matmul_can_fuse(s); way++) {
        size_t n = strlen(ways[way]);
        if (strncmp(*text, ways[way], n) == 0) {
            *text += n;
            return way;
        }
    }
    return -1;
}

static int rebuild(struct matmul *m, struct device *dev, const struct matmul_shape *s,
                   const char *text, struct err *e)
{
    struct err why = {.msg = "it is no way to make this product"};
    const char *algorithm = text;
    int way = way_of(s, &algorithm);
    if (way >= 0 && matmul_describe(m, dev, s, way, &why) == 0 &&
        matmul_algorithm_read(m, dev, algorithm, &why) == 0) {
        snprintf(m->text, sizeof m->text, "%s", text);
        return 0;
    }
    matmul_done(m);
    return err_set(
        e, EXIT_DATA,
        "the algorithm on record, '%.120s', cannot be made here (%.300s); use the GPU and the "
        "cuBLASLt it was made with, or delete the entry or the record",
        text, why.msg);
}

/* --- candidates ------------------------------------------------------------------------------- */

static bool unwanted(const struct choice *r, const cublasLtMatmulAlgo_t *a)
{
    const struct matmul *m = &r->way[0];
    const uint64_t exact = CUBLASLT_NUMERICAL_IMPL_FLAGS_INPUT_32F,
                   inputs = CUBLASLT_NUMERICAL_IMPL_FLAGS_OP_INPUT_TYPE_MASK;
    uint64_t flags = 0;
    uint32_t reduction = 0;
    size_t n;
    if (cublasLtMatmulAlgoCapGetAttribute(a, CUBLASLT_ALGO_CAP_NUMERICAL_IMPL_FLAGS, &flags,
                                          sizeof flags, &n) != CUBLAS_STATUS_SUCCESS ||
        cublasLtMatmulAlgoConfigGetAttribute(a, CUBLASLT_ALGO_CONFIG_REDUCTION_SCHEME, &reduction,
                                             sizeof reduction, &n) != CUBLAS_STATUS_SUCCESS)
        return true;
    if (flags & CUBLASLT_NUMERICAL_IMPL_FLAGS_ACCUMULATOR_16F)
        return true;
    if (m->shape.dtype == DT_F32 && m->compute == CUBLAS_COMPUTE_32F && (flags & inputs & ~exact))
        return true;
    if (m->shape.dtype == DT_BF16 && reduction > CUBLASLT_REDUCTION_SCHEME_NONE &&
        reduction != CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE)
        return true; /* partial sums in bf16 */
    return r->dev->deterministic && reduction == CUBLASLT_REDUCTION_SCHEME_INPLACE;
}

static void admit(struct choice *r, bool fused, const cublasLtMatmulAlgo_t *a)
{
    struct err ignored = {0};
    struct candidate *c = &r->c[r->n];
    struct matmul *m = &r->way[fused];
    if (unwanted(r, a))
        return;
    matmul_algorithm_write(m, r->dev, a, c->text);
    if (matmul_algorithm_read(m, r->dev, c->text, &ignored) || m->workspace_bytes > WORKSPACE_MAX)
        return;
    c->fused = fused;
    c->algorithm = m->algorithm;
    c->workspace_bytes = m->workspace_bytes;
    r->n++;
}

static int prefer(cublasLtMatmulPreference_t p, struct err *e)
{
    static const cublasLtMatmulPreferenceAttributes_t alignments[] = {
        CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
        CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES};
    const size_t workspace = WORKSPACE_MAX;
    const uint32_t alignment = ALIGNMENT;
    if (BLAS(e, cublasLtMatmulPreferenceSetAttribute(p, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
                                                     &workspace, sizeof workspace)))
        return -1;
    for (int i = 0; i < 4; i++)
        if (BLAS(e, cublasLtMatmulPreferenceSetAttribute(p, alignments[i], &alignment,
                                                         sizeof alignment)))
            return -1;
    return 0;
}

/* How many algorithms the library recommends; it fails where it has none, too. */
static int ask(const struct matmul *m, struct device *dev, cublasLtMatmulPreference_t p,
               cublasLtMatmulHeuristicResult_t out[ASKED])
{
    int n = 0;
    cublasStatus_t status =
        cublasLtMatmulAlgoGetHeuristic(cuda_of(dev)->blas, m->product, m->layout[0], m->layout[1],
                                       m->layout[2], m->layout[2], p, ASKED, out, &n);
    return status == CUBLAS_STATUS_SUCCESS ? n : 0;
}

static int gather_from(struct choice *r, bool fused, struct err *e)
{
    cublasLtMatmulHeuristicResult_t found[ASKED];
    cublasLtMatmulPreference_t p;
    int before = r->n;
    if (BLAS(e, cublasLtMatmulPreferenceCreate(&p)))
        return -1;
    int rc = prefer(p, e);
    int n = rc ? 0 : ask(&r->way[fused], r->dev, p, found);
    (void)cublasLtMatmulPreferenceDestroy(p);
    for (int i = 0; i < n && r->n < before + TAKEN; i++)
        if (found[i].state == CUBLAS_STATUS_SUCCESS)
            admit(r, fused, &found[i].algo);
    return rc;
}

static int gather(struct choice *r, const struct matmul_shape *s, struct err *e)
{
    for (int way = 0; way < 1 + matmul_can_fuse(s); way++)
        if (matmul_describe(&r->way[way], r->dev, s, way, e) || gather_from(r, way, e))
            return -1;
    if (r->n)
        return 0;
    bool exact = s->dtype == DT_F32 && !cuda_of(r->dev)->tf32;
    return err_set(e, EXIT_UNAVAILABLE, "cuBLASLt %zu has no %salgorithm for this product%s",
                   cublasLtGetVersion(), r->dev->deterministic ? "deterministic " : "",
                   exact ? " in f32; SUPCON_CUDA_TF32=on allows TF32" : "");
}

/* --- the race --------------------------------------------------------------------------------- */

static int run_candidate(void *ctx, int i, struct err *e)
{
    struct choice *r = ctx;
    struct matmul *m = &r->way[r->c[i].fused];
    m->algorithm = r->c[i].algorithm;
    m->workspace_bytes = r->c[i].workspace_bytes;
    return matmul_run(m, r->dev, e);
}

static int time_all(struct choice *r, const struct matmul_shape *s, struct err *e)
{
    size_t total = 0, workspace = 0, element = dtype_size(s->dtype);
    char *base = NULL;
    for (int i = 0; i < r->n; i++)
        if (r->c[i].workspace_bytes > workspace)
            workspace = r->c[i].workspace_bytes;
    size_t a = race_place(&total, (size_t)(s->rows * s->inner) * element);
    size_t b = race_place(&total, (size_t)(s->columns * s->inner) * element);
    size_t c = race_place(&total, (size_t)(s->rows * s->columns) * element);
    size_t bias = race_place(&total, (size_t)s->columns * sizeof(float));
    size_t kept = race_place(&total, matmul_kept_bytes(&r->way[0])); /* apart: the more */
    size_t sums = race_place(&total, (size_t)s->rows * sizeof(float));
    size_t scratch = race_place(&total, workspace);
    if (cuda_noise(r->dev, total, s->dtype, (void **)&base, e))
        return -1;
    const struct matmul_places at = {.a = base + a,
                                     .b = base + b,
                                     .bias = (float *)(base + bias),
                                     .c = base + c,
                                     .kept = base + kept,
                                     .sums = (float *)(base + sums),
                                     .workspace = base + scratch};
    int rc = 0;
    for (int way = 0; rc == 0 && way < 2; way++)
        if (r->way[way].product)
            rc = matmul_bind(&r->way[way], &at, e);
    if (rc == 0)
        rc = race(r->dev, r->n, run_candidate, r, r->ms, e);
    cuda_free(r->dev, base, total);
    return rc;
}

static int winner(const struct choice *r)
{
    int best = 0;
    for (int i = 1; i < r->n; i++)
        if (r->ms[i] < r->ms[best])
            best = i;
    return best;
}

static void take(struct matmul *m, struct choice *r, int i)
{
    const struct candidate *c = &r->c[i];
    *m = r->way[c->fused];
    r->way[c->fused] = (struct matmul){0};
    m->algorithm = c->algorithm;
    m->workspace_bytes = c->workspace_bytes;
    m->ms = r->ms[i]; /* of one that ran alone: 0 */
    snprintf(m->text, sizeof m->text, "%s%s", has_ways(&m->shape) ? ways[c->fused] : "", c->text);
}

static int choose_fastest(struct matmul *m, struct device *dev, const struct matmul_shape *s,
                          struct err *e)
{
    struct choice r = {.dev = dev};
    r.c = calloc(sizeof r.ms / sizeof *r.ms, sizeof *r.c);
    int rc =
        r.c ? gather(&r, s, e) : err_set(e, EXIT_OS, "out of memory while choosing algorithms");
    if (rc == 0 && r.n > 1 && !s->untimed)
        rc = time_all(&r, s, e);
    if (rc == 0)
        take(m, &r, winner(&r));
    matmul_done(&r.way[0]);
    matmul_done(&r.way[1]);
    free(r.c);
    return rc;
}

int matmul_init(struct matmul *m, struct device *dev, const struct matmul_shape *s, struct err *e)
{
    char key[384];
    double ms = 0;
    *m = (struct matmul){0};
    if (s->untimed)
        return choose_fastest(m, dev, s, e);
    make_key(key, sizeof key, dev, s);
    const char *recorded = tuning_get(dev->tuning, key, &ms);
    if (recorded) {
        if (rebuild(m, dev, s, recorded, e))
            return -1;
        m->ms = ms;
        return 0;
    }
    if (choose_fastest(m, dev, s, e))
        return -1;
    tuning_put(dev->tuning, key, m->text, m->ms);
    return 0;
}
