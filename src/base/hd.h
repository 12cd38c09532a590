/*
 * Functions that run on the host and on a GPU: the maths and the index arithmetic of a kernel
 * stand in `static HD` functions, which the CPU's tests run too.
 */
#ifndef SUPCON_BASE_HD_H
#define SUPCON_BASE_HD_H

#ifdef __CUDACC__
#define HD __host__ __device__ inline
#else
#define HD inline
#endif

#endif
