/*
 * A small builder over cuDNN's graph API: one pass of a convolution as an operation graph, the
 * engines the library knows for it, and execution plans.
 *
 * A plan is described by a short text, "ENGINE:KNOB=VALUE,...": the number of the engine and the
 * choices that the heuristic made for it. From this text the same plan is built again, which is
 * what makes repeated and resumed runs compute the same bits.
 *
 * A device without a handle but with the properties of a GPU (struct cuda, gpu) makes plans for
 * that GPU on a machine that has none; they cannot be run.
 */
#ifndef SUPCON_BACKEND_CUDA_CUDNN_GRAPH_H
#define SUPCON_BACKEND_CUDA_CUDNN_GRAPH_H

#include "backend/cuda/cuda.h"

enum conv_pass { CONV_FORWARD, CONV_DATA, CONV_WEIGHTS, N_CONV_PASSES };

/* Tensors of a pass: the activations x and y, or their gradients, and the weights w, or theirs.
 * With them, where a forward pass also makes them: f32 [k], sums over y and over its squares. They
 * are 0 before, and are added to in any order: the last bits differ from time to time. */
enum { DNN_X, DNN_W, DNN_Y, N_DNN, DNN_SUMS = N_DNN, DNN_SQUARES, DNN_ALL };

/* A convolution as it lies in memory: NHWC activations, KRSC weights, channels with padding. */
struct dnn_shape {
    int64_t n, c, h, w; /* x [n,h,w,c] */
    int64_t k, p, q;    /* y [n,p,q,k] */
    int64_t r, s;       /* w [k,r,s,c] */
    int64_t stride, pad;
    bool sums; /* CONV_FORWARD: sums are made as well */
    bool adds; /* CONV_DATA: the gradient is added to what is there, in f32 before it is rounded */
    cudnnDataType_t type[N_DNN];
};

struct dnn_graph {
    enum conv_pass pass;
    bool sums;
    cudnnDataType_t type[N_DNN];
    cudnnHandle_t handle;
    cudnnBackendDescriptor_t gpu; /* borrowed, as the handle */
    cudnnBackendDescriptor_t tensor[DNN_ALL], conv, operation, statistics, graph;
};

int dnn_graph_init(struct dnn_graph *, struct device *, const struct dnn_shape *, enum conv_pass,
                   struct err *);
void dnn_graph_done(struct dnn_graph *); /* a zeroed one is fine */

enum { DNN_TEXT = 128, DNN_CONFIGS = 64 };

/* What an engine says of its numbers and of itself. */
enum {
    DNN_NONDETERMINISTIC = 1 << 0,
    DNN_TENSOR_CORE = 1 << 1,
    DNN_ROUNDS_INPUTS = 1 << 2, /* f32 to TF32, or narrower */
    DNN_ROUNDS_SUMS = 1 << 3,   /* sums in less than f32 */
    DNN_COMPILES = 1 << 4,      /* at run time, when the plan is made */
};

struct dnn_config {
    cudnnBackendDescriptor_t config;
    unsigned notes;
    char text[DNN_TEXT];
};

/* What the heuristics recommend, best first, each engine configuration once; how many, at most
 * DNN_CONFIGS. Each is to be freed. */
int dnn_configs(const struct dnn_graph *, struct dnn_config out[DNN_CONFIGS]);
/* The configuration a text describes; -1 with *e set if there is none any more. */
int dnn_config_parse(struct dnn_config *, const struct dnn_graph *, const char *text, struct err *);
void dnn_config_done(struct dnn_config *);

struct dnn_plan {
    cudnnBackendDescriptor_t plan, pack;
    int n_tensors; /* DNN_ALL with sums, N_DNN without */
    size_t workspace_bytes;
};

/* Fails where the engine cannot do this shape on this device. */
int dnn_plan_init(struct dnn_plan *, const struct dnn_graph *, const struct dnn_config *,
                  struct err *);
/* The same, but code that is compiled when the plan is made is kept in the cache folder: making it
 * takes half a second, reading it a millisecond. `key` names the shape, the GPU and the library;
 * graphs of one key may differ in what they make. */
int dnn_plan_make(struct dnn_plan *, const struct dnn_graph *, const struct dnn_config *,
                  const char *key, struct err *);
void dnn_plan_done(struct dnn_plan *); /* a zeroed one is fine */
/* Where the tensors and the workspace are from now on; the last two count where there are sums. */
int dnn_plan_bind(struct dnn_plan *, void *const data[DNN_ALL], void *workspace, struct err *);
int dnn_plan_run(const struct dnn_plan *, const struct device *, struct err *);

/* A descriptor is created, given its attributes, and finalized in one go; used by the files
 * cudnn_*.c and plan_cache.c. On failure *out is NULL. */
struct dnn_attribute {
    cudnnBackendAttributeName_t name;
    cudnnBackendAttributeType_t type;
    int64_t n;
    const void *values;
};
int dnn_make(cudnnBackendDescriptor_t *out, cudnnBackendDescriptorType_t, const char *what,
             const struct dnn_attribute *, int n, struct err *);
void dnn_drop(cudnnBackendDescriptor_t *);
/* A plan from what it is made of besides the device: an engine configuration, or a description. */
int dnn_plan_from(struct dnn_plan *, const struct dnn_graph *, const char *what,
                  const struct dnn_attribute *, struct err *);

#endif
