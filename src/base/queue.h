/*
 * A bounded queue of fixed-size items from many producers to one consumer. Producers never wait: a
 * full queue refuses. The consumer polls an eventfd that is readable while items wait, so a queue
 * sits in poll(2) beside terminals and signals.
 */
#ifndef SUPCON_BASE_QUEUE_H
#define SUPCON_BASE_QUEUE_H

#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>

struct queue;

/* Room for `capacity` items of `item_bytes` each. Fails with EXIT_OS. */
int queue_new(struct queue **, size_t capacity, size_t item_bytes, struct err *);
void queue_free(struct queue *); /* NULL is fine; no other thread may use it any more */

/* Copies the item in; any thread. False when full. */
bool queue_push(struct queue *, const void *item);
/* Copies the oldest item out; the consumer. False when empty. */
bool queue_pop(struct queue *, void *item);
/* Waits for an item for at most timeout_ms (-1: for ever). False when none came. */
bool queue_wait(struct queue *, int timeout_ms);
int queue_fd(const struct queue *); /* readable while items wait */

#endif
