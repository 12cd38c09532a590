/*
 * The backends that are built in, and the way from a name in a recipe to an open device. The order
 * of the list is the order of preference for "auto".
 */
#include "backend/backend.h"

#include "base/log.h"

#include <stdlib.h>
#include <string.h>

extern const struct backend_class cuda_backend; /* cuda_module.c */

const struct backend_class *const backend_classes[] = {&cuda_backend, &cpu_backend, NULL};

enum { MAX_DEVICES = 16 };

/* The index of the first usable device of a class, or -1 and why there is none. */
static int first_usable(const struct backend_class *class, char *why, size_t size)
{
    struct device_info info[MAX_DEVICES];
    int n = class->probe(info, MAX_DEVICES);
    snprintf(why, size, "no %s device was found", class->name);
    for (int i = 0; i < n; i++) {
        if (info[i].usable)
            return i;
        snprintf(why, size, "%s: %s", info[i].id, info[i].detail);
    }
    return -1;
}

static int open_best(struct device *dev, const struct device_options *o, struct err *e)
{
    char why[320] = "";
    for (const struct backend_class *const *class = backend_classes; *class; class ++) {
        char here[320];
        int index = first_usable(*class, here, sizeof here);
        if (index >= 0) {
            if (why[0])
                log_info("device auto: using %s; %s", (*class)->name, why);
            return (*class)->open(dev, index, o, e);
        }
        memcpy(why, here, sizeof why);
    }
    return err_set(e, EXIT_UNAVAILABLE, "there is no usable device: %s", why);
}

/* "cpu" -> 0, "cuda:3" -> 3; -1 if it is not this class's. */
static int index_in(const struct backend_class *class, const char *id)
{
    size_t n = strlen(class->name);
    if (strncmp(id, class->name, n) != 0)
        return -1;
    if (id[n] == '\0')
        return 0;
    size_t digits = strspn(id + n + 1, "0123456789");
    bool number = id[n] == ':' && digits > 0 && digits < 5 && id[n + 1 + digits] == '\0';
    return number ? atoi(id + n + 1) : -1;
}

int device_open(struct device *dev, const char *id, const struct device_options *o, struct err *e)
{
    memset(dev, 0, sizeof *dev);
    if (strcmp(id, "auto") == 0)
        return open_best(dev, o, e);
    for (const struct backend_class *const *class = backend_classes; *class; class ++) {
        int index = index_in(*class, id);
        if (index >= 0)
            return (*class)->open(dev, index, o, e);
    }
    return err_set(e, EXIT_UNAVAILABLE,
                   "there is no device '%.40s'; use auto, cpu, cuda or cuda:N (`supcon devices` "
                   "lists what there is)",
                   id);
}

void device_close(struct device *dev)
{
    if (dev->class)
        dev->class->close(dev);
    memset(dev, 0, sizeof *dev);
}
