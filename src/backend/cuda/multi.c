/* Jobs of all layers; see multi.h. They are gathered when the calls are bound and never change. */
#include "backend/cuda/multi.h"

#include <stdlib.h>

struct multi {
    struct k_filter_job *pack, *unpack;
    struct k_norm_commit_job *commit;
    int n_pack, n_unpack, n_commit;
};

static void gather(struct multi *m, const struct call *calls, int n)
{
    for (int i = 0; i < n; i++) {
        const struct call *c = &calls[i];
        if (c->op == OP_CONV) {
            m->n_pack += conv_pack_job(c, &m->pack[m->n_pack]);
            m->n_unpack += conv_unpack_job(c, &m->unpack[m->n_unpack]);
        } else if (c->op == OP_BATCHNORM) {
            m->n_commit += batchnorm_commit_job(c, &m->commit[m->n_commit]);
        }
    }
}

int cuda_multi_new(struct device *dev, struct call *calls, int n, void **multi, struct err *e)
{
    struct multi *m = *multi = calloc(1, sizeof *m);
    size_t room = (size_t)n + 1;
    (void)dev;
    if (!m)
        return err_set(e, EXIT_OS, "out of memory for a plan");
    m->pack = calloc(room, sizeof *m->pack);
    m->unpack = calloc(room, sizeof *m->unpack);
    m->commit = calloc(room, sizeof *m->commit);
    if (!m->pack || !m->unpack || !m->commit)
        return err_set(e, EXIT_OS, "out of memory for a plan");
    gather(m, calls, n);
    return 0;
}

int cuda_multi_begin(struct device *dev, void *multi, struct err *e)
{
    const struct multi *m = multi;
    return CU(e, k_pack_filters(cuda_of(dev)->compute, m->pack, m->n_pack));
}

int cuda_multi_end(struct device *dev, void *multi, struct err *e)
{
    const struct multi *m = multi;
    if (cuda_join(cuda_of(dev), e))
        return -1;
    return CU(e, k_unpack_filters(cuda_of(dev)->compute, m->unpack, m->n_unpack));
}

int cuda_multi_commit(struct device *dev, void *multi, const uint32_t *held, struct err *e)
{
    const struct multi *m = multi;
    return CU(e, k_norm_commit(cuda_of(dev)->compute, m->commit, m->n_commit, held));
}

void cuda_multi_free(struct device *dev, void *multi)
{
    struct multi *m = multi;
    (void)dev;
    free(m->commit);
    free(m->unpack);
    free(m->pack);
    free(m);
}
