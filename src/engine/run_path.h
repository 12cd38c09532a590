/*
 * What a path is that a person gave: a run, a checkpoint, or a file of one. Where something else of
 * a run was wanted, a sentence says what the path is and which one is right.
 */
#ifndef SUPCON_ENGINE_RUN_PATH_H
#define SUPCON_ENGINE_RUN_PATH_H

#include "base/err.h"

enum run_wanted { WANT_RECIPE, WANT_RUN, WANT_CHECKPOINT, WANT_WEIGHTS, WANT_N };

/* 0 when the path may be what is wanted, or is nothing of a run at all; -1 and EXIT_NOINPUT when it
 * is recognised as something else. */
int run_path_check(const char *path, enum run_wanted, struct err *);

#endif
