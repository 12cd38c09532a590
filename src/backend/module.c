/*
 * Finding and loading a backend's module; see module.h. Libraries named by SUPCON_CUDA_LIBS are
 * loaded before the module, so that the module finds them by their names: a search path set in the
 * environment would come too late, the dynamic linker reads it once.
 */
#include "backend/module.h"

#include "base/file.h"
#include "base/place.h"

#include <dlfcn.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>

/* What a module may need from there, in an order in which each finds those before it. libnvrtc asks
 * for its builtins by name and does not look beside itself. */
static const char *const libraries[] = {"libcublasLt.so.*", "libnvrtc-builtins.so.*",
                                        "libnvrtc.so.*", "libcudnn.so.*"};

/* The next element of a list separated by colons; false at its end. Empty elements are passed
 * over. */
static bool next_folder(const char **list, char out[PATH_BYTES])
{
    while (*list && **list == ':')
        ++*list;
    if (!*list || !**list)
        return false;
    size_t n = strcspn(*list, ":");
    snprintf(out, PATH_BYTES, "%.*s", (int)(n < PATH_BYTES ? n : PATH_BYTES - 1), *list);
    *list += n;
    return true;
}

static bool found_in(char *out, size_t size, const char *folder, const char *file)
{
    char path[PATH_BYTES];
    struct err ignored;
    if (path_join(path, folder, file, &ignored) || strlen(path) >= size || !path_exists(path))
        return false;
    snprintf(out, size, "%s", path);
    return true;
}

/* The top of the build folder the running program lies in; false if it has been installed. */
static bool build_folder(char out[PATH_BYTES])
{
    char mark[PATH_BYTES];
    struct err ignored;
    if (place_executable(out, &ignored))
        return false;
    for (int up = 0; up < 3; up++) {
        char *slash = strrchr(out, '/');
        if (found_in(mark, sizeof mark, out, "config.status"))
            return true;
        if (!slash || slash == out)
            return false;
        *slash = '\0';
    }
    return false;
}

static bool search(char *out, size_t size, const char *file)
{
    char folder[PATH_BYTES];
    struct err ignored;
    for (const char *list = getenv("SUPCON_BACKEND_PATH"); next_folder(&list, folder);)
        if (found_in(out, size, folder, file))
            return true;
    if (build_folder(folder) && found_in(out, size, folder, file))
        return true;
    if (place_module(folder, file, &ignored) || strlen(folder) >= size || !path_exists(folder))
        return false;
    snprintf(out, size, "%s", folder);
    return true;
}

int module_find(char out[], size_t out_bytes, const char *name, char *why, size_t why_bytes)
{
    char file[64];
    snprintf(file, sizeof file, "supcon-%.40s.so", name);
    if (search(out, out_bytes, file))
        return 0;
    snprintf(why, why_bytes,
             "the module %s is not installed; build supcon where nvcc and cuDNN are, or set "
             "SUPCON_BACKEND_PATH to its folder",
             file);
    return -1;
}

/* Loads what is there; what fails is left for the system to find. */
static void preload(const char *folder)
{
    for (size_t i = 0; i < sizeof libraries / sizeof *libraries; i++) {
        char pattern[PATH_BYTES];
        struct err ignored;
        glob_t files;
        if (path_join(pattern, folder, libraries[i], &ignored) ||
            glob(pattern, 0, NULL, &files) != 0)
            continue;
        for (size_t k = 0; k < files.gl_pathc; k++)
            dlopen(files.gl_pathv[k], RTLD_NOW | RTLD_GLOBAL);
        globfree(&files);
    }
}

/* dlerror() is "FILE: what happened"; the file of a missing library is its name. */
static const struct backend_class *not_loaded(const char *path, char *why, size_t size)
{
    const char *text = dlerror();
    const char *missing = text ? strstr(text, ": cannot open shared object file") : NULL;
    if (missing && strncmp(text, path, strlen(path)) != 0)
        snprintf(why, size,
                 "the library %.*s is missing, which %s needs; install it or set SUPCON_CUDA_LIBS "
                 "to its folder",
                 (int)(missing - text), text, path);
    else
        snprintf(why, size, "%s cannot be loaded: %s", path, text ? text : "no reason given");
    return NULL;
}

static const struct backend_class *enter(void *module, const char *path, char *why, size_t size)
{
    char abi[MODULE_ABI_BYTES];
    module_entry *entry;
    *(void **)&entry = dlsym(module, MODULE_ENTRY);
    const struct backend_class *class = entry ? entry(module_abi(abi)) : NULL;
    if (!class)
        snprintf(why, size,
                 "%s was built for another version of supcon (this is %s); install both from one "
                 "build",
                 path, PACKAGE_VERSION);
    return class;
}

const struct backend_class *module_load(const char *name, char *why, size_t why_bytes)
{
    char path[PATH_BYTES], folder[PATH_BYTES];
    if (module_find(path, sizeof path, name, why, why_bytes))
        return NULL;
    for (const char *list = getenv("SUPCON_CUDA_LIBS"); next_folder(&list, folder);)
        preload(folder);
    void *module = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    return module ? enter(module, path, why, why_bytes) : not_loaded(path, why, why_bytes);
}
