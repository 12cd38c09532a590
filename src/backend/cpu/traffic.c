/*
 * The small traffic between a step and the host, where device memory is host memory: everything has
 * happened when a call returns, so one step at a time is on its way and a posted report is there.
 */
#include "backend/cpu/cpu.h"

#include <math.h>
#include <string.h>

int cpu_write(struct device *dev, void *dst, const void *src, size_t bytes, struct err *e)
{
    (void)dev;
    (void)e;
    memcpy(dst, src, bytes);
    return 0;
}

int cpu_post(struct device *dev, int slot, const void *src, size_t bytes, struct err *e)
{
    if (slot != 0 || bytes > CPU_POST)
        return err_set(e, EXIT_SOFTWARE, "%zu bytes were posted to slot %d of the CPU", bytes,
                       slot);
    memcpy(cpu_of(dev)->posted, src, bytes);
    return 0;
}

int cpu_fetch(struct device *dev, int slot, void *dst, size_t bytes, bool wait, struct err *e)
{
    (void)wait;
    if (slot != 0 || bytes > CPU_POST)
        return err_set(e, EXIT_SOFTWARE, "%zu bytes were fetched from slot %d of the CPU", bytes,
                       slot);
    memcpy(dst, cpu_of(dev)->posted, bytes);
    return 1;
}

int cpu_judge(struct device *dev, int n, const float *stats, int n_squares, const double *squares,
              uint32_t *held, struct err *e)
{
    (void)dev;
    (void)e;
    for (int i = 0; i < n; i++)
        *held |= !isfinite(stats[i * STAT_N + STAT_LOSS]);
    for (int i = 0; i < n_squares; i++)
        *held |= !isfinite(squares[i]);
    return 0;
}
