/* Images to embed, batch by batch: from a safetensors file, or the test part of a data set. */
#ifndef SUPCON_CMD_EMBED_IMAGES_H
#define SUPCON_CMD_EMBED_IMAGES_H

#include "data/dataset.h"

struct images {
    int64_t n;
    int channels, height, width;
    int32_t *labels; /* [n], NULL: from a file */
    float *all;      /* of a file; else NULL and the next */
    struct dataset data;
    float *batch;
    int64_t batch_room;
};

/* input: the name of a data set, or else a file with the tensor "images" [N,3,H,W], normalised.
 * path: folder of the data set, may be NULL. */
int images_open(struct images *, const char *input, const char *path, struct err *);
void images_close(struct images *);
/* `rows` images from `first` on, zeros beyond the last; valid until the next call. NULL on failure.
 * From a data set they are normalised. */
const float *images_batch(struct images *, int64_t first, int rows, struct err *);

#endif
