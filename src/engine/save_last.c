/*
 * The last save of a run. Its state exists nowhere else, so a failure is not taken for an answer at
 * once: without a person it is tried again with growing pauses for checkpoint.retry_seconds; with
 * one, the process waits for a word.
 */
#include "engine/engine_impl.h"

#include "base/file.h"
#include "base/log.h"

#include <time.h>

enum { PAUSE_MS = 500, PAUSE_MOST_MS = 16000 };

/* Nobody will say anything: no console, or it was told to go by a signal. */
static bool alone(const struct engine *e)
{
    return !e->options.stay || (e->stopping == STOP_SAVE && e->stop_code != 0);
}

/* Until a command wants another try, or the time is over. */
static void rest(struct engine *e, int64_t ms)
{
    int64_t end = clock_usec() + ms * 1000;
    while (!control_ending(e)) {
        int64_t left = (end - clock_usec()) / 1000;
        if (left <= 0)
            return;
        control_wait_ms(e, (int)left);
    }
}

static void tell_until(const struct engine *e)
{
    char clock[16];
    struct tm local;
    time_t end = time(NULL) + e->settings.checkpoint.retry_seconds;
    localtime_r(&end, &local);
    strftime(clock, sizeof clock, "%H:%M:%S", &local);
    log_info("the last step is not saved; trying again until %s (checkpoint.retry_seconds)", clock);
}

static int persist(struct engine *e, struct err *err)
{
    int64_t end = clock_usec() + e->settings.checkpoint.retry_seconds * 1000000, pause = PAUSE_MS;
    if (e->settings.checkpoint.retry_seconds > 0)
        tell_until(e);
    for (;;) {
        int64_t left = (end - clock_usec()) / 1000;
        if (left <= 0) {
            e->gave_up = true;
            return err_prefix(err, "the last step could not be saved");
        }
        rest(e, pause < left ? pause : left);
        if (e->stopping == STOP_ABANDON || save_quietly(e, err) == 0)
            return 0;
        pause = pause * 2 < PAUSE_MOST_MS ? pause * 2 : PAUSE_MOST_MS;
    }
}

/* From time to time it tries by itself. */
static int64_t until_retry_ms(const struct engine *e)
{
    int64_t left = (e->retry_at - clock_usec()) / 1000;
    return left > PAUSE_MS ? left : PAUSE_MS;
}

static void tell(struct engine *e)
{
    static const char words[] = "the last step is not saved; the program stays with it: make room, "
                                "then save (s), or quit and give it up";
    engine_note(e, LOG_ERROR, words);
    report_text(e, EV_SAVE_FAILED, words);
}

/* Until it is saved, given up, or nobody is there any more. */
static int wait_for_person(struct engine *e, struct err *err)
{
    bool leaving = e->stopping == STOP_SAVE;
    int code = e->stop_code, rc = -1;
    tell(e);
    report_state(e, STATE_STOPPED, false);
    while (rc != 0 && e->stopping != STOP_ABANDON && !alone(e)) {
        rest(e, until_retry_ms(e));
        leaving = leaving || e->stopping == STOP_SAVE;
        rc = e->stopping == STOP_ABANDON ? 0 : save_quietly(e, err);
    }
    if (rc != 0)
        return persist(e, err);
    if (leaving && e->stopping == STOP_NO) {
        e->stopping = STOP_SAVE;
        e->stop_code = code;
    }
    return 0;
}

int save_last(struct engine *e, struct err *err)
{
    if (e->stopping == STOP_ABANDON)
        return 0;
    if (save_now(e, err) == 0)
        return 0;
    return alone(e) ? persist(e, err) : wait_for_person(e, err);
}
