# Files of tests/engine/.
check_PROGRAMS += tests/engine/metrics
tests_engine_metrics_SOURCES = tests/engine/metrics.c
tests_engine_metrics_LDADD = $(test_libs)
TESTS += tests/engine/metrics
check_PROGRAMS += tests/engine/run tests/engine/checkpoint tests/engine/checkpoint_crash
tests_engine_run_SOURCES = tests/engine/run.c tests/engine/small_net.c tests/engine/small_net.h
tests_engine_run_LDADD = $(test_libs)
tests_engine_checkpoint_SOURCES = tests/engine/checkpoint.c tests/engine/small_net.c \
	tests/engine/small_net.h
tests_engine_checkpoint_LDADD = $(test_libs)
tests_engine_checkpoint_crash_SOURCES = tests/engine/checkpoint_crash.c tests/engine/small_net.c \
	tests/engine/small_net.h
tests_engine_checkpoint_crash_LDADD = $(test_libs)
TESTS += tests/engine/run tests/engine/checkpoint
dist_check_SCRIPTS += tests/engine/checkpoint_crash.sh
TESTS += tests/engine/checkpoint_crash.sh
check_PROGRAMS += tests/engine/linear
tests_engine_linear_SOURCES = tests/engine/linear.c
tests_engine_linear_LDADD = $(test_libs)
TESTS += tests/engine/linear
check_PROGRAMS += tests/engine/trainer
tests_engine_trainer_SOURCES = tests/engine/trainer.c tests/engine/tiny.c tests/engine/tiny.h
tests_engine_trainer_LDADD = $(test_libs)
TESTS += tests/engine/trainer
check_PROGRAMS += tests/engine/switch
tests_engine_switch_SOURCES = tests/engine/switch.c tests/engine/tiny.c tests/engine/tiny.h
tests_engine_switch_LDADD = $(test_libs)
TESTS += tests/engine/switch
check_PROGRAMS += tests/engine/engine
tests_engine_engine_SOURCES = tests/engine/engine.c tests/engine/tiny.c tests/engine/tiny.h
tests_engine_engine_LDADD = $(test_libs)
TESTS += tests/engine/engine
tsan_tests += tests/engine/engine tests/engine/metrics
dist_tests += tests/engine/metrics
