/*
 * Devices, memory and copies of the emulated runtime. Device memory is host memory, filled with NaN
 * when it is allocated; the runtime knows every block of it, and of pinned host memory, and refuses
 * copies that leave one or go the wrong way.
 *
 * SUPCON_EMULATION_MEMORY=MIB   memory of the device, 8192 by default
 * SUPCON_EMULATION_DEVICES=N    how many devices there are, 1 by default
 * SUPCON_EMULATION_SM=NN        their compute capability, 90 by default
 * SUPCON_EMULATION_DRIVER=NNNN  the driver's CUDA version; an old one cannot run this runtime
 */
#include "stream.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

namespace
{
typedef std::map<uintptr_t, size_t> blocks; /* address -> bytes */

std::mutex mutex;
blocks device_blocks, pinned_blocks;
size_t used;

long number(const char *variable, long otherwise)
{
    const char *text = getenv(variable);
    return text ? atol(text) : otherwise;
}

size_t total_memory()
{
    return (size_t)number("SUPCON_EMULATION_MEMORY", 8192) << 20;
}

bool within(const blocks &all, const void *p, size_t n)
{
    uintptr_t at = (uintptr_t)p;
    auto next = all.upper_bound(at);
    if (next == all.begin())
        return false;
    --next;
    return at - next->first < next->second && n <= next->second - (at - next->first);
}

bool is_pinned(const void *p, size_t n)
{
    std::lock_guard<std::mutex> lock(mutex);
    return within(pinned_blocks, p, n);
}

/* Somewhere in a block of device memory, though perhaps not to its end. */
bool touches_device(const void *p)
{
    return emu_is_device(p, 0);
}

cudaError_t wrong(const char *what, const void *p, size_t n)
{
    fprintf(stderr, "cuda emulation: %s: %zu bytes at %p\n", what, n, p);
    return emu_error(cudaErrorInvalidValue);
}

cudaError_t check_side(bool device, const void *p, size_t n, const char *what)
{
    if (device && !emu_is_device(p, n))
        return wrong(what, p, n);
    if (!device && touches_device(p))
        return wrong(what, p, n);
    return cudaSuccess;
}

cudaError_t check_copy(void *dst, const void *src, size_t n, cudaMemcpyKind kind)
{
    bool to = kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice;
    bool from = kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice;
    cudaError_t error = check_side(to, dst, n, "destination of a copy is not such memory");
    if (error == cudaSuccess)
        error = check_side(from, src, n, "source of a copy is not such memory");
    return error;
}

cudaMemcpyKind infer(const void *dst, const void *src, cudaMemcpyKind kind)
{
    if (kind != cudaMemcpyDefault)
        return kind;
    if (touches_device(dst))
        return touches_device(src) ? cudaMemcpyDeviceToDevice : cudaMemcpyHostToDevice;
    return touches_device(src) ? cudaMemcpyDeviceToHost : cudaMemcpyHostToHost;
}
} // namespace

bool emu_is_device(const void *p, size_t n)
{
    std::lock_guard<std::mutex> lock(mutex);
    return within(device_blocks, p, n);
}

/* --- devices --- */

/* By compute capability: consumer GPUs have less than those of data centres. */
size_t emu_shared_most()
{
    long sm = number("SUPCON_EMULATION_SM", 90);
    return (size_t)(sm >= 90 ? 227 : sm == 80 || sm == 87 ? 163 : 99) << 10;
}

cudaError_t cudaDriverGetVersion(int *out)
{
    *out = (int)number("SUPCON_EMULATION_DRIVER", CUDART_VERSION);
    return cudaSuccess;
}

cudaError_t cudaRuntimeGetVersion(int *out)
{
    *out = CUDART_VERSION;
    return cudaSuccess;
}

cudaError_t cudaGetDeviceCount(int *out)
{
    int driver = 0;
    *out = (int)number("SUPCON_EMULATION_DEVICES", 1);
    (void)cudaDriverGetVersion(&driver);
    if (driver < CUDART_VERSION / 1000 * 1000)
        return emu_error(cudaErrorInsufficientDriver);
    return *out ? cudaSuccess : emu_error(cudaErrorNoDevice);
}

