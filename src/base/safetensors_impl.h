/* What the files behind safetensors.h share. */
#ifndef SUPCON_BASE_SAFETENSORS_IMPL_H
#define SUPCON_BASE_SAFETENSORS_IMPL_H

#include "base/safetensors.h"

enum {
    ST_MAX_HEADER = 100000000,
    ST_MAX_TENSORS = 100000,
    ST_MAX_RANK = 8,
    ST_MAX_NAME = 512,
};

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "data is copied as it lies in the file");

/* Parses the header (n bytes of JSON) into f->tensors and f->metadata; `data` is the number of
 * bytes behind it. */
int st_parse(struct st_file *f, const char *header, size_t n, uint64_t data, struct err *e);
/* The dtype named `name`; -1 if there is none that we read. */
int st_dtype_find(const char *name);

#endif
