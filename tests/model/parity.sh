#!/bin/sh
# Training against PyTorch on real images: see parity.py. Skipped without PyTorch or the images.
shared=${SUPCON_SHARED-}
python=${PYTHON-/usr/bin/python3}
skip() {
    echo "1..1"
    echo "ok 1 - training follows PyTorch's # SKIP $1"
    exit 0
}
[ "${SUPCON_SANITIZER-}" ] && skip "a sanitizer's build has no room beside PyTorch"
[ -f "$shared/data/unpack.sh" ] || skip "there are no shared images"
"$python" -c 'import torch, torchvision' 2>/dev/null || skip "PyTorch is not installed"
work=$(mktemp -d "${TMPDIR:-/tmp}/supcon-parity.XXXXXX") || exit 99
trap 'rm -rf "$work"' EXIT
bash "$shared/data/unpack.sh" "$work/data" >/dev/null 2>&1 || skip "the shared images cannot be unpacked"
XDG_CACHE_HOME=$work/cache "$python" "${SUPCON_SRCDIR:?}/tests/model/parity.py" "${SUPCON:?}" "$work/data/cifar10-sample" "$work"
