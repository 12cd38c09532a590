/*
 * Schedule and memory plan together, without a device: random graphs are run on an arena of
 * numbers, step by step as the schedule says, in offsets as the plan says. Every op is a weighted
 * sum, so that gradients are known exactly; arithmetic is modulo 2^64, where the order of additions
 * does not matter. Whatever is read must hold what was written there for it: two live buffers that
 * overlap, a buffer given away too early, a gradient counted twice or not at all are all seen.
 */
#include "base/rng.h"
#include "nn/fuse.h"
#include "nn/memplan.h"
#include "nn/schedule.h"
#include "tests/unit/fake_device.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

enum { GRAPHS = 400, WORDS = MEMPLAN_ALIGN / 8, POOL = 64 };

/* --- random graphs ---------------------------------------------------------------------------- */

static int pick(struct rng *r, const int *pool, int n)
{
    /* Mostly one of the last few: deep graphs with some long connections. */
    int back = (int)rng_below(r, rng_below(r, 4) ? 3 : 1000);
    return pool[n - 1 - back % n];
}

static int grow(struct graph *g, struct rng *r, int x, int y, int i)
{
    char name[32];
    snprintf(name, sizeof name, "n%d", i);
    switch (rng_below(r, 6)) {
    case 0:
        return graph_add(g, x, y);
    case 1:
        return graph_relu(g, graph_add(g, graph_batchnorm(g, name, x), y));
    case 2:
        return graph_relu(g, x);
    case 3:
        return rng_below(r, 4) ? graph_maxpool(g, x, 3, 1, 1) : graph_detach(g, x);
    case 4:
        return graph_relu(g, graph_batchnorm(g, name, x));
    default:
        return graph_conv(g, name, x, 4, 3, 1, 1, rng_below(r, 2));
    }
}

/* Residual blocks in a row, as encoders have them; i numbers the names. */
static int residual(struct graph *g, struct rng *r, int x, int i)
{
    char a[32], b[32];
    snprintf(a, sizeof a, "a%d", i);
    snprintf(b, sizeof b, "b%d", i);
    int y = graph_relu(g, graph_batchnorm(g, a, graph_conv(g, b, x, 4, 3, 1, 1, false)));
    snprintf(a, sizeof a, "c%d", i);
    snprintf(b, sizeof b, "d%d", i);
    y = graph_batchnorm(g, a, graph_conv(g, b, y, 4, 3, 1, 1, false));
    snprintf(a, sizeof a, "e%d", i);
    snprintf(b, sizeof b, "f%d", i);
    if (!rng_below(r, 3))
        x = graph_batchnorm(g, a, graph_conv(g, b, x, 4, 3, 1, 1, false));
    return graph_relu(g, graph_add(g, y, x));
}

/* Heads share the parameters of "fc"; one value in eight is an output. */
static void add_heads(struct graph *g, struct rng *r, const int *pool, int n, int labels)
{
    int heads = 1 + (int)rng_below(r, 3);
    char name[32];
    for (int i = 0; i < heads; i++) {
        int f = graph_linear(g, "fc", graph_globalpool(g, pick(r, pool, n)), 10);
        snprintf(name, sizeof name, "loss%d", i);
        graph_xent(g, name, f, labels, &(struct op_attr){.views = 1});
    }
    for (int i = 0; i < n; i++) {
        const struct value *v = &g->values[graph_root(g, pool[i])];
        snprintf(name, sizeof name, "out%d", i);
        if (!rng_below(r, 8) && v->node >= 0 && !v->output)
            graph_output(g, name, pool[i]);
    }
}

