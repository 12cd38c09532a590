/*
 * What is known of the run, from its events alone. Panes, dialogs and the status line read it; only
 * model_event changes it (and the two notes of what was asked for and not yet answered).
 */
#ifndef SUPCON_TUI_MODEL_H
#define SUPCON_TUI_MODEL_H

#include "engine/command.h"
#include "engine/event.h"
#include <math.h>

enum { MODEL_CHECKPOINTS = 256 };

struct checkpoint_row {
    int64_t step, usec, bytes;
    double valid_top1;       /* per cent, NaN unknown */
    double linear1, linear5; /* per cent, NaN: not evaluated */
    bool best, pruned;
    char path[120];
};

struct model {
    char run[64], dir[120];
    char phase[200]; /* being prepared; "" when done */
    int64_t phase_usec;
    int state;       /* enum engine_state */
    bool evaluating; /* a linear evaluation runs, or is paused */
    int64_t state_usec, first_usec, now_usec;
    bool cancelled;     /* the last linear evaluation, as was asked for */
    bool paused_before; /* training was paused when the linear evaluation began */
    int64_t eval_usec;  /* when the linear evaluation began */
    bool started;       /* iterations have been seen */
    bool trained;       /* training has come to its end, the engine waits for commands */
    bool finished;      /* the engine has ended */

    struct event setup; /* kind 0 until it is known */
    struct event iter;  /* last EV_ITER */
    struct event valid; /* last EV_VALID, kind 0 if none */
    struct event done;
    struct event linear; /* last EV_LINEAR_ITER of the running evaluation; kind 0: none runs */
    char objective[24];
    int64_t n_nonfinite, nonfinite_at;
    int collapsed; /* iterations in a row at the plateau */

    struct checkpoint_row ckpt[MODEL_CHECKPOINTS]; /* ascending steps */
    int n_ckpt;
    int64_t saved_usec, saved_step; /* -1: nothing saved yet */
    bool save_failed;               /* the last attempt failed */

    int asked; /* enum command_kind that waits for its answer, -1: none */
    bool stopping;
    int n_warnings, n_errors;
};

void model_init(struct model *);
void model_event(struct model *, const struct event *);

/* Completed updates; an iteration that was not finite is none. */
int64_t model_done(const struct model *);
/* Those of the present epoch. */
int model_iter(const struct model *);
/* Iterations that would be lost if the run ended now. */
int64_t model_unsaved(const struct model *);
/* Whether an answer that is no says no more than that nothing had to be done, as for a step that
 * is saved already. */
bool model_ack_is_note(const struct event *);
/* Evaluated or not, by step; NULL if unknown. */
struct checkpoint_row *model_checkpoint(struct model *, int64_t step);
/* Why the run cannot do it in its present state; NULL: it can, now or after what it is busy with.
 */
const char *model_refusal(const struct model *, enum command_kind);
/* Word and glyph index (enum engine_state) for the state as the person should see it: what was
 * asked for counts ("PAUSING"). */
const char *model_state_word(const struct model *, int *glyph);
/* At the collapsed plateau for 50 iterations. */
bool model_is_collapsed(const struct model *);
/* Share of the run that is done, 0..1, NaN unknown. */
double model_progress(const struct model *);
/* Share of the running linear evaluation's training, 0..1, NaN unknown. */
double model_evaluated(const struct model *);

#endif
