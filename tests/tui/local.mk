# Files of tests/tui/.
