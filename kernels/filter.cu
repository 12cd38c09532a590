/*
 * Filters between the layouts of parameters and of convolutions: f32 [K,C,R,S] -> [Ks,R,S,Cs] in
 * the type of the activations, channels padded with zeros; and gradients back. All layers of a
 * network in one launch, since most are small. With its filter a layer's sums become zero.
 *
 * A block brings the taps of some channels of one k through shared memory, so that both sides are
 * consecutive. Bytes per element: 4 + E. Grid: for each filter its tiles of channels times k.
 */
#include "kernels/kernels.h"

#include "kernels/jobs.h"
#include "kernels/launch.h"
#include "kernels/layout_math.h"
#include "kernels/octet.h"

typedef jobs<k_filter_job> filter_jobs;

static_assert(sizeof(filter_jobs) <= 4096, "parameters of a launch");

/* What a block has of its filter. */
struct filter_place {
    int k, first, tile, taps; /* first: channel; tile: channels of it */
};

HD int filter_tiles(const struct k_filter &f, int channels)
{
    return (int)ceil_div(channels, filter_channels(f.r * f.s, f.cs));
}

__device__ inline struct filter_place filter_place_of(const struct k_filter &f, int channels,
                                                      int block)
{
    int tiles = filter_tiles(f, channels), tile = filter_channels(f.r * f.s, f.cs);
    struct filter_place p = {block / tiles, block % tiles * tile, tile, f.r * f.s};
    return p;
}

template <class T>
__device__ inline void pack(const struct k_filter &f, const struct filter_place &p,
                            const float *taps, void *packed)
{
    for (int i = threadIdx.x; i < p.tile * p.taps; i += BLOCK) {
        int ch = i % p.tile, tap = i / p.tile;
        if (p.first + ch < f.cs)
            element_write(static_cast<T *>(packed),
                          ((int64_t)p.k * p.taps + tap) * f.cs + p.first + ch,
                          taps[ch * p.taps + tap]);
    }
}

__global__ void __launch_bounds__(BLOCK) filter_pack(const IN_PLACE filter_jobs all)
{
    grid_wait();
    SHARED(float, taps);
    const int number = job_of(all, blockIdx.x);
    const struct k_filter_job &job = all.job[number];
    const struct k_filter &f = job.filter;
    struct filter_place p = filter_place_of(f, f.cs, (int)(blockIdx.x - all.first[number]));
    int left = p.k < f.k ? f.c - p.first : 0, real = left < 0 ? 0 : left < p.tile ? left : p.tile;
    const float *from =
        static_cast<const float *>(job.from) + ((int64_t)p.k * f.c + p.first) * p.taps;
    for (int i = threadIdx.x; i < p.tile * p.taps; i += BLOCK)
        taps[i] = i < real * p.taps ? from[i] : 0;
    __syncthreads();
    for (int i = threadIdx.x; blockIdx.x == all.first[number] && i < job.n_zero; i += BLOCK)
        job.zero[i] = 0;
    if (f.bf16)
        pack<bfloat16>(f, p, taps, job.to);
    else
        pack<float>(f, p, taps, job.to);
}

template <class T>
__device__ inline void gather_taps(const struct k_filter &f, const struct filter_place &p,
                                   const void *packed, int real, float *taps)
{
    for (int i = threadIdx.x; i < p.tile * p.taps; i += BLOCK) {
        int ch = i % p.tile, tap = i / p.tile;
        if (ch < real)
            taps[ch * p.taps + tap] =
                element_read(static_cast<const T *>(packed),
                             ((int64_t)p.k * p.taps + tap) * f.cs + p.first + ch);
    }
}

__global__ void __launch_bounds__(BLOCK) filter_unpack(const IN_PLACE filter_jobs all)
{
    grid_wait();
    SHARED(float, taps);
    const int number = job_of(all, blockIdx.x);
    const struct k_filter_job &job = all.job[number];
    const struct k_filter &f = job.filter;
    struct filter_place p = filter_place_of(f, f.c, (int)(blockIdx.x - all.first[number]));
    int real = f.c - p.first < p.tile ? f.c - p.first : p.tile;
    if (f.bf16)
        gather_taps<bfloat16>(f, p, job.from, real, taps);
    else
        gather_taps<float>(f, p, job.from, real, taps);
    __syncthreads();
    float *to = static_cast<float *>(job.to) + ((int64_t)p.k * f.c + p.first) * p.taps;
    for (int i = threadIdx.x; i < real * p.taps; i += BLOCK)
        to[i] = taps[i];
}

/* --- launches --- */

/* Shared memory of the largest tile; -1: a filter is too large for one. */
static int64_t largest_tile(const struct k_filter_job *job, int n)
{
    int64_t most = 0;
    for (int i = 0; i < n; i++) {
        int taps = job[i].filter.r * job[i].filter.s;
        int64_t bytes =
            (int64_t)filter_channels(taps, job[i].filter.cs) * taps * (int64_t)sizeof(float);
        if (taps > FILTER_TAPS_MAX)
            return -1;
        most = bytes > most ? bytes : most;
    }
    return most;
}

static unsigned pack_blocks(const struct k_filter_job &j)
{
    return (unsigned)(filter_tiles(j.filter, j.filter.cs) * j.filter.ks);
}

static unsigned unpack_blocks(const struct k_filter_job &j)
{
    return (unsigned)(filter_tiles(j.filter, j.filter.c) * j.filter.k);
}

template <class BLOCKS>
static int launch_all(struct CUstream_st *stream, void (*kernel)(const filter_jobs),
                      const struct k_filter_job *job, int n, BLOCKS blocks)
{
    int64_t shared = largest_tile(job, n);
    int failed = shared < 0 ? (int)cudaErrorInvalidValue : 0;
    for (int done = 0; done < n && !failed;) {
        filter_jobs all;
        done += jobs_take(&all, job + done, n - done, blocks);
        failed = LAUNCH(kernel, all.first[all.n], BLOCK, (size_t)shared, stream, all);
    }
    return failed;
}

int k_pack_filters(struct CUstream_st *stream, const struct k_filter_job *job, int n)
{
    return launch_all(stream, filter_pack, job, n, pack_blocks);
}

int k_unpack_filters(struct CUstream_st *stream, const struct k_filter_job *job, int n)
{
    return launch_all(stream, filter_unpack, job, n, unpack_blocks);
}
