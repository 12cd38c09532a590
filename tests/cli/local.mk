# Files of tests/cli/.
dist_check_SCRIPTS += tests/cli/resume.sh tests/cli/checkpoint.sh tests/cli/linear.sh
TESTS += tests/cli/resume.sh tests/cli/checkpoint.sh tests/cli/linear.sh
EXTRA_DIST += tests/cli/tiny.sh tests/cli/tool.sh

dist_check_SCRIPTS += tests/cli/loss.sh
TESTS += tests/cli/loss.sh
dist_check_SCRIPTS += tests/cli/config.sh tests/cli/options.sh tests/cli/man.sh
TESTS += tests/cli/config.sh tests/cli/options.sh tests/cli/man.sh

# data
dist_check_SCRIPTS += tests/cli/data.sh
TESTS += tests/cli/data.sh
dist_check_SCRIPTS += tests/cli/batch.sh tests/cli/signals.sh
TESTS += tests/cli/batch.sh tests/cli/signals.sh
dist_check_SCRIPTS += tests/cli/embed.sh
TESTS += tests/cli/embed.sh
dist_check_SCRIPTS += tests/cli/paths.sh
TESTS += tests/cli/paths.sh
dist_check_SCRIPTS += tests/cli/devices.sh
TESTS += tests/cli/devices.sh
