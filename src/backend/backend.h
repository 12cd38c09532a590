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
#include "optim/hyper.h"
#include <stdbool.h>
#include <stdio.h>

struct tuning;

enum { DEVICE_FEW = 1 << 16, DEVICE_DEPTH_MAX = 4 };

enum fusion {
    FUSE_BN_RELU,     /* batch-norm, then ReLU */
    FUSE_BN_ADD_RELU, /* batch-norm, plus skip, then ReLU */
    FUSE_ADD_RELU,
    FUSE_LINEAR_RELU,
    FUSE_CONV_SUMS, /* a convolution may leave the sums that the batch-norm behind it needs */
};

struct device_info {
    char id[32];      /* "cpu", "cuda:0": what the key `device` accepts */
    char name[128];   /* "AMD EPYC 9654" */
    char detail[256]; /* "2 threads, AVX-512, bf16"; or why it cannot be used */
    bool usable;
    size_t memory_bytes; /* total */
    char bus[24];        /* a GPU's PCI address, "00000000:17:00.0"; "" for what has none */
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

/* What one optimizer update needs: n consecutive elements of the flat parameter store. All pointers
 * are device memory. */
struct update {
    const struct optim_class *rule;
    int64_t n;
    float *w;
    const float *g;
    float *slot[2]; /* momentum buffer, square average; as the rule declares */
    const struct optim_hyper *hyper;
    const uint32_t *held; /* nothing is written where this is not zero; NULL: always write */
};

/* Augmentation on the device: image i of the output is the view that params[i] describes (see
 * data/augment_pixel.h); its sample is a row of `images`. */
struct augment_shape;
struct view_params;
struct device_augment {
    const struct augment_shape *shape;
    const uint8_t *images;            /* device memory: [rows][C][from_height][from_width] */
    const struct view_params *params; /* device memory: [images of the output] */
};

/*
 * The order of things on a device: every call below takes effect after the calls before it, and may
 * return before its work is done; download, fetch with `wait`, and sync wait for it. A backend
 * without own time (the CPU) does the work before it returns.
 */

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
    /* Sum of squares in a fixed order, f64; for the gradient norm. `out` is device memory. */
    int (*sum_squares)(struct device *, const float *x, int64_t n, double *out, struct err *);
    /* *held |= 1 if the loss of one of `n` statistics tensors, or a sum of squares, is not finite.
     * All device memory; stats [n][STAT_N]. */
    int (*judge)(struct device *, int n, const float *stats, int n_squares, const double *squares,
                 uint32_t *held, struct err *);
    int (*augment)(struct device *, const struct device_augment *, struct tensor *out,
                   struct err *); /* optional */
    int (*sync)(struct device *, struct err *);

    /* Few bytes (at most DEVICE_FEW) host -> device; `src` is free again on return. */
    int (*write)(struct device *, void *dst, const void *src, size_t bytes, struct err *);
    int (*copy)(struct device *, void *dst, const void *src, size_t bytes,
                struct err *); /* device -> device */
    /* Few bytes device -> host without waiting: post() starts it, fetch() has them: 1; not yet: 0
     * (only without `wait`). `slot` is below `depth`, the number of steps that may be on their way
     * at once; 1 where nothing is gained by more. */
    int (*post)(struct device *, int slot, const void *src, size_t bytes, struct err *);
    int (*fetch)(struct device *, int slot, void *dst, size_t bytes, bool wait, struct err *);
    int depth;

    /* Optional: what is called between begin and end is recorded, not done; replay() does it. */
    int (*record_begin)(struct device *, struct err *);
    int (*record_end)(struct device *, void **recording, struct err *);
    int (*replay)(struct device *, void *recording, struct err *);
    void (*record_free)(struct device *, void *recording);

    /*
     * Optional: what each call of a plan would do with a small launch of its own, done for all of
     * them at once (calls then have `multi` set). Made when the calls are bound; begin() comes
     * before the first forward() of a pass, end() after its last backward(), and commit() instead
     * of the calls' own.
     */
    int (*multi_new)(struct device *, struct call *, int n, void **multi, struct err *);
    int (*multi_begin)(struct device *, void *multi, struct err *);
    int (*multi_end)(struct device *, void *multi, struct err *);
    int (*multi_commit)(struct device *, void *multi, const uint32_t *held, struct err *);
    void (*multi_free)(struct device *, void *multi);

    /* Outputs that a kernel can repeat are repeated rather than kept: memory is dearer than time.
     */
    bool spares_memory;
    /* Bytes that can still be allocated; 0: not known. */
    size_t (*memory_free)(struct device *);

    /* Asked for each node that could be fused; `y` is its output. */
    bool (*can_fuse)(const struct device *, enum fusion, const struct tensor *y);
    bool (*has_dtype)(const struct device *, enum dtype, char *why, size_t why_bytes);
    enum dtype preferred;                /* to compute in, unless the recipe says */
    const struct kernel *const *kernels; /* [OP_N]; NULL: op not supported */
    /* Optional: the most arithmetic of this type that the device does, measured now on independent
     * multiply-adds; 0: not known. */
    int (*peak)(struct device *, enum dtype, double *gflops, struct err *);
};

extern const struct backend_class cpu_backend;

extern const struct backend_class *const backend_classes[]; /* NULL-terminated */

/* id: "auto" (the best usable device), "cpu", "cuda", "cuda:N". Fails with EXIT_UNAVAILABLE and
 * says why. */
int device_open(struct device *, const char *id, const struct device_options *, struct err *);
void device_close(struct device *); /* a zeroed device is fine */

#endif
