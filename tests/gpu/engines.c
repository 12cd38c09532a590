/*
 * Which fusions cuDNN has engines for on the GPU of this machine: around a convolution and around
 * batch-norm, in bf16 and fp16. A fusion counts when an execution plan is made of it; nothing is
 * run, so nothing is said of its speed. Only what the backend cannot do without is asserted; the
 * rest is printed for the report. Most of these engines are compiled when the plan is made, which
 * needs a driver: without one all of it is skipped.
 *
 *   engines                     on the GPU that is there
 *   engines --absent LIBRARY    for an H200 that is not; LIBRARY takes the place of the driver's
 *
 * Of what is compiled, the time it took, the bytes of cuDNN's description of the plan, and the
 * kernel's name are printed as well.
 */
#include "backend/cuda/cudnn_graph.h"
#include "base/file.h" /* clock_usec */
#include "../unit/absent_gpu.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

static const struct type {
    const char *name;
    cudnnDataType_t id;
} types[] = {{"bf16", CUDNN_DATA_BFLOAT16}, {"fp16", CUDNN_DATA_HALF}};

enum { N = 512, C = 64, SIDE = 56, MADE_MAX = 64, OPS_MAX = 8 };

typedef cudnnBackendDescriptor_t desc;

/* A graph under construction; the first failure stays. */
struct build {
    desc made[MADE_MAX], ops[OPS_MAX];
    int n_made, n_ops;
    int64_t uid;
    cudnnDataType_t type;
    struct err e;
};

static desc make(struct build *b, cudnnBackendDescriptorType_t type, const char *what,
                 const struct dnn_attribute *a, int n)
{
    desc d = NULL;
    if (b->e.code || b->n_made == MADE_MAX || dnn_make(&d, type, what, a, n, &b->e))
        return NULL;
    return b->made[b->n_made++] = d;
}

static void add_op(struct build *b, cudnnBackendDescriptorType_t type, const char *what,
                   const struct dnn_attribute *a, int n)
{
    desc op = make(b, type, what, a, n);
    if (op && b->n_ops < OPS_MAX)
        b->ops[b->n_ops++] = op;
}

#define D(name, value)                                                                             \
    {                                                                                              \
        name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, value                                              \
    }
#define COUNT(a) ((int)(sizeof(a) / sizeof *(a)))

/* --- tensors ---------------------------------------------------------------------------------- */

/* inside: only within the graph; by_value: given as a number when it runs. */
static desc make_tensor(struct build *b, cudnnDataType_t type, const int64_t dim[4], bool inside,
                        bool by_value)
{
    const int64_t uid = ++b->uid, alignment = 16;
    const int64_t stride[4] = {dim[1] * dim[2] * dim[3], 1, dim[1] * dim[3], dim[1]};
    const struct dnn_attribute a[] = {
        {CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &type},
        {CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, 4, dim},
        {CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, 4, stride},
        {CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, 1, &uid},
        {CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, CUDNN_TYPE_INT64, 1, &alignment},
        {CUDNN_ATTR_TENSOR_IS_VIRTUAL, CUDNN_TYPE_BOOLEAN, 1, &inside},
        {CUDNN_ATTR_TENSOR_IS_BY_VALUE, CUDNN_TYPE_BOOLEAN, 1, &by_value},
    };
    return make(b, CUDNN_BACKEND_TENSOR_DESCRIPTOR, "tensor", a, COUNT(a));
}

static desc tensor(struct build *b, cudnnDataType_t type, const int64_t dim[4], bool inside)
{
    return make_tensor(b, type, dim, inside, false);
}

/* Activations in memory; inside the graph, where values are f32; one f32 per channel; one. */
static desc image(struct build *b)
{
    return tensor(b, b->type, (int64_t[]){N, C, SIDE, SIDE}, false);
}
static desc inner(struct build *b)
{
    return tensor(b, CUDNN_DATA_FLOAT, (int64_t[]){N, C, SIDE, SIDE}, true);
}
static desc channels(struct build *b)
{
    return tensor(b, CUDNN_DATA_FLOAT, (int64_t[]){1, C, 1, 1}, false);
}
static desc scalar(struct build *b)
{
    return make_tensor(b, CUDNN_DATA_FLOAT, (int64_t[]){1, 1, 1, 1}, false, true);
}

/* --- operations ------------------------------------------------------------------------------- */

