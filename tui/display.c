/* The terminal, by way of ncurses; see display.h. */
#define NCURSES_WIDECHAR 1
#include "tui/display.h"

#include "tui/keys.h"
#include "tui/rescue.h"
#include "tui/tui.h"

#include <curses.h>
#include <errno.h>
#include <fcntl.h>
#include <langinfo.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { ESCAPE_MS = 25 };

static bool colors_wanted(const struct tui_options *o)
{
    const char *no = getenv("NO_COLOR");
    if (o->color && strcmp(o->color, "never") == 0)
        return false;
    if (o->color && strcmp(o->color, "always") == 0)
        return true;
    return !no || !*no;
}

static void set_colors(struct display *d, const struct tui_options *o)
{
    bool wanted = colors_wanted(o) && has_colors();
    if (wanted) {
        start_color();
        use_default_colors();
    }
    d->theme = theme_choose(wanted ? COLORS : 0, wanted);
    for (int i = 0; i < STYLE_N && d->theme != &theme_mono; i++)
        init_pair((short)(i + 1), (short)d->theme->look[i].color, -1);
}

static attr_t attributes(const struct display *d, style_t style)
{
    static const struct {
        int look;
        attr_t attribute;
    } map[] = {{LOOK_BOLD, A_BOLD},
               {LOOK_REVERSE, A_REVERSE},
               {LOOK_UNDERLINE, A_UNDERLINE},
               {LOOK_DIM, A_DIM}};
    attr_t a = A_NORMAL;
    for (size_t i = 0; i < sizeof map / sizeof *map; i++)
        if (d->theme->look[style].attributes & map[i].look)
            a |= map[i].attribute;
    return a;
}

static void set_modes(void)
{
    cbreak();
    noecho();
    nonl();
    nodelay(stdscr, TRUE);
    keypad(stdscr, TRUE);
    curs_set(0);
    leaveok(stdscr, TRUE);
    intrflush(stdscr, FALSE);
}

static const struct glyphs *glyphs_for(const struct tui_options *o)
{
    const char *wish = o->glyphs && strcmp(o->glyphs, "auto") ? o->glyphs : getenv("SUPCON_GLYPHS");
    return glyphs_choose(wish, nl_langinfo(CODESET), getenv("TERM"));
}

static int start_curses(struct display *d, struct err *e)
{
    d->input = fdopen(d->in, "r");
    d->output = fdopen(d->out, "w");
    use_tioctl(TRUE);
    set_escdelay(ESCAPE_MS);
    if (d->input && d->output)
        d->screen = newterm(NULL, d->output, d->input);
    if (!d->screen)
        return err_set(e, EXIT_UNAVAILABLE, "the terminal type \"%s\" is not known; set TERM",
                       getenv("TERM") ? getenv("TERM") : "");
    return 0;
}

int display_open(struct display *d, int in, int out, const struct tui_options *o, struct err *e)
{
    *d = (struct display){.in = fcntl(in, F_DUPFD_CLOEXEC, 3),
                          .out = fcntl(out, F_DUPFD_CLOEXEC, 3)};
    if (d->in < 0 || d->out < 0)
        return err_errno(e, EXIT_OS, errno, "cannot duplicate the terminal");
    rescue_save(d->in);
    if (start_curses(d, e) != 0)
        return -1;
    rescue_arm(d->out);
    set_modes();
    set_colors(d, o);
    d->canvas.glyphs = d->shown.glyphs = glyphs_for(o);
    return display_resize(d, e);
}

static bool same(const struct cell *a, const struct cell *b)
{
    return a->ch == b->ch && a->style == b->style;
}

static void write_cell(const struct display *d, int row, int col)
{
    const struct cell *cell = &d->canvas.cell[row * d->canvas.cols + col];
    wchar_t text[2] = {(wchar_t)cell->ch, 0};
    short pair = d->theme == &theme_mono ? 0 : (short)(cell->style + 1);
    cchar_t out;
    if (cell->ch == 0)
        return; /* it came with its left half */
    setcchar(&out, text, attributes(d, cell->style), pair, NULL);
    mvadd_wchnstr(row, col, &out, 1);
}

