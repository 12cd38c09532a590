/*
 * The contrastive loss: SupCon L_out (Khosla et al. 2020, Eq. 2) and NT-Xent (Chen et al. 2020),
 * which is the same with the sample's number for its label.
 *
 *   L_i = lse_i - 1/|P_i| sum_{p in P_i} s_ip,  lse_i = log sum_{a != i} exp s_ia
 *   tau dL/dz_i ~ sum_j (p_ij + p_ji) z_j - sum_{p in P_i} (1/|P_i| + 1/|P_p|) z_p
 *
 * The M x M matrix s is never stored. Positives reduce to sums over groups of equal labels, O(M D),
 * so that tiles know no labels; a tile is computed once for both of its triangles. Forward finds
 * largest score and sum of exponentials of each row (any temperature, any length of z); backward
 * computes the tiles again. Blocks meet in pairs as in a tournament: in a round no block plays
 * twice, so threads never write to the same rows and sums are added in one order.
 */
#include "backend/cpu/contrast.h"
#include "backend/cpu/cpu.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct loss {
    const struct device *dev;
    const struct contrast *tiles;
    const struct op_attr *attr;
    const float *z; /* [m, d] */
    const int32_t *labels;
    int64_t m, n, d, anchors; /* M rows of N samples; rows 0 .. anchors-1 are anchors */
    int64_t blocks, width;    /* of TILE rows; d padded to whole tiles */

    /* kept for backward, one entry per row (padded to whole blocks) or group */
    float *top, *share;         /* largest score; 1 / sum of exp2(s - top), 0: not counted */
    int32_t *group, *count;     /* of a row; rows in a group */
    double *sums, *anchor_sums; /* [groups, d]: sum of z over rows, over anchors */
    int32_t *n_groups;

    /* scratch */
    float *pack, *rows, *dz; /* z as [blocks][d][TILE]; as [rows][width]; its gradient */
    double *sum, *row_loss;
    int32_t *nearest, *table; /* table: hash of labels */
    int64_t table_size;
};

/* Below some hundred microseconds of work, waking the other threads costs more than they do. */
enum { SMALL = 1 << 23 }; /* M^2 D */

static void each(const struct loss *l, int64_t n, int64_t chunk,
                 void (*fn)(void *ctx, int64_t begin, int64_t end), void *ctx)
{
    bool small = l->m * l->m * l->d <= SMALL;
    cpu_chunks(l->dev, n, small ? n : chunk, fn, ctx);
}

static void *carve(uintptr_t *at, int64_t count, size_t size)
{
    uintptr_t here = *at;
    *at += ((size_t)count * size + 63) / 64 * 64;
    return (void *)here;
}

static size_t place_saved(struct loss *l, void *base)
{
    uintptr_t at = (uintptr_t)base;
    l->top = carve(&at, l->blocks * TILE, sizeof *l->top);
    l->share = carve(&at, l->blocks * TILE, sizeof *l->share);
    l->group = carve(&at, l->n, sizeof *l->group);
    l->count = carve(&at, l->n, sizeof *l->count);
    l->n_groups = carve(&at, 1, sizeof *l->n_groups);
    l->sums = carve(&at, l->n * l->d, sizeof *l->sums);
    l->anchor_sums = l->sums;
    if (l->anchors < l->m)
        l->anchor_sums = carve(&at, l->n * l->d, sizeof *l->anchor_sums);
    return at - (uintptr_t)base;
}

static size_t place_workspace(struct loss *l, void *base)
{
    uintptr_t at = (uintptr_t)base;
    int64_t rows = l->blocks * TILE;
    l->pack = carve(&at, rows * l->d, sizeof *l->pack);
    l->rows = carve(&at, rows * l->width, sizeof *l->rows);
    l->dz = carve(&at, rows * l->width, sizeof *l->dz);
    l->sum = carve(&at, rows, sizeof *l->sum);
    l->row_loss = carve(&at, rows, sizeof *l->row_loss);
    l->nearest = carve(&at, rows, sizeof *l->nearest);
    l->table = carve(&at, l->table_size, sizeof *l->table);
    return at - (uintptr_t)base;
}

