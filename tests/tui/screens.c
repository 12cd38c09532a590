/*
 * Whole screens compared with pictures: a story of events and keys, drawn at three sizes in three
 * looks. The attributes are a picture of their own, in colour and without.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "expect.h"
#include "scene.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct scene scene;

static void preparing(void)
{
    scene_state(&scene, STATE_PREPARING, false);
    scene_phase(&scene, "tuning convolutions 12/40");
}

static void training(void)
{
    scene_begin(&scene);
    for (int epoch = 0; epoch < 5; epoch++) {
        scene_train(&scene, 100);
        scene_validate(&scene, 30 + 10 * epoch);
        scene_save(&scene, true);
    }
    scene_log(&scene, 1, "data: 3 images skipped");
    scene_train(&scene, 40);
    console_tick(&scene.console, scene.usec + 60000000);
}

static void paused(void)
{
    training();
    scene_keys(&scene, "p");
    scene_ack(&scene, CMD_PAUSE, true, "");
    scene_state(&scene, STATE_PAUSED, false);
}

static void evaluating(void)
{
    training();
    scene_evaluate(&scene, 300, 4);
}

static void switched(void)
{
    training();
    scene_evaluate(&scene, 300, 9);
    scene_evaluated(&scene, 300, 91.2);
    scene_switch(&scene, "cross-entropy");
    scene_train(&scene, 120);
    console_noise(&scene.console, "onednn: \x1b[31mred\x1b[0m");
    console_tick(&scene.console, scene.usec + 60000000);
}

static void save_failed(void)
{
    training();
    scene_text(&scene, EV_SAVE_FAILED,
               "runs/quickstart-20231114-221320/checkpoints: No space left on device");
}

static void non_finite(void)
{
    training();
    scene_loss(&scene, NAN);
    scene_state(&scene, STATE_PAUSED, false);
}

static void done(void)
{
    training();
    scene_train(&scene, 460);
    scene_save(&scene, false);
    scene_state(&scene, STATE_STOPPED, false);
}

static void help(void)
{
    training();
    scene_keys(&scene, "?");
}

static void dialog_of_switch(void)
{
    training();
    scene_keys(&scene, "o3");
}

static void dialog_of_linear(void)
{
    training();
    scene_keys(&scene, "<Down>v");
}

static void dialog_of_repeated_linear(void)
{
    training();
    scene_evaluated(&scene, 400, 91.2);
    scene_keys(&scene, "<Down>v");
}

static void dialog_of_quit(void)
{
    training();
    scene_keys(&scene, "qjjj");
}

static void zoomed_plot(void)
{
    training();
    scene_keys(&scene, "<Tab><Tab><Tab>zy");
}

static const struct story {
    const char *name;
    void (*tell)(void);
    bool every_size;
} stories[] = {
    {"preparing", preparing, false},
    {"training", training, true},
    {"paused", paused, false},
    {"evaluating", evaluating, false},
    {"switched", switched, true},
    {"save-failed", save_failed, false},
    {"non-finite", non_finite, false},
    {"done", done, false},
    {"help", help, false},
    {"switch-dialog", dialog_of_switch, false},
    {"linear-dialog", dialog_of_linear, false},
    {"repeat-dialog", dialog_of_repeated_linear, false},
    {"quit-dialog", dialog_of_quit, false},
    {"zoomed", zoomed_plot, false},
};

static void draw_story(const struct story *s, const char *glyphs, int rows, int cols)
{
    char name[96];
    scene_open(&scene);
    s->tell();
    char *text = scene_dump(&scene, rows, cols, glyphs);
    snprintf(name, sizeof name, "%s-%dx%d-%s.txt", s->name, cols, rows, glyphs);
    expect_file(name, text);
    free(text);
    scene_close(&scene);
}

static void screens_in(const char *glyphs)
{
    for (size_t i = 0; i < sizeof stories / sizeof *stories; i++) {
        draw_story(&stories[i], glyphs, 24, 80);
        if (stories[i].every_size) {
            draw_story(&stories[i], glyphs, 40, 120);
            draw_story(&stories[i], glyphs, 60, 200);
            draw_story(&stories[i], glyphs, 12, 44);
            draw_story(&stories[i], glyphs, 1, 60);
        }
    }
}

static void screens_in_braille(void **state)
{
    (void)state;
    screens_in("braille");
}

static void screens_in_ascii(void **state)
{
    (void)state;
    screens_in("ascii");
}

static void looks_in(const struct theme *theme)
{
    struct canvas c;
    char *text, name[64];
    size_t n;
    FILE *f = open_memstream(&text, &n);
    scene_open(&scene);
    switched();
    scene_keys(&scene, "v");
    assert_int_equal(canvas_init(&c, 24, 80, glyphs_find("braille")), 0);
    console_draw(&scene.console, &c);
    canvas_dump_looks(&c, theme, f);
    fclose(f);
    snprintf(name, sizeof name, "looks-%s.txt", theme->name);
    expect_file(name, text);
    free(text);
    canvas_done(&c);
    scene_close(&scene);
}

static void looks_with_256_colours(void **state)
{
    (void)state;
    looks_in(&theme_256);
}

static void looks_with_16_colours(void **state)
{
    (void)state;
    looks_in(&theme_16);
}

static void looks_without_colour(void **state)
{
    (void)state;
    looks_in(&theme_mono);
}

static void ascii_screens_have_no_other_byte(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof stories / sizeof *stories; i++) {
        scene_open(&scene);
        stories[i].tell();
        char *text = scene_dump(&scene, 24, 80, "ascii");
        for (const char *p = text; *p; p++)
            assert_true(*p == '\n' || (*p >= 0x20 && *p <= 0x7e));
        free(text);
        scene_close(&scene);
    }
}

/* state, objective, epoch, iteration, loss, accuracy, time left, last save */
static void eight_facts_are_on_a_plain_80x24_screen(void **state)
{
    static const char *const facts[] = {
        "> TRAIN", "supcon  tau 0.1", "epoch 5/10",         "iter 40/100 (#540)", "loss 1.",
        "acc ",    "eta 15 s",        "saved 22:13:30 #500"};
    (void)state;
    scene_open(&scene);
    training();
    char *text = scene_dump(&scene, 24, 80, "ascii");
    for (size_t i = 0; i < sizeof facts / sizeof *facts; i++)
        if (!strstr(text, facts[i]))
            fail_msg("\"%s\" is not on the screen", facts[i]);
    free(text);
    scene_close(&scene);
}

