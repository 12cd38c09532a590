/* No augmentation: every view is the middle of the image, normalised. */
#include "data/augment_impl.h"
#include "data/image.h"

static void draw(const struct augment_conf *conf, const struct augment_shape *s,
                 const struct augment_key *k, struct view_params *p)
{
    (void)conf, (void)k;
    *p = (struct view_params){.box = image_central_box(s)};
}

const struct augment_class none_policy = {
    .name = "none",
    .help = "no augmentation: all views of an image are equal",
    .draw = draw,
};
