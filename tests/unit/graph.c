/* Graphs: shapes and names, failures that stick, and fusion. */
#include "nn/fuse.h"
#include "nn/graph.h"
#include "tests/unit/fake_device.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static const int64_t images[] = {4, 3, 32, 32}, labels[] = {2};

static void expect_failure(struct graph *g, const char *a, const char *b)
{
    struct err e = {0};
    assert_int_equal(graph_finish(g, &e), -1);
    if (!strstr(e.msg, a) || !strstr(e.msg, b))
        fail_msg("\"%s\" lacks \"%s\" or \"%s\"", e.msg, a, b);
    graph_free(g);
}

static void expect_shape(const struct graph *g, int value, int ndim, const int64_t *dim)
{
    char a[SHAPE_TEXT], b[SHAPE_TEXT];
    assert_string_equal(shape_text(a, g->values[value].ndim, g->values[value].dim),
                        shape_text(b, ndim, dim));
}

static void shapes_follow_the_ops(void **state)
{
    (void)state;
    struct err e = {0};
    struct graph *g = graph_new(DT_BF16, true);
    int x = graph_conv(g, "conv1", graph_input(g, "images", DT_BF16, 4, images), 64, 7, 2, 3, true);
    expect_shape(g, x, 4, (int64_t[]){4, 64, 16, 16});
    x = graph_maxpool(g, graph_relu(g, graph_batchnorm(g, "bn1", x)), 3, 2, 1);
    expect_shape(g, x, 4, (int64_t[]){4, 64, 8, 8});
    assert_int_equal(g->values[x].dtype, DT_BF16);
    x = graph_globalpool(g, graph_avgpool(g, x, 3, 2, 0));
    expect_shape(g, x, 2, (int64_t[]){4, 64});
    assert_int_equal(g->values[x].dtype, DT_F32);
    int z = graph_l2norm(g, graph_linear(g, "projection.0", x, 16));
    int y = graph_input(g, "labels", DT_I32, 1, labels);
    graph_contrastive(g, "loss", z, y, &(struct op_attr){.views = 2, .temperature = 1, .scale = 1});
    assert_int_equal(graph_finish(g, &e), 0);
    assert_int_equal(g->n_params, 2 + 4 + 2);
    assert_string_equal(g->nodes[2].name, "bn1.relu");
    assert_string_equal(g->nodes[3].name, "bn1.maxpool");
    assert_int_equal(node_flops(g, &g->nodes[0]), 2LL * 4 * 16 * 16 * 64 * 3 * 7 * 7);
    assert_int_equal(node_params(g, &g->nodes[1]), 128); /* statistics are not trained */
    graph_free(g);
}

static void the_first_failure_sticks(void **state)
{
    (void)state;
    struct graph *g = graph_new(DT_F32, true);
    int x = graph_input(g, "images", DT_F32, 4, images);
    int bad = graph_add(g, x, graph_conv(g, "narrow", x, 3, 3, 2, 1, false));
    assert_int_equal(bad, -1);
    assert_int_equal(graph_linear(g, "fc", graph_globalpool(g, graph_relu(g, bad)), 10), -1);
    expect_failure(g, "[4,3,32,32]", "[4,3,16,16]");
}

static void wrong_shapes_name_node_and_shape(void **state)
{
    (void)state;
    struct graph *g = graph_new(DT_F32, true);
    graph_linear(g, "fc", graph_input(g, "images", DT_F32, 4, images), 10);
    expect_failure(g, "fc: ", "[4,3,32,32]");

    g = graph_new(DT_F32, true);
    graph_conv(g, "conv9", graph_input(g, "images", DT_F32, 4, images), 8, 64, 1, 0, false);
    expect_failure(g, "conv9: ", "too small");

    g = graph_new(DT_F32, true);
    int s = graph_input(g, "scores", DT_F32, 2, (int64_t[]){6, 10});
    graph_xent(g, "loss", s, graph_input(g, "labels", DT_I32, 1, labels),
               &(struct op_attr){.views = 2});
    expect_failure(g, "loss: ", "6 rows in 2 views need 3 labels");

    g = graph_new(DT_F32, true);
    s = graph_input(g, "z", DT_F32, 2, (int64_t[]){4, 10});
    graph_contrastive(g, "loss", s, graph_input(g, "labels", DT_I32, 1, labels),
                      &(struct op_attr){.views = 2, .temperature = 0, .scale = 1});
    expect_failure(g, "loss: ", "temperature 0");
}

static void parameters_are_shared_by_name(void **state)
{
    (void)state;
    struct err e = {0};
    struct graph *g = graph_new(DT_F32, true);
    int x = graph_input(g, "x", DT_F32, 2, (int64_t[]){4, 8});
    int a = graph_linear(g, "fc", x, 8), b = graph_linear(g, "fc", a, 8);
    assert_int_equal(g->n_params, 2);
    assert_int_equal(graph_finish(g, &e), 0);
    graph_linear(g, "fc", b, 9);
    expect_failure(g, "fc.weight", "[9,8]");
}

