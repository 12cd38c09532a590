/*
 * Linear evaluation: a linear classifier on the frozen encoder's features. The encoder runs in
 * evaluation mode and its output, not the projection, is the feature (Khosla et al. 2020, section
 * 4; Chen et al. 2020). All rates of linear.lr are trained side by side on the same batches; the
 * one with the highest validation top-1 is reported on the test split, the others are listed.
 * Everything is a pure function of checkpoint, settings and seed. The checkpoint is only read.
 */
#ifndef SUPCON_ENGINE_LINEAR_H
#define SUPCON_ENGINE_LINEAR_H

#include "base/file.h"
#include "engine/settings.h"

struct device;

struct linear_request {
    const char *checkpoint;          /* its folder */
    const struct settings *settings; /* of the run, linear.* perhaps changed */
    struct device *dev;              /* borrowed, open; used by this thread alone meanwhile */
    const char *store;               /* run directory to keep the result in, NULL: do not keep it */
};

struct linear_progress {
    int64_t step;                   /* of the checkpoint */
    const char *phase;              /* "features 12/40", or "" while training */
    int epoch, epochs, iter, iters; /* 0-based but the counts */
    int64_t giter;
    double loss, acc; /* of the best rate so far on this batch; per cent */
    int n_rates;
    double lr; /* that rate at this step of its schedule */
};

struct linear_rate {
    double lr;
    bool diverged;                                                  /* became non-finite: dropped */
    double valid_loss, valid_top1, test_loss, test_top1, test_top5; /* per cent; NaN if diverged */
};

struct linear_result {
    bool cancelled; /* nothing else is set */
    int64_t step;
    char data[32];
    double top1, top5, loss, lr, valid_top1, sec; /* of the best rate, test split; per cent */
    int64_t n_train, n_valid, n_test;             /* images */
    int epochs, batch;
    char optimizer[32], policy[32];
    bool held_out; /* the run has no validation split and there are several rates: a tenth of the
                      training images, by class, chose among them */
    int n_rates;
    struct linear_rate rates[CONF_LIST_MAX];
};

/* Called once per batch; true: cancel. May be NULL. */
typedef bool linear_watch(void *ctx, const struct linear_progress *);

/* EXIT_NOINPUT, EXIT_DATA: the checkpoint or the data; EXIT_DIVERGED: no rate stayed finite. */
int linear_evaluate(const struct linear_request *, linear_watch *, void *ctx,
                    struct linear_result *, struct err *);

/* One line of JSON, as `supcon linear --json` prints it and the run keeps it; the caller frees. */
char *linear_json(const struct linear_result *);

/* Results kept in a run (RUN/linear/step-NNNNNNNN.json), ascending by step; the caller frees. */
int linear_results(const char *run_dir, struct linear_result **out, int *n, struct err *);

#endif
