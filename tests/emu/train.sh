#!/bin/sh
# Whole runs on the CUDA backend, emulated: the same recipe follows the CPU; recorded steps, steps call
# by call, and work that is done as late as possible give the same bits; runs are resumed to the bit
# and move between the two backends; a step that is not finite ends the run. Speaks TAP.
module=${SUPCON_BUILDDIR:?}/tests/emu/supcon-cuda.so
if [ ! -e "$module" ]; then
    echo "1..0 # SKIP the CUDA toolkit's headers are missing: CUDA is not emulated"
    exit 0
fi
. "${SUPCON_SRCDIR:?}/tests/cli/tiny.sh"
SUPCON_BACKEND_PATH=${module%/*}
export SUPCON_BACKEND_PATH
echo "1..27"

# gpu NAME OPTION...: a short run on the emulated device.
gpu() {
    name=$1
    shift
    train "$name" --set device=cuda --set model.dtype=f32 --set train.batch_size=8 --set train.max_iters=4 "$@"
}
cpu() {
    name=$1
    shift
    train "$name" --set model.dtype=f32 --set train.batch_size=8 --set train.max_iters=4 "$@"
}
losses() { sed -n 's/.*"ev":"iter".*"loss":\([^,]*\).*/\1/p' "$work/$1/metrics.jsonl"; }

# near A B N TOLERANCE: losses of the first N iterations.
near() {
    losses "$1" >"$work/a"
    losses "$2" >"$work/b"
    paste "$work/a" "$work/b" | head -n "$3" | awk -v n="$3" -v tolerance="$4" '
        {d = ($1 - $2) / $2; if (d < 0) d = -d; if (!(d <= tolerance)) {print "# " $1 " and " $2; bad = 1}}
        END {exit bad || NR != n}'
}

for objective in supcon simclr cross-entropy; do
    cpu "cpu-$objective" --set "objective.name=$objective" &&
        gpu "gpu-$objective" --set "objective.name=$objective" &&
        near "gpu-$objective" "cpu-$objective" 3 1e-4
    result "$objective follows the CPU"
done
cpu cpu-rmsprop --set optimizer.name=rmsprop --set optimizer.lr=0.001 &&
    gpu gpu-rmsprop --set optimizer.name=rmsprop --set optimizer.lr=0.001 && near gpu-rmsprop cpu-rmsprop 3 1e-4
result "rmsprop follows the CPU"
gpu narrow --set model.dtype=auto && near narrow cpu-supcon 3 3e-2
result "what auto computes in follows the CPU's f32"
sed -n 's/^ *dtype = "\(.*\)".*/\1/p' "$work/narrow/config.cfg" | grep -q bf16
result "and is bf16, which the run's config names"

SUPCON_CUDA_GRAPH=off gpu eager && same_weights gpu-supcon eager 00000004 && rows gpu-supcon >"$work/a" &&
    rows eager | cmp - "$work/a"
result "recorded steps and steps call by call give the same bits"
! grep -q 'could not be recorded' "$work"/*/run.log
result "and every step so far was recorded"
SUPCON_EMULATION_UNCAPTURED=1 gpu plainer && same_weights gpu-supcon plainer 00000004 &&
    [ "$(grep -c 'could not be recorded, which is tried once more' "$work/err")" -eq 1 ] &&
    ! grep -q 'call by call' "$work/err" && grep -q 'could not be recorded' "$work/plainer/run.log"
result "a step that cannot be recorded is recorded in a plainer way"
SUPCON_EMULATION_UNCAPTURED=9 gpu uncaptured && same_weights gpu-supcon uncaptured 00000004 &&
    [ "$(grep -c 'run call by call' "$work/err")" -eq 1 ]
result "or run call by call, and that is told once"
SUPCON_EMULATION_DELAY=1 gpu late && same_weights gpu-supcon late 00000004
result "work done late gives the same bits"
SUPCON_EMULATION_SEED=5 gpu other && same_weights gpu-supcon other 00000004
result "threads in another order give the same bits"

# Sums that are added in any order are no part of a deterministic run: the record has none of them.
! grep -q 'forward, sums' "$XDG_CACHE_HOME/supcon/tuning.json"
result "no convolution makes sums in a deterministic run"
loose() { gpu "$@" --set model.dtype=bf16 --set deterministic=false; }
loose any && grep -q 'forward, sums' "$XDG_CACHE_HOME/supcon/tuning.json" &&
    sed -i '/conv forward, sums/,/algorithm/s|"algorithm": "[^"]*"|"algorithm": "sums/3:2=1"|' "$XDG_CACHE_HOME/supcon/tuning.json" &&
    SUPCON_CUDA_SUMS=off loose apart && loose sums && near sums apart 3 1e-2 && ! same_weights sums apart 00000004 >"$work/a" &&
    ls "$XDG_CACHE_HOME/supcon/plans" | grep -q .
result "sums made by convolutions follow sums made apart"
"$supcon" --print-plan "$recipe" --set device=cuda --set model.dtype=bf16 --set deterministic=false --set train.batch_size=8 >"$work/a" 2>"$work/err" &&
    grep -q 'engine sums/3:2=1' "$work/a"
result "and the plan names them"
rm -r "$XDG_CACHE_HOME/supcon/plans"
SUPCON_CUDA_GRAPH=off SUPCON_EMULATION_DELAY=1 loose sums-late && near sums-late apart 3 1e-2
result "late, call by call, and compiled again, they do as well"

SUPCON_CUDA_FORK=off SUPCON_CUDA_GRAPH=off gpu straight && same_weights gpu-supcon straight 00000004 &&
    SUPCON_CUDA_GRAPH=off SUPCON_EMULATION_DELAY=1 gpu aside && same_weights gpu-supcon aside 00000004
result "gradients of weights beside the rest, late, or in turn give the same bits"

gpu cut --set train.max_iters=2 &&
    timeout 100 "$supcon" --batch --format none --resume "$work/cut" --set train.max_iters=4 2>"$work/err" &&
    same_weights gpu-supcon cut 00000004
result "a run that was cut is resumed to the bit"
cpu moved --set train.max_iters=2 &&
    timeout 100 "$supcon" --batch --format none --resume "$work/moved" --set train.max_iters=4 --set device=cuda 2>"$work/err" &&
    near moved cpu-supcon 4 1e-4
result "a run moves from the CPU to CUDA"
gpu back --set train.max_iters=2 &&
    timeout 100 "$supcon" --batch --format none --resume "$work/back" --set train.max_iters=4 --set device=cpu 2>"$work/err" &&
    near back cpu-supcon 4 1e-4
result "and from CUDA to the CPU"

timeout 100 "$supcon" linear "$work/gpu-supcon/checkpoints/step-00000004" --set device=cuda --json >"$work/a" 2>"$work/err" &&
    timeout 100 "$supcon" linear "$work/gpu-supcon/checkpoints/step-00000004" --set device=cpu --json >"$work/b" 2>"$work/err" &&
    [ "$(tail -n 1 "$work/a" | sed 's/.*"top1": *\([^,]*\).*/\1/')" = "$(tail -n 1 "$work/b" | sed 's/.*"top1": *\([^,]*\).*/\1/')" ]
result "linear evaluation finds what it finds on the CPU"

gpu diverged --set objective.name=cross-entropy --set optimizer.lr=1000 --set optimizer.momentum=0.99 --set train.max_iters=0 --set train.epochs=20
[ $? -eq 81 ]
result "a step that is not finite ends with 81"
grep -q 'not finite at iteration' "$work/err"
result "and says where"

# refused VARIABLE=VALUE WORDS: a device that cannot be used, by its own words.
refused() {
    env "$1" "$supcon" --batch "$recipe" --format none --run-dir "$work/refused" --set device=cuda 2>"$work/err"
    [ $? -eq 69 ] && grep -q "$2" "$work/err" && [ ! -e "$work/refused" ]
    result "$1: $2"
}
refused SUPCON_EMULATION_DEVICES=0 'finds no GPU'
refused SUPCON_EMULATION_SM=75 'or later is needed'
refused SUPCON_EMULATION_DRIVER=12000 'too old'
refused SUPCON_EMULATION_MEMORY=100 'no free memory'
