/*
 * One line of diagnostics at a time, to whoever listens. Front ends install a sink (stderr in
 * batch, the log pane in the console); the run directory's run.log is a second one. Thread-safe;
 * control characters are escaped before a sink sees them.
 */
#ifndef SUPCON_BASE_LOG_H
#define SUPCON_BASE_LOG_H

enum log_level { LOG_INFO, LOG_WARN, LOG_ERROR };

typedef void log_fn(void *ctx, enum log_level level, const char *line);

/* At most 4 sinks. Returns an id for log_remove, or -1 when full. Without any sink, lines go to
 * stderr as "supcon: warning: LINE" (LOG_INFO without a prefix word). */
int log_add(log_fn *fn, void *ctx);
void log_remove(int id);

void log_write(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define log_info(...) log_write(LOG_INFO, __VA_ARGS__)
#define log_warn(...) log_write(LOG_WARN, __VA_ARGS__)
#define log_error(...) log_write(LOG_ERROR, __VA_ARGS__)

#endif
