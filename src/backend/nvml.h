/*
 * What NVIDIA's management library says of a GPU while it works: memory, load, power, temperature.
 * The library is loaded when it is first asked for; where it is missing, nothing is known, which is
 * no error.
 */
#ifndef SUPCON_BACKEND_NVML_H
#define SUPCON_BACKEND_NVML_H

#include <stdbool.h>
#include <stdint.h>

struct nvml; /* the loaded library and one GPU */

enum nvml_valid { NVML_MEMORY = 1, NVML_LOAD = 2, NVML_POWER = 4, NVML_LIMIT = 8, NVML_HEAT = 16 };

struct nvml_sample {
    unsigned valid; /* bits of enum nvml_valid: which of the following are known */
    uint64_t memory_total, memory_used; /* bytes, of all programs */
    unsigned load;                      /* per cent of the last moments with a kernel running */
    double power, power_limit;          /* watts */
    unsigned celsius;
};

/* bus: the PCI address, as device_info.bus. NULL where the library or the GPU is not known. */
struct nvml *nvml_open(const char *bus);
void nvml_close(struct nvml *); /* takes NULL */
/* Not before a tenth of a second has passed is there anything new. */
void nvml_read(struct nvml *, struct nvml_sample *out);

/* "31.2 of 80.0 GiB used, 45 % busy, 310 of 700 W, 54 C"; "" if nothing is known. */
enum { NVML_TEXT = 128 };
const char *nvml_text(char out[NVML_TEXT], const struct nvml_sample *);

#endif
