/*
 * Loops over whole activations, element by element, whatever their layout (all tensors of a call
 * share one): y = a (+ b), ReLU; and y = mask * a.
 */
#ifndef SUPCON_BACKEND_CPU_ELEMENTWISE_H
#define SUPCON_BACKEND_CPU_ELEMENTWISE_H

#include "backend/cpu/memory.h"
#include "backend/cpu/simd.h"

struct elementwise {
    const struct simd *simd;
    int64_t count;
    int bf16;
    const void *a, *b; /* b may be NULL */
    void *y;
    uint16_t *mask; /* may be NULL; one bit per element */
    bool relu;
};

/* For tensors like t; pointers are left NULL. */
struct elementwise elementwise_of(const struct device *, const struct tensor *t);
void elementwise_add(const struct device *, struct elementwise *);
void elementwise_gate(const struct device *, struct elementwise *);

#endif
