/*
 * Statuses of CUDA, cuDNN and cuBLASLt as sentences. Some errors of CUDA stay: every later call
 * answers with them, and what lies in device memory is not to be trusted. They get the exit code
 * of a missing device, so that nothing is saved from it and the last checkpoint stands.
 */
#include "backend/cuda/cuda.h"

#include <string.h>

/* After these the context is gone. */
static const int lost[] = {
    cudaErrorIllegalAddress, cudaErrorECCUncorrectable, cudaErrorLaunchFailure,
    cudaErrorHardwareStackError, cudaErrorIllegalInstruction, cudaErrorMisalignedAddress,
    cudaErrorInvalidAddressSpace, cudaErrorInvalidPc, cudaErrorAssert, cudaErrorLaunchTimeout,
    cudaErrorNvlinkUncorrectable, cudaErrorDevicesUnavailable, cudaErrorUnknown,
    /* Which older headers lack: */
    226, /* cudaErrorContained */
    721, /* cudaErrorTensorMemoryLeak */
};

static bool is_lost(int status)
{
    for (size_t i = 0; i < sizeof lost / sizeof *lost; i++)
        if (lost[i] == status)
            return true;
    return false;
}

/* The function of "cudaMalloc(out, bytes)". */
static int name_length(const char *call)
{
    return (int)strcspn(call, "(");
}

int cuda_check(struct err *e, int status, const char *call)
{
    if (status == (int)cudaSuccess)
        return 0;
    cudaError_t error = (cudaError_t)status;
    int n = name_length(call);
    if (is_lost(status))
        return err_set(e, EXIT_UNAVAILABLE,
                       "the GPU was lost (%.*s: %s: %s); resume the run from its last checkpoint",
                       n, call, cudaGetErrorName(error), cudaGetErrorString(error));
    (void)cudaGetLastError(); /* this one does not stay */
    return err_set(e, error == cudaErrorMemoryAllocation ? EXIT_OS : EXIT_SOFTWARE,
                   "CUDA: %.*s: %s: %s", n, call, cudaGetErrorName(error),
                   cudaGetErrorString(error));
}

/*
 * What our own runtime says of the device. Libraries have a runtime of their own, whose errors do
 * not show in ours; but a lost device fails every call. What does not stay is cleared, so that the
 * next launch is not told of it.
 */
static cudaError_t device_state(void)
{
    size_t available, total;
    cudaError_t below = cudaPeekAtLastError();
    if (!is_lost((int)below))
        below = cudaMemGetInfo(&available, &total);
    (void)cudaGetLastError();
    return below;
}

/* A library's failure may be the device's. */
static int library_failed(struct err *e, const char *library, const char *call, const char *words,
                          bool memory)
{
    cudaError_t below = device_state();
    if (is_lost((int)below))
        return cuda_check(e, (int)below, call);
    return err_set(e, memory ? EXIT_OS : EXIT_SOFTWARE, "%s: %.*s: %s", library, name_length(call),
                   call, words);
}

int cuda_check_dnn(struct err *e, cudnnStatus_t status, const char *call)
{
    if (status == CUDNN_STATUS_SUCCESS)
        return 0;
    bool memory = status == CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED ||
                  status == CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED;
    return library_failed(e, "cuDNN", call, cudnnGetErrorString(status), memory);
}

int cuda_check_blas(struct err *e, cublasStatus_t status, const char *call)
{
    if (status == CUBLAS_STATUS_SUCCESS)
        return 0;
    return library_failed(e, "cuBLASLt", call, cublasLtGetStatusString(status),
                          status == CUBLAS_STATUS_ALLOC_FAILED);
}
