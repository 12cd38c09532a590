# Files of tui/.
libtui_a_SOURCES += tui/libtui_empty.c
