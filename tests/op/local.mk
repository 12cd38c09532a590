# Files of tests/op/.
