/*
 * SimCLR's augmentation for small images (Chen et al. 2020, appendix B.9; Khosla et al. 2020): a
 * resized crop, a flip, colour jitter in random order, grayscale. Jitter of strength s multiplies
 * brightness, contrast and saturation by factors from [1 - .8 s, 1 + .8 s] and turns the hue by up
 * to .2 s. No blur, as usual at 32x32. Images that are not in colour are cropped and flipped only.
 */
#include "data/augment_impl.h"
#include "data/image.h"

typedef void colour_fn(float *rgb, int n, float amount);

/* Amount = centre + spread * s * u, u in [-1, 1), not below `least`. */
static const struct {
    colour_fn *change;
    float centre, spread, least;
} colour_ops[] = {
    {image_brightness, 1, .8f, 0},
    {image_contrast, 1, .8f, 0},
    {image_saturation, 1, .8f, 0},
    {image_hue, 0, .2f, -.5f},
};

enum { N_COLOUR_OPS = sizeof colour_ops / sizeof *colour_ops };

/* Uniform in [centre - spread s, centre + spread s), cut at `least` below and, for hue, half a turn
 * above. */
static float amount(struct rng *r, int op, float s)
{
    float centre = colour_ops[op].centre, reach = colour_ops[op].spread * s;
    float low = centre - reach, high = centre + reach;
    if (low < colour_ops[op].least)
        low = colour_ops[op].least;
    if (centre == 0 && high > .5f)
        high = .5f;
    return rng_range(r, low, high);
}

static void jitter(const struct augment_conf *conf, const struct augment_key *k, float *rgb, int n)
{
    struct rng r = augment_rng(k, OP_JITTER);
    int order[N_COLOUR_OPS] = {0, 1, 2, 3};
    if (rng_float(&r) >= conf->jitter_p)
        return;
    for (int i = N_COLOUR_OPS - 1; i > 0; i--) {
        int j = (int)rng_below(&r, (uint32_t)i + 1), keep = order[i];
        order[i] = order[j];
        order[j] = keep;
    }
    for (int i = 0; i < N_COLOUR_OPS; i++)
        colour_ops[order[i]].change(rgb, n, amount(&r, order[i], (float)conf->jitter));
}

static void apply(const struct augment_conf *conf, const struct augment_shape *s,
                  const struct augment_key *k, const uint8_t *image, float *view, float *scratch)
{
    struct rng crop = augment_rng(k, OP_CROP), grey = augment_rng(k, OP_GRAYSCALE);
    struct crop_box box = image_draw_box(&crop, s, conf->crop_min, conf->crop_max);
    image_crop_resize(image, s, box, scratch, scratch + augment_values(s));
    augment_flip(conf, s, k, scratch);
    if (s->channels == 3) {
        jitter(conf, k, scratch, s->height * s->width);
        if (rng_float(&grey) < conf->grayscale)
            image_grayscale(scratch, s->height * s->width);
    }
    image_normalise(scratch, s, view);
}

const struct augment_class simaugment_policy = {
    .name = "simaugment",
    .help = "resized crop, flip, colour jitter, grayscale",
    .apply = apply,
};
