# Files of src/engine/.
libsupcon_a_SOURCES += src/engine/run.c src/engine/run_config.c src/engine/run_list.c \
	src/engine/run_lock.c src/engine/run_log.c src/engine/run_path.c src/engine/crc32c.c \
	src/engine/checkpoint.c src/engine/checkpoint_manifest.c src/engine/checkpoint_read.c \
	src/engine/checkpoint_scan.c src/engine/checkpoint_tensors.c src/engine/checkpoint_verify.c
libsupcon_a_SOURCES += src/engine/metrics.c src/engine/metrics_row.c src/engine/metrics_trim.c
libsupcon_a_SOURCES += src/engine/command.c src/engine/control.c src/engine/engine.c \
	src/engine/event.c src/engine/feed.c src/engine/meter.c src/engine/report.c src/engine/save.c src/engine/save_last.c \
	src/engine/saver.c src/engine/snapshot.c \
	src/engine/session.c src/engine/step.c src/engine/trainer.c src/engine/validate.c \
	src/engine/watch.c
libsupcon_a_SOURCES += src/engine/linear.c src/engine/linear_event.c src/engine/linear_features.c \
	src/engine/linear_heads.c src/engine/linear_result.c
libsupcon_a_SOURCES += src/engine/network.c src/engine/network_io.c src/engine/network_match.c
libsupcon_a_SOURCES += src/engine/settings.c src/engine/settings_check.c
