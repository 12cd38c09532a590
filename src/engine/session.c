/*
 * The engine thread's work from start to end: prepare, train, save, evaluate, and, for a console,
 * stay for more. Commands are looked at between steps only.
 */
#include "engine/engine_impl.h"

#include "base/file.h"
#include "base/log.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Layers come faster than anybody reads when their algorithms are known. */
static const int64_t LAYERS_USEC = 100000;

/* Also while a switch of objective is prepared in the middle of a run: commands wait then, but for
 * those that end it. */
static bool on_phase(void *ctx, const char *text, int part, int parts)
{
    struct engine *e = ctx;
    char line[160];
    int64_t now = clock_usec();
    if (parts == 0 || now - e->phase_sent >= LAYERS_USEC) {
        snprintf(line, sizeof line, parts ? "%s %d/%d" : "%s", text, part, parts);
        report_phase(e, line);
        e->phase_sent = now;
    }
    control_poll(e, e->ready ? STATE_SAVING : STATE_PREPARING);
    return e->stopping == STOP_NO;
}

/* The record of algorithm choices in DIR/run.json; NULL when there is none. */
static json_t *record_of(const char *dir)
{
    char path[PATH_BYTES];
    json_error_t ignored;
    if (path_join(path, dir, "run.json", NULL) != 0)
        return NULL;
    json_t *run = json_load_file(path, 0, &ignored);
    json_t *record = json_incref(json_object_get(run, "tuning"));
    json_decref(run);
    return record;
}

/* A recipe that is the config.cfg of a run repeats that run, choices of algorithms included. */
static json_t *record_of_recipe(const char *recipe)
{
    char dir[PATH_BYTES];
    snprintf(dir, sizeof dir, "%s", recipe);
    char *slash = strrchr(dir, '/');
    if (strcmp(slash ? slash + 1 : dir, "config.cfg") != 0)
        return NULL;
    if (slash)
        *slash = '\0';
    return record_of(slash ? dir : ".");
}

/* Rather now than after the whole training. */
static int check_at_end(const struct engine *e, struct err *err)
{
    const struct settings *s = &e->settings;
    if (!s->linear.at_end || e->trainer.data.n[PART_TEST] > 0)
        return 0;
    return err_set(err, EXIT_CONFIG,
                   "linear.at_end: the data set %s%s%s has no test images, which a linear "
                   "evaluation needs; set linear.at_end=false, or add them%s",
                   s->data.name, s->data.path[0] ? " at " : "", s->data.path,
                   strcmp(s->data.name, "folder") == 0 ? " in its folder test" : "");
}

static int prepare_new(struct engine *e, const struct trainer_watch *w, struct err *err)
{
    const struct engine_options *o = &e->options;
    e->settings = o->settings;
    json_t *record = record_of_recipe(o->recipe);
    int rc = trainer_open(&e->trainer, &e->settings, record, w, err);
    json_decref(record);
    e->settings.model = e->trainer.settings.model; /* what auto has become */
    if (rc != 0 || check_at_end(e, err) != 0 ||
        run_create(&e->run, &e->settings, o->recipe, o->run_dir, err) != 0)
        return -1;
    engine_run_is_there(e);
    e->trainer.settings = e->settings; /* its paths are absolute now */
    report_run(e);
    if (run_record_device(&e->run, &e->trainer.dev, err) != 0 ||
        trainer_ready(&e->trainer, NULL, w, err) != 0 ||
        run_record(&e->run, "tuning", tuning_json(e->trainer.tuning), err) != 0)
        return -1;
    return metrics_open(&e->metrics, e->run.dir, 0, 0, err);
}

/* The newest checkpoint of the run; *path is "" when the run has not saved yet. */
static int newest_checkpoint(struct engine *e, char path[PATH_BYTES], struct err *err)
{
    checkpoint_clean(e->run.checkpoints);
    path[0] = '\0';
    if (checkpoint_latest(e->run.checkpoints, path, err) == 0)
        return 0;
    if (err->code != EXIT_NOINPUT)
        return -1;
    path[0] = '\0';
    *err = (struct err){0};
    log_warn("%s: no checkpoint has been saved yet; starting from the first step", e->run.dir);
    return 0;
}

