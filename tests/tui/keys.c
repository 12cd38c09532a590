/* Keys and dialogs: each key of the table does what it says, and nothing asks the engine for
 * anything without being chosen. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "scene.h"
#include "tui/chooser.h"
#include "tui/ending.h"
#include "tui/keys.h"

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct scene scene;

static int set_up(void **state)
{
    (void)state;
    scene_open(&scene);
    scene_begin(&scene);
    for (int i = 0; i < 3; i++) {
        scene_train(&scene, 100);
        scene_validate(&scene, 50);
        scene_save(&scene, true);
    }
    scene_train(&scene, 13);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    scene_close(&scene);
    return 0;
}

static const struct command *last(int kind)
{
    assert_true(scene.n_posted > 0);
    const struct command *c = &scene.posted[scene.n_posted - 1];
    assert_int_equal(c->kind, kind);
    return c;
}

static bool shows(const char *text)
{
    char *screen = scene_dump(&scene, 24, 80, "ascii");
    bool found = strstr(screen, text) != NULL;
    free(screen);
    return found;
}

#define assert_shows(text)                                                                         \
    do {                                                                                           \
        if (!shows(text))                                                                          \
            fail_msg("\"%s\" is not on the screen", text);                                         \
    } while (0)

static void p_pauses_and_resumes(void **state)
{
    (void)state;
    scene_keys(&scene, "p");
    last(CMD_PAUSE);
    assert_shows(".. PAUSING");
    scene_ack(&scene, CMD_PAUSE, true, "");
    scene_state(&scene, STATE_PAUSED, false);
    assert_shows("|| PAUSED");
    scene_keys(&scene, "<F3>");
    last(CMD_RESUME);
    assert_int_equal(scene.n_posted, 2);
}

static void s_saves(void **state)
{
    (void)state;
    scene_keys(&scene, "s<F5>");
    last(CMD_SAVE);
    assert_int_equal(scene.n_posted, 2);
    scene_ack(&scene, CMD_SAVE, false, "step 300 is saved already");
    assert_shows("save: step 300 is saved already");
    assert_int_equal(scene.console.model.n_warnings, 0);
    scene_ack(&scene, CMD_SWITCH, false, "out of memory");
    assert_shows("switch refused: out of memory");
    assert_int_equal(scene.console.model.n_warnings, 1);
}

static void o_asks_and_then_saves_and_switches(void **state)
{
    (void)state;
    scene_keys(&scene, "o<Enter>");
    assert_int_equal(scene.n_posted, 0); /* the first choice is to cancel */
    scene_keys(&scene, "o<Down><Down>");
    assert_shows("Switch objective: supcon -> cross-entropy");
    assert_shows("projection head kept aside");
    scene_keys(&scene, "<Enter>");
    assert_string_equal(last(CMD_SWITCH)->text, "cross-entropy");
    assert_int_equal(scene.posted[0].kind, CMD_SAVE);
    assert_int_equal(scene.n_posted, 2);
}

static void o_does_not_save_what_is_saved(void **state)
{
    (void)state;
    scene_save(&scene, false);
    scene_keys(&scene, "o2<Enter>");
    assert_string_equal(last(CMD_SWITCH)->text, "simclr");
    assert_int_equal(scene.n_posted, 1);
}

static void a_digit_selects_and_enter_switches(void **state)
{
    (void)state;
    scene_keys(&scene, "o3");
    assert_shows("> 3 Switch to cross-entropy");
    assert_int_equal(scene.n_posted, 0);
    scene_keys(&scene, "1");
    assert_shows("> 1 Stay with supcon");
    scene_keys(&scene, "9");
    assert_shows("> 1 Stay with supcon");
    scene_keys(&scene, "<Enter>o3<Esc>");
    assert_int_equal(scene.n_posted, 0);
    scene_keys(&scene, "o3<Enter>");
    assert_string_equal(last(CMD_SWITCH)->text, "cross-entropy");
}

/* for every entry, the first and selected one among them */
static void o_says_the_same_things_of_every_objective(void **state)
{
    static const char *const rows[] = {"When ", "Data ", "Views ",     "Tau ",   "Encoder ",
                                       "Head ", "Rate ", "Optimizer ", "Curves "};
    (void)state;
    scene_keys(&scene, "o");
    assert_shows("nothing changes");
    for (const char *digit = "123"; *digit; digit++) {
        scene_keys(&scene, (char[]){*digit, '\0'});
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
            assert_shows(rows[i]);
    }
}

