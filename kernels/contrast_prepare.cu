/*
 * The contrastive loss, see contrast.h: what comes before the two passes. z is copied as the tiles
 * read it, padded with zeros; memory is divided; and how a pass is launched.
 */
#include "kernels/contrast.h"

enum { PREPARE_THREADS = 256 };

#define LOG2E 1.4426950408889634

/* Eight elements of a row, stretched, zeros beyond it. */
__device__ inline void read_octet(const struct contrast &c, int row, int at, float v[8])
{
#pragma unroll
    for (int k = 0; k < 8; k++)
        v[k] = row < c.m && at + k < c.d ? c.stretch * c.z[(int64_t)row * c.d + at + k] : 0;
}

__device__ inline void write_f32(const struct contrast &c, int64_t octet, const float v[8])
{
    float4 *to = reinterpret_cast<float4 *>(c.copy) + 2 * octet;
    to[0] = make_float4(v[0], v[1], v[2], v[3]);
    to[1] = make_float4(v[4], v[5], v[6], v[7]);
}

__device__ inline void write_f16(const struct contrast &c, int64_t octet, const float v[8])
{
    uint4 pairs;
    pairs.x = f16_pair(v[0], v[1]);
    pairs.y = f16_pair(v[2], v[3]);
    pairs.z = f16_pair(v[4], v[5]);
    pairs.w = f16_pair(v[6], v[7]);
    reinterpret_cast<uint4 *>(c.copy)[octet] = pairs;
}

static __global__ void contrast_copy(struct contrast c, int method)
{
    grid_wait();
    int64_t octet = (int64_t)blockIdx.x * PREPARE_THREADS + threadIdx.x;
    int octets = c.cut.width / 8, row = (int)(octet / octets), at = (int)(octet % octets) * 8;
    float v[8];
    if (row >= c.cut.rows)
        return;
    read_octet(c, row, at, v);
    if (method == K_CONTRAST_F32)
        write_f32(c, octet, v);
    else
        write_f16(c, octet, v);
    if (at == 0)
        c.terms[row].group = row >= c.m ? -1 : c.simclr ? row % c.n : c.labels[row % c.n];
}

/* --- memory --- */

static void *carve(uintptr_t *at, size_t bytes)
{
    uintptr_t here = *at;
    *at += (bytes + 255) / 256 * 256;
    return reinterpret_cast<void *>(here);
}

static size_t place_saved(struct contrast *c, enum k_contrast_method method, void *base)
{
    uintptr_t at = reinterpret_cast<uintptr_t>(base);
    size_t rows = (size_t)c->cut.rows, elements = rows * (size_t)c->cut.width;
    c->terms = static_cast<struct contrast_term *>(carve(&at, rows * sizeof(*c->terms)));
    c->reach = static_cast<float *>(carve(&at, sizeof(float)));
    c->copy = static_cast<unsigned char *>(carve(&at, (size_t)contrast_element(method) * elements));
    return at - reinterpret_cast<uintptr_t>(base);
}

/* The results of the two passes are never there at once and share their place. */
static size_t place_workspace(struct contrast *c, void *base)
{
    uintptr_t forward = reinterpret_cast<uintptr_t>(base), backward = forward;
    size_t rows = (size_t)c->cut.rows, spans = (size_t)c->cut.spans;
    size_t width = (size_t)c->cut.width, found = 4 * sizeof(double);
    c->seen = static_cast<struct contrast_seen *>(carve(&forward, spans * rows * sizeof(*c->seen)));
    c->row_loss = static_cast<double *>(carve(&forward, (size_t)c->cut.row_blocks * found));
    c->partial = static_cast<float *>(carve(&backward, spans * rows * width * sizeof(float)));
    return (forward > backward ? forward : backward) - reinterpret_cast<uintptr_t>(base);
}

struct contrast contrast_of(const struct k_contrast *k, int blocks)
{
    struct contrast c = {};
    int64_t m = k->n * k->views;
    c.cut = contrast_cut_of(m, k->d, blocks);
    c.m = (int)m;
    c.n = (int)k->n;
    c.d = k->d;
    c.anchors = k->anchors_one ? c.n : c.m;
    double stretch = sqrt(LOG2E / (double)k->temperature);
    c.weight_bits = k->method == K_CONTRAST_F32 ? 0 : CONTRAST_WEIGHT_BITS;
    c.stretch = (float)stretch;
    c.loss_factor = (double)k->scale / c.anchors;
    c.gradient_factor = (float)((double)k->scale / (double)k->temperature / c.anchors /
                                ldexp(stretch, c.weight_bits));
    c.simclr = k->simclr;
    c.z = k->z;
    c.labels = k->labels;
    c.stats = k->stats;
    c.dz = k->dz;
    (void)place_saved(&c, k->method, k->saved);
    (void)place_workspace(&c, k->workspace);
    return c;
}

size_t k_contrast_saved(const struct k_contrast *k)
{
    struct contrast c = contrast_of(k, CONTRAST_PULL_BLOCKS);
    return place_saved(&c, k->method, nullptr);
}

size_t k_contrast_workspace(const struct k_contrast *k)
{
    struct contrast look = contrast_of(k, contrast_look_blocks(k->method, k->d <= CONTRAST_CHUNK));
    struct contrast pull = contrast_of(k, CONTRAST_PULL_BLOCKS);
    size_t forward = place_workspace(&look, nullptr);
    size_t backward = place_workspace(&pull, nullptr);
    return forward > backward ? forward : backward;
}

/* --- launches --- */

int contrast_prepare(struct CUstream_st *stream, const struct contrast *c,
                     const struct k_contrast *k)
{
    int64_t octets = (int64_t)c->cut.rows * c->cut.width / 8;
    if (k->n < 1 || k->n * k->views > 1 << 24)
        return cudaErrorInvalidValue;
    return LAUNCH(contrast_copy, (unsigned)ceil_div(octets, PREPARE_THREADS), PREPARE_THREADS, 0,
                  stream, *c, (int)k->method);
}

int contrast_walk(struct CUstream_st *stream, const struct contrast *c,
                  const struct contrast_pass passes[K_CONTRAST_N][2], enum k_contrast_method method,
                  int depth)
{
    const struct contrast_pass *pass = &passes[method][c->cut.chunks == 1];
    int rc = cudaFuncSetAttribute(reinterpret_cast<const void *>(pass->kernel),
                                  cudaFuncAttributeMaxDynamicSharedMemorySize, pass->shared_bytes);
    if (rc)
        return rc;
    dim3 grid((unsigned)c->cut.row_blocks, (unsigned)c->cut.spans, (unsigned)depth);
    return LAUNCH(pass->kernel, grid, CONTRAST_THREADS, (size_t)pass->shared_bytes, stream, *c);
}
