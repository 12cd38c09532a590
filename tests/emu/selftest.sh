#!/bin/sh
# The emulation of CUDA itself, in every way it can run; see selftest.cpp. Speaks TAP.
selftest=${SUPCON_BUILDDIR:?}/tests/emu/selftest
if [ ! -x "$selftest" ]; then
    echo "1..0 # SKIP the CUDA toolkit's headers are missing: CUDA is not emulated"
    exit 0
fi

# variant LABEL VARIABLE=VALUE...
variant() {
    label=$1
    shift
    env "$@" "$selftest" 2>&1 | sed "s/^\(.*ok\) [0-9]* - \(.*\)/\1 - $label: \2/; s/^cuda emulation:/# &/"
}
{
    variant "in order" SUPCON_EMULATION_SEED=0
    variant "other order" SUPCON_EMULATION_SEED=5
    variant "late" SUPCON_EMULATION_DELAY=1
    variant "other order, late" SUPCON_EMULATION_DELAY=1 SUPCON_EMULATION_SEED=9
} | awk '/^1\.\./ {ends++; next} /^(not )?ok/ {sub(/ok/, "ok " ++n)} {print}
    END {print (ends == 4 ? "" : "not ") "ok " ++n " - every variant came to its end"; print "1.." n}'
