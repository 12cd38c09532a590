/*
 * What the files of the CUDA backend share: the device's private state, statuses as errors, and the
 * kernels' contract instances.
 *
 * Everything is enqueued on the compute stream, in the order of the calls; that stream is the
 * backend's notion of "before". Gradients of weights run aside (aside.c). The copy stream carries
 * host memory into staging buffers ahead of it; events tie the two together. The communication
 * stream is for what several GPUs tell each other. Nothing in a training step waits for the device.
 */
#ifndef SUPCON_BACKEND_CUDA_CUDA_H
#define SUPCON_BACKEND_CUDA_CUDA_H

#include "backend/backend.h"
#include "backend/tuning.h"
#include "kernels/kernels.h"

#include <cublasLt.h>
#include <cuda_runtime_api.h>
#include <cudnn.h>

/* Physical layout of 4-D activations: [N][H][W][C], channels padded with zeros to CHANNEL_ALIGN. */
enum { LAYOUT_NHWC = 1 };

enum { N_STAGING = 2, N_LETTERS = 32, CUDA_DEPTH = 3 };

/* A way between host and device: pinned memory and as much device memory. */
struct staging {
    char *host, *device;
    cudaEvent_t copied; /* the last transfer between the two is done */
    cudaEvent_t taken;  /* the compute stream needs `device` no longer */
};

/* Few bytes on their way: pinned memory, and when it is free again. */
struct letter {
    char *host;
    cudaEvent_t done;
};

struct cuda {      /* device->impl */
    int index, sm; /* 90: compute capability 9.0 */
    bool tf32;     /* f32 products may be rounded to TF32 */
    bool sums;     /* convolutions may make the sums of batch-norms */
    bool recording, record_failed;
    cudaStream_t compute, side, copy, communication;
    bool forks, forked; /* work may go aside; it is there, and not joined yet */
    cudaEvent_t fork, join;
    cudnnHandle_t dnn;
    cudnnBackendDescriptor_t gpu; /* NULL, or the properties of a GPU that is not here */
    cublasLtHandle_t blas;
    struct staging staging[N_STAGING];
    size_t staging_bytes;
    int turn; /* the next staging buffer */
    struct letter out[N_LETTERS], in[DEVICE_DEPTH_MAX];
    int next_letter;
    cudaEvent_t idle;
    void *squares; /* partial sums of k_sum_squares */
    size_t squares_bytes;
    struct tuning *own;      /* used when the caller gave no record */
    char tuning_prefix[160]; /* device, libraries, and what else a choice depends on */
};

static inline struct cuda *cuda_of(const struct device *dev)
{
    return (struct cuda *)dev->impl;
}

/*
 * 0, or -1 with "CALL: STATUS: WORDS". Out of memory is EXIT_OS; an error after which the device
 * answers nothing any more is EXIT_UNAVAILABLE and says that the GPU was lost; everything else is
 * EXIT_SOFTWARE.
 */
int cuda_check(struct err *, int status, const char *call);
int cuda_check_dnn(struct err *, cudnnStatus_t, const char *call);
int cuda_check_blas(struct err *, cublasStatus_t, const char *call);
#define CU(e, call) cuda_check((e), (int)(call), #call)
#define DNN(e, call) cuda_check_dnn((e), (call), #call)
#define BLAS(e, call) cuda_check_blas((e), (call), #call)

/* memory.c */
int cuda_alloc(struct device *, size_t bytes, void **, struct err *);
void cuda_free(struct device *, void *, size_t bytes);
size_t cuda_memory_free(struct device *);
void cuda_layout(struct device *, struct tensor *);
struct k_map cuda_map(const struct tensor *); /* of a 4-D activation */
int64_t cuda_stored(const struct tensor *);   /* elements, padding included */
int cuda_copy(struct device *, void *dst, const void *src, size_t bytes, struct err *);
int cuda_accumulate(struct device *, struct tensor *y, const struct tensor *x, struct err *);
int cuda_sync(struct device *, struct err *);
/* Random numbers of [-1, 1) in device memory, bf16 or f32, for timing; freed with cuda_free(). */
int cuda_noise(struct device *, size_t bytes, enum dtype, void **, struct err *);

/* aside.c */
int cuda_aside_init(struct cuda *, struct err *);
void cuda_aside_done(struct cuda *);
int cuda_fork(struct cuda *, struct err *);
int cuda_aside_begin(struct cuda *, struct err *);
int cuda_aside_end(struct cuda *, struct err *);
int cuda_join(struct cuda *, struct err *);

/* transfer.c */
int cuda_upload(struct device *, struct tensor *dst, const void *src, struct err *);
int cuda_download(struct device *, const struct tensor *src, void *dst, struct err *);
void cuda_staging_done(struct cuda *);
size_t cuda_staging_to_come(const struct cuda *); /* bytes of device memory, at most */

/* letters.c */
int cuda_letters_init(struct cuda *, struct err *);
void cuda_letters_done(struct cuda *);
int cuda_write(struct device *, void *dst, const void *src, size_t bytes, struct err *);
int cuda_post(struct device *, int slot, const void *src, size_t bytes, struct err *);
int cuda_fetch(struct device *, int slot, void *dst, size_t bytes, bool wait, struct err *);

/* record.c */
int cuda_record_begin(struct device *, struct err *);
int cuda_record_end(struct device *, void **recording, struct err *);
int cuda_replay(struct device *, void *recording, struct err *);
void cuda_record_free(struct device *, void *recording);
/* -1 if a recording is being made, in which `what` has no place. */
int cuda_refuse_recording(const struct cuda *, const char *what, struct err *);

/* update.c */
int cuda_update(struct device *, const struct update *, struct err *);
int cuda_sum_squares(struct device *, const float *x, int64_t n, double *out, struct err *);
int cuda_judge(struct device *, int n, const float *stats, int n_squares, const double *squares,
               uint32_t *held, struct err *);
int cuda_augment(struct device *, const struct device_augment *, struct tensor *out, struct err *);

/* peak.c */
int cuda_peak(struct device *, enum dtype, double *gflops, struct err *);

/* The kernels, one per file; listed in kernels.c. */
extern const struct kernel cuda_conv, cuda_batchnorm, cuda_relu, cuda_add, cuda_maxpool,
    cuda_avgpool, cuda_globalpool, cuda_linear, cuda_l2norm, cuda_xent, cuda_contrastive;
extern const struct kernel *const cuda_kernels[OP_N];

/* done() of kernels that own nothing but what calloc() gave them as impl. */
void cuda_done_plain(struct device *, struct call *);

#endif
