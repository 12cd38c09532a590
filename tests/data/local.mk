# Files of tests/data/.
