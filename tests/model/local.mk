# Files of tests/model/.

check_PROGRAMS += tests/model/golden_losses
tests_model_golden_losses_SOURCES = tests/model/golden_losses.c
tests_model_golden_losses_LDADD = $(test_libs)
TESTS += tests/model/golden_losses