/* what each key does in each state: p(osts), d(ialog), r(efuses) for p, s, o, v */
static void keys_are_refused_at_once_where_the_engine_would(void **state)
{
    static const struct {
        enum engine_state state;
        bool linear, stopping;
        const char *want, *why;
    } row[] = {
        {STATE_IDLE, false, false, "prdr", "nothing to save yet"},
        {STATE_PREPARING, false, false, "prdr", "nothing to save yet"},
        {STATE_RUNNING, false, false, "ppdd", NULL},
        {STATE_PAUSED, false, false, "ppdd", NULL},
        {STATE_SAVING, false, false, "ppdd", NULL},
        {STATE_EVALUATING, false, false, "ppdd", NULL},
        {STATE_EVALUATING, true, false, "pprd", "a linear evaluation is running"},
        {STATE_PAUSED, true, false, "pprd", "a linear evaluation is running"},
        {STATE_STOPPED, false, false, "rprd", "training has ended"},
        {STATE_FAILED, false, false, "rrrr", "the run has failed"},
        {STATE_RUNNING, false, true, "rrrr", "the run is ending"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof row / sizeof *row; i++)
        for (int k = 0; k < 4; k++) {
            scene.console.model.stopping = row[i].stopping;
            scene.console.model.asked = -1;
            scene.console.model.trained = row[i].state == STATE_STOPPED;
            scene_state(&scene, row[i].state, row[i].linear);
            scene.n_posted = 0;
            scene_keys(&scene, (char[]){"psov"[k], '\0'});
            char did = scene.console.dialog.class ? 'd' : scene.n_posted ? 'p' : 'r';
            if (did != row[i].want[k])
                fail_msg("row %d: %c does %c, not %c", (int)i, "psov"[k], did, row[i].want[k]);
            if (did == 'r')
                assert_shows("cannot ");
            if (did == 'r' && (k == 2 || !strstr(row[i].why, "save")) && k != 3)
                assert_shows(row[i].why);
            scene_keys(&scene, "<Esc>");
        }
}

static void p_before_the_first_iteration_is_taken_back_by_p(void **state)
{
    (void)state;
    scene_state(&scene, STATE_PREPARING, false);
    scene_keys(&scene, "p");
    last(CMD_PAUSE);
    assert_shows("training will pause before its first iteration");
    scene_keys(&scene, "p");
    last(CMD_RESUME);
}

static void v_asks_before_a_result_is_replaced(void **state)
{
    (void)state;
    scene_evaluated(&scene, 300, 91.2);
    scene_keys(&scene, "v");
    assert_shows("Checkpoint 300 has been evaluated");
    assert_shows("top-1 91.20 %, top-5 95.60 %");
    scene_keys(&scene, "<Esc>");
    assert_int_equal(scene.n_posted, 0);
    scene_keys(&scene, "v");
    assert_shows("> 1     Keep the result");
    scene_keys(&scene, "<Enter>");
    assert_int_equal(scene.n_posted, 0);
    scene_keys(&scene, "v2<Enter>");
    assert_int_equal(last(CMD_LINEAR)->step, 300);
}

/* every dialog: the digit shown with an entry selects it, Enter then takes that one */
static void digits_select_in_every_dialog(void **state)
{
    static const char *const opens[] = {"o", "v", "q"};
    (void)state;
    for (int evaluating = 0; evaluating < 2; evaluating++)
        for (int i = evaluating; i < 3; i++) {
            if (evaluating)
                scene_evaluate(&scene, 300, 3);
            scene_keys(&scene, opens[i]);
            assert_non_null(scene.console.dialog.class);
            for (int n = scene.console.dialog.n_choices; n > 0; n--) {
                char want[120];
                scene_keys(&scene, (char[]){(char)('0' + n), '\0'});
                assert_int_equal(scene.console.dialog.selected, n - 1);
                snprintf(want, sizeof want, "> %d ", n);
                assert_shows(want);
            }
            assert_int_equal(scene.n_posted, 0);
            scene_keys(&scene, "<Esc>");
        }
    scene_state(&scene, STATE_RUNNING, false);
    scene_keys(&scene, "v2<Enter>");
    assert_int_equal(last(CMD_LINEAR)->step, 300);
    scene_keys(&scene, "v3<Enter>");
    assert_int_equal(last(CMD_LINEAR)->step, -1);
}

/* also when there is nothing else to evaluate, or a result that could be replaced */
static void a_letter_means_the_same_in_every_state(void **state)
{
    struct event e = {.kind = EV_PRUNED};
    (void)state;
    scene_evaluated(&scene, 300, 91.2);
    scene_keys(&scene, "vn");
    assert_int_equal(last(CMD_LINEAR)->step, -1);
    e.u.ckpt.step = 100;
    scene_evaluated(&scene, 100, 80);
    scene_send(&scene, &e);
    scene_keys(&scene, "<End>vv"); /* its weights are gone */
    assert_int_equal(scene.n_posted, 1);
    scene_keys(&scene, "n");
    assert_int_equal(last(CMD_LINEAR)->step, -1);
    assert_int_equal(scene.n_posted, 2);
}

static void an_evaluation_says_how_to_cancel_it(void **state)
{
    (void)state;
    assert_shows("v evaluate");
    scene_evaluate(&scene, 300, 3);
    assert_shows("linear evaluation begins, training waits; v cancels it, p pauses it");
    assert_shows("v cancel");
    scene_keys(&scene, "o");
    assert_shows("a linear evaluation is running; v cancels it");
    scene_keys(&scene, "v");
    assert_shows("Cancel it; training goes on");
    assert_shows("Of 3 learning rates");
    scene_keys(&scene, "<Esc>q");
    assert_shows("The linear evaluation goes on, training after it.");
    for (const char *digit = "23"; *digit; digit++) {
        scene_keys(&scene, (char[]){*digit, '\0'});
        assert_shows("The linear evaluation is not finished: it is dropped.");
    }
    scene_keys(&scene, "4");
    assert_shows("The screen closes, the evaluation goes on.");
    scene_keys(&scene, "<Esc>");
    scene_state(&scene, STATE_RUNNING, false);
    scene_state(&scene, STATE_PAUSED, false);
    scene_evaluate(&scene, 300, 3);
    scene_keys(&scene, "v");
    assert_shows("Cancel it; training stays paused");
}

static void p_pauses_an_evaluation_and_keeps_its_bar(void **state)
{
    (void)state;
    scene_state(&scene, STATE_EVALUATING, true);
    scene_phase(&scene, "features 10/40");
    scene_keys(&scene, "p");
    last(CMD_PAUSE);
    assert_shows("the linear evaluation pauses; training waits for it, v cancels it");
    scene_state(&scene, STATE_PAUSED, true);
    assert_shows("25%  linear evaluation, paused: features 10/40");
    scene_phase(&scene, "");
    scene_evaluate(&scene, 300, 4);
    assert_shows("45%  evaluating 300, epoch 4/10");
    scene_state(&scene, STATE_PAUSED, true);
    assert_shows("45%  paused at 300, epoch 4/10");
    assert_shows("|| EVAL PAUSED");
    scene_keys(&scene, "q");
    assert_shows("The linear evaluation stays paused, training after it.");
    scene_keys(&scene, "<Esc>p");
    last(CMD_RESUME);
}

static void a_dialog_leaves_its_checkpoint_visible(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        char step[16];
        snprintf(step, sizeof step, ">    %d  ", 300 - 100 * i);
        scene_keys(&scene, "v");
        assert_shows(step);
        scene_keys(&scene, "<Esc><Down>");
    }
}