static struct loss loss_of(const struct device *dev, const struct call *call)
{
    static const struct contrast *const tables[ISA_N] = {
        [ISA_BASE] = &contrast_base,
#if defined __x86_64__
        [ISA_AVX2] = &contrast_avx2,
        [ISA_AVX512] = &contrast_avx512,
#endif
    };
    const struct tensor *z = call->in[0], *labels = call->in[1];
    struct loss l = {.dev = dev,
                     .tiles = tables[cpu_isa(dev)],
                     .attr = &call->attr,
                     .z = z->data,
                     .labels = labels->data,
                     .m = z->dim[0],
                     .n = labels->dim[0],
                     .d = z->dim[1],
                     .table_size = 4};
    l.anchors = call->attr.anchors_one ? l.n : l.m;
    l.blocks = (l.m + TILE - 1) / TILE;
    l.width = (l.d + TILE - 1) / TILE * TILE;
    while (l.table_size < 2 * l.n)
        l.table_size *= 2;
    return l;
}

/* Number the labels 0, 1, ... in order of appearance, by open addressing. */
static void group_labels(struct loss *l)
{
    *l->n_groups = 0;
    memset(l->table, 0xFF, (size_t)l->table_size * sizeof *l->table);
    for (int64_t i = 0; i < l->n; i++) {
        uint64_t at = (uint32_t)l->labels[i] * UINT64_C(0x9E3779B97F4A7C15) >> 32;
        at &= (uint64_t)l->table_size - 1;
        while (l->table[at] >= 0 && l->labels[l->table[at]] != l->labels[i])
            at = (at + 1) & ((uint64_t)l->table_size - 1);
        if (l->table[at] < 0) { /* the first sample of its label */
            l->table[at] = (int32_t)i;
            l->count[*l->n_groups] = 0;
            l->group[i] = (*l->n_groups)++;
        }
        l->group[i] = l->group[l->table[at]];
    }
}

static void group_samples(struct loss *l)
{
    *l->n_groups = (int32_t)l->n;
    for (int64_t i = 0; i < l->n; i++) {
        l->group[i] = (int32_t)i;
        l->count[i] = 0;
    }
}

static void group_rows(struct loss *l)
{
    if (l->attr->simclr)
        group_samples(l);
    else
        group_labels(l);
    for (int64_t i = 0; i < l->m; i++)
        l->count[l->group[i % l->n]]++;
}

static void sum_groups(void *ctx, int64_t begin, int64_t end)
{
    struct loss *l = ctx;
    for (int64_t g = 0; g < *l->n_groups; g++)
        for (int64_t k = begin; k < end; k++)
            l->sums[g * l->d + k] = l->anchor_sums[g * l->d + k] = 0;
    for (int64_t i = 0; i < l->m; i++) {
        double *sum = l->sums + l->group[i % l->n] * l->d;
        double *anchor_sum = l->anchor_sums + l->group[i % l->n] * l->d;
        for (int64_t k = begin; k < end; k++)
            sum[k] += (double)l->z[i * l->d + k];
        for (int64_t k = begin; k < end && l->anchors < l->m && i < l->anchors; k++)
            anchor_sum[k] += (double)l->z[i * l->d + k];
    }
}

/* Blocks of z, transposed, with zeros behind the last row. */
static void pack_blocks(void *ctx, int64_t begin, int64_t end)
{
    struct loss *l = ctx;
    for (int64_t i = begin * TILE; i < end * TILE; i++) {
        float *to = l->pack + i / TILE * TILE * l->d + i % TILE;
        for (int64_t k = 0; k < l->d; k++)
            to[k * TILE] = i < l->m ? l->z[i * l->d + k] : 0;
    }
}

static void pad_rows(void *ctx, int64_t begin, int64_t end)
{
    struct loss *l = ctx;
    memset(l->dz + begin * l->width, 0, (size_t)((end - begin) * l->width) * sizeof *l->dz);
    memset(l->rows + begin * l->width, 0, (size_t)((end - begin) * l->width) * sizeof *l->rows);
    for (int64_t i = begin; i < end && i < l->m; i++)
        memcpy(l->rows + i * l->width, l->z + i * l->d, (size_t)l->d * sizeof *l->z);
}

/* --- the tournament --- */

/* A player is a team of neighbouring blocks: 16 players, or more when teams would exceed 8. Fewer
 * rounds are fewer times to wait for each other; what they are depends on M alone. */
struct round {
    struct loss *l;
    void (*meet)(struct loss *, int64_t a, int64_t b);
    int64_t team, players, number;
};

