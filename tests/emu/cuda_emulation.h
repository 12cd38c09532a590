/*
 * CUDA C for the CPU: kernels/ compiled by g++ (-DSUPCON_CUDA_EMULATION) instead of nvcc. The
 * threads of a block take turns as fibers; barriers and warp operations are the points where they
 * change. Shared memory is filled with NaN before every block, as is fresh device memory.
 *
 * A launch fails with cudaErrorLaunchFailure, and says the kernel's name and the places on stderr,
 * when threads of a block wait at different barriers, or some wait while others have returned; when
 * lanes of a warp meet in different operations; when a thread returns, meets others or copies
 * without having waited for the kernels before (grid_wait(), kernels/launch.h), or waits twice;
 * when a block is too large or wants more shared memory than was asked for. Addresses out of bounds
 * are AddressSanitizer's to find.
 *
 * SUPCON_EMULATION_SEED=N (not 0) runs blocks, and threads between two barriers, in an order drawn
 * from N instead of their numbers': what depends on the order lacks a barrier.
 *
 * Float atomics are left out on purpose. __shared__ variables are thread-local ones of the
 * operating system's thread that launches.
 */
#ifndef SUPCON_TESTS_CUDA_EMULATION_H
#define SUPCON_TESTS_CUDA_EMULATION_H

#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <tuple>
#include <type_traits>

#include <cuda_runtime.h>

#include <cuda_bf16.h>

#undef __shared__
#undef __global__
#undef __device__
#undef __host__
#undef __constant__
#undef __launch_bounds__
#undef __grid_constant__
#undef __forceinline__
#undef __noinline__
#define __shared__ static thread_local
#define __global__
#define __device__
#define __host__
#define __constant__ static
#define __launch_bounds__(...)
#define __grid_constant__
#define __forceinline__ inline __attribute__((always_inline))
#define __noinline__ __attribute__((noinline))

/* --- where a thread is --- */

struct emu_position {
    uint3 thread, block;
    dim3 block_size, grid_size;
};
extern emu_position emu_at; /* of the thread that runs now */

#define threadIdx (emu_at.thread)
#define blockIdx (emu_at.block)
#define blockDim (emu_at.block_size)
#define gridDim (emu_at.grid_size)
#define warpSize 32

/* --- launches --- */

int emu_launch_body(const char *name, const void *kernel, dim3 grid, dim3 block, size_t shared,
                    cudaStream_t, std::function<void()> body);
void *emu_dynamic_shared(size_t alignment);

template <class... P, class... A>
int emu_launch(const char *name, void (*kernel)(P...), dim3 grid, dim3 block, size_t shared,
               cudaStream_t stream, A &&...arguments)
{
    std::tuple<std::decay_t<P>...> values(static_cast<A &&>(arguments)...);
    return emu_launch_body(name, (const void *)kernel, grid, block, shared, stream,
                           [kernel, values] { std::apply(kernel, values); });
}

