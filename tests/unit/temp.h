/* A temporary folder under $TMPDIR for a group of tests. */
#ifndef SUPCON_TESTS_UNIT_TEMP_H
#define SUPCON_TESTS_UNIT_TEMP_H

#include <stdio.h>
#include <stdlib.h>

/* Creates the folder; its name goes to out. Returns 0 or -1. */
static inline int temp_dir(char *out, size_t size)
{
    const char *base = getenv("TMPDIR");
    snprintf(out, size, "%s/supcon-test-XXXXXX", base && *base ? base : "/tmp");
    return mkdtemp(out) ? 0 : -1;
}

#endif
