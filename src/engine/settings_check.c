/*
 * What no single key can tell. One function per check, each looking at a few keys and giving one
 * sentence that begins with the key to change.
 */
#include "engine/settings.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>

typedef int check_fn(const struct settings *, struct err *);

static bool device_is_known(const char *id)
{
    if (strcmp(id, "auto") == 0 || strcmp(id, "cpu") == 0 || strcmp(id, "cuda") == 0)
        return true;
    return strncmp(id, "cuda:", 5) == 0 && isdigit((unsigned char)id[5]) && strlen(id) <= 7 &&
           strspn(id + 5, "0123456789") == strlen(id + 5);
}

static int check_device(const struct settings *s, struct err *e)
{
    if (device_is_known(s->run.device))
        return 0;
    return err_set(e, EXIT_CONFIG, "device: \"%s\" is not known; there are auto, cpu, cuda, cuda:N",
                   s->run.device);
}

static int check_name(const struct settings *s, struct err *e)
{
    const char *name = s->run.name;
    if (name[0] != '.' && !strchr(name, '/'))
        return 0;
    return err_set(e, EXIT_CONFIG,
                   "name: \"%s\" cannot name a folder; leave out \"/\" and a leading dot", name);
}

static int check_runs(const struct settings *s, struct err *e)
{
    if (s->run.runs[0])
        return 0;
    return err_set(e, EXIT_CONFIG, "runs: a folder is needed; \".\" is the working directory");
}

static bool has_word(const char *words, const char *word)
{
    size_t n = strlen(word);
    for (const char *p = words; (p = strstr(p, word)); p += n)
        if ((p == words || p[-1] == ' ') && (p[n] == ' ' || p[n] == '\0'))
            return true;
    return false;
}

static int check_stem(const struct settings *s, struct err *e)
{
    const struct arch_class *arch = arch_find(s->model.arch, e);
    if (!arch)
        return -1;
    if (has_word(arch->stems, s->model.stem))
        return 0;
    return err_set(e, EXIT_CONFIG, "model.stem: %s has no stem \"%s\"; it has: %s", arch->name,
                   s->model.stem, arch->stems);
}

static int check_views(const struct settings *s, struct err *e)
{
    const struct objective_class *o = objective_find(s->objective.name, e);
    if (!o)
        return -1;
    if (s->augment.views == 0 || s->augment.views >= o->min_views)
        return 0;
    return err_set(e, EXIT_CONFIG,
                   "augment.views: %s compares views of an image and needs at least %d, found "
                   "%" PRId64,
                   o->name, o->min_views, s->augment.views);
}

static int check_crop(const struct settings *s, struct err *e)
{
    if (s->augment.crop_min <= s->augment.crop_max)
        return 0;
    return err_set(e, EXIT_CONFIG, "augment.crop_min: %g is larger than augment.crop_max, %g",
                   s->augment.crop_min, s->augment.crop_max);
}

static int check_nesterov(const struct settings *s, struct err *e)
{
    if (!s->optimizer.nesterov || s->optimizer.momentum > 0)
        return 0;
    return err_set(e, EXIT_CONFIG,
                   "optimizer.nesterov: needs a momentum, but optimizer.momentum is 0");
}

static int check_steps(const struct settings *s, struct err *e)
{
    for (int i = 1; i < s->schedule.n_steps; i++)
        if (s->schedule.steps[i] <= s->schedule.steps[i - 1])
            return err_set(e, EXIT_CONFIG,
                           "schedule.steps: the epochs must rise, but %g follows %g",
                           s->schedule.steps[i], s->schedule.steps[i - 1]);
    return 0;
}

static int check_rates(const struct settings *s, struct err *e)
{
    if (s->linear.n_lr > 0)
        return 0;
    return err_set(e, EXIT_CONFIG, "linear.lr: at least one learning rate is needed");
}

static check_fn *const checks[] = {check_name,     check_runs,  check_device,
                                   check_crop,     check_views, check_stem,
                                   check_nesterov, check_steps, check_rates};

enum { N_CHECKS = sizeof checks / sizeof *checks };

int settings_check_all(const struct settings *s, struct err *problems, int max)
{
    int n = 0;
    for (int i = 0; i < N_CHECKS && n < max; i++)
        n += checks[i](s, &problems[n]) < 0;
    return n;
}

int settings_check(const struct settings *s, struct err *e)
{
    for (int i = 0; i < N_CHECKS; i++)
        if (checks[i](s, e) < 0)
            return -1;
    return 0;
}

int settings_views(const struct settings *s, const struct objective_class *o)
{
    return s->augment.views > 0 ? (int)s->augment.views : o->views;
}
