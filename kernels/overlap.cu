/*
 * Whether kernels overlap (launch.h). A kernel that is never run tells for which architecture the
 * code that this device runs was compiled: a device may be younger than its code, and code for
 * before Hopper does not wait.
 */
#include "kernels/kernels.h"

#include "kernels/launch.h"

enum { FIRST_TO_WAIT = 90 }; /* compute capability 9.0 */

static int allowed;

__global__ void overlap()
{
    grid_wait();
}

static int code_waits()
{
    struct cudaFuncAttributes a = {};
    cudaError_t error =
        cudaFuncGetAttributes(&a, reinterpret_cast<const void *>(static_cast<void (*)()>(overlap)));
    (void)cudaGetLastError();
    return error == cudaSuccess && a.ptxVersion >= FIRST_TO_WAIT;
}

int k_overlap(int wanted)
{
    return allowed = wanted && code_waits();
}

int launches_overlap()
{
    return allowed;
}
