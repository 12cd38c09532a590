/*
 * What the panes with plots have in common: how the person wants them drawn, the keys that say so,
 * and the range of iterations, which is the same in all of them.
 */
#ifndef SUPCON_TUI_PLOT_SETTING_H
#define SUPCON_TUI_PLOT_SETTING_H

#include "tui/model.h"
#include "tui/series.h"

#include <stddef.h>

struct plot_setting {
    int level; /* of smooth_weights */
    bool log;
    bool no_dots; /* single values behind the smoothed curve are left out */
};

void plot_setting_init(struct plot_setting *);
/* Smoothing, scale, single values; true: the key was one of those. */
bool plot_setting_key(struct plot_setting *, int key);
/* "ema 0.9", "unsmoothed", "ema 0.9  log"; returns the bytes that are needed, as snprintf. */
int plot_setting_text(const struct plot_setting *, char *out, size_t size);
/* For plot.span. */
int64_t plot_setting_span(const struct model *);

#endif
