/* The settings of a command: defaults, then its recipe, then every --set, then what no single key
 * can tell. */
#include "cmd/cmd.h"

#include "engine/settings.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_SETS = 64 };

/* All mistakes of a recipe go to stderr but the first, which main prints. */
static int read_recipe(const char *recipe, struct settings *s, struct conf_origin *origin,
                       struct err *e)
{
    struct conf_errors *errors = calloc(1, sizeof *errors);
    if (!errors)
        return err_set(e, EXIT_OS, "out of memory");
    int r = conf_read(settings_table, s, recipe, origin, errors, e);
    for (int i = 1; i < errors->n; i++)
        fprintf(stderr, "supcon: %s\n", errors->text[i]);
    free(errors);
    return r;
}

int cmd_settings(const struct cmd_args *args, const char *recipe, struct settings *s,
                 struct conf_origin *origin, struct err *e)
{
    memset(s, 0, sizeof *s);
    conf_defaults(settings_table, s, origin);
    if (recipe && read_recipe(recipe, s, origin, e) < 0)
        return -1;
    const char *set[MAX_SETS];
    int n = cmd_values(args, "set", set, MAX_SETS);
    for (int i = 0; i < n; i++)
        if (conf_set(settings_table, s, set[i], origin, e) < 0)
            return -1;
    return settings_check(s, e);
}
