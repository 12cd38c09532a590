# Files of tests/dist/. Skipped without a bundle; `make check-portable` makes one first.
EXTRA_DIST += tests/dist/portable.sh
