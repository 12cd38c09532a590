/* Cross-entropy of a linear classifier (fc) on the encoder's features, with label smoothing: T = (1
 * - eps) one-hot + eps / K. */
#include "objective/objective_impl.h"

static struct op_attr attr(const struct objective_conf *c, int views)
{
    return (struct op_attr){.views = views, .label_smoothing = (float)c->label_smoothing};
}

static int build(struct graph *g, const struct objective_input *in)
{
    struct op_attr a = attr(in->conf, in->views);
    return graph_xent(g, "loss", graph_linear(g, "fc", in->features, in->n_classes), in->labels,
                      &a);
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
    .loss = OP_XENT,
    .attr = attr,
    .build = build,
    .bounds = bounds,
};
