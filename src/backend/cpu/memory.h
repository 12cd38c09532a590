/*
 * Memory, layouts and copies of the CPU device; what they do is said in backend.h, whose functions
 * they are.
 */
#ifndef SUPCON_BACKEND_CPU_MEMORY_H
#define SUPCON_BACKEND_CPU_MEMORY_H

#include "backend/cpu/cpu.h"

size_t cpu_memory_free(struct device *);
int cpu_alloc(struct device *, size_t bytes, void **, struct err *);
void cpu_free(struct device *, void *, size_t bytes);

void cpu_layout(struct device *, struct tensor *);
int cpu_upload(struct device *, struct tensor *dst, const void *src, struct err *);
int cpu_download(struct device *, const struct tensor *src, void *dst, struct err *);
int cpu_accumulate(struct device *, struct tensor *y, const struct tensor *x, struct err *);

/* Channels that lie together: 16, 8, or 1 in a plain layout. */
int layout_block(int layout);
/* Elements as stored, padding included. */
int64_t stored_count(const struct tensor *);
/* How many runs [H][W][block] a 4-D tensor consists of, and how long they are. */
int64_t stored_runs(const struct tensor *, int64_t *run);

#endif
