/* A console with a pretended engine: events are made up, deterministic, and commands are kept. */
#ifndef SUPCON_TESTS_TUI_SCENE_H
#define SUPCON_TESTS_TUI_SCENE_H

#include "tui/console.h"

enum { SCENE_COMMANDS = 32 };

struct scene {
    struct console console;
    struct command posted[SCENE_COMMANDS];
    int n_posted;
    bool deaf; /* the engine takes no commands */
    int64_t usec, giter;
    int32_t epochs, iters;
    const char *objective;
};

void scene_open(struct scene *);
void scene_close(struct scene *);

void scene_send(struct scene *, struct event *); /* fills in the time, which moves on by 20 ms */
void scene_state(struct scene *, enum engine_state, bool linear);
void scene_phase(struct scene *, const char *text);
void scene_begin(struct scene *); /* run, setup, running: 10 epochs of 100 iterations of supcon */
void scene_train(struct scene *, int n);
void scene_loss(struct scene *, double loss); /* one iteration with this loss */
void scene_validate(struct scene *, double top1);
void scene_save(struct scene *, bool best);
void scene_switch(struct scene *, const char *to);
void scene_evaluate(struct scene *, int64_t step, int epoch); /* progress: epoch of 10 */
void scene_evaluated(struct scene *, int64_t step, double top1);
void scene_ack(struct scene *, enum command_kind, bool accepted, const char *reason);
void scene_text(struct scene *, enum event_kind, const char *text);
void scene_log(struct scene *, int level, const char *line);

/* "p", "<Tab>", "<Esc>", "<Enter>", "<Up>", "<C-c>", "<F5>", ... in sequence */
void scene_keys(struct scene *, const char *keys);
/* As shown on a screen of this size, to be freed. */
char *scene_dump(const struct scene *, int rows, int cols, const char *glyphs);

#endif
