/* The queue of commands: nothing lost, order kept, full refuses, the descriptor tells the truth. */
#include "base/queue.h"

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

static void items_come_out_in_order(void **state)
{
    (void)state;
    struct queue *q;
    struct err e = {0};
    int v;
    assert_int_equal(queue_new(&q, 3, sizeof v, &e), 0);
    for (int round = 0; round < 5; round++) { /* around the end of the buffer */
        for (int i = 0; i < 2; i++)
            assert_true(queue_push(q, &i));
        for (int i = 0; i < 2; i++) {
            assert_true(queue_pop(q, &v));
            assert_int_equal(v, i);
        }
    }
    assert_false(queue_pop(q, &v));
    queue_free(q);
    queue_free(NULL);
}

static void a_full_queue_refuses_and_does_not_wait(void **state)
{
    (void)state;
    struct queue *q;
    struct err e = {0};
    int v = 1;
    assert_int_equal(queue_new(&q, 2, sizeof v, &e), 0);
    assert_true(queue_push(q, &v));
    assert_true(queue_push(q, &v));
    assert_false(queue_push(q, &v));
    assert_true(queue_pop(q, &v));
    assert_true(queue_push(q, &v));
    queue_free(q);
}

static void the_descriptor_is_readable_while_items_wait(void **state)
{
    (void)state;
    struct queue *q;
    struct err e = {0};
    int v = 1;
    assert_int_equal(queue_new(&q, 4, sizeof v, &e), 0);
    assert_false(readable(queue_fd(q)));
    assert_false(queue_wait(q, 1));
    queue_push(q, &v);
    queue_push(q, &v);
    assert_true(readable(queue_fd(q)));
    queue_pop(q, &v);
    assert_true(readable(queue_fd(q)));
    assert_true(queue_wait(q, -1));
    queue_pop(q, &v);
    assert_false(readable(queue_fd(q)));
    queue_free(q);
}

enum { PRODUCERS = 8, ITEMS = 5000 };

struct item {
    int producer, number;
};

struct producer {
    struct queue *queue;
    int id;
};

static void *produce(void *arg)
{
    struct producer *p = arg;
    for (int i = 0; i < ITEMS; i++) {
        struct item item = {p->id, i};
        while (!queue_push(p->queue, &item))
            poll(NULL, 0, 1);
    }
    return NULL;
}

static void many_producers_lose_nothing_and_keep_their_order(void **state)
{
    (void)state;
    struct queue *q;
    struct err e = {0};
    struct producer p[PRODUCERS];
    pthread_t thread[PRODUCERS];
    int next[PRODUCERS] = {0};
    assert_int_equal(queue_new(&q, 64, sizeof(struct item), &e), 0);
    for (int i = 0; i < PRODUCERS; i++) {
        p[i] = (struct producer){q, i};
        assert_int_equal(pthread_create(&thread[i], NULL, produce, &p[i]), 0);
    }
    for (int taken = 0; taken < PRODUCERS * ITEMS;) {
        struct item item;
        assert_true(queue_wait(q, 10000));
        while (queue_pop(q, &item)) {
            assert_int_equal(item.number, next[item.producer]++);
            taken++;
        }
    }
    for (int i = 0; i < PRODUCERS; i++)
        pthread_join(thread[i], NULL);
    queue_free(q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_come_out_in_order),
        cmocka_unit_test(a_full_queue_refuses_and_does_not_wait),
        cmocka_unit_test(the_descriptor_is_readable_while_items_wait),
        cmocka_unit_test(many_producers_lose_nothing_and_keep_their_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
