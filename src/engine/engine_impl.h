/*
 * The engine's inside, shared by its files: engine.c (life of the thread), control.c (state and
 * commands), session.c (prepare, train, end), save.c (checkpoints and evaluations), report.c
 * (events). Everything below the first part belongs to the engine thread alone.
 */
#ifndef SUPCON_ENGINE_ENGINE_IMPL_H
#define SUPCON_ENGINE_ENGINE_IMPL_H

#include "base/queue.h"
#include "engine/engine.h"
#include "engine/meter.h"
#include "engine/metrics.h"
#include "engine/run.h"
#include "engine/saver.h"
#include "engine/trainer.h"
#include "engine/watch.h"

#include <pthread.h>
#include <stdatomic.h>

enum stopping { STOP_NO, STOP_SAVE, STOP_ABANDON };

enum { COMMANDS_MAX = 64, LOGS_MAX = 256 };

struct log_entry {
    int32_t level;
    char line[192];
};

struct engine {
    struct engine_options options;
    struct watchers watchers;
    struct queue *commands; /* struct command */
    struct queue *logs;     /* struct log_entry, from any thread */
    pthread_mutex_t post;   /* guards `tickets` and `ended` */
    uint32_t tickets;
    bool ended; /* no command is accepted any more */
    pthread_t thread;
    bool started, joined;
    int log_sink;
    pthread_mutex_t early_lock; /* guards the two below, from any thread */
    char *early;                /* lines for run.log from before there was one */
    size_t n_early;
    bool early_ended;

    struct settings settings; /* in force */
    struct run run;
    bool has_run;
    struct metrics *metrics;
    struct trainer trainer;
    atomic_bool ready; /* the trainer can step, and can be saved; any thread may ask */
    struct meter meter;

    enum engine_state state;
    enum stopping stopping;
    int stop_code;
    struct command later[COMMANDS_MAX]; /* they wait for a state that takes them */
    int n_later;
    bool linear;                   /* a linear evaluation runs */
    bool eval_paused, eval_cancel; /* that evaluation */
    int64_t eval_sent;             /* when its last progress was reported, microseconds */
    bool announced;                /* a preparation text is on display */
    int64_t phase_sent;            /* when the last one was sent, microseconds */

    struct saver *saver;
    int64_t saving_step; /* on its way to the disk, -1: none */
    int64_t saved_step;  /* of the newest checkpoint, -1: none */
    char saved_path[PATH_BYTES];
    int64_t retry_at; /* microseconds; 0: the last save did not fail */
    int64_t retry_wait;
    bool gave_up;     /* the last save */
    double best_top1; /* per cent, NaN: none yet */
    int64_t start_usec;

    int exit_code;
    struct err err; /* of the run, when it failed */
};

/* engine.c */

/* A line for run.log alone. Engine thread. */
void engine_note(struct engine *, enum log_level, const char *line);
/* The run is there: what had to wait goes to its log. */
void engine_run_is_there(struct engine *);

/* control.c */

/* Answers what waits as a state `row` does; never blocks. */
void control_poll(struct engine *, enum engine_state row);
/* Also what had to wait for this state. Between steps only. */
void control_boundary(struct engine *);
/* A command waits for the next boundary. */
bool control_waiting(const struct engine *);
/* Blocks until a command or a log line has come, or a save has ended. */
void control_wait(struct engine *);
void control_wait_ms(struct engine *, int ms);
/* Takes the commands that wait, in a run that is ending: only giving up means something then, or
 * to try again at once. True: one of them was there. */
bool control_ending(struct engine *);
/* No command is accepted from now on; what still waits is refused. */
void control_refuse_rest(struct engine *);

/* session.c */
void session_run(struct engine *); /* all of the thread's work; sets exit_code and err */

/* save.c */

/* Begins to save, unless this step is saved already or about to be; first waits for the save
 * before. What comes of it is an event, later; after a failure the next attempt is planned. */
void save_soon(struct engine *);
/* The same, and waits until it is done. */
int save_now(struct engine *, struct err *);
int save_quietly(struct engine *, struct err *); /* without changing the state */
/* Reports the save that has ended, or, with `wait`, will; 0 also when there is none. */
int save_collect(struct engine *, bool wait, struct err *);
bool save_due(const struct engine *);     /* by the recipe, or because the last save failed */
int64_t save_step(const struct engine *); /* the next step the recipe wants saved */
/* After an epoch, when there is something to validate on. Stops early when the run is stopped. */
int run_validation(struct engine *, struct err *);
/* Blocks until the evaluation has ended; results and failures are events. Returns the exit code it
 * would be worth. */
int run_linear(struct engine *, int64_t step);
bool linear_known(const struct engine *, int64_t step); /* a result is kept already */

/* save_last.c */

/* The state at the end of training. A failing save is tried again for checkpoint.retry_seconds;
 * where a person is, the process stays with the state until it is saved or given up. */
int save_last(struct engine *, struct err *);

/* report.c */
void report(struct engine *, struct event *); /* to watchers and metrics; log lines go first */
void report_state(struct engine *, enum engine_state, bool linear);
void report_logs(struct engine *);
void report_phase(struct engine *, const char *text); /* "": done */
void report_text(struct engine *, enum event_kind, const char *text);
void report_run(struct engine *);
void report_setup(struct engine *);
void report_iter(struct engine *, const struct step_stats *);
void report_ack(struct engine *, const struct command *, bool accepted, const char *reason);
void report_switch(struct engine *);
void report_done(struct engine *);
int report_history(struct engine *, struct err *); /* of a resumed run */
/* Epoch that the last completed step belonged to. */
int32_t epoch_done(const struct engine *);

#endif
