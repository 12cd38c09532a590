/*
 * One case on one device, through the contract of backend.h and op.h alone. All memory a kernel is
 * given lies between sentinels and is filled with NaN before each pass: what a kernel does not
 * write, or reads without having written, shows up in the comparison. Afterwards the stored form of
 * every result must be the one upload makes (padding of blocked layouts included), because the next
 * op reads it. The passes run twice and must give the same bits.
 */
#include "op_test.h"
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GUARD = 4096, MAX_BLOCKS = 40 };

struct block { /* device memory with sentinels on both sides */
    struct tensor whole;
    size_t bytes;
};

struct bench { /* a case on its device */
    const struct op_case *c;
    struct device *dev;
    const struct kernel *kernel;
    struct ref_call ref;
    struct call call;
    struct tensor in[OP_MAX_IN], din[OP_MAX_IN], out, dout;
    struct block blocks[MAX_BLOCKS];
    int n_blocks;
    struct err err;
};

static char verdict[1400];

static int fail(struct bench *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static int fail(struct bench *b, const char *fmt, ...)
{
    va_list args;
    if (b->err.code)
        return -1;
    va_start(args, fmt);
    b->err.code = EXIT_SOFTWARE;
    vsnprintf(b->err.msg, sizeof b->err.msg, fmt, args);
    va_end(args);
    return -1;
}

static struct tensor bytes_at(void *data, size_t n)
{
    return (struct tensor){.name = "bytes",
                           .dtype = DT_U8,
                           .ndim = 1,
                           .bytes = n,
                           .data = data,
                           .dim = {(int64_t)n, 1, 1, 1}};
}

static int poison(struct bench *b, void *data, size_t n)
{
    struct tensor t = bytes_at(data, n);
    void *nan = n ? malloc(n) : NULL;
    if (n == 0)
        return 0;
    if (!nan)
        return fail(b, "out of memory");
    memset(nan, 0xFF, n);
    int rc = b->dev->class->upload(b->dev, &t, nan, &b->err);
    free(nan);
    return rc;
}

static void *take(struct bench *b, size_t bytes)
{
    struct block *k = &b->blocks[b->n_blocks];
    void *base;
    size_t whole = (bytes + 63) / 64 * 64 + 2 * GUARD;
    if (bytes == 0 || b->n_blocks == MAX_BLOCKS ||
        b->dev->class->alloc(b->dev, whole, &base, &b->err) || poison(b, base, whole))
        return NULL;
    *k = (struct block){bytes_at(base, whole), bytes};
    b->n_blocks++;
    return (char *)base + GUARD;
}

static int check_guards(struct bench *b)
{
    for (struct block *k = b->blocks; k < b->blocks + b->n_blocks; k++) {
        uint8_t *copy = malloc(k->whole.bytes);
        int rc = copy ? b->dev->class->download(b->dev, &k->whole, copy, &b->err) : -1;
        for (size_t i = 0; rc == 0 && i < k->whole.bytes; i++)
            if ((i < GUARD || i >= GUARD + k->bytes) && copy[i] != 0xFF)
                rc = fail(b, "wrote %ld bytes outside of %zu bytes of memory",
                          i < GUARD ? (long)i - GUARD : (long)(i - GUARD - k->bytes) + 1, k->bytes);
        free(copy);
        if (rc)
            return rc;
    }
    return 0;
}

static void describe(struct bench *b, struct tensor *t, const struct ref_tensor *r,
                     const char *name)
{
    *t = (struct tensor){.dtype = r->dtype, .ndim = r->ndim};
    snprintf(t->name, sizeof t->name, "%s", name);
    memcpy(t->dim, r->dim, sizeof t->dim);
    if (r->parameter)
        t->bytes = (size_t)r->count * sizeof(float);
    else
        b->dev->class->layout(b->dev, t);
}

static int put(struct bench *b, struct tensor *t, const struct ref_tensor *r, const double *v)
{
    if (r->i)
        return b->dev->class->upload(b->dev, t, r->i, &b->err);
    float *f = malloc((size_t)r->count * sizeof *f);
    for (int64_t i = 0; f && i < r->count; i++)
        f[i] = (float)v[i];
    int rc = f ? b->dev->class->upload(b->dev, t, f, &b->err) : fail(b, "out of memory");
    free(f);
    return rc;
}

static int describe_all(struct bench *b)
{
    static const char *const names[] = {"in0", "in1", "in2", "in3", "in4", "in5"};
    struct call *call = &b->call;
    *call = (struct call){.op = b->c->op,
                          .attr = b->c->attr,
                          .compute = b->c->dtype,
                          .n_in = b->ref.n_in,
                          .want_backward = !b->c->forward_only,
                          .adds = b->c->adds,
                          .out = &b->out};
    snprintf(call->name, sizeof call->name, "%s", b->c->what);
    describe(b, &b->out, &b->ref.out, "out");
    for (int i = 0; i < b->ref.n_in; i++) {
        describe(b, &b->in[i], &b->ref.in[i], names[i]);
        call->in[i] = &b->in[i];
        b->din[i] = b->in[i];
        if (b->ref.in[i].d && !b->c->forward_only)
            call->din[i] = &b->din[i];
    }
    b->dout = b->out;
    call->dout = b->ref.out.d ? &b->dout : NULL;
    return b->kernel->prepare(b->dev, call, &b->err);
}

static int place_all(struct bench *b)
{
    struct call *call = &b->call;
    b->out.data = take(b, b->out.bytes);
    b->dout.data = call->dout ? take(b, b->dout.bytes) : NULL;
    for (int i = 0; i < call->n_in; i++) {
        b->in[i].data = take(b, b->in[i].bytes);
        b->din[i].data = call->din[i] ? take(b, b->din[i].bytes) : NULL;
    }
    call->saved = take(b, call->saved_bytes);
    call->workspace = take(b, call->workspace_bytes);
    for (int i = 0; i < 2; i++)
        call->scratch[i] = take(b, call->scratch_bytes[i]);
    if (b->kernel->bind && b->kernel->bind(b->dev, call, &b->err))
        return -1;
    for (int i = 0; i < call->n_in; i++)
        if (put(b, &b->in[i], &b->ref.in[i], b->ref.in[i].v))
            return -1;
    return call->dout ? put(b, &b->dout, &b->ref.out, b->ref.out.d) : 0;
}

static int forward(struct bench *b)
{
    struct call *call = &b->call;
    if (poison(b, b->out.data, b->out.bytes) || poison(b, call->saved, call->saved_bytes) ||
        poison(b, call->workspace, call->workspace_bytes) ||
        poison(b, call->scratch[0], call->scratch_bytes[0]))
        return -1;
    return b->kernel->forward(b->dev, call, &b->err);
}

/* Between the passes a plan gives the memory of what backward() does not read to others. */
static int poison_unread(struct bench *b)
{
    unsigned reads = op_backward_reads(b->c->op);
    for (int i = 0; i < b->call.n_in; i++)
        if (!(reads >> i & 1) && !b->ref.in[i].parameter &&
            poison(b, b->in[i].data, b->in[i].bytes))
            return -1;
    if (reads >> OP_MAX_IN & 1)
        return 0;
    return poison(b, b->out.data, b->out.bytes);
}

static int backward(struct bench *b)
{
    struct call *call = &b->call;
    for (int i = 0; i < call->n_in; i++)
        if (call->din[i] && poison(b, b->din[i].data, b->din[i].bytes))
            return -1;
    if (call->adds && put(b, &b->din[0], &b->ref.in[0], b->ref.in[0].v))
        return -1;
    if (poison(b, call->workspace, call->workspace_bytes) ||
        poison(b, call->scratch[1], call->scratch_bytes[1]))
        return -1;
    return b->kernel->backward(b->dev, call, &b->err);
}

/* Relative error in the L2 norm. */
static double distance(const float *got, const double *want, int64_t n)
{
    double error = 0, norm = 0;
    for (int64_t i = 0; i < n; i++) {
        error += ((double)got[i] - want[i]) * ((double)got[i] - want[i]);
        norm += want[i] * want[i];
    }
    return sqrt(error) / fmax(sqrt(norm), 1e-6 * sqrt((double)n));
}

/* The stored bytes are those of an upload of the same values into fresh memory. */
static int check_form(struct bench *b, const struct tensor *t, const float *values)
{
    const struct backend_class *class = b->dev->class;
    struct tensor twin = *t, raw = bytes_at(t->data, t->bytes);
    uint8_t *x = malloc(t->bytes), *y = malloc(t->bytes);
    int rc = x && y ? class->alloc(b->dev, t->bytes, &twin.data, &b->err) : -1;
    if (rc == 0) {
        struct tensor raw_twin = bytes_at(twin.data, twin.bytes);
        rc = class->upload(b->dev, &twin, values, &b->err) ||
             class->download(b->dev, &raw, x, &b->err) ||
             class->download(b->dev, &raw_twin, y, &b->err);
        class->free(b->dev, twin.data, twin.bytes);
    }
    if (rc == 0 && memcmp(x, y, t->bytes))
        rc = fail(b, "%s: padding of the layout is not as upload leaves it", t->name);
    free(x);
    free(y);
    return rc;
}

static int compare(struct bench *b, const struct tensor *t, const struct ref_tensor *r,
                   const double *want, double tolerance)
{
    float *got = malloc((size_t)r->count * sizeof *got);
    int rc = got ? b->dev->class->download(b->dev, t, got, &b->err) : fail(b, "out of memory");
    double error = rc ? 0 : distance(got, want, r->count);
    if (rc == 0 && !(error <= tolerance))
        rc = fail(b, "%s: relative error %.3g, tolerance %.3g", t->name, error, tolerance);
    if (rc == 0 && !r->parameter)
        rc = check_form(b, t, got);
    free(got);
    return rc;
}

/* Losses: the loss to the tolerance, counts exactly. */
static int compare_stats(struct bench *b, double tolerance)
{
    float got[STAT_N];
    const double *want = b->ref.out.v;
    if (b->dev->class->download(b->dev, &b->out, got, &b->err))
        return -1;
    if (!(fabs(got[STAT_LOSS] - want[STAT_LOSS]) <= tolerance * fmax(1e-3, fabs(want[STAT_LOSS]))))
        return fail(b, "loss %.9g, expected %.9g", (double)got[STAT_LOSS], want[STAT_LOSS]);
    for (int i = STAT_LOSS + 1; i <= STAT_ROWS; i++)
        if (!((double)got[i] == want[i]))
            return fail(b, "statistic %d is %g, expected %g", i, (double)got[i], want[i]);
    return 0;
}

static int compare_all(struct bench *b)
{
    bool narrow = b->c->dtype == DT_BF16;
    double out = b->c->tol_out > 0 ? b->c->tol_out : narrow ? 5e-3 : 1e-5;
    double grad = b->c->tol_grad > 0 ? b->c->tol_grad : narrow ? 1e-2 : 1e-5;
    bool loss = b->c->op == OP_XENT || b->c->op == OP_CONTRASTIVE;
    if (loss ? compare_stats(b, out) : compare(b, &b->out, &b->ref.out, b->ref.out.v, out))
        return -1;
    for (int i = 0; i < b->call.n_in; i++)
        if (b->call.din[i] && compare(b, &b->din[i], &b->ref.in[i], b->ref.in[i].d, grad))
            return err_prefix(&b->err, "gradient of");
    return 0;
}

static size_t gradient_bytes(const struct bench *b)
{
    size_t total = 0;
    for (int i = 0; i < b->call.n_in; i++)
        total += b->call.din[i] ? b->din[i].bytes : 0;
    return total;
}

static int copy_raw(struct bench *b, const struct tensor *t, uint8_t *to)
{
    struct tensor raw = bytes_at(t->data, t->bytes);
    return b->dev->class->download(b->dev, &raw, to, &b->err);
}

static int copy_gradients(struct bench *b, uint8_t *to)
{
    for (int i = 0; i < b->call.n_in; i++) {
        if (b->call.din[i] && copy_raw(b, &b->din[i], to))
            return -1;
        to += b->call.din[i] ? b->din[i].bytes : 0;
    }
    return 0;
}

static int passes(struct bench *b)
{
    return forward(b) || (b->call.want_backward && backward(b)) ? -1 : 0;
}

/* An output that is computed once more has the same bits. */
static int output_again(struct bench *b)
{
    struct call *call = &b->call;
    if (!b->kernel->again)
        return 0;
    if (poison(b, b->out.data, b->out.bytes) || poison(b, call->workspace, call->workspace_bytes))
        return -1;
    return b->kernel->again(b->dev, call, &b->out, &b->err);
}

/* The second run also loses, between its passes, what backward() does not need. */
static int second_run(struct bench *b, uint8_t *copy)
{
    if (forward(b) || output_again(b) || copy_raw(b, &b->out, copy))
        return -1;
    if (!b->call.want_backward)
        return 0;
    return poison_unread(b) || backward(b) || copy_gradients(b, copy + b->out.bytes) ? -1 : 0;
}

static int same_bits_twice(struct bench *b)
{
    size_t n = b->out.bytes + gradient_bytes(b);
    uint8_t *first = malloc(n), *second = malloc(n);
    int rc = first && second ? copy_raw(b, &b->out, first) : fail(b, "out of memory");
    if (rc == 0)
        rc = copy_gradients(b, first + b->out.bytes) || second_run(b, second) ? -1 : 0;
    if (rc == 0 && memcmp(first, second, n))
        rc = fail(b, "a second run gave other bits");
    free(first);
    free(second);
    return rc;
}

static int check_commit(struct bench *b)
{
    const struct ref_class *ref = ref_classes[b->c->op];
    if (!ref->commit || b->c->forward_only)
        return 0;
    if (!b->kernel->commit)
        return fail(b, "the kernel has no commit()");
    ref->commit(&b->ref);
    if (b->kernel->commit(b->dev, &b->call, NULL, &b->err))
        return -1;
    for (int i = 3; i < 5; i++) /* mean and var */
        if (compare(b, &b->in[i], &b->ref.in[i], b->ref.in[i].v, 1e-5))
            return err_prefix(&b->err, "running statistics");
    return 0;
}

static int run(struct bench *b)
{
    if (describe_all(b))
        return -1;
    if (place_all(b) || passes(b) || compare_all(b) || same_bits_twice(b) || check_commit(b))
        return -1;
    return check_guards(b);
}

/* Why the device cannot run the case by its own account; NULL if it can. */
static const char *unsupported(const struct op_case *c, struct device *dev)
{
    static char why[256];
    const struct tensor y = {.ndim = c->op == OP_LINEAR ? 2 : 4, .dtype = c->dtype};
    int fusion = -1;
    if (!dev->class->has_dtype(dev, c->dtype, why, sizeof why))
        return why;
    if (c->attr.relu && c->op == OP_BATCHNORM)
        fusion = c->extra ? FUSE_BN_ADD_RELU : FUSE_BN_RELU;
    if (c->attr.relu && c->op == OP_ADD)
        fusion = FUSE_ADD_RELU;
    if (c->attr.relu && c->op == OP_LINEAR)
        fusion = FUSE_LINEAR_RELU;
    if (fusion >= 0 && !dev->class->can_fuse(dev, (enum fusion)fusion, &y))
        return "the backend does not fuse it";
    if (!dev->class->kernels[c->op])
        return "the backend has no kernel for this op";
    if (c->adds && !dev->class->kernels[c->op]->can_add)
        return "the backend's kernel does not add to gradients";
    return NULL;
}

const char *case_run(const struct op_case *c, struct device *dev, bool *skip)
{
    struct bench b = {.c = c, .dev = dev, .kernel = dev->class->kernels[c->op]};
    const char *why = unsupported(c, dev);
    *skip = why != NULL;
    if (why)
        return why;
    case_build(c, &b.ref);
    for (int64_t i = 0; c->adds && i < b.ref.in[0].count; i++)
        b.ref.in[0].d[i] += b.ref.in[0].v[i];
    int rc = run(&b);
    b.kernel->done(dev, &b.call);
    for (int i = 0; i < b.n_blocks; i++)
        dev->class->free(dev, b.blocks[i].whole.data, b.blocks[i].whole.bytes);
    case_free(&b.ref);
    snprintf(verdict, sizeof verdict, "%s", b.err.msg[0] ? b.err.msg : "failed without a message");
    return rc ? verdict : NULL;
}
