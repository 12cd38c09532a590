/*
 * What happened: records of at most 256 bytes, passed by value from the engine to whoever watches.
 * Text that does not fit is cut. In-process watchers and, later, socket clients read the same
 * records.
 */
#ifndef SUPCON_ENGINE_EVENT_H
#define SUPCON_ENGINE_EVENT_H

#include <stdbool.h>
#include <stdint.h>

enum engine_state {
    STATE_IDLE,
    STATE_PREPARING,
    STATE_RUNNING,
    STATE_PAUSED,
    STATE_SAVING,
    STATE_EVALUATING,
    STATE_STOPPED,
    STATE_FAILED
};
const char *engine_state_name(enum engine_state);

enum event_kind {
    EV_PHASE,       /* u.text: what is being prepared ("tuning convolutions 12/40"); "" when done */
    EV_RUN,         /* u.run */
    EV_STATE,       /* u.state */
    EV_ITER,        /* u.iter: every iteration */
    EV_VALID,       /* u.valid: after every epoch, when there is a validation split */
    EV_CHECKPOINT,  /* u.ckpt: one was committed */
    EV_PRUNED,      /* u.ckpt: one was removed (step only) */
    EV_SAVE_FAILED, /* u.text: the reason; training goes on */
    EV_SWITCH,      /* u.sw: the objective changed */
    EV_LINEAR_ITER, /* u.lin: progress of a linear evaluation */
    EV_LINEAR_DONE, /* u.linres */
    EV_LINEAR_FAILED, /* u.text */
    EV_ACK,           /* u.ack: answer to a command */
    EV_LOG,           /* u.log */
    EV_DONE,          /* u.done: the engine has ended */
    EV_SETUP,         /* u.setup: what trains on what; once, before the first iteration */
    EV_N
};

struct event {
    uint16_t kind;
    uint16_t rank;
    uint32_t seq;
    int64_t usec;  /* wall clock, microseconds since 1970 */
    bool replayed; /* history of a resumed run, for the plots */
    union {
        char text[200];
        struct {
            char name[64], dir[120];
        } run; /* name of the run, run directory */
        struct {
            int32_t state;
            bool linear; /* evaluating, or paused while evaluating: a linear evaluation, else the
                            validation split */
        } state;
        struct {
            int64_t giter; /* global iteration, 0-based: updates completed before this one */
            int32_t epoch, epochs, iter, iters; /* all 0-based but the counts */
            char objective[24];
            double loss, acc; /* acc in per cent: classifier, or nearest neighbour in the batch; NaN
                                 unknown */
            double probe_acc; /* per cent, NaN if there is none */
            double position;  /* 0 floor .. 1 plateau; NaN where meaningless */
            double lr, grad_norm, views_per_s, data_ms, step_ms, temperature;
            int32_t lonely; /* anchors without positives */
            int32_t batch;  /* samples */
            double eta_s;   /* NaN unknown */
        } iter;
        struct {
            int64_t giter;
            int32_t epoch, epochs;
            double loss, top1, top5, sec;
            bool best;
            bool probe;
        } valid; /* per cent */
        struct {
            int64_t step;
            int32_t epoch, epochs;
            int64_t bytes;
            double sec, valid_top1;
            bool best;
            char path[120];
        } ckpt;
        struct {
            int64_t giter;
            int32_t epoch, epochs;
            char from[24], to[24];
        } sw;
        struct {
            int64_t step;
            int32_t epoch, epochs, iter, iters;
            int64_t giter;
            double loss, acc;
            int32_t n_rates;
            double lr;
        } lin;
        struct {
            int64_t step;
            double top1, top5, loss, lr, valid_top1, sec;
            int32_t n_rates;
            char data[24];
        } linres; /* per cent, test split */
        struct {
            uint32_t ticket;
            int32_t command;
            bool accepted;
            char reason[160];
        } ack;
        struct {
            int32_t level;
            char line[192];
        } log;
        struct {
            int32_t code;
            int64_t giter;
            int32_t epochs;
            double best, sec;
            char ckpt[120];
        } done; /* code: enum exit_code or 0 */
        struct {
            char device[64], detail[64]; /* "AMD EPYC", "2 threads, AVX-512" */
            char backend[16], arch[32], objective[24];
            int64_t n_train, n_valid;
            int32_t epochs, iters, log_every; /* iters: per epoch */
        } setup;
    } u;
};

_Static_assert(sizeof(struct event) <= 256, "events are passed by value");

#endif
