/*
 * An axis with ticks at 1, 2 or 5 times a power of ten. Its ends are ticks too, which makes the
 * range stay while values move within it.
 */
#ifndef SUPCON_TUI_AXIS_H
#define SUPCON_TUI_AXIS_H

#include <stdbool.h>
#include <stddef.h>

enum { AXIS_TICKS = 32 };

struct axis {
    bool log;
    double lo, hi; /* ends; logarithms (base 10) when log */
    int n;
    double tick[AXIS_TICKS]; /* values, ascending, never logarithms */
    double step;             /* between ticks; 0 when log */
};

/* Covers lo..hi (lo <= hi, finite; a single value gets room around it) with about max_ticks ticks.
 * log: values must be positive, otherwise the axis is linear. */
void axis_fit(struct axis *, double lo, double hi, int max_ticks, bool log);
/* 0 at the low end, 1 at the high end; not clamped; NaN where the value has no place. */
double axis_place(const struct axis *, double value);
/* Label of a tick, at most 9 characters. */
char *axis_label(const struct axis *, double tick, char *out, size_t size);

#endif
