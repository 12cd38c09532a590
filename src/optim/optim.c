/* The list of optimizer rules. */
#include "optim/optim_impl.h"

#include "base/conf.h"

#include <string.h>

const struct optim_class *const optim_classes[] = {&optim_sgd, &optim_rmsprop, NULL};

static const char *name_at(void *ctx, int i)
{
    (void)ctx;
    return optim_classes[i] ? optim_classes[i]->name : NULL;
}

const struct optim_class *optim_find(const char *name, struct err *e)
{
    for (int i = 0; optim_classes[i]; i++)
        if (strcmp(optim_classes[i]->name, name) == 0)
            return optim_classes[i];
    const char *near = nearest_word(name, name_at, NULL);
    err_set(e, EXIT_CONFIG, "unknown optimizer \"%s\"%s%s%s; known are sgd and rmsprop", name,
            near ? ", did you mean \"" : "", near ? near : "", near ? "\"?" : "");
    return NULL;
}
