/*
 * The header of a safetensors file: JSON whose every number is checked before it is believed. The
 * ranges of all tensors must tile the data exactly: no hole, no overlap, nothing behind the last.
 */
#include "base/safetensors_impl.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static const uint64_t max_number = (uint64_t)1 << 48;

struct parser {
    struct st_file *f;
    struct err *e;
};

static int bad(const struct parser *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static int bad(const struct parser *p, const char *fmt, ...)
{
    char text[800];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return err_set(p->e, EXIT_DATA, "%s: %s", p->f->path, text);
}

static bool whole(const json_t *v, uint64_t *out)
{
    if (!json_is_integer(v) || json_integer_value(v) < 0)
        return false;
    *out = (uint64_t)json_integer_value(v);
    return *out < max_number;
}

static int take_name(const struct parser *p, struct st_tensor *t, const char *name)
{
    size_t n = strlen(name);
    if (n > ST_MAX_NAME)
        return bad(p, "tensor %.40s...: the name is longer than %d bytes", name, ST_MAX_NAME);
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)name[i] < 0x20 || name[i] == 0x7f)
            return bad(p, "a tensor's name holds control character 0x%02x", name[i]);
    memcpy(t->name, name, n + 1);
    return 0;
}

static int take_dtype(const struct parser *p, struct st_tensor *t, const json_t *v)
{
    if (!json_is_string(v))
        return bad(p, "tensor %s: \"dtype\" is missing or not a text", t->name);
    int dtype = st_dtype_find(json_string_value(v));
    if (dtype < 0)
        return bad(p, "tensor %s: dtype %.20s is not supported", t->name, json_string_value(v));
    t->dtype = (enum st_dtype)dtype;
    return 0;
}

static int take_shape(const struct parser *p, struct st_tensor *t, const json_t *v)
{
    if (!json_is_array(v) || json_array_size(v) > ST_MAX_RANK)
        return bad(p, "tensor %s: \"shape\" is missing or not a list of at most %d numbers",
                   t->name, ST_MAX_RANK);
    t->ndim = (int)json_array_size(v);
    t->count = 1;
    for (int i = 0; i < t->ndim; i++) {
        uint64_t d;
        if (!whole(json_array_get(v, (size_t)i), &d))
            return bad(p, "tensor %s: dimension %d is not a whole number from 0 to 2^48-1", t->name,
                       i);
        t->dim[i] = (int64_t)d;
        if (__builtin_mul_overflow(t->count, t->dim[i], &t->count) ||
            (uint64_t)t->count >= max_number)
            return bad(p, "tensor %s: the shape has more than 2^48-1 elements", t->name);
    }
    return 0;
}

static int take_offsets(const struct parser *p, struct st_tensor *t, const json_t *v)
{
    uint64_t end;
    if (!json_is_array(v) || json_array_size(v) != 2 || !whole(json_array_get(v, 0), &t->begin) ||
        !whole(json_array_get(v, 1), &end) || end < t->begin)
        return bad(p,
                   "tensor %s: \"data_offsets\" is not [BEGIN, END] with 0 <= BEGIN <= END < 2^48",
                   t->name);
    t->bytes = (uint64_t)t->count * st_dtype_size(t->dtype);
    if (end - t->begin != t->bytes)
        return bad(p, "tensor %s: its shape needs %" PRIu64 " bytes, its offsets span %" PRIu64,
                   t->name, t->bytes, end - t->begin);
    return 0;
}

static int take_tensor(const struct parser *p, struct st_tensor *t, const char *name,
                       const json_t *v)
{
    if (take_name(p, t, name) < 0)
        return -1;
    if (!json_is_object(v))
        return bad(p, "tensor %s: its description is not an object", t->name);
    if (json_object_size(v) != 3)
        return bad(p, "tensor %s: expected dtype, shape and data_offsets, and nothing else",
                   t->name);
    if (take_dtype(p, t, json_object_get(v, "dtype")) < 0 ||
        take_shape(p, t, json_object_get(v, "shape")) < 0)
        return -1;
    return take_offsets(p, t, json_object_get(v, "data_offsets"));
}

static int take_metadata(const struct parser *p, json_t *v)
{
    const char *key;
    json_t *value;
    if (!json_is_object(v))
        return bad(p, "__metadata__ is not an object");
    json_object_foreach(v, key, value) if (!json_is_string(value)) return bad(
        p, "__metadata__: the value of %.60s is not a text", key);
    p->f->metadata = json_incref(v);
    return 0;
}

static int by_offset(const void *a, const void *b)
{
    const struct st_tensor *s = a, *t = b;
    if (s->begin != t->begin)
        return s->begin < t->begin ? -1 : 1;
    return (s->bytes > t->bytes) - (s->bytes < t->bytes); /* empty ones first */
}

/* Contiguous from 0 to `data`; offsets become offsets in the file. */
static int check_tiling(const struct parser *p, uint64_t start, uint64_t data)
{
    struct st_file *f = p->f;
    uint64_t at = 0;
    qsort(f->tensors, (size_t)f->n, sizeof *f->tensors, by_offset);
    for (int i = 0; i < f->n; i++) {
        struct st_tensor *t = &f->tensors[i];
        if (t->begin != at)
            return bad(p, "tensor %s: begins at data offset %" PRIu64 ", expected %" PRIu64 " (%s)",
                       t->name, t->begin, at, t->begin < at ? "it overlaps another" : "a hole");
        at += t->bytes;
        t->begin += start;
    }
    if (at == data)
        return 0;
    if (at > data)
        return bad(p,
                   "offset %" PRIu64 ": the file ends here, %" PRIu64 " bytes are missing; it was "
                   "cut short",
                   start + data, at - data);
    return bad(p, "offset %" PRIu64 ": %" PRIu64 " bytes behind the last tensor belong to nothing",
               start + at, data - at);
}

static int take_entries(const struct parser *p, json_t *root)
{
    struct st_file *f = p->f;
    const char *key;
    json_t *value;
    json_object_foreach(root, key, value)
    {
        bool meta = strcmp(key, "__metadata__") == 0;
        int r = meta ? take_metadata(p, value) : take_tensor(p, &f->tensors[f->n], key, value);
        if (r < 0)
            return -1;
        f->n += !meta;
    }
    return 0;
}

int st_parse(struct st_file *f, const char *header, size_t n, uint64_t data, struct err *e)
{
    struct parser p = {f, e};
    json_error_t why;
    json_t *root = json_loadb(header, n, JSON_REJECT_DUPLICATES, &why);
    if (!root)
        return bad(&p, "offset %d: the header is not valid JSON: %s", 8 + why.position, why.text);
    int r = -1;
    if (!json_is_object(root))
        bad(&p, "offset 8: the header is not a JSON object");
    else if (json_object_size(root) > ST_MAX_TENSORS)
        bad(&p, "%zu tensors, at most %d are read", json_object_size(root), ST_MAX_TENSORS);
    else if (!(f->tensors = calloc(json_object_size(root) + 1, sizeof *f->tensors)))
        err_set(e, EXIT_OS, "%s: out of memory for the list of tensors", f->path);
    else
        r = take_entries(&p, root);
    json_decref(root);
    return r < 0 ? -1 : check_tiling(&p, 8 + n, data);
}
