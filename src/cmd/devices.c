/* supcon devices: what this machine has to train on, and why something cannot be used. */
#include "cmd/cmd.h"

#include "backend/backend.h"

#include <jansson.h>

enum { MAX_DEVICES = 32 };

static void print_text(const struct device_info *d)
{
    printf("%-8s %s: %s\n", d->id, d->usable ? d->name : "not usable", d->detail);
    if (d->usable && d->memory_bytes)
        printf("%-8s %.1f GiB of memory%s%s\n", "", (double)d->memory_bytes / (1 << 30),
               d->libraries[0] ? "; " : "", d->libraries);
}

static json_t *as_json(const struct device_info *d)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:b, s:I}", "id", d->id, "name", d->name, "detail",
                     d->detail, "libraries", d->libraries, "usable", (int)d->usable, "memory_bytes",
                     (json_int_t)d->memory_bytes);
}

static int run(const struct cmd_args *args, struct err *e)
{
    (void)e;
    json_t *all = json_array();
    for (int b = 0; backend_classes[b]; b++) {
        struct device_info info[MAX_DEVICES] = {0};
        int n = backend_classes[b]->probe(info, MAX_DEVICES);
        for (int i = 0; i < n; i++) {
            if (cmd_has(args, "json"))
                json_array_append_new(all, as_json(&info[i]));
            else
                print_text(&info[i]);
        }
    }
    if (cmd_has(args, "json")) {
        json_dumpf(all, stdout, JSON_INDENT(2));
        putchar('\n');
    }
    json_decref(all);
    return 0;
}

static const struct cmd_option options[] = {
    {"json", 0, NULL, "print a JSON array", false},
    {NULL, 0, NULL, NULL, false},
};

const struct cmd_class cmd_devices = {
    .name = "devices",
    .operands = "",
    .help = "list the devices to train on, and say why one cannot be used",
    .options = options,
    .run = run,
};
