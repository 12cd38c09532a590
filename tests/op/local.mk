# Files of tests/op/.
op_references = tests/op/build.c tests/op/cases.c tests/op/ref_conv.c tests/op/ref_norm.c \
	tests/op/ref_pool.c tests/op/ref_loss.c
check_PROGRAMS += tests/op/references tests/op/ops
tests_op_references_SOURCES = tests/op/references.c $(op_references) tests/op/op_test.h
tests_op_references_LDADD = $(test_libs)
tests_op_ops_SOURCES = tests/op/ops.c tests/op/harness.c $(op_references) tests/op/op_test.h
tests_op_ops_LDADD = $(test_libs)
TESTS += tests/op/references tests/op/ops
