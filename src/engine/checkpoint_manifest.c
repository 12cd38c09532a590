/*
 * manifest.json: what a checkpoint is and what its files must look like. Its last line is a
 * CRC-32C of the text before it, so that no bit of the manifest itself can change unnoticed.
 */
#include "base/log.h"
#include "config.h"
#include "engine/checkpoint_part.h"
#include "engine/crc32c.h"
#include "engine/run_part.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MANIFEST_CAP = 16 << 20 };

#define SEAL ",\n  \"manifest_crc32c\": \""

static json_t *number(double x)
{
    return isfinite(x) ? json_real(x) : json_null();
}

static double number_of(const json_t *object, const char *key)
{
    const json_t *v = json_object_get(object, key);
    return json_is_number(v) ? json_number_value(v) : NAN;
}

static int64_t integer_of(const json_t *object, const char *key, int64_t fallback)
{
    const json_t *v = json_object_get(object, key);
    return json_is_integer(v) ? json_integer_value(v) : fallback;
}

static void text_of(const json_t *object, const char *key, char *out, size_t size)
{
    const char *s = json_string_value(json_object_get(object, key));
    snprintf(out, size, "%s", s ? s : "");
}

static json_t *settings_text(const struct settings *settings, struct err *e)
{
    size_t n = 0;
    char *text = run_config_text(settings, &n, e);
    json_t *value = text ? json_stringn(text, n) : NULL;
    if (text && !value)
        err_set(e, EXIT_CONFIG, "the settings of the run are not UTF-8");
    free(text);
    return value;
}

static json_t *switches(const struct checkpoint_state *s)
{
    json_t *list = json_array();
    for (int i = 0; i < s->n_switches && i < CHECKPOINT_SWITCHES; i++)
        json_array_append_new(list,
                              json_pack("{s:I, s:s, s:s}", "step", (json_int_t)s->switches[i].step,
                                        "from", s->switches[i].from, "to", s->switches[i].to));
    return list;
}

static json_t *exactness(const struct network *net, const char *data)
{
    const struct device *d = net->dev;
    return json_pack("{s:s, s:s, s:s, s:s, s:i, s:b, s:s, s:s}", "version", PACKAGE_VERSION,
                     "backend", d->class->name, "device", d->info.name, "libraries",
                     d->info.libraries, "threads", d->threads, "deterministic", d->deterministic,
                     "dtype", net->model.dtype, "data", data);
}

static json_t *describe(const struct checkpoint_source *s, struct err *e)
{
    const struct checkpoint_state *t = s->state;
    json_t *settings = settings_text(s->settings, e);
    if (!settings)
        return NULL;
    uint32_t hash = crc32c(0, json_string_value(settings), json_string_length(settings));
    char hex[16];
    snprintf(hex, sizeof hex, "%08x", (unsigned)hash);
    json_t *m = json_pack(
        "{s:i, s:I, s:I, s:I, s:s, s:I, s:o, s:{s:o, s:o, s:o}, s:I, s:o, s:o, s:s, s:o}", "format",
        CHECKPOINT_FORMAT, "step", (json_int_t)t->step, "epoch", (json_int_t)t->epoch, "position",
        (json_int_t)t->position, "objective", t->objective, "seed", (json_int_t)t->seed, "switches",
        switches(t), "valid", "loss", number(t->valid_loss), "top1", number(t->valid_top1), "top5",
        number(t->valid_top5), "metrics_bytes", (json_int_t)t->metrics_bytes, "exactness",
        exactness(s->net, t->data), "settings", settings, "settings_crc32c", hex, "tuning",
        s->tuning ? tuning_json(s->tuning) : json_object());
    if (!m)
        err_set(e, EXIT_SOFTWARE,
                "a checkpoint's manifest cannot be written: its texts are not "
                "UTF-8");
    return m;
}

/* The text with its seal: everything up to the last brace, then the checksum of that. */
static char *sealed(const json_t *m, size_t *n)
{
    char *text = json_dumps(m, JSON_INDENT(2) | JSON_REAL_PRECISION(17)), *out;
    size_t body = text ? strlen(text) : 0;
    if (body < 2)
        return NULL;
    body -= 2; /* "\n}" */
    int total =
        asprintf(&out, "%.*s" SEAL "%08x\"\n}\n", (int)body, text, (unsigned)crc32c(0, text, body));
    free(text);
    *n = total < 0 ? 0 : (size_t)total;
    return total < 0 ? NULL : out;
}

int checkpoint_write_manifest(const char *folder, const struct checkpoint_source *s, struct err *e)
{
    char path[PATH_BYTES];
    size_t n = 0;
    json_t *m = describe(s, e);
    if (!m)
        return -1;
    int r = checkpoint_add_files(m, folder, e);
    char *text = r == 0 ? sealed(m, &n) : NULL;
    json_decref(m);
    if (r == 0 && !text)
        r = err_set(e, EXIT_OS, "out of memory for a checkpoint's manifest");
    if (r == 0)
        r = path_join(path, folder, CHECKPOINT_MANIFEST, e);
    if (r == 0)
        r = file_replace(path, text, n, e);
    free(text);
    return r;
}

