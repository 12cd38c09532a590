/*
 * Run by checkpoint_crash.sh, which kills it at every system call.
 *
 *     checkpoint_crash save DIR FROM TO    checkpoints of these steps, two kept; a line per commit
 *     checkpoint_crash load DIR            cleans up, loads the newest, prints its step
 */
#include "base/log.h"
#include "small_net.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int save(struct small_net *s, const char *dir, int64_t from, int64_t to, struct err *e)
{
    for (int64_t step = from; step <= to; step++) {
        struct checkpoint_saved saved;
        if (small_net_save(s, dir, step, 2, &saved, e) < 0)
            return -1;
        printf("%lld\n", (long long)step);
        fflush(stdout);
    }
    return 0;
}

static int load(struct small_net *s, const char *dir, struct err *e)
{
    char path[PATH_BYTES];
    struct checkpoint_state state;
    checkpoint_clean(dir);
    if (checkpoint_latest(dir, path, e) < 0 || checkpoint_read(path, &state, NULL, NULL, e) < 0 ||
        checkpoint_restore(path, &s->net, e) < 0)
        return -1;
    if (!small_net_equals(s, state.step))
        return err_set(e, EXIT_DATA, "%s: its tensors are not those of step %lld", path,
                       (long long)state.step);
    printf("%lld\n", (long long)state.step);
    return 0;
}

int main(int argc, char **argv)
{
    struct small_net s;
    struct err e = {0};
    int r = -1;
    if (small_net_init(&s, 6, &e) == 0 && argc == 5 && strcmp(argv[1], "save") == 0)
        r = save(&s, argv[2], atoll(argv[3]), atoll(argv[4]), &e);
    else if (argc == 3 && strcmp(argv[1], "load") == 0)
        r = load(&s, argv[2], &e);
    small_net_done(&s);
    if (r < 0)
        fprintf(stderr, "%s\n", e.msg);
    return r < 0 ? e.code : 0;
}
