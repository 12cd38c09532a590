/*
 * NVIDIA GPUs as devices: which there are, why one cannot be used, opening and closing one; and the
 * module's entry. What depends on the driver is asked in an order in which each failure has one
 * cause and one sentence.
 *
 * Environment: SUPCON_CUDA_GRAPH=off runs steps call by call, SUPCON_CUDA_OVERLAP=off begins a
 * kernel when the one before has ended, SUPCON_CUDA_SUMS=off leaves all sums to batch-norms,
 * SUPCON_CUDA_FORK=off puts nothing aside, SUPCON_CUDA_TF32=on lets f32 products be rounded to
 * TF32.
 */
#include "backend/cuda/multi.h"
#include "backend/module.h"

#include <stdlib.h>
#include <string.h>

enum {
    OLDEST_SM = 80,
    MEMORY_MIN = 256 << 20, /* bytes that have to be free: the libraries alone take as much */
};

static const struct backend_class recording_class, eager_class;

static bool is_set(const char *variable, const char *word)
{
    const char *value = getenv(variable);
    return value && strcmp(value, word) == 0;
}

/* --- which devices there are ------------------------------------------------------------------ */

static void version_text(char *out, size_t size, int version)
{
    snprintf(out, size, "%d.%d", version / 1000, version % 1000 / 10);
}

static void say_driver(char *why, size_t size)
{
    int driver = 0, runtime = 0;
    char has[16], needs[16];
    (void)cudaDriverGetVersion(&driver);
    (void)cudaRuntimeGetVersion(&runtime);
    version_text(has, sizeof has, driver);
    version_text(needs, sizeof needs, runtime);
    if (driver == 0)
        snprintf(why, size,
                 "no NVIDIA driver is loaded; install the GPU's driver, or use the "
                 "device cpu");
    else
        snprintf(why, size,
                 "the NVIDIA driver is too old: it supports CUDA %s, this program needs %s; update "
                 "the driver, or use the device cpu",
                 has, needs);
}

static void say_none(char *why, size_t size)
{
    const char *visible = getenv("CUDA_VISIBLE_DEVICES");
    if (visible)
        snprintf(why, size, "no GPU is visible: CUDA_VISIBLE_DEVICES is '%.60s'", visible);
    else
        snprintf(why, size, "the NVIDIA driver finds no GPU");
}

/* How many devices there are; -1 and why none can be used. */
static int count_devices(char *why, size_t size)
{
    int n = 0;
    cudaError_t status = cudaGetDeviceCount(&n);
    (void)cudaGetLastError();
    if (status == cudaSuccess && n > 0)
        return n;
    if (status == cudaErrorInsufficientDriver)
        say_driver(why, size);
    else if (status == cudaSuccess || status == cudaErrorNoDevice)
        say_none(why, size);
    else
        snprintf(why, size, "CUDA does not start: %s: %s", cudaGetErrorName(status),
                 cudaGetErrorString(status));
    return -1;
}

static void library_text(char *out, size_t size, const struct cudaDeviceProp *p)
{
    int dnn = (int)cudnnGetVersion(), blas = (int)cublasLtGetVersion();
    snprintf(out, size, "cuDNN %d.%d.%d, cuBLASLt %d.%d.%d, sm_%d%d, %d SMs", dnn / 10000,
             dnn % 10000 / 100, dnn % 100, blas / 10000, blas % 10000 / 100, blas % 100, p->major,
             p->minor, p->multiProcessorCount);
}

static void describe(struct device_info *info, int index)
{
    struct cudaDeviceProp p;
    int driver = 0;
    char version[16];
    *info = (struct device_info){.name = "CUDA"};
    snprintf(info->id, sizeof info->id, "cuda:%d", index);
    cudaError_t status = cudaGetDeviceProperties(&p, index);
    if (status != cudaSuccess) {
        (void)cudaGetLastError();
        snprintf(info->detail, sizeof info->detail, "it does not answer: %s",
                 cudaGetErrorString(status));
        return;
    }
    (void)cudaDriverGetVersion(&driver);
    version_text(version, sizeof version, driver);
    snprintf(info->name, sizeof info->name, "%.120s", p.name);
    snprintf(info->bus, sizeof info->bus, "%08x:%02x:%02x.0", (unsigned)p.pciDomainID,
             (unsigned)p.pciBusID, (unsigned)p.pciDeviceID);
    info->memory_bytes = p.totalGlobalMem;
    library_text(info->libraries, sizeof info->libraries, &p);
    info->usable = p.major * 10 + p.minor >= OLDEST_SM;
    if (info->usable)
        snprintf(info->detail, sizeof info->detail,
                 "compute capability %d.%d, %d multiprocessors, driver for CUDA %s", p.major,
                 p.minor, p.multiProcessorCount, version);
    else
        snprintf(info->detail, sizeof info->detail,
                 "%s has compute capability %d.%d; %d.%d (Ampere) or later is needed", info->name,
                 p.major, p.minor, OLDEST_SM / 10, OLDEST_SM % 10);
}

