/*
 * A thin layer over oneDNN 2.x: statuses become sentences, a tensor becomes a memory descriptor,
 * and a primitive with its memory objects and argument list becomes one `struct exec`, built once
 * and executed many times.
 *
 * Every primitive uses a scratchpad that the user supplies: the library's own is thread-local and
 * crashes when a primitive runs in another thread than the one that made it.
 */
#ifndef SUPCON_BACKEND_CPU_DNN_H
#define SUPCON_BACKEND_CPU_DNN_H

#include "backend/cpu/cpu.h"

/* 0, or -1 with "oneDNN: CALL: STATUS" (out of memory: EXIT_OS, else EXIT_SOFTWARE). */
int dnn_check(struct err *, dnnl_status_t, const char *call);
#define DNN(e, call) dnn_check((e), (call), #call)

/* The descriptor of a tensor as it lies in memory. */
int dnn_desc(dnnl_memory_desc_t *, const struct tensor *, struct err *);
/* Plain row-major f32 of these dimensions. */
int dnn_plain(dnnl_memory_desc_t *, int ndim, const int64_t *dim, struct err *);
/* The same dimensions and type, layout left to the primitive. */
dnnl_memory_desc_t dnn_any(const dnnl_memory_desc_t *, dnnl_data_type_t);

enum { EXEC_MAX_ARGS = 8 };

struct exec {
    dnnl_primitive_desc_t desc;
    dnnl_primitive_t primitive; /* NULL: nothing to execute */
    size_t scratchpad_bytes;
    int n;
    dnnl_exec_arg_t arg[EXEC_MAX_ARGS];
};

/* The first implementation for an operation descriptor; hint: the forward primitive's descriptor,
 * or NULL. Returns -1 with a message that starts with `what` when there is none. */
int exec_init(struct exec *, struct device *, const_dnnl_op_desc_t, const struct exec *hint,
              const char *what, struct err *);
/* Conversion between two layouts or types. */
int exec_init_reorder(struct exec *, struct device *, const dnnl_memory_desc_t *src,
                      const dnnl_memory_desc_t *dst, struct err *);
void exec_done(struct exec *); /* a zeroed one is fine */

/* What the primitive expects for an argument such as dnnl_query_weights_md; and its name. */
const dnnl_memory_desc_t *exec_md(const struct exec *, dnnl_query_t, int index);
size_t exec_md_bytes(const struct exec *, dnnl_query_t, int index); /* 0 if unused */
const char *exec_name(const struct exec *);

/* Give argument `arg` (DNNL_ARG_SRC, ...) its place in memory. `md` as it lies there. */
int exec_bind(struct exec *, struct device *, int arg, const dnnl_memory_desc_t *md, void *data,
              struct err *);
int exec_bind_scratchpad(struct exec *, struct device *, void *data, struct err *);
void exec_unbind(struct exec *);
int exec_run(const struct exec *, const struct device *, struct err *);

#endif