static cudaError_t check_device(int i)
{
    int n = 0;
    cudaError_t error = cudaGetDeviceCount(&n);
    return error != cudaSuccess || (i >= 0 && i < n) ? error : emu_error(cudaErrorInvalidDevice);
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp *p, int i)
{
    long sm = number("SUPCON_EMULATION_SM", 90);
    *p = cudaDeviceProp();
    snprintf(p->name, sizeof p->name, "cuda-emulated (CPU, no GPU)");
    p->major = (int)sm / 10;
    p->minor = (int)sm % 10;
    p->totalGlobalMem = total_memory();
    p->multiProcessorCount = 132;
    p->warpSize = 32;
    p->maxThreadsPerBlock = 1024;
    p->sharedMemPerBlock = 48 << 10;
    p->sharedMemPerBlockOptin = emu_shared_most();
    p->sharedMemPerMultiprocessor = p->sharedMemPerBlockOptin + (1 << 10);
    p->regsPerBlock = p->regsPerMultiprocessor = 65536;
    p->maxThreadsPerMultiProcessor = 2048;
    p->l2CacheSize = 50 << 20;
    p->pciBusID = i;
    return check_device(i);
}

cudaError_t cudaSetDevice(int i)
{
    cudaError_t error = check_device(i);
    return error == cudaSuccess ? emu_state() : error;
}

cudaError_t cudaGetDevice(int *out)
{
    *out = 0;
    return emu_state();
}

cudaError_t cudaDeviceGetAttribute(int *out, cudaDeviceAttr what, int i)
{
    cudaDeviceProp p;
    cudaError_t error = cudaGetDeviceProperties(&p, i);
    const std::map<int, int> values = {
        {cudaDevAttrMultiProcessorCount, p.multiProcessorCount},
        {cudaDevAttrComputeCapabilityMajor, p.major},
        {cudaDevAttrComputeCapabilityMinor, p.minor},
        {cudaDevAttrMaxSharedMemoryPerBlockOptin, (int)p.sharedMemPerBlockOptin},
    };
    if (error != cudaSuccess || !values.count(what))
        return error != cudaSuccess ? error : emu_error(cudaErrorInvalidValue);
    *out = values.at(what);
    return cudaSuccess;
}

cudaError_t cudaFuncSetAttribute(const void *kernel, cudaFuncAttribute what, int value)
{
    if (what == cudaFuncAttributeMaxDynamicSharedMemorySize)
        return emu_allow_shared(kernel, (size_t)value);
    return emu_state();
}

/* Code is compiled for 8.0 and for 9.0; a device runs the latest that it can. */
cudaError_t cudaFuncGetAttributes(cudaFuncAttributes *out, const void *)
{
    *out = cudaFuncAttributes();
    out->ptxVersion = out->binaryVersion = number("SUPCON_EMULATION_SM", 90) >= 90 ? 90 : 80;
    return emu_state();
}

/* --- words --- */

namespace
{
struct words {
    cudaError_t error;
    const char *name, *text;
};
#define WORDS(name, text)                                                                          \
    {                                                                                              \
        name, #name, text                                                                          \
    }
const words all_words[] = {
    WORDS(cudaSuccess, "no error"),
    WORDS(cudaErrorInvalidValue, "invalid argument"),
    WORDS(cudaErrorMemoryAllocation, "out of memory"),
    WORDS(cudaErrorInvalidConfiguration, "invalid configuration argument"),
    WORDS(cudaErrorInsufficientDriver,
          "CUDA driver version is insufficient for CUDA runtime version"),
    WORDS(cudaErrorNoDevice, "no CUDA-capable device is detected"),
    WORDS(cudaErrorInvalidDevice, "invalid device ordinal"),
    WORDS(cudaErrorECCUncorrectable, "uncorrectable ECC error encountered"),
    WORDS(cudaErrorInvalidResourceHandle, "invalid resource handle"),
    WORDS(cudaErrorIllegalState, "the operation cannot be performed in the present state"),
    WORDS(cudaErrorNotReady, "device not ready"),
    WORDS(cudaErrorLaunchFailure, "unspecified launch failure"),
    WORDS(cudaErrorNotSupported, "operation not supported"),
    WORDS(cudaErrorStreamCaptureUnsupported, "operation not permitted when stream is capturing"),
    WORDS(cudaErrorStreamCaptureInvalidated,
          "operation failed due to a previous error during capture"),
    WORDS(cudaErrorStreamCaptureMerge,
          "operation would result in a merge of separate capture sequences"),
    WORDS(cudaErrorStreamCaptureUnjoined, "capturing stream has unjoined work"),
    WORDS(cudaErrorStreamCaptureIsolation,
          "dependency created on uncaptured work in another stream"),
    WORDS(cudaErrorStreamCaptureImplicit,
          "operation would make the legacy stream depend on a capturing stream"),
    WORDS(cudaErrorCapturedEvent,
          "operation not permitted on an event last recorded in a capturing stream"),
};

const words &find(cudaError_t error)
{
    static const words other = {cudaErrorUnknown, "cudaErrorUnknown", "unknown error"};
    for (const words &w : all_words)
        if (w.error == error)
            return w;
    return other;
}
} // namespace