static desc pointwise_kind(struct build *b, cudnnPointwiseMode_t mode)
{
    const cudnnDataType_t precision = CUDNN_DATA_FLOAT;
    const struct dnn_attribute a[] = {
        {CUDNN_ATTR_POINTWISE_MODE, CUDNN_TYPE_POINTWISE_MODE, 1, &mode},
        {CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_TYPE_DATA_TYPE, 1, &precision},
    };
    return make(b, CUDNN_BACKEND_POINTWISE_DESCRIPTOR, "pointwise", a, COUNT(a));
}

/* y = mode(x, second); second may be NULL. */
static desc pointwise(struct build *b, cudnnPointwiseMode_t mode, desc x, desc second, desc y)
{
    desc kind = pointwise_kind(b, mode);
    const struct dnn_attribute a[] = {
        D(CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, &kind),
        D(CUDNN_ATTR_OPERATION_POINTWISE_XDESC, &x),
        D(CUDNN_ATTR_OPERATION_POINTWISE_YDESC, &y),
        D(CUDNN_ATTR_OPERATION_POINTWISE_BDESC, &second),
    };
    add_op(b, CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR, "pointwise operation", a,
           second ? 4 : 3);
    return y;
}

/* dx = dy where x > 0 */
static desc relu_backward(struct build *b, desc x, desc dy, desc dx)
{
    desc kind = pointwise_kind(b, CUDNN_POINTWISE_RELU_BWD);
    const struct dnn_attribute a[] = {
        D(CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, &kind),
        D(CUDNN_ATTR_OPERATION_POINTWISE_XDESC, &x),
        D(CUDNN_ATTR_OPERATION_POINTWISE_DYDESC, &dy),
        D(CUDNN_ATTR_OPERATION_POINTWISE_DXDESC, &dx),
    };
    add_op(b, CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR, "backward of ReLU", a, COUNT(a));
    return dx;
}

static desc convolution(struct build *b)
{
    const int64_t spatial = 2, one[2] = {1, 1};
    const cudnnDataType_t sums = CUDNN_DATA_FLOAT;
    const cudnnConvolutionMode_t mode = CUDNN_CROSS_CORRELATION;
    const struct dnn_attribute a[] = {
        {CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &sums},
        {CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE, 1, &mode},
        {CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, CUDNN_TYPE_INT64, 1, &spatial},
        {CUDNN_ATTR_CONVOLUTION_DILATIONS, CUDNN_TYPE_INT64, 2, one},
        {CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, CUDNN_TYPE_INT64, 2, one},
        {CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, CUDNN_TYPE_INT64, 2, one},
        {CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, CUDNN_TYPE_INT64, 2, one},
    };
    return make(b, CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR, "convolution", a, COUNT(a));
}

static desc weights(struct build *b)
{
    return tensor(b, b->type, (int64_t[]){C, C, 3, 3}, false);
}

static desc forward(struct build *b, desc x, desc y)
{
    desc conv = convolution(b), w = weights(b);
    const float one = 1, zero = 0;
    const struct dnn_attribute a[] = {
        D(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC, &conv),
        D(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X, &x),
        D(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W, &w),
        D(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y, &y),
        {CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA, CUDNN_TYPE_FLOAT, 1, &one},
        {CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA, CUDNN_TYPE_FLOAT, 1, &zero},
    };
    add_op(b, CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR, "forward", a, COUNT(a));
    return y;
}

static desc backward_data(struct build *b, desc dy, desc dx)
{
    desc conv = convolution(b), w = weights(b);
    const float one = 1, zero = 0;
    const struct dnn_attribute a[] = {
        D(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC, &conv),
        D(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX, &dx),
        D(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W, &w),
        D(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY, &dy),
        {CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA, CUDNN_TYPE_FLOAT, 1, &one},
        {CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA, CUDNN_TYPE_FLOAT, 1, &zero},
    };
    add_op(b, CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR, "backward", a,
           COUNT(a));
    return dx;
}

/* Sums and sums of squares over a channel, in one operation of their own. */
static void statistics(struct build *b, desc x)
{
    const cudnnGenStatsMode_t mode = CUDNN_GENSTATS_SUM_SQSUM;
    const cudnnDataType_t precision = CUDNN_DATA_FLOAT;
    desc sum = channels(b), squares = channels(b);
    const struct dnn_attribute a[] = {
        {CUDNN_ATTR_OPERATION_GENSTATS_MODE, CUDNN_TYPE_GENSTATS_MODE, 1, &mode},
        {CUDNN_ATTR_OPERATION_GENSTATS_MATH_PREC, CUDNN_TYPE_DATA_TYPE, 1, &precision},
        D(CUDNN_ATTR_OPERATION_GENSTATS_XDESC, &x),
        D(CUDNN_ATTR_OPERATION_GENSTATS_SUMDESC, &sum),
        D(CUDNN_ATTR_OPERATION_GENSTATS_SQSUMDESC, &squares),
    };
    add_op(b, CUDNN_BACKEND_OPERATION_GEN_STATS_DESCRIPTOR, "statistics", a, COUNT(a));
}

