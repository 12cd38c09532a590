/* Settings to text and back: config.cfg of a run, and the copy in every checkpoint. */
#include "engine/run_part.h"
#include <stdio.h>
#include <stdlib.h>

char *run_config_text(const struct settings *s, size_t *n, struct err *e)
{
    char *text = NULL;
    FILE *f = open_memstream(&text, n);
    if (!f) {
        err_set(e, EXIT_OS, "out of memory writing settings");
        return NULL;
    }
    int r = conf_write(f, settings_table, s, NULL, false, e);
    if (fclose(f) != 0 && r == 0)
        r = err_set(e, EXIT_OS, "out of memory writing settings");
    if (r == 0)
        return text;
    free(text);
    return NULL;
}

int run_config_read(const char *path, struct settings *s, struct err *e)
{
    struct conf_errors *errors = calloc(1, sizeof *errors);
    struct conf_origin *origin = conf_origin_new();
    int r = -1;
    if (errors && origin) {
        conf_defaults(settings_table, s, origin);
        r = conf_read(settings_table, s, path, origin, errors, e);
    } else {
        err_set(e, EXIT_OS, "out of memory reading %s", path);
    }
    conf_origin_free(origin);
    free(errors);
    return r;
}
