/*
 * SimCLR's augmentation (Chen et al. 2020, appendices A and B.9; Khosla et al. 2020): a resized
 * crop, a flip, colour jitter in random order, grayscale, and on large images blur. Jitter of
 * strength s multiplies brightness, contrast and saturation by factors from [1 - .8 s, 1 + .8 s]
 * and turns the hue by up to .2 s. Images that are not in colour keep their values.
 */
#include "data/augment_impl.h"
#include "data/image.h"

/* Amount = centre + spread * s * u, u in [-1, 1), not below `least`. */
static const struct {
    float centre, spread, least;
} ranges[N_COLOUR_OPS] = {
    [COLOUR_BRIGHTNESS] = {1, .8f, 0},
    [COLOUR_CONTRAST] = {1, .8f, 0},
    [COLOUR_SATURATION] = {1, .8f, 0},
    [COLOUR_HUE] = {0, .2f, -.5f},
};

/* Deviations of the blur, in pixels. */
static const float sigma_min = .1f, sigma_max = 2;

/* Uniform in [centre - spread s, centre + spread s), cut at `least` below and, for hue, half a turn
 * above. */
static float amount(struct rng *r, int op, float s)
{
    float centre = ranges[op].centre, reach = ranges[op].spread * s;
    float low = centre - reach, high = centre + reach;
    if (low < ranges[op].least)
        low = ranges[op].least;
    if (centre == 0 && high > .5f)
        high = .5f;
    return rng_range(r, low, high);
}

static void draw_jitter(const struct augment_conf *conf, const struct augment_key *k,
                        struct view_params *p)
{
    struct rng r = augment_rng(k, OP_JITTER);
    for (int i = 0; i < N_COLOUR_OPS; i++)
        p->order[i] = (uint8_t)i;
    if (rng_float(&r) >= conf->jitter_p)
        return;
    for (int i = N_COLOUR_OPS - 1; i > 0; i--) {
        uint32_t j = rng_below(&r, (uint32_t)i + 1);
        uint8_t keep = p->order[i];
        p->order[i] = p->order[j];
        p->order[j] = keep;
    }
    for (int i = 0; i < N_COLOUR_OPS; i++)
        p->amount[i] = amount(&r, p->order[i], (float)conf->jitter);
    p->n_colour = N_COLOUR_OPS;
}

static void draw(const struct augment_conf *conf, const struct augment_shape *s,
                 const struct augment_key *k, struct view_params *p)
{
    struct rng crop = augment_rng(k, OP_CROP), blur = augment_rng(k, OP_BLUR);
    *p = (struct view_params){.box = image_draw_box(&crop, s, conf->crop_min, conf->crop_max)};
    p->flip = augment_taken(k, OP_FLIP, conf->flip);
    if (s->channels == 3) {
        draw_jitter(conf, k, p);
        p->grayscale = augment_taken(k, OP_GRAYSCALE, conf->grayscale);
    }
    if (rng_float(&blur) < conf->blur)
        p->sigma = rng_range(&blur, sigma_min, sigma_max);
}

const struct augment_class simaugment_policy = {
    .name = "simaugment",
    .help = "resized crop, flip, colour jitter, grayscale, blur",
    .draw = draw,
};
