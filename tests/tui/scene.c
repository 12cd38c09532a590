/* A console with a pretended engine; see scene.h. */
#include "scene.h"

#include "tui/keys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct objective_class supcon = {
    .name = "supcon", .contrastive = true, .views = 2, .head = GROUP_PROJECTION};
static const struct objective_class simclr = {
    .name = "simclr", .contrastive = true, .views = 2, .head = GROUP_PROJECTION};
static const struct objective_class cross_entropy = {
    .name = "cross-entropy", .views = 1, .head = GROUP_FC};
static const struct objective_class *const objectives[] = {&supcon, &simclr, &cross_entropy, NULL};

static bool keep(void *ctx, const struct command *command)
{
    struct scene *s = ctx;
    if (s->deaf || s->n_posted == SCENE_COMMANDS)
        return false;
    s->posted[s->n_posted++] = *command;
    return true;
}

void scene_open(struct scene *s)
{
    struct err e;
    *s =
        (struct scene){.usec = 1700000000000000, .epochs = 10, .iters = 100, .objective = "supcon"};
    struct console_options options = {.post = keep, .ctx = s, .objectives = objectives};
    if (console_init(&s->console, &options, &e) != 0)
        abort();
    console_tick(&s->console, s->usec);
}

void scene_close(struct scene *s)
{
    console_done(&s->console);
}

void scene_send(struct scene *s, struct event *e)
{
    s->usec += 20000;
    e->usec = s->usec;
    console_event(&s->console, e);
    console_tick(&s->console, s->usec);
}

void scene_state(struct scene *s, enum engine_state state, bool linear)
{
    struct event e = {.kind = EV_STATE};
    e.u.state.state = state;
    e.u.state.linear = linear;
    scene_send(s, &e);
}

void scene_text(struct scene *s, enum event_kind kind, const char *text)
{
    struct event e = {.kind = (uint16_t)kind};
    snprintf(e.u.text, sizeof e.u.text, "%s", text);
    scene_send(s, &e);
}

void scene_phase(struct scene *s, const char *text)
{
    scene_text(s, EV_PHASE, text);
}

void scene_begin(struct scene *s)
{
    struct event run = {.kind = EV_RUN}, setup = {.kind = EV_SETUP};
    snprintf(run.u.run.name, sizeof run.u.run.name, "quickstart");
    snprintf(run.u.run.dir, sizeof run.u.run.dir, "runs/quickstart-20231114-221320");
    snprintf(setup.u.setup.device, sizeof setup.u.setup.device, "AMD EPYC");
    snprintf(setup.u.setup.backend, sizeof setup.u.setup.backend, "cpu");
    snprintf(setup.u.setup.arch, sizeof setup.u.setup.arch, "resnet8");
    snprintf(setup.u.setup.objective, sizeof setup.u.setup.objective, "%s", s->objective);
    setup.u.setup.n_train = 4750;
    setup.u.setup.n_valid = 250;
    setup.u.setup.epochs = s->epochs;
    setup.u.setup.iters = s->iters;
    scene_state(s, STATE_PREPARING, false);
    scene_send(s, &run);
    scene_send(s, &setup);
    scene_phase(s, "");
    scene_state(s, STATE_RUNNING, false);
}

/* -1..1, the same every time */
static double noise(int64_t i, int stream)
{
    uint64_t x = (uint64_t)i * 0x9e3779b97f4a7c15u + (uint64_t)stream * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 31) * 0x94d049bb133111ebu;
    return (double)(x >> 11) / (double)(1ull << 52) - 1;
}

void scene_loss(struct scene *s, double loss)
{
    bool contrastive = strcmp(s->objective, "cross-entropy") != 0;
    double learned = 1 - 1 / (1 + (double)s->giter / 120);
    struct event e = {.kind = EV_ITER};
    e.u.iter.giter = s->giter;
    e.u.iter.epoch = (int32_t)(s->giter / s->iters);
    e.u.iter.epochs = s->epochs;
    e.u.iter.iter = (int32_t)(s->giter % s->iters);
    e.u.iter.iters = s->iters;
    snprintf(e.u.iter.objective, sizeof e.u.iter.objective, "%s", s->objective);
    e.u.iter.loss = loss;
    e.u.iter.acc = 10 + 80 * learned + 6 * noise(s->giter, 2);
    e.u.iter.probe_acc = contrastive ? 10 + 70 * learned + 3 * noise(s->giter, 3) : NAN;
    e.u.iter.position = contrastive ? 1 - learned : NAN;
    e.u.iter.lr = .05;
    e.u.iter.grad_norm = 1.25;
    e.u.iter.views_per_s = 4123;
    e.u.iter.data_ms = .4;
    e.u.iter.step_ms = 31.5;
    e.u.iter.temperature = contrastive ? .1 : NAN;
    e.u.iter.batch = 64;
    e.u.iter.eta_s = .0315 * (double)(s->epochs * s->iters - s->giter);
    s->giter++;
    scene_send(s, &e);
}

