/* The registry of augmentation policies, and the steps they share. */
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

void augment_flip(const struct augment_conf *conf, const struct augment_shape *s,
                  const struct augment_key *k, float *image)
{
    struct rng r = augment_rng(k, OP_FLIP);
    if (rng_float(&r) < conf->flip)
        image_flip(image, s);
}
