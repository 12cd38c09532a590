# Files of src/base/.
libsupcon_a_SOURCES += src/base/err.c src/base/log.c src/base/median.c
libsupcon_a_SOURCES += src/base/queue.c src/base/ring.c
libsupcon_a_SOURCES += src/base/file.c src/base/dir.c src/base/place.c
libsupcon_a_SOURCES += src/base/conf.c src/base/conf_grammar.c src/base/conf_lex.c src/base/conf_names.c src/base/conf_origin.c \
	src/base/conf_report.c src/base/conf_value.c src/base/conf_write.c src/base/nearest.c
libsupcon_a_SOURCES += src/base/signals.c
libsupcon_a_SOURCES += src/base/safetensors.c src/base/safetensors_header.c src/base/safetensors_read.c \
	src/base/safetensors_write.c
