/*
 * One training run without threads, events or files: device, data set, splits, network, plans,
 * loader, and the step. A step is loader_next, upload, forward, backward, and then either
 * everything enters (weights, running statistics) or, should loss or gradients not be finite,
 * nothing does. The numbers of a step are bit-reproducible; its times are not.
 *
 * What resuming needs besides the parameter store stands in `struct train_state`: epoch and
 * position within it follow from the count of completed steps, randomness from seed and position.
 */
#ifndef SUPCON_ENGINE_TRAINER_H
#define SUPCON_ENGINE_TRAINER_H

#include "backend/tuning.h"
#include "data/loader.h"
#include "engine/network.h"
#include "engine/settings.h"

enum { SWITCHES_MAX = 64, OBJECTIVES_MAX = 16 };

struct train_state {
    int64_t step;       /* completed updates */
    char objective[32]; /* in force */
    int n_switches;     /* history, oldest first */
    struct switch_record {
        int64_t step;
        char from[32], to[32];
    } switches[SWITCHES_MAX];
    int64_t validated; /* step of the last validation, -1: none yet */
    double valid_loss; /* of the last validation */
    double valid_top1; /* per cent */
    double valid_top5; /* per cent */
    double best_top1;  /* per cent, -1: none yet */
    int64_t best_step; /* -1: none yet */
};

struct step_stats {
    double loss, acc, probe_acc, position; /* acc in per cent; NaN: unknown or meaningless */
    double lr, grad_norm, temperature;     /* temperature NaN: the objective has none */
    int32_t lonely;                        /* anchors without positives */
    int32_t batch, views;
    bool finite;             /* false: nothing was learned, the step did not happen */
    double data_ms, step_ms; /* wait for data; all of the step */
};

struct trainer {
    struct settings settings;
    struct tuning *tuning; /* owned */
    struct device dev;
    struct dataset data;
    struct split train, valid;
    struct network net;
    struct train_state state;
    int64_t per_epoch, total; /* steps; total: of the whole run, train.max_iters counted */

    const struct objective_class *objective;
    struct plan *plan[OBJECTIVES_MAX]; /* training plans by index in objective_classes, or NULL */
    struct plan *eval[GROUP_N];        /* evaluation plans by head, or NULL */
    struct loader *loader;
    struct batch *held; /* of a step that was not accepted: tried again */
};

/* Steps of preparation, in order. `phase` (may be NULL) is called with a text before each; when it
 * returns false preparation ends with EXIT_AGAIN. */
typedef bool trainer_phase_fn(void *ctx, const char *text);

struct trainer_options {
    const struct settings *settings;
    const json_t *tuning; /* record of a run to repeat or resume, or NULL: the cache folder's */
    trainer_phase_fn *phase;
    void *ctx;
};

/* Everything that can be checked before a run directory is made: data set, splits, device. */
int trainer_open(struct trainer *, const struct trainer_options *, struct err *);
/* Network with initial weights (init.weights included); state of step 0. A checkpoint is loaded
 * into t->net, t->state after this and before trainer_ready. */
int trainer_build(struct trainer *, const struct trainer_options *, struct err *);
/* Plans for the objective in force and for validation, loader at the state's position. */
int trainer_ready(struct trainer *, const struct trainer_options *, struct err *);
void trainer_close(struct trainer *); /* a zeroed or half-open one is fine */

int trainer_step(struct trainer *, struct step_stats *, struct err *);

/* From the next step on, train `objective`. Weights, statistics and optimizer state stay; a head
 * that is not live starts from its seeded values. Recorded in the state. On failure nothing
 * changed. */
int trainer_switch(struct trainer *, const char *objective, struct err *);

int64_t trainer_epoch(const struct trainer *);     /* of the next step */
bool trainer_at_epoch_end(const struct trainer *); /* the last completed step ended an epoch */
bool trainer_finished(const struct trainer *);
/* Views the objective trains with in this run. */
int trainer_views(const struct settings *, const struct objective_class *);
/* The head whose logits validation reads: GROUP_FC, or GROUP_PROBE for contrastive objectives. */
enum param_group trainer_head(const struct objective_class *);

#endif