static void messages_leave_the_keys_visible(void **state)
{
    (void)state;
    scene_keys(&scene, "s");
    scene_ack(&scene, CMD_SAVE, false, "step 300 is saved already");
    assert_shows("save: step 300 is saved already");
    assert_shows("? help");
    scene_keys(&scene, "<Tab><Tab>z"); /* no log on the screen */
    scene_ack(&scene, CMD_SAVE, false, "step 300 is saved already");
    assert_shows("save: step 300 is saved already");
    assert_shows("? help");
}

static void detaching_says_how_to_come_back(void **state)
{
    (void)state;
    scene_keys(&scene, "q<Down><Down><Down>");
    assert_shows("Ctrl-Z and then bg give the shell back");
    assert_shows("tail -f runs/quickstart-20231114-221320/metrics.jsonl");
    assert_int_equal(scene.console.leave, LEAVE_NO);
}

static void v_evaluates_the_selected_checkpoint(void **state)
{
    (void)state;
    scene_keys(&scene, "v<Enter>");
    assert_int_equal(scene.n_posted, 0);
    scene_keys(&scene, "<Down><Down>v");
    assert_shows("Evaluate checkpoint 100");
    scene_keys(&scene, "v");
    assert_int_equal(last(CMD_LINEAR)->step, 100);
    scene_keys(&scene, "<Up>vn");
    assert_int_equal(last(CMD_LINEAR)->step, -1);
}

