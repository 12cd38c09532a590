/* See race.h. */
#include "backend/cuda/race.h"

enum {
    ROUNDS = 5, /* the first warms up */
    REPEATS_MAX = 20,
    PLACE_BYTES = 4096,
};

/* A measurement takes this long at least, if it can be had by repeating. */
#define LEAST_MS 0.3
/* Engines of last resort can take seconds: a first run of so many milliseconds, and so many times
 * the quickest one, is their last. */
#define SLOW_MS 100
#define SLOW_TIMES 20

struct course {
    struct device *dev;
    race_fn *run;
    void *ctx;
    int n, repeats[RACE_MAX]; /* repeats: of one measurement; 0: it is out */
    double *ms, quickest;     /* quickest: of the first runs */
    cudaEvent_t start, end;
};

static int measure(struct course *r, int i, double *ms, struct err *e)
{
    cudaStream_t stream = cuda_of(r->dev)->compute;
    float all = 0;
    if (CU(e, cudaEventRecord(r->start, stream)))
        return -1;
    for (int k = 0; k < r->repeats[i]; k++)
        if (r->run(r->ctx, i, e))
            return -1;
    if (CU(e, cudaEventRecord(r->end, stream)) || CU(e, cudaEventSynchronize(r->end)) ||
        CU(e, cudaEventElapsedTime(&all, r->start, r->end)))
        return -1;
    *ms = (double)all / r->repeats[i];
    return 0;
}

/* The first turn warms up, the second says how often the others repeat. */
static int take_turn(struct course *r, int i, int round, struct err *e)
{
    double ms = 0;
    if (tuning_timing(r->dev->tuning, e))
        return -1;
    if (measure(r, i, &ms, e)) {
        r->repeats[i] = 0;
        r->ms[i] = RACE_NEVER;
        return e->code == EXIT_UNAVAILABLE ? -1 : 0;
    }
    if (round == 0 && ms > SLOW_MS && ms > SLOW_TIMES * r->quickest)
        r->repeats[i] = 0;
    if (round == 0 && ms < r->quickest)
        r->quickest = ms;
    if (round > 0 && ms < r->ms[i])
        r->ms[i] = ms;
    if (round == 1 && ms < LEAST_MS)
        r->repeats[i] = ms * REPEATS_MAX < LEAST_MS ? REPEATS_MAX : (int)(LEAST_MS / ms) + 1;
    return 0;
}

static bool hopeless(const struct course *r, int i, double best)
{
    return r->repeats[i] == 0 || (r->ms[i] < RACE_NEVER && r->ms[i] > 2 * best);
}

static int all_rounds(struct course *r, struct err *e)
{
    double best = RACE_NEVER;
    for (int round = 0; round < ROUNDS; round++)
        for (int i = 0; i < r->n; i++) {
            if (hopeless(r, i, best))
                continue;
            if (take_turn(r, i, round, e))
                return -1;
            if (r->ms[i] < best)
                best = r->ms[i];
        }
    return best < RACE_NEVER ? 0 : -1; /* all failed: *e says how the last one did */
}

int race(struct device *dev, int n, race_fn *run, void *ctx, double *ms, struct err *e)
{
    struct course r = {
        .dev = dev, .run = run, .ctx = ctx, .n = n, .ms = ms, .quickest = RACE_NEVER};
    for (int i = 0; i < n; i++) {
        r.repeats[i] = 1;
        ms[i] = RACE_NEVER;
    }
    int rc = CU(e, cudaEventCreateWithFlags(&r.start, cudaEventDefault));
    if (rc == 0)
        rc = CU(e, cudaEventCreateWithFlags(&r.end, cudaEventDefault));
    if (rc == 0)
        rc = all_rounds(&r, e);
    if (r.start)
        (void)cudaEventDestroy(r.start);
    if (r.end)
        (void)cudaEventDestroy(r.end);
    return rc;
}

size_t race_place(size_t *total, size_t bytes)
{
    size_t at = *total;
    *total += (bytes + PLACE_BYTES - 1) / PLACE_BYTES * PLACE_BYTES;
    return at;
}
