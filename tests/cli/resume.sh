#!/bin/sh
# A resumed run is the uninterrupted one, byte for byte: every objective and optimizer, at the first
# step, in the middle of an epoch, at its end, and at the first step of the next. Saving changes
# nothing.
. "${SUPCON_SRCDIR:?}/tests/cli/tiny.sh"
echo "1..35"

# from RUN STEP: a copy that knows only the checkpoints up to STEP, as if killed right after it.
from() {
    rm -rf "$work/again"
    cp -R "$work/$1" "$work/again"
    for folder in "$work"/again/checkpoints/step-*; do
        [ "${folder##*/}" \> "step-$2" ] && rm -rf "$folder"
    done
    rm -f "$work/again/checkpoints/latest" "$work/again/checkpoints/best"
}

same_end() {
    same_weights "$1" again 00000008 && rows "$1" >"$work/a" && rows again >"$work/b" &&
        cmp "$work/a" "$work/b"
}

for objective in supcon simclr cross-entropy; do
    for optimizer in sgd rmsprop; do
        run=$objective-$optimizer
        train "$run" --set objective.name=$objective --set optimizer.name=$optimizer || cat "$work/err"
        for step in 00000001 00000003 00000004 00000005; do
            from "$run" $step
            resume again && same_end "$run"
            result "$objective with $optimizer resumed at step $step ends as the uninterrupted run"
        done
        train "quiet-$run" --set objective.name=$objective --set optimizer.name=$optimizer \
            --set checkpoint.every_iters=0 --set checkpoint.every_epochs=0
        same_weights "$run" "quiet-$run" 00000008
        result "$objective with $optimizer: saving every step changes nothing"
    done
done

! cmp -s "$work/supcon-sgd/checkpoints/step-00000007/model.safetensors" \
    "$work/supcon-sgd/checkpoints/step-00000008/model.safetensors"
result "two steps differ"

before=$(cat "$work/supcon-sgd/metrics.jsonl" | cksum)
resume supcon-sgd && [ "$before" = "$(cat "$work/supcon-sgd/metrics.jsonl" | cksum)" ]
result "resuming a finished run adds nothing"

cp -R "$work/supcon-sgd" "$work/repeat"
timeout 100 "$supcon" --batch "$work/repeat/config.cfg" --format none --run-dir "$work/repeated" \
    2>"$work/err" && same_weights supcon-sgd repeated 00000008
result "config.cfg repeats the run"

from supcon-sgd 00000005
rm -rf "$work/again/checkpoints"/step-*
resume again && same_end supcon-sgd && grep -q "no checkpoint has been saved yet" "$work/again/run.log"
result "a run without a checkpoint starts again, and says so"

from supcon-sgd 00000005
sed -i 's/^threads = 2/threads = 1/' "$work/again/config.cfg"
resume again && grep -q "no longer bit-identical: threads was 2, is now 1" "$work/again/run.log"
result "another number of threads is noticed"
