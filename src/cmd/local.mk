# Files of src/cmd/.
libsupcon_a_SOURCES += src/cmd/linear.c