/* A new length must reach what is done; the length the run has already is none. */
static int check_length(const struct engine *e, const struct checkpoint_state *done,
                        struct err *err)
{
    const struct train_conf *was = &e->settings.train, *now = &e->options.settings.train;
    int64_t epochs = done->epoch + (done->position > 0);
    if (now->epochs != was->epochs && now->epochs < epochs)
        return err_set(err, EXIT_CONFIG,
                       "train.epochs: %lld is less than the %lld epochs that %s has %s (step "
                       "%lld); give %lld or more",
                       (long long)now->epochs, (long long)epochs, e->run.dir,
                       done->position > 0 ? "begun" : "done", (long long)done->step,
                       (long long)epochs);
    if (now->max_iters != was->max_iters && now->max_iters > 0 && now->max_iters < done->step)
        return err_set(err, EXIT_CONFIG,
                       "train.max_iters: %lld is less than the %lld iterations that %s has done; "
                       "give %lld or more",
                       (long long)now->max_iters, (long long)done->step, e->run.dir,
                       (long long)done->step);
    return 0;
}

/* The settings of the run, or those that were asked for instead; *path as newest_checkpoint(). */
static int open_run(struct engine *e, char path[PATH_BYTES], struct err *err)
{
    struct checkpoint_state done = {0};
    if (run_open(&e->run, e->options.resume, &e->settings, err) != 0)
        return -1;
    engine_run_is_there(e);
    if (newest_checkpoint(e, path, err) != 0)
        return -1;
    if (!e->options.changed)
        return 0;
    if (path[0] &&
        (checkpoint_read(path, &done, NULL, NULL, err) != 0 || check_length(e, &done, err) != 0))
        return -1;
    e->settings = e->options.settings;
    return run_change(&e->run, &e->settings, err);
}

static void tell_complete(const struct engine *e)
{
    const struct trainer *t = &e->trainer;
    bool limited = t->total < t->scheduled;
    int64_t more = 2 * (limited ? t->state.step : t->state.epoch);
    more = limited && more > t->scheduled ? t->scheduled : more;
    log_info("%s is complete at step %lld; to train longer: supcon --resume %s --set train.%s=%lld",
             e->run.dir, (long long)t->state.step, e->run.dir, limited ? "max_iters" : "epochs",
             (long long)more);
}

static int prepare_resumed(struct engine *e, const struct trainer_watch *w, struct err *err)
{
    char path[PATH_BYTES];
    struct trainer *t = &e->trainer;
    if (open_run(e, path, err) != 0)
        return -1;
    report_run(e);
    json_t *record = record_of(e->run.dir);
    int rc = trainer_open(t, &e->settings, record, w, err);
    json_decref(record);
    if (rc != 0 || check_at_end(e, err) != 0 ||
        trainer_ready(t, path[0] ? path : NULL, w, err) != 0)
        return -1;
    if (path[0]) {
        e->saved_step = t->state.step;
        snprintf(e->saved_path, sizeof e->saved_path, "%s", path);
    }
    if (trainer_finished(t))
        tell_complete(e);
    if (metrics_open(&e->metrics, e->run.dir, t->state.step, path[0] ? t->state.metrics_bytes : 0,
                     err) != 0)
        return -1;
    return report_history(e, err);
}

static int prepare(struct engine *e, struct err *err)
{
    struct trainer_watch w = {.phase = on_phase, .ctx = e};
    report_state(e, STATE_PREPARING, false);
    if ((e->options.resume[0] ? prepare_resumed : prepare_new)(e, &w, err) != 0)
        return -1;
    if (saver_new(&e->saver, &e->trainer.net, err) != 0)
        return -1;
    atomic_store(&e->ready, true);
    report_phase(e, "");
    report_setup(e);
    return 0;
}

/* The weights are those before the step. */
static void non_finite(struct engine *e, const struct step_stats *s)
{
    const char *what = isfinite(s->loss) ? "gradient" : "loss";
    err_set(&e->err, EXIT_DIVERGED,
            "the %s is not finite at iteration %lld; nothing of it entered the weights. A lower "
            "optimizer.lr or longer schedule.warmup_epochs may help",
            what, (long long)s->step);
    if (e->options.pause_on_nonfinite) {
        log_error("%s; training is paused", e->err.msg);
        e->err = (struct err){0};
        meter_break(&e->meter);
        report_state(e, STATE_PAUSED, false);
        return;
    }
    log_error("%s", e->err.msg);
    e->stopping = STOP_SAVE;
    e->stop_code = EXIT_DIVERGED;
}

/* A device may run ahead to where something must be done with its results: a waiting command, the
 * end of an epoch or of the run, a save. */
static int64_t step_limit(struct engine *e)
{
    const struct trainer *t = &e->trainer;
    int64_t now = t->state.step, limit = now - now % t->per_epoch + t->per_epoch;
    int64_t save = save_step(e);
    if (control_waiting(e) || e->retry_at != 0)
        return now;
    if (save < limit)
        limit = save;
    return limit < t->total ? limit : t->total;
}

