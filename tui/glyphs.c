/* Sets of characters; see glyphs.h. State glyphs are plain ASCII in all of them: they are the one
 * sign that must never be lost. */
#include "tui/glyphs.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

/* Unicode numbers the dots of a braille cell column by column, the fourth row later. */
static uint32_t braille_dots(unsigned bits)
{
    static const unsigned char bit[8] = {0x01, 0x08, 0x02, 0x10, 0x04, 0x20, 0x40, 0x80};
    uint32_t ch = 0x2800;
    for (int i = 0; i < 8; i++)
        if (bits & 1u << i)
            ch |= bit[i];
    return ch;
}

static uint32_t block_dots(unsigned bits)
{
    static const uint32_t half[4] = {' ', 0x2580, 0x2584, 0x2588};
    return half[bits & 3];
}

#define STATES                                                                                     \
    {                                                                                              \
        ".", "..", ">", "||", "~", "?", "#", "!"                                                   \
    }

static const struct glyphs braille = {
    .name = "braille",
    .dot_cols = 2,
    .dot_rows = 4,
    .dots = braille_dots,
    .rule = 0x2500,
    .wall = 0x2502,
    .corner = 0x2514,
    .tee = 0x2524,
    .full = 0x2588,
    .empty = 0x2591,
    .pointer = '>',
    .ellipsis = "\u2026",
    .states = STATES,
};

static const struct glyphs block = {
    .name = "block",
    .dot_cols = 1,
    .dot_rows = 2,
    .dots = block_dots,
    .rule = 0x2500,
    .wall = 0x2502,
    .corner = 0x2514,
    .tee = 0x2524,
    .full = 0x2588,
    .empty = 0x2591,
    .pointer = '>',
    .ellipsis = "\u2026",
    .states = STATES,
};

static const struct glyphs ascii = {
    .name = "ascii",
    .ascii = true,
    .dot_cols = 1,
    .dot_rows = 1,
    .rule = '-',
    .wall = '|',
    .corner = '+',
    .tee = '+',
    .full = '#',
    .empty = '-',
    .pointer = '>',
    .ellipsis = "..",
    .states = STATES,
};

static const struct glyphs *const sets[] = {&braille, &block, &ascii};

const struct glyphs *glyphs_find(const char *name)
{
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++)
        if (strcmp(sets[i]->name, name) == 0)
            return sets[i];
    return NULL;
}

const char *glyphs_wish(int i)
{
    if (i == 0)
        return "auto";
    return i - 1 < (int)(sizeof sets / sizeof *sets) ? sets[i - 1]->name : NULL;
}

const struct glyphs *glyphs_choose(const char *wish, const char *codeset, const char *term)
{
    bool utf8 = codeset && (!strcasecmp(codeset, "UTF-8") || !strcasecmp(codeset, "utf8"));
    const struct glyphs *wanted = wish ? glyphs_find(wish) : NULL;
    if (!utf8)
        return &ascii; /* whatever the wish, the bytes would be garbage */
    if (wanted)
        return wanted;
    bool plain = !term || !strcmp(term, "linux") || !strncmp(term, "vt", 2);
    return plain ? &ascii : &braille;
}
