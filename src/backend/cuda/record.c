/*
 * A training step as one CUDA graph: what is enqueued on the compute stream between begin and end
 * is recorded, and replayed by a single call. Capture is thread-local, so that other threads may go
 * on using CUDA meanwhile. What differs from step to step lies in device memory and is written
 * before the replay. Kernels keep the priorities of the streams they were recorded from (aside.c):
 * else all would have that of the stream that the graph is launched into.
 * After a recording that failed the next one is made without what makes it more than a chain of
 * kernels: overlap (kernels/launch.h) and the second stream (aside.c).
 */
#include "backend/cuda/cuda.h"

int cuda_refuse_recording(const struct cuda *c, const char *what, struct err *e)
{
    if (!c->recording)
        return 0;
    return err_set(e, EXIT_SOFTWARE, "%s cannot be part of a recorded step", what);
}

int cuda_record_begin(struct device *dev, struct err *e)
{
    struct cuda *c = cuda_of(dev);
    if (c->record_failed) {
        (void)k_overlap(0);
        c->forks = false;
    }
    if (cuda_refuse_recording(c, "another recording", e) ||
        CU(e, cudaStreamBeginCapture(c->compute, cudaStreamCaptureModeThreadLocal)))
        return -1;
    c->recording = true;
    return 0;
}

int cuda_record_end(struct device *dev, void **recording, struct err *e)
{
    struct cuda *c = cuda_of(dev);
    cudaGraph_t graph = NULL;
    cudaGraphExec_t exec = NULL;
    *recording = NULL;
    c->recording = c->forked = false;
    if (CU(e, cudaStreamEndCapture(c->compute, &graph))) {
        /* A layer that failed aside may have left cuDNN there; steps go on without a recording. */
        (void)cudnnSetStream(c->dnn, c->compute);
        c->record_failed = true;
        return -1;
    }
    int rc = CU(e, cudaGraphInstantiate(&exec, graph, cudaGraphInstantiateFlagUseNodePriority));
    (void)cudaGraphDestroy(graph);
    c->record_failed = rc != 0;
    *recording = exec;
    return rc;
}

int cuda_replay(struct device *dev, void *recording, struct err *e)
{
    return CU(e, cudaGraphLaunch(recording, cuda_of(dev)->compute));
}

void cuda_record_free(struct device *dev, void *recording)
{
    (void)dev;
    if (recording)
        (void)cudaGraphExecDestroy(recording);
}
