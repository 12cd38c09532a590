# Files of src/cmd/.
libsupcon_a_SOURCES += src/cmd/linear.c
libsupcon_a_SOURCES += src/cmd/bar.c src/cmd/advice.c src/cmd/batch.c src/cmd/batch_text.c src/cmd/train.c
libsupcon_a_SOURCES += src/cmd/cmd.c src/cmd/parse.c src/cmd/cmd_settings.c src/cmd/devices.c
libsupcon_a_SOURCES += src/cmd/bench_loss.c src/cmd/loss.c
libsupcon_a_SOURCES += src/cmd/config.c src/cmd/help.c src/cmd/man.c
libsupcon_a_SOURCES += src/cmd/bench.c src/cmd/bench_augment.c src/cmd/bench_step.c src/cmd/embed.c
