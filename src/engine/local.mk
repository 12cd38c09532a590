# Files of src/engine/.
libsupcon_a_SOURCES += \
	src/engine/command.c \
	src/engine/control.c \
	src/engine/engine.c \
	src/engine/event.c \
	src/engine/meter.c \
	src/engine/report.c \
	src/engine/save.c \
	src/engine/session.c \
	src/engine/step.c \
	src/engine/trainer.c \
	src/engine/validate.c \
	src/engine/watch.c
libsupcon_a_SOURCES += src/engine/metrics.c src/engine/metrics_row.c src/engine/metrics_trim.c
