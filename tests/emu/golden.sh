#!/bin/sh
# The stored vectors of losses on the CUDA backend, emulated: by the method that is as exact as f32, and
# by the one with 11 bits, whose gradients may be off by what products of TF32 numbers make of these
# vectors (up to 9e-4). Speaks TAP.
module=${SUPCON_BUILDDIR:?}/tests/emu/supcon-cuda.so
if [ ! -e "$module" ]; then
    echo "1..0 # SKIP the CUDA toolkit's headers are missing: CUDA is not emulated"
    exit 0
fi

# vectors METHOD LOSS GRADIENT: within these tolerances.
vectors() {
    SUPCON_CUDA_CONTRAST=$1 SUPCON_BACKEND_PATH=${module%/*} "$SUPCON_BUILDDIR/tests/model/golden_losses" cuda "$2" "$3" 2>&1 |
        sed "s/^\(.*ok\) [0-9]* - \(.*\)/\1 - cuda-emulated, $1: \2/"
}

{
    vectors f32 1e-5 1e-4
    vectors f16 1e-4 1e-3
} | awk '
    /^1\.\./ {want += substr($0, 4); next}
    /^(not )?ok/ {sub(/ok/, "ok " ++n)}
    {print}
    END {print (n && n == want ? "" : "not ") "ok " n + 1 " - no vector is missing"; print "1.." n + 1}'
