/*
 * Which event becomes which row. A number that is not finite is null; of the loss, "nonfinite" says
 * what it was. Numbers are written so that they read back as the same bits.
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

static const struct field progress_fields[] = {FIELD(F_I64, lin, step, "step"),
                                               FIELD(F_I64, lin, giter, "giter"),
                                               FIELD(F_REAL, lin, loss, "loss"),
                                               FIELD(F_REAL, lin, acc, "acc"),
                                               FIELD(F_I32, lin, epoch, "epoch"),
                                               FIELD(F_I32, lin, epochs, "epochs"),
                                               FIELD(F_I32, lin, iter, "iter"),
                                               FIELD(F_I32, lin, iters, "iters"),
                                               FIELD(F_REAL, lin, lr, "lr"),
                                               FIELD(F_I32, lin, n_rates, "n_rates"),
                                               {0}};
static const struct field setup_fields[] = {
    FIELD(F_TEXT, setup, backend, "backend"),     FIELD(F_TEXT, setup, device, "device"),
    FIELD(F_TEXT, setup, detail, "detail"),       FIELD(F_TEXT, setup, arch, "arch"),
    FIELD(F_TEXT, setup, objective, "objective"), FIELD(F_I64, setup, n_train, "n_train"),
    FIELD(F_I64, setup, n_valid, "n_valid"),      FIELD(F_I32, setup, epochs, "epochs"),
    FIELD(F_I32, setup, iters, "iters"),          {0}};
static const struct field failed_fields[] = {
    {"reason", F_TEXT, offsetof(struct event, u.text), sizeof(((struct event *)0)->u.text)}, {0}};
static const struct field done_fields[] = {FIELD(F_I32, done, code, "code"),
                                           FIELD(F_I64, done, giter, "giter"),
                                           FIELD(F_I32, done, epochs, "epochs"),
                                           FIELD(F_REAL, done, best, "best"),
                                           FIELD(F_TEXT, done, ckpt, "ckpt"),
                                           FIELD(F_REAL, done, sec, "sec"),
                                           {0}};

static const struct row rows[] = {{"iter", EV_ITER, iter_fields},
                                  {"valid", EV_VALID, valid_fields},
                                  {"ckpt", EV_CHECKPOINT, ckpt_fields},
                                  {"switch", EV_SWITCH, switch_fields},
                                  {"linear", EV_LINEAR_DONE, linear_fields},
                                  {0}};

/* What is not history. */
static const struct row passing[] = {{"setup", EV_SETUP, setup_fields},
                                     {"linear_iter", EV_LINEAR_ITER, progress_fields},
                                     {"linear_failed", EV_LINEAR_FAILED, failed_fields},
                                     {"done", EV_DONE, done_fields},
                                     {0}};

/* The shortest text that reads back as the same double. */
static void put_real(FILE *f, double x)
{
    char text[32];
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, x);
        if (strtod(text, NULL) == x)
            break;
    }
    fputs(isfinite(x) ? text : "null", f);
}

static void put_text(FILE *f, const char *s)
{
    json_t *t = json_string(s);
    char *quoted = t ? json_dumps(t, JSON_ENCODE_ANY) : NULL;
    fputs(quoted ? quoted : "\"?\"", f); /* cut in the middle of a character */
    free(quoted);
    json_decref(t);
}

static void put_field(FILE *f, const struct event *ev, const struct field *field)
{
    const void *at = (const char *)ev + field->offset;
    fprintf(f, ",\"%s\":", field->key);
    switch (field->type) {
    case F_I64:
        fprintf(f, "%lld", (long long)*(const int64_t *)at);
        break;
    case F_I32:
        fprintf(f, "%d", *(const int32_t *)at);
        break;
    case F_REAL:
        put_real(f, *(const double *)at);
        break;
    case F_BOOL:
        fputs(*(const bool *)at ? "true" : "false", f);
        break;
    case F_TEXT:
        put_text(f, at);
        break;
    }
}

static void put_nonfinite(FILE *f, double loss)
{
    if (!isfinite(loss))
        fprintf(f, ",\"nonfinite\":\"%s\"", isnan(loss) ? "nan" : loss > 0 ? "inf" : "-inf");
}

static char *line_of(const struct row *r, const struct event *ev)
{
    char *line = NULL;
    size_t n = 0;
    while (r->ev && r->kind != ev->kind)
        r++;
    FILE *f = r->ev && !ev->replayed ? open_memstream(&line, &n) : NULL;
    if (!f)
        return NULL;
    fprintf(f, "{\"ev\":\"%s\"", r->ev);
    for (const struct field *field = r->fields; field->key; field++)
        put_field(f, ev, field);
    if (ev->kind == EV_ITER)
        put_nonfinite(f, ev->u.iter.loss);
    fprintf(f, ",\"t\":%lld.%06d}\n", (long long)(ev->usec / 1000000), (int)(ev->usec % 1000000));
    if (fclose(f) == 0)
        return line;
    free(line);
    return NULL;
}

char *metrics_row(const struct event *ev)
{
    return line_of(rows, ev);
}

char *metrics_passing(const struct event *ev)
{
    return line_of(passing, ev);
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
    ev->usec = llround(json_number_value(json_object_get(row, "t")) * 1e6);
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
