/*
 * Stateless randomness: Philox4x32-10 (Salmon et al. 2011, Random123). Every draw is a pure
 * function of (seed; domain, op, view, sample, epoch, draw), so that loader threads, prefetch depth
 * and resuming cannot change the data. Counter: c0 draw, c1 domain << 24 | op << 8 | view, c2
 * sample, c3 epoch. Key: seed (low, high). Compiled by the C compiler and by nvcc from this one
 * header.
 */
#ifndef SUPCON_BASE_RNG_H
#define SUPCON_BASE_RNG_H

#include "base/hd.h"
#include <stdint.h>

enum rng_domain {
    RNG_INIT,    /* c2: element / 4, op: unused, c3: FNV-1a-32 of the parameter's name */
    RNG_SHUFFLE, /* c2: position, c3: epoch */
    RNG_AUGMENT, /* op: augmentation step, view, c2: sample index in data set order, c3: epoch */
    RNG_MIX,     /* c2: position in the global batch, c3: step */
    RNG_NOISE,
    RNG_CLUSTER,
    RNG_DROPOUT,
    RNG_SUBSET, /* validation split, limited labels */
    RNG_SHAPES, /* the built-in generated data set */
};

struct rng4 {
    uint32_t v[4];
};

/* One stream of draws: fill the fields, then call rng_u32() etc.; `draw` advances. */
struct rng {
    uint64_t seed;
    uint32_t where; /* domain << 24 | op << 8 | view */
    uint32_t sample, epoch;
    uint32_t draw; /* blocks of four consumed */
    uint32_t left; /* words left in block */
    struct rng4 block;
};

HD struct rng4 philox4x32_10(struct rng4 c, uint32_t k0, uint32_t k1)
{
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)0xD2511F53u * c.v[0], p1 = (uint64_t)0xCD9E8D57u * c.v[2];
        struct rng4 n = {{(uint32_t)(p1 >> 32) ^ c.v[1] ^ k0, (uint32_t)p1,
                          (uint32_t)(p0 >> 32) ^ c.v[3] ^ k1, (uint32_t)p0}};
        c = n;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    return c;
}

HD struct rng rng_at(uint64_t seed, enum rng_domain domain, uint32_t op, uint32_t view,
                     uint32_t sample, uint32_t epoch)
{
    struct rng r;
    r.seed = seed;
    r.where = (uint32_t)domain << 24 | (op & 0xFFFFu) << 8 | (view & 0xFFu);
    r.sample = sample;
    r.epoch = epoch;
    r.draw = 0;
    r.left = 0;
    return r;
}

HD uint32_t rng_u32(struct rng *r)
{
    if (r->left == 0) {
        struct rng4 c = {{r->draw++, r->where, r->sample, r->epoch}};
        r->block = philox4x32_10(c, (uint32_t)r->seed, (uint32_t)(r->seed >> 32));
        r->left = 4;
    }
    return r->block.v[4 - r->left--];
}

/* Uniform in [0, 1) with 24 bits. */
HD float rng_float(struct rng *r)
{
    return (float)(rng_u32(r) >> 8) * 0x1p-24f;
}

HD float rng_range(struct rng *r, float lo, float hi)
{
    return lo + (hi - lo) * rng_float(r);
}

/* Uniform in 0 .. n-1, n > 0; unbiased (multiply-high with rejection). */
HD uint32_t rng_below(struct rng *r, uint32_t n)
{
    uint64_t m = (uint64_t)rng_u32(r) * n;
    if ((uint32_t)m < n) {
        uint32_t floor = (0u - n) % n;
        while ((uint32_t)m < floor)
            m = (uint64_t)rng_u32(r) * n;
    }
    return (uint32_t)(m >> 32);
}

#endif
