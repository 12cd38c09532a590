/* The processor as Linux tells it; see processor.h. */
#include "backend/cpu/processor.h"

#include <ctype.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The first value of a key in /proc/cpuinfo; "" if there is none. */
static void cpuinfo(const char *key, char *out, size_t size)
{
    char line[512];
    FILE *f = fopen("/proc/cpuinfo", "re");
    *out = '\0';
    while (f && !*out && fgets(line, sizeof line, f)) {
        char *colon = strchr(line, ':');
        size_t n = strlen(key);
        if (!colon || strncmp(line, key, n) != 0 || !isspace((unsigned char)line[n]))
            continue;
        size_t used = 0;
        for (const char *p = colon + 1; *p && used + 1 < size; p++)
            if (!isspace((unsigned char)*p))
                out[used++] = *p;
            else if (used && *p == ' ' && out[used - 1] != ' ')
                out[used++] = ' ';
        out[used] = '\0';
    }
    if (f)
        fclose(f);
}

void processor_name(char *out, size_t size)
{
    cpuinfo("model name", out, size);
    if (!*out)
        snprintf(out, size, "unknown processor");
}

void processor_id(char *out, size_t size)
{
    char name[80], family[16], model[16], stepping[16];
    processor_name(name, sizeof name);
    cpuinfo("cpu family", family, sizeof family);
    cpuinfo("model", model, sizeof model);
    cpuinfo("stepping", stepping, sizeof stepping);
    snprintf(out, size, "%s %s.%s.%s", name, family, model, stepping);
}

static int affinity_count(void)
{
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
}

int processor_threads(int asked)
{
    const char *slurm = getenv("SLURM_CPUS_PER_TASK");
    int n = affinity_count(), given = slurm ? atoi(slurm) : 0;
    if (asked > 0)
        return asked;
    if (given > 0 && given < n)
        n = given;
    return n > 0 ? n : 1;
}
