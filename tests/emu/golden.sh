#!/bin/sh
# The stored vectors of losses on the CUDA backend, emulated, by both methods that are as exact as
# f32. Speaks TAP.
module=${SUPCON_BUILDDIR:?}/tests/emu/supcon-cuda.so
if [ ! -e "$module" ]; then
    echo "1..0 # SKIP the CUDA toolkit's headers are missing: CUDA is not emulated"
    exit 0
fi

for method in f32 bf16x3; do
    SUPCON_CUDA_CONTRAST=$method SUPCON_BACKEND_PATH=${module%/*} "$SUPCON_BUILDDIR/tests/model/golden_losses" cuda 2>&1 |
        sed "s/^\(.*ok\) [0-9]* - \(.*\)/\1 - cuda-emulated, $method: \2/"
done | awk '
    /^1\.\./ {want += substr($0, 4); next}
    /^(not )?ok/ {sub(/ok/, "ok " ++n)}
    {print}
    END {print (n && n == want ? "" : "not ") "ok " n + 1 " - no vector is missing"; print "1.." n + 1}'