static void selection_stays_when_checkpoints_come(void **state)
{
    (void)state;
    scene_keys(&scene, "<Down>");
    scene_save(&scene, false);
    assert_int_equal(console_checkpoint(&scene.console), 200);
    scene_keys(&scene, "<Home>");
    assert_int_equal(console_checkpoint(&scene.console), 313);
    scene_train(&scene, 1);
    scene_save(&scene, false);
    assert_int_equal(console_checkpoint(&scene.console), 314); /* it was the newest, and is */
    scene_keys(&scene, "<End>");
    assert_int_equal(console_checkpoint(&scene.console), 100);
}

static void v_offers_to_cancel_what_runs(void **state)
{
    (void)state;
    scene_evaluate(&scene, 300, 3);
    scene_keys(&scene, "v<Enter>");
    assert_int_equal(scene.n_posted, 0);
    scene_keys(&scene, "vc");
    last(CMD_CANCEL);
    scene_ack(&scene, CMD_CANCEL, true, "");
    scene_text(&scene, EV_LINEAR_FAILED, "the evaluation was cancelled");
    assert_int_equal(scene.console.model.n_errors, 0); /* as was asked for */
    assert_false(scene.console.toast.bad);
    scene_state(&scene, STATE_RUNNING, false);
    scene_evaluate(&scene, 300, 3);
    scene_text(&scene, EV_LINEAR_FAILED, "no room");
    assert_int_equal(scene.console.model.n_errors, 1);
    assert_true(scene.console.toast.bad);
}

static void removed_weights_cannot_be_evaluated(void **state)
{
    struct event e = {.kind = EV_PRUNED};
    (void)state;
    scene_evaluated(&scene, 100, 80);
    e.u.ckpt.step = 100;
    scene_send(&scene, &e);
    scene_keys(&scene, "<End>v");
    assert_shows("weights of checkpoint 100 have been removed");
    assert_false(shows("Evaluate checkpoint"));
}

static void q_stays_unless_told_otherwise(void **state)
{
    (void)state;
    scene_keys(&scene, "q<Enter>");
    scene_keys(&scene, "q<Esc>");
    scene_keys(&scene, "qq");
    assert_int_equal(scene.n_posted, 0);
    assert_int_equal(scene.console.leave, LEAVE_NO);
}

static void q_can_stop_and_save(void **state)
{
    (void)state;
    scene_keys(&scene, "q<Down>");
    assert_shows("> 2 (s) Stop after this iteration and save");
    scene_keys(&scene, "<Enter>");
    assert_int_equal(last(CMD_STOP)->code, 0);
    assert_shows("STOPPING");
}

static void q_can_abandon_and_says_what_is_lost(void **state)
{
    (void)state;
    scene_keys(&scene, "q<Down><Down>");
    assert_shows("Stop now, lose 13 iterations");
    scene_keys(&scene, "<Enter>");
    last(CMD_ABANDON);
}

static void what_a_dialog_counts_is_true_when_it_is_taken(void **state)
{
    (void)state;
    scene_keys(&scene, "q3");
    assert_shows("Stop now, lose 13 iterations");
    scene_train(&scene, 4);
    assert_shows("> 3     Stop now, lose 17 iterations");
    scene_keys(&scene, "<Esc>v3");
    scene_train(&scene, 1);
    assert_shows("> 3 (n) Save now, evaluate that (iteration 318)");
}

static void q_knows_that_the_last_step_is_not_saved(void **state)
{
    (void)state;
    scene_state(&scene, STATE_STOPPED, false);
    scene_text(&scene, EV_SAVE_FAILED, "no room");
    assert_shows("SAVE FAILED: no room");
    scene_keys(&scene, "q");
    assert_shows("The last step is not saved");
    assert_shows("Save and stop");
    assert_shows("Stop now, lose 13 iterations");
    scene_keys(&scene, "jjj");
    assert_shows("Saving is tried for a while");
    scene_keys(&scene, "s");
    last(CMD_STOP);
}

static void q_can_detach(void **state)
{
    (void)state;
    scene_keys(&scene, "qd");
    assert_int_equal(scene.console.leave, LEAVE_DETACH);
    assert_int_equal(scene.n_posted, 0);
}

static void q_leaves_at_once_when_all_is_done(void **state)
{
    (void)state;
    scene_save(&scene, false);
    scene_state(&scene, STATE_STOPPED, false);
    assert_shows("# DONE");
    scene_keys(&scene, "qq");
    assert_int_equal(last(CMD_STOP)->code, 0);
}

static void four_interrupts_end_the_run(void **state)
{
    (void)state;
    scene_keys(&scene, "<C-c>");
    assert_shows("> 1     Stay");
    scene_keys(&scene, "<C-c>");
    assert_shows("> 2 (s) Stop after");
    scene_keys(&scene, "<C-c>");
    assert_shows("> 3     Stop now");
    assert_int_equal(scene.n_posted, 0);
    scene_keys(&scene, "<C-c>");
    last(CMD_ABANDON);
    /* and again, should the run not end */
    scene_keys(&scene, "<C-c><C-c><C-c><C-c>");
    assert_int_equal(scene.console.leave, LEAVE_KILL);
}

