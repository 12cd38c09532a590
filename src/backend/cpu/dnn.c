/*
 * oneDNN 2.x behind a few functions; see dnn.h. Memory objects belong to the exec that uses them:
 * a handful of pointers each, so nothing is shared and nothing has to be counted.
 */
#include "backend/cpu/dnn.h"

#include <omp.h>
#include <string.h>

static const char *const status_name[] = {
    [dnnl_success] = "success",
    [dnnl_out_of_memory] = "out of memory",
    [dnnl_invalid_arguments] = "invalid arguments",
    [dnnl_unimplemented] = "no implementation for this processor, type or shape",
    [dnnl_iterator_ends] = "no further implementation",
    [dnnl_runtime_error] = "run-time error",
    [dnnl_not_required] = "not required",
};

int dnn_check(struct err *e, dnnl_status_t status, const char *call)
{
    if (status == dnnl_success)
        return 0;
    bool known = (size_t)status < sizeof status_name / sizeof *status_name;
    int name_bytes = (int)strcspn(call, "(");
    return err_set(e, status == dnnl_out_of_memory ? EXIT_OS : EXIT_SOFTWARE, "oneDNN: %.*s: %s",
                   name_bytes, call, known ? status_name[status] : "unknown status");
}

static dnnl_data_type_t data_type(enum dtype dtype)
{
    static const dnnl_data_type_t types[] = {
        [DT_F32] = dnnl_f32, [DT_BF16] = dnnl_bf16, [DT_I32] = dnnl_s32, [DT_U8] = dnnl_u8};
    return (size_t)dtype < sizeof types / sizeof *types ? types[dtype] : dnnl_data_type_undef;
}

int dnn_desc(dnnl_memory_desc_t *md, const struct tensor *t, struct err *e)
{
    static const dnnl_format_tag_t plain[] = {dnnl_a, dnnl_a, dnnl_ab, dnnl_abc, dnnl_abcd};
    static const dnnl_format_tag_t blocked[] = {
        [LAYOUT_BLOCK8] = dnnl_nChw8c, [LAYOUT_BLOCK16] = dnnl_nChw16c};
    dnnl_format_tag_t tag = t->layout == LAYOUT_PLAIN ? plain[t->ndim] : blocked[t->layout];
    dnnl_dims_t dims = {1};
    memcpy(dims, t->dim, sizeof *t->dim * (size_t)t->ndim);
    return DNN(
        e, dnnl_memory_desc_init_by_tag(md, t->ndim ? t->ndim : 1, dims, data_type(t->dtype), tag));
}

int dnn_plain(dnnl_memory_desc_t *md, int ndim, const int64_t *dim, struct err *e)
{
    struct tensor t = {.dtype = DT_F32, .ndim = ndim, .layout = LAYOUT_PLAIN};
    memcpy(t.dim, dim, sizeof *dim * (size_t)ndim);
    return dnn_desc(md, &t, e);
}

dnnl_memory_desc_t dnn_any(const dnnl_memory_desc_t *md, dnnl_data_type_t type)
{
    dnnl_memory_desc_t any = {0};
    dnnl_memory_desc_init_by_tag(&any, md->ndims, md->dims, type, dnnl_format_tag_any);
    return any;
}

static int finish(struct exec *x, struct err *e)
{
    x->scratchpad_bytes = exec_md_bytes(x, dnnl_query_scratchpad_md, 0);
    return DNN(e, dnnl_primitive_create(&x->primitive, x->desc));
}

int exec_init(struct exec *x, struct device *dev, const_dnnl_op_desc_t op, const struct exec *hint,
              const char *what, struct err *e)
{
    memset(x, 0, sizeof *x);
    omp_set_num_threads(dev->threads);
    dnnl_primitive_attr_t attr;
    if (DNN(e, dnnl_primitive_attr_create(&attr)))
        return -1;
    int rc = DNN(e, dnnl_primitive_attr_set_scratchpad_mode(attr, dnnl_scratchpad_mode_user));
    if (rc == 0)
        rc = DNN(e, dnnl_primitive_desc_create(&x->desc, op, attr, cpu_of(dev)->engine,
                                               hint ? hint->desc : NULL));
    dnnl_primitive_attr_destroy(attr);
    if (rc || finish(x, e))
        return err_prefix(e, "%s", what);
    return 0;
}

int exec_init_reorder(struct exec *x, struct device *dev, const dnnl_memory_desc_t *src,
                      const dnnl_memory_desc_t *dst, struct err *e)
{
    memset(x, 0, sizeof *x);
    omp_set_num_threads(dev->threads);
    dnnl_engine_t engine = cpu_of(dev)->engine;
    dnnl_primitive_attr_t attr;
    if (DNN(e, dnnl_primitive_attr_create(&attr)))
        return -1;
    int rc = DNN(e, dnnl_primitive_attr_set_scratchpad_mode(attr, dnnl_scratchpad_mode_user));
    if (rc == 0)
        rc = DNN(e, dnnl_reorder_primitive_desc_create(&x->desc, src, engine, dst, engine, attr));
    dnnl_primitive_attr_destroy(attr);
    return rc || finish(x, e) ? -1 : 0;
}

void exec_unbind(struct exec *x)
{
    for (int i = 0; i < x->n; i++)
        dnnl_memory_destroy(x->arg[i].memory);
    x->n = 0;
}

void exec_done(struct exec *x)
{
    exec_unbind(x);
    if (x->primitive)
        dnnl_primitive_destroy(x->primitive);
    if (x->desc)
        dnnl_primitive_desc_destroy(x->desc);
    memset(x, 0, sizeof *x);
}

const dnnl_memory_desc_t *exec_md(const struct exec *x, dnnl_query_t what, int index)
{
    return dnnl_primitive_desc_query_md(x->desc, what, index);
}

size_t exec_md_bytes(const struct exec *x, dnnl_query_t what, int index)
{
    const dnnl_memory_desc_t *md = exec_md(x, what, index);
    return md ? dnnl_memory_desc_get_size(md) : 0;
}

const char *exec_name(const struct exec *x)
{
    const char *name = "";
    dnnl_primitive_desc_query(x->desc, dnnl_query_impl_info_str, 0, &name);
    return name;
}

int exec_bind(struct exec *x, struct device *dev, int arg, const dnnl_memory_desc_t *md, void *data,
              struct err *e)
{
    if (x->n == EXEC_MAX_ARGS)
        BUG("more than %d arguments for one primitive", EXEC_MAX_ARGS);
    dnnl_memory_t memory;
    if (DNN(e, dnnl_memory_create(&memory, md, cpu_of(dev)->engine, data)))
        return -1;
    x->arg[x->n++] = (dnnl_exec_arg_t){arg, memory};
    return 0;
}

int exec_bind_scratchpad(struct exec *x, struct device *dev, void *data, struct err *e)
{
    if (x->scratchpad_bytes == 0)
        return 0;
    return exec_bind(x, dev, DNNL_ARG_SCRATCHPAD, exec_md(x, dnnl_query_scratchpad_md, 0), data, e);
}

int exec_run(const struct exec *x, const struct device *dev, struct err *e)
{
    omp_set_num_threads(dev->threads); /* per calling thread, and primitives rely on it */
    return DNN(e, dnnl_primitive_execute(x->primitive, cpu_of(dev)->stream, x->n, x->arg));
}
