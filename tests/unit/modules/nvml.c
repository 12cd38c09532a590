/* A management library for the tests: one GPU at address 00000000:17:00.0, which knows all but its
 * temperature and says that its load cannot be had. */
#include <string.h>

struct memory {
    unsigned long long total, available, used;
};
enum { OK = 0, NOT_SUPPORTED = 3, NOT_FOUND = 6 };

int nvmlInit_v2(void);
int nvmlShutdown(void);
int nvmlDeviceGetHandleByPciBusId_v2(const char *bus, void **gpu);
int nvmlDeviceGetMemoryInfo(void *gpu, struct memory *);
int nvmlDeviceGetUtilizationRates(void *gpu, void *rates);
int nvmlDeviceGetPowerUsage(void *gpu, unsigned *milliwatts);
int nvmlDeviceGetEnforcedPowerLimit(void *gpu, unsigned *milliwatts);
int nvml_users(void);

static int users, the_gpu;

int nvml_users(void)
{
    return users;
}

int nvmlInit_v2(void)
{
    users++;
    return OK;
}

int nvmlShutdown(void)
{
    users--;
    return OK;
}

int nvmlDeviceGetHandleByPciBusId_v2(const char *bus, void **gpu)
{
    *gpu = &the_gpu;
    return strcmp(bus, "00000000:17:00.0") == 0 ? OK : NOT_FOUND;
}

int nvmlDeviceGetMemoryInfo(void *gpu, struct memory *m)
{
    *m = (struct memory){80ull << 30, 60ull << 30, 20ull << 30};
    return gpu == &the_gpu ? OK : NOT_FOUND;
}

int nvmlDeviceGetUtilizationRates(void *gpu, void *rates)
{
    (void)gpu;
    (void)rates;
    return NOT_SUPPORTED;
}

int nvmlDeviceGetPowerUsage(void *gpu, unsigned *milliwatts)
{
    *milliwatts = 310400;
    return gpu == &the_gpu ? OK : NOT_FOUND;
}

int nvmlDeviceGetEnforcedPowerLimit(void *gpu, unsigned *milliwatts)
{
    *milliwatts = 700000;
    return gpu == &the_gpu ? OK : NOT_FOUND;
}
