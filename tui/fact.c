/* Single figures of a run; see fact.h. */
#include "tui/fact.h"

#include "tui/text.h"

#include <stdio.h>

#define ITER(m) ((m)->iter.u.iter)

static bool fact_epoch(const struct model *m, char *out, size_t size)
{
    snprintf(out, size, "%d/%d", ITER(m).epoch, ITER(m).epochs);
    return m->started;
}

static bool fact_iter(const struct model *m, char *out, size_t size)
{
    snprintf(out, size, "%d/%d (#%lld)", model_iter(m), ITER(m).iters, (long long)model_done(m));
    return m->started;
}

static bool fact_loss(const struct model *m, char *out, size_t size)
{
    if (isnan(ITER(m).loss))
        snprintf(out, size, "nan");
    else
        text_number(out, size, ITER(m).loss);
    return m->started;
}

static bool fact_acc(const struct model *m, char *out, size_t size)
{
    snprintf(out, size, isfinite(ITER(m).acc) ? "%.2f%%" : "-", ITER(m).acc);
    return m->started;
}

static bool fact_probe(const struct model *m, char *out, size_t size)
{
    snprintf(out, size, "%.2f%%", ITER(m).probe_acc);
    return m->started && isfinite(ITER(m).probe_acc);
}

static bool fact_valid(const struct model *m, char *out, size_t size)
{
    char a[16], b[16];
    snprintf(out, size, "%s/%s%%", text_percent(a, sizeof a, m->valid.u.valid.top1),
             text_percent(b, sizeof b, m->valid.u.valid.top5));
    return m->valid.usec != 0;
}

static bool fact_valid_loss(const struct model *m, char *out, size_t size)
{
    text_number(out, size, m->valid.u.valid.loss);
    return m->valid.usec != 0;
}

static bool fact_lr(const struct model *m, char *out, size_t size)
{
    snprintf(out, size, "%.4g", ITER(m).lr);
    return m->started;
}

static bool fact_speed(const struct model *m, char *out, size_t size)
{
    snprintf(out, size, "%.0f", ITER(m).views_per_s);
    return m->started && isfinite(ITER(m).views_per_s);
}

static bool fact_eta(const struct model *m, char *out, size_t size)
{
    text_duration(out, size, ITER(m).eta_s);
    if (m->trained || m->finished)
        snprintf(out, size, "-");
    return m->started;
}

static bool fact_position(const struct model *m, char *out, size_t size)
{
    snprintf(out, size, "%.0f%%%s", 100 * ITER(m).position,
             model_is_collapsed(m) ? " COLLAPSED" : "");
    return m->started && isfinite(ITER(m).position);
}

static bool fact_step(const struct model *m, char *out, size_t size)
{
    snprintf(out, size, "%.1f ms", ITER(m).step_ms);
    return m->started && isfinite(ITER(m).step_ms);
}

static bool fact_wait(const struct model *m, char *out, size_t size)
{
    snprintf(out, size, "%.1f ms", ITER(m).data_ms);
    return m->started && isfinite(ITER(m).data_ms);
}

static bool fact_grad(const struct model *m, char *out, size_t size)
{
    text_number(out, size, ITER(m).grad_norm);
    return m->started && isfinite(ITER(m).grad_norm);
}

static bool fact_batch(const struct model *m, char *out, size_t size)
{
    snprintf(out, size, "%d images", ITER(m).batch);
    return m->started;
}

static bool fact_lonely(const struct model *m, char *out, size_t size)
{
    snprintf(out, size, "%d anchor%s", ITER(m).lonely, ITER(m).lonely == 1 ? "" : "s");
    return m->started && isfinite(ITER(m).position);
}

static bool fact_nonfinite(const struct model *m, char *out, size_t size)
{
    snprintf(out, size, "%lld, last at #%lld", (long long)m->n_nonfinite,
             (long long)m->nonfinite_at);
    return m->n_nonfinite > 0;
}

static bool fact_device(const struct model *m, char *out, size_t size)
{
    snprintf(out, size, "%s (%s)", m->setup.u.setup.backend, m->setup.u.setup.device);
    return m->setup.usec != 0;
}

static bool fact_arch(const struct model *m, char *out, size_t size)
{
    snprintf(out, size, "%s", m->setup.u.setup.arch);
    return m->setup.usec != 0;
}

static bool fact_data(const struct model *m, char *out, size_t size)
{
    snprintf(out, size, "%lld train, %lld valid", (long long)m->setup.u.setup.n_train,
             (long long)m->setup.u.setup.n_valid);
    return m->setup.usec != 0;
}

const struct fact facts[] = {
    {"epoch", 1, 10, true, fact_epoch},
    {"iter", 1, 9, true, fact_iter},
    {"loss", 1, 12, false, fact_loss},
    {"acc", 1, 8, false, fact_acc},
    {"probe", 1, 3, false, fact_probe},
    {"eta", 2, 6, true, fact_eta},
    {"lr", 2, 5, false, fact_lr},
    {"views/s", 2, 4, false, fact_speed},
    {"position", 2, 3, false, fact_position},
    {"valid top1/5", 2, 2, false, fact_valid},
    {"valid loss", 0, 0, false, fact_valid_loss},
    {"grad norm", 0, 0, false, fact_grad},
    {"step", 0, 0, false, fact_step},
    {"data wait", 2, 1, false, fact_wait},
    {"batch", 0, 0, false, fact_batch},
    {"no positives", 0, 0, false, fact_lonely},
    {"non-finite", 2, 9, false, fact_nonfinite},
    {"model", 0, 0, false, fact_arch},
    {"data", 0, 0, false, fact_data},
    {"device", 0, 0, false, fact_device},
    {NULL, 0, 0, false, NULL},
};

enum { FACTS_MAX = 32, GAP = 2 };

struct line_item {
    const struct fact *fact;
    char value[96];
    int width;
};

static int collect(const struct canvas *c, const struct model *m, int line,
                   struct line_item item[FACTS_MAX])
{
    int n = 0;
    for (const struct fact *f = facts; f->label && n < FACTS_MAX; f++) {
        if (f->line != line || !f->value(m, item[n].value, sizeof item[n].value))
            continue;
        item[n].fact = f;
        item[n].width = canvas_width(c, f->label) + 1 + canvas_width(c, item[n].value);
        n++;
    }
    return n;
}

/* Drops the least important until the rest fits. */
static int fit(struct line_item *item, int n, int width)
{
    for (;;) {
        int total = -GAP, least = 0;
        for (int i = 0; i < n; i++) {
            total += item[i].width + GAP;
            least = item[i].fact->weight < item[least].fact->weight ? i : least;
        }
        if (total <= width || n <= 1)
            return n;
        for (n--; least < n; least++)
            item[least] = item[least + 1];
    }
}

void facts_draw_line(struct canvas *c, const struct model *m, int line, struct rect r,
                     style_t style)
{
    struct line_item item[FACTS_MAX];
    int n = fit(item, collect(c, m, line, item), r.cols), col = r.col, end = r.col + r.cols;
    for (int i = 0; i < n; i++) {
        col += canvas_text(c, r.row, col, end - col, STYLE_DIM, item[i].fact->label) + 1;
        col += canvas_text(c, r.row, col, end - col, style, item[i].value) + GAP;
    }
}
