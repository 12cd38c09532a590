/* Cross-entropy of a linear classifier (fc) on the encoder's features, with label smoothing: T = (1
 * - eps) one-hot + eps / K. */
#include "objective/objective_impl.h"

static int build(struct graph *g, const struct objective_input *in)
{
    struct op_attr attr = {
        .views = in->views,
        .label_smoothing = (float)in->conf->label_smoothing,
    };
    return graph_xent(g, "loss", graph_linear(g, "fc", in->features, in->n_classes), in->labels,
                      &attr);
}

static bool bounds(const struct objective_conf *c, const int32_t *labels, int n, int views,
                   int n_classes, double *floor, double *plateau)
{
    (void)c, (void)labels, (void)n, (void)views, (void)n_classes, (void)floor, (void)plateau;
    return false;
}

const struct objective_class objective_cross_entropy = {
    .name = "cross-entropy",
    .help = "cross-entropy of a linear classifier, with label smoothing",
    .contrastive = false,
    .views = 1,
    .head = GROUP_FC,
    .build = build,
    .bounds = bounds,
};