static void an_interrupt_replaces_another_dialog(void **state)
{
    (void)state;
    scene_keys(&scene, "o<C-c>");
    assert_ptr_equal(scene.console.dialog.class, &dialog_quit);
    scene_keys(&scene, "<Esc>?<C-c>");
    assert_ptr_equal(scene.console.dialog.class, &dialog_quit);
}

static void escape_asks_the_engine_for_nothing(void **state)
{
    static const char *const from[] = {"",        "q", "q<Down>", "o<Down>",
                                       "v<Down>", "?", "z",       "<Tab>z"};
    (void)state;
    for (size_t i = 0; i < sizeof from / sizeof *from; i++) {
        scene_keys(&scene, from[i]);
        scene_keys(&scene, "<Esc><Esc>");
        assert_null(scene.console.dialog.class);
        assert_false(scene.console.help || scene.console.zoomed);
        assert_int_equal(scene.console.leave, LEAVE_NO);
    }
    assert_int_equal(scene.n_posted, 0);
}

static void help_lists_every_key(void **state)
{
    (void)state;
    scene_keys(&scene, "?");
    for (const struct key_binding *k = key_table(); k->name; k++) {
        char *screen = scene_dump(&scene, 60, 100, "ascii");
        if (!strstr(screen, k->name) || !strstr(screen, k->help))
            fail_msg("%s is not in the help", k->name);
        free(screen);
    }
    char *screen = scene_dump(&scene, 60, 80, "ascii");
    assert_null(strstr(screen, "..\n")); /* nothing is cut at 80 columns */
    free(screen);
    scene_keys(&scene, "?");
    assert_false(scene.console.help);
}

static void help_scrolls(void **state)
{
    (void)state;
    scene_keys(&scene, "?<PgDn><PgDn><PgDn><PgDn><PgDn><PgDn>");
    assert_shows("Esc and the arrows never");
    scene_keys(&scene, "<PgUp><PgUp><PgUp><PgUp><PgUp><PgUp>");
    assert_shows("show this help");
}

static void tab_moves_the_focus_and_z_zooms_it(void **state)
{
    (void)state;
    assert_shows(">Checkpoints");
    scene_keys(&scene, "<Tab>");
    assert_shows(">Log");
    scene_keys(&scene, "<Tab>");
    assert_shows(">Loss");
    scene_keys(&scene, "<S-Tab><S-Tab>z");
    assert_shows(">Checkpoints");
    assert_false(shows("Loss "));
    scene_keys(&scene, "z");
    assert_shows("Loss ");
}

static void plot_keys_act_on_the_focused_plot_or_on_both(void **state)
{
    (void)state;
    scene_keys(&scene, "y");
    scene_keys(&scene, "<S-Tab>z");
    assert_shows("  log");
    scene_keys(&scene, "zyz"); /* accuracy is linear again */
    assert_false(shows("  log"));
    scene_keys(&scene, "z<S-Tab>z]");
    assert_shows("Loss  position 28%  ema 0.95  log");
    scene_keys(&scene, "[[[[[[[[[[");
    assert_shows("unsmoothed");
    scene_keys(&scene, "f");
    assert_shows("ema 0.9  min");
}

static void r_hides_the_single_values(void **state)
{
    (void)state;
    scene_keys(&scene, "<Tab><Tab>z");
    char *with = scene_dump(&scene, 24, 80, "braille");
    scene_keys(&scene, "r");
    char *without = scene_dump(&scene, 24, 80, "braille");
    assert_string_not_equal(with, without);
    scene_keys(&scene, "r");
    char *again = scene_dump(&scene, 24, 80, "braille");
    assert_string_equal(with, again);
    free(with);
    free(without);
    free(again);
}

static void the_log_scrolls_and_follows(void **state)
{
    char line[32];
    (void)state;
    for (int i = 0; i < 50; i++) {
        snprintf(line, sizeof line, "line %02d of many", i);
        scene_log(&scene, 0, line);
    }
    assert_shows("line 49");
    scene_keys(&scene, "<Tab><PgUp>");
    assert_shows("line 39");
    assert_false(shows("line 49"));
    scene_log(&scene, 0, "one more"); /* what is looked at stays */
    assert_shows("line 39");
    scene_keys(&scene, "<End>");
    assert_shows("one more");
}

