/*
 * One pass of a convolution: a cuDNN plan, and what has to be done to the weights around it. The
 * weights are plain f32 [K,C,R,S] in the parameter store; cuDNN wants them [K,R,S,C] in the type of
 * the activations, with channels padded.
 */
#ifndef SUPCON_BACKEND_CUDA_CONV_H
#define SUPCON_BACKEND_CUDA_CONV_H

#include "backend/cuda/cudnn_graph.h"

extern const char *const conv_pass_names[N_CONV_PASSES];

struct conv_pass_plan {
    enum conv_pass pass;
    struct dnn_graph graph;
    struct dnn_plan plan; /* plan.plan NULL: the pass is not wanted */
    /* The gradient of the weights is made in bf16: no engine, or only much slower ones, can sum
     * bf16 operands into f32 memory. */
    bool narrow;
};

/*
 * Make *p ready with the plan on record for `key`, or with the fastest, which is then recorded.
 * *ms: its time on record. `shape` has the types of the activations everywhere; those of the
 * gradient of the weights are chosen here. text: what was chosen, for people.
 */
int conv_choose(struct conv_pass_plan *p, struct device *, const struct dnn_shape *shape,
                enum conv_pass, const char *key, double *ms, char *text, size_t text_bytes,
                struct err *);
void conv_pass_plan_done(struct conv_pass_plan *); /* a zeroed one is fine */

/* Bytes of a tensor of the shape as it lies in memory; `which` is below DNN_ALL. */
size_t dnn_bytes(const struct dnn_shape *, int which);

#endif
