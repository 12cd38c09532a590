/* Reading a checkpoint's manifest as a whole: verified first, then state, settings, tuning. */
#include "engine/checkpoint_part.h"
#include "engine/run_part.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* By way of a file in memory. */
static int read_recipe(int fd, const char *text, struct settings *out, struct err *e)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (file_write_fd(fd, text, strlen(text), path, e) < 0)
        return -1;
    return run_config_read(path, out, e);
}

static int read_settings(const json_t *m, const char *path, struct settings *out, struct err *e)
{
    const char *text = json_string_value(json_object_get(m, "settings"));
    if (!text)
        return err_set(e, EXIT_DATA, "%s/%s has no settings", path, CHECKPOINT_MANIFEST);
    int fd = memfd_create("settings", MFD_CLOEXEC);
    if (fd < 0)
        return err_errno(e, EXIT_OS, errno, "cannot read the settings of %s", path);
    int r = read_recipe(fd, text, out, e);
    close(fd);
    return r < 0 ? err_prefix(e, "settings in %s/%s", path, CHECKPOINT_MANIFEST) : 0;
}

static int read_parts(const json_t *m, const char *path, struct checkpoint_state *state,
                      struct settings *settings, struct tuning *tuning, struct err *e)
{
    if (checkpoint_verify(path, m, e) < 0 || checkpoint_state_from(m, path, state, e) < 0)
        return -1;
    if (settings && read_settings(m, path, settings, e) < 0)
        return -1;
    const json_t *record = json_object_get(m, "tuning");
    if (tuning && record && tuning_add_json(tuning, record, e) < 0)
        return err_prefix(e, "%s/%s", path, CHECKPOINT_MANIFEST);
    return 0;
}

int checkpoint_read(const char *path, struct checkpoint_state *state, struct settings *settings,
                    struct tuning *tuning, struct err *e)
{
    json_t *m = checkpoint_manifest(path, e);
    if (!m)
        return -1;
    int r = read_parts(m, path, state, settings, tuning, e);
    json_decref(m);
    return r;
}
