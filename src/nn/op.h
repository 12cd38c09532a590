/* clang-format off */
/*
 * The ops: what a graph is made of, and the contract between a plan and a backend's kernels.
 *
 * Inputs and outputs of each op, in order (logical shapes):
 *
 *   OP_CONV         x [N,C,H,W], w [K,C,R,S], [b [K]] -> y [N,K,H',W']
 *   OP_BATCHNORM    x [N,C,H,W], gamma [C], beta [C], mean [C], var [C], [skip as x] -> y as x.
 *                   mean and var are the running statistics. training: batch statistics, biased
 *                   variance, eps 1e-5. y = bn(x) (+ skip), then ReLU if attr.relu.
 *                   commit(): running = (1 - momentum) * running + momentum * batch, variance
 *                   unbiased, momentum 0.1; a channel whose batch statistics are not finite keeps
 *                   its running ones.
 *   OP_RELU         x -> y
 *   OP_ADD          a, b -> y; ReLU if attr.relu
 *   OP_MAXPOOL,     x [N,C,H,W] -> y [N,C,H',W']; with pad > 0 the average counts the padding
 *   OP_AVGPOOL
 *   OP_GLOBALPOOL   x [N,C,H,W] -> y [N,C] (f32)
 *   OP_LINEAR       x [N,C], w [K,C], b [K] -> y [N,K]; ReLU if attr.relu
 *   OP_L2NORM       x [N,D] -> z [N,D] = x / max(|x|, 1e-12)
 *   OP_XENT         s [R,K], target -> stats [STAT_N]; mean over rows of -sum_k T_k log softmax(s)_k.
 *                   target: labels i32 [N] with R = V*N, row v*N+n has label n, and
 *                   T = (1-eps) one-hot + eps/K; or soft targets f32 [R,K] when attr.soft
 *   OP_CONTRASTIVE  z [V*N,D] (row v*N+n), labels i32 [N] -> stats [STAT_N]; SupCon L_out (Khosla et
 *                   al. 2020), or SimCLR (Chen et al. 2020) when attr.simclr (labels are ignored);
 *                   the mean over anchors times attr.scale. attr.anchors_one: only view 0 rows are
 *                   anchors. An anchor without positives counts as zero and stays in the mean. z is
 *                   taken as given (not normalised).
 *
 * Activations with 4 dimensions have the plan's compute dtype; everything with fewer is f32.
 * Parameters, running statistics and their gradients are plain f32 in the parameter store.
 */
/* clang-format on */
#ifndef SUPCON_NN_OP_H
#define SUPCON_NN_OP_H

#include "base/err.h"
#include "nn/loss_stat.h"
#include "nn/tensor.h"
#include <stdbool.h>

enum op {
    OP_CONV,
    OP_BATCHNORM,
    OP_RELU,
    OP_ADD,
    OP_MAXPOOL,
    OP_AVGPOOL,
    OP_GLOBALPOOL,
    OP_LINEAR,
    OP_L2NORM,
    OP_XENT,
    OP_CONTRASTIVE,
    OP_N
};

struct op_attr;

const char *op_name(enum op); /* "conv", "batchnorm", ... */
bool op_is_loss(enum op);     /* its output is a statistics tensor [STAT_N] */

/*
 * What backward() may read besides dout and saved: bit i for in[i], bit OP_MAX_IN for out. Memory
 * of everything else is given to others between the two passes. Parameters are always there.
 *   conv, batchnorm, maxpool: x;  linear: x;  l2norm: x and z;  losses: all inputs
 *   and for relu and maxpool: out. A fused ReLU keeps what it needs in saved.
 */
unsigned op_backward_reads(enum op);

struct op_attr {
    int stride, pad, window;  /* conv, pools; conv's kernel size stands in the weight */
    bool relu;                /* fused ReLU */
    bool training;            /* batch-norm: batch statistics */
    float momentum, eps;      /* batch-norm */
    float label_smoothing;    /* xent */
    bool soft;                /* xent: target is f32 [R,K] */
    int views;                /* xent, contrastive: V; rows = V*N */
    float temperature, scale; /* contrastive: tau, tau / tau_base */
    bool simclr, anchors_one; /* contrastive */
};

