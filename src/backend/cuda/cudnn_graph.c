/*
 * Operation graphs and execution plans; see cudnn_graph.h. Layouts are strides: dimensions are
 * given as [N,C,H,W] whatever lies in memory. Products are summed in f32 whatever the operands are.
 */
#include "backend/cuda/cudnn_graph.h"

#include <string.h>

enum { ALIGNMENT = 16 };

#define COUNT(a) ((int)(sizeof(a) / sizeof *(a)))

int dnn_make(cudnnBackendDescriptor_t *out, cudnnBackendDescriptorType_t type, const char *what,
             const struct dnn_attribute *a, int n, struct err *e)
{
    *out = NULL;
    cudnnStatus_t status = cudnnBackendCreateDescriptor(type, out);
    for (int i = 0; i < n && status == CUDNN_STATUS_SUCCESS; i++)
        status = cudnnBackendSetAttribute(*out, a[i].name, a[i].type, a[i].n, a[i].values);
    if (status == CUDNN_STATUS_SUCCESS)
        status = cudnnBackendFinalize(*out);
    if (status != CUDNN_STATUS_SUCCESS)
        dnn_drop(out);
    return cuda_check_dnn(e, status, what);
}

void dnn_drop(cudnnBackendDescriptor_t *d)
{
    if (*d)
        (void)cudnnBackendDestroyDescriptor(*d);
    *d = NULL;
}

/* --- graphs ----------------------------------------------------------------------------------- */

/* dim [N,C,H,W] stored as [N,H,W,C]. */
static int make_tensor(cudnnBackendDescriptor_t *out, int id, cudnnDataType_t type,
                       const int64_t dim[4], struct err *e)
{
    const int64_t uid = id + 1, alignment = ALIGNMENT;
    const int64_t stride[4] = {dim[1] * dim[2] * dim[3], 1, dim[1] * dim[3], dim[1]};
    const struct dnn_attribute a[] = {
        {CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &type},
        {CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, 4, dim},
        {CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, 4, stride},
        {CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, 1, &uid},
        {CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, CUDNN_TYPE_INT64, 1, &alignment},
    };
    return dnn_make(out, CUDNN_BACKEND_TENSOR_DESCRIPTOR, "tensor", a, COUNT(a), e);
}

static int make_tensors(struct dnn_graph *g, const struct dnn_shape *s, struct err *e)
{
    const int64_t dim[DNN_ALL][4] = {[DNN_X] = {s->n, s->c, s->h, s->w},
                                     [DNN_W] = {s->k, s->c, s->r, s->s},
                                     [DNN_Y] = {s->n, s->k, s->p, s->q},
                                     [DNN_SUMS] = {1, s->k, 1, 1},
                                     [DNN_SQUARES] = {1, s->k, 1, 1}};
    for (int i = 0; i < (g->sums ? DNN_ALL : N_DNN); i++)
        if (make_tensor(&g->tensor[i], i, i < N_DNN ? s->type[i] : CUDNN_DATA_FLOAT, dim[i], e))
            return -1;
    return 0;
}

static int make_convolution(struct dnn_graph *g, const struct dnn_shape *s, struct err *e)
{
    const int64_t spatial = 2, dilation[2] = {1, 1};
    const int64_t stride[2] = {s->stride, s->stride}, pad[2] = {s->pad, s->pad};
    const cudnnDataType_t sums = CUDNN_DATA_FLOAT;
    const cudnnConvolutionMode_t mode = CUDNN_CROSS_CORRELATION;
    const struct dnn_attribute a[] = {
        {CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &sums},
        {CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE, 1, &mode},
        {CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, CUDNN_TYPE_INT64, 1, &spatial},
        {CUDNN_ATTR_CONVOLUTION_DILATIONS, CUDNN_TYPE_INT64, 2, dilation},
        {CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, CUDNN_TYPE_INT64, 2, stride},
        {CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, CUDNN_TYPE_INT64, 2, pad},
        {CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, CUDNN_TYPE_INT64, 2, pad},
    };
    return dnn_make(&g->conv, CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR, "convolution", a, COUNT(a), e);
}

/* How the three operations name what they need. */
static const struct operation {
    const char *what;
    cudnnBackendDescriptorType_t type;
    cudnnBackendAttributeName_t alpha, beta, conv, tensor[N_DNN];
} operations[N_CONV_PASSES] = {
    [CONV_FORWARD] = {"forward convolution",
                      CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR,
                      CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA,
                      CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA,
                      CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC,
                      {CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X,
                       CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W,
                       CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y}},
    [CONV_DATA] = {"gradient of the data",
                   CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR,
                   CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA,
                   CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA,
                   CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC,
                   {CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX,
                    CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W,
                    CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY}},
    [CONV_WEIGHTS] = {"gradient of the weights",
                      CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR,
                      CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA,
                      CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA,
                      CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC,
                      {CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X,
                       CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW,
                       CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY}},
};

static int make_operation(struct dnn_graph *g, bool adds, struct err *e)
{
    const struct operation *o = &operations[g->pass];
    const float one = 1, old = adds ? 1 : 0;
    const struct dnn_attribute a[] = {
        {o->conv, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &g->conv},
        {o->tensor[DNN_X], CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &g->tensor[DNN_X]},
        {o->tensor[DNN_W], CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &g->tensor[DNN_W]},
        {o->tensor[DNN_Y], CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &g->tensor[DNN_Y]},
        {o->alpha, CUDNN_TYPE_FLOAT, 1, &one},
        {o->beta, CUDNN_TYPE_FLOAT, 1, &old},
    };
    return dnn_make(&g->operation, o->type, o->what, a, COUNT(a), e);
}