static void names_of_inputs_and_outputs_are_unique(void **state)
{
    (void)state;
    struct graph *g = graph_new(DT_F32, false);
    int x = graph_input(g, "x", DT_F32, 2, (int64_t[]){4, 8});
    graph_output(g, "x", graph_linear(g, "fc", x, 8));
    expect_failure(g, "x", "two inputs or outputs");
    g = graph_new(DT_F32, false);
    graph_output(g, "y", graph_input(g, "x", DT_F32, 2, (int64_t[]){4, 8}));
    expect_failure(g, "y", "cannot be an output");
}

/* relu(bn(conv(x)) + skip), the other operand first if `swapped`; returns the end. */
static int block(struct graph *g, int x, bool swapped)
{
    int y = graph_batchnorm(g, "bn", graph_conv(g, "conv", x, 3, 3, 1, 1, false));
    return graph_relu(g, swapped ? graph_add(g, x, y) : graph_add(g, y, x));
}

static struct graph *block_graph(bool swapped, int *end)
{
    struct graph *g = graph_new(DT_F32, true);
    *end = block(g, graph_input(g, "images", DT_F32, 4, images), swapped);
    return g;
}

static void fuse_with(struct graph *g, unsigned fusions)
{
    struct device dev = {.class = &fake_backend, .impl = &fusions};
    graph_fuse(g, &dev);
    for (int i = 0; i < g->n_nodes; i++) {
        assert_int_equal(g->values[g->nodes[i].out].node, i);
        for (int j = 0; j < g->nodes[i].n_in; j++) {
            const struct value *v = &g->values[graph_root(g, g->nodes[i].in[j])];
            assert_true(v->input || v->param >= 0 || (v->node >= 0 && v->node < i));
        }
    }
}

static void block_ends_become_one_node(void **state)
{
    (void)state;
    for (int swapped = 0; swapped < 2; swapped++) {
        int end;
        struct graph *g = block_graph(swapped, &end);
        fuse_with(g, 1u << FUSE_BN_ADD_RELU | 1u << FUSE_BN_RELU | 1u << FUSE_ADD_RELU);
        assert_int_equal(g->n_nodes, 2);
        const struct node *n = &g->nodes[1];
        assert_int_equal(n->op, OP_BATCHNORM);
        assert_true(n->attr.relu);
        assert_int_equal(n->n_in, 6);
        assert_true(g->values[n->in[5]].input);
        assert_int_equal(n->out, end);
        graph_free(g);
    }
}

static void only_what_the_device_can_is_fused(void **state)
{
    (void)state;
    int end;
    struct graph *g = block_graph(false, &end);
    fuse_with(g, 0);
    assert_int_equal(g->n_nodes, 4);
    fuse_with(g, 1u << FUSE_ADD_RELU);
    assert_int_equal(g->n_nodes, 3);
    assert_int_equal(g->nodes[2].op, OP_ADD);
    assert_true(g->nodes[2].attr.relu);
    graph_free(g);
}

/* A value that somebody else sees must stay: a second consumer, an output, an alias. */
static void values_seen_elsewhere_are_not_fused_away(void **state)
{
    (void)state;
    for (int how = 0; how < 3; how++) {
        struct graph *g = graph_new(DT_F32, true);
        int x = graph_input(g, "x", DT_F32, 2, (int64_t[]){4, 8});
        int a = graph_linear(g, "fc", x, 8);
        graph_relu(g, a);
        if (how == 0)
            graph_l2norm(g, a);
        if (how == 1)
            graph_output(g, "seen", a);
        if (how == 2)
            graph_l2norm(g, graph_detach(g, a));
        int before = g->n_nodes;
        fuse_with(g, ~0u);
        assert_int_equal(g->n_nodes, before);
        graph_free(g);
    }
}

static void copies_are_independent(void **state)
{
    (void)state;
    int end;
    struct graph *g = block_graph(false, &end), *copy = graph_copy(g);
    fuse_with(copy, ~0u);
    assert_int_equal(g->n_nodes, 4);
    int more = graph_relu(copy, end); /* and can grow */
    assert_true(more >= 0);
    graph_free(g);
    graph_free(copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shapes_follow_the_ops),
        cmocka_unit_test(the_first_failure_sticks),
        cmocka_unit_test(wrong_shapes_name_node_and_shape),
        cmocka_unit_test(parameters_are_shared_by_name),
        cmocka_unit_test(names_of_inputs_and_outputs_are_unique),
        cmocka_unit_test(block_ends_become_one_node),
        cmocka_unit_test(only_what_the_device_can_is_fused),
        cmocka_unit_test(values_seen_elsewhere_are_not_fused_away),
        cmocka_unit_test(copies_are_independent),
    };
    return cmocka_run_group_tests_name("graph", tests, NULL, NULL);
}
