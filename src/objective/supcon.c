/* Supervised contrastive loss, L_out (Khosla et al. 2020, equation 2): positives are all rows with
 * the anchor's label. */
#include "objective/objective_impl.h"

#include <stdlib.h>

static struct op_attr attr(const struct objective_conf *c, int views)
{
    return objective_contrastive_attr(c, views, false);
}

static int build(struct graph *g, const struct objective_input *in)
{
    return objective_contrastive(g, in, false);
}

static bool bounds(const struct objective_conf *c, const int32_t *labels, int n, int views,
                   int n_classes, double *floor, double *plateau)
{
    int64_t *count = calloc((size_t)n_classes, sizeof *count);
    if (!count)
        return false;
    for (int i = 0; i < n; i++)
        if (labels[i] >= 0 && labels[i] < n_classes)
            count[labels[i]] += views;
    objective_bounds(c, count, n_classes, floor, plateau);
    free(count);
    return *plateau > *floor;
}

const struct objective_class objective_supcon = {
    .name = "supcon",
    .help = "supervised contrastive loss, L_out (Khosla et al. 2020)",
    .contrastive = true,
    .views = 2,
    .head = GROUP_PROJECTION,
    .loss = OP_CONTRASTIVE,
    .attr = attr,
    .build = build,
    .bounds = bounds,
};
