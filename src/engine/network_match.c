/*
 * Files of weights against every known architecture, by names and shapes of the encoder's tensors:
 * see network_match.h. Graphs are built for that, without a device and without numbers.
 */
#include "engine/network_match.h"

#include <stdio.h>
#include <string.h>

enum { SIZE = 64, STEM_BYTES = 32 }; /* of the images, large enough for all */

static bool is_head(const char *name)
{
    static const char *const heads[] = {"projection.", "fc.", "probe.", "head."};
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++)
        if (strncmp(name, heads[i], strlen(heads[i])) == 0)
            return true;
    return false;
}

static bool is_counter(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot && strcmp(dot, ".num_batches_tracked") == 0;
}

/* Tensors of the file's encoder. */
static int encoder_tensors(const struct st_file *f)
{
    int n = 0;
    for (int i = 0; i < f->n; i++)
        n += !is_head(f->tensors[i].name) && !is_counter(f->tensors[i].name);
    return n;
}

static bool same_shape(const struct param_spec *p, const struct st_tensor *t)
{
    bool same = t && p->ndim == t->ndim;
    for (int i = 0; same && i < p->ndim; i++)
        same = p->dim[i] == t->dim[i];
    return same;
}

/* How many of the encoder's `n` parameters are in the file with their shape. */
static int matches(const struct network *net, const struct st_file *f, int *n)
{
    struct err ignored;
    struct graph *g = network_eval_graph(net, 1, GROUP_ENCODER, &ignored);
    int found = 0;
    *n = 0;
    for (int i = 0; g && i < g->n_params; i++) {
        found += same_shape(&g->params[i], st_find(f, g->params[i].name));
        (*n)++;
    }
    graph_free(g);
    return found;
}

static bool fits(const struct network *net, const struct st_file *f, int tensors)
{
    int n;
    return matches(net, f, &n) == n && n == tensors && n > 0;
}

/* The i-th word of `words`; false behind the last. */
static bool word_at(const char *words, int i, char out[STEM_BYTES])
{
    for (; i > 0 && *words; i--) {
        words += strcspn(words, " ");
        words += strspn(words, " ");
    }
    snprintf(out, STEM_BYTES, "%.*s", (int)strcspn(words, " "), words);
    return out[0] != '\0';
}

/* An architecture with stem to which all tensors of the file belong. */
static bool identify(const struct st_file *f, struct network *found)
{
    int tensors = encoder_tensors(f);
    for (int i = 0; arch_classes[i]; i++) {
        char stem[STEM_BYTES];
        *found = (struct network){.arch = arch_classes[i], .shape = {3, SIZE, SIZE, 10}};
        snprintf(found->model.arch, sizeof found->model.arch, "%s", arch_classes[i]->name);
        snprintf(found->model.dtype, sizeof found->model.dtype, "f32");
        found->model.projection_dim = 128;
        for (int k = 0; word_at(arch_classes[i]->stems, k, stem); k++) {
            snprintf(found->model.stem, sizeof found->model.stem, "%s", stem);
            if (fits(found, f, tensors))
                return true;
        }
    }
    return false;
}

static int say_which(const struct network *net, const struct network *found,
                     const struct st_file *f, struct err *e)
{
    bool arch = strcmp(found->model.arch, net->model.arch) != 0;
    bool stem = strcmp(found->model.stem, net->model.stem) != 0;
    char keys[160] = "";
    if (arch)
        snprintf(keys, sizeof keys, "model.arch to %s", found->model.arch);
    if (stem)
        snprintf(keys + strlen(keys), sizeof keys - strlen(keys), "%smodel.stem to %s",
                 arch ? " and " : "", found->model.stem);
    return err_set(
        e, EXIT_DATA,
        "%s: these are the weights of a %s with stem %s, not of a %s with stem %s; set %s", f->path,
        found->model.arch, found->model.stem, net->model.arch, net->model.stem, keys);
}

int network_match_explain(const struct network *net, const struct st_file *f, struct err *e)
{
    struct network own = *net, found;
    int n, there;
    own.shape.height = own.shape.width = SIZE;
    if (e->code != EXIT_DATA || fits(&own, f, encoder_tensors(f)))
        return -1; /* the encoder is right, something else is not */
    if (identify(f, &found))
        return say_which(net, &found, f, e);
    there = matches(&own, f, &n);
    if (2 * there >= n)
        return -1;
    return err_set(
        e, EXIT_DATA,
        "%s: these are not the weights of a %s with stem %s: %d of its %d tensors are "
        "there in their shape, and no known architecture has the others; names are those "
        "of torchvision, model.arch and model.stem say what is expected",
        f->path, net->model.arch, net->model.stem, there, n);
}