#define LAUNCH(kernel, grid, block, shared, stream, ...)                                           \
    emu_launch(#kernel, kernel, grid, block, shared, stream, ##__VA_ARGS__)
#define SHARED(type, name) type *name = static_cast<type *>(emu_dynamic_shared(alignof(type)))

template <class... P>
inline cudaError_t cudaFuncSetAttribute(void (*kernel)(P...), cudaFuncAttribute what, int value)
{
    return cudaFuncSetAttribute(reinterpret_cast<const void *>(kernel), what, value);
}

/* --- barriers and warps --- */

struct emu_place {
    const char *what, *file;
    int line;
};

void emu_grid_wait(const emu_place &);
void emu_barrier(const emu_place &);
/* The value that `reduce` makes of the flags of the whole block. */
int emu_barrier_reduce(const emu_place &, int flag, int (*reduce)(int n_set, int n));

/*
 * All lanes of `mask` meet; the last to come calls fn once with what each has brought (NULL for
 * lanes that have returned, do not exist, or are not in the mask), and all go on.
 */
void emu_meet(const emu_place &, unsigned mask, void *mine,
              void (*fn)(void **lanes, unsigned mask));
int emu_lane();

/* Bytes that are copied only when the thread waits for them, at addresses of that alignment; NaN
 * lies there meanwhile, so that neither a reader too early nor one too late goes unnoticed. */
void emu_copy_later(void *to, const void *from, size_t bytes);
void emu_copies_done();

template <class T> struct emu_shuffle {
    T value, result;
    int source; /* lane that is read; below 0: none, the own value stays */
};

template <class T>
inline T emu_shuffle_from(const emu_place &place, unsigned mask, T value, int source)
{
    static_assert(sizeof(T) == 4 || sizeof(T) == 8, "a shuffle moves 4 or 8 bytes");
    emu_shuffle<T> mine = {value, value, source};
    emu_meet(place, mask, &mine, [](void **lanes, unsigned) {
        for (int i = 0; i < 32; i++) {
            auto *to = static_cast<emu_shuffle<T> *>(lanes[i]);
            if (!to || to->source < 0)
                continue;
            auto *from = static_cast<emu_shuffle<T> *>(lanes[to->source]);
            if (from)
                to->result = from->value;
            else
                memset((void *)&to->result, 0xFF, sizeof(T)); /* undefined on a device */
        }
    });
    return mine.result;
}

inline int emu_up(int delta, int width)
{
    int lane = emu_lane(), source = lane - delta;
    return source >= lane / width * width ? source : -1;
}

inline int emu_down(int delta, int width)
{
    int lane = emu_lane(), source = lane + delta;
    return source < (lane / width + 1) * width ? source : -1;
}

inline int emu_xor(int bits, int width)
{
    int lane = emu_lane(), source = lane ^ bits;
    return source < (lane / width + 1) * width ? source : -1;
}

inline int emu_indexed(int index, int width)
{
    return emu_lane() / width * width + (index & (width - 1));
}

unsigned emu_ballot(const emu_place &, unsigned mask, bool flag);
unsigned emu_match(const emu_place &, unsigned mask, unsigned long long value);

template <class T, class F> inline T emu_reduce(const emu_place &place, unsigned mask, T value, F)
{
    T mine = value;
    emu_meet(place, mask, &mine, [](void **lanes, unsigned) {
        T *sum = nullptr;
        for (int i = 0; i < 32; i++) {
            T *lane = static_cast<T *>(lanes[i]);
            if (lane && sum)
                *sum = F()(*sum, *lane);
            else if (lane)
                sum = lane;
        }
        for (int i = 0; i < 32; i++)
            if (lanes[i])
                *static_cast<T *>(lanes[i]) = *sum;
    });
    return mine;
}

struct emu_add {
    template <class T> T operator()(T a, T b) const
    {
        return a + b;
    }
};
struct emu_min {
    template <class T> T operator()(T a, T b) const
    {
        return a < b ? a : b;
    }
};
struct emu_max {
    template <class T> T operator()(T a, T b) const
    {
        return a > b ? a : b;
    }
};
struct emu_and {
    template <class T> T operator()(T a, T b) const
    {
        return a & b;
    }
};
struct emu_or {
    template <class T> T operator()(T a, T b) const
    {
        return a | b;
    }
};
struct emu_eor {
    template <class T> T operator()(T a, T b) const
    {
        return a ^ b;
    }
};

inline int emu_width()
{
    return 32;
}
inline int emu_width(int width)
{
    return width;
}

/* clang-format off */
#define EMU_HERE(what) (emu_place{what, __FILE__, __LINE__})
#define grid_wait() emu_grid_wait(EMU_HERE("grid_wait"))
#define __syncthreads() emu_barrier(EMU_HERE("__syncthreads"))
#define __syncthreads_or(p) emu_barrier_reduce(EMU_HERE("__syncthreads_or"), !!(p), [](int set, int) { return int(set > 0); })
#define __syncthreads_and(p) emu_barrier_reduce(EMU_HERE("__syncthreads_and"), !!(p), [](int set, int n) { return int(set == n); })
#define __syncthreads_count(p) emu_barrier_reduce(EMU_HERE("__syncthreads_count"), !!(p), [](int set, int) { return set; })
#define __syncwarp(...) emu_meet(EMU_HERE("__syncwarp"), emu_mask(__VA_ARGS__), nullptr, [](void **, unsigned) {})
#define __shfl_sync(m, v, i, ...) emu_shuffle_from(EMU_HERE("__shfl_sync"), m, v, emu_indexed(i, emu_width(__VA_ARGS__)))
#define __shfl_up_sync(m, v, d, ...) emu_shuffle_from(EMU_HERE("__shfl_up_sync"), m, v, emu_up(d, emu_width(__VA_ARGS__)))
#define __shfl_down_sync(m, v, d, ...) emu_shuffle_from(EMU_HERE("__shfl_down_sync"), m, v, emu_down(d, emu_width(__VA_ARGS__)))
#define __shfl_xor_sync(m, v, b, ...) emu_shuffle_from(EMU_HERE("__shfl_xor_sync"), m, v, emu_xor(b, emu_width(__VA_ARGS__)))
#define __ballot_sync(m, p) emu_ballot(EMU_HERE("__ballot_sync"), m, !!(p))
#define __any_sync(m, p) int(emu_ballot(EMU_HERE("__any_sync"), m, !!(p)) != 0)
#define __all_sync(m, p) int(emu_ballot(EMU_HERE("__all_sync"), m, !(p)) == 0)
#define __match_any_sync(m, v) emu_match(EMU_HERE("__match_any_sync"), m, (unsigned long long)(v))
#define __reduce_add_sync(m, v) emu_reduce(EMU_HERE("__reduce_add_sync"), m, v, emu_add())
#define __reduce_min_sync(m, v) emu_reduce(EMU_HERE("__reduce_min_sync"), m, v, emu_min())
#define __reduce_max_sync(m, v) emu_reduce(EMU_HERE("__reduce_max_sync"), m, v, emu_max())
#define __reduce_and_sync(m, v) emu_reduce(EMU_HERE("__reduce_and_sync"), m, v, emu_and())
#define __reduce_or_sync(m, v) emu_reduce(EMU_HERE("__reduce_or_sync"), m, v, emu_or())
#define __reduce_xor_sync(m, v) emu_reduce(EMU_HERE("__reduce_xor_sync"), m, v, emu_eor())
/* clang-format on */

inline unsigned emu_mask()
{
    return 0xFFFFFFFFu;
}
inline unsigned emu_mask(unsigned mask)
{
    return mask;
}

#include "cuda_intrinsics.h"

#endif
