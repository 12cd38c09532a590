/* What a front end can ask of the engine. Applied between steps, each answered by one EV_ACK. */
#ifndef SUPCON_ENGINE_COMMAND_H
#define SUPCON_ENGINE_COMMAND_H

#include "engine/event.h"
#include <stdbool.h>
#include <stdint.h>

enum command_kind {
    CMD_PAUSE,
    CMD_RESUME,
    CMD_SAVE,
    CMD_SWITCH,  /* text: name of the objective */
    CMD_LINEAR,  /* step: checkpoint to evaluate, -1: save now and evaluate that */
    CMD_CANCEL,  /* the running evaluation */
    CMD_STOP,    /* finish the step, save, end. code: exit code to end with (0, EXIT_AGAIN) */
    CMD_ABANDON, /* finish the step, end without saving */
    CMD_N
};

struct command {
    int32_t kind;
    uint32_t ticket; /* set by engine_post */
    int64_t step;
    int32_t code;
    char text[32];
};

const char *command_name(enum command_kind); /* "pause", ... */
/* Why an engine in this state does not take the command, NULL if it does. linear: as in EV_STATE.
 * What depends on more than the state is answered by EV_ACK alone. */
const char *command_refusal(enum engine_state, bool linear, enum command_kind);

#endif
