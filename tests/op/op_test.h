/*
 * Tests of the ops: a table of cases, a reference of every op in double, and a harness that runs
 * the cases on a device. The references are plain loops with no thought for speed; they are checked
 * by central differences (references.c) before anything is compared with them.
 *
 * Adding an op: one ref_class here, cases in cases.c. Adding a backend: nothing.
 */
#ifndef SUPCON_TESTS_OP_TEST_H
#define SUPCON_TESTS_OP_TEST_H

#include "backend/backend.h"
#include "nn/op.h"
#include <stdbool.h>
#include <stdint.h>

/* A logical tensor on the host, row-major. */
struct ref_tensor {
    enum dtype dtype; /* what the device will store: values are rounded to it */
    bool parameter;   /* plain f32 of the parameter store, not an activation */
    int ndim;
    int64_t dim[4], count;
    double *v, *d; /* value; gradient, NULL where there is none */
    int32_t *i;    /* labels instead of v */
};

struct ref_call {
    struct op_attr attr;
    int n_in;
    struct ref_tensor in[OP_MAX_IN], out; /* out.d is the given gradient of the output */
};

struct ref_class {
    void (*forward)(struct ref_call *);  /* in.v -> out.v */
    void (*backward)(struct ref_call *); /* in.v, out.v, out.d -> in.d; losses: gradient 1 */
    void (*commit)(struct ref_call *);   /* running statistics; may be NULL */
};

extern const struct ref_class ref_conv, ref_batchnorm, ref_relu, ref_add, ref_maxpool, ref_avgpool,
    ref_globalpool, ref_linear, ref_l2norm, ref_xent, ref_contrastive;
extern const struct ref_class *const ref_classes[OP_N];

struct op_case {
    const char *what;
    enum op op;
    enum dtype dtype; /* of 4-D activations */
    int n, c, h, w;   /* x [N,C,H,W] or [N,C]; xent: N labels; contrastive: N samples, C classes */
    int k;            /* output channels, classes, or embedding size */
    int size;         /* kernel of a convolution */
    struct op_attr attr;
    bool extra;               /* conv: bias; batch-norm: skip */
    bool forward_only;        /* evaluation */
    bool adds;                /* the gradient of x is added to one that is there: x itself */
    bool no_dx;               /* the first layer: gradients of the parameters alone */
    float mean;               /* added to every activation: cancellation in variances */
    float stretch;            /* contrastive: length of the rows, 0: 1 */
    double tol_out, tol_grad; /* relative, in the L2 norm; 0: by dtype */
};

extern const struct op_case op_cases[];
extern const int n_op_cases;

/* Inputs, output gradient and references of one case. Values depend on the case alone. */
void case_build(const struct op_case *, struct ref_call *);
void case_free(struct ref_call *);

/* NULL: passed. Otherwise why not, or why it was skipped (then *skip is set). Static storage. */
const char *case_run(const struct op_case *, struct device *, bool *skip);

#endif
