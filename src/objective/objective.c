/* The list of objectives. */
#include "objective/objective_impl.h"

#include "base/conf.h"

#include <string.h>

const struct objective_class *const objective_classes[] = {&objective_supcon, &objective_simclr,
                                                           &objective_cross_entropy, NULL};

static const char *name_at(void *ctx, int i)
{
    (void)ctx;
    return objective_classes[i] ? objective_classes[i]->name : NULL;
}

const struct objective_class *objective_find(const char *name, struct err *e)
{
    for (int i = 0; objective_classes[i]; i++)
        if (strcmp(objective_classes[i]->name, name) == 0)
            return objective_classes[i];
    const char *near = nearest_word(name, name_at, NULL);
    err_set(e, EXIT_CONFIG,
            "unknown objective \"%s\"%s%s%s; known are supcon, simclr and cross-entropy", name,
            near ? ", did you mean \"" : "", near ? near : "", near ? "\"?" : "");
    return NULL;
}