static void long_lines_of_the_log_are_wrapped(void **state)
{
    (void)state;
    scene_log(&scene, 0,
              "first words, then so many more of them that a row of eighty columns is too short; "
              "a/path/without/any/blank/that/is/longer/than/a/row/of/the/screen/has/columns/end");
    assert_shows("first words");
    assert_shows("is too short");
    assert_shows("has/columns/end");
    scene_log(&scene, 0, "newest");
    assert_shows("newest");
    assert_shows("has/columns/end");
    char endless[400];
    memset(endless, 'x', sizeof endless - 1);
    endless[sizeof endless - 1] = '\0';
    scene_log(&scene, 0, endless); /* more than a record holds */
    assert_shows("rest is in run.log)");
}

static void an_evaluation_shows_its_own_time_and_bar(void **state)
{
    (void)state;
    scene.usec += 3600000000;
    scene_state(&scene, STATE_EVALUATING, true);
    scene_phase(&scene, "features 10/40");
    console_tick(&scene.console, scene.usec + 3000000);
    assert_shows("25%  linear evaluation: features 10/40  3 s");
    scene_phase(&scene, "");
    scene_evaluate(&scene, 300, 4);
    console_tick(&scene.console, scene.usec + 7000000);
    assert_shows("45%  evaluating 300, epoch 4/10  7 s  acc 81.25% (best of 3)");
}

static void screen_keys_ask_the_terminal_side(void **state)
{
    (void)state;
    scene_keys(&scene, "<C-l>");
    assert_true(scene.console.repaint);
    scene_keys(&scene, "q<C-z>"); /* in a dialog too */
    assert_true(scene.console.suspend);
    assert_int_equal(scene.n_posted, 0);
}

static void every_key_of_the_table_is_heard(void **state)
{
    (void)state;
    for (const struct key_binding *k = key_table(); k->name; k++) {
        assert_non_null(k->run);
        assert_non_null(k->help);
        scene.console.dirty = false;
        console_key(&scene.console, k->key);
        assert_true(scene.console.dirty);
        scene_keys(&scene, "<Esc><Esc>");
        for (const struct key_binding *other = key_table(); other->name; other++)
            if (other != k)
                assert_true(other->key != k->key && other->key != k->alias);
    }
}

static void a_full_queue_is_told(void **state)
{
    (void)state;
    scene.deaf = true;
    scene_keys(&scene, "p");
    assert_shows("pause: the engine takes no more commands");
    assert_false(shows("PAUSING"));
}

static void a_message_of_failure_stays_until_a_key(void **state)
{
    (void)state;
    scene_text(&scene, EV_SAVE_FAILED,
               "a/path/that/is/quite/long/and/longer: No space left on device");
    console_tick(&scene.console, scene.usec + 3600000000);
    assert_shows("No space left on device");
    assert_shows("! SAVE FAILED");
    scene_keys(&scene, "<Esc>");
    assert_shows("? help");
    assert_shows("! SAVE FAILED");
    scene_save(&scene, false);
    assert_false(shows("! SAVE FAILED"));
}

/* the failed update is none: after a save nothing is left to lose */
static void a_gradient_that_is_not_finite_is_told(void **state)
{
    (void)state;
    scene_train(&scene, 1);
    struct event e = scene.console.model.iter;
    e.u.iter.giter++;
    e.u.iter.grad_norm = INFINITY;
    scene_send(&scene, &e);
    scene_state(&scene, STATE_PAUSED, false);
    assert_shows("! NON-FINITE");
    assert_shows("non-finite 1, last at #314");
    scene_save(&scene, false); /* step 314 */
    scene_keys(&scene, "q");
    assert_shows("everything is saved");
}

static void collapse_is_announced(void **state)
{
    struct event e;
    (void)state;
    e = scene.console.model.iter;
    e.u.iter.position = .9999;
    for (int i = 0; i < 49; i++)
        scene_send(&scene, &e);
    assert_false(shows("COLLAPSED"));
    scene_send(&scene, &e);
    assert_shows("COLLAPSED");
}

static void nothing_is_redrawn_when_nothing_changes(void **state)
{
    (void)state;
    scene_state(&scene, STATE_PAUSED, false);
    console_tick(&scene.console, scene.usec + 10000000);
    scene.console.dirty = false;
    for (int i = 0; i < 20; i++)
        console_tick(&scene.console, scene.usec + 11000000 + i * 1000000);
    assert_false(scene.console.dirty);
}

static void assert_ending(const char *want)
{
    char text[1024];
    ending_text(&scene.console.model, want[0] == 't', text, sizeof text);
    assert_string_equal(text, want);
}