static int iterate(struct engine *e, struct err *err)
{
    struct step_stats s;
    if (trainer_step(&e->trainer, step_limit(e), &s, err) != 0)
        return -1;
    meter_step(&e->meter, clock_usec(), s.step_ms);
    report_iter(e, &s);
    if (!s.finite) {
        non_finite(e, &s);
        return 0;
    }
    if (trainer_wants_validation(&e->trainer) && run_validation(e, err) != 0)
        return -1;
    save_collect(e, false, NULL);
    if (save_due(e))
        save_soon(e);
    return 0;
}

static int train(struct engine *e, struct err *err)
{
    report_state(e, STATE_RUNNING, false);
    if (trainer_wants_validation(&e->trainer) && run_validation(e, err) != 0)
        return -1;
    for (;;) {
        bool between = trainer_in_flight(&e->trainer) == 0;
        if (between)
            control_boundary(e);
        if (between && e->stopping != STOP_NO)
            return 0;
        if (between && e->state == STATE_PAUSED)
            control_wait(e);
        else if (between && trainer_finished(&e->trainer))
            return 0;
        else if (iterate(e, err) != 0)
            return -1;
    }
}

/* A console stays until it is told to stop. */
static void stay(struct engine *e)
{
    report_state(e, STATE_STOPPED, false);
    control_boundary(e);
    while (e->options.stay && e->stopping == STOP_NO) {
        control_wait(e);
        control_boundary(e);
    }
}

/* After training: its last state is saved whatever the recipe says. */
static int finish(struct engine *e, struct err *err)
{
    bool natural = e->stopping == STOP_NO;
    if (save_last(e, err) != 0)
        return -1;
    int64_t step = e->trainer.state.step;
    if (natural && e->stopping == STOP_NO && e->settings.linear.at_end && !linear_known(e, step))
        e->exit_code = run_linear(e, step);
    if (e->stopping == STOP_NO)
        stay(e);
    return 0;
}

/* Bad data or a full disk leaves the weights sound: what has been learned is saved. */
static bool worth_saving(const struct engine *e, const struct err *err)
{
    return e->ready && !e->gave_up &&
           (err->code == EXIT_DATA || err->code == EXIT_NOINPUT || err->code == EXIT_IO);
}

static void fail(struct engine *e, const struct err *why)
{
    struct err reported;
    e->err = *why;
    e->exit_code = why->code ? why->code : EXIT_SOFTWARE;
    log_error("%s", why->msg);
    report_phase(e, "");
    save_collect(e, true, NULL);
    if (worth_saving(e, why))
        save_now(e, &reported);
    report_state(e, STATE_FAILED, false);
}

static void close_all(struct engine *e)
{
    saver_free(e->saver);
    e->saver = NULL;
    metrics_close(e->metrics);
    e->metrics = NULL;
    trainer_close(&e->trainer);
    if (e->has_run)
        run_close(&e->run);
}

/* Made here, and nobody will come back to it: it could not even start, or was stopped before its
 * first step. Told to end and be run again (EXIT_AGAIN), it stays for that. */
static bool worthless(const struct engine *e, int rc)
{
    if (e->options.resume[0] || !e->has_run || e->exit_code == EXIT_AGAIN)
        return false;
    return !e->ready || (rc == 0 && e->trainer.state.step == 0 && e->saved_step < 0);
}

/* A run that never began leaves nothing in the way of the next try. */
static void close_or_discard(struct engine *e, int rc)
{
    struct err ignored;
    char dir[sizeof e->run.dir];
    bool discarded = worthless(e, rc);
    snprintf(dir, sizeof dir, "%s", e->run.dir);
    close_all(e);
    if (discarded)
        dir_remove(dir, &ignored);
}

void session_run(struct engine *e)
{
    struct err err = {0};
    int rc = prepare(e, &err);
    if (rc == 0)
        rc = train(e, &err);
    if (rc == 0)
        rc = finish(e, &err);
    if (rc != 0 && e->stopping != STOP_NO && err.code == EXIT_AGAIN)
        rc = 0; /* stopped while preparing, as asked */
    if (rc != 0)
        fail(e, &err);
    save_collect(e, true, NULL);
    if (rc == 0 && e->stopping != STOP_NO && e->stop_code != 0)
        e->exit_code = e->stop_code;
    if (rc == 0 && e->state != STATE_STOPPED)
        report_state(e, STATE_STOPPED, false);
    control_refuse_rest(e);
    report_done(e);
    close_or_discard(e, rc);
}
