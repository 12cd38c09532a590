/*
 * Where buffers go in one arena: two that are needed at the same time never overlap. Pure
 * arithmetic on sizes and lifetimes.
 */
#ifndef SUPCON_NN_MEMPLAN_H
#define SUPCON_NN_MEMPLAN_H

#include <stdbool.h>
#include <stddef.h>

enum { MEMPLAN_ALIGN = 64 };

struct extent {
    size_t bytes, offset; /* offset is the result, a multiple of MEMPLAN_ALIGN */
    int first, last;      /* steps, both inclusive */
};

/* Sets the offsets: largest first, each into the tightest gap between those placed already that
 * live at the same time. Returns the bytes of the arena; 0 with *ok false when out of memory. */
size_t memplan_place(struct extent *, int n, bool *ok);

/* The invariant: does every extent lie within `total`, aligned, and apart from all that live at the
 * same time? If not, *a and *b are the offenders (*b = -1: *a is misplaced by itself). */
bool memplan_check(const struct extent *, int n, size_t total, int *a, int *b);

/* The most bytes alive at any one step: no plan can do with less. */
size_t memplan_floor(const struct extent *, int n);

#endif
