/*
 * Before anything is compared with the references, they are compared with themselves: each backward
 * pass against central differences of the forward pass, for every case of the table. The step of
 * 1e-5 leaves 1e-9 of truncation and 1e-10 of rounding; kinks nearer than that are not in the
 * table.
 */
#include "op_test.h"
#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <setjmp.h>
#include <cmocka.h>

/* The scalar whose gradient backward() gives: the loss, or the output weighted by its gradient. */
static double objective(const struct op_case *c, struct ref_call *r)
{
    double sum = 0;
    ref_classes[c->op]->forward(r);
    if (!r->out.d)
        return r->out.v[STAT_LOSS];
    for (int64_t i = 0; i < r->out.count; i++)
        sum += r->out.v[i] * r->out.d[i];
    return sum;
}

static void check_input(const struct op_case *c, struct ref_call *r, struct ref_tensor *t)
{
    double step = 1e-5, scale = 1e-3;
    int64_t stride = t->count / 4 + 1;
    for (int64_t i = 0; i < t->count; i++)
        scale = fmax(scale, fabs(t->d[i]));
    for (int64_t i = stride / 2; i < t->count; i += stride) {
        double kept = t->v[i];
        t->v[i] = kept + step;
        double above = objective(c, r);
        t->v[i] = kept - step;
        double slope = (above - objective(c, r)) / (2 * step);
        t->v[i] = kept;
        if (!(fabs(slope - t->d[i]) < 1e-4 * scale))
            fail_msg("%s: gradient %g, difference %g at %d", c->what, t->d[i], slope, (int)i);
    }
}

/* A row of zeros is a corner of x / max(|x|, 1e-12): no difference to compare with. */
static bool has_corner(const struct op_case *c)
{
    return c->op == OP_L2NORM && c->extra;
}

static void backward_passes_are_the_slopes_of_forward_passes(void **state)
{
    (void)state;
    for (const struct op_case *c = op_cases; c < op_cases + n_op_cases; c++) {
        struct ref_call r;
        if (c->forward_only || has_corner(c))
            continue;
        case_build(c, &r);
        for (int i = 0; i < r.n_in; i++)
            if (r.in[i].d)
                check_input(c, &r, &r.in[i]);
        case_free(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(backward_passes_are_the_slopes_of_forward_passes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