static const char *find_seal(const char *text)
{
    const char *last = NULL;
    for (const char *p = text; (p = strstr(p, SEAL)); p++)
        last = p;
    return last;
}

static int check_seal(const char *path, const char *text, size_t n, struct err *e)
{
    char want[64];
    const char *seal = strlen(text) == n ? find_seal(text) : NULL;
    if (!seal)
        return err_set(e, EXIT_DATA, "%s: offset %zu: its end is missing: truncated or damaged",
                       path, n);
    snprintf(want, sizeof want, SEAL "%08x\"\n}\n",
             (unsigned)crc32c(0, text, (size_t)(seal - text)));
    if (strcmp(seal, want) == 0)
        return 0;
    return err_set(e, EXIT_DATA,
                   "%s: offset 0: the checksum of its %zu bytes does not match: "
                   "damaged",
                   path, n);
}

static json_t *parse(const char *path, const char *text, size_t n, struct err *e)
{
    json_error_t why;
    json_t *m = json_loadb(text, n, JSON_REJECT_DUPLICATES, &why);
    if (!m || !json_is_object(m)) {
        err_set(e, EXIT_DATA, "%s: offset %d: not a manifest: %s", path, m ? 0 : why.position,
                m ? "not an object" : why.text);
        json_decref(m);
        return NULL;
    }
    int64_t format = integer_of(m, "format", -1);
    if (format == CHECKPOINT_FORMAT)
        return m;
    json_decref(m);
    err_set(e, EXIT_DATA,
            "%s: checkpoint format %lld is of a newer version; this program reads "
            "format %d: use the version that wrote it",
            path, (long long)format, CHECKPOINT_FORMAT);
    return NULL;
}

json_t *checkpoint_manifest(const char *path, struct err *e)
{
    char file[PATH_BYTES], *text;
    size_t n;
    if (path_join(file, path, CHECKPOINT_MANIFEST, e) < 0)
        return NULL;
    if (file_read(file, MANIFEST_CAP, &text, &n, e) < 0) {
        if (e && e->code == EXIT_NOINPUT)
            err_set(e, EXIT_NOINPUT, "%s is not a checkpoint: it has no %s", path,
                    CHECKPOINT_MANIFEST);
        return NULL;
    }
    json_t *m = check_seal(file, text, n, e) < 0 ? NULL : parse(file, text, n, e);
    free(text);
    return m;
}

static void read_switches(const json_t *list, struct checkpoint_state *s)
{
    size_t n = json_array_size(list);
    for (size_t i = n > CHECKPOINT_SWITCHES ? n - CHECKPOINT_SWITCHES : 0; i < n; i++) {
        const json_t *item = json_array_get(list, i);
        int k = s->n_switches++;
        s->switches[k].step = integer_of(item, "step", 0);
        text_of(item, "from", s->switches[k].from, sizeof s->switches[k].from);
        text_of(item, "to", s->switches[k].to, sizeof s->switches[k].to);
    }
}

int checkpoint_state_from(const json_t *m, const char *path, struct checkpoint_state *s,
                          struct err *e)
{
    const json_t *valid = json_object_get(m, "valid");
    memset(s, 0, sizeof *s);
    s->step = integer_of(m, "step", -1);
    s->epoch = integer_of(m, "epoch", -1);
    s->position = integer_of(m, "position", -1);
    s->seed = (uint64_t)integer_of(m, "seed", 0);
    s->metrics_bytes = integer_of(m, "metrics_bytes", -1);
    s->valid_loss = number_of(valid, "loss");
    s->valid_top1 = number_of(valid, "top1");
    s->valid_top5 = number_of(valid, "top5");
    text_of(m, "objective", s->objective, sizeof s->objective);
    text_of(json_object_get(m, "exactness"), "data", s->data, sizeof s->data);
    read_switches(json_object_get(m, "switches"), s);
    if (s->step >= 0 && s->epoch >= 0 && s->position >= 0 && s->objective[0])
        return 0;
    return err_set(e, EXIT_DATA, "%s/%s: step, epoch, position or objective is missing", path,
                   CHECKPOINT_MANIFEST);
}

static int notice(const json_t *then, const json_t *now, const char *key)
{
    json_t *a = json_object_get(then, key), *b = json_object_get(now, key);
    if (!a || json_equal(a, b))
        return 0;
    char *was = json_dumps(a, JSON_ENCODE_ANY), *is = json_dumps(b, JSON_ENCODE_ANY);
    log_warn("resuming is no longer bit-identical: %s was %s, is now %s", key, was ? was : "?",
             is ? is : "?");
    free(was);
    free(is);
    return 1;
}

int checkpoint_compare(const char *path, const struct network *net, const char *data)
{
    static const char *const keys[] = {"version",       "backend", "device", "libraries", "threads",
                                       "deterministic", "dtype",   "data",   NULL};
    struct err ignored;
    json_t *m = checkpoint_manifest(path, &ignored), *now = exactness(net, data);
    const json_t *then = json_object_get(m, "exactness");
    int n = 0;
    for (int i = 0; keys[i] && then; i++)
        n += notice(then, now, keys[i]);
    json_decref(now);
    json_decref(m);
    return n;
}
