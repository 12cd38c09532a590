/* Timing one training step with resident random data: forward, backward, gradient norm, update. */
#ifndef SUPCON_CMD_BENCH_STEP_H
#define SUPCON_CMD_BENCH_STEP_H

#include "arch/arch.h"
#include "base/err.h"
#include <stdbool.h>

struct bench_step {
    struct model_conf model;
    int size, batch, n_classes; /* images of size x size; N, of which V views each */
    const char *objective, *device;
    int steps, warmup, threads;
    bool deterministic; /* algorithms that give the same bits every time alone */
};

struct bench_result {
    double ms;            /* median step */
    double primitives_ms; /* sum of its parts, each timed alone */
    double views_per_s;   /* V*N per step */
    double gflops;        /* of convolutions and linear layers, counted as direct ones */
    double peak_gflops;   /* of the device's arithmetic in this dtype; 0 unknown */
    double peak_mib;      /* most resident memory less what was resident before the network */
    double arena_mib;     /* of the plan */
    double loss;          /* of the last step: that it computed something */
    int views, threads;
    char device[128];
    char dtype[8]; /* what auto has become */
};

int bench_step(const struct bench_step *, struct bench_result *, struct err *);

#endif
