/* No augmentation: every view is the image itself, normalised. */
#include "data/augment_impl.h"
#include "data/image.h"

static void apply(const struct augment_conf *conf, const struct augment_shape *s,
                  const struct augment_key *k, const uint8_t *image, float *view, float *scratch)
{
    (void)conf, (void)k;
    image_shift(image, s, 0, 0, scratch);
    image_normalise(scratch, s, view);
}

const struct augment_class none_policy = {
    .name = "none",
    .help = "no augmentation: all views of an image are equal",
    .apply = apply,
};
