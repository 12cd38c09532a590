/* The way of images into a plan; see feed.h. */
#include "engine/feed.h"

#include "base/log.h"

#include <string.h>

/* The data set stays on the device if it leaves this share of the free memory to the rest. */
static const double RESIDENT_SHARE = 0.5;

enum { CHUNK = 64 << 20 };

static size_t resident_bytes(const struct dataset *d)
{
    return (size_t)(d->n[PART_TRAIN] + d->n[PART_TEST]) * dataset_image_bytes(d);
}

static bool fits(const struct feed *f)
{
    const struct backend_class *c = f->dev->class;
    size_t room = c->memory_free ? c->memory_free(f->dev) : 0;
    return f->data->images &&
           (room == 0 || (double)resident_bytes(f->data) <= RESIDENT_SHARE * (double)room);
}

static int upload(struct feed *f, void *to, const void *from, size_t bytes, struct err *e)
{
    for (size_t at = 0; at < bytes; at += CHUNK) {
        size_t n = bytes - at < CHUNK ? bytes - at : CHUNK;
        struct tensor t = {.name = "images",
                           .dtype = DT_U8,
                           .ndim = 1,
                           .dim = {(int64_t)n, 1, 1, 1},
                           .bytes = n,
                           .data = (char *)to + at};
        if (f->dev->class->upload(f->dev, &t, (const char *)from + at, e) != 0)
            return -1;
    }
    return 0;
}

int feed_open(struct feed *f, struct device *dev, const struct dataset *data, int64_t batch,
              int64_t rows, struct err *e)
{
    *f = (struct feed){.dev = dev, .data = data, .on_device = dev->class->augment != NULL};
    if (!f->on_device)
        return 0;
    f->resident = fits(f);
    size_t image_bytes =
        f->resident ? resident_bytes(data) : (size_t)batch * dataset_image_bytes(data);
    size_t params_bytes = (size_t)rows * sizeof(struct view_params);
    if (dev->class->alloc(dev, image_bytes, &f->images, e) != 0)
        return err_prefix(e, "images of %s", data->class->name);
    f->image_bytes = image_bytes;
    if (dev->class->alloc(dev, params_bytes, &f->params, e) != 0)
        return -1;
    f->params_bytes = params_bytes;
    log_info("%s: %.1f MiB of %s on %s", data->class->name, (double)image_bytes / 1048576,
             f->resident ? "images stay" : "images at a time go", dev->info.id);
    return f->resident ? upload(f, f->images, data->images, image_bytes, e) : 0;
}

void feed_close(struct feed *f)
{
    if (f->images)
        f->dev->class->free(f->dev, f->images, f->image_bytes);
    if (f->params)
        f->dev->class->free(f->dev, f->params, f->params_bytes);
    memset(f, 0, sizeof *f);
}

int feed_upload(struct feed *f, const struct tensor *out, const struct batch *b, struct err *e)
{
    size_t rows = (size_t)out->dim[0], samples = rows / (size_t)b->views;
    size_t bytes = rows * sizeof *b->params;
    if (bytes > f->params_bytes)
        return err_set(e, EXIT_SOFTWARE, "a batch of %zu views is larger than was foreseen", rows);
    if (b->sources &&
        upload(f, f->images, b->sources, samples * dataset_image_bytes(f->data), e) != 0)
        return -1;
    return upload(f, f->params, b->params, bytes, e);
}

int feed_augment(struct feed *f, struct tensor *out, const struct loader *loader, struct err *e)
{
    struct device_augment a = {
        .shape = loader_shape(loader), .images = f->images, .params = f->params};
    return f->dev->class->augment(f->dev, &a, out, e);
}

int feed_images(struct feed *f, struct plan *p, const struct loader *loader, const struct batch *b,
                struct err *e)
{
    if (!f->on_device)
        return plan_upload(p, "images", b->images, e);
    struct tensor out = *plan_tensor(p, "images");
    return feed_upload(f, &out, b, e) != 0 ? -1 : feed_augment(f, &out, loader, e);
}
