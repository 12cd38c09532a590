/* What a console says of a run when it ends: where it is, what was kept, how to go on. */
#ifndef SUPCON_TUI_ENDING_H
#define SUPCON_TUI_ENDING_H

#include "tui/model.h"

#include <stddef.h>

/* One sentence without its end, "" when there is nothing to say; `there`: the run directory holds a
 * run. */
void ending_text(const struct model *, bool there, char *out, size_t size);

/* The same on standard output, where `shown`, and as the last line of run.log. */
void ending_tell(const struct model *, bool shown);

#endif
