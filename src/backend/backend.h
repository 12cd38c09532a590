/*
 * The contract between the nn core and the machine it runs on. A backend owns memory, physical
 * layouts and kernels; the core knows logical shapes only. Backends are listed in backends.c, the
 * only file that knows which are built in.
 */
#ifndef SUPCON_BACKEND_BACKEND_H
#define SUPCON_BACKEND_BACKEND_H

#include "base/err.h"
#include "nn/op.h"
#include "nn/tensor.h"
#include <stdbool.h>
#include <stdio.h>

struct tuning;

enum fusion {
    FUSE_BN_RELU,     /* batch-norm, then ReLU */
    FUSE_BN_ADD_RELU, /* batch-norm, plus skip, then ReLU */
    FUSE_ADD_RELU,
    FUSE_LINEAR_RELU,
};

struct device_info {
    char id[32];      /* "cpu", "cuda:0": what the key `device` accepts */
    char name[128];   /* "AMD EPYC 9654" */
    char detail[256]; /* "2 threads, AVX-512, bf16"; or why it cannot be used */
    bool usable;
    size_t memory_bytes; /* total */
    char libraries[128]; /* what results depend on besides the name: "oneDNN 2.6.3, avx512_core" */
};

struct device_options {
    int threads;           /* CPU: 0 = affinity mask and SLURM_CPUS_PER_TASK */
    bool deterministic;    /* only deterministic algorithms */
    struct tuning *tuning; /* the record of algorithm choices; borrowed, may be NULL (then nothing
                              is remembered) */
};

struct device {
    const struct backend_class *class;
    struct device_info info;
    int threads;
    bool deterministic;
    struct tuning *tuning;
    void *impl;
};

/* What one optimizer update needs: n consecutive elements of the flat parameter store. */
struct update {
    const struct optim_class *rule;
    int64_t n;
    float *w;
    const float *g;
    float *slot[2]; /* momentum buffer, square average; as the rule declares */
    struct optim_hyper {
        float lr, momentum, weight_decay, rho, eps;
        bool nesterov;
    } hyper;
};

struct backend_class {
    const char *name, *help;
    int (*probe)(struct device_info *out,
                 int max); /* how many were filled in; 0 devices is an answer */
    int (*open)(struct device *, int index, const struct device_options *, struct err *);
    void (*close)(struct device *);

    int (*alloc)(struct device *, size_t bytes, void **,
                 struct err *); /* zeroed, 64-byte aligned at least */
    void (*free)(struct device *, void *, size_t bytes);

    /* Choose layout and bytes of a tensor whose name, dtype, ndim and dim are set. */
    void (*layout)(struct device *, struct tensor *);
    /* Plain row-major host memory <-> the tensor; host f32 for f32 and bf16 tensors (converted),
     * else the tensor's dtype. */
    int (*upload)(struct device *, struct tensor *dst, const void *src, struct err *);
    int (*download)(struct device *, const struct tensor *src, void *dst, struct err *);
    /* y += x, two tensors of one shape and layout (fan-out of gradients). */
    int (*accumulate)(struct device *, struct tensor *y, const struct tensor *x, struct err *);

    int (*update)(struct device *, const struct update *, struct err *);
    /* Sum of squares in a fixed order, f64; for the gradient norm. */
    int (*sum_squares)(struct device *, const float *x, int64_t n, double *out, struct err *);
    int (*sync)(struct device *, struct err *);

    bool (*can_fuse)(const struct device *, enum fusion);
    bool (*has_dtype)(const struct device *, enum dtype, char *why, size_t why_bytes);
    const struct kernel *const *kernels; /* [OP_N]; NULL: op not supported */
};

extern const struct backend_class cpu_backend;

extern const struct backend_class *const backend_classes[]; /* NULL-terminated */

/* id: "auto" (the best usable device), "cpu", "cuda", "cuda:N". Fails with EXIT_UNAVAILABLE and
 * says why. */
int device_open(struct device *, const char *id, const struct device_options *, struct err *);
void device_close(struct device *); /* a zeroed device is fine */

#endif
