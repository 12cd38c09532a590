/*
 * The emulation finds what it is there to find: barriers that not all threads reach, results that
 * depend on the order of threads, host code that does not wait. Speaks TAP. Complaints on stderr
 * are part of it.
 */
#include "cuda_emulation.h"
#include "stream.h"

#include <cstdio>
#include <cstdlib>
#include <sys/wait.h>
#include <unistd.h>

static int number, failures;

static void expect(bool good, const char *what)
{
    printf("%sok %d - %s\n", good ? "" : "not ", ++number, what);
    failures += !good;
}

/* --- kernels --- */

static __global__ void sum_block(const int *x, int *y)
{
    grid_wait();
    __shared__ int part[64];
    part[threadIdx.x] = x[blockIdx.x * blockDim.x + threadIdx.x];
    for (unsigned n = blockDim.x / 2; n > 0; n /= 2) {
        __syncthreads();
        if (threadIdx.x < n)
            part[threadIdx.x] += part[threadIdx.x + n];
    }
    if (threadIdx.x == 0)
        y[blockIdx.x] = part[0];
}

static __global__ void rotate_without_barrier(int *y)
{
    grid_wait();
    SHARED(int, box);
    box[threadIdx.x] = (int)threadIdx.x;
    y[threadIdx.x] = box[(threadIdx.x + 1) % blockDim.x];
}

static __global__ void barrier_of_some()
{
    grid_wait();
    if (threadIdx.x < 40)
        __syncthreads();
}

static __global__ void barriers_apart()
{
    grid_wait();
    if (threadIdx.x < 32)
        __syncthreads();
    else
        __syncthreads();
}

static __global__ void warp_operations(int *y)
{
    grid_wait();
    int lane = (int)threadIdx.x % 32, x = lane, at = (int)threadIdx.x;
    for (int reach = 16; reach > 0; reach /= 2)
        x += __shfl_xor_sync(0xffffffffu, x, reach);
    y[at] = x;
    y[at + 64] = __shfl_down_sync(0xffffffffu, lane, 3);
    y[at + 128] = __shfl_up_sync(0xffffffffu, lane, 1, 8);
    y[at + 192] = (int)__ballot_sync(0xffffffffu, lane % 2);
    y[at + 256] = __shfl_sync(0xffffffffu, lane * 10, 5);
    y[at + 320] = (int)__match_any_sync(0xffffffffu, lane / 16);
}

static __global__ void lanes_apart(int *y)
{
    grid_wait();
    if (threadIdx.x % 2)
        y[0] = __shfl_sync(0xffffffffu, 1, 0);
    else
        y[1] = __shfl_sync(0xffffffffu, 2, 0);
}

static __global__ void look_at_shared(int *y)
{
    grid_wait();
    __shared__ int left[4];
    if (threadIdx.x == 0) {
        y[blockIdx.x] = left[0];
        left[0] = 7;
    }
}

static __global__ void increment(int *x)
{
    grid_wait();
    x[0]++;
}

static __global__ void never_waits(int *x)
{
    x[0] = 1;
}

static __global__ void waits_in_some(int *x)
{
    if (threadIdx.x == 1)
        return;
    grid_wait();
    x[threadIdx.x] = 1;
}

static __global__ void waits_late()
{
    __syncthreads();
    grid_wait();
}

static __global__ void shuffles_first(int *x)
{
    int y = __shfl_xor_sync(0xffffffffu, 1, 1);
    grid_wait();
    x[threadIdx.x] = y;
}

static __global__ void waits_twice()
{
    grid_wait();
    grid_wait();
}

/* --- tests --- */

static int *device_ints(size_t n)
{
    void *p = nullptr;
    (void)cudaMalloc(&p, n * sizeof(int));
    return static_cast<int *>(p);
}

static void blocks_and_barriers()
{
    int *x = device_ints(256), *y = device_ints(4);
    for (int i = 0; i < 256; i++)
        x[i] = i;
    int rc = LAUNCH(sum_block, 4, 64, 0, nullptr, x, y);
    (void)cudaDeviceSynchronize();
    expect(rc == 0 && y[0] == 2016 && y[3] == 14304, "sums of blocks by halving");
    rc = LAUNCH(look_at_shared, 3, 32, 0, nullptr, y);
    (void)cudaDeviceSynchronize();
    expect(rc == 0 && y[0] == -1 && y[1] == -1 && y[2] == -1,
           "shared memory is poisoned before every block");
    (void)cudaFree(x);
    (void)cudaFree(y);
}

