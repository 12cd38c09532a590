/*
 * Saving beside training: a thread writes checkpoints from a snapshot (snapshot.h), which is all
 * that training waits for. One save at a time. Results are taken by the thread that started the
 * save; nothing here is reported or retried.
 */
#ifndef SUPCON_ENGINE_SAVER_H
#define SUPCON_ENGINE_SAVER_H

#include "engine/checkpoint.h"
#include "engine/metrics.h"

struct saver;

struct save_result {
    int rc; /* 0, or -1 with `err` */
    struct err err;
    struct checkpoint_saved saved;
    struct checkpoint_state state; /* what was saved */
};

/* Allocates the snapshot of this network and starts the thread. */
int saver_new(struct saver **, const struct network *, struct err *);
/* Waits for a save that is being written; its result is lost. NULL is fine. */
void saver_free(struct saver *);

/*
 * Copies the network and whatever else of *source may change, and returns; `settings` is borrowed
 * until the result is taken. The rows that `metrics` has been given so far are on the disk before
 * the checkpoint counts. The result of the save before must have been taken.
 */
int saver_start(struct saver *, const struct checkpoint_source *, struct metrics *, struct err *);
bool saver_busy(const struct saver *); /* a result is still to be taken */
/* True: *out is the result. False: there is none (yet, unless `wait`). */
bool saver_take(struct saver *, bool wait, struct save_result *out);
int saver_fd(const struct saver *); /* readable while a result waits */

#endif
