/* Every size of screen has a layout: inside, without overlap, growing with the screen. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tui/layout.h"

enum { ROWS = 70, COLS = 220 };

static bool inside(struct rect r, int rows, int cols)
{
    return r.row >= 0 && r.col >= 0 && r.rows > 0 && r.cols > 0 && r.row + r.rows <= rows &&
           r.col + r.cols <= cols;
}

static bool apart(struct rect a, struct rect b)
{
    return a.row + a.rows <= b.row || b.row + b.rows <= a.row || a.col + a.cols <= b.col ||
           b.col + b.cols <= a.col;
}

static void check(const struct layout *l, int rows, int cols)
{
    for (int i = 0; i < PANE_N; i++) {
        if (!l->shown[i])
            continue;
        if (!inside(l->rect[i], rows, cols))
            fail_msg("pane %d leaves the screen of %d x %d", i, cols, rows);
        for (int j = 0; j < i; j++)
            if (l->shown[j] && !apart(l->rect[i], l->rect[j]))
                fail_msg("panes %d and %d overlap at %d x %d", i, j, cols, rows);
    }
}

static void panes_are_inside_and_apart_at_every_size(void **state)
{
    (void)state;
    for (int rows = 1; rows <= ROWS; rows++)
        for (int cols = 1; cols <= COLS; cols++)
            for (int zoom = -1; zoom < PANE_N; zoom++) {
                if (zoom == PANE_STATUS || zoom == PANE_KEYS)
                    continue;
                struct layout l = layout_make(rows, cols, zoom);
                check(&l, rows, cols);
                assert_true(l.shown[PANE_STATUS]);
            }
}

static void more_room_never_means_a_smaller_class(void **state)
{
    (void)state;
    for (int rows = 1; rows < ROWS; rows++)
        for (int cols = 1; cols < COLS; cols++) {
            enum size_class size = layout_make(rows, cols, -1).size;
            assert_true(layout_make(rows + 1, cols, -1).size >= size);
            assert_true(layout_make(rows, cols + 1, -1).size >= size);
        }
}

static void all_panes_but_numbers_are_there_at_80x24(void **state)
{
    struct layout l = layout_make(24, 80, -1);
    (void)state;
    for (int i = 0; i < PANE_N; i++)
        assert_int_equal(l.shown[i], i != PANE_NUMBERS);
    assert_true(l.rect[PANE_LOSS].rows >= 8);
    assert_true(l.rect[PANE_CHECKPOINTS].rows >= 4);
    assert_true(l.rect[PANE_LOG].rows >= 4);
}

static void no_row_is_wasted(void **state)
{
    (void)state;
    for (int rows = 10; rows <= ROWS; rows++)
        for (int cols = 40; cols <= COLS; cols += 7) {
            struct layout l = layout_make(rows, cols, -1);
            bool used[ROWS] = {false};
            for (int i = 0; i < PANE_N; i++)
                for (int r = 0; l.shown[i] && r < l.rect[i].rows; r++)
                    used[l.rect[i].row + r] = true;
            for (int r = 0; r < rows; r++)
                if (!used[r])
                    fail_msg("row %d of %d is empty at %d columns", r, rows, cols);
        }
}

static void a_zoomed_pane_has_all_between_status_and_keys(void **state)
{
    struct layout l = layout_make(24, 80, PANE_LOG);
    (void)state;
    assert_int_equal(l.rect[PANE_LOG].rows, 20);
    assert_int_equal(l.rect[PANE_LOG].cols, 80);
    assert_false(l.shown[PANE_LOSS]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(panes_are_inside_and_apart_at_every_size),
        cmocka_unit_test(more_room_never_means_a_smaller_class),
        cmocka_unit_test(all_panes_but_numbers_are_there_at_80x24),
        cmocka_unit_test(no_row_is_wasted),
        cmocka_unit_test(a_zoomed_pane_has_all_between_status_and_keys),
    };
    return cmocka_run_group_tests_name("tui/layout", tests, NULL, NULL);
}
