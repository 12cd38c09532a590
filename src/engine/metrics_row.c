/*
 * Which event becomes which row. A number that is not finite is null; of the loss, "nonfinite" says
 * what it was. Fifteen digits give every f32 back exactly.
 */
#include "engine/metrics_row.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum field_type { F_I64, F_I32, F_REAL, F_BOOL, F_TEXT };

struct field {
    const char *key;
    enum field_type type;
    size_t offset, size;
};

struct row {
    const char *ev;
    uint16_t kind;
    const struct field *fields; /* ends with a NULL key */
};

#define FIELD(type, part, member, key)                                                             \
    {                                                                                              \
        key, type, offsetof(struct event, u.part.member),                                          \
            sizeof(((struct event *)0)->u.part.member)                                             \
    }

static const struct field iter_fields[] = {FIELD(F_I64, iter, giter, "giter"),
                                           FIELD(F_REAL, iter, loss, "loss"),
                                           FIELD(F_REAL, iter, acc, "acc"),
                                           FIELD(F_I32, iter, epoch, "epoch"),
                                           FIELD(F_I32, iter, epochs, "epochs"),
                                           FIELD(F_I32, iter, iter, "iter"),
                                           FIELD(F_I32, iter, iters, "iters"),
                                           FIELD(F_TEXT, iter, objective, "objective"),
                                           FIELD(F_REAL, iter, probe_acc, "probe_acc"),
                                           FIELD(F_REAL, iter, position, "position"),
                                           FIELD(F_REAL, iter, lr, "lr"),
                                           FIELD(F_REAL, iter, grad_norm, "grad_norm"),
                                           FIELD(F_REAL, iter, temperature, "temperature"),
                                           FIELD(F_I32, iter, lonely, "lonely"),
                                           FIELD(F_I32, iter, batch, "batch"),
                                           FIELD(F_REAL, iter, views_per_s, "views_per_s"),
                                           FIELD(F_REAL, iter, data_ms, "data_ms"),
                                           FIELD(F_REAL, iter, step_ms, "step_ms"),
                                           {0}};
static const struct field valid_fields[] = {
    FIELD(F_I64, valid, giter, "giter"),   FIELD(F_I32, valid, epoch, "epoch"),
    FIELD(F_I32, valid, epochs, "epochs"), FIELD(F_REAL, valid, loss, "loss"),
    FIELD(F_REAL, valid, top1, "top1"),    FIELD(F_REAL, valid, top5, "top5"),
    FIELD(F_BOOL, valid, best, "best"),    FIELD(F_BOOL, valid, probe, "probe"),
    FIELD(F_REAL, valid, sec, "sec"),      {0}};
static const struct field ckpt_fields[] = {FIELD(F_I64, ckpt, step, "step"),
                                           FIELD(F_I32, ckpt, epoch, "epoch"),
                                           FIELD(F_I32, ckpt, epochs, "epochs"),
                                           FIELD(F_I64, ckpt, bytes, "bytes"),
                                           FIELD(F_REAL, ckpt, valid_top1, "valid_top1"),
                                           FIELD(F_BOOL, ckpt, best, "best"),
                                           FIELD(F_TEXT, ckpt, path, "path"),
                                           FIELD(F_REAL, ckpt, sec, "sec"),
                                           {0}};
static const struct field switch_fields[] = {
    FIELD(F_I64, sw, giter, "giter"),   FIELD(F_I32, sw, epoch, "epoch"),
    FIELD(F_I32, sw, epochs, "epochs"), FIELD(F_TEXT, sw, from, "from"),
    FIELD(F_TEXT, sw, to, "to"),        {0}};
static const struct field linear_fields[] = {
    FIELD(F_I64, linres, step, "step"),       FIELD(F_REAL, linres, top1, "top1"),
    FIELD(F_REAL, linres, top5, "top5"),      FIELD(F_REAL, linres, loss, "loss"),
    FIELD(F_REAL, linres, lr, "lr"),          FIELD(F_REAL, linres, valid_top1, "valid_top1"),
    FIELD(F_I32, linres, n_rates, "n_rates"), FIELD(F_TEXT, linres, data, "data"),
    FIELD(F_REAL, linres, sec, "sec"),        {0}};

static const struct row rows[] = {{"iter", EV_ITER, iter_fields},
                                  {"valid", EV_VALID, valid_fields},
                                  {"ckpt", EV_CHECKPOINT, ckpt_fields},
                                  {"switch", EV_SWITCH, switch_fields},
                                  {"linear", EV_LINEAR_DONE, linear_fields},
                                  {0}};

