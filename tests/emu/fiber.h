/*
 * Fibers: stacks that take turns within one operating system thread. One scheduler (the caller of
 * fiber_run) and up to FIBER_MAX fibers; a fiber runs until it calls fiber_yield() or returns.
 * Stacks are kept from run to run and have a guard page each.
 */
#ifndef SUPCON_TESTS_FIBER_H
#define SUPCON_TESTS_FIBER_H

enum { FIBER_MAX = 1024 };

struct fiber;

/* Fiber `i` begins anew at fn(ctx) when it is run next, whatever it was doing before. */
struct fiber *fiber_start(int i, void (*fn)(void *ctx), void *ctx);
/* Returns when the fiber yields: false; or has returned from fn: true. */
bool fiber_run(struct fiber *);
/* Called by a fiber: back to who ran it. */
void fiber_yield(struct fiber *);

#endif
