/* supcon devices: what this machine has to train on, and why something cannot be used. */
#include "cmd/cmd.h"

#include "backend/backend.h"
#include "backend/nvml.h"

#include <jansson.h>

enum { MAX_DEVICES = 32 };

/* What the device is doing at the moment, as far as it is known. */
static struct nvml_sample sample(const struct device_info *d)
{
    struct nvml_sample s = {0};
    struct nvml *gpu = nvml_open(d->bus);
    if (gpu)
        nvml_read(gpu, &s);
    nvml_close(gpu);
    return s;
}

static void print_text(const struct device_info *d)
{
    char now[NVML_TEXT];
    struct nvml_sample s = sample(d);
    printf("%-8s %s: %s\n", d->id, d->usable ? d->name : "not usable", d->detail);
    if (d->usable && d->memory_bytes)
        printf("%-8s %.1f GiB of memory%s%s\n", "", (double)d->memory_bytes / (1 << 30),
               d->libraries[0] ? "; " : "", d->libraries);
    if (nvml_text(now, &s)[0])
        printf("%-8s %s\n", "", now);
}

static void add_number(json_t *to, const char *key, bool known, double value)
{
    json_object_set_new(to, key, known ? json_real(value) : json_null());
}

static json_t *as_json(const struct device_info *d)
{
    struct nvml_sample s = sample(d);
    json_t *out = json_pack("{s:s, s:s, s:s, s:s, s:b, s:I}", "id", d->id, "name", d->name,
                            "detail", d->detail, "libraries", d->libraries, "usable",
                            (int)d->usable, "memory_bytes", (json_int_t)d->memory_bytes);
    if (!out || !d->bus[0])
        return out;
    json_object_set_new(out, "bus", json_string(d->bus));
    add_number(out, "memory_used_bytes", s.valid & NVML_MEMORY, (double)s.memory_used);
    add_number(out, "load_percent", s.valid & NVML_LOAD, s.load);
    add_number(out, "power_watts", s.valid & NVML_POWER, s.power);
    add_number(out, "power_limit_watts", s.valid & NVML_LIMIT, s.power_limit);
    add_number(out, "temperature_celsius", s.valid & NVML_HEAT, s.celsius);
    return out;
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
    CMD_OPTION_JSON,
    {0},
};

const struct cmd_class cmd_devices = {
    .name = "devices",
    .operands = "",
    .help = "List the devices to train on, and say why one cannot be used",
    .options = options,
    .run = run,
};
