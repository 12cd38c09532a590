/* What the files of linear.h share among themselves. */
#ifndef SUPCON_ENGINE_LINEAR_PART_H
#define SUPCON_ENGINE_LINEAR_PART_H

#include "data/loader.h"
#include "engine/linear.h"
#include "engine/network.h"
#include "optim/optim.h"

/* Features of one split: in order when cached, else per batch. */
struct features {
    int64_t n;
    int dim;
    float *x;       /* [n, dim] */
    int32_t *label; /* [n] */
};

/* The frozen encoder with the plan that computes features of a batch. */
struct encoder {
    struct network net;
    struct plan *plan;
    int batch, dim;
};

int encoder_open(struct encoder *, struct device *, const struct settings *,
                 const struct network_shape *, const char *checkpoint, int batch, struct err *);
void encoder_close(struct encoder *); /* a zeroed one is fine */
/* images [batch,...] -> x [batch,dim] */
int encoder_run(struct encoder *, const float *images, float *x, struct err *);

void features_free(struct features *);
/* All features of a split, without augmentation. `tick` is called before each batch with (done, of
 * how many); true: cancel, and features stay incomplete with *cancelled set. */
struct tick {
    bool (*fn)(void *ctx, const char *what, int64_t done, int64_t of);
    void *ctx;
    const char *what;
};
int features_extract(struct encoder *, const struct dataset *, const struct split *,
                     const struct settings *, const struct tick *, struct features *,
                     bool *cancelled, struct err *);

/* Linear classifiers over one input, trained side by side: parameters head.K.weight, head.K.bias,
 * which start from one seeded draw. */
struct heads {
    struct device *dev;
    struct params *params;
    struct plan *train, *eval;
    const struct optim_class *rule;
    struct optim_hyper hyper;
    struct optim_hyper *in_force; /* device memory, [CONF_LIST_MAX]: with the rate of the step */
    struct schedule_conf schedule;
    int n, batch, dim, n_classes;
    int64_t total, per_epoch;
    double rate[CONF_LIST_MAX];
    bool diverged[CONF_LIST_MAX];
};

struct heads_shape {
    int batch, dim, n_classes;
};
int heads_open(struct heads *, struct device *, const struct heads_shape *,
               const struct linear_conf *, uint64_t seed, struct err *);
void heads_close(struct heads *); /* a zeroed one is fine */
/* One update of every head that has not diverged. loss, acc [n]: of this batch, per cent. */
int heads_step(struct heads *, int64_t step, const float *x, const int32_t *labels, double *loss,
               double *acc, struct err *);
double heads_rate(const struct heads *, int head, int64_t step);
/* Mean loss, top-1 and top-5 (per cent) of one head. */
int heads_measure(struct heads *, int head, const struct features *, double *loss, double *top1,
                  double *top5, struct err *);

/* RUN/linear/step-NNNNNNNN.json */
int linear_store(const char *run_dir, const struct linear_result *, struct err *);

#endif
