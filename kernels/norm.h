/* What the two halves of batch-norm share: how a map is cut, and what lies in the workspace. */
#ifndef SUPCON_KERNELS_NORM_H
#define SUPCON_KERNELS_NORM_H

#include "kernels/columns.h"
#include "kernels/join.h"
#include "kernels/kernels.h"

static inline int64_t norm_rows(const struct k_map *m)
{
    return m->n * m->h * m->w;
}

static inline struct columns norm_columns(const struct k_map *m)
{
    return columns_of(norm_rows(m), m->cs / OCTET);
}

/* Octets are counted in 32 bits. */
static inline bool norm_fits(const struct k_map *m)
{
    return norm_rows(m) * (m->cs / OCTET) <= (int64_t)UINT32_MAX;
}

/* f32 [chunks][2][cs]: sums of the chunks; then [3][cs]: struct norm_gradient, field by field. */
static inline float *norm_partial(const struct k_norm *n)
{
    return static_cast<float *>(n->workspace);
}

static inline float *norm_gradients(const struct k_norm *n, const struct columns &c)
{
    return norm_partial(n) + (int64_t)c.chunks * 2 * n->map.cs;
}

#endif
