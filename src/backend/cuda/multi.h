/*
 * What all layers of a network do with one launch: packing the weights of its convolutions before
 * the forward pass, unpacking their gradients after the backward pass, and the running statistics
 * of its batch-norms. A ResNet-18 has 20 of each.
 */
#ifndef SUPCON_BACKEND_CUDA_MULTI_H
#define SUPCON_BACKEND_CUDA_MULTI_H

#include "backend/cuda/cuda.h"

/* See backend.h. */
int cuda_multi_new(struct device *, struct call *, int n, void **multi, struct err *);
int cuda_multi_begin(struct device *, void *multi, struct err *);
int cuda_multi_end(struct device *, void *multi, struct err *);
int cuda_multi_commit(struct device *, void *multi, const uint32_t *held, struct err *);
void cuda_multi_free(struct device *, void *multi);

/* A call's part in it; false: none. The call is bound. */
bool conv_pack_job(const struct call *, struct k_filter_job *);
bool conv_unpack_job(const struct call *, struct k_filter_job *);
bool batchnorm_commit_job(const struct call *, struct k_norm_commit_job *);

#endif