static void missing_barrier()
{
    int *y = device_ints(64), right = 0;
    (void)LAUNCH(rotate_without_barrier, 1, 64, 64 * sizeof(int), nullptr, y);
    (void)cudaDeviceSynchronize();
    for (int i = 0; i < 64; i++)
        right += y[i] == (i + 1) % 64;
    expect(right < 64, "a missing barrier gives wrong results");
    (void)cudaFree(y);
}

static void warps()
{
    int *y = device_ints(384);
    int rc = LAUNCH(warp_operations, 1, 64, 0, nullptr, y);
    (void)cudaDeviceSynchronize();
    expect(rc == 0 && y[0] == 496 && y[63] == 496, "butterfly sums");
    expect(y[64] == 3 && y[64 + 28] == 31 && y[64 + 29] == 29, "shuffle down ends at the warp");
    expect(y[128] == 0 && y[128 + 7] == 6 && y[128 + 8] == 8, "shuffle up within eight lanes");
    expect((unsigned)y[192] == 0xaaaaaaaau && y[256 + 40] == 50, "ballot and indexed shuffle");
    expect((unsigned)y[320 + 3] == 0xffffu && (unsigned)y[320 + 20] == 0xffff0000u, "match");
    (void)cudaFree(y);
}

static void configurations()
{
    (void)cudaGetLastError();
    expect(LAUNCH(barrier_of_some, 1, 2048, 0, nullptr) == cudaErrorInvalidConfiguration,
           "2048 threads are too many for a block");
    expect(LAUNCH(barrier_of_some, 0, 32, 0, nullptr) == cudaErrorInvalidConfiguration,
           "a grid without blocks is refused");
    expect(LAUNCH(increment, 1, 1, 64 << 10, nullptr, nullptr) == cudaErrorInvalidValue,
           "64 KiB of shared memory have to be asked for");
    int *x = device_ints(1);
    x[0] = 0;
    (void)cudaFuncSetAttribute((const void *)increment, cudaFuncAttributeMaxDynamicSharedMemorySize,
                               64 << 10);
    expect(LAUNCH(increment, 1, 1, 64 << 10, nullptr, x) == 0, "and then are there");
    (void)cudaFree(x);
    (void)cudaGetLastError();
}

static void memory()
{
    int *x = device_ints(4), host[8];
    expect(cudaMemcpy(host, x, 8 * sizeof(int), cudaMemcpyDeviceToHost) == cudaErrorInvalidValue,
           "a copy beyond a block is refused");
    expect(cudaMemcpy(host, x, sizeof(int), cudaMemcpyHostToDevice) == cudaErrorInvalidValue,
           "a copy the wrong way is refused");
    void *p;
    expect(cudaMalloc(&p, (size_t)1 << 50) == cudaErrorMemoryAllocation, "memory is limited");
    (void)cudaFree(x);
    (void)cudaGetLastError();
}

static void graphs()
{
    cudaStream_t s, t;
    cudaEvent_t fork, join;
    cudaGraph_t graph;
    cudaGraphExec_t exec;
    int *x = device_ints(2);
    (void)cudaStreamCreateWithFlags(&s, cudaStreamNonBlocking);
    (void)cudaStreamCreateWithFlags(&t, cudaStreamNonBlocking);
    (void)cudaEventCreate(&fork);
    (void)cudaEventCreate(&join);
    (void)cudaMemsetAsync(x, 0, 2 * sizeof(int), s);
    (void)cudaStreamBeginCapture(s, cudaStreamCaptureModeThreadLocal);
    (void)LAUNCH(increment, 1, 1, 0, s, x);
    (void)cudaEventRecord(fork, s);
    (void)cudaStreamWaitEvent(t, fork, 0);
    (void)LAUNCH(increment, 1, 1, 0, t, x + 1);
    (void)cudaEventRecord(join, t);
    (void)cudaStreamWaitEvent(s, join, 0);
    expect(cudaStreamEndCapture(s, &graph) == cudaSuccess, "a capture with a fork and a join");
    (void)cudaGraphInstantiate(&exec, graph, 0);
    for (int i = 0; i < 3; i++)
        (void)cudaGraphLaunch(exec, s);
    (void)cudaStreamSynchronize(s);
    expect(x[0] == 3 && x[1] == 3, "a graph does its work as often as it is launched");
    (void)cudaStreamBeginCapture(s, cudaStreamCaptureModeThreadLocal);
    (void)cudaGraphDestroy(graph);
    void *p;
    expect(cudaMalloc(&p, 4) == cudaErrorStreamCaptureUnsupported, "no allocation in a capture");
    expect(cudaStreamEndCapture(s, &graph) == cudaErrorStreamCaptureInvalidated,
           "which makes it invalid");
    (void)cudaGetLastError();
    (void)cudaGraphExecDestroy(exec);
    (void)cudaEventDestroy(fork);
    (void)cudaEventDestroy(join);
    (void)cudaStreamDestroy(s);
    (void)cudaStreamDestroy(t);
    (void)cudaFree(x);
}

