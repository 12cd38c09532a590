/*
 * One training run without threads or events: device, data set, splits, network, plans, loader, and
 * the step. A step is loader_next, upload, forward, backward, and then either everything enters
 * (weights, running statistics) or, should loss or gradients not be finite, nothing does. The
 * numbers of a step are bit-reproducible; its times are not.
 *
 * What resuming needs besides the parameter store stands in `struct checkpoint_state`: epoch and
 * position follow from the count of completed steps, randomness from seed and position.
 */
#ifndef SUPCON_ENGINE_TRAINER_H
#define SUPCON_ENGINE_TRAINER_H

#include "backend/tuning.h"
#include "data/loader.h"
#include "engine/checkpoint.h"
#include "engine/feed.h"
#include "engine/network.h"
#include "engine/settings.h"
#include "nn/step.h"
#include "optim/optim.h"

struct step_stats {
    int64_t step;    /* updates completed before this one */
    double loss;     /* of the objective */
    double acc;      /* per cent: classifier, or nearest neighbour in the batch; NaN unknown */
    double probe;    /* per cent: the online probe; NaN without one */
    double position; /* of the loss, 0 floor .. 1 plateau; NaN where meaningless */
    double lr, grad_norm;
    double temperature; /* NaN: the objective has none */
    int32_t lonely;     /* anchors without positives */
    int32_t batch, views;
    bool finite;             /* false: nothing was learned, the step did not happen */
    double data_ms, step_ms; /* waiting for data; all of the step */
};

/* What the host knows of a step that is on its way. */
struct in_flight {
    int64_t start; /* microseconds */
    double data_ms, lr, low, high;
    int32_t batch, views;
};

/* Called before each part of the preparation, and, while algorithms are chosen, before each layer
 * and each timing, with which layer it is of how many (0 of 0: nothing to count); false ends the
 * preparation with EXIT_AGAIN. */
typedef bool trainer_phase_fn(void *ctx, const char *text, int part, int parts);

struct trainer_watch {
    trainer_phase_fn *phase; /* may be NULL */
    void *ctx;
};

struct trainer {
    struct settings settings;
    struct tuning *tuning;      /* owned */
    struct trainer_watch watch; /* who hears of the preparation, and of a switch */
    bool told_of_timing;
    struct device dev;
    struct dataset data;
    struct split train, valid;
    struct network net;
    struct checkpoint_state state; /* epoch, position: of the next batch */
    int64_t per_epoch;             /* steps */
    int64_t scheduled;             /* steps the schedule spans: epochs * per_epoch */
    int64_t total;                 /* steps of the run: the smaller of scheduled and max_iters */

    const struct objective_class *objective; /* in force */
    const struct optim_class *rule, *probe_rule;
    struct plan *plan; /* training plan of the objective in force */
    struct plan *eval; /* evaluation plan with eval_head, NULL without validation split */
    enum param_group eval_head;
    int eval_batch;
    struct feed feed;
    struct loader *loader;
    int loader_views;
    struct step *step;                            /* of `plan` */
    struct in_flight in_flight[DEVICE_DEPTH_MAX]; /* at step % DEVICE_DEPTH_MAX */
    int64_t last_step; /* when the last one's numbers came, microseconds */
};

/* What can be checked before a run directory is made: data set, splits, batch size, device.
 * `record` (borrowed, may be NULL) is the tuning record of a run that is repeated or resumed. */
int trainer_open(struct trainer *, const struct settings *, const json_t *record,
                 const struct trainer_watch *, struct err *);

/* The rest: network with seeded weights or init.weights, or with the state of `checkpoint` (a
 * folder; NULL: step 0); plans; loader. After it trainer_step may be called. */
int trainer_ready(struct trainer *, const char *checkpoint, const struct trainer_watch *,
                  struct err *);

void trainer_close(struct trainer *); /* a zeroed or half-open one is fine */

/* The numbers of the next step. A device with its own time is kept busy with the steps behind it,
 * up to step `limit` (exclusive), which are on their way when this returns; `state` counts the
 * steps whose numbers have come. When stats->finite is false, weights, statistics and state are as
 * before, nothing is on its way, and the same batch comes again. */
int trainer_step(struct trainer *, int64_t limit, struct step_stats *, struct err *);
/* Steps on their way. While there are any, only trainer_step and trainer_close may be called. */
int trainer_in_flight(const struct trainer *);

/* From the next step on, train `name`. Weights, statistics and optimizer state stay; a head that is
 * not live starts from its seeded values. The state records it. On failure nothing has changed;
 * EXIT_AGAIN: whoever watches ended it. */
int trainer_switch(struct trainer *, const char *name, struct err *);

bool trainer_finished(const struct trainer *);
/* The last completed step ended an epoch or the run, and its validation result is not known yet. */
bool trainer_wants_validation(const struct trainer *);

/* Views `objective` trains with under these settings: the recipe's own objective, and those that
 * want as many, take augment.views; others what they want themselves. */
int trainer_views(const struct settings *, const struct objective_class *objective);

#endif
