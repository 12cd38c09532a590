# Files of src/base/.
libsupcon_a_SOURCES += src/base/err.c src/base/log.c
libsupcon_a_SOURCES += src/base/queue.c src/base/ring.c
libsupcon_a_SOURCES += src/base/file.c src/base/dir.c
