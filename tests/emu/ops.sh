#!/bin/sh
# The op case table on the CUDA backend, emulated: threads in the order of their numbers and work at
# once, then threads in another order and work as late as possible; the contrastive loss in a third
# order. Speaks TAP.
module=${SUPCON_BUILDDIR:?}/tests/emu/supcon-cuda.so
if [ ! -e "$module" ]; then
    echo "1..0 # SKIP the CUDA toolkit's headers are missing: CUDA is not emulated"
    exit 0
fi

# cases LABEL WORDS VARIABLE=VALUE...: what the emulated device answers to the cases with one of the words,
# with the label in each line.
cases() {
    label=$1 words=$2
    shift 2
    # shellcheck disable=SC2086
    env "$@" SUPCON_BACKEND_PATH="${module%/*}" "$SUPCON_BUILDDIR/tests/op/ops" $words 2>&1 |
        awk -v label="$label" '
            /^(not )?ok [0-9]+ - cpu/ {mine = 0; next}
            /^(not )?ok [0-9]+ - cuda/ {mine = 1; sub(/ok [0-9]+ - cuda[:0-9]*/, "ok - " label); print; next}
            /^1\.\./ {done = 1; next}
            mine || !/^#/ {sub(/^# */, ""); print "# " $0}
            END {if (!done) print "not ok - " label ": the case table came to its end"}'
}

{
    cases cuda-emulated "" SUPCON_EMULATION_SEED=0
    cases "cuda-emulated, other order, late" "" SUPCON_EMULATION_SEED=3 SUPCON_EMULATION_DELAY=1 SUPCON_EMULATION_SM=86
    cases "cuda-emulated, third order" "supcon simclr" SUPCON_EMULATION_SEED=8
} | awk '/^(not )?ok/ {sub(/ok/, "ok " ++n)} {print} END {print "1.." n}'
