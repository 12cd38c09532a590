/* The registry of augmentation policies, and how a view is made from what they draw. */
#include "data/augment.h"

#include <string.h>

#include "base/conf.h"
#include "data/augment_impl.h"
#include "data/image.h"

const struct augment_class *const augment_classes[] = {
    &simaugment_policy,
    &crop_flip_policy,
    &none_policy,
    NULL,
};

static const char *name_at(void *ctx, int i)
{
    (void)ctx;
    return augment_classes[i] ? augment_classes[i]->name : NULL;
}

const struct augment_class *augment_find(const char *name, struct err *e)
{
    for (int i = 0; augment_classes[i]; i++)
        if (!strcmp(augment_classes[i]->name, name))
            return augment_classes[i];
    const char *near = nearest_word(name, name_at, NULL);
    err_set(e, EXIT_CONFIG, "augment.policy: there is no policy \"%s\"%s%s%s", name,
            near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
    return NULL;
}

static size_t values(const struct augment_shape *s)
{
    return (size_t)s->channels * (size_t)s->height * (size_t)s->width;
}

/* The view before normalisation, and room for the operation that needs most. */
size_t augment_scratch(const struct augment_shape *s)
{
    size_t blur = 2 * (size_t)s->height * (size_t)s->width, rows = image_row_scratch(s);
    return values(s) + (blur > rows ? blur : rows);
}

void augment_apply(const struct augment_shape *s, const struct view_params *p, const uint8_t *image,
                   float *view, float *scratch)
{
    static void (*const colour[N_COLOUR_OPS])(float *, int, float) = {
        [COLOUR_BRIGHTNESS] = image_brightness,
        [COLOUR_CONTRAST] = image_contrast,
        [COLOUR_SATURATION] = image_saturation,
        [COLOUR_HUE] = image_hue,
    };
    int n = s->height * s->width;
    float *work = scratch + values(s);
    image_crop_resize(image, s, p->box, scratch, work);
    if (p->flip)
        image_flip(scratch, s);
    for (int i = 0; i < p->n_colour; i++)
        colour[p->order[i]](scratch, n, p->amount[i]);
    if (p->grayscale)
        image_grayscale(scratch, n);
    if (p->sigma > 0)
        image_blur(scratch, s, p->sigma, work);
    image_normalise(scratch, s, view);
}
