# Files of tests/lint/.
dist_check_SCRIPTS += tests/lint/lint.sh tests/lint/ptxas.sh
TESTS += tests/lint/lint.sh tests/lint/ptxas.sh
dist_tests += tests/lint/lint.sh