void scene_train(struct scene *s, int n)
{
    for (; n > 0; n--)
        scene_loss(s, 1.2 + 3.6 / (1 + (double)s->giter / 60) + .25 * noise(s->giter, 1));
}

void scene_validate(struct scene *s, double top1)
{
    struct event e = {.kind = EV_VALID};
    e.u.valid.giter = s->giter;
    e.u.valid.epoch = (int32_t)((s->giter - 1) / s->iters);
    e.u.valid.epochs = s->epochs;
    e.u.valid.loss = 1.5;
    e.u.valid.top1 = top1;
    e.u.valid.top5 = (top1 + 100) / 2;
    e.u.valid.probe = true;
    scene_send(s, &e);
}

void scene_save(struct scene *s, bool best)
{
    struct event e = {.kind = EV_CHECKPOINT};
    e.u.ckpt.step = s->giter;
    e.u.ckpt.bytes = 1234567;
    e.u.ckpt.sec = .04;
    e.u.ckpt.valid_top1 = s->console.model.valid.u.valid.top1;
    e.u.ckpt.best = best;
    snprintf(e.u.ckpt.path, sizeof e.u.ckpt.path,
             "runs/quickstart-20231114-221320/checkpoints/step-%08lld", (long long)s->giter);
    scene_send(s, &e);
}

void scene_switch(struct scene *s, const char *to)
{
    struct event e = {.kind = EV_SWITCH};
    e.u.sw.giter = s->giter;
    snprintf(e.u.sw.from, sizeof e.u.sw.from, "%s", s->objective);
    snprintf(e.u.sw.to, sizeof e.u.sw.to, "%s", to);
    s->objective = to;
    scene_send(s, &e);
}

void scene_evaluate(struct scene *s, int64_t step, int epoch)
{
    struct event e = {.kind = EV_LINEAR_ITER};
    scene_state(s, STATE_EVALUATING, true);
    e.u.lin.step = step;
    e.u.lin.epoch = epoch;
    e.u.lin.epochs = 10;
    e.u.lin.iter = 9;
    e.u.lin.iters = 20;
    e.u.lin.n_rates = 3;
    e.u.lin.lr = .3;
    e.u.lin.loss = .7123;
    e.u.lin.acc = 81.25;
    scene_send(s, &e);
}

void scene_evaluated(struct scene *s, int64_t step, double top1)
{
    struct event e = {.kind = EV_LINEAR_DONE};
    e.u.linres.step = step;
    e.u.linres.top1 = top1;
    e.u.linres.top5 = (top1 + 100) / 2;
    e.u.linres.lr = .3;
    e.u.linres.sec = 3.1;
    scene_send(s, &e);
    scene_state(s, STATE_RUNNING, false);
}

void scene_ack(struct scene *s, enum command_kind kind, bool accepted, const char *reason)
{
    struct event e = {.kind = EV_ACK};
    e.u.ack.command = kind;
    e.u.ack.accepted = accepted;
    snprintf(e.u.ack.reason, sizeof e.u.ack.reason, "%s", reason);
    scene_send(s, &e);
}

void scene_log(struct scene *s, int level, const char *line)
{
    struct event e = {.kind = EV_LOG};
    e.u.log.level = level;
    snprintf(e.u.log.line, sizeof e.u.log.line, "%s", line);
    scene_send(s, &e);
}

static int named_key(const char *name, size_t n)
{
    static const struct {
        const char *name;
        int key;
    } map[] = {{"Tab", K_TAB},   {"S-Tab", K_BACKTAB}, {"Enter", K_ENTER}, {"Esc", K_ESC},
               {"Up", K_UP},     {"Down", K_DOWN},     {"Left", K_LEFT},   {"Right", K_RIGHT},
               {"PgUp", K_PGUP}, {"PgDn", K_PGDN},     {"Home", K_HOME},   {"End", K_END}};
    for (size_t i = 0; i < sizeof map / sizeof *map; i++)
        if (strlen(map[i].name) == n && strncmp(map[i].name, name, n) == 0)
            return map[i].key;
    if (n == 3 && strncmp(name, "C-", 2) == 0)
        return K_CTRL(name[2]);
    if (n >= 2 && name[0] == 'F')
        return K_FN + atoi(name + 1);
    abort();
}

void scene_keys(struct scene *s, const char *keys)
{
    while (*keys) {
        const char *end = *keys == '<' ? strchr(keys, '>') : NULL;
        console_key(&s->console, end ? named_key(keys + 1, (size_t)(end - keys - 1)) : *keys);
        keys = end ? end + 1 : keys + 1;
    }
}

char *scene_dump(const struct scene *s, int rows, int cols, const char *glyphs)
{
    struct canvas canvas;
    char *text = NULL;
    size_t n;
    FILE *f = open_memstream(&text, &n);
    if (!f || canvas_init(&canvas, rows, cols, glyphs_find(glyphs)) != 0)
        abort();
    console_draw(&s->console, &canvas);
    canvas_dump(&canvas, f);
    canvas_done(&canvas);
    fclose(f);
    return text;
}