static int probe(struct device_info *out, int max)
{
    if (max < 1)
        return 0;
    *out = (struct device_info){.id = "cuda", .name = "CUDA"};
    int n = count_devices(out->detail, sizeof out->detail);
    if (n < 0)
        return 1;
    n = n < max ? n : max;
    for (int i = 0; i < n; i++)
        describe(&out[i], i);
    return n;
}

/* --- opening ---------------------------------------------------------------------------------- */

static int choose_device(struct device_info *info, int index, struct err *e)
{
    char why[320];
    int n = count_devices(why, sizeof why);
    if (n < 0)
        return err_set(e, EXIT_UNAVAILABLE, "no CUDA device: %s", why);
    if (index < 0 || index >= n)
        return err_set(e, EXIT_UNAVAILABLE,
                       "there %s %d CUDA device%s; cuda:%d was asked for (`supcon devices` lists "
                       "what there is)",
                       n == 1 ? "is" : "are", n, n == 1 ? "" : "s", index);
    describe(info, index);
    if (info->usable)
        return 0;
    return err_set(e, EXIT_UNAVAILABLE, "%s cannot be used: %s", info->id, info->detail);
}

/* The first call that needs the device itself: it may be another's, or full. */
static int first_use(const struct device *dev, struct err *e)
{
    size_t available = 0, total = 0;
    cudaError_t status = cudaSetDevice(cuda_of(dev)->index);
    if (status == cudaSuccess)
        status = cudaMemGetInfo(&available, &total);
    (void)cudaGetLastError();
    if (status == cudaErrorMemoryAllocation || (status == cudaSuccess && available < MEMORY_MIN))
        return err_set(e, EXIT_UNAVAILABLE,
                       "%s (%s) has no free memory: %zu of %zu MiB are free; end what else runs on "
                       "it, or use another device",
                       dev->info.id, dev->info.name, available >> 20, total >> 20);
    if (status == cudaSuccess)
        return 0;
    return err_set(e, EXIT_UNAVAILABLE,
                   "%s (%s) cannot be used: %s; another program may hold it for itself",
                   dev->info.id, dev->info.name, cudaGetErrorString(status));
}

static int open_streams(struct cuda *c, struct err *e)
{
    cudaStream_t *streams[] = {&c->copy, &c->communication};
    int least = 0, greatest = 0;
    if (CU(e, cudaDeviceGetStreamPriorityRange(&least, &greatest)) ||
        CU(e, cudaStreamCreateWithPriority(&c->compute, cudaStreamNonBlocking, greatest)))
        return -1;
    for (int i = 0; i < 2; i++)
        if (CU(e, cudaStreamCreateWithFlags(streams[i], cudaStreamNonBlocking)))
            return -1;
    return CU(e,
              cudaEventCreateWithFlags(&c->idle, cudaEventDisableTiming | cudaEventBlockingSync));
}

static int open_libraries(struct cuda *c, struct err *e)
{
    if (DNN(e, cudnnCreate(&c->dnn)) || DNN(e, cudnnSetStream(c->dnn, c->compute)))
        return -1;
    return BLAS(e, cublasLtCreate(&c->blas));
}

/* Statuses are ignored: after a lost device every call fails, and there is nothing to tell. */
static void close_device(struct device *dev)
{
    struct cuda *c = cuda_of(dev);
    if (!c)
        return;
    if (c->compute)
        (void)cudaStreamSynchronize(c->compute);
    cuda_aside_done(c);
    cuda_letters_done(c);
    cuda_staging_done(c);
    cuda_free(dev, c->squares, c->squares_bytes);
    if (c->blas)
        (void)cublasLtDestroy(c->blas);
    if (c->dnn)
        (void)cudnnDestroy(c->dnn);
    if (c->idle)
        (void)cudaEventDestroy(c->idle);
    cudaStream_t streams[] = {c->compute, c->copy, c->communication};
    for (int i = 0; i < 3; i++)
        if (streams[i])
            (void)cudaStreamDestroy(streams[i]);
    tuning_free(c->own);
    free(c);
    dev->impl = NULL;
}

