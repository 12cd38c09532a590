/*
 * The usual augmentation for classifiers on small images (He et al. 2016, section 4.2): the image
 * is padded with black by an eighth of its size on each side (4 pixels for 32x32), a crop of the
 * original size is taken, and half of the crops are flipped.
 */
#include "data/augment_impl.h"
#include "data/image.h"

/* Uniform in -pad .. pad. */
static int offset(struct rng *r, int size)
{
    int pad = size / 8;
    return (int)rng_below(r, 2 * (uint32_t)pad + 1) - pad;
}

static void apply(const struct augment_conf *conf, const struct augment_shape *s,
                  const struct augment_key *k, const uint8_t *image, float *view, float *scratch)
{
    struct rng r = augment_rng(k, OP_CROP);
    int dy = offset(&r, s->height);
    int dx = offset(&r, s->width);
    image_shift(image, s, dy, dx, scratch);
    augment_flip(conf, s, k, scratch);
    image_normalise(scratch, s, view);
}

const struct augment_class crop_flip_policy = {
    .name = "crop-flip",
    .help = "pad by an eighth, crop at random, flip",
    .apply = apply,
};
