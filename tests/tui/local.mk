# Files of tests/tui/.
tui_scene = tests/tui/scene.c tests/tui/expect.c
check_PROGRAMS += tests/tui/pieces tests/tui/layout tests/tui/plots tests/tui/screens tests/tui/keys
TESTS += tests/tui/pieces tests/tui/layout tests/tui/plots tests/tui/screens tests/tui/keys

tests_tui_pieces_SOURCES = tests/tui/pieces.c
tests_tui_pieces_LDADD = $(test_libs)
tests_tui_layout_SOURCES = tests/tui/layout.c
tests_tui_layout_LDADD = $(test_libs)
tests_tui_plots_SOURCES = tests/tui/plots.c tests/tui/expect.c
tests_tui_plots_LDADD = $(test_libs)
tests_tui_screens_SOURCES = tests/tui/screens.c $(tui_scene)
tests_tui_screens_LDADD = $(test_libs)
tests_tui_keys_SOURCES = tests/tui/keys.c $(tui_scene)
tests_tui_keys_LDADD = $(test_libs)
noinst_HEADERS += tests/tui/scene.h tests/tui/expect.h
EXTRA_DIST += \
	tests/tui/expected/done-80x24-ascii.txt \
	tests/tui/expected/done-80x24-braille.txt \
	tests/tui/expected/evaluating-80x24-ascii.txt \
	tests/tui/expected/evaluating-80x24-braille.txt \
	tests/tui/expected/help-80x24-ascii.txt \
	tests/tui/expected/help-80x24-braille.txt \
	tests/tui/expected/linear-dialog-80x24-ascii.txt \
	tests/tui/expected/linear-dialog-80x24-braille.txt \
	tests/tui/expected/looks-16.txt \
	tests/tui/expected/looks-256.txt \
	tests/tui/expected/looks-mono.txt \
	tests/tui/expected/non-finite-80x24-ascii.txt \
	tests/tui/expected/non-finite-80x24-braille.txt \
	tests/tui/expected/paused-80x24-ascii.txt \
	tests/tui/expected/paused-80x24-braille.txt \
	tests/tui/expected/plots-ascii.txt \
	tests/tui/expected/plots-block.txt \
	tests/tui/expected/plots-braille.txt \
	tests/tui/expected/preparing-80x24-ascii.txt \
	tests/tui/expected/preparing-80x24-braille.txt \
	tests/tui/expected/quit-dialog-80x24-ascii.txt \
	tests/tui/expected/quit-dialog-80x24-braille.txt \
	tests/tui/expected/repeat-dialog-80x24-ascii.txt \
	tests/tui/expected/repeat-dialog-80x24-braille.txt \
	tests/tui/expected/save-failed-80x24-ascii.txt \
	tests/tui/expected/save-failed-80x24-braille.txt \
	tests/tui/expected/switch-dialog-80x24-ascii.txt \
	tests/tui/expected/switch-dialog-80x24-braille.txt \
	tests/tui/expected/switched-120x40-ascii.txt \
	tests/tui/expected/switched-120x40-braille.txt \
	tests/tui/expected/switched-200x60-ascii.txt \
	tests/tui/expected/switched-200x60-braille.txt \
	tests/tui/expected/switched-44x12-ascii.txt \
	tests/tui/expected/switched-44x12-braille.txt \
	tests/tui/expected/switched-60x1-ascii.txt \
	tests/tui/expected/switched-60x1-braille.txt \
	tests/tui/expected/switched-80x24-ascii.txt \
	tests/tui/expected/switched-80x24-braille.txt \
	tests/tui/expected/training-120x40-ascii.txt \
	tests/tui/expected/training-120x40-braille.txt \
	tests/tui/expected/training-200x60-ascii.txt \
	tests/tui/expected/training-200x60-braille.txt \
	tests/tui/expected/training-44x12-ascii.txt \
	tests/tui/expected/training-44x12-braille.txt \
	tests/tui/expected/training-60x1-ascii.txt \
	tests/tui/expected/training-60x1-braille.txt \
	tests/tui/expected/training-80x24-ascii.txt \
	tests/tui/expected/training-80x24-braille.txt \
	tests/tui/expected/zoomed-80x24-ascii.txt \
	tests/tui/expected/zoomed-80x24-braille.txt
dist_check_SCRIPTS += tests/tui/terminal.sh
TESTS += tests/tui/terminal.sh
check_PROGRAMS += tests/tui/capture
TESTS += tests/tui/capture
tests_tui_capture_SOURCES = tests/tui/capture.c
tests_tui_capture_LDADD = $(test_libs)
check_PROGRAMS += tests/tui/folder
TESTS += tests/tui/folder
tests_tui_folder_SOURCES = tests/tui/folder.c
tests_tui_folder_LDADD = $(test_libs)
