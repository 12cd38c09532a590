/*
 * Training objectives as data: one const instance per file, listed in objective.c. build() adds
 * head and loss to a graph whose encoder is there already. The loss is the output "loss"
 * (statistics tensor of op.h).
 */
#ifndef SUPCON_OBJECTIVE_OBJECTIVE_H
#define SUPCON_OBJECTIVE_OBJECTIVE_H

#include "nn/graph.h"
#include "nn/params.h"

struct objective_conf { /* section objective */
    char name[32];
    double temperature, base_temperature; /* base_temperature 0: equal to temperature */
    char contrast_mode[8];                /* all, one */
    double label_smoothing;
};

struct objective_input {
    const struct objective_conf *conf;
    int features; /* value id r [V*N, D] */
    int labels;   /* value id, i32 [N] */
    int views;    /* V */
    int n_classes;
    int projection_dim;
};

struct objective_class {
    const char *name, *help;
    bool contrastive;      /* needs at least 2 views (SupCon: 1 is legal), accuracy is the batch's
                              nearest neighbour */
    int views;             /* views it wants when augment.views is not set: 2, or 1 */
    int min_views;         /* fewest it can work with (simclr: 2); 0 is 1 */
    enum param_group head; /* GROUP_PROJECTION or GROUP_FC */
    enum op loss;          /* its loss, and that op's attributes */
    struct op_attr (*attr)(const struct objective_conf *, int views);
    int (*build)(struct graph *,
                 const struct objective_input
                     *); /* value id of the loss; failures are sticky in the graph */
    /* Where a contrastive loss sits between perfect simplex (floor) and collapse (plateau), for
     * this batch of labels; false where meaningless. */
    bool (*bounds)(const struct objective_conf *, const int32_t *labels, int n, int views,
                   int n_classes, double *floor, double *plateau);
};

extern const struct objective_class *const objective_classes[]; /* NULL-terminated */
const struct objective_class *objective_find(const char *name, struct err *);

#endif
