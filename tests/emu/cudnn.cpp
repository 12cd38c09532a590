/*
 * The emulated cuDNN: what it takes to finalize a descriptor, and four engines.
 *
 *   engine 0  f32 and bf16, no workspace, f32 sums in one order
 *   engine 3  tensor cores: f32 operands rounded to TF32; a workspace; "compiled" when the plan is
 *             made; has a knob (the size of its tile), which must be given; the one that makes sums
 *             with a forward convolution, added to what is there in any order
 *   engine 5  as 0, but not deterministic: sums in another order each time it runs
 *   engine 8  recommended, but no plan can be made with it
 */
#include "cudnn_emulation.h"
#include "stream.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace
{
struct engine {
    int64_t index;
    std::vector<int> numerical, behavior;
    int64_t workspace;
    bool has_knob, can_run;
};

const engine engines[] = {
    {0, {}, {}, 0, false, true},
    {3,
     {CUDNN_NUMERICAL_NOTE_TENSOR_CORE, CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS},
     {CUDNN_BEHAVIOR_NOTE_RUNTIME_COMPILATION},
     1 << 12,
     true,
     true},
    {5, {CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC}, {}, 1 << 10, false, true},
    {8, {}, {}, 0, false, false},
};

const int64_t knob_most = 7;

const engine *find(int64_t index)
{
    for (const engine &e : engines)
        if (e.index == index)
            return &e;
    return nullptr;
}

/* How the operations name what they refer to. */
struct operation {
    cudnnBackendDescriptorType_t type;
    dnn_pass pass;
    int conv, x, w, y, alpha, beta;
};

/* clang-format off */
#define OPERATION(type, pass, prefix, x, w, y)                                                     \
    {CUDNN_BACKEND_OPERATION_CONVOLUTION_##type##_DESCRIPTOR, pass,                                \
     CUDNN_ATTR_OPERATION_CONVOLUTION_##prefix##_CONV_DESC,                                        \
     CUDNN_ATTR_OPERATION_CONVOLUTION_##prefix##_##x,                                              \
     CUDNN_ATTR_OPERATION_CONVOLUTION_##prefix##_##w,                                              \
     CUDNN_ATTR_OPERATION_CONVOLUTION_##prefix##_##y,                                              \
     CUDNN_ATTR_OPERATION_CONVOLUTION_##prefix##_ALPHA,                                            \
     CUDNN_ATTR_OPERATION_CONVOLUTION_##prefix##_BETA}
const operation operations[] = {
    OPERATION(FORWARD, DNN_FORWARD, FORWARD, X, W, Y),
    OPERATION(BACKWARD_DATA, DNN_BACKWARD_DATA, BWD_DATA, DX, W, DY),
    OPERATION(BACKWARD_FILTER, DNN_BACKWARD_FILTER, BWD_FILTER, X, DW, DY),
};
/* clang-format on */

const operation *operation_of(const dnn_descriptor &d)
{
    for (const operation &o : operations)
        if (o.type == d.type)
            return &o;
    return nullptr;
}

dnn_tensor tensor_of(const dnn_descriptor &d)
{
    dnn_tensor t = {};
    t.type = d.get(CUDNN_ATTR_TENSOR_DATA_TYPE).at<cudnnDataType_t>();
    for (size_t i = 0; i < 4; i++) {
        t.dim[i] = d.get(CUDNN_ATTR_TENSOR_DIMENSIONS).at<int64_t>(i);
        t.stride[i] = d.get(CUDNN_ATTR_TENSOR_STRIDES).at<int64_t>(i);
    }
    return t;
}

dnn_convolution convolution_of(const dnn_descriptor &d, const operation &o)
{
    const dnn_descriptor &conv = d.ref(o.conv);
    dnn_convolution c = {};
    c.pass = o.pass;
    c.x = tensor_of(d.ref(o.x));
    c.w = tensor_of(d.ref(o.w));
    c.y = tensor_of(d.ref(o.y));
    c.alpha = d.get(o.alpha).at<float>();
    c.beta = d.get(o.beta).at<float>();
    for (size_t i = 0; i < 2; i++) {
        c.stride[i] = conv.get(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES).at<int64_t>(i);
        c.pad[i] = conv.get(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS).at<int64_t>(i);
        c.dilation[i] = conv.get(CUDNN_ATTR_CONVOLUTION_DILATIONS).at<int64_t>(i);
    }
    return c;
}

/* --- finalizing --- */

cudnnStatus_t finalize_tensor(dnn_descriptor &d)
{
    int64_t alignment = d.get(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT).at<int64_t>();
    cudnnDataType_t type = d.get(CUDNN_ATTR_TENSOR_DATA_TYPE).at<cudnnDataType_t>();
    if (d.get(CUDNN_ATTR_TENSOR_DIMENSIONS).n != 4 || d.get(CUDNN_ATTR_TENSOR_STRIDES).n != 4)
        return dnn_bad(CUDNN_STATUS_NOT_SUPPORTED, "only four dimensions, and as many strides");
    if (type != CUDNN_DATA_FLOAT && type != CUDNN_DATA_BFLOAT16)
        return dnn_bad(CUDNN_STATUS_NOT_SUPPORTED_DATA_TYPE, "only f32 and bf16");
    if (alignment < 4 || (alignment & (alignment - 1)))
        return dnn_bad(CUDNN_STATUS_BAD_PARAM, "an alignment is a power of two");
    dnn_tensor t = tensor_of(d);
    for (int i = 0; i < 4; i++)
        if (t.dim[i] < 1 || t.stride[i] < 1)
            return dnn_bad(CUDNN_STATUS_BAD_PARAM, "dimensions and strides are positive");
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t finalize_convolution(dnn_descriptor &d)
{
    const int counted[] = {CUDNN_ATTR_CONVOLUTION_DILATIONS, CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES,
                           CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS,
                           CUDNN_ATTR_CONVOLUTION_POST_PADDINGS};
    for (int name : counted)
        if (d.get(name).n != d.get(CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS).at<int64_t>())
            return dnn_bad(CUDNN_STATUS_BAD_PARAM, "not as many as spatial dimensions", name);
    for (size_t i = 0; i < 2; i++)
        if (d.get(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS).at<int64_t>(i) !=
            d.get(CUDNN_ATTR_CONVOLUTION_POST_PADDINGS).at<int64_t>(i))
            return dnn_bad(CUDNN_STATUS_NOT_SUPPORTED, "only equal paddings");
    if (d.get(CUDNN_ATTR_CONVOLUTION_CONV_MODE).at<int>() != CUDNN_CROSS_CORRELATION)
        return dnn_bad(CUDNN_STATUS_NOT_SUPPORTED, "only cross-correlation");
    if (d.get(CUDNN_ATTR_CONVOLUTION_COMP_TYPE).at<int>() != CUDNN_DATA_FLOAT)
        return dnn_bad(CUDNN_STATUS_NOT_SUPPORTED_DATA_TYPE, "only sums in f32");
    return CUDNN_STATUS_SUCCESS;
}

int64_t slid(const dnn_convolution &c, int i)
{
    int64_t reach = c.dilation[i] * (c.w.dim[2 + i] - 1) + 1;
    return (c.x.dim[2 + i] + 2 * c.pad[i] - reach) / c.stride[i] + 1;
}

cudnnStatus_t finalize_operation(dnn_descriptor &d)
{
    const operation *o = operation_of(d);
    dnn_convolution c = convolution_of(d, *o);
    if (c.x.dim[0] != c.y.dim[0] || c.x.dim[1] != c.w.dim[1] || c.y.dim[1] != c.w.dim[0] ||
        c.y.dim[2] != slid(c, 0) || c.y.dim[3] != slid(c, 1))
        return dnn_bad(CUDNN_STATUS_BAD_PARAM_SHAPE_MISMATCH, "x, w and y do not go together");
    int64_t uid[3];
    const int names[] = {o->x, o->w, o->y};
    for (int i = 0; i < 3; i++)
        uid[i] = d.ref(names[i]).get(CUDNN_ATTR_TENSOR_UNIQUE_ID).at<int64_t>();
    if (uid[0] == uid[1] || uid[0] == uid[2] || uid[1] == uid[2])
        return dnn_bad(CUDNN_STATUS_BAD_PARAM_DUPLICATED_ENTRIES, "two tensors with one id");
    return CUDNN_STATUS_SUCCESS;
}

/* Operands of one type; the result may be f32 where operands are bf16. */
bool types_fit(const dnn_convolution &c)
{
    cudnnDataType_t x = c.x.type, w = c.w.type, y = c.y.type;
    if (c.pass == DNN_FORWARD)
        return x == w && (y == x || y == CUDNN_DATA_FLOAT);
    if (c.pass == DNN_BACKWARD_DATA)
        return y == w && (x == y || x == CUDNN_DATA_FLOAT);
    return x == y && (w == x || w == CUDNN_DATA_FLOAT);
}

const dnn_descriptor &operation_in(const dnn_descriptor &graph)
{
    return graph.ref(CUDNN_ATTR_OPERATIONGRAPH_OPS);
}

int64_t uid_of(const dnn_descriptor &tensor)
{
    return tensor.get(CUDNN_ATTR_TENSOR_UNIQUE_ID).at<int64_t>();
}

/* What sums y, if the graph has it. */
const dnn_descriptor *statistics_in(const dnn_descriptor &graph)
{
    const dnn_value &ops = graph.get(CUDNN_ATTR_OPERATIONGRAPH_OPS);
    return ops.n > 1 ? ops.refs[1].get() : nullptr;
}

bool is_channels(const dnn_tensor &t, int64_t k)
{
    return t.type == CUDNN_DATA_FLOAT && t.dim[0] == 1 && t.dim[1] == k && t.dim[2] == 1 &&
           t.dim[3] == 1 && t.stride[1] == 1;
}

/* One operation; or a forward convolution, and the sums of what it makes. */
cudnnStatus_t finalize_graph(dnn_descriptor &d)
{
    const dnn_descriptor &first = operation_in(d), *second = statistics_in(d);
    const operation *o = operation_of(first);
    if (!o)
        return dnn_bad(CUDNN_STATUS_NOT_SUPPORTED, "a graph begins with a convolution");
    if (!second)
        return CUDNN_STATUS_SUCCESS;
    if (second->type != CUDNN_BACKEND_OPERATION_GEN_STATS_DESCRIPTOR || o->pass != DNN_FORWARD ||
        uid_of(second->ref(CUDNN_ATTR_OPERATION_GENSTATS_XDESC)) != uid_of(first.ref(o->y)))
        return dnn_bad(CUDNN_STATUS_NOT_SUPPORTED, "only statistics follow, of a forward's output");
    int64_t k = tensor_of(first.ref(o->y)).dim[1];
    if (!is_channels(tensor_of(second->ref(CUDNN_ATTR_OPERATION_GENSTATS_SUMDESC)), k) ||
        !is_channels(tensor_of(second->ref(CUDNN_ATTR_OPERATION_GENSTATS_SQSUMDESC)), k))
        return dnn_bad(CUDNN_STATUS_BAD_PARAM_SHAPE_MISMATCH, "sums are f32 [1,K,1,1]");
    return CUDNN_STATUS_SUCCESS;
}

dnn_ref make(cudnnBackendDescriptorType_t type)
{
    dnn_ref d = std::make_shared<dnn_descriptor>();
    d->type = type;
    d->finalized = true;
    return d;
}

void put_ref(dnn_descriptor &d, int name, dnn_ref other)
{
    d.attributes[name].refs.push_back(other);
    d.attributes[name].n++;
}

void fill_engine(dnn_descriptor &d, const engine &e)
{
    d.put<int64_t>(CUDNN_ATTR_ENGINE_GLOBAL_INDEX, {e.index});
    d.put<int>(CUDNN_ATTR_ENGINE_NUMERICAL_NOTE, e.numerical);
    d.put<int>(CUDNN_ATTR_ENGINE_BEHAVIOR_NOTE, e.behavior);
}

dnn_ref recommend(dnn_ref graph, const engine &e, int64_t knob)
{
    dnn_ref config = make(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR);
    dnn_ref d = make(CUDNN_BACKEND_ENGINE_DESCRIPTOR);
    put_ref(*d, CUDNN_ATTR_ENGINE_OPERATION_GRAPH, graph);
    fill_engine(*d, e);
    put_ref(*config, CUDNN_ATTR_ENGINECFG_ENGINE, d);
    if (e.has_knob) {
        dnn_ref choice = make(CUDNN_BACKEND_KNOB_CHOICE_DESCRIPTOR);
        choice->put<int>(CUDNN_ATTR_KNOB_CHOICE_KNOB_TYPE, {CUDNN_KNOB_TYPE_TILE_SIZE});
        choice->put<int64_t>(CUDNN_ATTR_KNOB_CHOICE_KNOB_VALUE, {knob});
        put_ref(*config, CUDNN_ATTR_ENGINECFG_KNOB_CHOICES, choice);
    }
    return config;
}

/* Mode A recommends everything, B the same in another order, the fallback one. */
cudnnStatus_t finalize_heuristic(dnn_descriptor &d)
{
    int mode = d.get(CUDNN_ATTR_ENGINEHEUR_MODE).at<int>();
    dnn_ref graph = d.get(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH).refs[0];
    if (mode == CUDNN_HEUR_MODE_FALLBACK) {
        put_ref(d, CUDNN_ATTR_ENGINEHEUR_RESULTS, recommend(graph, engines[0], 0));
        return CUDNN_STATUS_SUCCESS;
    }
    for (int i = 0; i < 4; i++) {
        const engine &e = engines[mode == CUDNN_HEUR_MODE_A ? 3 - i : i];
        put_ref(d, CUDNN_ATTR_ENGINEHEUR_RESULTS, recommend(graph, e, mode == CUDNN_HEUR_MODE_A));
    }
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t finalize_engine(dnn_descriptor &d)
{
    const engine *e = find(d.get(CUDNN_ATTR_ENGINE_GLOBAL_INDEX).at<int64_t>());
    if (!e)
        return dnn_bad(CUDNN_STATUS_NOT_SUPPORTED, "there is no such engine");
    fill_engine(d, *e);
    return CUDNN_STATUS_SUCCESS;
}

const engine &engine_of(const dnn_descriptor &config)
{
    const dnn_descriptor &d = config.ref(CUDNN_ATTR_ENGINECFG_ENGINE);
    return *find(d.get(CUDNN_ATTR_ENGINE_GLOBAL_INDEX).at<int64_t>());
}

cudnnStatus_t finalize_config(dnn_descriptor &d)
{
    const engine &e = engine_of(d);
    bool given = d.has(CUDNN_ATTR_ENGINECFG_KNOB_CHOICES);
    if (given && !e.has_knob)
        return dnn_bad(CUDNN_STATUS_NOT_SUPPORTED, "the engine has no knobs");
    if (!given)
        return CUDNN_STATUS_SUCCESS;
    for (const dnn_ref &choice : d.get(CUDNN_ATTR_ENGINECFG_KNOB_CHOICES).refs) {
        int64_t value = choice->get(CUDNN_ATTR_KNOB_CHOICE_KNOB_VALUE).at<int64_t>();
        if (choice->get(CUDNN_ATTR_KNOB_CHOICE_KNOB_TYPE).at<int>() != CUDNN_KNOB_TYPE_TILE_SIZE ||
            value < 0 || value > knob_most)
            return dnn_bad(CUDNN_STATUS_NOT_SUPPORTED, "no such knob or value");
    }
    return CUDNN_STATUS_SUCCESS;
}

void add_tensor(dnn_program *p, int i, const dnn_descriptor &tensor)
{
    p->uid[i] = uid_of(tensor);
    p->alignment[i] = tensor.get(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT).at<int64_t>();
}

dnn_program program_of(const dnn_descriptor &config)
{
    const dnn_descriptor &d = config.ref(CUDNN_ATTR_ENGINECFG_ENGINE);
    const dnn_descriptor &graph = d.ref(CUDNN_ATTR_ENGINE_OPERATION_GRAPH);
    const dnn_descriptor &first = operation_in(graph), *second = statistics_in(graph);
    const operation *o = operation_of(first);
    dnn_program p;
    memset(static_cast<void *>(&p), 0, sizeof p); /* padding is part of the text */
    p.c = convolution_of(first, *o);
    p.engine = engine_of(config).index;
    p.workspace = engine_of(config).workspace;
    const int names[] = {o->x, o->w, o->y};
    for (int i = 0; i < 3; i++)
        add_tensor(&p, i, first.ref(names[i]));
    p.sums = second;
    if (second) {
        add_tensor(&p, 3, second->ref(CUDNN_ATTR_OPERATION_GENSTATS_SUMDESC));
        add_tensor(&p, 4, second->ref(CUDNN_ATTR_OPERATION_GENSTATS_SQSUMDESC));
    }
    return p;
}

/* No complaint: that an engine cannot do a shape is no mistake. */
cudnnStatus_t finalize_plan(dnn_descriptor &d)
{
    dnn_program p;
    if (d.has(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG))
        p = program_of(d.ref(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG));
    else if (!d.has(CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION) ||
             !dnn_program_parse(d.get(CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION), &p))
        return CUDNN_STATUS_BAD_PARAM;
    const engine &e = *find(p.engine);
    if (!e.can_run || !types_fit(p.c) || (p.sums && e.index != 3))
        return CUDNN_STATUS_NOT_SUPPORTED;
    d.put<char>(CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION, dnn_program_text(p));
    d.put<int64_t>(CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, {e.workspace});
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t finalize_pack(dnn_descriptor &d)
{
    if (d.get(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS).n !=
        d.get(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS).n)
        return dnn_bad(CUDNN_STATUS_BAD_PARAM, "not as many pointers as ids");
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t nothing(dnn_descriptor &)
{
    return CUDNN_STATUS_SUCCESS;
}

typedef cudnnStatus_t finalizer(dnn_descriptor &);
const std::map<int, finalizer *> finalizers = {
    {CUDNN_BACKEND_TENSOR_DESCRIPTOR, finalize_tensor},
    {CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR, finalize_convolution},
    {CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR, finalize_operation},
    {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR, finalize_operation},
    {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR, finalize_operation},
    {CUDNN_BACKEND_OPERATION_GEN_STATS_DESCRIPTOR, nothing},
    {CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR, finalize_graph},
    {CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR, finalize_heuristic},
    {CUDNN_BACKEND_ENGINE_DESCRIPTOR, finalize_engine},
    {CUDNN_BACKEND_KNOB_CHOICE_DESCRIPTOR, nothing},
    {CUDNN_BACKEND_ENGINECFG_DESCRIPTOR, finalize_config},
    {CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR, finalize_plan},
    {CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR, finalize_pack},
};

} // namespace

/* --- public --- */

cudnnStatus_t cudnnBackendFinalize(cudnnBackendDescriptor_t descriptor)
{
    dnn_ref d = dnn_of(descriptor);
    if (d->finalized)
        return dnn_bad(CUDNN_STATUS_BAD_PARAM, "finalized twice");
    cudnnStatus_t status = dnn_complete(*d);
    if (status == CUDNN_STATUS_SUCCESS)
        status = finalizers.at(d->type)(*d);
    d->finalized = status == CUDNN_STATUS_SUCCESS;
    return status;
}

cudnnStatus_t cudnnCreate(cudnnHandle_t *out)
{
    *out = new cudnnContext{nullptr};
    return emu_state() == cudaSuccess ? CUDNN_STATUS_SUCCESS : CUDNN_STATUS_NOT_INITIALIZED;
}

cudnnStatus_t cudnnDestroy(cudnnHandle_t h)
{
    delete h;
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnSetStream(cudnnHandle_t h, cudaStream_t stream)
{
    h->stream = stream;
    return CUDNN_STATUS_SUCCESS;
}

size_t cudnnGetVersion(void)
{
    return CUDNN_VERSION;
}

const char *cudnnGetErrorString(cudnnStatus_t status)
{
    if (status == CUDNN_STATUS_SUCCESS)
        return "CUDNN_STATUS_SUCCESS";
    if (status >= 2000 && status < 3000)
        return "CUDNN_STATUS_BAD_PARAM";
    return status >= 3000 && status < 4000 ? "CUDNN_STATUS_NOT_SUPPORTED"
                                           : "CUDNN_STATUS_EXECUTION_FAILED";
}