static void reduce(struct build *b, desc x)
{
    const cudnnReduceTensorOp_t sum = CUDNN_REDUCE_TENSOR_ADD;
    const cudnnDataType_t precision = CUDNN_DATA_FLOAT;
    const struct dnn_attribute k[] = {
        {CUDNN_ATTR_REDUCTION_OPERATOR, CUDNN_TYPE_REDUCTION_OPERATOR_TYPE, 1, &sum},
        {CUDNN_ATTR_REDUCTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &precision},
    };
    desc kind = make(b, CUDNN_BACKEND_REDUCTION_DESCRIPTOR, "reduction", k, COUNT(k));
    desc y = channels(b);
    const struct dnn_attribute a[] = {
        D(CUDNN_ATTR_OPERATION_REDUCTION_DESC, &kind),
        D(CUDNN_ATTR_OPERATION_REDUCTION_XDESC, &x),
        D(CUDNN_ATTR_OPERATION_REDUCTION_YDESC, &y),
    };
    add_op(b, CUDNN_BACKEND_OPERATION_REDUCTION_DESCRIPTOR, "sum", a, COUNT(a));
}

/* Batch-norm of a batch, with running statistics. */
static desc norm_forward(struct build *b, desc x, desc y)
{
    const cudnnBackendNormMode_t mode = CUDNN_BATCH_NORM;
    const cudnnBackendNormFwdPhase_t phase = CUDNN_NORM_FWD_TRAINING;
    desc epsilon = scalar(b), factor = scalar(b), t[8];
    for (int i = 0; i < 8; i++)
        t[i] = channels(b);
    const struct dnn_attribute a[] = {
        {CUDNN_ATTR_OPERATION_NORM_FWD_MODE, CUDNN_TYPE_NORM_MODE, 1, &mode},
        {CUDNN_ATTR_OPERATION_NORM_FWD_PHASE, CUDNN_TYPE_NORM_FWD_PHASE, 1, &phase},
        D(CUDNN_ATTR_OPERATION_NORM_FWD_XDESC, &x),
        D(CUDNN_ATTR_OPERATION_NORM_FWD_YDESC, &y),
        D(CUDNN_ATTR_OPERATION_NORM_FWD_EPSILON_DESC, &epsilon),
        D(CUDNN_ATTR_OPERATION_NORM_FWD_EXP_AVG_FACTOR_DESC, &factor),
        D(CUDNN_ATTR_OPERATION_NORM_FWD_SCALE_DESC, &t[0]),
        D(CUDNN_ATTR_OPERATION_NORM_FWD_BIAS_DESC, &t[1]),
        D(CUDNN_ATTR_OPERATION_NORM_FWD_MEAN_DESC, &t[2]),
        D(CUDNN_ATTR_OPERATION_NORM_FWD_INV_VARIANCE_DESC, &t[3]),
        D(CUDNN_ATTR_OPERATION_NORM_FWD_INPUT_RUNNING_MEAN_DESC, &t[4]),
        D(CUDNN_ATTR_OPERATION_NORM_FWD_INPUT_RUNNING_VAR_DESC, &t[5]),
        D(CUDNN_ATTR_OPERATION_NORM_FWD_OUTPUT_RUNNING_MEAN_DESC, &t[6]),
        D(CUDNN_ATTR_OPERATION_NORM_FWD_OUTPUT_RUNNING_VAR_DESC, &t[7]),
    };
    add_op(b, CUDNN_BACKEND_OPERATION_NORM_FORWARD_DESCRIPTOR, "batch-norm", a, COUNT(a));
    return y;
}

