/* The last line; see ending.h. run.log gets it too: a run whose terminal has gone ends unseen. */
#include "tui/ending.h"

#include "engine/run.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum { ENDING_BYTES = 640 };

static void lost_text(const struct model *m, long long lost, char *out, size_t size)
{
    const char *s = lost == 1 ? "" : "s";
    if (m->saved_step > 0)
        snprintf(out, size,
                 "%s; %lld iteration%s since checkpoint %lld %s given up; to go on from there: "
                 "supcon --resume %s",
                 m->dir, lost, s, (long long)m->saved_step, lost == 1 ? "was" : "were", m->dir);
    else
        snprintf(out, size,
                 "%s; no checkpoint was saved, %lld iteration%s %s given up; to begin again: "
                 "supcon --resume %s",
                 m->dir, lost, s, lost == 1 ? "was" : "were", m->dir);
}

static void kept_text(const struct model *m, char *out, size_t size)
{
    long long step = m->saved_step;
    if (step <= 0)
        snprintf(out, size, "%s; it has not trained yet; to begin: supcon --resume %s", m->dir,
                 m->dir);
    else if (m->trained && m->state != STATE_FAILED)
        snprintf(out, size, "%s, complete and saved at iteration %lld", m->dir, step);
    else
        snprintf(out, size, "%s, saved at iteration %lld; to go on: supcon --resume %s", m->dir,
                 step, m->dir);
}

void ending_text(const struct model *m, bool there, char *out, size_t size)
{
    long long lost = model_unsaved(m);
    char where[ENDING_BYTES];
    out[0] = '\0';
    if (there) {
        if (lost > 0)
            lost_text(m, lost, where, sizeof where);
        else
            kept_text(m, where, sizeof where);
        snprintf(out, size, "the run is in %s", where);
    } else if (m->finished && m->state != STATE_FAILED)
        snprintf(out, size, "stopped while being prepared; no run was made");
}

static void keep(const char *dir, const char *text)
{
    char path[PATH_BYTES], line[RUN_LINE_BYTES];
    size_t n = run_log_format(line, LOG_INFO, text);
    int fd = path_join(path, dir, "run.log", NULL) == 0
                 ? open(path, O_WRONLY | O_APPEND | O_CLOEXEC)
                 : -1;
    if (fd < 0)
        return;
    ssize_t ignored = write(fd, line, n); /* a full disk: nobody is left to be told */
    (void)ignored;
    close(fd);
}

void ending_tell(const struct model *m, bool shown)
{
    char text[ENDING_BYTES + 32];
    bool there = m->dir[0] && run_is(m->dir);
    ending_text(m, there, text, sizeof text);
    if (text[0] && shown) {
        printf("supcon: %s\n", text);
        fflush(stdout);
    }
    if (text[0] && there)
        keep(m->dir, text);
}
