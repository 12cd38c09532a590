/*
 * The status lines: who runs and in what state (reversed), figures of the step, figures of the run
 * or what is going on instead. On a screen of one line the essentials alone.
 */
#include "tui/fact.h"
#include "tui/pane.h"
#include "tui/text.h"

#include <stdio.h>
#include <string.h>

static void state_text(const struct model *m, const struct canvas *c, char *out, size_t size)
{
    int glyph;
    const char *word = model_state_word(m, &glyph);
    snprintf(out, size, "%s %s", c->glyphs->states[glyph], word);
}

static void saved_text(const struct model *m, char *out, size_t size)
{
    char time[16];
    if (m->save_failed)
        snprintf(out, size, "! SAVE FAILED");
    else if (m->saved_step < 0)
        snprintf(out, size, "not saved yet");
    else
        snprintf(out, size, "saved %s #%lld", text_time(time, sizeof time, m->saved_usec),
                 (long long)m->saved_step);
}

static void objective_text(const struct model *m, char *out, size_t size)
{
    double tau = m->started ? m->iter.u.iter.temperature : NAN;
    if (isfinite(tau) && tau > 0)
        snprintf(out, size, "%s  tau %.3g", m->objective, tau);
    else
        snprintf(out, size, "%s", m->objective);
}

static void draw_first(const struct model *m, struct canvas *c, struct rect r)
{
    char state[48], saved[48], objective[64];
    state_text(m, c, state, sizeof state);
    saved_text(m, saved, sizeof saved);
    objective_text(m, objective, sizeof objective);
    canvas_fill(c, (struct rect){r.row, r.col, 1, r.cols}, ' ', STYLE_STATUS);
    int right = canvas_width(c, saved) + 2, middle = canvas_width(c, objective);
    int left = r.cols - right - middle - canvas_width(c, state) - 14;
    int end = r.col + r.cols, col = r.col + 1;
    if (left >= 8) {
        col += canvas_text(c, r.row, col, end - col, STYLE_STATUS, "supcon  ");
        col += canvas_text(c, r.row, col, left, STYLE_STATUS, m->run) + 2;
    }
    col += canvas_text(c, r.row, col, end - col, STYLE_STATUS, state) + 2;
    if (col + middle + right <= end)
        canvas_text(c, r.row, col, end - col, STYLE_STATUS, objective);
    if (col + right <= end)
        canvas_text(c, r.row, end - right + 1, right, m->save_failed ? STYLE_ERROR : STYLE_STATUS,
                    saved);
}

/* A bar with its per cent, where there is room; returns the columns used. */
static int draw_bar(struct canvas *c, struct rect r, double share)
{
    int cols = r.cols / 6, inner = cols - 2, full = (int)(share * inner + .5);
    if (!isfinite(share) || r.cols <= 40)
        return 0;
    canvas_put(c, r.row, r.col, '[', STYLE_DIM);
    for (int i = 0; i < inner; i++)
        canvas_put(c, r.row, r.col + 1 + i, i < full ? c->glyphs->full : c->glyphs->empty,
                   i < full ? STYLE_TEXT : STYLE_DIM);
    canvas_put(c, r.row, r.col + 1 + inner, ']', STYLE_DIM);
    return cols +
           canvas_textf(c, (struct rect){r.row, r.col + cols + 1, 1, 5}, STYLE_TEXT, "%3.0f%%",
                        100 * share) +
           3;
}

/* How far a phase is that ends with "n/m", NaN for others. */
static double phase_share(const char *phase)
{
    const char *word = strrchr(phase, ' ');
    double n, m;
    if (!word || sscanf(word, "%lf/%lf", &n, &m) != 2 || !(m > 0))
        return NAN;
    return fmin(1, fmax(0, n / m));
}

static void draw_after_bar(struct canvas *c, struct rect r, double share, const char *text)
{
    int used = draw_bar(c, r, share);
    canvas_text(c, r.row, r.col + used, r.cols - used, STYLE_TEXT, text);
}

