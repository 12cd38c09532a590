/*
 * Backends that are built as modules: a shared object beside the program that exports one function,
 * supcon_backend(). So one program runs with and without a vendor's libraries, and what is missing
 * becomes a sentence instead of a failed start. A module uses the program's own functions (errors,
 * log, tuning) and the contract's structs; that both were built from the same contract is checked
 * before anything else is called.
 */
#ifndef SUPCON_BACKEND_MODULE_H
#define SUPCON_BACKEND_MODULE_H

#include "backend/backend.h"
#include "config.h"

#define MODULE_ENTRY "supcon_backend"
enum { MODULE_ABI_BYTES = 128 };

/* NULL if `abi` is not the module's own. */
typedef const struct backend_class *module_entry(const char *abi);

/* What program and module have to agree on: the version, and the sizes of what they share. */
static inline const char *module_abi(char out[MODULE_ABI_BYTES])
{
    snprintf(out, MODULE_ABI_BYTES, "%s %zu.%zu.%zu.%zu.%zu.%zu.%zu.%d.%d", PACKAGE_VERSION,
             sizeof(struct backend_class), sizeof(struct device), sizeof(struct device_options),
             sizeof(struct call), sizeof(struct tensor), sizeof(struct update),
             sizeof(struct device_augment), OP_N, STAT_N);
    return out;
}

/*
 * The class in the module supcon-NAME.so, or NULL and one sentence in `why` that says what to do.
 * Folders in this order: those of SUPCON_BACKEND_PATH (separated by colons), the build folder if
 * the program has not been installed, ../lib/supcon beside the executable, the configured one.
 * Libraries the module needs come from the folders in SUPCON_CUDA_LIBS, if they are there, else
 * from where the system finds them. A module stays loaded; asking again is cheap.
 */
const struct backend_class *module_load(const char *name, char *why, size_t why_bytes);

/* The module's file as module_load() would take it; -1 and the same sentence if there is none. */
int module_find(char out[], size_t out_bytes, const char *name, char *why, size_t why_bytes);

#endif
