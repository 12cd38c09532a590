/* What a given path is: see run_path.h. Names of files decide, nothing is read. */
#include "engine/run_path.h"

#include "engine/checkpoint_part.h"
#include "engine/metrics_row.h"
#include "engine/run.h"
#include "engine/run_part.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum kind {
    KIND_OTHER,
    KIND_RUN,
    KIND_RECIPE,      /* a run's config.cfg */
    KIND_RUN_FILE,    /* something else that a run made */
    KIND_CHECKPOINTS, /* the folder of them */
    KIND_CHECKPOINT,
    KIND_LONE,  /* a checkpoint that lies in no run */
    KIND_MODEL, /* the weights of a checkpoint */
    KIND_FILE,  /* another file of a checkpoint */
    KIND_N
};

struct place {
    enum kind kind;
    char path[PATH_BYTES], run[PATH_BYTES], checkpoint[PATH_BYTES];
};

static bool has(const char *dir, const char *name)
{
    char path[PATH_BYTES];
    return path_join(path, dir, name, NULL) == 0 && path_exists(path);
}

static bool is_folder(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static const char *leaf(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* The folder that a path lies in. */
static void parent(char out[PATH_BYTES], const char *path)
{
    char copy[PATH_BYTES];
    snprintf(copy, sizeof copy, "%s", path);
    char *slash = strrchr(copy, '/');
    if (slash && slash > copy)
        *slash = '\0';
    snprintf(out, PATH_BYTES, "%s", !slash ? "." : slash == copy ? "/" : copy);
}

/* RUN/checkpoints/NAME; false if `checkpoint` lies elsewhere. */
static bool run_above(const char *checkpoint, char run[PATH_BYTES])
{
    char folder[PATH_BYTES];
    parent(folder, checkpoint);
    parent(run, folder);
    return strcmp(leaf(folder), RUN_CHECKPOINTS) == 0 && run_is(run);
}

static enum kind kind_of_folder(struct place *p)
{
    if (run_is(p->path)) {
        memcpy(p->run, p->path, sizeof p->run);
        return KIND_RUN;
    }
    parent(p->run, p->path);
    if (run_is(p->run))
        return strcmp(leaf(p->path), RUN_CHECKPOINTS) == 0 ? KIND_CHECKPOINTS : KIND_RUN_FILE;
    if (!has(p->path, CHECKPOINT_MANIFEST))
        return KIND_OTHER;
    memcpy(p->checkpoint, p->path, sizeof p->checkpoint);
    return run_above(p->path, p->run) ? KIND_CHECKPOINT : KIND_LONE;
}

/* Files a run makes; people keep their own beside them. */
static bool is_made(const char *name)
{
    static const char *const names[] = {RUN_IDENTITY, RUN_LOG, RUN_LOCK, METRICS_FILE};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

static enum kind kind_of_file(struct place *p)
{
    const char *name = leaf(p->path);
    parent(p->checkpoint, p->path);
    memcpy(p->run, p->checkpoint, sizeof p->run);
    if (run_is(p->run))
        return strcmp(name, RUN_CONFIG) == 0 ? KIND_RECIPE
               : is_made(name)               ? KIND_RUN_FILE
                                             : KIND_OTHER;
    if (!has(p->checkpoint, CHECKPOINT_MANIFEST))
        return KIND_OTHER;
    run_above(p->checkpoint, p->run);
    if (strcmp(name, CHECKPOINT_MODEL) == 0)
        return KIND_MODEL;
    return strcmp(name, CHECKPOINT_TRAIN) == 0 || strcmp(name, CHECKPOINT_MANIFEST) == 0
               ? KIND_FILE
               : KIND_OTHER;
}

static enum kind look(struct place *p, const char *path)
{
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/')
        n--;
    if (n >= sizeof p->path)
        return KIND_OTHER;
    snprintf(p->path, sizeof p->path, "%.*s", (int)n, path);
    if (!path_exists(p->path))
        return KIND_OTHER;
    return is_folder(p->path) ? kind_of_folder(p) : kind_of_file(p);
}

/* @P is the path, @R the run, @C the checkpoint. None: the path may be what is wanted. */
static const char *const sentences[WANT_N][KIND_N] = {
    [WANT_RECIPE] =
        {
            [KIND_RUN] = "@P is a run, not a recipe; continue it with --resume @R, or repeat it "
                         "with its recipe @R/config.cfg",
            [KIND_RUN_FILE] = "@P belongs to the run @R; its recipe is @R/config.cfg",
            [KIND_CHECKPOINTS] =
                "@P holds the checkpoints of a run, not a recipe; continue it with --resume @R",
            [KIND_CHECKPOINT] =
                "@P is a checkpoint, not a recipe; continue its run with --resume @R",
            [KIND_LONE] = "@P is a checkpoint, not a recipe; begin a run from its weights with "
                          "--set init.weights=@C/model.safetensors RECIPE",
            [KIND_MODEL] = "@P holds the weights of a checkpoint, not a recipe; begin a run from "
                           "them with --set init.weights=@P RECIPE",
            [KIND_FILE] = "@P is a file of a checkpoint, not a recipe",
        },
    [WANT_RUN] =
        {
            [KIND_RECIPE] = "@P is the recipe of a run; the run is --resume @R",
            [KIND_RUN_FILE] = "@P is not a run, it belongs to one: --resume @R",
            [KIND_CHECKPOINTS] = "@P holds the checkpoints of a run; the run is --resume @R, which "
                                 "continues from the newest",
            [KIND_CHECKPOINT] = "@P is a checkpoint; its run is --resume @R, which continues from "
                                "the newest checkpoint",
            [KIND_LONE] = "@P is a checkpoint that lies in no run; begin one from its weights with "
                          "--set init.weights=@C/model.safetensors RECIPE",
            [KIND_MODEL] = "@P is a file of the checkpoint @C; --resume takes a run's folder, as "
                           "@R",
            [KIND_FILE] = "@P is a file of the checkpoint @C; --resume takes a run's folder, as @R",
        },
    [WANT_CHECKPOINT] =
        {
            [KIND_RECIPE] = "@P is the recipe of a run; give the run, for its newest checkpoint: "
                            "@R",
            [KIND_RUN_FILE] = "@P is not a checkpoint, it belongs to the run @R; give the run, for "
                              "its newest checkpoint: @R",
            [KIND_CHECKPOINTS] = "@P holds all checkpoints of a run; give one of them, or the run "
                                 "for its newest: @R",
            [KIND_MODEL] = "@P is a file of a checkpoint; give the checkpoint's folder: @C",
            [KIND_FILE] = "@P is a file of a checkpoint; give the checkpoint's folder: @C",
        },
    [WANT_WEIGHTS] =
        {
            [KIND_RUN] = "@P is a run; its newest weights are "
                         "@R/checkpoints/latest/model.safetensors",
            [KIND_RUN_FILE] = "@P belongs to the run @R, whose newest weights are "
                              "@R/checkpoints/latest/model.safetensors",
            [KIND_CHECKPOINTS] = "@P holds the checkpoints of a run; its newest weights are "
                                 "@P/latest/model.safetensors",
            [KIND_CHECKPOINT] = "@P is a checkpoint; its weights are @C/model.safetensors",
            [KIND_LONE] = "@P is a checkpoint; its weights are @C/model.safetensors",
            [KIND_FILE] = "@P is not the weights of its checkpoint; those are "
                          "@C/model.safetensors",
        },
};

static void put_sentence(const struct place *p, const char *text, struct err *e)
{
    char out[sizeof e->msg] = "";
    size_t n = 0;
    for (; *text && n + 1 < sizeof out; text++) {
        if (*text == '@') {
            text++;
            n += (size_t)snprintf(out + n, sizeof out - n, "%s",
                                  *text == 'P'   ? p->path
                                  : *text == 'R' ? p->run
                                                 : p->checkpoint);
        } else {
            out[n++] = *text;
            out[n] = '\0';
        }
    }
    err_set(e, EXIT_NOINPUT, "%s", out);
}

int run_path_check(const char *path, enum run_wanted wanted, struct err *e)
{
    struct place p = {0};
    p.kind = look(&p, path);
    const char *text = sentences[wanted][p.kind];
    if (!text)
        return 0;
    put_sentence(&p, text, e);
    return -1;
}
