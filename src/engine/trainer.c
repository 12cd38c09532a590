/*
 * Preparation of a run and its step. Everything that can fail for want of memory, data or support
 * fails in trainer_open() and trainer_ready(); trainer_step() loops over what they made.
 */
#include "engine/trainer.h"

#include "base/log.h"

#include <math.h>
#include <string.h>

/* The evaluation plan's batch: larger ones gain nothing on small images. */
enum { EVAL_BATCH_MAX = 256 };

static int phase(const struct trainer *t, struct err *e, const char *text)
{
    if (t->watch.phase && !t->watch.phase(t->watch.ctx, text, 0, 0))
        return err_set(e, EXIT_AGAIN, "stopped while preparing (%s)", text);
    return 0;
}

/* Handed to the record of algorithms while a plan is compiled. */
struct choosing {
    struct trainer *t;
    const char *text;
};

static bool on_choice(void *ctx, int part, int parts, bool timing)
{
    const struct choosing *c = ctx;
    const struct trainer_watch *w = &c->t->watch;
    if (timing && !c->t->told_of_timing) {
        c->t->told_of_timing = true;
        log_info("timing algorithms for this network; the choices are remembered");
    }
    return !w->phase || w->phase(w->ctx, c->text, part, parts);
}

int trainer_views(const struct settings *s, const struct objective_class *objective)
{
    struct err ignored;
    const struct objective_class *own = objective_find(s->objective.name, &ignored);
    if (objective == own || (own && own->views == objective->views))
        return settings_views(s, objective);
    return objective->views;
}

static int open_data(struct trainer *t, struct err *e)
{
    const struct settings *s = &t->settings;
    if (dataset_open(&t->data, &s->data, e) != 0)
        return -1;
    if (split_make(&t->data, s->data.valid_fraction, (uint64_t)s->run.seed, &t->train, &t->valid,
                   e) != 0)
        return -1;
    if (t->train.n < s->train.batch_size)
        return err_set(e, EXIT_CONFIG,
                       "train.batch_size is %lld, but only %lld training images remain of %s with "
                       "data.valid_fraction %g; choose a smaller batch",
                       (long long)s->train.batch_size, (long long)t->train.n, s->data.name,
                       s->data.valid_fraction);
    t->per_epoch = t->train.n / s->train.batch_size;
    t->scheduled = s->train.epochs * t->per_epoch;
    t->total = t->scheduled;
    if (s->train.max_iters > 0 && s->train.max_iters < t->total)
        t->total = s->train.max_iters;
    return 0;
}

static int open_device(struct trainer *t, const json_t *record, struct err *e)
{
    t->tuning = tuning_new();
    if (!t->tuning)
        return err_set(e, EXIT_OS, "out of memory");
    tuning_load_cache(t->tuning);
    if (record && tuning_add_json(t->tuning, record, e) != 0)
        return -1;
    struct device_options options = {.threads = (int)t->settings.run.threads,
                                     .deterministic = t->settings.run.deterministic,
                                     .tuning = t->tuning};
    if (device_open(&t->dev, t->settings.run.device, &options, e) != 0)
        return -1;
    network_resolve(&t->settings.model, &t->dev);
    return 0;
}

static void warn_of_warmup(const struct trainer *t)
{
    double warmup = t->settings.schedule.warmup_epochs;
    if (warmup > 0 && warmup * (double)t->per_epoch >= (double)t->scheduled)
        log_warn("schedule.warmup_epochs is %g and train.epochs %lld: the run ends before its rate "
                 "has reached optimizer.lr; a shorter warm-up is better for so short a run",
                 warmup, (long long)t->settings.train.epochs);
}

int trainer_open(struct trainer *t, const struct settings *s, const json_t *record,
                 const struct trainer_watch *w, struct err *e)
{
    char text[96];
    memset(t, 0, sizeof *t);
    t->settings = *s;
    t->watch = w ? *w : (struct trainer_watch){0};
    t->rule = optim_find(s->optimizer.name, e);
    t->probe_rule = t->rule ? optim_find("sgd", e) : NULL;
    if (!t->probe_rule)
        return -1;
    snprintf(text, sizeof text, "opening data set %s", s->data.name);
    if (phase(t, e, text) != 0 || open_data(t, e) != 0)
        return -1;
    warn_of_warmup(t);
    snprintf(text, sizeof text, "opening device %s", s->run.device);
    if (phase(t, e, text) != 0)
        return -1;
    return open_device(t, record, e);
}

static struct network_shape shape_of(const struct dataset *d)
{
    return (struct network_shape){
        .channels = d->channels, .height = d->height, .width = d->width, .n_classes = d->n_classes};
}