static void norm_backward(struct build *b, desc dy)
{
    const cudnnBackendNormMode_t mode = CUDNN_BATCH_NORM;
    desc x = image(b), dx = image(b), t[5];
    for (int i = 0; i < 5; i++)
        t[i] = channels(b);
    const struct dnn_attribute a[] = {
        {CUDNN_ATTR_OPERATION_NORM_BWD_MODE, CUDNN_TYPE_NORM_MODE, 1, &mode},
        D(CUDNN_ATTR_OPERATION_NORM_BWD_XDESC, &x),
        D(CUDNN_ATTR_OPERATION_NORM_BWD_DYDESC, &dy),
        D(CUDNN_ATTR_OPERATION_NORM_BWD_DXDESC, &dx),
        D(CUDNN_ATTR_OPERATION_NORM_BWD_MEAN_DESC, &t[0]),
        D(CUDNN_ATTR_OPERATION_NORM_BWD_INV_VARIANCE_DESC, &t[1]),
        D(CUDNN_ATTR_OPERATION_NORM_BWD_SCALE_DESC, &t[2]),
        D(CUDNN_ATTR_OPERATION_NORM_BWD_DSCALE_DESC, &t[3]),
        D(CUDNN_ATTR_OPERATION_NORM_BWD_DBIAS_DESC, &t[4]),
    };
    add_op(b, CUDNN_BACKEND_OPERATION_NORM_BACKWARD_DESCRIPTOR, "backward of batch-norm", a,
           COUNT(a));
}

/* --- fusions ---------------------------------------------------------------------------------- */

static desc scale_shift_relu(struct build *b)
{
    desc scaled = pointwise(b, CUDNN_POINTWISE_MUL, image(b), channels(b), inner(b));
    desc shifted = pointwise(b, CUDNN_POINTWISE_ADD, scaled, channels(b), inner(b));
    return pointwise(b, CUDNN_POINTWISE_RELU_FWD, shifted, NULL,
                     tensor(b, b->type, (int64_t[]){N, C, SIDE, SIDE}, true));
}

static void conv(struct build *b)
{
    forward(b, image(b), image(b));
}
static void conv_relu(struct build *b)
{
    pointwise(b, CUDNN_POINTWISE_RELU_FWD, forward(b, image(b), inner(b)), NULL, image(b));
}
static void conv_statistics(struct build *b)
{
    statistics(b, forward(b, image(b), image(b)));
}
static void conv_two_sums(struct build *b)
{
    desc y = forward(b, image(b), image(b));
    reduce(b, y);
    reduce(b, pointwise(b, CUDNN_POINTWISE_MUL, y, y, inner(b)));
}
static void prologue_conv(struct build *b)
{
    forward(b, scale_shift_relu(b), image(b));
}
static void prologue_conv_statistics(struct build *b)
{
    statistics(b, forward(b, scale_shift_relu(b), image(b)));
}
static void data_relu(struct build *b)
{
    relu_backward(b, image(b), backward_data(b, image(b), inner(b)), image(b));
}
static void norm(struct build *b)
{
    norm_forward(b, image(b), image(b));
}
static void norm_relu(struct build *b)
{
    pointwise(b, CUDNN_POINTWISE_RELU_FWD, norm_forward(b, image(b), inner(b)), NULL, image(b));
}
static void norm_add_relu(struct build *b)
{
    desc y = norm_forward(b, image(b), inner(b));
    desc sum = pointwise(b, CUDNN_POINTWISE_ADD, y, image(b), inner(b));
    pointwise(b, CUDNN_POINTWISE_RELU_FWD, sum, NULL, image(b));
}
static void norm_back(struct build *b)
{
    norm_backward(b, image(b));
}
static void relu_norm_back(struct build *b)
{
    norm_backward(b, relu_backward(b, image(b), image(b), inner(b)));
}

static const struct fusion_case {
    const char *name;
    void (*build)(struct build *);
    bool needed; /* the backend cannot do without it */
} cases[] = {
    {"conv", conv, true},
    {"conv+relu", conv_relu, false},
    {"conv+statistics", conv_statistics, false},
    {"conv+two-sums", conv_two_sums, false},
    {"scale-shift-relu+conv", prologue_conv, false},
    {"scale-shift-relu+conv+statistics", prologue_conv_statistics, false},
    {"data-gradient+relu-backward", data_relu, false},
    {"norm", norm, false},
    {"norm+relu", norm_relu, false},
    {"norm+add+relu", norm_add_relu, false},
    {"norm-backward", norm_back, false},
    {"relu-backward+norm-backward", relu_norm_back, false},
};

