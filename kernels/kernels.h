/*
 * The CUDA kernels' launchers, as the CUDA backend calls them from C. Every launcher enqueues on
 * `stream` and returns 0 or a cudaError_t; it allocates nothing, waits for nothing, and may be
 * captured into a CUDA graph. All pointers are device memory; activations, masks and workspaces
 * begin at a multiple of 16 bytes, parameters and their gradients (gamma, dbeta, w, ...) at one of
 * 4 bytes.
 *
 * Activations are NHWC with channels padded to a multiple of CHANNEL_ALIGN (the stored number is
 * `cs`); padding is zero on entry and must be zero on exit. `bf16` chooses the element type of what
 * has four dimensions (0: f32); everything else is f32 and plain row-major. Reductions have a fixed
 * order: no float atomics, so equal input gives equal bits.
 */
#ifndef SUPCON_KERNELS_KERNELS_H
#define SUPCON_KERNELS_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct CUstream_st; /* cudaStream_t is a pointer to it */

enum { CHANNEL_ALIGN = 8 };

/* An NHWC tensor: n images, h x w pixels, c channels of which cs are stored; at most 2^35 elements
 * (cudaErrorInvalidValue), and 2^31 in an image. */
struct k_map {
    int64_t n;
    int h, w, c, cs;
    int bf16;
};

/* From now on kernels begin while the one before them in the stream ends, as launch.h describes, or
 * not; of the whole process. Whether they do: not if the device does not know how, or runs code
 * that was compiled for one that does not. */
int k_overlap(int wanted);

/* Edges: plain f32 [N,C,H,W] <-> NHWC (convert, pad with zeros). */
int k_to_nhwc(struct CUstream_st *, const struct k_map *, const float *nchw, void *nhwc);
int k_from_nhwc(struct CUstream_st *, const struct k_map *, const void *nhwc, float *nchw);

/* Convolution weights f32 [K,C,R,S] -> [Ks,R,S,Cs] in the filter's type, padded with zeros; and
 * gradients [Ks,R,S,Cs] in the filter's type -> f32 [K,C,R,S]. Any number in host memory, in as few
 * launches as parameters allow. */
struct k_filter {
    int k, ks, c, cs, r, s, bf16;
};
struct k_filter_job {
    struct k_filter filter;
    const void *from;
    void *to;
    float *zero; /* packing: n_zero f32 that become 0; NULL: none */
    int n_zero;
};
int k_pack_filters(struct CUstream_st *, const struct k_filter_job *, int n);
int k_unpack_filters(struct CUstream_st *, const struct k_filter_job *, int n);

/* y = relu?(x), y = relu?(a + b), y += x. backward: dx = dy where y > 0 (y as stored). */
int k_relu(struct CUstream_st *, int bf16, int64_t n, const void *x, void *y);
int k_relu_backward(struct CUstream_st *, int bf16, int64_t n, const void *y, const void *dy,
                    void *dx);
int k_add(struct CUstream_st *, int bf16, int relu, int64_t n, const void *a, const void *b,
          void *y, uint32_t *mask); /* mask: 1 bit per element where relu, may be NULL */
int k_mask(struct CUstream_st *, int bf16, int64_t n, const void *dy, const uint32_t *mask,
           void *dx); /* dx = dy where the bit is set */
int k_accumulate(struct CUstream_st *, int bf16, int64_t n, void *y, const void *x);

/* Bias of a convolution: y += b per channel; db = sum of dy over images and pixels. */
int k_bias(struct CUstream_st *, const struct k_map *, void *y, const float *b);
size_t k_bias_backward_workspace(const struct k_map *);
int k_bias_backward(struct CUstream_st *, const struct k_map *, const void *dy, float *db,
                    void *workspace);

/*
 * Batch-norm (Ioffe and Szegedy 2015), + skip, ReLU. Training: mean and inverse deviation of the
 * batch (biased variance), moments about a pivot or by Welford's combination, so that a mean far
 * from zero cancels nothing. The ReLU leaves 1 bit per element in `mask`. backward: g = dy where
 * the mask is set; dskip = g (NULL: none); dbeta = sum g; dgamma = sum g * xhat;
 * dx = gamma * rstd * (g - dbeta/m - xhat * dgamma/m).
 */
struct k_norm {
    struct k_map map;
    float eps;
    int relu;
    const void *x, *skip; /* skip NULL: none */
    void *y;
    const float *sums; /* f32 [2][cs], of x and of its squares, where they are known; else NULL */
    const float *gamma, *beta;
    float *mean, *rstd; /* [cs] saved by the forward pass for the others */
    uint32_t *mask;     /* NULL: not kept */
    void *workspace;
    const void *dy;
    void *dx, *dskip;      /* NULL: not wanted */
    float *dgamma, *dbeta; /* NULL: not wanted */
};
size_t k_norm_workspace(const struct k_map *);
size_t k_norm_mask_bytes(const struct k_map *);
/* Statistics unless `sums`, then apply. */
int k_norm_forward(struct CUstream_st *, const struct k_norm *);
int k_norm_statistics(struct CUstream_st *, const struct k_norm *); /* mean and rstd alone */
int k_norm_apply(struct CUstream_st *, const struct k_norm *); /* y again, from mean and rstd */
int k_norm_backward(struct CUstream_st *, const struct k_norm *);
/* Evaluation: y from running statistics. */
int k_norm_evaluate(struct CUstream_st *, const struct k_norm *, const float *mean,
                    const float *var);