static int build_network(struct trainer *t, const char *checkpoint, struct err *e)
{
    const struct settings *s = &t->settings;
    struct network_shape shape = shape_of(&t->data);
    if (network_init(&t->net, &t->dev, &s->model, &shape, (uint64_t)s->run.seed, e) != 0)
        return -1;
    if (!checkpoint && s->init.weights[0] && network_load_weights(&t->net, s->init.weights, e) != 0)
        return -1;
    snprintf(t->state.objective, sizeof t->state.objective, "%s", s->objective.name);
    t->state.valid_loss = t->state.valid_top1 = t->state.valid_top5 = NAN;
    if (checkpoint && (checkpoint_read(checkpoint, &t->state, NULL, t->tuning, e) != 0 ||
                       checkpoint_restore(checkpoint, &t->net, e) != 0))
        return -1;
    if (checkpoint)
        checkpoint_compare(checkpoint, &t->net, t->data.fingerprint);
    t->state.epoch = t->state.step / t->per_epoch;
    t->state.position = t->state.step % t->per_epoch;
    t->state.seed = (uint64_t)s->run.seed;
    snprintf(t->state.data, sizeof t->state.data, "%s", t->data.fingerprint);
    t->objective = objective_find(t->state.objective, e);
    return t->objective ? 0 : -1;
}

/* Slots of the rule; the probe's momentum uses slot 0, which every rule has as its momentum. */
static int need_slots(struct trainer *t, struct err *e)
{
    return params_need_slots(t->net.params, t->rule->n_slots, t->rule->slot_init, e);
}

static enum param_group head_for_validation(const struct objective_class *objective)
{
    return objective->contrastive ? GROUP_PROBE : objective->head;
}

static struct plan *compile_train(struct trainer *t, const struct objective_class *objective,
                                  struct err *e)
{
    const struct settings *s = &t->settings;
    struct objective_conf conf = s->objective;
    char text[96];
    struct choosing choosing = {t, text};
    snprintf(text, sizeof text, "choosing algorithms for %s %s", t->net.arch->name,
             objective->name);
    snprintf(conf.name, sizeof conf.name, "%s", objective->name);
    tuning_watch(t->tuning, on_choice, &choosing);
    struct plan *plan = network_train_plan(&t->net, objective, &conf, (int)s->train.batch_size,
                                           trainer_views(s, objective), e);
    tuning_watch(t->tuning, NULL, NULL);
    return plan;
}

static int compile_eval(struct trainer *t, const struct objective_class *objective,
                        struct plan **plan, struct err *e)
{
    int64_t n = t->settings.train.batch_size;
    if (n > EVAL_BATCH_MAX)
        n = EVAL_BATCH_MAX;
    t->eval_batch = (int)(n < t->valid.n ? n : t->valid.n);
    *plan = NULL;
    if (t->valid.n == 0)
        return 0;
    struct choosing choosing = {t, "choosing algorithms for validation"};
    tuning_watch(t->tuning, on_choice, &choosing);
    *plan = network_eval_plan(&t->net, t->eval_batch, head_for_validation(objective), e);
    tuning_watch(t->tuning, NULL, NULL);
    return *plan ? 0 : -1;
}

/* What an objective is trained and validated with. */
struct compiled {
    struct plan *plan, *eval;
    struct step *step;
};

static int make_step(struct trainer *t, struct compiled *c, struct err *e)
{
    const struct optim_class *rules[GROUP_N];
    const char *losses[] = {"loss", plan_tensor(c->plan, "probe") ? "probe" : NULL, NULL};
    for (int g = 0; g < GROUP_N; g++)
        rules[g] = g == GROUP_PROBE ? t->probe_rule : t->rule;
    return step_new(&c->step, &t->dev, c->plan, t->net.params, rules, losses, e);
}

static void compiled_free(struct compiled *c)
{
    step_free(c->step);
    plan_free(c->plan);
    plan_free(c->eval);
}

/* On failure *c is to be freed all the same. What has been timed is remembered even when it was not
 * finished. */
static int compile(struct trainer *t, const struct objective_class *objective, struct compiled *c,
                   struct err *e)
{
    *c = (struct compiled){.plan = compile_train(t, objective, e)};
    int rc = c->plan ? compile_eval(t, objective, &c->eval, e) : -1;
    if (rc == 0)
        rc = make_step(t, c, e);
    if (tuning_dirty(t->tuning))
        tuning_save_cache(t->tuning);
    return rc;
}

/* Takes what *c holds. */
static void use(struct trainer *t, const struct objective_class *objective,
                const struct compiled *c)
{
    compiled_free(&(struct compiled){t->plan, t->eval, t->step});
    t->plan = c->plan;
    t->eval = c->eval;
    t->step = c->step;
    t->objective = objective;
    t->eval_head = head_for_validation(objective);
    t->net.live[objective->head] = true;
}

static int open_loader(struct trainer *t, int views, struct loader **out, struct err *e)
{
    const struct settings *s = &t->settings;
    struct loader_options options = {.data = &t->data,
                                     .split = &t->train,
                                     .augment = &s->augment,
                                     .batch = (int)s->train.batch_size,
                                     .views = views,
                                     .shuffle = strcmp(s->data.order, "shuffle") == 0,
                                     .seed = (uint64_t)s->run.seed,
                                     .threads = (int)s->loader.threads,
                                     .prefetch = (int)s->loader.prefetch,
                                     .parameters = t->feed.on_device,
                                     .gather = !t->feed.resident};
    if (loader_open(out, &options, e) != 0)
        return -1;
    if (loader_seek(*out, t->state.epoch, t->state.position, e) == 0)
        return 0;
    loader_close(*out);
    *out = NULL;
    return -1;
}

