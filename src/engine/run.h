/*
 * A run directory: one writer at a time, everything a run leaves behind, readable without this
 * program.
 *
 *     .lock            held (flock) by the process that writes; holds its pid and host
 *     config.cfg       the resolved settings: a recipe that repeats the run
 *     run.json         identity: version, uuid, start, host, device, libraries, recipe
 *     run.log          diagnostics, one line each with the time
 *     metrics.jsonl    see metrics.h
 *     checkpoints/     see checkpoint.h
 *     linear/          results of linear evaluations, see linear.h
 *
 * Files are the truth; nothing else knows of a run.
 */
#ifndef SUPCON_ENGINE_RUN_H
#define SUPCON_ENGINE_RUN_H

#include "base/file.h"
#include "base/log.h"
#include "engine/settings.h"
#include <jansson.h>

struct device;

struct run {
    char dir[PATH_BYTES];         /* as given or chosen; may be relative to the working directory */
    char checkpoints[PATH_BYTES]; /* DIR/checkpoints */
    char name[64];
    char uuid[37];
    bool open, resumed;
    int lock_fd, log_fd, log_sink;
    json_t *identity; /* what run.json holds */
};

/*
 * A new run. dir "": RUNS/NAME-YYYYmmdd-HHMMSS under settings->run.runs, where NAME is the key
 * `name`, else the recipe's file name; otherwise exactly `dir`. Paths in the settings (data.path,
 * init.weights) become absolute, so that config.cfg works from anywhere. `recipe`: the path the
 * settings came from, "" if none. From here on log lines are also kept in run.log.
 * EXIT_CANTCREATE: the directory is a run already (use --resume), is in use by another process, is
 * neither empty nor a run, or cannot be created or written.
 */
int run_create(struct run *, struct settings *, const char *recipe, const char *dir, struct err *);

/* An existing run, to be continued: locks it and reads config.cfg into *settings. EXIT_NOINPUT if
 * there is none, EXIT_CANTCREATE if another process uses it, EXIT_CONFIG if config.cfg is damaged.
 */
int run_open(struct run *, const char *dir, struct settings *, struct err *);

/* Other settings for an open run from now on: config.cfg is replaced. Paths become absolute. */
int run_change(struct run *, struct settings *, struct err *);

/* The settings of a run without locking it (evaluations, listings). */
int run_settings(const char *dir, struct settings *, struct err *);

/* Unlocks; accepts a run whose creation failed, and a zeroed one. */
void run_close(struct run *);

/* One key of run.json, replaced atomically. Takes the reference to `value`. */
int run_record(struct run *, const char *key, json_t *value_take, struct err *);
/* "device" and "libraries" of run.json. */
int run_record_device(struct run *, const struct device *, struct err *);

/* A line of run.log: time, word for the level, the line, its end. Returns the length. */
enum { RUN_LINE_BYTES = 1400 };
size_t run_log_format(char text[RUN_LINE_BYTES], enum log_level, const char *line);
/* Appends such lines: what is not for the log of the process, or came before the run was there. */
void run_log_put(const struct run *, const char *text, size_t n);

/* True if `dir` holds a run (config.cfg and run.json). */
bool run_is(const char *dir);
/* The process that holds the run's lock: "process 1234 on HOST"; false if nobody does. */
bool run_busy(const char *dir, char *who, size_t size);

struct run_entry {
    char dir[PATH_BYTES], name[128];
    char arch[32], objective[32]; /* "" unknown; the objective of the newest checkpoint */
    int64_t step;                 /* of the newest checkpoint, -1: none yet */
    int64_t time;                 /* of the last change, seconds since 1970 */
    bool busy;                    /* another process is writing to it */
};

/* The runs in a folder, last changed first. A missing folder holds none. The caller frees *out. */
int run_list(const char *runs, struct run_entry **out, int *n, struct err *);

#endif
