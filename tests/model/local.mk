# Files of tests/model/.