const char *cudaGetErrorName(cudaError_t error)
{
    return find(error).name;
}

const char *cudaGetErrorString(cudaError_t error)
{
    return find(error).text;
}

/* --- memory --- */

cudaError_t cudaMalloc(void **out, size_t bytes)
{
    cudaError_t error = emu_unsafe("cudaMalloc");
    std::lock_guard<std::mutex> lock(mutex);
    void *p = nullptr;
    *out = nullptr;
    if (error != cudaSuccess || bytes == 0)
        return error;
    if (bytes > total_memory() - used || posix_memalign(&p, 256, bytes))
        return emu_error(cudaErrorMemoryAllocation);
    memset(p, 0xFF, bytes);
    device_blocks[(uintptr_t)p] = bytes;
    used += bytes;
    *out = p;
    return cudaSuccess;
}

cudaError_t cudaFree(void *p)
{
    cudaError_t error = emu_unsafe("cudaFree");
    emu_drain_all();
    std::lock_guard<std::mutex> lock(mutex);
    if (!p)
        return error;
    if (!device_blocks.count((uintptr_t)p))
        return wrong("cudaFree of what is no block", p, 0);
    used -= device_blocks[(uintptr_t)p];
    device_blocks.erase((uintptr_t)p);
    free(p);
    return error;
}

cudaError_t cudaHostAlloc(void **out, size_t bytes, unsigned)
{
    cudaError_t error = emu_unsafe("cudaHostAlloc");
    std::lock_guard<std::mutex> lock(mutex);
    void *p = nullptr;
    *out = nullptr;
    if (error != cudaSuccess)
        return error;
    if (posix_memalign(&p, 4096, bytes ? bytes : 1))
        return emu_error(cudaErrorMemoryAllocation);
    memset(p, 0xFF, bytes);
    pinned_blocks[(uintptr_t)p] = bytes;
    *out = p;
    return cudaSuccess;
}

cudaError_t cudaMallocHost(void **out, size_t bytes)
{
    return cudaHostAlloc(out, bytes, cudaHostAllocDefault);
}

cudaError_t cudaFreeHost(void *p)
{
    emu_drain_all();
    std::lock_guard<std::mutex> lock(mutex);
    if (!p)
        return emu_state();
    if (!pinned_blocks.erase((uintptr_t)p))
        return wrong("cudaFreeHost of what is no block", p, 0);
    free(p);
    return emu_state();
}

cudaError_t cudaMemGetInfo(size_t *available, size_t *total)
{
    std::lock_guard<std::mutex> lock(mutex);
    *total = total_memory();
    *available = *total - used;
    return emu_state();
}

/* --- copies --- */

/*
 * Pinned memory is read and written when the copy runs. Pageable memory is read before the call
 * returns (it is staged), and has been written when it returns.
 */
cudaError_t cudaMemcpyAsync(void *dst, const void *src, size_t n, cudaMemcpyKind kind,
                            cudaStream_t stream)
{
    kind = infer(dst, src, kind);
    cudaError_t error = n ? check_copy(dst, src, n, kind) : cudaSuccess;
    bool loose_src = kind == cudaMemcpyHostToDevice && !is_pinned(src, n);
    bool loose_dst = kind == cudaMemcpyDeviceToHost && !is_pinned(dst, n);
    if (error != cudaSuccess)
        return error;
    if ((loose_src || loose_dst) && emu_capturing(stream))
        return emu_unsafe("a copy of pageable memory");
    if (loose_src) {
        auto staged = std::make_shared<std::vector<char>>((const char *)src, (const char *)src + n);
        return emu_enqueue(stream, [=] { memcpy(dst, staged->data(), n); });
    }
    error = emu_enqueue(stream, [=] { memmove(dst, src, n); });
    return loose_dst && error == cudaSuccess ? cudaStreamSynchronize(stream) : error;
}

cudaError_t cudaMemcpy(void *dst, const void *src, size_t n, cudaMemcpyKind kind)
{
    cudaError_t error = cudaMemcpyAsync(dst, src, n, kind, nullptr);
    return error == cudaSuccess ? cudaStreamSynchronize(nullptr) : error;
}

cudaError_t cudaMemsetAsync(void *p, int value, size_t n, cudaStream_t stream)
{
    if (n && !emu_is_device(p, n))
        return wrong("cudaMemset of what is no device memory", p, n);
    return emu_enqueue(stream, [=] { memset(p, value, n); });
}

cudaError_t cudaMemset(void *p, int value, size_t n)
{
    return cudaMemsetAsync(p, value, n, nullptr);
}