enum { OP_MAX_IN = 6 };

/*
 * One node made ready for one device. The plan fills shapes, attributes and tensors; the kernel's
 * prepare() reads them and says what it needs; then the plan places everything and the addresses
 * never change again.
 */
struct call {
    enum op op;
    char name[64]; /* of the node, for messages */
    struct op_attr attr;
    enum dtype compute; /* of the plan's 4-D activations: how exact its numbers are */
    bool multi;         /* the plan calls the backend's multi_*(): see backend.h */
    bool want_backward; /* prepare() makes the backward pass ready too */
    bool adds;          /* backward() adds to din[0], which holds a gradient already; only for
                           kernels that can */

    int n_in;
    struct tensor *in[OP_MAX_IN];
    struct tensor *out;
    /* Where the backend fuses them (FUSE_CONV_SUMS): of a convolution, a batch-norm of this batch
     * reads `out`; it may then leave the sums of `out` and of its squares, per stored channel, from
     * its forward() to the batch-norm's. bind() says where, `sums` NULL: it does not. Of the
     * batch-norm, that convolution. */
    bool wants_sums;
    const float *sums; /* device memory, [2][stored channels] */
    const struct call *maker;
    struct tensor *bin[OP_MAX_IN]; /* where in[i] is during backward(): the same tensor, or one that
                                      again() filled (only inputs of OP_CONV); NULL: the same */
    struct tensor *din[OP_MAX_IN]; /* gradients to write, or din[0] to add to, see `adds`; NULL: not
                                      wanted. None of them is dout */
    struct tensor *dout;           /* gradient of out; NULL for losses, whose gradient is 1 */

    size_t saved_bytes; /* prepare(): kept from forward to backward (statistics, masks, indices),
                           and to commit() where attr.training is set */
    bool saved_whole;   /* prepare(): `saved` is the call's during the whole pass, from the
                           backend's multi_begin() to its multi_end() */
    size_t workspace_bytes;  /* prepare(): scratch, shared by all calls of a plan */
    size_t scratch_bytes[2]; /* prepare(): as workspace, of forward() and backward() apart, for
                                kernels that need much: placed for the time of that pass alone */
    void *saved, *workspace, *scratch[2];

    char algorithm[3][40]; /* prepare(): what was chosen for forward, backward-data,
                              backward-weights; "" where none */
    double ms[3];          /* prepare(): measured time of the choice, 0 if not timed */
    void *impl;            /* the kernel's own */
};

struct device;

/* One op on one backend. All return 0 or -1 with *e set. */
struct kernel {
    bool can_add; /* backward() can add to din[0] (call.adds) */
    bool lingers; /* calls with `multi`: what backward() has begun may still be at work, and use
                     what it reads, `saved` and `scratch`, until the next backward() of a kernel
                     that lingers, or until the backend's multi_end() */
    int (*prepare)(struct device *, struct call *,
                   struct err *); /* may allocate; before addresses are known */
    int (*bind)(struct device *, struct call *,
                struct err *); /* optional; addresses are final from now on */
    int (*forward)(struct device *, struct call *, struct err *);
    int (*backward)(struct device *, struct call *, struct err *);
    int (*again)(struct device *, struct call *, struct tensor *out,
                 struct err *); /* optional; the output once more, the same
bits, after forward() and before backward(), from in[] and what the kernel kept */
    int (*commit)(struct device *, struct call *, const uint32_t *held,
                  struct err *); /* optional; the step was accepted: running statistics. `held`:
device memory; nothing is written where it is not zero; NULL: always write */
    void (*done)(struct device *,
                 struct call *); /* frees impl; accepts a call whose prepare failed */
};

#endif
