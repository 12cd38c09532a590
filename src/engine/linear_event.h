/* Linear evaluations as events, for whoever reports them. */
#ifndef SUPCON_ENGINE_LINEAR_EVENT_H
#define SUPCON_ENGINE_LINEAR_EVENT_H

#include "engine/event.h"
#include "engine/linear.h"

/* EV_LINEAR_ITER and EV_LINEAR_DONE. */
struct event linear_progress_event(const struct linear_progress *);
struct event linear_result_event(const struct linear_result *);

#endif
