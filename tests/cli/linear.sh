#!/bin/sh
# supcon linear: result, repeatability, and a checkpoint that stays as it is.
. "${SUPCON_SRCDIR:?}/tests/cli/tiny.sh"
echo "1..19"

train run --set data.train_images=440 --set data.test_images=200 || cat "$work/err"
checkpoint=$(ls -d "$work"/run/checkpoints/step-* | tail -n 1)
step=${checkpoint##*step-}
sums() { (cd "$checkpoint" && cksum ./*); }
linear() { timeout 100 "$supcon" linear "$@" >"$work/out" 2>"$work/err"; }
value() { tail -n 1 "$work/out" | sed -E "s/.*\"$1\": ([^,}]*).*/\1/"; }

before=$(sums)
linear "$checkpoint" --json
result "a checkpoint's folder is evaluated"
[ "$before" = "$(sums)" ]
result "its bytes are unchanged"
tail -n 1 "$work/out" >"$work/first"
for key in top1 top5 loss lr rates step; do
    grep -q "\"$key\": " "$work/first" || break
done
result "the last line has top1, top5, loss, lr, rates and step"
line="^\[Linear: ${step#00}\]"
grep -qE "$line\[Epoch: 0/3\]\[Iters: 0/[0-9]+=>0\] >> Loss : [0-9]+\.[0-9]{4}, Acc: [0-9]+\.[0-9]{3}, Lr: [0-9.]+$" "$work/out" &&
    grep -qE "$line\[Test\] >> Loss : [0-9.]+, Top1: [0-9.]+, Top5: [0-9.]+, Lr: [0-9.]+, Sec: [0-9.]+$" "$work/out" &&
    [ "$(grep -cE "$line\[Lr: [0-9.]+\] >> Loss : [0-9.]+, Top1: [0-9.]+, Top5: [0-9.]+, Valid: [0-9.]+$" "$work/out")" -eq 3 ]
result "progress and result have the documented form"
[ "$(grep -o '"valid_top1"' "$work/first" | wc -l)" -eq 4 ] && [ "$(value n_valid)" -eq 110 ] &&
    [ "$(value n_test)" -eq 200 ]
result "all three rates are listed, chosen on the validation split"
cmp -s "$work/first" "$work/run/linear/step-$step.json"
result "the result is kept in the run"
linear "$work/run" --json
sed 's/, "sec".*//' "$work/first" >"$work/a"
tail -n 1 "$work/out" | sed 's/, "sec".*//' | cmp -s - "$work/a"
result "the run's folder means its newest checkpoint, and the result repeats to the last digit"
grep -qE "replaced the earlier result of step ${step#000000} in .*/run: Top1: [0-9.]+, Lr: [0-9.]+, Epochs: 3\$" "$work/err" &&
    [ "$(grep -c replaced "$work/err")" -eq 1 ]
result "what it replaces is named"

linear "$checkpoint" --json --set linear.lr=0.5 --set linear.optimizer=rmsprop --set linear.epochs=1
[ "$(value lr)" = 0.5 ] && [ "$(value epochs)" = 1 ] && [ "$(value optimizer)" = '"rmsprop"' ]
result "linear.* can be set"
linear "$checkpoint" --json --set linear.policy=crop-flip && [ "$(value policy)" = '"crop-flip"' ]
result "training images may be augmented"
linear "$checkpoint" --json --set data.valid_fraction=0.0 && [ "$(value held_out)" = true ] &&
    [ "$(value n_valid)" -eq 44 ] && grep -q "no validation split" "$work/err"
result "without a validation split a tenth is held out for choosing, and that is said"
cp -R "$checkpoint" "$work/elsewhere"
linear "$work/elsewhere" --json && tail -n 1 "$work/out" | sed 's/, "sec".*//' | cmp -s - "$work/a"
result "a copied folder is enough"

linear "$work/nowhere"
[ $? -eq 66 ] && grep -q nowhere "$work/err"
result "a checkpoint that is not there: 66"
mkdir "$work/empty"
linear "$work/empty"
[ $? -eq 66 ] && grep -q "not a checkpoint" "$work/err"
result "a folder that is none: 66"
linear "$checkpoint" --set linear.lr=nan
[ $? -eq 78 ]
result "NaN as a rate: 78"
dd if=/dev/zero of="$work/elsewhere/model.safetensors" bs=1 count=1 seek=3000 conv=notrunc 2>/dev/null
linear "$work/elsewhere"
[ $? -eq 65 ] && grep -q "model.safetensors: offset" "$work/err"
result "a damaged one: 65 with file and offset"
cp -R "$work/run" "$work/hurt"
truncate -s 100000 "$work/hurt/checkpoints/step-$step/model.safetensors"
linear "$work/hurt/checkpoints/step-$step"
[ $? -eq 65 ] && grep -q "was cut short; the newest sound one beside it: supcon linear .*/hurt/checkpoints/step-00000039\$" "$work/err"
result "a truncated one: 65, with one that is sound and the command"
linear "$work/hurt" && grep -q "warning: damaged checkpoint: .*step-$step" "$work/err" &&
    grep -q "warning: evaluating step 39, .*step-00000039, instead of step 40" "$work/err"
result "a run whose newest checkpoint is damaged: the one before it is evaluated, and that is said"
# It begins when the reader has gone.
(trap '' PIPE; while printf . 2>/dev/null; do sleep 0.05; done
    timeout 100 "$supcon" linear "$checkpoint" 2>"$work/err"; echo $? >"$work/code") | head -c 1 >/dev/null
[ "$(cat "$work/code")" -eq 141 ] && [ ! -s "$work/err" ]
result "a reader that goes away ends it silently, by SIGPIPE"
