/*
 * One pass (forward, backward-data, backward-weights) of a convolution by one algorithm: a oneDNN
 * primitive, and conversions of those operands whose layout or type it wants otherwise.
 */
#ifndef SUPCON_BACKEND_CPU_CONV_H
#define SUPCON_BACKEND_CPU_CONV_H

#include "backend/cpu/dnn.h"

enum pass { PASS_FORWARD, PASS_DATA, PASS_WEIGHTS, N_PASSES };

enum operand { OPERAND_X, OPERAND_W, OPERAND_Y, N_OPERANDS };

/* A convolution as its operands lie in memory: activations in the backend's layout, weights and
 * bias plain f32. */
struct conv_shape {
    dnnl_memory_desc_t md[N_OPERANDS], bias;
    bool has_bias, training;
    dnnl_dim_t stride, pad;
};

/* Where the operands (or their gradients) are. A NULL weight gradient is computed and dropped. */
struct conv_places {
    void *operand[N_OPERANDS], *bias, *workspace;
};

struct conv_algorithm {
    const char *name;
    dnnl_alg_kind_t kind;
    bool f32; /* computes in f32 whatever the type of the activations */
};

extern const struct conv_algorithm conv_algorithms[]; /* ends with a NULL name */
extern const char *const conv_pass_names[N_PASSES];

struct conv_pass {
    enum pass pass;
    struct exec main, convert[N_OPERANDS]; /* convert: primitive NULL where not needed */
    size_t at[N_OPERANDS];                 /* converted operands within the workspace */
    size_t scratchpad_at, workspace_bytes;
};

/* hint: the forward pass of the same shape; needed by the backward passes. */
int conv_pass_init(struct conv_pass *, struct device *, const struct conv_shape *, enum pass,
                   const struct conv_algorithm *, const struct exec *hint, struct err *);
void conv_pass_done(struct conv_pass *); /* a zeroed one is fine */
int conv_pass_bind(struct conv_pass *, struct device *, const struct conv_shape *,
                   const struct conv_places *, struct err *);
int conv_pass_run(const struct conv_pass *, const struct device *, struct err *);

/* Initialise *p with the algorithm on record for `key`, or with the fastest, which is then
 * recorded. *ms: its time on record. */
int conv_pass_choose(struct conv_pass *p, struct device *, const struct conv_shape *, enum pass,
                     const char *key, double *ms, struct err *);

#endif
