/* Whole activations through the loops of simd.h, in fixed chunks; see elementwise.h. */
#include "backend/cpu/elementwise.h"

enum { CHUNK = 1 << 14 }; /* a multiple of the lanes, so that chunks share no word of the mask */

struct elementwise elementwise_of(const struct device *dev, const struct tensor *t)
{
    return (struct elementwise){
        .simd = cpu_of(dev)->simd, .count = stored_count(t), .bf16 = t->dtype == DT_BF16};
}

static const char *at(const struct elementwise *x, const void *p, int64_t i)
{
    return p ? (const char *)p + i * (x->bf16 ? 2 : 4) : NULL;
}

static void add_chunk(void *ctx, int64_t begin, int64_t end)
{
    const struct elementwise *x = ctx;
    x->simd->add[x->bf16](at(x, x->a, begin), at(x, x->b, begin), (char *)at(x, x->y, begin),
                          x->mask ? x->mask + begin / LANES : NULL, x->relu, end - begin);
}

static void gate_chunk(void *ctx, int64_t begin, int64_t end)
{
    const struct elementwise *x = ctx;
    x->simd->gate[x->bf16](at(x, x->a, begin), x->mask ? x->mask + begin / LANES : NULL,
                           (char *)at(x, x->y, begin), end - begin);
}

void elementwise_add(const struct device *dev, struct elementwise *x)
{
    cpu_chunks(dev, x->count, CHUNK, add_chunk, x);
}

void elementwise_gate(const struct device *dev, struct elementwise *x)
{
    cpu_chunks(dev, x->count, CHUNK, gate_chunk, x);
}
