/*
 * Streams, events and graphs of the emulated runtime. In the order of the calls is one of the
 * orders a device may choose; with SUPCON_EMULATION_DELAY=1 it is the other extreme: nothing runs
 * before the host waits for it, and of other streams only what an event demands. Asking for an
 * event runs one piece of work, so that who polls gets on.
 *
 * SUPCON_EMULATION_LOSE=N breaks the device at the Nth piece of work.
 */
#include "stream.h"

#include <cstdio>
#include <cstdlib>
#include <deque>
#include <memory>
#include <mutex>
#include <set>
#include <vector>

typedef std::function<void()> job;
typedef std::lock_guard<std::recursive_mutex> guard;

struct CUgraph_st {
    std::vector<job> work;
    bool invalid = false;
    std::set<int> priorities;        /* of the streams whose work it has */
    std::set<cudaStream_t> unjoined; /* others that have work in it since they last met the first */
};

struct CUgraphExec_st {
    std::vector<job> work;
};

struct CUstream_st {
    std::deque<job> queue;
    bool blocking = true;
    int priority = 0;
    std::shared_ptr<CUgraph_st> capture;
    bool origin = false;
};

struct CUevent_st {
    struct record {
        cudaStream_t stream = nullptr;
        uint64_t version = 0, done = 0; /* of the last call, of the last that took effect */
        int64_t time;
    };
    std::shared_ptr<record> last = std::make_shared<record>();
    std::shared_ptr<CUgraph_st> capture; /* the last record is part of it */
    bool timing = true;
};

namespace
{
std::recursive_mutex mutex;
std::set<cudaStream_t> streams;
CUstream_st default_stream;
cudaError_t broken = cudaSuccess;
thread_local cudaError_t last_error = cudaSuccess;
thread_local CUgraph_st *own_capture; /* begun by this thread, not relaxed */
long n_jobs;

bool delayed()
{
    static const bool on = [] {
        const char *text = getenv("SUPCON_EMULATION_DELAY");
        return text && *text == '1';
    }();
    return on;
}

long lose_at()
{
    static const long at = [] {
        const char *text = getenv("SUPCON_EMULATION_LOSE");
        return text ? atol(text) : 0;
    }();
    return at;
}

cudaStream_t resolve(cudaStream_t s)
{
    return s ? s : &default_stream;
}

/* Time is counted, not measured, so that the same choices are made on a busy machine. Each piece of
 * work takes what needs no repeating to be measured. */
enum { WORK_US = 300 };
int64_t clock_us;

void run(const job &j)
{
    clock_us += WORK_US;
    if (++n_jobs == lose_at())
        emu_fail(cudaErrorECCUncorrectable);
    if (broken == cudaSuccess)
        j();
}

void run_first(cudaStream_t s)
{
    job j = std::move(s->queue.front());
    s->queue.pop_front();
    run(j);
}

void drain(cudaStream_t s)
{
    while (!s->queue.empty())
        run_first(s);
}

void drain_all()
{
    drain(&default_stream);
    for (cudaStream_t s : streams)
        drain(s);
}

/* The stream goes on until `version` of the event has happened. */
void drain_to(CUevent_st::record *r, uint64_t version)
{
    while (r->done < version && r->stream && !r->stream->queue.empty())
        run_first(r->stream);
}

/* The default stream and those that were not made non-blocking wait for each other. */
void meet_default(cudaStream_t s)
{
    if (s != &default_stream && s->blocking)
        drain(&default_stream);
    for (cudaStream_t other : streams)
        if (s == &default_stream && other->blocking)
            drain(other);
}

bool any_capture()
{
    for (cudaStream_t s : streams)
        if (s->capture)
            return true;
    return false;
}

cudaError_t invalidate(CUgraph_st *g, cudaError_t error, const char *what)
{
    fprintf(stderr, "cuda emulation: %s during a capture\n", what);
    if (g)
        g->invalid = true;
    return emu_error(error);
}

cudaError_t add(cudaStream_t s, job j)
{
    if (broken != cudaSuccess)
        return emu_error(broken);
    if (s == &default_stream && any_capture()) {
        for (cudaStream_t other : streams)
            if (other->capture)
                other->capture->invalid = true;
        return invalidate(nullptr, cudaErrorStreamCaptureImplicit, "the default stream was used");
    }
    if (s->capture) {
        s->capture->work.push_back(std::move(j));
        s->capture->priorities.insert(s->priority);
        if (!s->origin)
            s->capture->unjoined.insert(s);
        return cudaSuccess;
    }
    meet_default(s);
    s->queue.push_back(std::move(j));
    if (!delayed())
        drain(s);
    return broken == cudaSuccess ? cudaSuccess : emu_error(broken);
}
} // namespace

/* --- errors --- */

cudaError_t emu_error(cudaError_t error)
{
    if (error != cudaSuccess && error != cudaErrorNotReady)
        last_error = error;
    return error;
}

