/* Everything a recipe can say: the sections of all modules in one struct, and the table over it. */
#ifndef SUPCON_ENGINE_SETTINGS_H
#define SUPCON_ENGINE_SETTINGS_H

#include "arch/arch.h"
#include "base/conf.h"
#include "data/data_conf.h"
#include "objective/objective.h"
#include "optim/optim.h"

struct run_conf {    /* top-level keys */
    char name[64];   /* of the run; "": the recipe's file name */
    char runs[1024]; /* folder of run directories, "runs" */
    int64_t seed, threads;
    char device[32];
    bool deterministic;
};

struct train_conf {
    int64_t epochs, batch_size, max_iters,
        log_every; /* max_iters 0: no limit; counts from the start of the run */
};

struct checkpoint_conf {
    int64_t every_epochs, every_iters, keep; /* 0: never; keep: newest K besides the best */
    int64_t retry_seconds;                   /* of a last save that fails */
};

struct linear_conf {
    bool at_end; /* evaluate the last checkpoint when training ends */
    int64_t epochs, batch_size;
    int n_lr;
    double lr[CONF_LIST_MAX];
    char optimizer[32], schedule[32];
    double momentum, weight_decay;
    bool nesterov;
    char policy[32]; /* augmentation of its training images: none (features are cached), crop-flip,
                        simaugment */
};

struct probe_conf {
    double lr; /* of the online linear probe (plain SGD with momentum 0.9, no decay), follows the
                  schedule */
};

struct init_conf {
    char weights[1024]; /* safetensors file, "": random */
};

struct settings {
    struct run_conf run;
    struct data_conf data;
    struct loader_conf loader;
    struct augment_conf augment;
    struct model_conf model;
    struct objective_conf objective;
    struct optimizer_conf optimizer;
    struct schedule_conf schedule;
    struct train_conf train;
    struct checkpoint_conf checkpoint;
    struct linear_conf linear;
    struct probe_conf probe;
    struct init_conf init;
};

extern const struct conf_section settings_table[]; /* ends with a NULL name */

/* What no single key can tell: a stem the architecture does not know, views against the objective,
 * ... EXIT_CONFIG. */
int settings_check(const struct settings *, struct err *);
/* All of it: up to max problems, each beginning with its key; returns how many. */
int settings_check_all(const struct settings *, struct err *problems, int max);
int settings_views(const struct settings *,
                   const struct objective_class *); /* augment.views, or what the objective wants */

#endif