static struct graph *random_graph(struct rng *r)
{
    struct graph *g = graph_new(DT_F32, true);
    int pool[POOL], n = 0, steps = 3 + (int)rng_below(r, 40);
    bool blocks = rng_below(r, 2);
    int labels = graph_input(g, "labels", DT_I32, 1, (int64_t[]){2});
    pool[n++] = graph_input(g, "images", DT_F32, 4, (int64_t[]){2, 4, 8, 8});
    for (int i = 0; i < steps; i++) {
        int x = pick(r, pool, n), y = pick(r, pool, n);
        pool[n] = blocks ? residual(g, r, pool[n - 1], i) : grow(g, r, x, y, i);
        n++;
    }
    add_heads(g, r, pool, n, labels);
    struct err e = {0};
    if (graph_finish(g, &e) < 0)
        fail_msg("%s", e.msg);
    unsigned fusions = rng_u32(r);
    graph_fuse(g, &(struct device){.class = &fake_backend, .impl = &fusions});
    return g;
}

/* --- what the numbers should be --------------------------------------------------------------- */

struct expected {
    uint64_t *value, *grad; /* by value id */
    bool *has_grad;
};

/* An addition passes its gradient on as it is. */
static uint64_t weight(const struct graph *g, int node, int i)
{
    return g->nodes[node].op == OP_ADD ? 1 : (uint64_t)node * 7919 + (uint64_t)i * 104729 + 3;
}

static uint64_t constant(int id)
{
    return (uint64_t)id * 0x9e3779b97f4a7c15u + 1;
}

static bool takes_gradient(const struct graph *g, const bool *wanted, int u)
{
    return wanted[u] && !g->values[u].detached;
}

static void want(const struct graph *g, bool *wanted)
{
    for (int n = 0; n < g->n_nodes; n++)
        for (int i = 0; i < g->nodes[n].n_in; i++) {
            int u = g->nodes[n].in[i], p = g->values[u].param;
            if (p >= 0 && param_trainable(&g->params[p]))
                wanted[u] = true;
            if (takes_gradient(g, wanted, u))
                wanted[g->nodes[n].out] = true;
        }
}

static void expect(const struct graph *g, struct expected *x)
{
    size_t n_values = (size_t)g->n_values;
    bool *wanted = calloc(n_values, sizeof *wanted);
    x->value = calloc(n_values, sizeof *x->value);
    x->grad = calloc(n_values, sizeof *x->grad);
    x->has_grad = calloc(n_values, sizeof *x->has_grad);
    for (int i = 0; i < g->n_values; i++)
        x->value[i] = constant(i);
    for (int n = 0; n < g->n_nodes; n++) {
        uint64_t sum = 0;
        for (int i = 0; i < g->nodes[n].n_in; i++)
            sum += weight(g, n, i) * x->value[graph_root(g, g->nodes[n].in[i])];
        x->value[g->nodes[n].out] = sum;
    }
    want(g, wanted);
    for (int n = g->n_nodes - 1; n >= 0; n--) {
        const struct node *node = &g->nodes[n];
        bool loss = op_is_loss(node->op);
        for (int i = 0; (loss || x->has_grad[node->out]) && i < node->n_in; i++) {
            int u = node->in[i];
            if (!takes_gradient(g, wanted, u))
                continue;
            x->grad[u] += weight(g, n, i) * (loss ? 1 : x->grad[node->out]);
            x->has_grad[u] = true;
        }
    }
    free(wanted);
}

/* --- the machine ------------------------------------------------------------------------------ */

struct machine {
    const struct graph *g;
    const struct schedule *s;
    struct extent *extents;
    uint64_t *arena;
    uint64_t *param_grad; /* by value id */
    struct expected x;
    uint32_t seed;
};

static void fill(struct machine *m, int buffer, uint64_t v)
{
    const struct buffer *b = &m->s->buffers[buffer];
    const struct extent *at = &m->extents[buffer];
    assert_int_not_equal(b->kind, BUFFER_PARAM);
    assert_int_not_equal(b->kind, BUFFER_NONE);
    if (b->kind == BUFFER_PARAM_GRAD)
        m->param_grad[b->value] = v;
    else
        for (size_t i = 0; i < at->bytes / 8; i++)
            m->arena[at->offset / 8 + i] = v;
}