static int make_statistics(struct dnn_graph *g, struct err *e)
{
    const cudnnGenStatsMode_t mode = CUDNN_GENSTATS_SUM_SQSUM;
    const cudnnDataType_t sums = CUDNN_DATA_FLOAT;
    const struct dnn_attribute a[] = {
        {CUDNN_ATTR_OPERATION_GENSTATS_MODE, CUDNN_TYPE_GENSTATS_MODE, 1, &mode},
        {CUDNN_ATTR_OPERATION_GENSTATS_MATH_PREC, CUDNN_TYPE_DATA_TYPE, 1, &sums},
        {CUDNN_ATTR_OPERATION_GENSTATS_XDESC, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &g->tensor[DNN_Y]},
        {CUDNN_ATTR_OPERATION_GENSTATS_SUMDESC, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1,
         &g->tensor[DNN_SUMS]},
        {CUDNN_ATTR_OPERATION_GENSTATS_SQSUMDESC, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1,
         &g->tensor[DNN_SQUARES]},
    };
    return dnn_make(&g->statistics, CUDNN_BACKEND_OPERATION_GEN_STATS_DESCRIPTOR, "statistics", a,
                    COUNT(a), e);
}

static int make_graph(struct dnn_graph *g, struct err *e)
{
    const cudnnBackendDescriptor_t operations_of[] = {g->operation, g->statistics};
    const struct dnn_attribute a[] = {
        {CUDNN_ATTR_OPERATIONGRAPH_OPS, CUDNN_TYPE_BACKEND_DESCRIPTOR, g->sums ? 2 : 1,
         operations_of},
        {CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE, 1, &g->handle},
    };
    return dnn_make(&g->graph, CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR, "operation graph", a,
                    g->gpu ? 1 : 2, e);
}

int dnn_graph_init(struct dnn_graph *g, struct device *dev, const struct dnn_shape *s,
                   enum conv_pass pass, struct err *e)
{
    *g = (struct dnn_graph){.pass = pass,
                            .sums = s->sums && pass == CONV_FORWARD,
                            .handle = cuda_of(dev)->dnn,
                            .gpu = cuda_of(dev)->gpu};
    memcpy(g->type, s->type, sizeof g->type);
    if (make_tensors(g, s, e) == 0 && make_convolution(g, s, e) == 0 &&
        make_operation(g, s->adds && pass == CONV_DATA, e) == 0 &&
        (!g->sums || make_statistics(g, e) == 0) && make_graph(g, e) == 0)
        return 0;
    dnn_graph_done(g);
    return -1;
}

void dnn_graph_done(struct dnn_graph *g)
{
    dnn_drop(&g->graph);
    dnn_drop(&g->statistics);
    dnn_drop(&g->operation);
    dnn_drop(&g->conv);
    for (int i = 0; i < DNN_ALL; i++)
        dnn_drop(&g->tensor[i]);
}

/* --- plans ------------------------------------------------------------------------------------ */

int dnn_plan_from(struct dnn_plan *p, const struct dnn_graph *g, const char *what,
                  const struct dnn_attribute *from, struct err *e)
{
    int64_t bytes = 0, n = 0;
    const struct dnn_attribute a[] = {
        g->gpu ? (struct dnn_attribute){CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP,
                                        CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &g->gpu}
               : (struct dnn_attribute){CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE, 1,
                                        &g->handle},
        *from,
    };
    *p = (struct dnn_plan){.n_tensors = g->sums ? DNN_ALL : N_DNN};
    if (dnn_make(&p->plan, CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR, what, a, COUNT(a), e))
        return -1;
    if (DNN(e, cudnnBackendGetAttribute(p->plan, CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE,
                                        CUDNN_TYPE_INT64, 1, &n, &bytes))) {
        dnn_plan_done(p);
        return -1;
    }
    p->workspace_bytes = bytes > 0 ? (size_t)bytes : 0;
    return 0;
}

int dnn_plan_init(struct dnn_plan *p, const struct dnn_graph *g, const struct dnn_config *c,
                  struct err *e)
{
    const struct dnn_attribute config = {CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG,
                                         CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &c->config};
    return dnn_plan_from(p, g, "execution plan", &config, e);
}

void dnn_plan_done(struct dnn_plan *p)
{
    dnn_drop(&p->pack);
    dnn_drop(&p->plan);
    p->workspace_bytes = 0;
}

int dnn_plan_bind(struct dnn_plan *p, void *const data[DNN_ALL], void *workspace, struct err *e)
{
    static const int64_t uids[DNN_ALL] = {DNN_X + 1, DNN_W + 1, DNN_Y + 1, DNN_SUMS + 1,
                                          DNN_SQUARES + 1};
    const struct dnn_attribute a[] = {
        {CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, p->n_tensors, uids},
        {CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, p->n_tensors, data},
        {CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, 1, &workspace},
    };
    dnn_drop(&p->pack);
    return dnn_make(&p->pack, CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR, "variant pack", a, COUNT(a),
                    e);
}

int dnn_plan_run(const struct dnn_plan *p, const struct device *dev, struct err *e)
{
    return DNN(e, cudnnBackendExecute(cuda_of(dev)->dnn, p->plan, p->pack));
}
