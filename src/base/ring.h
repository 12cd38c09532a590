/*
 * A ring of fixed-size items from one producer to one consumer. What a full ring does is the
 * consumer's wish: a lossy one (a screen) drops the oldest item, the other kind (a writer) lets the
 * producer wait. An eventfd is readable while items wait.
 */
#ifndef SUPCON_BASE_RING_H
#define SUPCON_BASE_RING_H

#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ring;

/* Room for `capacity` items of `item_bytes` each. Fails with EXIT_OS. */
int ring_new(struct ring **, size_t capacity, size_t item_bytes, bool lossy, struct err *);
void ring_free(struct ring *); /* NULL is fine; neither side may use it any more */

/* Copies the item in. A full lossy ring drops its oldest item; a full ring of the other kind waits
 * for room. False only when the ring was closed: the item is dropped. */
bool ring_push(struct ring *, const void *item);
/* Copies the oldest item out; false when none waits. */
bool ring_pop(struct ring *, void *item);
/* Waits for an item for at most timeout_ms (-1: for ever). False when none came or none is left in
 * a closed ring. */
bool ring_wait(struct ring *, int timeout_ms);
int ring_fd(const struct ring *); /* readable while items wait, and once closed */

/* Either side: no more items are accepted, a waiting producer goes on. What is in the ring can
 * still be taken. */
void ring_close(struct ring *);
bool ring_closed(struct ring *);      /* and empty */
uint64_t ring_dropped(struct ring *); /* items lost so far */

#endif