/* where it is, what was kept, how to go on */
static void an_ending_says_what_was_kept(void **state)
{
    struct event done = {.kind = EV_DONE};
    (void)state;
    scene_keys(&scene, "q3<Enter>");
    assert_ending("the run is in runs/quickstart-20231114-221320; 13 iterations since checkpoint "
                  "300 were given up; to go on from there: supcon --resume "
                  "runs/quickstart-20231114-221320");
    scene_save(&scene, false);
    assert_ending("the run is in runs/quickstart-20231114-221320, saved at iteration 313; to go "
                  "on: supcon --resume runs/quickstart-20231114-221320");
    scene.console.model.stopping = false;
    scene_state(&scene, STATE_STOPPED, false);
    assert_ending("the run is in runs/quickstart-20231114-221320, complete and saved at iteration "
                  "313");
    scene_close(&scene);
    scene_open(&scene);
    scene_begin(&scene);
    assert_ending("the run is in runs/quickstart-20231114-221320; it has not trained yet; to "
                  "begin: supcon --resume runs/quickstart-20231114-221320");
    scene_train(&scene, 1);
    assert_ending("the run is in runs/quickstart-20231114-221320; no checkpoint was saved, 1 "
                  "iteration was given up; to begin again: supcon --resume "
                  "runs/quickstart-20231114-221320");
    assert_ending("");
    scene_send(&scene, &done);
    char text[256];
    ending_text(&scene.console.model, false, text, sizeof text);
    assert_string_equal(text, "stopped while being prepared; no run was made");
    scene_state(&scene, STATE_FAILED, false);
    assert_ending(""); /* the error says it all */
}

static void the_chooser_chooses(void **state)
{
    struct choice choice[3] = {
        {.path = "conf/a.cfg"},
        {.path = "runs/a-1", .is_run = true},
        {.path = "runs/a-2", .is_run = true, .holder = "process 4711 on host"}};
    struct chooser ch = {.choice = choice, .n = 3};
    (void)state;
    assert_int_equal(chooser_key(&ch, K_DOWN), CHOSEN_NOT_YET);
    assert_int_equal(chooser_key(&ch, K_ENTER), CHOSEN);
    assert_int_equal(ch.selected, 1);
    assert_int_equal(chooser_key(&ch, 'j'), CHOSEN_NOT_YET);
    assert_int_equal(chooser_key(&ch, K_ENTER), CHOSEN_NOT_YET); /* in use */
    assert_non_null(strstr(ch.note, "process 4711 on host"));
    assert_int_equal(chooser_key(&ch, K_DOWN), CHOSEN_NOT_YET);
    assert_int_equal(ch.selected, 2);
    assert_int_equal(chooser_key(&ch, '?'), CHOSEN_NOT_YET);
    assert_true(ch.note[0]);
    assert_int_equal(chooser_key(&ch, K_ESC), CHOSEN_NOT_YET); /* closes help alone */
    assert_int_equal(chooser_key(&ch, K_ESC), CHOSEN_NONE);
    assert_int_equal(chooser_key(&ch, 'q'), CHOSEN_NONE);
    struct chooser none = {.n = 0};
    assert_int_equal(chooser_key(&none, K_ENTER), CHOSEN_NOT_YET);
    assert_int_equal(chooser_key(&none, K_END), CHOSEN_NOT_YET);
    assert_int_equal(none.selected, 0);
}

static char *chooser_dump(const struct chooser *ch)
{
    struct canvas c;
    char *text = NULL;
    size_t n;
    FILE *f = open_memstream(&text, &n);
    assert_int_equal(canvas_init(&c, 24, 80, glyphs_find("ascii")), 0);
    chooser_draw(ch, &c);
    canvas_dump(&c, f);
    canvas_done(&c);
    fclose(f);
    return text;
}

