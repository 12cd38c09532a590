/*
 * Best fit by decreasing size; see memplan.h. Quadratic in the number of buffers, which is a few
 * thousand for the deepest networks.
 */
#include "nn/memplan.h"

#include <stdlib.h>

static size_t round_up(size_t bytes)
{
    return (bytes + MEMPLAN_ALIGN - 1) / MEMPLAN_ALIGN * MEMPLAN_ALIGN;
}

static bool together(const struct extent *a, const struct extent *b)
{
    return a->first <= b->last && b->first <= a->last;
}

struct rank {
    const struct extent *extent;
    int index;
};

/* Largest first; equal sizes by beginning, then as given, so that the plan is reproducible. */
static int by_size(const void *pa, const void *pb)
{
    const struct rank *a = pa, *b = pb;
    if (a->extent->bytes != b->extent->bytes)
        return a->extent->bytes < b->extent->bytes ? 1 : -1;
    if (a->extent->first != b->extent->first)
        return a->extent->first < b->extent->first ? -1 : 1;
    return a->index - b->index;
}

/* The tightest gap for x between those of `placed` (sorted by offset) that live at the same time.
 */
static size_t best_gap(const struct extent *all, const int *placed, int n, const struct extent *x)
{
    size_t need = round_up(x->bytes), at = 0, best = 0, slack = (size_t)-1;
    for (int i = 0; i < n; i++) {
        const struct extent *p = &all[placed[i]];
        if (!together(p, x))
            continue;
        if (p->offset >= at + need && p->offset - at - need < slack) {
            slack = p->offset - at - need;
            best = at;
        }
        if (p->offset + round_up(p->bytes) > at)
            at = p->offset + round_up(p->bytes);
    }
    return slack == (size_t)-1 ? at : best;
}

static void insert(const struct extent *all, int *placed, int n, int index)
{
    while (n > 0 && all[placed[n - 1]].offset > all[index].offset) {
        placed[n] = placed[n - 1];
        n--;
    }
    placed[n] = index;
}

size_t memplan_place(struct extent *extents, int n, bool *ok)
{
    struct rank *order = calloc((size_t)n + 1, sizeof *order);
    int *placed = calloc((size_t)n + 1, sizeof *placed);
    size_t total = 0;
    int n_placed = 0;
    *ok = order && placed;
    for (int i = 0; *ok && i < n; i++)
        order[i] = (struct rank){&extents[i], i};
    if (*ok)
        qsort(order, (size_t)n, sizeof *order, by_size);
    for (int i = 0; *ok && i < n; i++) {
        struct extent *x = &extents[order[i].index];
        x->offset = 0;
        if (x->bytes == 0)
            continue;
        x->offset = best_gap(extents, placed, n_placed, x);
        insert(extents, placed, n_placed++, order[i].index);
        if (x->offset + round_up(x->bytes) > total)
            total = x->offset + round_up(x->bytes);
    }
    free(order);
    free(placed);
    return total;
}

bool memplan_check(const struct extent *extents, int n, size_t total, int *a, int *b)
{
    for (*a = 0; *a < n; ++*a) {
        const struct extent *x = &extents[*a];
        *b = -1;
        if (x->offset % MEMPLAN_ALIGN || x->offset + x->bytes > total)
            return false;
        for (*b = 0; *b < *a; ++*b) {
            const struct extent *y = &extents[*b];
            bool apart = x->offset + x->bytes <= y->offset || y->offset + y->bytes <= x->offset;
            if (x->bytes && y->bytes && together(x, y) && !apart)
                return false;
        }
    }
    return true;
}

size_t memplan_floor(const struct extent *extents, int n)
{
    size_t most = 0;
    for (int i = 0; i < n; i++) { /* the maximum is reached where some extent begins */
        size_t sum = 0;
        for (int j = 0; j < n; j++)
            if (extents[j].first <= extents[i].first && extents[i].first <= extents[j].last)
                sum += round_up(extents[j].bytes);
        if (sum > most)
            most = sum;
    }
    return most;
}