/* Every block of team a with every block of team b, each pair once, the lower block first. */
static void meet_team(const struct round *r, int64_t a, int64_t b)
{
    int64_t end_a = (a + 1) * r->team, end_b = (b + 1) * r->team;
    for (int64_t i = a * r->team; i < end_a && i < r->l->blocks; i++)
        for (int64_t j = a == b ? i : b * r->team; j < end_b && j < r->l->blocks; j++)
            r->meet(r->l, i, j);
}

static void meet_itself(void *ctx, int64_t begin, int64_t end)
{
    for (int64_t a = begin; a < end; a++)
        meet_team(ctx, a, a);
}

/* The circle method: the last player stays, the others move on by one each round. */
static void meet_others(void *ctx, int64_t begin, int64_t end)
{
    struct round *r = ctx;
    int64_t circle = r->players - 1;
    for (int64_t k = begin; k < end; k++) {
        int64_t a = (r->number + k) % circle;
        int64_t b = k == 0 ? circle : (r->number - k + circle) % circle;
        meet_team(r, a < b ? a : b, a < b ? b : a);
    }
}

static void tournament(struct loss *l, void (*meet)(struct loss *, int64_t, int64_t))
{
    struct round r = {.l = l, .meet = meet, .team = (l->blocks + 15) / 16};
    r.team = r.team > 8 ? 8 : r.team;
    r.players = (l->blocks + r.team - 1) / r.team;
    r.players += r.players % 2; /* one without blocks, if need be */
    each(l, r.players, 1, meet_itself, &r);
    for (; r.number < r.players - 1; r.number++)
        each(l, r.players / 2, 1, meet_others, &r);
}

/* Scores of blocks a and b; what is no pair is marked. */
static void score_tile(const struct loss *l, int64_t a, int64_t b, float *s)
{
    float scale = (float)(M_LOG2E / (double)l->attr->temperature);
    int64_t rows = l->m - a * TILE, columns = l->m - b * TILE;
    l->tiles->scores(l->pack + a * TILE * l->d, l->pack + b * TILE * l->d, l->d, scale, s);
    for (int i = 0; i < TILE && a == b; i++)
        s[i * TILE + i] = NO_PAIR;
    for (int64_t i = 0; i < TILE && (rows < TILE || columns < TILE); i++)
        for (int64_t j = i < rows ? columns : 0; j < TILE; j++)
            s[i * TILE + j] = NO_PAIR;
}

static void look(struct loss *l, int64_t a, int64_t b)
{
    _Alignas(64) float s[TILE * TILE];
    struct seen seen = {l->top, l->nearest, l->sum};
    score_tile(l, a, b, s);
    l->tiles->see_rows(s, a * TILE, b * TILE, &seen);
    if (a != b)
        l->tiles->see_columns(s, a * TILE, b * TILE, &seen);
}

static void pull(struct loss *l, int64_t a, int64_t b)
{
    _Alignas(64) float s[TILE * TILE];
    int64_t row = a * TILE, column = b * TILE, w = l->width;
    score_tile(l, a, b, s);
    l->tiles->weigh(s, l->top + row, l->share + row, l->top + column, l->share + column);
    l->tiles->spread(s, l->rows + column * w, w, l->dz + row * w);
    if (a != b)
        l->tiles->spread_transposed(s, l->rows + row * w, w, l->dz + column * w);
}

/* --- rows --- */

/* z_i . (C - z_i), C the sum of its group; for an anchor alone in its group 0, or NaN if z is. */
static double positive_score(const struct loss *l, int64_t i, int64_t n_positive)
{
    const float *z = l->z + i * l->d;
    const double *sum = l->sums + l->group[i % l->n] * l->d;
    double dot = 0;
    for (int64_t k = 0; k < l->d; k++)
        dot += (double)z[k] * (n_positive ? sum[k] - (double)z[k] : 0);
    return dot / (double)(n_positive ? n_positive : 1) / (double)l->attr->temperature;
}

static void finish_rows(void *ctx, int64_t begin, int64_t end)
{
    struct loss *l = ctx;
    for (int64_t i = begin; i < end; i++) {
        int64_t n_positive = i < l->anchors ? l->count[l->group[i % l->n]] - 1 : 0;
        l->share[i] = n_positive ? (float)(1 / l->sum[i]) : 0;
        l->row_loss[i] = i < l->anchors ? -positive_score(l, i, n_positive) : 0;
        if (n_positive)
            l->row_loss[i] += M_LN2 * ((double)l->top[i] + log2(l->sum[i]));
    }
}

