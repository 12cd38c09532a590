#!/bin/sh
# The devices there are, and those that cannot be had: without a module, with the CUDA module but no
# GPU, and with a GPU that is emulated. Speaks TAP.
. "${SUPCON_SRCDIR:?}/tests/cli/tiny.sh"
real=${SUPCON_BUILDDIR:?}/supcon-cuda.so emulated=$SUPCON_BUILDDIR/tests/emu/supcon-cuda.so
echo "1..10"

skip() {
    n=$((n + 1))
    echo "ok $n - $1 # SKIP $2"
}
one_sentence() { [ "$(wc -l <"$work/err")" -eq 1 ] && grep -q "$1" "$work/err"; }

"$supcon" devices >"$work/out" && grep -q '^cpu ' "$work/out" && grep -q '^cuda' "$work/out"
result "both kinds of device are listed"
"$supcon" devices --json >"$work/out" && grep -q '"id": "cpu"' "$work/out" && grep -q '"usable": true' "$work/out"
result "as JSON too"

# Without its folder in the environment, a module is looked for where the program is; an empty one is no module.
mkdir "$work/modules" && : >"$work/modules/supcon-cuda.so"
SUPCON_BACKEND_PATH=$work/modules train broken --set device=cuda
[ $? -eq 69 ] && one_sentence 'no CUDA device: .*supcon-cuda.so cannot be loaded' && [ ! -e "$work/broken" ]
result "a module that cannot be loaded is one sentence and 69"

hidden="a GPU that is hidden"
if [ -e "$real" ]; then
    export SUPCON_BACKEND_PATH="${real%/*}" CUDA_VISIBLE_DEVICES=
    train none --set device=cuda
    [ $? -eq 69 ] && one_sentence 'no CUDA device: ' && [ ! -e "$work/none" ]
    result "$hidden is one sentence and 69"
    "$supcon" devices >"$work/out" && grep -q '^cuda  *not usable: no ' "$work/out"
    result "$hidden is listed with the reason"
    train instead --set device=auto --set train.max_iters=1 && grep -q 'device auto: using cpu; cuda: no ' "$work/err"
    result "auto uses the CPU and says why"
    unset CUDA_VISIBLE_DEVICES
else
    skip "$hidden is one sentence and 69" "the CUDA backend is not part of this build"
    skip "$hidden is listed with the reason" "the CUDA backend is not part of this build"
    skip "auto uses the CPU and says why" "the CUDA backend is not part of this build"
fi

if [ -e "$emulated" ]; then
    export SUPCON_BACKEND_PATH="${emulated%/*}"
    SUPCON_EMULATION_DEVICES=3 "$supcon" devices >"$work/out" && [ "$(grep -c '^cuda:[012] ' "$work/out")" -eq 3 ] &&
        grep -q 'compute capability 9.0' "$work/out" && grep -q 'GiB of memory; cuDNN ' "$work/out"
    result "each GPU is listed with its libraries"
    SUPCON_EMULATION_DEVICES=3 train far --set device=cuda:3
    [ $? -eq 69 ] && one_sentence 'there are 3 CUDA devices; cuda:3 was asked for'
    result "a number out of range is one sentence and 69"
    SUPCON_EMULATION_SM=75 "$supcon" devices --json >"$work/out" && grep -q '8.0 (Ampere) or later' "$work/out"
    result "an old GPU is listed with the reason"
    train best --set device=auto --set train.max_iters=1 && grep -q '"id": "cuda:0"' "$work/best/run.json"
    result "auto prefers a GPU"
else
    skip "each GPU is listed with its libraries" "CUDA is not emulated in this build"
    skip "a number out of range is one sentence and 69" "CUDA is not emulated in this build"
    skip "an old GPU is listed with the reason" "CUDA is not emulated in this build"
    skip "auto prefers a GPU" "CUDA is not emulated in this build"
fi