/* ", 0.39 s, 83831 bytes, KERNEL" */
static void tell_compiled(const struct dnn_plan *p, double seconds, char *out, size_t size)
{
    static char text[1 << 20];
    static const char key[] = "\"kernelName\":\"";
    int64_t n = 0;
    *out = '\0';
    if (cudnnBackendGetAttribute(p->plan, CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION,
                                 CUDNN_TYPE_CHAR, sizeof text - 1, &n,
                                 text) != CUDNN_STATUS_SUCCESS)
        return;
    text[n < (int64_t)sizeof text ? n : (int64_t)sizeof text - 1] = '\0';
    const char *name = strstr(text, key);
    name = name ? name + strlen(key) : "";
    snprintf(out, size, ", compiled in %.2f s, %lld bytes, %.*s", seconds, (long long)n,
             (int)strcspn(name, "\""), name);
}

/* The first engine that makes a plan, or why there is none. */
static bool try_configs(const struct dnn_graph *g, struct dnn_config *all, int n, char *text,
                        size_t size)
{
    for (int i = 0; i < n; i++) {
        struct dnn_plan plan;
        struct err e = {0};
        char compiled[256] = "";
        int64_t start = clock_usec();
        if (dnn_plan_init(&plan, g, &all[i], &e))
            continue;
        if (all[i].notes & DNN_COMPILES)
            tell_compiled(&plan, (double)(clock_usec() - start) * 1e-6, compiled, sizeof compiled);
        snprintf(text, size, "engine %.*s of %d configurations%s", (int)strcspn(all[i].text, ":"),
                 all[i].text, n, compiled);
        dnn_plan_done(&plan);
        return true;
    }
    if (n)
        snprintf(text, size, "none of %d configurations makes a plan", n);
    return false;
}

static bool try_case(const struct fusion_case *c, const struct type *type, const struct cuda *cuda,
                     char *text, size_t size)
{
    struct build b = {.type = type->id};
    struct dnn_graph g = {.handle = cuda->dnn, .gpu = cuda->gpu};
    struct dnn_config *all = calloc(DNN_CONFIGS, sizeof *all);
    c->build(&b);
    const struct dnn_attribute a[] = {
        {CUDNN_ATTR_OPERATIONGRAPH_OPS, CUDNN_TYPE_BACKEND_DESCRIPTOR, b.n_ops, b.ops},
        {CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE, 1, &g.handle},
    };
    if (b.e.code == 0 && all)
        dnn_make(&g.graph, CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR, "graph", a, g.gpu ? 1 : 2,
                 &b.e);
    int n = g.graph ? dnn_configs(&g, all) : 0;
    snprintf(text, size, "%s", b.e.code ? b.e.msg : "no engine is known");
    bool made = try_configs(&g, all, n, text, size);
    for (int i = 0; i < n; i++)
        dnn_config_done(&all[i]);
    dnn_drop(&g.graph);
    while (b.n_made)
        dnn_drop(&b.made[--b.n_made]);
    free(all);
    return made;
}

/* NULL, or why there is nothing to ask. */
static const char *open_gpu(struct fixture *f, int argc, char **argv, struct err *e)
{
    if (argc == 3 && strcmp(argv[1], "--absent") == 0) {
        if (!dlopen(argv[2], RTLD_NOW | RTLD_GLOBAL))
            return dlerror();
        return take_gpu(f, gpus[0], e) ? e->msg : NULL;
    }
    cudnnStatus_t status = cudnnCreate(&f->cuda.dnn);
    return status == CUDNN_STATUS_SUCCESS ? NULL : cudnnGetErrorString(status);
}

int main(int argc, char **argv)
{
    int number = 0;
    struct fixture f = {0};
    struct err e = {0};
    const char *why = open_gpu(&f, argc, argv, &e);
    if (why) {
        printf("1..1\nok 1 - fused engines # SKIP cuDNN has no device: %s\n", why);
        return 0;
    }
    for (int k = 0; k < COUNT(cases) * COUNT(types); k++) {
        const struct fusion_case *c = &cases[k / COUNT(types)];
        const struct type *type = &types[k % COUNT(types)];
        char text[512];
        bool made = try_case(c, type, &f.cuda, text, sizeof text);
        printf("%sok %d - %s %s\n", made || !c->needed ? "" : "not ", ++number, c->name,
               type->name);
        printf("# engine %s %s %s: %s\n", c->name, type->name, made ? "yes" : "no", text);
        fflush(stdout);
    }
    printf("1..%d\n", number);
    if (f.cuda.dnn)
        cudnnDestroy(f.cuda.dnn);
    return 0;
}