void display_show(struct display *d)
{
    int n = d->canvas.rows * d->canvas.cols;
    for (int i = 0; i < n; i++)
        if (!same(&d->canvas.cell[i], &d->shown.cell[i]))
            write_cell(d, i / d->canvas.cols, i % d->canvas.cols);
    memcpy(d->shown.cell, d->canvas.cell, (size_t)n * sizeof *d->canvas.cell);
    refresh();
}

static int special_key(wint_t key)
{
    static const struct {
        wint_t curses;
        int key;
    } map[] = {{KEY_UP, K_UP},        {KEY_DOWN, K_DOWN},  {KEY_LEFT, K_LEFT}, {KEY_RIGHT, K_RIGHT},
               {KEY_PPAGE, K_PGUP},   {KEY_NPAGE, K_PGDN}, {KEY_HOME, K_HOME}, {KEY_END, K_END},
               {KEY_BTAB, K_BACKTAB}, {KEY_ENTER, K_ENTER}};
    for (size_t i = 0; i < sizeof map / sizeof *map; i++)
        if (map[i].curses == key)
            return map[i].key;
    return key >= KEY_F(1) && key <= KEY_F(12) ? K_FN + (int)(key - KEY_F0) : K_BASE;
}

static bool is_gone(const struct display *d)
{
    struct pollfd p = {.fd = d->in, .events = POLLIN};
    int waiting = 0;
    if (poll(&p, 1, 0) <= 0)
        return false;
    if (p.revents & (POLLHUP | POLLERR | POLLNVAL))
        return true;
    return (p.revents & POLLIN) && ioctl(d->in, FIONREAD, &waiting) == 0 && waiting == 0;
}

int display_key(struct display *d)
{
    wint_t key;
    int kind = get_wch(&key);
    if (kind == KEY_CODE_YES)
        return special_key(key);
    if (kind == ERR)
        return is_gone(d) ? -1 : K_NONE;
    return key == '\n' ? K_ENTER : key == 0 ? K_BASE : (int)key;
}

int display_resize(struct display *d, struct err *e)
{
    struct winsize size = {0};
    if (ioctl(d->out, TIOCGWINSZ, &size) != 0 || size.ws_row == 0 || size.ws_col == 0)
        size = (struct winsize){.ws_row = (unsigned short)LINES, .ws_col = (unsigned short)COLS};
    resizeterm(size.ws_row, size.ws_col);
    if (canvas_resize(&d->canvas, size.ws_row, size.ws_col) != 0 ||
        canvas_resize(&d->shown, size.ws_row, size.ws_col) != 0)
        return err_set(e, EXIT_OS, "out of memory for a screen of %d x %d", size.ws_col,
                       size.ws_row);
    display_repaint(d);
    return 0;
}

void display_repaint(struct display *d)
{
    canvas_clear(&d->shown);
    erase();
    clearok(stdscr, TRUE);
}

void display_suspend(struct display *d)
{
    (void)d;
    def_prog_mode();
    endwin();
}

void display_resume(struct display *d)
{
    reset_prog_mode();
    display_repaint(d);
}

static void release(struct display *d)
{
    if (d->input)
        fclose(d->input);
    if (d->output)
        fclose(d->output);
    canvas_done(&d->canvas);
    canvas_done(&d->shown);
}

void display_close(struct display *d)
{
    if (d->screen) {
        endwin();
        rescue_disarm();
        delscreen(d->screen);
    }
    release(d);
    *d = (struct display){.in = -1, .out = -1};
}

void display_drop(struct display *d)
{
    int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    rescue_disarm();
    if (nothing >= 0) { /* whatever curses still holds goes there */
        dup3(nothing, d->in, O_CLOEXEC);
        dup3(nothing, d->out, O_CLOEXEC);
        close(nothing);
    }
    if (d->screen)
        delscreen(d->screen);
    release(d);
    *d = (struct display){.in = -1, .out = -1};
}

int display_pending(const struct display *d)
{
    int n = 0;
    return ioctl(d->out, TIOCOUTQ, &n) == 0 ? n : 0;
}
