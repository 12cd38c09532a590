/* Lines of diagnostics to up to four sinks; see log.h. */
#include "base/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

enum { MAX_SINKS = 4 };

static struct {
    pthread_mutex_t lock;
    struct {
        log_fn *fn;
        void *ctx;
    } sink[MAX_SINKS];
} state = {.lock = PTHREAD_MUTEX_INITIALIZER};

int log_add(log_fn *fn, void *ctx)
{
    int id = -1;
    pthread_mutex_lock(&state.lock);
    for (int i = 0; i < MAX_SINKS && id < 0; i++)
        if (!state.sink[i].fn)
            id = i;
    if (id >= 0) {
        state.sink[id].fn = fn;
        state.sink[id].ctx = ctx;
    }
    pthread_mutex_unlock(&state.lock);
    return id;
}

void log_remove(int id)
{
    if (id < 0 || id >= MAX_SINKS)
        return;
    pthread_mutex_lock(&state.lock);
    state.sink[id].fn = NULL;
    pthread_mutex_unlock(&state.lock);
}

/* Control characters (C0 and DEL) never reach a terminal as they are. */
static void escape(char *out, size_t size, const char *in)
{
    size_t n = 0;
    for (; *in && n + 5 < size; in++) {
        unsigned char c = (unsigned char)*in;
        if (c < 0x20 || c == 0x7f)
            n += (size_t)snprintf(out + n, size - n, "\\x%02x", c);
        else
            out[n++] = (char)c;
    }
    out[n] = '\0';
}

static void to_stderr(enum log_level level, const char *line)
{
    static const char *const word[] = {"", "warning: ", "error: "};
    fprintf(stderr, "supcon: %s%s\n", word[level], line);
}

void log_write(enum log_level level, const char *fmt, ...)
{
    char raw[1024], line[1200];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(raw, sizeof raw, fmt, ap);
    va_end(ap);
    escape(line, sizeof line, raw);
    pthread_mutex_lock(&state.lock);
    bool heard = false;
    for (int i = 0; i < MAX_SINKS; i++)
        if (state.sink[i].fn) {
            state.sink[i].fn(state.sink[i].ctx, level, line);
            heard = true;
        }
    pthread_mutex_unlock(&state.lock);
    if (!heard)
        to_stderr(level, line);
}
