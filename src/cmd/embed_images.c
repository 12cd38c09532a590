/* See embed_images.h. A file is read whole; a data set image by image. */
#include "cmd/embed_images.h"

#include "base/safetensors.h"

#include <stdlib.h>
#include <string.h>

static bool is_data_set(const char *name)
{
    for (int i = 0; dataset_classes[i]; i++)
        if (!strcmp(dataset_classes[i]->name, name))
            return true;
    return false;
}

static int64_t image_size(const struct images *in)
{
    return (int64_t)in->channels * in->height * in->width;
}

static int take_tensor(struct images *in, const struct st_file *f, struct err *e)
{
    const struct st_tensor *t = st_find(f, "images");
    if (!t)
        return err_set(e, EXIT_DATA, "%s: there is no tensor \"images\"; expected images [N,3,H,W]",
                       f->path);
    if (t->ndim != 4 || t->dim[1] != 3 || t->count == 0 || t->dim[2] > 1 << 14 ||
        t->dim[3] > 1 << 14)
        return err_set(e, EXIT_DATA,
                       "%s: tensor \"images\" has %d dimensions%s; expected [N,3,H,W], not empty",
                       f->path, t->ndim, t->ndim == 4 ? ", but not three channels" : "");
    in->n = t->dim[0];
    in->channels = 3;
    in->height = (int)t->dim[2];
    in->width = (int)t->dim[3];
    in->all = malloc((size_t)t->count * sizeof *in->all);
    if (!in->all)
        return err_set(e, EXIT_OS, "%s: out of memory for %lld images", f->path, (long long)in->n);
    return st_read_f32(f, t, in->all, e);
}

static int open_file(struct images *in, const char *path, struct err *e)
{
    struct st_file f;
    if (st_open(&f, path, e) < 0)
        return -1;
    int rc = take_tensor(in, &f, e);
    st_close(&f);
    return rc;
}

static int open_data_set(struct images *in, const char *name, const char *path, struct err *e)
{
    struct data_conf conf;
    memset(&conf, 0, sizeof conf);
    conf.train_images = conf.test_images = 1000; /* for sets that are generated */
    snprintf(conf.name, sizeof conf.name, "%s", name);
    snprintf(conf.path, sizeof conf.path, "%s", path ? path : "");
    if (dataset_open(&in->data, &conf, e) < 0)
        return -1;
    in->n = in->data.n[PART_TEST];
    in->channels = in->data.channels;
    in->height = in->data.height;
    in->width = in->data.width;
    in->labels = calloc((size_t)in->n + 1, sizeof *in->labels);
    return in->labels ? 0 : err_set(e, EXIT_OS, "out of memory for labels");
}

int images_open(struct images *in, const char *input, const char *path, struct err *e)
{
    memset(in, 0, sizeof *in);
    int rc = is_data_set(input) ? open_data_set(in, input, path, e) : open_file(in, input, e);
    if (rc < 0)
        images_close(in);
    return rc;
}

void images_close(struct images *in)
{
    if (in->data.class)
        dataset_close(&in->data);
    free(in->labels);
    free(in->all);
    free(in->batch);
    memset(in, 0, sizeof *in);
}

/* One image of the data set, normalised as its constants say. */
static int read_image(struct images *in, int64_t index, uint8_t *pixels, float *out, struct err *e)
{
    int64_t plane = (int64_t)in->height * in->width;
    if (in->data.class->read(&in->data, PART_TEST, index, pixels, &in->labels[index], e) < 0)
        return -1;
    for (int c = 0; c < in->channels; c++)
        for (int64_t i = 0; i < plane; i++)
            out[c * plane + i] =
                (float)((pixels[c * plane + i] / 255.0 - in->data.mean[c]) / in->data.std[c]);
    return 0;
}

static int read_images(struct images *in, int64_t first, int64_t n, struct err *e)
{
    uint8_t *pixels = malloc((size_t)image_size(in));
    if (!pixels)
        return err_set(e, EXIT_OS, "out of memory for an image");
    int rc = 0;
    for (int64_t i = 0; rc == 0 && i < n; i++)
        rc = read_image(in, first + i, pixels, in->batch + i * image_size(in), e);
    free(pixels);
    return rc;
}

const float *images_batch(struct images *in, int64_t first, int rows, struct err *e)
{
    int64_t size = image_size(in), n = in->n - first < rows ? in->n - first : rows;
    if (in->all && n == rows)
        return in->all + first * size;
    if (in->batch_room < rows) {
        free(in->batch);
        in->batch = malloc((size_t)(rows * size) * sizeof *in->batch);
        in->batch_room = in->batch ? rows : 0;
    }
    if (!in->batch) {
        err_set(e, EXIT_OS, "out of memory for %d images", rows);
        return NULL;
    }
    memset(in->batch + n * size, 0, (size_t)((rows - n) * size) * sizeof *in->batch);
    if (in->all)
        memcpy(in->batch, in->all + first * size, (size_t)(n * size) * sizeof *in->batch);
    else if (read_images(in, first, n, e) < 0)
        return NULL;
    return in->batch;
}
