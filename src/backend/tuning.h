/*
 * The record of timed choices: key (device, library version, op, pass, shape, dtype, threads) ->
 * algorithm. Kernels ask it before they time anything and put their choice in. It is loaded from
 * the cache folder for a new run, written into the run and into every checkpoint, and loaded from
 * there when a run is repeated or resumed, so that timing noise never changes results.
 */
#ifndef SUPCON_BACKEND_TUNING_H
#define SUPCON_BACKEND_TUNING_H

#include "base/err.h"
#include <jansson.h>
#include <stdbool.h>

struct tuning;

struct tuning *tuning_new(void);
void tuning_free(struct tuning *);
struct tuning *tuning_copy(const struct tuning *); /* shares nothing; NULL: out of memory */
const char *tuning_get(const struct tuning *, const char *key,
                       double *ms); /* NULL: unknown; ms may be NULL */
void tuning_put(struct tuning *, const char *key, const char *algorithm, double ms);
bool tuning_dirty(const struct tuning *); /* something was put since the last load or save */

/*
 * Timing takes minutes for a large network, so whoever waits may watch: `fn` hears, before
 * each part and each timing, which part (from 1) of how many is being prepared and whether
 * something is about to be timed; false ends the preparation with EXIT_AGAIN. NULL: nobody watches.
 * The functions below accept a NULL record.
 */
typedef bool tuning_watch_fn(void *ctx, int part, int parts, bool timing);
void tuning_watch(struct tuning *, tuning_watch_fn *, void *ctx);
/* Part `part` of `parts` is begun. */
int tuning_part(struct tuning *, int part, int parts, struct err *);
/* A candidate is about to be timed. */
int tuning_timing(struct tuning *, struct err *);

/* Only keys that were asked for or put since tuning_new are written by tuning_json (a run's record
 * stays small). */
json_t *tuning_json(const struct tuning *);
int tuning_add_json(struct tuning *, const json_t *, struct err *);

/* $XDG_CACHE_HOME/supcon/tuning.json; a missing or damaged file is an empty one (damage is logged).
 * Saving merges with what another process wrote meanwhile and renames into place. */
void tuning_load_cache(struct tuning *);
void tuning_save_cache(const struct tuning *);

#endif
