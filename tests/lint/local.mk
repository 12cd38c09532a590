# Files of tests/lint/.
dist_check_SCRIPTS += tests/lint/lint.sh
TESTS += tests/lint/lint.sh
dist_tests += tests/lint/lint.sh
