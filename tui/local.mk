# Files of tui/.
libtui_a_SOURCES += tui/text.c tui/canvas.c tui/theme.c tui/glyphs.c tui/series.c tui/axis.c \
	tui/plot.c tui/plot_setting.c tui/layout.c tui/model.c tui/fact.c tui/pane.c tui/pane_status.c tui/pane_loss.c \
	tui/pane_accuracy.c tui/pane_numbers.c tui/pane_checkpoints.c tui/pane_log.c tui/pane_keys.c \
	tui/dialog.c tui/dialog_switch.c tui/dialog_linear.c tui/dialog_quit.c tui/keys.c tui/help.c \
	tui/console.c tui/ending.c tui/toast.c tui/rescue.c tui/capture.c tui/folder.c tui/display.c tui/tui.c tui/chooser.c tui/choose.c
