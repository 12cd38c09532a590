/* What SupCon and SimCLR share: the projection head with its loss, and the bounds of the loss. */
#include "objective/objective_impl.h"

#include <math.h>
#include <string.h>

static double loss_scale(const struct objective_conf *c)
{
    return c->base_temperature > 0.0 ? c->temperature / c->base_temperature : 1.0;
}

struct op_attr objective_contrastive_attr(const struct objective_conf *c, int views, bool simclr)
{
    return (struct op_attr){
        .views = views,
        .temperature = (float)c->temperature,
        .scale = (float)loss_scale(c),
        .simclr = simclr,
        .anchors_one = strcmp(c->contrast_mode, "one") == 0,
    };
}

int objective_contrastive(struct graph *g, const struct objective_input *in, bool simclr)
{
    int64_t d = g->values[in->features].dim[1];
    int hidden = graph_relu(g, graph_linear(g, "projection.0", in->features, d));
    int z = graph_l2norm(g, graph_linear(g, "projection.2", hidden, in->projection_dim));
    struct op_attr attr = objective_contrastive_attr(in->conf, in->views, simclr);
    return graph_contrastive(g, "loss", z, in->labels, &attr);
}

void objective_bounds(const struct objective_conf *c, const int64_t *count, int n_groups,
                      double *floor, double *plateau)
{
    double rows = 0.0, groups = 0.0, low = 0.0;
    for (int i = 0; i < n_groups; i++) {
        rows += (double)count[i];
        groups += count[i] > 0;
    }
    /* Cosine between two corners of a simplex of C points is -1 / (C - 1): they differ from 1 by C
     * / (C - 1). */
    double apart = groups > 1.0 ? groups / (groups - 1.0) / c->temperature : 0.0;
    for (int i = 0; i < n_groups; i++) {
        double m = (double)count[i];
        if (m > 1.0) /* an anchor without positives counts as zero */
            low += m * log((m - 1.0) + (rows - m) * exp(-apart));
    }
    double with_positives = 0.0;
    for (int i = 0; i < n_groups; i++)
        with_positives += count[i] > 1 ? (double)count[i] : 0.0;
    *floor = rows > 0.0 ? loss_scale(c) * low / rows : 0.0;
    *plateau = rows > 1.0 ? loss_scale(c) * log(rows - 1.0) * with_positives / rows : 0.0;
}
