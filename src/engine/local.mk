# Files of src/engine/.
libsupcon_a_SOURCES += src/engine/run.c src/engine/run_config.c src/engine/run_list.c \
	src/engine/run_lock.c src/engine/run_log.c src/engine/crc32c.c \
	src/engine/checkpoint.c src/engine/checkpoint_manifest.c src/engine/checkpoint_read.c \
	src/engine/checkpoint_scan.c src/engine/checkpoint_tensors.c src/engine/checkpoint_verify.c
