/* The list of recipes and runs; see chooser.h. */
#include "tui/chooser.h"

#include "tui/keys.h"

#include <stdio.h>
#include <string.h>

/* Row of a choice in the list: each kind has a heading. */
static int row_of(const struct chooser *ch, int i)
{
    int row = i + 1;
    if (ch->choice[i].is_run)
        row += i > 0 && !ch->choice[0].is_run ? 2 : 0;
    return row;
}

static const char *name_of(const struct choice *c)
{
    const char *slash = strrchr(c->path, '/');
    return c->is_run && slash ? slash + 1 : c->path;
}

static void draw_choice(const struct chooser *ch, struct canvas *c, int i, int row)
{
    const struct choice *choice = &ch->choice[i];
    bool selected = i == ch->selected;
    int width = c->cols / 2 > 44 ? 44 : c->cols / 2;
    if (i == 0 || choice->is_run != ch->choice[i - 1].is_run)
        canvas_text(c, row - 1, 1, c->cols - 1, STYLE_TITLE,
                    choice->is_run ? "Runs to continue" : "Recipes");
    canvas_put(c, row, 1, selected ? c->glyphs->pointer : ' ', STYLE_TEXT);
    canvas_text(c, row, 3, width - 4, selected ? STYLE_SELECT : STYLE_TEXT, name_of(choice));
    canvas_textf(c, (struct rect){row, width, 1, c->cols - width}, STYLE_DIM, "%s%s",
                 choice->blocked ? "in use  " : "", choice->text);
}

void chooser_draw(const struct chooser *ch, struct canvas *c)
{
    canvas_clear(c);
    int room = c->rows - 3, at = ch->n ? row_of(ch, ch->selected) : 0;
    int scroll = at >= room ? at - room + 1 : 0;
    for (int i = 0; i < ch->n; i++) {
        int row = row_of(ch, i) - scroll + 1;
        if (row >= 1 && row < c->rows - 1)
            draw_choice(ch, c, i, row);
    }
    canvas_fill(c, (struct rect){0, 0, 1, c->cols}, ' ', STYLE_STATUS);
    canvas_text(c, 0, 1, c->cols - 1, STYLE_STATUS, "supcon  what shall be trained?");
    if (!ch->n)
        canvas_text(c, 2, 1, c->cols - 1, STYLE_TEXT,
                    "No recipe was found in ./conf or among the installed ones, and no run.");
    canvas_fill(c, (struct rect){c->rows - 1, 0, 1, c->cols}, ' ', STYLE_TEXT);
    canvas_text(c, c->rows - 1, 0, c->cols, ch->note[0] ? STYLE_SELECT : STYLE_TEXT,
                ch->note[0] ? ch->note : "Up Down select  Enter start  q leave");
}

static enum chosen take(struct chooser *ch)
{
    if (!ch->n)
        return CHOSEN_NOT_YET;
    if (!ch->choice[ch->selected].blocked)
        return CHOSEN;
    snprintf(ch->note, sizeof ch->note, " another process is writing to this run");
    return CHOSEN_NOT_YET;
}

enum chosen chooser_key(struct chooser *ch, int key)
{
    int to = ch->selected;
    ch->note[0] = '\0';
    if (key == 'q' || key == K_ESC || key == K_CTRL('c'))
        return CHOSEN_NONE;
    if (key == K_ENTER)
        return take(ch);
    to += key == K_DOWN || key == 'j' ? 1 : key == K_UP || key == 'k' ? -1 : 0;
    to = key == K_HOME ? 0 : key == K_END ? ch->n - 1 : to;
    if (to >= 0 && to < ch->n)
        ch->selected = to;
    return CHOSEN_NOT_YET;
}
