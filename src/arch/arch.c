/* The list of architectures, and looking one up. */
#include "arch/arch.h"
#include "base/conf.h"

#include <string.h>

extern const struct arch_class arch_resnet18, arch_resnet20, arch_resnet50, arch_resnet8;

const struct arch_class *const arch_classes[] = {&arch_resnet18, &arch_resnet20, &arch_resnet50,
                                                 &arch_resnet8, NULL};

static const char *candidate(void *ctx, int i)
{
    (void)ctx;
    return arch_classes[i] ? arch_classes[i]->name : NULL;
}

const struct arch_class *arch_find(const char *name, struct err *e)
{
    for (int i = 0; arch_classes[i]; i++)
        if (!strcmp(arch_classes[i]->name, name))
            return arch_classes[i];
    const char *near = nearest_word(name, candidate, NULL);
    char known[256] = "";
    for (int i = 0; arch_classes[i]; i++) {
        size_t at = strlen(known);
        snprintf(known + at, sizeof known - at, "%s%s", at ? ", " : "", arch_classes[i]->name);
    }
    err_set(e, EXIT_CONFIG, "there is no architecture \"%s\"%s%s%s; known are %s", name,
            near ? ", did you mean \"" : "", near ? near : "", near ? "\"?" : "", known);
    return NULL;
}