static json_t *real(double x)
{
    return isfinite(x) ? json_real(x) : json_null();
}

static json_t *text(const char *s)
{
    json_t *t = json_string(s);
    return t ? t : json_string("?"); /* cut in the middle of a character */
}

static json_t *field_json(const struct event *ev, const struct field *f)
{
    const void *at = (const char *)ev + f->offset;
    switch (f->type) {
    case F_I64:
        return json_integer(*(const int64_t *)at);
    case F_I32:
        return json_integer(*(const int32_t *)at);
    case F_REAL:
        return real(*(const double *)at);
    case F_BOOL:
        return json_boolean(*(const bool *)at);
    default:
        return text(at);
    }
}

static void note_nonfinite(json_t *row, double loss)
{
    const char *what = isnan(loss) ? "nan" : loss > 0 ? "inf" : "-inf";
    if (!isfinite(loss))
        json_object_set_new(row, "nonfinite", json_string(what));
}

static char *row_text(json_t *row)
{
    char *line = json_dumps(row, JSON_COMPACT | JSON_REAL_PRECISION(15)), *out = NULL;
    if (line && asprintf(&out, "%s\n", line) < 0)
        out = NULL;
    free(line);
    return out;
}

char *metrics_row(const struct event *ev)
{
    const struct row *r = rows;
    while (r->ev && r->kind != ev->kind)
        r++;
    if (!r->ev || ev->replayed)
        return NULL;
    json_t *row = json_object();
    json_object_set_new(row, "ev", json_string(r->ev));
    for (const struct field *f = r->fields; f->key; f++)
        json_object_set_new(row, f->key, field_json(ev, f));
    if (ev->kind == EV_ITER)
        note_nonfinite(row, ev->u.iter.loss);
    json_object_set_new(row, "t", json_real((double)ev->usec * 1e-6));
    char *out = row_text(row);
    json_decref(row);
    return out;
}

static void set_field(struct event *ev, const struct field *f, const json_t *v)
{
    void *at = (char *)ev + f->offset;
    const char *s = json_string_value(v);
    switch (f->type) {
    case F_I64:
        *(int64_t *)at = json_integer_value(v);
        break;
    case F_I32:
        *(int32_t *)at = (int32_t)json_integer_value(v);
        break;
    case F_REAL:
        *(double *)at = json_is_number(v) ? json_number_value(v) : NAN;
        break;
    case F_BOOL:
        *(bool *)at = json_is_true(v);
        break;
    case F_TEXT:
        snprintf(at, f->size, "%s", s ? s : "");
        break;
    }
}

static double nonfinite(const char *word)
{
    return strcmp(word, "inf") == 0 ? INFINITY : strcmp(word, "-inf") == 0 ? -INFINITY : NAN;
}

/* A row counts when its first field (giter or step), which places it in time, is there. */
static bool fill(const json_t *row, struct event *ev)
{
    const char *name = json_string_value(json_object_get(row, "ev"));
    const struct row *r = rows;
    while (name && r->ev && strcmp(r->ev, name) != 0)
        r++;
    if (!name || !r->ev || !json_is_integer(json_object_get(row, r->fields[0].key)))
        return false;
    *ev = (struct event){.kind = r->kind, .replayed = true};
    ev->usec = (int64_t)(json_number_value(json_object_get(row, "t")) * 1e6);
    for (const struct field *f = r->fields; f->key; f++)
        set_field(ev, f, json_object_get(row, f->key));
    const char *word = json_string_value(json_object_get(row, "nonfinite"));
    if (r->kind == EV_ITER && word)
        ev->u.iter.loss = nonfinite(word);
    if (r->kind == EV_ITER)
        ev->u.iter.eta_s = NAN;
    return true;
}

bool metrics_parse(const char *line, size_t n, struct event *ev)
{
    json_t *row = json_loadb(line, n, 0, NULL);
    bool good = json_is_object(row) && fill(row, ev);
    json_decref(row);
    return good;
}

bool metrics_belongs(const struct event *ev, int64_t step, bool later)
{
    switch (ev->kind) {
    case EV_ITER:
        return !later && ev->u.iter.giter < step;
    case EV_VALID:
        return !later && ev->u.valid.giter <= step;
    case EV_SWITCH:
        return !later && ev->u.sw.giter <= step;
    case EV_CHECKPOINT:
        return ev->u.ckpt.step <= step;
    case EV_LINEAR_DONE:
        return ev->u.linres.step <= step;
    default:
        return false;
    }
}
