/* Names of commands. */
#include "engine/command.h"

static const char *const names[CMD_N] = {
    [CMD_PAUSE] = "pause",   [CMD_RESUME] = "resume",   [CMD_SAVE] = "save",
    [CMD_SWITCH] = "switch", [CMD_LINEAR] = "linear",   [CMD_CANCEL] = "cancel",
    [CMD_STOP] = "stop",     [CMD_ABANDON] = "abandon",
};

const char *command_name(enum command_kind kind)
{
    return (unsigned)kind < CMD_N ? names[kind] : "unknown";
}
