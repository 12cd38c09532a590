/*
 * How a kernel is launched and how it begins: LAUNCH(kernel, grid, block, shared bytes, stream,
 * arguments...), and grid_wait() as the first statement of every kernel. The tests compile the same
 * sources for the CPU, where a block's threads take turns (tests/emu). Kernels therefore use
 * nothing of CUDA C but what both provide: threadIdx and its kin, __shared__ (static or SHARED),
 * __syncthreads, the warp shuffles of warp.h, and vectors of 16 bytes.
 *
 * Kernels of a stream overlap (programmatic dependent launch; compute capability 9.0 and later): as
 * soon as all blocks of a kernel have begun, blocks of the next one take the places that are free
 * and wait in grid_wait(). What a small kernel costs between its neighbours is then less than a
 * launch. Three rules keep this right:
 *
 * - grid_wait() returns when the kernel before is complete and what it wrote is visible, not when
 *   it has let others in. That kernel could not end before its own grid_wait() had returned, so the
 *   one before it was complete as well, and so on: after grid_wait() everything before is, as
 *   without overlap. The chain holds because every thread of every kernel that LAUNCH starts waits
 *   before it touches memory that others read or write, tables and single flags included;
 *   parameters are the kernel's own. Other work of a stream (kernels of libraries, copies, events)
 *   begins when all before it is complete, as ever.
 * - A kernel lets the next one in after its own wait, never before: two are under way at most, and
 *   blocks that wait never take a place that one of the running kernel still needs.
 * - Memory is never read by way of the read-only cache (const with __restrict__, __ldg): that is
 *   for what nobody writes as long as the kernel lives, and it lives while the one before writes.
 */
#ifndef SUPCON_KERNELS_LAUNCH_H
#define SUPCON_KERNELS_LAUNCH_H

/* What k_overlap() has settled. */
int launches_overlap();

#ifdef SUPCON_CUDA_EMULATION
#include "cuda_emulation.h"
#else
#include <cuda_bf16.h>
#include <cuda_runtime.h>

/* Wait for all that comes before in the stream; then let the next kernel's blocks in. */
__device__ inline void grid_wait()
{
#if __CUDA_ARCH__ >= 900
    cudaGridDependencySynchronize();
    cudaTriggerProgrammaticLaunchCompletion();
#endif
}

template <class... P, class... A>
static inline int launch_kernel(void (*kernel)(P...), dim3 grid, dim3 block, size_t shared,
                                struct CUstream_st *stream, const A &...arguments)
{
    cudaLaunchAttribute overlap = {};
    overlap.id = cudaLaunchAttributeProgrammaticStreamSerialization;
    overlap.val.programmaticStreamSerializationAllowed = 1;
    cudaLaunchConfig_t how = {};
    how.gridDim = grid;
    how.blockDim = block;
    how.dynamicSmemBytes = shared;
    how.stream = stream;
    how.attrs = &overlap;
    how.numAttrs = launches_overlap() ? 1 : 0;
    (void)cudaLaunchKernelEx(&how, kernel, arguments...);
    return (int)cudaGetLastError();
}

#define LAUNCH(kernel, grid, block, shared, stream, ...)                                           \
    launch_kernel(kernel, (grid), (block), (shared), (stream), ##__VA_ARGS__)
/* Dynamic shared memory of the launch, as an array of type. */
#define SHARED(type, name)                                                                         \
    extern __shared__ __align__(16) unsigned char shared_memory_[];                                \
    type *name = reinterpret_cast<type *>(shared_memory_)
#endif

#endif