static uint64_t read_buffer(struct machine *m, int buffer)
{
    const struct buffer *b = &m->s->buffers[buffer];
    const struct extent *at = &m->extents[buffer];
    if (b->kind == BUFFER_PARAM)
        return constant(b->value);
    if (b->kind == BUFFER_PARAM_GRAD)
        return m->param_grad[b->value];
    uint64_t v = m->arena[at->offset / 8];
    for (size_t i = 1; i < at->bytes / 8; i++)
        if (m->arena[at->offset / 8 + i] != v)
            fail_msg("graph %u: buffer %d was overwritten in part", m->seed, buffer);
    return v;
}

static void must_hold(struct machine *m, int buffer, uint64_t v, const char *what, int node)
{
    if (read_buffer(m, buffer) != v)
        fail_msg("graph %u: node %d finds other numbers in its %s", m->seed, node, what);
}

static uint64_t input_of(struct machine *m, int n, int i)
{
    return m->x.value[graph_root(m->g, m->g->nodes[n].in[i])];
}

static void forward(struct machine *m, int n)
{
    const struct schedule_node *at = &m->s->nodes[n];
    uint64_t sum = 0;
    for (int i = 0; i < m->g->nodes[n].n_in; i++)
        sum += weight(m->g, n, i) * read_buffer(m, at->in[i]);
    fill(m, at->out, sum);
    fill(m, at->saved, constant(n));
    must_hold(m, at->out, m->x.value[m->g->nodes[n].out], "output", n);
}

static void again(struct machine *m, int n, int y)
{
    const struct schedule_node *at = &m->s->nodes[n];
    uint64_t sum = 0;
    for (int i = 0; i < m->g->nodes[n].n_in; i++) {
        must_hold(m, at->in[i], input_of(m, n, i), "input, computing again", n);
        sum += weight(m->g, n, i) * read_buffer(m, at->in[i]);
    }
    fill(m, y, sum);
}

static void backward(struct machine *m, int n)
{
    const struct node *node = &m->g->nodes[n];
    const struct schedule_node *at = &m->s->nodes[n];
    unsigned reads = op_backward_reads(node->op);
    uint64_t dout = at->dout < 0 ? 1 : read_buffer(m, at->dout);
    assert_int_equal(at->dout < 0, op_is_loss(node->op));
    must_hold(m, at->saved, constant(n), "saved state", n);
    for (int i = 0; i < node->n_in; i++)
        if (reads & 1u << i)
            must_hold(m, at->bin[i], input_of(m, n, i), "input, going back", n);
    if (reads & 1u << OP_MAX_IN)
        must_hold(m, at->out, m->x.value[node->out], "output, going back", n);
    for (int i = 0; i < node->n_in; i++)
        if (at->din[i] >= 0)
            fill(m, at->din[i],
                 weight(m->g, n, i) * dout + (i == 0 && at->adds ? read_buffer(m, at->din[i]) : 0));
}

/* What a step that still is at work reads is there; `now` is done. */
static void check_at_work(struct machine *m, int now)
{
    for (int i = 0; i < now; i++) {
        const struct schedule_step *s = &m->s->steps[i];
        const struct node *node = &m->g->nodes[s->node];
        const struct schedule_node *at = &m->s->nodes[s->node];
        if (s->pass != PASS_BACKWARD || s->until < now)
            continue;
        must_hold(m, at->saved, constant(s->node), "saved state, still at work", s->node);
        must_hold(m, at->dout, m->x.grad[node->out], "gradient, still at work", s->node);
        for (int k = 0; k < node->n_in; k++)
            if (op_backward_reads(node->op) & 1u << k)
                must_hold(m, at->bin[k], input_of(m, s->node, k), "input, still at work", s->node);
    }
}

