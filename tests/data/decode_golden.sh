#!/bin/sh
# Decoding and resizing against Pillow, on images of every kind that Pillow writes.
python=/usr/bin/python3
if ! "$python" -c 'import PIL, numpy' 2>/dev/null; then
    echo "1..0 # SKIP $python has no PIL and numpy"
    exit 0
fi
folder=$(mktemp -d "${TMPDIR:-/tmp}/supcon-test-XXXXXX") || exit 1
trap 'rm -rf "$folder"' EXIT
"$python" "$SUPCON_SRCDIR/tests/data/decode_golden.py" "$SUPCON_BUILDDIR/tests/data/decode_dump" "$folder"
