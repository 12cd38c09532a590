#!/bin/sh
# A GPU that breaks in the midst of a run, emulated: one sentence, exit 69, nothing saved from it; and the
# run goes on from its last checkpoint as if nothing had been. Speaks TAP.
module=${SUPCON_BUILDDIR:?}/tests/emu/supcon-cuda.so
if [ ! -e "$module" ]; then
    echo "1..0 # SKIP the CUDA toolkit's headers are missing: CUDA is not emulated"
    exit 0
fi
. "${SUPCON_SRCDIR:?}/tests/cli/tiny.sh"
SUPCON_BACKEND_PATH=${module%/*}
export SUPCON_BACKEND_PATH
echo "1..6"

SUPCON_EMULATION_LOSE=5 train early --set device=cuda
[ $? -eq 69 ] && grep -q 'the GPU was lost' "$work/err"
result "lost at the start: exit 69 and a sentence"

train whole --set device=cuda
result "the whole run, for comparison"
SUPCON_EMULATION_LOSE=1200 train run --set device=cuda
[ $? -eq 69 ]
result "lost in the midst: exit 69"
[ "$(grep -c 'error: .*the GPU was lost' "$work/err")" -eq 1 ] && grep -q 'the GPU was lost' "$work/run/run.log"
result "one sentence, which the log has too"
last=$(ls "$work/run/checkpoints" | grep '^step-' | tail -n 1)
[ "$last" \< step-00000008 ] && same_weights whole run "${last#step-}"
result "the last checkpoint is sound"
resume run && same_weights whole run 00000008
result "the run is resumed from it to the bit"
