/*
 * Checkpoints: a folder per step, committed whole or not at all.
 *
 *     step-NNNNNNNN/               completed updates, decimal
 *         model.safetensors        encoder and live heads under torchvision's names
 *         train.safetensors        the rest: probe head, idle heads, optimizer slots (slot0.NAME,
 *                                  slot1.NAME), num_batches
 *         manifest.json            counters, settings, tuning record, exactness; size and CRC-32C
 *                                  of both files
 *     latest, best                 symbolic links; hints, the folders are the truth
 *
 * A save goes to step-N.tmp-PID-RAND: files, fsync each, fsync of the folder, rename without
 * replacing, fsync of the parent. Loading verifies sizes and checksums first; a damaged checkpoint
 * is named, renamed to *.corrupt, and the one before it is used.
 */
#ifndef SUPCON_ENGINE_CHECKPOINT_H
#define SUPCON_ENGINE_CHECKPOINT_H

#include "backend/tuning.h"
#include "base/file.h"
#include "engine/network.h"
#include "engine/settings.h"

enum { CHECKPOINT_SWITCHES = 64, CHECKPOINT_FORMAT = 1 };

/* Where training is at a step boundary, besides its tensors. */
struct checkpoint_state {
    int64_t step;            /* completed updates */
    int64_t epoch, position; /* next batch: index `position` of `epoch` */
    char objective[32];      /* in force */
    uint64_t seed;
    double valid_loss, valid_top1,
        valid_top5;        /* per cent, measured at exactly this step; NaN: not */
    int64_t metrics_bytes; /* length of metrics.jsonl at this step (metrics_flush), -1 unknown */
    char data[128];        /* fingerprint of the data set */
    int n_switches;
    struct {
        int64_t step;
        char from[32], to[32];
    } switches[CHECKPOINT_SWITCHES]; /* the newest ones */
};

struct checkpoint_source {
    const char *dir; /* the run's checkpoints/ */
    const struct network *net;
    const struct settings *settings;
    const struct tuning *tuning; /* may be NULL */
    const struct checkpoint_state *state;
    int keep; /* newest ones to keep besides the best; at least 1 */
};

struct checkpoint_saved {
    char path[PATH_BYTES];
    int64_t step, bytes;
    double sec;
    bool best; /* highest valid_top1 so far */
    int n_pruned;
    int64_t pruned[64];
};

/*
 * Saves. When a committed checkpoint of this step is there already, it is left alone and reported
 * as saved (the state at a step is unique). On failure (EXIT_IO: the message has the bytes needed
 * and free) the older checkpoints are untouched and the temporary folder is gone; training may go
 * on. A failure to prune or to set a link is logged, not reported. Nothing in *net changes.
 */
int checkpoint_save(const struct checkpoint_source *, struct checkpoint_saved *, struct err *);

/* Removes what an interrupted save left behind. Call once when the run has been locked. */
void checkpoint_clean(const char *dir);

/*
 * The newest valid checkpoint. Damaged ones are logged with file, offset and reason, and renamed to
 * step-N.corrupt. EXIT_NOINPUT: there is none at all (the run has not saved yet); EXIT_DATA: all
 * are damaged.
 */
int checkpoint_latest(const char *dir, char path[PATH_BYTES], struct err *);

/* Steps of the checkpoint folders, ascending, unverified; the caller frees *steps. */
int checkpoint_list(const char *dir, int64_t **steps, int *n, struct err *);
/* DIR/step-NNNNNNNN */
int checkpoint_path(const char *dir, int64_t step, char path[PATH_BYTES], struct err *);
/* Step of the folder that DIR/best points to, -1 if there is none. */
int64_t checkpoint_best(const char *dir);

/*
 * Verifies (sizes, checksums, format version) and reads the manifest. settings and tuning may be
 * NULL; tuning gets the checkpoint's record of algorithm choices added. EXIT_NOINPUT: no such
 * folder or not a checkpoint; EXIT_DATA: damaged, or written by a newer version.
 */
int checkpoint_read(const char *path, struct checkpoint_state *, struct settings *, struct tuning *,
                    struct err *);

/* Loads all tensors into a network of the same shape, optimizer slots included (allocated when
 * needed). EXIT_DATA naming file and tensor if anything does not fit. */
int checkpoint_restore(const char *path, struct network *, struct err *);

/* Logs one notice per item of the exactness record (backend, device, libraries, threads, data)
 * that differs now: resuming is then no longer bit-identical. Returns how many differ. */
int checkpoint_compare(const char *path, const struct network *, const char *data_fingerprint);

/* Bytes of all files in a checkpoint, and a CRC-32C over them: for "unchanged by evaluation". */
int checkpoint_digest(const char *path, uint32_t *crc, int64_t *bytes, struct err *);

#endif
