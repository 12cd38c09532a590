/* The list of recipes and runs; see chooser.h. */
#include "tui/chooser.h"

#include "tui/keys.h"

#include <stdio.h>
#include <string.h>

enum { NAME_COLS = 60 };

/* Row of a choice in the list: each kind has a heading. */
static int row_of(const struct chooser *ch, int i)
{
    int row = i + 1;
    if (ch->choice[i].is_run)
        row += i > 0 && !ch->choice[0].is_run ? 2 : 0;
    return row;
}

/* A recipe's path, where there is room for it, since two folders may have one of that name; else
 * the file's name, which is what tells recipes apart. */
static const char *name_of(const struct choice *c, bool fits)
{
    const char *slash = strrchr(c->path, '/');
    return slash && (c->is_run || !fits) ? slash + 1 : c->path;
}

static void draw_choice(const struct chooser *ch, struct canvas *c, int i, int row)
{
    const struct choice *choice = &ch->choice[i];
    bool selected = i == ch->selected;
    int width = c->cols * 11 / 20 > NAME_COLS ? NAME_COLS : c->cols * 11 / 20;
    bool fits = choice->path[canvas_fit(c, choice->path, width - 4)] == '\0';
    if (i == 0 || choice->is_run != ch->choice[i - 1].is_run)
        canvas_text(c, row - 1, 1, c->cols - 1, STYLE_TITLE,
                    choice->is_run ? "Runs to continue" : "Recipes");
    canvas_put(c, row, 1, selected ? c->glyphs->pointer : ' ', STYLE_TEXT);
    canvas_text_middle(c, row, 3, width - 4, selected ? STYLE_SELECT : STYLE_TEXT,
                       name_of(choice, fits));
    canvas_textf(c, (struct rect){row, width, 1, c->cols - width}, STYLE_DIM, "%s%s",
                 choice->holder[0] ? "in use  " : "", choice->text);
}

/* One row of a text that is wrapped and may have several lines; returns where the next begins. */
static const char *take_row(const struct canvas *c, const char *text, int cols, char *row,
                            size_t size)
{
    size_t line = strcspn(text, "\n");
    snprintf(row, size, "%.*s", (int)line, text);
    size_t n = canvas_fit(c, row, cols);
    row[n] = '\0';
    return text + n + (n == line && text[n] == '\n');
}

/* Text over as many rows as it needs, the last of them at `last`; returns how many. */
static int draw_note(struct canvas *c, int last, const char *text)
{
    int rows = 0, cols = c->cols - 2;
    char part[CHOOSER_NOTE];
    for (const char *p = text; *p && cols > 0; rows++)
        p = take_row(c, p, cols, part, sizeof part);
    for (int row = last - rows + 1; *text && cols > 0; row++) {
        text = take_row(c, text, cols, part, sizeof part);
        canvas_fill(c, (struct rect){row, 0, 1, c->cols}, ' ', STYLE_SELECT);
        canvas_text(c, row, 1, cols, STYLE_SELECT, part);
    }
    return rows;
}

static void draw_empty(struct canvas *c)
{
    static const char *const lines[] = {
        "There is no recipe in ./conf or among the installed ones, and no run in ./runs.",
        "",
        "A recipe is a text file that says what to train. To write one:",
        "  supcon config default > my.cfg      every key with its default",
        "  supcon my.cfg",
        "What the keys mean is described in supcon.cfg(5).",
    };
    for (int i = 0; i < (int)(sizeof lines / sizeof *lines); i++)
        canvas_text(c, 2 + i, 1, c->cols - 1, STYLE_TEXT, lines[i]);
}

void chooser_draw(const struct chooser *ch, struct canvas *c)
{
    canvas_clear(c);
    int keys = c->rows - 1, end = keys - draw_note(c, keys - 1, ch->note);
    int at = ch->n ? row_of(ch, ch->selected) : 0, room = end - 1;
    int scroll = at >= room ? at - room + 1 : 0;
    for (int i = 0; i < ch->n; i++) {
        int row = row_of(ch, i) - scroll + 1;
        if (row >= 1 && row < end)
            draw_choice(ch, c, i, row);
    }
    if (!ch->n)
        draw_empty(c);
    canvas_fill(c, (struct rect){0, 0, 1, c->cols}, ' ', STYLE_STATUS);
    canvas_text(c, 0, 1, c->cols - 1, STYLE_STATUS, "supcon  what shall be trained?");
    canvas_text(c, keys, 0, c->cols, STYLE_TEXT,
                ch->n ? "Up Down select  Enter start  ? help  q leave" : "? help  q leave");
}

static enum chosen take(struct chooser *ch)
{
    if (!ch->n)
        return CHOSEN_NOT_YET;
    const struct choice *c = &ch->choice[ch->selected];
    if (!c->holder[0])
        return CHOSEN;
    snprintf(ch->note, sizeof ch->note,
             "%s is in use: %s trains it. It can be continued here when that has ended.",
             name_of(c, true), c->holder);
    return CHOSEN_NOT_YET;
}

static const char help[] =
    "Up Down, k j, Home End   select a recipe or a run\n"
    "Enter                    begins a new run, or goes on with a run as saved last\n"
    "q Esc Ctrl-C             leave; nothing is changed (Esc closes this first)\n"
    "Recipes: NAME.cfg in ./conf, in your folder of recipes, the installed ones.\n"
    "Runs: in ./runs, last changed first, with the objective they go on with.\n"
    "From elsewhere: supcon FILE takes a recipe, supcon --resume DIR a run.";

enum chosen chooser_key(struct chooser *ch, int key)
{
    int to = ch->selected;
    bool told = ch->note[0] != '\0';
    ch->note[0] = '\0';
    if (key == K_ESC && told)
        return CHOSEN_NOT_YET;
    if (key == 'q' || key == K_ESC || key == K_CTRL('c'))
        return CHOSEN_NONE;
    if (key == K_ENTER)
        return take(ch);
    if (key == '?' || key == K_FN + 1)
        snprintf(ch->note, sizeof ch->note, "%s", help);
    to += key == K_DOWN || key == 'j' ? 1 : key == K_UP || key == 'k' ? -1 : 0;
    to = key == K_HOME ? 0 : key == K_END ? ch->n - 1 : to;
    if (to >= 0 && to < ch->n)
        ch->selected = to;
    return CHOSEN_NOT_YET;
}
