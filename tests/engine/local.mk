# Files of tests/engine/.
check_PROGRAMS += tests/engine/metrics
tests_engine_metrics_SOURCES = tests/engine/metrics.c
tests_engine_metrics_LDADD = $(test_libs)
TESTS += tests/engine/metrics
