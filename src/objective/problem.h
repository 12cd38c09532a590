/*
 * A loss by itself: value and gradient for given rows, without an encoder. What `supcon loss`
 * prints, and what stored vectors are compared with.
 */
#ifndef SUPCON_OBJECTIVE_PROBLEM_H
#define SUPCON_OBJECTIVE_PROBLEM_H

#include "backend/backend.h"
#include "objective/objective.h"

struct loss_problem {
    const struct objective_class *objective;
    const struct objective_conf *conf;
    int64_t samples, width; /* N; D, or K classes */
    int views;              /* V */
    const float *rows;      /* [V*N, width], row v*N+n is view v of sample n: features, or scores */
    const int32_t *labels;  /* [N] */
    float stats[STAT_N];    /* solved: see enum loss_stat */
    float *gradient;        /* solved: as rows; the caller's, NULL: not wanted */
};

/* Fills stats and gradient on this device. EXIT_DATA for labels that are no class of cross-entropy.
 */
int loss_solve(struct device *, struct loss_problem *, struct err *);

#endif