static void the_chooser_keeps_runs_apart_and_says_why(void **state)
{
    struct choice choice[2] = {
        {.path = "runs/cifar100-supcon-resnet18-with-a-long-name-20261124-101500", .is_run = true},
        {.path = "runs/cifar100-supcon-resnet18-with-a-long-name-20261124-101733", .is_run = true}};
    struct chooser ch = {.choice = choice, .n = 2};
    (void)state;
    snprintf(ch.note, sizeof ch.note,
             "/home/person/.local/share/supcon/cifar10: no CIFAR-10 here: data_batch_1.bin and "
             "others are wanted; the end of a long explanation");
    char *text = chooser_dump(&ch);
    assert_non_null(strstr(text, "-20261124-101500"));
    assert_non_null(strstr(text, "-20261124-101733"));
    assert_non_null(strstr(text, "a long explanation"));
    assert_non_null(strstr(text, "q leave"));
    free(text);
    for (int rows = 1; rows < 30; rows++)
        for (int cols = 1; cols < 90; cols += 4) {
            struct canvas c;
            assert_int_equal(canvas_init(&c, rows, cols, glyphs_find("ascii")), 0);
            chooser_draw(&ch, &c);
            canvas_done(&c);
        }
    snprintf(ch.note, sizeof ch.note, "a.cfg:1: first mistake\na.cfg:2: second\nand 7 more");
    text = chooser_dump(&ch);
    assert_non_null(strstr(text, "\n a.cfg:1: first mistake\n a.cfg:2: second\n and 7 more\n"));
    free(text);
    assert_int_equal(chooser_key(&ch, '?'), CHOSEN_NOT_YET);
    text = chooser_dump(&ch);
    assert_non_null(strstr(text, "\n Enter                    begins a new run"));
    assert_non_null(strstr(text, "supcon --resume DIR a run.\n"));
    free(text);
    text = chooser_dump(&(struct chooser){.n = 0});
    assert_non_null(strstr(text, "supcon config default > my.cfg"));
    free(text);
}

static void the_chooser_tells_recipes_of_a_long_folder_apart(void **state)
{
    struct choice choice[2] = {
        {.path = "/opt/a/folder/that/takes/the/row/cifar10-supcon-resnet18.cfg"},
        {.path = "/opt/a/folder/that/takes/the/row/folder-supcon-resnet18.cfg"}};
    (void)state;
    char *text = chooser_dump(&(struct chooser){.choice = choice, .n = 2});
    assert_non_null(strstr(text, "cifar10-supcon-resnet18.cfg"));
    assert_non_null(strstr(text, "folder-supcon-resnet18.cfg"));
    free(text);
}

#define test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(p_pauses_and_resumes),
        test(s_saves),
        test(o_asks_and_then_saves_and_switches),
        test(o_does_not_save_what_is_saved),
        test(v_evaluates_the_selected_checkpoint),
        test(selection_stays_when_checkpoints_come),
        test(v_offers_to_cancel_what_runs),
        test(removed_weights_cannot_be_evaluated),
        test(q_stays_unless_told_otherwise),
        test(q_can_stop_and_save),
        test(q_can_abandon_and_says_what_is_lost),
        test(what_a_dialog_counts_is_true_when_it_is_taken),
        test(q_can_detach),
        test(q_knows_that_the_last_step_is_not_saved),
        test(q_leaves_at_once_when_all_is_done),
        test(four_interrupts_end_the_run),
        test(an_interrupt_replaces_another_dialog),
        test(escape_asks_the_engine_for_nothing),
        test(help_lists_every_key),
        test(help_scrolls),
        test(tab_moves_the_focus_and_z_zooms_it),
        test(plot_keys_act_on_the_focused_plot_or_on_both),
        test(r_hides_the_single_values),
        test(the_log_scrolls_and_follows),
        test(screen_keys_ask_the_terminal_side),
        test(every_key_of_the_table_is_heard),
        test(a_full_queue_is_told),
        test(a_message_of_failure_stays_until_a_key),
        test(a_gradient_that_is_not_finite_is_told),
        test(collapse_is_announced),
        test(nothing_is_redrawn_when_nothing_changes),
        test(a_digit_selects_and_enter_switches),
        test(o_says_the_same_things_of_every_objective),
        test(keys_are_refused_at_once_where_the_engine_would),
        test(p_before_the_first_iteration_is_taken_back_by_p),
        test(v_asks_before_a_result_is_replaced),
        test(digits_select_in_every_dialog),
        test(a_letter_means_the_same_in_every_state),
        test(an_evaluation_says_how_to_cancel_it),
        test(p_pauses_an_evaluation_and_keeps_its_bar),
        test(a_dialog_leaves_its_checkpoint_visible),
        test(messages_leave_the_keys_visible),
        test(detaching_says_how_to_come_back),
        test(long_lines_of_the_log_are_wrapped),
        test(an_evaluation_shows_its_own_time_and_bar),
        test(an_ending_says_what_was_kept),
        test(the_chooser_chooses),
        test(the_chooser_keeps_runs_apart_and_says_why),
        test(the_chooser_tells_recipes_of_a_long_folder_apart),
    };
    setenv("TZ", "UTC", 1);
    if (!setlocale(LC_CTYPE, "C.UTF-8"))
        return 77;
    return cmocka_run_group_tests_name("tui/keys", tests, NULL, NULL);
}
