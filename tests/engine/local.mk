# Files of tests/engine/.