static void every_story_draws_at_every_size(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof stories / sizeof *stories; i++) {
        scene_open(&scene);
        stories[i].tell();
        for (int rows = 1; rows <= 70; rows += rows < 26 ? 1 : 11)
            for (int cols = 1; cols <= 220; cols += cols < 90 ? 3 : 37)
                free(scene_dump(&scene, rows, cols, rows % 2 ? "braille" : "ascii"));
        scene_close(&scene);
    }
}

/* rightmost column with the letter among columns from..to-1 of the plots at 80x24 */
static int reach(const char *text, int from, int to, char letter)
{
    int most = -1;
    for (int row = 0; row < 12; row++, text += strcspn(text, "\n") + 1)
        for (int col = from; row >= 4 && col < to && text[col] && text[col] != '\n'; col++)
            if (text[col] == letter && col > most)
                most = col;
    return most;
}

/* whatever the number of iterations, both curves use four fifths of their plot at least, and end at
 * the same share of it */
static void both_plots_share_one_axis(void **state)
{
    (void)state;
    scene_open(&scene);
    scene_begin(&scene);
    for (int n = 0; n < 1000; n++) {
        scene_train(&scene, 1);
        if (n < 10 || (n % 37 && n < 995))
            continue;
        char *text = scene_dump(&scene, 24, 80, "ascii");
        double loss = (reach(text, 4, 38, '*') - 4) / 33.,
               acc = (reach(text, 44, 79, 'b') - 44) / 34.;
        if (loss < .76 || acc < .76 || fabs(loss - acc) > .09)
            fail_msg("after %d iterations the curves reach %.2f and %.2f", n + 1, loss, acc);
        free(text);
    }
    scene_close(&scene);
}

/* one validation an epoch: the curves beneath stay readable */
static void marks_do_not_cover_curves_in_long_runs(void **state)
{
    int points = 0;
    (void)state;
    scene_open(&scene);
    scene.epochs = 400;
    scene.iters = 10;
    scene_begin(&scene);
    for (int epoch = 0; epoch < 400; epoch++) {
        scene_train(&scene, 10);
        scene_validate(&scene, 10 + 70 * (1 - 1 / (1 + (double)scene.giter / 120)));
    }
    char *text = scene_dump(&scene, 24, 80, "ascii"), *line = text;
    for (int row = 0; row < 12; row++, line += strcspn(line, "\n") + 1)
        for (int col = 44; row >= 4 && col < 79 && line[col] && line[col] != '\n'; col++)
            points += line[col] == 'p';
    free(text);
    assert_true(points >= 25);
    scene_close(&scene);
}

static void a_name_cannot_send_the_terminal_anything(void **state)
{
    struct event run = {.kind = EV_RUN};
    (void)state;
    scene_open(&scene);
    scene_begin(&scene);
    snprintf(run.u.run.name, sizeof run.u.run.name, "a\x1b]0;owned\x07");
    scene_send(&scene, &run);
    scene_log(&scene, 2, "\x1b[2J");
    char *text = scene_dump(&scene, 40, 160, "braille");
    assert_null(strchr(text, 0x1b));
    assert_null(strchr(text, 0x07));
    assert_non_null(strstr(text, "a\\x1b]0;owned\\x07"));
    free(text);
    scene_close(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(screens_in_braille),
        cmocka_unit_test(screens_in_ascii),
        cmocka_unit_test(looks_with_256_colours),
        cmocka_unit_test(looks_with_16_colours),
        cmocka_unit_test(looks_without_colour),
        cmocka_unit_test(ascii_screens_have_no_other_byte),
        cmocka_unit_test(eight_facts_are_on_a_plain_80x24_screen),
        cmocka_unit_test(every_story_draws_at_every_size),
        cmocka_unit_test(both_plots_share_one_axis),
        cmocka_unit_test(marks_do_not_cover_curves_in_long_runs),
        cmocka_unit_test(a_name_cannot_send_the_terminal_anything),
    };
    setenv("TZ", "UTC", 1);
    if (!setlocale(LC_CTYPE, "C.UTF-8"))
        return 77;
    return cmocka_run_group_tests_name("tui/screens", tests, NULL, NULL);
}
