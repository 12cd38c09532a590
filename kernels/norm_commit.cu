/*
 * Running statistics of batch-norm (norm_math.h), of all layers of a network in one launch. Grid:
 * for each layer its channels, 256 to a block.
 */
#include "kernels/kernels.h"

#include "kernels/grid.h"
#include "kernels/jobs.h"
#include "kernels/launch.h"
#include "kernels/norm_math.h"

typedef jobs<k_norm_commit_job> commit_jobs;

static_assert(sizeof(commit_jobs) <= 4096, "parameters of a launch");

__global__ void __launch_bounds__(BLOCK)
    norm_commit(const IN_PLACE commit_jobs all, const uint32_t *held)
{
    grid_wait();
    const int number = job_of(all, blockIdx.x);
    const struct k_norm_commit_job &n = all.job[number];
    int ch = (int)((blockIdx.x - all.first[number]) * BLOCK + threadIdx.x);
    if (ch >= n.c || (held && *held))
        return;
    double unbiased = norm_unbiased(n.rstd[ch], n.eps, n.count);
    if (!norm_is_finite(n.mean[ch]) || !norm_is_finite((float)unbiased))
        return; /* loss and gradients can be finite all the same */
    n.running_mean[ch] = norm_blend(n.running_mean[ch], n.mean[ch], n.momentum);
    n.running_var[ch] = norm_blend(n.running_var[ch], unbiased, n.momentum);
}

static unsigned commit_blocks(const struct k_norm_commit_job &j)
{
    return (unsigned)ceil_div(j.c, BLOCK);
}

int k_norm_commit(struct CUstream_st *stream, const struct k_norm_commit_job *job, int n,
                  const uint32_t *held)
{
    int failed = 0;
    for (int done = 0; done < n && !failed;) {
        commit_jobs all;
        done += jobs_take(&all, job + done, n - done, commit_blocks);
        failed = LAUNCH(norm_commit, all.first[all.n], BLOCK, 0, stream, all, held);
    }
    return failed;
}
