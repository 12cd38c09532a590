/* The ring of events: a lossy one drops the oldest, the other kind waits, closing frees both. */
#include "base/ring.h"

#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

static bool readable(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, 0) == 1;
}

static struct ring *ring(size_t capacity, bool lossy)
{
    struct ring *r;
    struct err e = {0};
    assert_int_equal(ring_new(&r, capacity, sizeof(int), lossy, &e), 0);
    return r;
}

static void ring_drops_oldest_when_full(void **state)
{
    (void)state;
    struct ring *r = ring(4, true);
    int v;
    for (int i = 0; i < 10; i++)
        assert_true(ring_push(r, &i));
    assert_int_equal(ring_dropped(r), 6);
    for (int i = 6; i < 10; i++) {
        assert_true(ring_pop(r, &v));
        assert_int_equal(v, i);
    }
    assert_false(ring_pop(r, &v));
    ring_free(r);
    ring_free(NULL);
}

static void the_descriptor_is_readable_while_items_wait(void **state)
{
    (void)state;
    struct ring *r = ring(4, true);
    int v = 1;
    assert_false(readable(ring_fd(r)));
    assert_false(ring_wait(r, 1));
    ring_push(r, &v);
    assert_true(readable(ring_fd(r)) && ring_wait(r, -1));
    ring_pop(r, &v);
    assert_false(readable(ring_fd(r)));
    ring_free(r);
}

enum { ITEMS = 50000 };

static void *produce(void *arg)
{
    for (int i = 0; i < ITEMS; i++)
        ring_push(arg, &i);
    ring_close(arg);
    return NULL;
}

static void a_waiting_ring_loses_nothing(void **state)
{
    (void)state;
    struct ring *r = ring(8, false);
    pthread_t thread;
    int v, next = 0;
    assert_int_equal(pthread_create(&thread, NULL, produce, r), 0);
    while (!ring_closed(r)) {
        ring_wait(r, 10000);
        while (ring_pop(r, &v))
            assert_int_equal(v, next++);
    }
    pthread_join(thread, NULL);
    assert_int_equal(next, ITEMS);
    assert_int_equal(ring_dropped(r), 0);
    ring_free(r);
}

static void a_lossy_ring_keeps_order_under_load(void **state)
{
    (void)state;
    struct ring *r = ring(8, true);
    pthread_t thread;
    int v, last = -1, taken = 0;
    assert_int_equal(pthread_create(&thread, NULL, produce, r), 0);
    while (!ring_closed(r)) {
        ring_wait(r, 10000);
        while (ring_pop(r, &v)) {
            assert_true(v > last);
            last = v;
            taken++;
        }
    }
    pthread_join(thread, NULL);
    assert_int_equal(last, ITEMS - 1);
    assert_int_equal((int)ring_dropped(r) + taken, ITEMS);
    ring_free(r);
}

static void *push_three(void *arg)
{
    int v = 0;
    intptr_t accepted = 0;
    for (int i = 0; i < 3; i++)
        accepted += ring_push(arg, &v);
    return (void *)accepted;
}

static void closing_lets_a_waiting_producer_go(void **state)
{
    (void)state;
    struct ring *r = ring(2, false);
    pthread_t thread;
    void *accepted;
    int v;
    assert_int_equal(pthread_create(&thread, NULL, push_three, r), 0);
    poll(NULL, 0,
         20); /* the third push is likely to wait by now; closing must be right either way */
    ring_close(r);
    pthread_join(thread, &accepted);
    assert_true((intptr_t)accepted <= 2);
    for (intptr_t i = 0; i < (intptr_t)accepted; i++) {
        assert_false(ring_closed(r));
        assert_true(ring_pop(r, &v));
    }
    assert_true(ring_closed(r));
    assert_true(readable(ring_fd(r))); /* a poll on it does not sleep */
    assert_false(ring_wait(r, -1));
    assert_false(ring_push(r, &v));
    ring_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ring_drops_oldest_when_full),
        cmocka_unit_test(the_descriptor_is_readable_while_items_wait),
        cmocka_unit_test(a_waiting_ring_loses_nothing),
        cmocka_unit_test(a_lossy_ring_keeps_order_under_load),
        cmocka_unit_test(closing_lets_a_waiting_producer_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
