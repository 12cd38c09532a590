# Files of tests/lint/.