/* running = (1 - momentum) * running + momentum * batch (variance unbiased), unless *held; of any
 * number of layers, in host memory. */
struct k_norm_commit_job {
    int c;
    float eps, momentum;
    double count;             /* values per channel */
    const float *mean, *rstd; /* of the batch */
    float *running_mean, *running_var;
};
int k_norm_commit(struct CUstream_st *, const struct k_norm_commit_job *, int n,
                  const uint32_t *held);

/* Pools. Max: `index` keeps the winning offset in the window, u8 per output element. */
struct k_pool {
    struct k_map in, out;
    int window, stride, pad;
};
int k_maxpool(struct CUstream_st *, const struct k_pool *, const void *x, void *y, uint8_t *index);
int k_maxpool_backward(struct CUstream_st *, const struct k_pool *, const void *dy,
                       const uint8_t *index, void *dx);
int k_avgpool(struct CUstream_st *, const struct k_pool *, const void *x, void *y);
int k_avgpool_backward(struct CUstream_st *, const struct k_pool *, const void *dy, void *dx);
int k_globalpool(struct CUstream_st *, const struct k_map *, const void *x, float *y); /* [N,C] */
int k_globalpool_backward(struct CUstream_st *, const struct k_map *, const float *dy, void *dx);

/* z = x / max(|x|, 1e-12), rows of d; dx = (dz - (dz.z) z) / max(|x|, 1e-12). */
int k_l2norm(struct CUstream_st *, int64_t rows, int d, const float *x, float *z);
int k_l2norm_backward(struct CUstream_st *, int64_t rows, int d, const float *x, const float *z,
                      const float *dz, float *dx);

/* Column sums of [rows, k] (a linear layer's bias gradient), and dx = dy where y > 0. */
size_t k_column_sum_workspace(int64_t rows, int k);
int k_column_sum(struct CUstream_st *, int64_t rows, int k, const float *dy, float *db,
                 void *workspace);

/* Soft-target cross-entropy (op.h, OP_XENT); stats is f32 [8] of enum loss_stat. */
struct k_xent {
    int64_t n;
    int views, k;
    float smoothing;
    const float *s;        /* [views*n, k] */
    const int32_t *labels; /* [n], or NULL with soft */
    const float *soft;     /* [views*n, k] */
    float *stats, *ds;     /* ds: [views*n, k] in the backward pass */
    void *workspace;
};
size_t k_xent_workspace(const struct k_xent *);
int k_xent_forward(struct CUstream_st *, const struct k_xent *);
int k_xent_backward(struct CUstream_st *, const struct k_xent *);

/*
 * The contrastive loss (Khosla et al. 2020, L_out; Chen et al. 2020), tiled; op.h, OP_CONTRASTIVE.
 * Two passes over tiles of z z^T / temperature; memory O(views * n * d). F16: operands of products
 * rounded to half precision.
 */
enum k_contrast_method { K_CONTRAST_F32, K_CONTRAST_F16, K_CONTRAST_N };
struct k_contrast {
    int64_t n; /* samples; rows v*n + i */
    int views, d;
    float temperature, scale;
    int simclr, anchors_one;
    enum k_contrast_method method;
    const float *z; /* [views*n, d] */
    const int32_t *labels;
    float *stats, *dz;
    void *saved; /* from forward to backward: row statistics, z as it is read */
    void *workspace;
};
size_t k_contrast_saved(const struct k_contrast *);
size_t k_contrast_workspace(const struct k_contrast *);
int k_contrast_forward(struct CUstream_st *, const struct k_contrast *);
int k_contrast_backward(struct CUstream_st *, const struct k_contrast *);

/*
 * Optimizer rules over flat memory, from optim/rules.h. `hyper` is a struct optim_hyper in device
 * memory; nothing is written where *held is not zero. shadow: NULL.
 */
enum k_rule { K_RULE_SGD, K_RULE_RMSPROP, K_RULE_N };
struct k_update {
    enum k_rule rule;
    int64_t n;
    float *w;
    const float *g;
    float *slot[2];
    const void *hyper;
    const uint32_t *held;
};
int k_update(struct CUstream_st *, const struct k_update *);

/* *out = sum of squares in f64, fixed order; workspace of k_sum_squares_workspace(). */
size_t k_sum_squares_workspace(int64_t n);
int k_sum_squares(struct CUstream_st *, int64_t n, const float *x, double *out, void *workspace);
/* *held |= 1 if one of n_f floats (the losses, at stride STAT_N) or n_d doubles is not finite. */
int k_judge(struct CUstream_st *, int n_losses, const float *losses, int n_d, const double *squares,
            uint32_t *held);

/*
 * Augmentation: one block per view makes image i of `y` from params[i], of the row of `images`
 * [rows][C][from_height][from_width] that it names; see data/augment_pixel.h.
 */
struct augment_shape;
struct view_params;
struct k_augment {
    struct k_map out;
    const struct augment_shape *shape; /* host memory */
    const uint8_t *images;
    const struct view_params *params;
    void *y;
};
int k_augment(struct CUstream_st *, const struct k_augment *);

#ifdef __cplusplus
}
#endif
#endif
