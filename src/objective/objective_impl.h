/* What the objectives share: the instances behind the list, and the projection head. */
#ifndef SUPCON_OBJECTIVE_OBJECTIVE_IMPL_H
#define SUPCON_OBJECTIVE_OBJECTIVE_IMPL_H

#include "objective/objective.h"

extern const struct objective_class objective_supcon, objective_simclr, objective_cross_entropy;

/*
 * Projection head of Khosla et al. 2020: linear d -> d (projection.0), ReLU, linear d -> D
 * (projection.2), l2norm; then the contrastive loss, output "loss". Value id of the loss.
 */
int objective_contrastive(struct graph *, const struct objective_input *, bool simclr);

struct op_attr objective_contrastive_attr(const struct objective_conf *, int views, bool simclr);

/*
 * The loss of an anchor with m - 1 positives among M rows when all embeddings are equal, ln(M - 1)
 * (the plateau), and when the C classes form a perfect simplex, ln((m - 1) + (M - m) exp(-C / ((C -
 * 1) tau))) (the floor); both times the loss's scale. count[c] is the number of rows of group c;
 * groups are classes, or samples for SimCLR. Means over anchors.
 */
void objective_bounds(const struct objective_conf *, const int64_t *count, int n_groups,
                      double *floor, double *plateau);

#endif
