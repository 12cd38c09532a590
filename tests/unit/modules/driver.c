/*
 * A stand-in for the NVIDIA driver's library, for cuDNN's engines that are compiled when a plan is
 * made: it takes the compiled code and says that a kernel is in it. There is no GPU, and whatever
 * else the library wants to know is not supported. Declarations are the driver's own only in what
 * is used.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { SUCCESS = 0, NOT_SUPPORTED = 801, CUDA_VERSION_13_0 = 13000 };

static char thing[64]; /* what handles point to */

int cuInit(unsigned flags);
int cuDriverGetVersion(int *version);
int cuDeviceGetCount(int *n);
int cuLibraryLoadData(void **library, const void *code, void *jit, void *values, unsigned n_jit,
                      void *options, void *more, unsigned n_options);
int cuLibraryGetKernel(void **kernel, void *library, const char *name);
int cuLibraryUnload(void *library);
int cuGetExportTable(const void **table, const void *id);
int cuGetProcAddress_v2(const char *name, void **function, int version, uint64_t flags, int *found);

int cuInit(unsigned flags)
{
    (void)flags;
    return SUCCESS;
}

int cuDriverGetVersion(int *version)
{
    *version = CUDA_VERSION_13_0;
    return SUCCESS;
}

int cuDeviceGetCount(int *n)
{
    *n = 0;
    return SUCCESS;
}

int cuLibraryLoadData(void **library, const void *code, void *jit, void *values, unsigned n_jit,
                      void *options, void *more, unsigned n_options)
{
    (void)jit, (void)values, (void)n_jit, (void)options, (void)more, (void)n_options;
    *library = thing;
    return code && memcmp(code, "\177ELF", 4) == 0 ? SUCCESS : NOT_SUPPORTED;
}

int cuLibraryGetKernel(void **kernel, void *library, const char *name)
{
    *kernel = thing;
    return library == thing && name && *name ? SUCCESS : NOT_SUPPORTED;
}

int cuLibraryUnload(void *library)
{
    (void)library;
    return SUCCESS;
}

int cuGetExportTable(const void **table, const void *id)
{
    (void)id;
    *table = NULL;
    return NOT_SUPPORTED;
}

/* What cuDNN looks up by name before it does anything. */
#define REFUSED(name)                                                                              \
    int name(void);                                                                                \
    int name(void)                                                                                 \
    {                                                                                              \
        return NOT_SUPPORTED;                                                                      \
    }
REFUSED(cuCtxGetCurrent)
REFUSED(cuCtxGetLimit)
REFUSED(cuCtxPopCurrent)
REFUSED(cuCtxPushCurrent)
REFUSED(cuDeviceGet)
REFUSED(cuGetErrorName)
REFUSED(cuGetErrorString)
REFUSED(cuKernelGetAttribute)
REFUSED(cuKernelSetAttribute)
REFUSED(cuLaunchCooperativeKernel)
REFUSED(cuLaunchKernel)
REFUSED(cuLaunchKernelEx)
REFUSED(cuLibraryLoadFromFile)
REFUSED(cuLinkAddData)
REFUSED(cuLinkComplete)
REFUSED(cuLinkCreate)
REFUSED(cuLinkDestroy)
REFUSED(cuOccupancyMaxPotentialClusterSize)
REFUSED(cuStreamGetCtx)

static int refused(void)
{
    return NOT_SUPPORTED;
}

static const struct entry {
    const char *name;
    void *function;
} entries[] = {
    {"cuInit", cuInit},
    {"cuDriverGetVersion", cuDriverGetVersion},
    {"cuDeviceGetCount", cuDeviceGetCount},
    {"cuLibraryLoadData", cuLibraryLoadData},
    {"cuLibraryGetKernel", cuLibraryGetKernel},
    {"cuLibraryUnload", cuLibraryUnload},
    {"cuGetExportTable", cuGetExportTable},
    {"cuGetProcAddress", cuGetProcAddress_v2},
};

int cuGetProcAddress_v2(const char *name, void **function, int version, uint64_t flags, int *found)
{
    (void)version, (void)flags;
    *function = refused;
    for (size_t i = 0; i < sizeof entries / sizeof *entries; i++)
        if (strcmp(name, entries[i].name) == 0)
            *function = entries[i].function;
    if (found)
        *found = 0;
    return SUCCESS;
}
