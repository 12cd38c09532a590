/* Three themes: Okabe and Ito's palette (distinct for colour-blind eyes) on 256 colours, its
 * nearest on 16, and attributes alone. */
#include "tui/theme.h"

#define COMMON(warn, error, good)                                                                  \
    [STYLE_TEXT] = {-1, 0}, [STYLE_DIM] = {-1, LOOK_DIM}, [STYLE_TITLE] = {-1, 0},                 \
    [STYLE_FOCUS] = {-1, LOOK_BOLD | LOOK_UNDERLINE}, [STYLE_STATUS] = {-1, LOOK_REVERSE},         \
    [STYLE_SELECT] = {-1, LOOK_REVERSE}, [STYLE_KEY] = {-1, LOOK_BOLD}, [STYLE_GOOD] = {good, 0},  \
    [STYLE_WARN] = {warn, LOOK_BOLD}, [STYLE_ERROR] = {error, LOOK_BOLD | LOOK_REVERSE}

const struct theme theme_256 = {
    .name = "256",
    .look = {COMMON(172, 166, 36), [STYLE_SERIES] = {172, 0}, [STYLE_SERIES + 1] = {74, 0},
             [STYLE_SERIES + 2] = {36, 0}, [STYLE_SERIES + 3] = {166, 0},
             [STYLE_SERIES + 4] = {25, 0}, [STYLE_SERIES + 5] = {175, 0},
             [STYLE_SERIES + 6] = {227, 0}},
};

const struct theme theme_16 = {
    .name = "16",
    .look = {COMMON(3, 1, 2), [STYLE_SERIES] = {3, 0}, [STYLE_SERIES + 1] = {6, 0},
             [STYLE_SERIES + 2] = {2, 0}, [STYLE_SERIES + 3] = {1, 0},
             [STYLE_SERIES + 4] = {6, LOOK_BOLD}, [STYLE_SERIES + 5] = {5, 0},
             [STYLE_SERIES + 6] = {3, LOOK_BOLD}},
};

const struct theme theme_mono = {
    .name = "mono",
    .look = {COMMON(-1, -1, -1), [STYLE_SERIES] = {-1, 0}, [STYLE_SERIES + 1] = {-1, LOOK_BOLD},
             [STYLE_SERIES + 2] = {-1, 0}, [STYLE_SERIES + 3] = {-1, LOOK_BOLD},
             [STYLE_SERIES + 4] = {-1, 0}, [STYLE_SERIES + 5] = {-1, LOOK_BOLD},
             [STYLE_SERIES + 6] = {-1, 0}},
};

const struct theme *theme_choose(int colors, bool wanted)
{
    if (!wanted || colors < 8)
        return &theme_mono;
    return colors >= 256 ? &theme_256 : &theme_16;
}
