# Files of tests/model/.

check_PROGRAMS += tests/model/golden_losses
tests_model_golden_losses_SOURCES = tests/model/golden_losses.c
tests_model_golden_losses_LDADD = $(test_libs)
TESTS += tests/model/golden_losses

check_PROGRAMS += tests/model/resnet
tests_model_resnet_SOURCES = tests/model/resnet.c tests/model/golden.c tests/model/golden.h
tests_model_resnet_LDADD = $(test_libs)
TESTS += tests/model/resnet

dist_check_SCRIPTS += tests/model/parity.sh
EXTRA_DIST += tests/model/parity.py
TESTS += tests/model/parity.sh
