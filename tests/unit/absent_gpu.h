/*
 * GPUs that are not here: cuDNN takes a GPU's properties instead of a GPU. And shapes of
 * convolutions to ask it about.
 */
#ifndef SUPCON_TESTS_UNIT_ABSENT_GPU_H
#define SUPCON_TESTS_UNIT_ABSENT_GPU_H

#include "backend/cuda/cudnn_graph.h"

#include <string.h>

/* As cuDNN writes them down; deviceVer is 100 * compute capability. */
#define PROPERTIES(name, version, multiprocessors, shared, l2)                                     \
    "{\"maxGridSize\": [2147483647, 65535, 65535], \"maxBlockSize\": [1024, 1024, 64], "           \
    "\"regsPerBlock\": 65536, \"multiProcessorCount\": " #multiprocessors ", \"warpSize\": 32, "   \
    "\"smClockRateKHz\": 1410000, \"memClockRateKHz\": 1593000, \"l2CacheSize\": " #l2 ", "        \
    "\"maxSharedMemoryPerBlock\": 49152, \"maxSharedMemoryPerBlockOptin\": " #shared ", "          \
    "\"reservedSharedMemoryPerBlock\": 1024, \"maxRegistersPerSM\": 65536, \"pciDeviceId\": 0, "   \
    "\"maxCtasPerSM\": 32, \"maxThreadsPerBlock\": 1024, \"maxThreadsPerSM\": 2048, "              \
    "\"isTccDriver\": 0, \"supportCoopLaunch\": 1, \"deviceVer\": " #version ", "                  \
    "\"driverVer\": 13000, \"cudaDeviceId\": 0, \"totalGlobalMem\": 80000000000, "                 \
    "\"deviceName\": \"" name "\"}"

static const char *const gpus[] = {
    PROPERTIES("NVIDIA H200", 900, 132, 232448, 52428800),
    PROPERTIES("NVIDIA A100-SXM4-80GB", 800, 108, 166912, 41943040),
};

enum { N_GPUS = sizeof gpus / sizeof *gpus };

struct fixture {
    struct cuda cuda;
    struct device dev;
};

static inline int take_gpu(struct fixture *f, const char *properties, struct err *e)
{
    const struct dnn_attribute a = {CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, CUDNN_TYPE_CHAR,
                                    (int64_t)strlen(properties), properties};
    *f = (struct fixture){0};
    f->dev.impl = &f->cuda;
    return dnn_make(&f->cuda.gpu, CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR, "GPU", &a, 1, e);
}

/* n, channels in, side, channels out, kernel, stride. */
static inline struct dnn_shape shape_of(const int s[6], cudnnDataType_t type)
{
    int64_t pad = s[4] / 2, side = (s[2] + 2 * pad - s[4]) / s[5] + 1;
    return (struct dnn_shape){.n = s[0],
                              .c = s[1],
                              .h = s[2],
                              .w = s[2],
                              .k = s[3],
                              .p = side,
                              .q = side,
                              .r = s[4],
                              .s = s[4],
                              .stride = s[5],
                              .pad = pad,
                              .type = {type, type, type}};
}

#endif
