/* Names of states. */
#include "engine/event.h"

static const char *const names[] = {
    [STATE_IDLE] = "idle",       [STATE_PREPARING] = "preparing", [STATE_RUNNING] = "running",
    [STATE_PAUSED] = "paused",   [STATE_SAVING] = "saving",       [STATE_EVALUATING] = "evaluating",
    [STATE_STOPPED] = "stopped", [STATE_FAILED] = "failed",
};

const char *engine_state_name(enum engine_state s)
{
    return (unsigned)s < sizeof names / sizeof *names ? names[s] : "unknown";
}