static void run_steps(struct machine *m)
{
    for (int i = 0; i < m->s->n_steps; i++) {
        const struct schedule_step *s = &m->s->steps[i];
        switch (s->pass) {
        case PASS_FORWARD:
            forward(m, s->node);
            break;
        case PASS_BACKWARD:
            backward(m, s->node);
            break;
        case PASS_AGAIN:
            again(m, s->node, s->y);
            break;
        case PASS_ACCUMULATE:
            fill(m, s->y, read_buffer(m, s->y) + read_buffer(m, s->x));
            break;
        }
        check_at_work(m, i);
    }
}

static void check_end(struct machine *m)
{
    for (int i = 0; i < m->g->n_values; i++) {
        const struct value *v = &m->g->values[i];
        if (v->output || v->input)
            must_hold(m, i, m->x.value[i], "output or input at the end", v->node);
        if (v->param < 0 || !param_trainable(&m->g->params[v->param]))
            continue;
        if (m->param_grad[i] != m->x.grad[i])
            fail_msg("graph %u: the gradient of %s is wrong", m->seed, v->name);
    }
    for (int n = 0; n < m->g->n_nodes; n++)
        if (m->g->nodes[n].attr.training)
            must_hold(m, m->s->nodes[n].saved, constant(n), "saved state at the end", n);
}

/* Sizes as the kernels would ask for them, here by chance; buffers that are not placed have none.
 */
static size_t place(struct machine *m, struct rng *r)
{
    bool ok;
    for (int i = 0; i < m->s->n_buffers; i++) {
        const struct buffer *b = &m->s->buffers[i];
        bool placed = b->kind == BUFFER_VALUE || b->kind == BUFFER_GRAD || b->kind == BUFFER_SAVED;
        m->extents[i] = (struct extent){
            .bytes = placed ? 8 * (1 + rng_below(r, 40)) : 0, .first = b->first, .last = b->last};
    }
    size_t total = memplan_place(m->extents, m->s->n_buffers, &ok);
    assert_true(ok);
    return total;
}

static void random_graphs_compute_the_right_gradients_in_little_memory(void **state)
{
    (void)state;
    for (uint32_t seed = 0; seed < GRAPHS; seed++) {
        struct rng r = rng_at(seed, RNG_NOISE, 1, 0, 0, 0);
        struct graph *g = random_graph(&r);
        struct schedule_can can = {
            .again = rng_below(&r, 2) ? 1u << OP_BATCHNORM | 1u << OP_RELU : 0,
            .add = rng_below(&r, 2) ? 1u << OP_CONV | 1u << OP_LINEAR | 1u << OP_RELU : 0,
            .linger = rng_below(&r, 2) ? 1u << OP_CONV | 1u << OP_BATCHNORM : 0};
        struct schedule *s = schedule_new(g, &can);
        assert_non_null(s);
        struct machine m = {.g = g, .s = s, .seed = seed};
        m.extents = calloc((size_t)s->n_buffers, sizeof *m.extents);
        m.arena = calloc(1, place(&m, &r));
        m.param_grad = calloc((size_t)g->n_values, sizeof *m.param_grad);
        expect(g, &m.x);
        for (int i = 0; i < g->n_values; i++)
            if (g->values[i].input)
                fill(&m, i, constant(i));
        for (int twice = 0; twice < 2; twice++) { /* inputs stay where they are */
            run_steps(&m);
            check_end(&m);
        }
        free(m.x.value);
        free(m.x.grad);
        free(m.x.has_grad);
        free(m.param_grad);
        free(m.arena);
        free(m.extents);
        schedule_free(s);
        graph_free(g);
    }
}

static const struct schedule_can can_nothing;

static int count_steps(const struct schedule *s, enum pass pass)
{
    int n = 0;
    for (int i = 0; i < s->n_steps; i++)
        n += s->steps[i].pass == pass;
    return n;
}

