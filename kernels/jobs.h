/*
 * One launch for many small tensors: jobs lie in the launch's parameters, each has some consecutive
 * blocks, and a block finds its own (multi-tensor apply). CUDA takes 4 KiB of parameters; more jobs
 * take more launches.
 */
#ifndef SUPCON_KERNELS_JOBS_H
#define SUPCON_KERNELS_JOBS_H

#include "base/hd.h"

enum { JOBS_MAX = 48 };

/* Of a launch's parameter that a kernel indexes: it stays where it is. */
#ifdef SUPCON_CUDA_EMULATION
#define IN_PLACE
#else
#define IN_PLACE __grid_constant__
#endif

template <class JOB> struct jobs {
    int n;
    unsigned first[JOBS_MAX + 1]; /* block of each job; behind the last, how many there are */
    JOB job[JOBS_MAX];
};

/* The job that block `block` belongs to. */
template <class JOB> HD int job_of(const jobs<JOB> &all, unsigned block)
{
    int low = 0, high = all.n; /* first[low] <= block < first[high] */
    while (high - low > 1) {
        int middle = (low + high) / 2;
        if (all.first[middle] <= block)
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* Take as many of the jobs as a launch may have, `blocks(job)` each; how many were taken. */
template <class JOB, class BLOCKS>
static inline int jobs_take(jobs<JOB> *all, const JOB *job, int n, BLOCKS blocks)
{
    all->n = n < JOBS_MAX ? n : JOBS_MAX;
    all->first[0] = 0;
    for (int i = 0; i < all->n; i++) {
        all->job[i] = job[i];
        all->first[i + 1] = all->first[i] + blocks(job[i]);
    }
    return all->n;
}

#endif
