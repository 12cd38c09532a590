/*
 * What the parts of the emulation share: streams are queues of closures. By default a closure runs
 * at once; with SUPCON_EMULATION_DELAY=1 it runs when the host waits for it, so that a forgotten
 * wait shows; in a stream that is being captured it joins the graph.
 */
#ifndef SUPCON_TESTS_STREAM_H
#define SUPCON_TESTS_STREAM_H

#include <cuda_runtime_api.h>

#include <functional>

/* The work that is being done takes so much longer, by the clock of events. */
void emu_take(int microseconds);
/* Work of a stream (NULL: the default stream). An error that the work meets goes to emu_fail(). */
cudaError_t emu_enqueue(cudaStream_t, std::function<void()> work);
bool emu_capturing(cudaStream_t);
/* All work of all streams is done. */
void emu_drain_all();

/* The device is broken from now on, as after a fault: every call returns `error`. */
void emu_fail(cudaError_t error);
/* cudaSuccess, or the error that broke the device. */
cudaError_t emu_state();
/* Sets and returns the error that cudaGetLastError() reports. */
cudaError_t emu_error(cudaError_t);
/* The error of a call that may not be made by a thread which captures; emu_state() otherwise. */
cudaError_t emu_unsafe(const char *what);

/* n bytes at p lie within one block of device memory. */
bool emu_is_device(const void *p, size_t n);

/* Dynamic shared memory that a launch of `kernel` may use, beyond 48 KiB. */
cudaError_t emu_allow_shared(const void *kernel, size_t bytes);

/* What may be allowed at most. */
size_t emu_shared_most();

/* SUPCON_EMULATION_SEED, 0 if not set. */
unsigned long emu_seed();

#endif