/* Linear evaluation inside a plan: behind a detached value nothing runs backward. */
static void nothing_is_computed_behind_a_detached_value(void **state)
{
    (void)state;
    struct graph *g = graph_new(DT_F32, true);
    int labels = graph_input(g, "labels", DT_I32, 1, (int64_t[]){2});
    int x = graph_input(g, "images", DT_F32, 4, (int64_t[]){2, 3, 8, 8});
    int r = graph_globalpool(
        g, graph_relu(g, graph_batchnorm(g, "bn", graph_conv(g, "conv", x, 4, 3, 1, 1, false))));
    int scores = graph_linear(g, "fc", graph_detach(g, r), 10);
    graph_xent(g, "loss", scores, labels, &(struct op_attr){.views = 1});
    struct schedule *s = schedule_new(g, &can_nothing);
    assert_int_equal(count_steps(s, PASS_BACKWARD), 2); /* loss and fc */
    assert_int_equal(s->nodes[4].din[0], -1);
    assert_true(s->nodes[4].din[1] >= 0);
    schedule_free(s);
    graph_free(g);
}

static void the_first_layer_has_no_gradient_of_the_images(void **state)
{
    (void)state;
    struct graph *g = graph_new(DT_F32, true);
    int labels = graph_input(g, "labels", DT_I32, 1, (int64_t[]){2});
    int x = graph_input(g, "images", DT_F32, 4, (int64_t[]){2, 3, 8, 8});
    int r = graph_globalpool(g, graph_conv(g, "conv", x, 4, 3, 1, 1, false));
    graph_xent(g, "loss", graph_linear(g, "fc", r, 10), labels, &(struct op_attr){.views = 1});
    struct schedule *s = schedule_new(g, &can_nothing);
    assert_true(s->nodes[0].backward);
    assert_int_equal(s->nodes[0].din[0], -1);
    assert_int_equal(s->buffers[s->nodes[0].din[1]].kind, BUFFER_PARAM_GRAD);
    schedule_free(s);
    graph_free(g);
}

/* x + f(x): the addition hands its gradient on; only the sum at x costs a step. */
static void additions_pass_their_gradient_on(void **state)
{
    (void)state;
    struct graph *g = graph_new(DT_F32, true);
    int labels = graph_input(g, "labels", DT_I32, 1, (int64_t[]){2});
    int images = graph_input(g, "images", DT_F32, 4, (int64_t[]){2, 3, 8, 8});
    int x = graph_conv(g, "conv1", images, 4, 3, 1, 1, false);
    int y = graph_add(g, graph_conv(g, "conv2", x, 4, 3, 1, 1, false), x);
    graph_xent(g, "loss", graph_linear(g, "fc", graph_globalpool(g, y), 10), labels,
               &(struct op_attr){.views = 1});
    struct schedule *s = schedule_new(g, &can_nothing);
    assert_false(s->nodes[2].backward);
    assert_int_equal(count_steps(s, PASS_BACKWARD), 5);
    assert_int_equal(count_steps(s, PASS_ACCUMULATE), 1);
    schedule_free(s);
    graph_free(g);
}

/* The same, where convolutions can add: no step at all. With two of them at x the second adds to
 * what the first wrote. But at y both of the addition's inputs share one gradient, which nobody may
 * add to. */