static int open_all(struct device *dev, struct err *e)
{
    struct cuda *c = cuda_of(dev);
    if (first_use(dev, e) || open_streams(c, e) || cuda_aside_init(c, e) ||
        cuda_letters_init(c, e) || open_libraries(c, e))
        return -1;
    (void)k_overlap(!is_set("SUPCON_CUDA_OVERLAP", "off"));
    if (!dev->tuning)
        dev->tuning = c->own = tuning_new();
    return dev->tuning ? 0 : err_set(e, EXIT_OS, "out of memory while opening %s", dev->info.id);
}

static int open_device(struct device *dev, int index, const struct device_options *o, struct err *e)
{
    struct device_info info;
    if (choose_device(&info, index, e))
        return -1;
    struct cuda *c = calloc(1, sizeof *c);
    if (!c)
        return err_set(e, EXIT_OS, "out of memory while opening %s", info.id);
    *dev = (struct device){.class =
                               is_set("SUPCON_CUDA_GRAPH", "off") ? &eager_class : &recording_class,
                           .info = info,
                           .threads = 1,
                           .deterministic = o->deterministic,
                           .tuning = o->tuning,
                           .impl = c};
    c->index = index;
    c->tf32 = is_set("SUPCON_CUDA_TF32", "on");
    c->sums = !is_set("SUPCON_CUDA_SUMS", "off");
    c->forks = !is_set("SUPCON_CUDA_FORK", "off");
    snprintf(c->tuning_prefix, sizeof c->tuning_prefix, "cuda %.60s|%.70s%s%s", info.name,
             info.libraries, o->deterministic ? ", deterministic" : "", c->tf32 ? ", TF32" : "");
    if (open_all(dev, e) == 0)
        return 0;
    close_device(dev);
    return -1;
}

/* --- what it can do --------------------------------------------------------------------------- */

/* Sums of squares lose what a mean far from zero cancels: they serve where activations are coarser
 * than that. And cuDNN's kernels add to them in any order, which its notes do not say. */
static bool can_fuse(const struct device *dev, enum fusion f, const struct tensor *y)
{
    if (f == FUSE_CONV_SUMS)
        return cuda_of(dev)->sums && !dev->deterministic && y->dtype == DT_BF16;
    return f == FUSE_LINEAR_RELU ? y->ndim == 2 : y->ndim == 4;
}

static bool has_dtype(const struct device *dev, enum dtype dtype, char *why, size_t why_bytes)
{
    bool has = dtype == DT_F32 || dtype == DT_BF16;
    (void)dev;
    if (why && why_bytes)
        snprintf(why, why_bytes, "%s", has ? "" : "the CUDA backend computes in f32 or bf16");
    return has;
}

/* clang-format off */
#define COMMON                                                                                     \
    .name = "cuda", .help = "NVIDIA GPUs", .probe = probe, .open = open_device,                    \
    .close = close_device, .alloc = cuda_alloc, .free = cuda_free, .layout = cuda_layout,          \
    .upload = cuda_upload, .download = cuda_download, .accumulate = cuda_accumulate,               \
    .update = cuda_update, .sum_squares = cuda_sum_squares, .judge = cuda_judge,                   \
    .augment = cuda_augment, .sync = cuda_sync, .write = cuda_write, .copy = cuda_copy,            \
    .post = cuda_post, .fetch = cuda_fetch, .depth = CUDA_DEPTH, .memory_free = cuda_memory_free,  \
    .can_fuse = can_fuse, .has_dtype = has_dtype, .preferred = DT_BF16,                            \
    .peak = cuda_peak, .kernels = cuda_kernels, .multi_new = cuda_multi_new,                        \
    .multi_begin = cuda_multi_begin, .multi_end = cuda_multi_end,                                   \
    .multi_commit = cuda_multi_commit, .multi_free = cuda_multi_free
/* clang-format on */

static const struct backend_class eager_class = {COMMON};

static const struct backend_class recording_class = {
    COMMON, .record_begin = cuda_record_begin, .record_end = cuda_record_end, .replay = cuda_replay,
    .record_free = cuda_record_free};

__attribute__((visibility("default"))) module_entry supcon_backend;

const struct backend_class *supcon_backend(const char *abi)
{
    char own[MODULE_ABI_BYTES];
    return strcmp(abi, module_abi(own)) == 0 ? &recording_class : NULL;
}