static void drop_loader(struct trainer *t)
{
    if (t->loader)
        loader_close(t->loader);
    t->loader = NULL;
}

/* With room for the objective that wants most views. */
static int open_feed(struct trainer *t, struct err *e)
{
    int64_t batch = t->settings.train.batch_size;
    int most = 1;
    for (const struct objective_class *const *o = objective_classes; *o; o++) {
        int views = trainer_views(&t->settings, *o);
        most = views > most ? views : most;
    }
    return feed_open(&t->feed, &t->dev, &t->data, batch, batch * most, e);
}

static void tell_memory(const struct trainer *t)
{
    const struct params *p = t->net.params;
    int slots = (p->slot[0] != NULL) + (p->slot[1] != NULL);
    static const double mib = 1048576;
    double weights = (double)p->n_trainable * sizeof(float) / mib;
    double training = (double)plan_arena_bytes(t->plan) / mib;
    double validation = t->eval ? (double)plan_arena_bytes(t->eval) / mib : 0;
    double images = (double)(t->feed.image_bytes + t->feed.params_bytes) / mib;
    log_info("memory on %s: %.1f MiB (weights %.1f, gradients %.1f, optimizer %.1f, training step "
             "%.1f, validation %.1f, images %.1f); on the host, a copy for checkpoints of %.1f MiB",
             t->dev.info.id, weights * (2 + slots) + training + validation + images, weights,
             weights, weights * slots, training, validation, images,
             weights * (1 + slots) + (double)p->n_stats * sizeof(float) / mib);
}

int trainer_ready(struct trainer *t, const char *checkpoint, const struct trainer_watch *w,
                  struct err *e)
{
    const char *what = checkpoint ? "loading the checkpoint" : "initialising weights";
    t->watch = w ? *w : (struct trainer_watch){0};
    if (phase(t, e, what) != 0 || build_network(t, checkpoint, e) != 0 || need_slots(t, e) != 0)
        return -1;
    struct compiled c;
    if (compile(t, t->objective, &c, e) != 0) {
        compiled_free(&c);
        return -1;
    }
    use(t, t->objective, &c);
    if (phase(t, e, "starting the loader") != 0 || open_feed(t, e) != 0)
        return -1;
    tell_memory(t);
    t->loader_views = trainer_views(&t->settings, t->objective);
    return open_loader(t, t->loader_views, &t->loader, e);
}

void trainer_close(struct trainer *t)
{
    drop_loader(t);
    feed_close(&t->feed);
    compiled_free(&(struct compiled){t->plan, t->eval, t->step});
    if (t->net.params)
        network_done(&t->net);
    device_close(&t->dev);
    tuning_free(t->tuning);
    split_free(&t->train);
    split_free(&t->valid);
    if (t->data.class)
        dataset_close(&t->data);
    memset(t, 0, sizeof *t);
}

bool trainer_finished(const struct trainer *t)
{
    return t->state.step >= t->total;
}

bool trainer_wants_validation(const struct trainer *t)
{
    bool ends = t->state.step % t->per_epoch == 0 || trainer_finished(t);
    return t->eval && t->state.step > 0 && ends && isnan(t->state.valid_top1);
}

static void record_switch(struct checkpoint_state *s, const char *to)
{
    if (s->n_switches == CHECKPOINT_SWITCHES) {
        memmove(s->switches, s->switches + 1, sizeof s->switches - sizeof s->switches[0]);
        s->n_switches--;
    }
    s->switches[s->n_switches].step = s->step;
    snprintf(s->switches[s->n_switches].from, sizeof s->switches[0].from, "%s", s->objective);
    snprintf(s->switches[s->n_switches].to, sizeof s->switches[0].to, "%s", to);
    s->n_switches++;
    snprintf(s->objective, sizeof s->objective, "%s", to);
}

/* What a switch needs, made before anything of the old is let go. */
struct replacement {
    struct compiled compiled;
    struct loader *loader; /* NULL: the views are as before */
    int views;
};

static int replacement_make(struct trainer *t, const struct objective_class *to,
                            struct replacement *r, struct err *e)
{
    memset(r, 0, sizeof *r);
    r->views = trainer_views(&t->settings, to);
    if (compile(t, to, &r->compiled, e) != 0 ||
        (r->views != t->loader_views && open_loader(t, r->views, &r->loader, e) != 0)) {
        compiled_free(&r->compiled);
        return -1;
    }
    return 0;
}

int trainer_switch(struct trainer *t, const char *name, struct err *e)
{
    struct replacement r;
    const struct objective_class *to = objective_find(name, e);
    if (!to)
        return -1;
    if (to == t->objective)
        return err_set(e, EXIT_USAGE, "%s is in force already", name);
    if (replacement_make(t, to, &r, e) != 0)
        return -1;
    use(t, to, &r.compiled);
    if (r.loader) {
        drop_loader(t);
        t->loader = r.loader;
        t->loader_views = r.views;
    }
    record_switch(&t->state, to->name);
    return 0;
}
