/*
 * A module for the tests: a backend without devices. Compiled with STRANGER it says that it was
 * built from another contract; with NEEDY it needs a library that lies where nobody looks.
 */
#include "backend/module.h"

#include <string.h>

#ifdef NEEDY
int needed_function(void);
#endif

module_entry supcon_backend;

static int probe(struct device_info *out, int max)
{
    (void)out;
    (void)max;
#ifdef NEEDY
    return needed_function();
#else
    return 0;
#endif
}

static const struct backend_class class = {.name = "test", .probe = probe};

const struct backend_class *supcon_backend(const char *abi)
{
    char own[MODULE_ABI_BYTES];
    module_abi(own);
#ifdef STRANGER
    own[0] ^= 1;
#endif
    return strcmp(abi, own) == 0 ? &class : NULL;
}
