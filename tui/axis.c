/* Ticks; see axis.h. */
#include "tui/axis.h"

#include <math.h>
#include <stdio.h>

static const double LIMIT = 1e300; /* spans stay finite */

/* Smallest of 1, 2, 5 times a power of ten that is not less than x. */
static double nice_step(double x)
{
    double power = pow(10, floor(log10(x)));
    double digit = x / power;
    return power * (digit <= 1.0000001 ? 1 : digit <= 2.0000001 ? 2 : digit <= 5.0000001 ? 5 : 10);
}

static void fit_linear(struct axis *a, double lo, double hi, int max_ticks)
{
    if (!(hi - lo > fmax(fabs(hi) * 1e-9, 1e-280))) {
        double room = fabs(hi) < 1e-280 ? 1 : fabs(hi) * .05;
        lo -= room;
        hi += room;
    }
    int parts = max_ticks > 2 ? max_ticks - 1 : 1;
    double step = nice_step((hi - lo) / parts), first, last;
    for (;; step = nice_step(step * 1.5)) { /* rounding outwards may have made one tick too many */
        first = floor(lo / step + 1e-6);
        last = ceil(hi / step - 1e-6);
        if (last - first <= parts || parts == 1)
            break;
    }
    a->lo = first * step;
    a->hi = last * step;
    a->step = step;
    for (a->n = 0; a->n < AXIS_TICKS && first + a->n <= last; a->n++)
        a->tick[a->n] = (first + a->n) * step;
}

/* Whole decades; between few of them also their doubles and fives. */
static void fit_log(struct axis *a, double lo, double hi, int max_ticks)
{
    static const double fine[] = {1, 2, 5};
    double first = floor(log10(lo) + 1e-9), last = ceil(log10(hi) - 1e-9);
    if (last <= first)
        last = first + 1;
    int decades = (int)(last - first), n_fine = decades * 3 <= max_ticks ? 3 : 1;
    int stride = n_fine == 3 ? 1 : (decades + max_ticks - 2) / (max_ticks > 1 ? max_ticks - 1 : 1);
    a->log = true;
    a->lo = first;
    a->hi = last;
    for (int d = 0; d < decades; d += stride)
        for (int i = 0; i < n_fine && a->n < AXIS_TICKS - 1; i++)
            a->tick[a->n++] = fine[i] * pow(10, first + d);
    a->tick[a->n++] = pow(10, last);
}

void axis_fit(struct axis *a, double lo, double hi, int max_ticks, bool log)
{
    *a = (struct axis){0};
    if (max_ticks > AXIS_TICKS - 2)
        max_ticks = AXIS_TICKS - 2;
    if (log && lo > 0) {
        fit_log(a, lo, hi, max_ticks < 2 ? 2 : max_ticks);
        return;
    }
    fit_linear(a, fmax(lo, -LIMIT), fmin(hi, LIMIT), max_ticks);
}

double axis_place(const struct axis *a, double value)
{
    if (a->log)
        value = value > 0 ? log10(value) : NAN;
    return (value - a->lo) / (a->hi - a->lo);
}

char *axis_label(const struct axis *a, double tick, char *out, size_t size)
{
    double largest = fmax(fabs(a->tick[0]), fabs(a->tick[a->n - 1]));
    if (a->log)
        snprintf(out, size, tick >= 1e5 || tick < 1e-3 ? "%.0e" : "%.7g", tick);
    else if (largest >= 1e7 || largest < 1e-3)
        snprintf(out, size, "%.1e", tick);
    else
        snprintf(out, size, "%.*f", a->step < 1 ? (int)fmin(5, ceil(-log10(a->step) - 1e-9)) : 0,
                 tick);
    return out;
}