void emu_fail(cudaError_t error)
{
    broken = broken == cudaSuccess ? error : broken;
}

cudaError_t emu_state()
{
    return broken == cudaSuccess ? cudaSuccess : emu_error(broken);
}

cudaError_t cudaGetLastError(void)
{
    cudaError_t error = broken != cudaSuccess ? broken : last_error;
    last_error = cudaSuccess;
    return error;
}

cudaError_t cudaPeekAtLastError(void)
{
    return broken != cudaSuccess ? broken : last_error;
}

/* --- streams --- */

cudaError_t emu_enqueue(cudaStream_t s, std::function<void()> work)
{
    guard lock(mutex);
    return add(resolve(s), std::move(work));
}

void emu_take(int microseconds)
{
    clock_us += microseconds;
}

bool emu_capturing(cudaStream_t s)
{
    guard lock(mutex);
    return resolve(s)->capture != nullptr;
}

cudaError_t emu_unsafe(const char *what)
{
    guard lock(mutex);
    if (own_capture)
        return invalidate(own_capture, cudaErrorStreamCaptureUnsupported, what);
    return emu_state();
}

void emu_drain_all()
{
    guard lock(mutex);
    drain_all();
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *out, unsigned flags)
{
    guard lock(mutex);
    *out = new CUstream_st;
    (*out)->blocking = flags != cudaStreamNonBlocking;
    streams.insert(*out);
    return emu_state();
}

/* Nothing here is ahead of anything else for its priority. */
cudaError_t cudaStreamCreateWithPriority(cudaStream_t *out, unsigned flags, int priority)
{
    if (priority > 0 || priority < -5)
        return emu_error(cudaErrorInvalidValue);
    cudaError_t error = cudaStreamCreateWithFlags(out, flags);
    (*out)->priority = priority;
    return error;
}

cudaError_t cudaDeviceGetStreamPriorityRange(int *least, int *greatest)
{
    *least = 0;
    *greatest = -5;
    return emu_state();
}

cudaError_t cudaStreamCreate(cudaStream_t *out)
{
    return cudaStreamCreateWithFlags(out, cudaStreamDefault);
}

cudaError_t cudaStreamDestroy(cudaStream_t s)
{
    guard lock(mutex);
    if (!streams.count(s))
        return emu_error(cudaErrorInvalidResourceHandle);
    drain(s);
    streams.erase(s);
    delete s;
    return emu_state();
}

cudaError_t cudaStreamSynchronize(cudaStream_t s)
{
    guard lock(mutex);
    s = resolve(s);
    if (s->capture)
        return invalidate(s->capture.get(), cudaErrorStreamCaptureUnsupported,
                          "cudaStreamSynchronize");
    meet_default(s);
    drain(s);
    return emu_state();
}

cudaError_t cudaStreamQuery(cudaStream_t s)
{
    guard lock(mutex);
    s = resolve(s);
    if (s->capture)
        return invalidate(s->capture.get(), cudaErrorStreamCaptureUnsupported, "cudaStreamQuery");
    if (s->queue.empty())
        return emu_state();
    run_first(s);
    return cudaErrorNotReady;
}

cudaError_t cudaDeviceSynchronize(void)
{
    cudaError_t error = emu_unsafe("cudaDeviceSynchronize");
    if (error == cudaSuccess)
        emu_drain_all();
    return error == cudaSuccess ? emu_state() : error;
}

/* --- events --- */

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *out, unsigned flags)
{
    *out = new CUevent_st;
    (*out)->timing = !(flags & cudaEventDisableTiming);
    return emu_state();
}

cudaError_t cudaEventCreate(cudaEvent_t *out)
{
    return cudaEventCreateWithFlags(out, cudaEventDefault);
}

cudaError_t cudaEventDestroy(cudaEvent_t event)
{
    guard lock(mutex);
    delete event;
    return emu_state();
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t s)
{
    guard lock(mutex);
    s = resolve(s);
    event->capture = s->capture;
    if (s->capture) {
        event->last->stream = s;
        return cudaSuccess;
    }
    std::shared_ptr<CUevent_st::record> r = event->last;
    if (r->stream != s) /* an older record elsewhere no longer counts */
        event->last = r = std::make_shared<CUevent_st::record>();
    uint64_t version = ++r->version;
    r->stream = s;
    return add(s, [r, version] {
        r->done = version;
        r->time = clock_us;
    });
}

