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

static void draw(const struct augment_conf *conf, const struct augment_shape *s,
                 const struct augment_key *k, struct view_params *p)
{
    struct rng r = augment_rng(k, OP_CROP);
    *p = (struct view_params){.box = image_central_box(s)};
    p->box.top -= offset(&r, s->height);
    p->box.left -= offset(&r, s->width);
    p->flip = augment_taken(k, OP_FLIP, conf->flip);
}

const struct augment_class crop_flip_policy = {
    .name = "crop-flip",
    .help = "pad by an eighth, crop at random, flip",
    .draw = draw,
};
