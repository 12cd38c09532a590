/*
 * Optimizer rules (optim/rules.h) over flat f32 memory. Bytes per parameter: sgd 20 (w and momentum
 * read and written, gradient read), rmsprop 28. Nothing is written where *held is not zero.
 *
 * Launch: a grid-stride loop, a float4 of each array at a time. A range of the store may begin at
 * any element; if all arrays are off a multiple of 16 bytes by as much, the first elements and the
 * last are done one by one.
 */
#include "kernels/kernels.h"

#include "kernels/grid.h"
#include "kernels/launch.h"
#include "optim/rules.h"

enum { QUAD = 4 };

template <int RULE>
__device__ inline void apply(const struct optim_hyper *h, const struct k_update &u, int64_t i)
{
    if (RULE == K_RULE_SGD)
        rule_sgd(h, &u.w[i], u.g[i], &u.slot[0][i]);
    else
        rule_rmsprop(h, &u.w[i], u.g[i], &u.slot[0][i], &u.slot[1][i]);
}

__device__ inline void quad_load(const float *p, int64_t i, float v[QUAD])
{
    float4 q = *reinterpret_cast<const float4 *>(p + i);
    v[0] = q.x;
    v[1] = q.y;
    v[2] = q.z;
    v[3] = q.w;
}

__device__ inline void quad_store(float *p, int64_t i, const float v[QUAD])
{
    *reinterpret_cast<float4 *>(p + i) = make_float4(v[0], v[1], v[2], v[3]);
}

/* Elements i .. i + 3. */
template <int RULE>
__device__ inline void apply_quad(const struct optim_hyper *h, const struct k_update &u, int64_t i)
{
    float w[QUAD], g[QUAD], v[QUAD], s[QUAD] = {0};
    quad_load(u.w, i, w);
    quad_load(u.g, i, g);
    quad_load(u.slot[0], i, v);
    if (RULE == K_RULE_RMSPROP)
        quad_load(u.slot[1], i, s);
    for (int k = 0; k < QUAD; k++)
        if (RULE == K_RULE_SGD)
            rule_sgd(h, &w[k], g[k], &v[k]);
        else
            rule_rmsprop(h, &w[k], g[k], &v[k], &s[k]);
    quad_store(u.w, i, w);
    quad_store(u.slot[0], i, v);
    if (RULE == K_RULE_RMSPROP)
        quad_store(u.slot[1], i, s);
}

/* head: elements before the first quad. */
template <int RULE> __global__ void __launch_bounds__(BLOCK) update(struct k_update u, int64_t head)
{
    grid_wait();
    int64_t first = (int64_t)blockIdx.x * BLOCK + threadIdx.x, all = (int64_t)gridDim.x * BLOCK;
    int64_t quads = (u.n - head) / QUAD;
    if (u.held && *u.held)
        return;
    const struct optim_hyper h = *static_cast<const struct optim_hyper *>(u.hyper);
    for (int64_t q = first; q < quads; q += all)
        apply_quad<RULE>(&h, u, head + q * QUAD);
    for (int64_t i = first; i < head; i += all)
        apply<RULE>(&h, u, i);
    for (int64_t i = head + quads * QUAD + first; i < u.n; i += all)
        apply<RULE>(&h, u, i);
}

static int offset_of(const float *p)
{
    return (int)((uintptr_t)p / sizeof(float) % QUAD);
}

/* Elements before all arrays reach a multiple of 16 bytes; all of them if they never do together.
 */
static int64_t head_of(const struct k_update *u)
{
    int offset = offset_of(u->w), head = (QUAD - offset) % QUAD;
    for (int i = 0; i < 2; i++)
        if (u->slot[i] && offset_of(u->slot[i]) != offset)
            return u->n;
    return offset_of(u->g) != offset || head > u->n ? u->n : head;
}

int k_update(struct CUstream_st *stream, const struct k_update *u)
{
    unsigned blocks = stride_blocks(ceil_div(u->n, QUAD), BLOCK, FULL_GRID);
    if (u->rule == K_RULE_SGD)
        return LAUNCH(update<K_RULE_SGD>, blocks, BLOCK, 0, stream, *u, head_of(u));
    if (u->rule == K_RULE_RMSPROP)
        return LAUNCH(update<K_RULE_RMSPROP>, blocks, BLOCK, 0, stream, *u, head_of(u));
    return (int)cudaErrorInvalidValue;
}
