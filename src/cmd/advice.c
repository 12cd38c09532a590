/* What to do about a damaged checkpoint: one beside it that is sound. */
#include "cmd/cmd.h"

#include "base/file.h"
#include "engine/checkpoint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The newest sound checkpoint of a folder but the one that was tried. */
static bool find_sound(const char *folder, const char *tried, char path[PATH_BYTES])
{
    int64_t *steps;
    int n;
    struct err ignored;
    bool found = false;
    if (checkpoint_list(folder, &steps, &n, &ignored) < 0)
        return false;
    for (int i = n - 1; i >= 0 && !found; i--) {
        struct checkpoint_state state;
        found = checkpoint_path(folder, steps[i], path, &ignored) == 0 &&
                strcmp(path, tried) != 0 &&
                checkpoint_read(path, &state, NULL, NULL, &ignored) == 0;
    }
    free(steps);
    return found;
}

void cmd_advise_checkpoint(struct err *e, const char *checkpoint, const char *before,
                           const char *after)
{
    char folder[PATH_BYTES], sound[PATH_BYTES], text[sizeof e->msg];
    snprintf(folder, sizeof folder, "%s", checkpoint);
    char *slash = strrchr(folder, '/');
    if (e->code != EXIT_DATA || !slash || slash == folder)
        return;
    *slash = '\0';
    if (!find_sound(folder, checkpoint, sound))
        return;
    snprintf(text, sizeof text, "%s", e->msg);
    err_set(e, EXIT_DATA, "%.700s; the newest sound one beside it: %s%s%s", text, before, sound,
            after);
}