static void a_kernel_adds_to_a_gradient_that_is_there(void **state)
{
    (void)state;
    const struct schedule_can can = {.add = 1u << OP_CONV};
    struct graph *g = graph_new(DT_F32, true);
    int labels = graph_input(g, "labels", DT_I32, 1, (int64_t[]){2});
    int images = graph_input(g, "images", DT_F32, 4, (int64_t[]){2, 3, 8, 8});
    int x = graph_conv(g, "conv1", images, 4, 3, 1, 1, false);
    int y = graph_add(g, graph_conv(g, "conv2", x, 4, 3, 1, 1, false),
                      graph_conv(g, "conv3", x, 4, 3, 1, 1, false));
    int z = graph_add(g, y, graph_conv(g, "conv4", y, 4, 3, 1, 1, false));
    graph_xent(g, "loss", graph_linear(g, "fc", graph_globalpool(g, z), 10), labels,
               &(struct op_attr){.views = 1});
    struct schedule *s = schedule_new(g, &can);
    assert_int_equal(s->nodes[1].din[0], s->nodes[2].din[0]);
    assert_true(s->nodes[1].adds && !s->nodes[2].adds);
    assert_false(s->nodes[4].adds);
    assert_int_equal(count_steps(s, PASS_ACCUMULATE), 1); /* at y */
    schedule_free(s);
    graph_free(g);
}

/* Each until the next one begins, the last to the end; the others are done when they are done. */
static void lingering_steps_end_where_the_next_one_begins(void **state)
{
    (void)state;
    const struct schedule_can can = {.linger = 1u << OP_CONV};
    struct graph *g = graph_new(DT_F32, true);
    int labels = graph_input(g, "labels", DT_I32, 1, (int64_t[]){2});
    int x = graph_input(g, "images", DT_F32, 4, (int64_t[]){2, 3, 8, 8});
    x = graph_relu(g, graph_conv(g, "conv1", x, 4, 3, 1, 1, false));
    x = graph_relu(g, graph_conv(g, "conv2", x, 4, 3, 1, 1, false));
    graph_xent(g, "loss", graph_linear(g, "fc", graph_globalpool(g, x), 10), labels,
               &(struct op_attr){.views = 1});
    struct schedule *s = schedule_new(g, &can);
    int at[2], n = 0;
    for (int i = 0; i < s->n_steps; i++) {
        bool lingers =
            s->steps[i].pass == PASS_BACKWARD && g->nodes[s->steps[i].node].op == OP_CONV;
        if (lingers)
            at[n++] = i;
        else
            assert_int_equal(s->steps[i].until, i);
    }
    assert_int_equal(n, 2);
    assert_int_equal(s->steps[at[0]].until, at[1] - 1);
    assert_int_equal(s->steps[at[1]].until, s->n_steps - 1);
    int saved = s->nodes[s->steps[at[0]].node].saved;
    assert_int_equal(s->buffers[saved].last, at[1] - 1);
    schedule_free(s);
    graph_free(g);
}

static void evaluation_has_forward_steps_alone(void **state)
{
    (void)state;
    struct graph *g = graph_new(DT_F32, false);
    int x = graph_input(g, "images", DT_F32, 4, (int64_t[]){2, 3, 8, 8});
    for (int i = 0; i < 20; i++) {
        char name[16];
        snprintf(name, sizeof name, "conv%d", i);
        x = graph_conv(g, name, x, 3, 3, 1, 1, false);
    }
    graph_output(g, "y", x);
    struct schedule *s = schedule_new(g, &can_nothing);
    assert_int_equal(s->n_steps, 20);
    for (int i = 1; i < 19; i++) { /* a value lives until its one consumer has run */
        const struct buffer *b = &s->buffers[s->nodes[i].out];
        assert_int_equal(b->last - b->first, 1);
    }
    schedule_free(s);
    graph_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_graphs_compute_the_right_gradients_in_little_memory),
        cmocka_unit_test(nothing_is_computed_behind_a_detached_value),
        cmocka_unit_test(the_first_layer_has_no_gradient_of_the_images),
        cmocka_unit_test(additions_pass_their_gradient_on),
        cmocka_unit_test(a_kernel_adds_to_a_gradient_that_is_there),
        cmocka_unit_test(lingering_steps_end_where_the_next_one_begins),
        cmocka_unit_test(evaluation_has_forward_steps_alone),
    };
    return cmocka_run_group_tests_name("nn_schedule", tests, NULL, NULL);
}