/* Only with delay: what the host sees before it waits. */
static void delays()
{
    cudaStream_t s;
    cudaEvent_t event;
    void *p;
    int *x = device_ints(1);
    (void)cudaStreamCreateWithFlags(&s, cudaStreamNonBlocking);
    (void)cudaEventCreateWithFlags(&event, cudaEventDisableTiming);
    (void)cudaHostAlloc(&p, sizeof(int), cudaHostAllocDefault);
    int *host = static_cast<int *>(p);
    *host = 5;
    (void)cudaMemcpyAsync(x, host, sizeof(int), cudaMemcpyHostToDevice, s);
    *host = 6; /* the mistake */
    (void)LAUNCH(increment, 1, 1, 0, s, x);
    (void)cudaEventRecord(event, s);
    expect(x[0] == -1, "nothing runs before it is waited for");
    expect(cudaEventQuery(event) == cudaErrorNotReady, "the event has not happened");
    expect(cudaEventSynchronize(event) == cudaSuccess && x[0] == 7,
           "pinned memory that is changed too early is copied as changed");
    (void)cudaFreeHost(host);
    (void)cudaEventDestroy(event);
    (void)cudaStreamDestroy(s);
    (void)cudaFree(x);
}

/* A launch that breaks the device, in a process of its own. */
static void breaks(int (*run)(), const char *what)
{
    fflush(stdout);
    pid_t child = fork();
    if (child == 0)
        _exit((run(), cudaDeviceSynchronize()) == cudaErrorLaunchFailure ? 0 : 1);
    int status = -1;
    waitpid(child, &status, 0);
    expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, what);
}

static int run_some()
{
    return LAUNCH(barrier_of_some, 1, 64, 0, nullptr);
}

static int run_apart()
{
    return LAUNCH(barriers_apart, 1, 64, 0, nullptr);
}

static int run_lanes()
{
    return LAUNCH(lanes_apart, 1, 32, 0, nullptr, device_ints(2));
}

static int run_never()
{
    return LAUNCH(never_waits, 1, 1, 0, nullptr, device_ints(1));
}

static int run_in_some()
{
    return LAUNCH(waits_in_some, 1, 32, 0, nullptr, device_ints(32));
}

static int run_late()
{
    return LAUNCH(waits_late, 1, 32, 0, nullptr);
}

static int run_shuffles()
{
    return LAUNCH(shuffles_first, 1, 32, 0, nullptr, device_ints(32));
}

static int run_twice()
{
    return LAUNCH(waits_twice, 1, 1, 0, nullptr);
}

int main(void)
{
    breaks(run_never, "a kernel that does not wait for those before is found");
    breaks(run_in_some, "one in which a thread does not");
    breaks(run_late, "one that meets at a barrier before it waits");
    breaks(run_shuffles, "one that shuffles before");
    breaks(run_twice, "one that waits twice");
    breaks(run_some, "a barrier that some threads do not reach is found");
    breaks(run_apart, "two barriers for one are found");
    breaks(run_lanes, "lanes in different shuffles are found");
    if (getenv("SUPCON_EMULATION_DELAY"))
        delays();
    blocks_and_barriers();
    missing_barrier();
    warps();
    configurations();
    memory();
    graphs();
    printf("1..%d\n", number);
    return failures > 0;
}
