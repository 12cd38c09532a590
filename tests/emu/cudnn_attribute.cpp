/*
 * Descriptors of the emulated cuDNN: which attributes each type has, of which type and how many,
 * and setting and getting them. Descriptors that another refers to have to be finalized, and stay
 * alive with it.
 */
#include "cudnn_emulation.h"

#include <cstdio>
#include <cstring>

namespace
{
enum { REQUIRED = 1, READ_ONLY = 2 };

struct rule {
    cudnnBackendDescriptorType_t type;
    int name;
    cudnnBackendAttributeType_t value;
    int64_t min, max;
    unsigned flags;
    int refers; /* of which descriptor type, for CUDNN_TYPE_BACKEND_DESCRIPTOR; -1: any operation */
};

/* clang-format off */
#define RULE(type, name, value, min, max, flags, refers) \
    {CUDNN_BACKEND_##type##_DESCRIPTOR, CUDNN_ATTR_##name, CUDNN_TYPE_##value, min, max, flags, refers}
#define REF(type, name, max, flags, refers) \
    RULE(type, name, BACKEND_DESCRIPTOR, 1, max, flags, refers)
#define TENSOR CUDNN_BACKEND_TENSOR_DESCRIPTOR

const rule rules[] = {
    RULE(TENSOR, TENSOR_DATA_TYPE, DATA_TYPE, 1, 1, REQUIRED, 0),
    RULE(TENSOR, TENSOR_DIMENSIONS, INT64, 1, 8, REQUIRED, 0),
    RULE(TENSOR, TENSOR_STRIDES, INT64, 1, 8, REQUIRED, 0),
    RULE(TENSOR, TENSOR_UNIQUE_ID, INT64, 1, 1, REQUIRED, 0),
    RULE(TENSOR, TENSOR_BYTE_ALIGNMENT, INT64, 1, 1, REQUIRED, 0),
    RULE(TENSOR, TENSOR_IS_VIRTUAL, BOOLEAN, 1, 1, 0, 0),

    RULE(CONVOLUTION, CONVOLUTION_COMP_TYPE, DATA_TYPE, 1, 1, REQUIRED, 0),
    RULE(CONVOLUTION, CONVOLUTION_CONV_MODE, CONVOLUTION_MODE, 1, 1, REQUIRED, 0),
    RULE(CONVOLUTION, CONVOLUTION_SPATIAL_DIMS, INT64, 1, 1, REQUIRED, 0),
    RULE(CONVOLUTION, CONVOLUTION_DILATIONS, INT64, 2, 3, REQUIRED, 0),
    RULE(CONVOLUTION, CONVOLUTION_FILTER_STRIDES, INT64, 2, 3, REQUIRED, 0),
    RULE(CONVOLUTION, CONVOLUTION_PRE_PADDINGS, INT64, 2, 3, REQUIRED, 0),
    RULE(CONVOLUTION, CONVOLUTION_POST_PADDINGS, INT64, 2, 3, REQUIRED, 0),

    REF(OPERATION_CONVOLUTION_FORWARD, OPERATION_CONVOLUTION_FORWARD_CONV_DESC, 1, REQUIRED, CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR),
    REF(OPERATION_CONVOLUTION_FORWARD, OPERATION_CONVOLUTION_FORWARD_X, 1, REQUIRED, TENSOR),
    REF(OPERATION_CONVOLUTION_FORWARD, OPERATION_CONVOLUTION_FORWARD_W, 1, REQUIRED, TENSOR),
    REF(OPERATION_CONVOLUTION_FORWARD, OPERATION_CONVOLUTION_FORWARD_Y, 1, REQUIRED, TENSOR),
    RULE(OPERATION_CONVOLUTION_FORWARD, OPERATION_CONVOLUTION_FORWARD_ALPHA, FLOAT, 1, 1, REQUIRED, 0),
    RULE(OPERATION_CONVOLUTION_FORWARD, OPERATION_CONVOLUTION_FORWARD_BETA, FLOAT, 1, 1, REQUIRED, 0),

    REF(OPERATION_CONVOLUTION_BACKWARD_DATA, OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC, 1, REQUIRED, CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR),
    REF(OPERATION_CONVOLUTION_BACKWARD_DATA, OPERATION_CONVOLUTION_BWD_DATA_DX, 1, REQUIRED, TENSOR),
    REF(OPERATION_CONVOLUTION_BACKWARD_DATA, OPERATION_CONVOLUTION_BWD_DATA_W, 1, REQUIRED, TENSOR),
    REF(OPERATION_CONVOLUTION_BACKWARD_DATA, OPERATION_CONVOLUTION_BWD_DATA_DY, 1, REQUIRED, TENSOR),
    RULE(OPERATION_CONVOLUTION_BACKWARD_DATA, OPERATION_CONVOLUTION_BWD_DATA_ALPHA, FLOAT, 1, 1, REQUIRED, 0),
    RULE(OPERATION_CONVOLUTION_BACKWARD_DATA, OPERATION_CONVOLUTION_BWD_DATA_BETA, FLOAT, 1, 1, REQUIRED, 0),

    REF(OPERATION_CONVOLUTION_BACKWARD_FILTER, OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC, 1, REQUIRED, CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR),
    REF(OPERATION_CONVOLUTION_BACKWARD_FILTER, OPERATION_CONVOLUTION_BWD_FILTER_X, 1, REQUIRED, TENSOR),
    REF(OPERATION_CONVOLUTION_BACKWARD_FILTER, OPERATION_CONVOLUTION_BWD_FILTER_DW, 1, REQUIRED, TENSOR),
    REF(OPERATION_CONVOLUTION_BACKWARD_FILTER, OPERATION_CONVOLUTION_BWD_FILTER_DY, 1, REQUIRED, TENSOR),
    RULE(OPERATION_CONVOLUTION_BACKWARD_FILTER, OPERATION_CONVOLUTION_BWD_FILTER_ALPHA, FLOAT, 1, 1, REQUIRED, 0),
    RULE(OPERATION_CONVOLUTION_BACKWARD_FILTER, OPERATION_CONVOLUTION_BWD_FILTER_BETA, FLOAT, 1, 1, REQUIRED, 0),

    RULE(OPERATION_GEN_STATS, OPERATION_GENSTATS_MODE, GENSTATS_MODE, 1, 1, REQUIRED, 0),
    RULE(OPERATION_GEN_STATS, OPERATION_GENSTATS_MATH_PREC, DATA_TYPE, 1, 1, REQUIRED, 0),
    REF(OPERATION_GEN_STATS, OPERATION_GENSTATS_XDESC, 1, REQUIRED, TENSOR),
    REF(OPERATION_GEN_STATS, OPERATION_GENSTATS_SUMDESC, 1, REQUIRED, TENSOR),
    REF(OPERATION_GEN_STATS, OPERATION_GENSTATS_SQSUMDESC, 1, REQUIRED, TENSOR),

    RULE(OPERATIONGRAPH, OPERATIONGRAPH_HANDLE, HANDLE, 1, 1, REQUIRED, 0),
    REF(OPERATIONGRAPH, OPERATIONGRAPH_OPS, 2, REQUIRED, -1),

    REF(ENGINEHEUR, ENGINEHEUR_OPERATION_GRAPH, 1, REQUIRED, CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR),
    RULE(ENGINEHEUR, ENGINEHEUR_MODE, HEUR_MODE, 1, 1, REQUIRED, 0),
    REF(ENGINEHEUR, ENGINEHEUR_RESULTS, 64, READ_ONLY, CUDNN_BACKEND_ENGINECFG_DESCRIPTOR),

    REF(ENGINE, ENGINE_OPERATION_GRAPH, 1, REQUIRED, CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR),
    RULE(ENGINE, ENGINE_GLOBAL_INDEX, INT64, 1, 1, REQUIRED, 0),
    RULE(ENGINE, ENGINE_NUMERICAL_NOTE, NUMERICAL_NOTE, 0, 64, READ_ONLY, 0),
    RULE(ENGINE, ENGINE_BEHAVIOR_NOTE, BEHAVIOR_NOTE, 0, 64, READ_ONLY, 0),

    RULE(KNOB_CHOICE, KNOB_CHOICE_KNOB_TYPE, KNOB_TYPE, 1, 1, REQUIRED, 0),
    RULE(KNOB_CHOICE, KNOB_CHOICE_KNOB_VALUE, INT64, 1, 1, REQUIRED, 0),

    REF(ENGINECFG, ENGINECFG_ENGINE, 1, REQUIRED, CUDNN_BACKEND_ENGINE_DESCRIPTOR),
    REF(ENGINECFG, ENGINECFG_KNOB_CHOICES, 64, 0, CUDNN_BACKEND_KNOB_CHOICE_DESCRIPTOR),

    RULE(EXECUTION_PLAN, EXECUTION_PLAN_HANDLE, HANDLE, 1, 1, REQUIRED, 0),
    REF(EXECUTION_PLAN, EXECUTION_PLAN_ENGINE_CONFIG, 1, 0, CUDNN_BACKEND_ENGINECFG_DESCRIPTOR),
    RULE(EXECUTION_PLAN, EXECUTION_PLAN_JSON_REPRESENTATION, CHAR, 1, 1 << 20, 0, 0),
    RULE(EXECUTION_PLAN, EXECUTION_PLAN_WORKSPACE_SIZE, INT64, 1, 1, READ_ONLY, 0),

    RULE(VARIANT_PACK, VARIANT_PACK_UNIQUE_IDS, INT64, 1, 64, REQUIRED, 0),
    RULE(VARIANT_PACK, VARIANT_PACK_DATA_POINTERS, VOID_PTR, 1, 64, REQUIRED, 0),
    RULE(VARIANT_PACK, VARIANT_PACK_WORKSPACE, VOID_PTR, 1, 1, 0, 0),
};
/* clang-format on */

const rule *find(const dnn_descriptor &d, int name)
{
    for (const rule &r : rules)
        if (r.type == d.type && r.name == name)
            return &r;
    return nullptr;
}

bool exists(cudnnBackendDescriptorType_t type)
{
    for (const rule &r : rules)
        if (r.type == type)
            return true;
    return false;
}

size_t size_of(cudnnBackendAttributeType_t type)
{
    switch (type) {
    case CUDNN_TYPE_INT64:
    case CUDNN_TYPE_VOID_PTR:
    case CUDNN_TYPE_HANDLE:
    case CUDNN_TYPE_BACKEND_DESCRIPTOR:
        return 8;
    case CUDNN_TYPE_BOOLEAN:
        return sizeof(bool);
    case CUDNN_TYPE_CHAR:
        return 1;
    default: /* enums and float */
        return 4;
    }
}

/* What a descriptor's handle points to. */
struct holder {
    dnn_ref d;
};

bool is_operation(cudnnBackendDescriptorType_t type)
{
    return type == CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR ||
           type == CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR ||
           type == CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR ||
           type == CUDNN_BACKEND_OPERATION_GEN_STATS_DESCRIPTOR;
}

bool refers_right(const rule &r, const dnn_descriptor &other)
{
    return r.refers < 0 ? is_operation(other.type) : other.type == r.refers;
}

cudnnStatus_t set_refs(const rule &r, dnn_value *v, const void *values)
{
    const cudnnBackendDescriptor_t *given = static_cast<const cudnnBackendDescriptor_t *>(values);
    for (int64_t i = 0; i < v->n; i++) {
        dnn_ref other = given[i] ? dnn_of(given[i]) : nullptr;
        if (!other)
            return dnn_bad(CUDNN_STATUS_BAD_PARAM_NULL_POINTER, "no descriptor", r.name);
        if (!other->finalized)
            return dnn_bad(CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED, "it is not finalized", r.name);
        if (!refers_right(r, *other))
            return dnn_bad(CUDNN_STATUS_BAD_PARAM_DESCRIPTOR_TYPE, "of another type", r.name);
        v->refs.push_back(other);
    }
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t get_refs(const rule &r, const dnn_value &v, int64_t n, void *out)
{
    cudnnBackendDescriptor_t *given = static_cast<cudnnBackendDescriptor_t *>(out);
    for (int64_t i = 0; i < n; i++) {
        holder *h = static_cast<holder *>(given[i]);
        if (!h || h->d->type != r.refers || h->d->finalized)
            return dnn_bad(CUDNN_STATUS_BAD_PARAM, "no fresh descriptor to be filled", r.name);
        h->d = v.refs[(size_t)i];
    }
    return CUDNN_STATUS_SUCCESS;
}
} // namespace

cudnnStatus_t dnn_bad(cudnnStatus_t status, const char *why, int name)
{
    fprintf(stderr, "cuda emulation: cuDNN: %s (attribute %d): status %d\n", why, name, status);
    return status;
}

dnn_ref dnn_of(cudnnBackendDescriptor_t d)
{
    return static_cast<holder *>(d)->d;
}

cudnnStatus_t dnn_complete(const dnn_descriptor &d)
{
    for (const rule &r : rules)
        if (r.type == d.type && (r.flags & REQUIRED) && !d.has(r.name))
            return dnn_bad(CUDNN_STATUS_BAD_PARAM, "a required attribute was not set", r.name);
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBackendCreateDescriptor(cudnnBackendDescriptorType_t type,
                                           cudnnBackendDescriptor_t *out)
{
    if (!exists(type))
        return dnn_bad(CUDNN_STATUS_NOT_SUPPORTED, "a type of descriptor that is not emulated");
    holder *h = new holder{std::make_shared<dnn_descriptor>()};
    h->d->type = type;
    *out = h;
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBackendDestroyDescriptor(cudnnBackendDescriptor_t d)
{
    delete static_cast<holder *>(d);
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBackendSetAttribute(cudnnBackendDescriptor_t descriptor,
                                       cudnnBackendAttributeName_t name,
                                       cudnnBackendAttributeType_t type, int64_t n,
                                       const void *values)
{
    dnn_ref d = dnn_of(descriptor);
    const rule *r = find(*d, name);
    dnn_value v;
    v.n = n;
    if (d->finalized)
        return dnn_bad(CUDNN_STATUS_NOT_INITIALIZED, "the descriptor is finalized", name);
    if (!r || (r->flags & READ_ONLY))
        return dnn_bad(CUDNN_STATUS_NOT_SUPPORTED, "it has no such attribute to set", name);
    if (r->value != type)
        return dnn_bad(CUDNN_STATUS_BAD_PARAM_ATTRIBUTE_TYPE, "a value of another type", name);
    if (n < r->min || n > r->max)
        return dnn_bad(CUDNN_STATUS_BAD_PARAM_OUT_OF_BOUND, "too few or too many values", name);
    if (!values)
        return dnn_bad(CUDNN_STATUS_BAD_PARAM_NULL_POINTER, "no values", name);
    if (type == CUDNN_TYPE_BACKEND_DESCRIPTOR) {
        cudnnStatus_t status = set_refs(*r, &v, values);
        if (status != CUDNN_STATUS_SUCCESS)
            return status;
    } else {
        const char *p = static_cast<const char *>(values);
        v.bytes.assign(p, p + (size_t)n * size_of(type));
    }
    d->attributes[name] = v;
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBackendGetAttribute(cudnnBackendDescriptor_t descriptor,
                                       cudnnBackendAttributeName_t name,
                                       cudnnBackendAttributeType_t type, int64_t room,
                                       int64_t *count, void *out)
{
    dnn_ref d = dnn_of(descriptor);
    const rule *r = find(*d, name);
    if (!d->finalized)
        return dnn_bad(CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED, "not finalized", name);
    if (!r || r->value != type)
        return dnn_bad(CUDNN_STATUS_BAD_PARAM_ATTRIBUTE_TYPE, "no such attribute to get", name);
    dnn_value none;
    const dnn_value &v = d->has(name) ? d->get(name) : none;
    int64_t n = v.n < room ? v.n : room;
    if (count)
        *count = v.n;
    if (!out)
        return CUDNN_STATUS_SUCCESS;
    if (type == CUDNN_TYPE_BACKEND_DESCRIPTOR)
        return get_refs(*r, v, n, out);
    if (n > 0)
        if (n)
            memcpy(out, v.bytes.data(), (size_t)n * size_of(type));
    return CUDNN_STATUS_SUCCESS;
}
