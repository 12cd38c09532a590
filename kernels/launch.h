/*
 * How a kernel is launched: LAUNCH(kernel, grid, block, shared bytes, stream, arguments...). Under
 * nvcc this is the triple-bracket form; the tests compile the same sources for the CPU, where a
 * block's threads take turns (tests/emu). Kernels therefore use nothing of CUDA C but what both
 * provide: threadIdx and its kin, __shared__ (static or SHARED), __syncthreads, the warp shuffles
 * of warp.h, and vectors of 16 bytes.
 */
#ifndef SUPCON_KERNELS_LAUNCH_H
#define SUPCON_KERNELS_LAUNCH_H

#ifdef SUPCON_CUDA_EMULATION
#include "cuda_emulation.h"
#else
#include <cuda_bf16.h>
#include <cuda_runtime.h>
#define LAUNCH(kernel, grid, block, shared, stream, ...)                                           \
    (kernel<<<(grid), (block), (shared), (stream)>>>(__VA_ARGS__), (int)cudaGetLastError())
/* Dynamic shared memory of the launch, as an array of type. */
#define SHARED(type, name)                                                                         \
    extern __shared__ __align__(16) unsigned char shared_memory_[];                                \
    type *name = reinterpret_cast<type *>(shared_memory_)
#endif

#endif
