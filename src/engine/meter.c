/* Rates: see meter.h. */
#include "engine/meter.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void meter_step(struct meter *m, int64_t now_usec, double step_ms)
{
    double ms = m->last_usec ? (double)(now_usec - m->last_usec) / 1e3 : step_ms;
    m->ms[m->next] = ms;
    m->next = (m->next + 1) % METER_STEPS;
    m->n += m->n < METER_STEPS;
    m->last_usec = now_usec;
}

void meter_break(struct meter *m)
{
    m->last_usec = 0;
}

void meter_reset(struct meter *m)
{
    memset(m, 0, sizeof *m);
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double meter_ms(const struct meter *m)
{
    double sorted[METER_STEPS];
    if (m->n == 0)
        return NAN;
    memcpy(sorted, m->ms, sizeof sorted);
    qsort(sorted, (size_t)m->n, sizeof *sorted, by_size);
    return sorted[m->n / 2];
}

double meter_rate(const struct meter *m, int64_t per_step)
{
    double ms = meter_ms(m);
    return ms > 0 ? (double)per_step * 1e3 / ms : NAN;
}

double meter_left(const struct meter *m, int64_t steps)
{
    return meter_ms(m) * (double)steps / 1e3;
}
