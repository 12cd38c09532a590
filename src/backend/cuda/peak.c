/*
 * The most arithmetic a GPU does: a product of large square matrices by cuBLASLt, the best of a few
 * runs. The data sheet's figure is higher; this one is what a library gets at the clock of now.
 */
#include "backend/cuda/matmul.h"

enum { SIDE = 8192, RUNS = 6 }; /* the first warms up */

struct product {
    struct matmul matmul;
    size_t bytes; /* of a matrix */
    void *matrices[3], *workspace;
    cudaEvent_t start, end;
};

static int allocate(struct product *p, struct device *dev, enum dtype dtype, struct err *e)
{
    p->bytes = (size_t)SIDE * SIDE * dtype_size(dtype);
    for (int i = 0; i < 3; i++)
        if (cuda_noise(dev, p->bytes, dtype, &p->matrices[i], e))
            return -1;
    if (cuda_alloc(dev, p->matmul.workspace_bytes, &p->workspace, e))
        return -1;
    const struct matmul_places at = {
        .a = p->matrices[0], .b = p->matrices[1], .c = p->matrices[2], .workspace = p->workspace};
    if (matmul_bind(&p->matmul, &at, e) ||
        CU(e, cudaEventCreateWithFlags(&p->start, cudaEventDefault)))
        return -1;
    return CU(e, cudaEventCreateWithFlags(&p->end, cudaEventDefault));
}

static void release(struct product *p, struct device *dev)
{
    if (p->start)
        (void)cudaEventDestroy(p->start);
    if (p->end)
        (void)cudaEventDestroy(p->end);
    for (int i = 0; i < 3; i++)
        cuda_free(dev, p->matrices[i], p->bytes);
    cuda_free(dev, p->workspace, p->matmul.workspace_bytes);
    matmul_done(&p->matmul);
}

static int measure(struct product *p, struct device *dev, double *gflops, struct err *e)
{
    cudaStream_t stream = cuda_of(dev)->compute;
    *gflops = 0;
    for (int i = 0; i < RUNS; i++) {
        float ms = 0;
        if (CU(e, cudaEventRecord(p->start, stream)) || matmul_run(&p->matmul, dev, e) ||
            CU(e, cudaEventRecord(p->end, stream)) || CU(e, cudaEventSynchronize(p->end)) ||
            CU(e, cudaEventElapsedTime(&ms, p->start, p->end)))
            return -1;
        double now = ms > 0 ? 2e-6 * SIDE * SIDE * SIDE / (double)ms : 0;
        if (i > 0 && now > *gflops)
            *gflops = now;
    }
    return 0;
}

int cuda_peak(struct device *dev, enum dtype dtype, double *gflops, struct err *e)
{
    const struct matmul_shape shape = {
        .dtype = dtype, .rows = SIDE, .columns = SIDE, .inner = SIDE, .untimed = true};
    struct product p = {0};
    int rc = matmul_init(&p.matmul, dev, &shape, e);
    if (rc == 0)
        rc = allocate(&p, dev, dtype, e);
    if (rc == 0)
        rc = measure(&p, dev, gflops, e);
    release(&p, dev);
    return rc;
}
