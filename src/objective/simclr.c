/* SimCLR's loss, NT-Xent (Chen et al. 2020): the only positives of a row are the other views of its
 * sample; no labels. */
#include "objective/objective_impl.h"

#include <stdlib.h>

static struct op_attr attr(const struct objective_conf *c, int views)
{
    return objective_contrastive_attr(c, views, true);
}

static int build(struct graph *g, const struct objective_input *in)
{
    return objective_contrastive(g, in, true);
}

static bool bounds(const struct objective_conf *c, const int32_t *labels, int n, int views,
                   int n_classes, double *floor, double *plateau)
{
    (void)labels, (void)n_classes;
    int64_t *count = malloc((size_t)n * sizeof *count);
    if (!count)
        return false;
    for (int i = 0; i < n; i++)
        count[i] = views;
    objective_bounds(c, count, n, floor, plateau);
    free(count);
    return *plateau > *floor;
}

const struct objective_class objective_simclr = {
    .name = "simclr",
    .help = "self-supervised contrastive loss, NT-Xent (Chen et al. 2020)",
    .contrastive = true,
    .views = 2,
    .min_views = 2,
    .head = GROUP_PROJECTION,
    .loss = OP_CONTRASTIVE,
    .attr = attr,
    .build = build,
    .bounds = bounds,
};
