/*
 * Functions that run on the host and on a GPU: the maths and the index arithmetic of a kernel
 * stand in HD functions, which the CPU's tests run too.
 */
#ifndef SUPCON_BASE_HD_H
#define SUPCON_BASE_HD_H

#ifdef __CUDACC__
#define HD static __host__ __device__ inline
#else
#define HD static inline
#endif

#endif