static void statistics(const struct loss *l, float *stats)
{
    double loss = 0;
    int64_t top1 = 0, lonely = 0;
    for (int64_t i = 0; i < l->anchors; i++) {
        int32_t nearest = l->nearest[i], group = l->group[i % l->n];
        loss += l->row_loss[i];
        lonely += l->count[group] == 1;
        top1 += nearest >= 0 && l->group[nearest % l->n] == group;
    }
    memset(stats, 0, STAT_N * sizeof *stats);
    stats[STAT_LOSS] = (float)(loss * (double)l->attr->scale / (double)l->anchors);
    stats[STAT_TOP1] = (float)top1;
    stats[STAT_LONELY] = (float)lonely;
    stats[STAT_ROWS] = (float)l->anchors;
}

/* What the tiles have pulled, less the positives: of anchors z_i is one, and of which it is one. */
static void finish_gradient(void *ctx, int64_t begin, int64_t end)
{
    struct loss *l = ((void **)ctx)[0];
    float *out = ((void **)ctx)[1];
    double c = (double)l->attr->scale / (double)l->attr->temperature / (double)l->anchors;
    for (int64_t i = begin; i < end; i++) {
        int64_t g = l->group[i % l->n], n_positive = l->count[g] - 1;
        double anchor = i < l->anchors, share = n_positive ? 1 / (double)n_positive : 0;
        for (int64_t k = 0; k < l->d; k++) {
            double z = (double)l->z[i * l->d + k];
            double own = anchor * (l->sums[g * l->d + k] - z);
            double others = l->anchor_sums[g * l->d + k] - anchor * z;
            double pulled = (double)l->dz[i * l->width + k];
            out[i * l->d + k] = (float)(c * (pulled - share * (own + others)));
        }
    }
}

/* --- the kernel --- */

static int prepare(struct device *dev, struct call *call, struct err *e)
{
    const struct tensor *z = call->in[0], *labels = call->in[1];
    if (z->dim[0] != labels->dim[0] * call->attr.views)
        return err_set(e, EXIT_SOFTWARE, "%s: %lld rows for %lld samples in %d views", call->name,
                       (long long)z->dim[0], (long long)labels->dim[0], call->attr.views);
    if (!(call->attr.temperature > 0))
        return err_set(e, EXIT_CONFIG, "%s: temperature %g; it must be positive", call->name,
                       (double)call->attr.temperature);
    struct loss l = loss_of(dev, call);
    call->saved_bytes = place_saved(&l, NULL);
    call->workspace_bytes = place_workspace(&l, NULL);
    return 0;
}

static int forward(struct device *dev, struct call *call, struct err *e)
{
    struct loss l = loss_of(dev, call);
    (void)e;
    place_saved(&l, call->saved);
    place_workspace(&l, call->workspace);
    group_rows(&l);
    for (int64_t i = 0; i < l.blocks * TILE; i++) {
        l.top[i] = NO_PAIR;
        l.nearest[i] = -1;
        l.sum[i] = 0;
    }
    each(&l, l.d, 32, sum_groups, &l);
    each(&l, l.blocks, 1, pack_blocks, &l);
    tournament(&l, look);
    each(&l, l.blocks * TILE, TILE, finish_rows, &l);
    statistics(&l, call->out->data);
    return 0;
}

static int backward(struct device *dev, struct call *call, struct err *e)
{
    struct loss l = loss_of(dev, call);
    void *ctx[] = {&l, call->din[0] ? call->din[0]->data : NULL};
    (void)e;
    if (!call->din[0])
        return 0;
    place_saved(&l, call->saved);
    place_workspace(&l, call->workspace);
    each(&l, l.blocks, 1, pack_blocks, &l);
    each(&l, l.blocks * TILE, TILE, pad_rows, &l);
    tournament(&l, pull);
    each(&l, l.m, 16, finish_gradient, ctx);
    return 0;
}

static void done(struct device *dev, struct call *call)
{
    (void)dev;
    (void)call;
}

const struct kernel cpu_contrastive = {
    .prepare = prepare, .forward = forward, .backward = backward, .done = done};
