/*
 * A second stream for what nothing waits for until the end of the step: the gradients of weights.
 * The chain of the backward pass, gradients of data and batch-norms, goes on beside them, so that
 * kernels too small for the whole GPU share it and starts and ends of kernels overlap (Oh et al.
 * 2022, "Out-of-order backprop"). Both are captured into one graph.
 *
 *   cuda_join()         the compute stream waits for what is aside
 *   cuda_fork()         what goes aside may begin behind all that the compute stream has so far
 *   cuda_aside_begin()  what follows goes aside
 *   cuda_aside_end()    back to the compute stream
 *
 * At most one layer is aside: the next one joins before it forks, and its memory is kept until then
 * (kernel.lingers in op.h). The compute stream has priority: its chain is what the step waits for.
 */
#include "backend/cuda/cuda.h"

int cuda_aside_init(struct cuda *c, struct err *e)
{
    if (CU(e, cudaStreamCreateWithFlags(&c->side, cudaStreamNonBlocking)) ||
        CU(e, cudaEventCreateWithFlags(&c->fork, cudaEventDisableTiming)))
        return -1;
    return CU(e, cudaEventCreateWithFlags(&c->join, cudaEventDisableTiming));
}

void cuda_aside_done(struct cuda *c)
{
    if (c->side)
        (void)cudaStreamSynchronize(c->side);
    if (c->fork)
        (void)cudaEventDestroy(c->fork);
    if (c->join)
        (void)cudaEventDestroy(c->join);
    if (c->side)
        (void)cudaStreamDestroy(c->side);
}

int cuda_join(struct cuda *c, struct err *e)
{
    if (!c->forked)
        return 0;
    c->forked = false;
    return CU(e, cudaStreamWaitEvent(c->compute, c->join, 0));
}

int cuda_fork(struct cuda *c, struct err *e)
{
    return CU(e, cudaEventRecord(c->fork, c->compute));
}

int cuda_aside_begin(struct cuda *c, struct err *e)
{
    if (CU(e, cudaStreamWaitEvent(c->side, c->fork, 0)))
        return -1;
    return DNN(e, cudnnSetStream(c->dnn, c->side));
}

int cuda_aside_end(struct cuda *c, struct err *e)
{
    c->forked = true;
    if (DNN(e, cudnnSetStream(c->dnn, c->compute)))
        return -1;
    return CU(e, cudaEventRecord(c->join, c->side));
}
