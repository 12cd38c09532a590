/*
 * The processor: its name, and how many of its threads are ours.
 */
#ifndef SUPCON_BACKEND_CPU_PROCESSOR_H
#define SUPCON_BACKEND_CPU_PROCESSOR_H

#include <stddef.h>

/* As /proc/cpuinfo has it, without double blanks: "AMD EPYC 9654 96-Core Processor". */
void processor_name(char *out, size_t size);
/* Name, family, model and stepping: what timings on record are for. */
void processor_id(char *out, size_t size);
/* `asked`, or when 0 the affinity mask's count, limited by SLURM_CPUS_PER_TASK; at least 1. */
int processor_threads(int asked);

#endif