/* While there is something to wait for: what, and for how long already. */
static bool draw_waiting(const struct model *m, struct canvas *c, struct rect r)
{
    char since[24], text[256];
    if (!m->phase[0] && (m->started || m->state != STATE_PREPARING))
        return false;
    int64_t start = m->evaluating ? m->eval_usec : m->started ? m->phase_usec : m->first_usec;
    text_duration(since, sizeof since, (double)(m->now_usec - start) / 1e6);
    const char *whose = !m->evaluating             ? ""
                        : m->state == STATE_PAUSED ? "linear evaluation, paused: "
                                                   : "linear evaluation: ";
    snprintf(text, sizeof text, "%s%s  %s", whose, m->phase[0] ? m->phase : "starting", since);
    draw_after_bar(c, r, phase_share(m->phase), text);
    return true;
}

/* Several learning rates are trained side by side: the one with the lowest loss is shown. */
static void evaluation_text(const struct model *m, const char *since, bool wide, char *out,
                            size_t size)
{
    const struct event *e = &m->linear;
    bool paused = m->state == STATE_PAUSED;
    char rates[32] = "", loss[32];
    if (e->u.lin.n_rates > 1)
        snprintf(rates, sizeof rates, " (best of %d)", e->u.lin.n_rates);
    int n = snprintf(out, size, "%s %lld, epoch %d/%d  %s  acc %.2f%%%s",
                     paused ? "paused at" : "evaluating", (long long)e->u.lin.step, e->u.lin.epoch,
                     e->u.lin.epochs, since, e->u.lin.acc, rates);
    if (wide)
        snprintf(out + n, size - (size_t)n, "  loss %s  lr %.3g%s",
                 text_number(loss, sizeof loss, e->u.lin.loss), e->u.lin.lr,
                 m->trained ? "" : "  (training waits)");
}

static bool draw_evaluation(const struct model *m, struct canvas *c, struct rect r)
{
    char since[24], text[256];
    if (!m->evaluating)
        return false;
    text_duration(since, sizeof since, (double)(m->now_usec - m->eval_usec) / 1e6);
    if (m->linear.kind)
        evaluation_text(m, since, r.cols > 100, text, sizeof text);
    else
        snprintf(text, sizeof text, "linear evaluation%s  %s",
                 m->state == STATE_PAUSED ? ", paused" : "", since);
    draw_after_bar(c, r, model_evaluated(m), text);
    return true;
}

static void draw_third(const struct model *m, struct canvas *c, struct rect r)
{
    if (draw_waiting(m, c, r) || draw_evaluation(m, c, r))
        return;
    int used = draw_bar(c, r, model_progress(m));
    facts_draw_line(c, m, 2, (struct rect){r.row, r.col + used, 1, r.cols - used}, STYLE_TEXT);
}

static void draw_only_line(const struct model *m, struct canvas *c, struct rect r)
{
    char state[48], loss[32], eta[24];
    state_text(m, c, state, sizeof state);
    if (!m->started)
        canvas_textf(c, r, STYLE_TEXT, "%s %s", state, m->phase);
    else
        canvas_textf(c, r, STYLE_TEXT, "%s ep%d it%d/%d loss %s acc %.1f eta %s", state,
                     m->iter.u.iter.epoch, model_iter(m), m->iter.u.iter.iters,
                     text_number(loss, sizeof loss, m->iter.u.iter.loss), m->iter.u.iter.acc,
                     text_duration(eta, sizeof eta, m->iter.u.iter.eta_s));
}

static void draw(const void *state, const struct pane_view *v, struct canvas *c, struct rect r)
{
    (void)state;
    if (r.rows == 1) {
        draw_only_line(v->model, c, r);
        return;
    }
    draw_first(v->model, c, r);
    facts_draw_line(c, v->model, 1, (struct rect){r.row + 1, r.col + 1, 1, r.cols - 2}, STYLE_TEXT);
    draw_third(v->model, c, (struct rect){r.row + 2, r.col + 1, 1, r.cols - 2});
}

const struct pane_class pane_status = {.name = "status", .draw = draw};