cudaError_t cudaStreamWaitEvent(cudaStream_t s, cudaEvent_t event, unsigned)
{
    guard lock(mutex);
    s = resolve(s);
    std::shared_ptr<CUevent_st::record> r = event->last;
    if (event->capture) { /* a fork, or a join */
        if (s->capture && s->capture != event->capture)
            return invalidate(s->capture.get(), cudaErrorStreamCaptureMerge, "two captures met");
        if (!s->capture)
            s->capture = event->capture;
        event->capture->unjoined.erase(r->stream);
        if (!s->origin)
            event->capture->unjoined.insert(s);
        return cudaSuccess;
    }
    if (s->capture)
        return invalidate(s->capture.get(), cudaErrorStreamCaptureIsolation,
                          "waited for an event from outside");
    uint64_t version = r->version;
    return add(s, [r, version] { drain_to(r.get(), version); });
}

cudaError_t cudaEventSynchronize(cudaEvent_t event)
{
    guard lock(mutex);
    if (event->capture)
        return invalidate(event->capture.get(), cudaErrorCapturedEvent, "cudaEventSynchronize");
    drain_to(event->last.get(), event->last->version);
    return emu_state();
}

cudaError_t cudaEventQuery(cudaEvent_t event)
{
    guard lock(mutex);
    CUevent_st::record *r = event->last.get();
    if (event->capture)
        return invalidate(event->capture.get(), cudaErrorCapturedEvent, "cudaEventQuery");
    if (r->done == r->version || broken != cudaSuccess)
        return emu_state();
    if (!r->stream->queue.empty())
        run_first(r->stream);
    return cudaErrorNotReady;
}

cudaError_t cudaEventElapsedTime(float *ms, cudaEvent_t start, cudaEvent_t end)
{
    guard lock(mutex);
    if (!start->timing || !end->timing || !start->last->version || !end->last->version)
        return emu_error(cudaErrorInvalidResourceHandle);
    if (start->last->done != start->last->version || end->last->done != end->last->version)
        return cudaErrorNotReady;
    *ms = (float)(end->last->time - start->last->time) / 1000;
    return emu_state();
}

/* --- graphs --- */

cudaError_t cudaStreamBeginCapture(cudaStream_t s, cudaStreamCaptureMode mode)
{
    guard lock(mutex);
    if (!s || s->capture)
        return emu_error(s ? cudaErrorIllegalState : cudaErrorStreamCaptureUnsupported);
    s->capture = std::make_shared<CUgraph_st>();
    s->origin = true;
    if (mode != cudaStreamCaptureModeRelaxed)
        own_capture = s->capture.get();
    return emu_state();
}

/* The first so many captures of a process fail. */
static bool refuses_capture()
{
    static int n;
    const char *text = getenv("SUPCON_EMULATION_UNCAPTURED");
    return text && n++ < atoi(text);
}

cudaError_t cudaStreamEndCapture(cudaStream_t s, cudaGraph_t *out)
{
    guard lock(mutex);
    *out = nullptr;
    if (!s || !s->capture || !s->origin)
        return emu_error(cudaErrorIllegalState);
    std::shared_ptr<CUgraph_st> g = s->capture;
    for (cudaStream_t other : streams)
        if (other->capture == g)
            other->capture.reset();
    s->origin = false;
    own_capture = nullptr;
    if (g->invalid || refuses_capture())
        return emu_error(cudaErrorStreamCaptureInvalidated);
    if (!g->unjoined.empty())
        return emu_error(cudaErrorStreamCaptureUnjoined);
    *out = new CUgraph_st(*g);
    return emu_state();
}

cudaError_t cudaStreamIsCapturing(cudaStream_t s, cudaStreamCaptureStatus *out)
{
    guard lock(mutex);
    s = resolve(s);
    *out = !s->capture           ? cudaStreamCaptureStatusNone
           : s->capture->invalid ? cudaStreamCaptureStatusInvalidated
                                 : cudaStreamCaptureStatusActive;
    return emu_state();
}

/* A device runs all of a graph at the priority of the stream it is launched into, unless it is told
 * not to; that is a mistake where the streams that were recorded differ. */
cudaError_t cudaGraphInstantiate(cudaGraphExec_t *out, cudaGraph_t graph, unsigned long long flags)
{
    if (graph->priorities.size() > 1 && !(flags & cudaGraphInstantiateFlagUseNodePriority)) {
        fprintf(stderr, "emulation: a graph loses the priorities of its streams\n");
        return emu_error(cudaErrorInvalidValue);
    }
    *out = new CUgraphExec_st{graph->work};
    return emu_state();
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t s)
{
    guard lock(mutex);
    for (const job &j : exec->work) {
        cudaError_t error = add(resolve(s), j);
        if (error != cudaSuccess)
            return error;
    }
    return emu_state();
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph)
{
    delete graph;
    return emu_state();
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec)
{
    emu_drain_all(); /* work that was launched has copies of its own; this is how a device waits */
    delete exec;
    return emu_state();
}

cudaError_t cudaGraphGetNodes(cudaGraph_t graph, cudaGraphNode_t *nodes, size_t *n)
{
    if (nodes)
        return emu_error(cudaErrorNotSupported);
    *n = graph->work.size();
    return emu_state();
}
