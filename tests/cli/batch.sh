#!/bin/sh
# What --batch prints, to the byte where scripts rely on it, and how a run ends that cannot begin.
. "${SUPCON_SRCDIR:?}/tests/cli/tiny.sh"
echo "1..36"

# batch NAME OPTION...: as `train`, but printing; standard output in $work/out.
batch() {
    name=$1
    shift
    timeout 100 "$supcon" --batch "$recipe" --run-dir "$work/$name" "$@" >"$work/out" 2>"$work/err"
}
# ends CODE WORDS OPTION...: it ends with CODE and says WORDS on standard error.
ends() {
    code=$1 words=$2
    shift 2
    batch bad "$@"
    rc=$?
    [ $rc -eq "$code" ] && grep -q -e "$words" "$work/err" ||
        { echo "# ended with $rc: $(cat "$work/err")"; return 1; }
}

loss='(-?[0-9]+\.[0-9]{4}|nan|-?inf)'
acc='([0-9]+\.[0-9]{3}|nan)'
more='(, [A-Z][A-Za-z0-9/]*: [^,]+)*'
epoch='\[Epoch: [0-9]+/[0-9]+\]'
iters='\[Iters: [0-9]+/[0-9]+=>[0-9]+\]'
grammar="^(Running on: cpu \(.+, 2 threads\)|Feature extractor: resnet8|num_train: 66, num_valid: 22"
grammar="$grammar|Start to train\.\.|Start to eval\.\."
grammar="$grammar|$epoch$iters >> Loss : $loss, Acc: $acc$more"
grammar="$grammar|$epoch\[Valid\] >> Loss : $loss, Top1: $acc, Top5: $acc$more"
grammar="$grammar|$epoch\[Ckpt\] >> Saved: [^,]+, Bytes: [0-9]+, Sec: [0-9.]+$more"
grammar="$grammar|\[Linear: [0-9]{6}\]$epoch$iters >> Loss : $loss, Acc: $acc$more"
grammar="$grammar|\[Linear: [0-9]{6}\]\[Test\] >> Loss : $loss, Top1: $acc, Top5: $acc$more"
grammar="$grammar|\[Done\] >> Epochs: 2, Iters: 8, Best: ($acc|-), Ckpt: [^,]+, Sec: [0-9]+)\$"

batch text --set linear.at_end=true --set train.log_every=3
result "a run ends with 0"
! grep -vE "$grammar" "$work/out"
result "every line has its documented form"
printf '%s\n' 'Feature extractor: resnet8' 'num_train: 66, num_valid: 22' 'Start to train..' >"$work/want"
sed -n 2,4p "$work/out" | cmp - "$work/want"
result "it begins with what is trained on what"
sed -nE 's/^\[Epoch: ([0-9]+)\/2\]\[Iters: ([0-9]+)\/4=>([0-9]+)\].*/\1 \2 \3/p' "$work/out" >"$work/seen"
printf '%s\n' '0 0 0' '0 3 3' '1 0 4' '1 3 7' | cmp - "$work/seen"
result "iterations 0 and every log_every of an epoch, counted on over epochs"
[ "$(grep -c '^Start to eval\.\.$' "$work/out")" -eq 2 ] && [ "$(grep -c 'Valid' "$work/out")" -eq 2 ]
result "every epoch is validated"
! grep -q "$(printf '\033')" "$work/out" && ! grep -q "$(printf '\r')" "$work/out" "$work/err"
result "no escape codes, and no bar where nobody watches"
[ "$(grep -c '"ev":"iter"' "$work/text/metrics.jsonl")" -eq 8 ]
result "metrics.jsonl holds every iteration all the same"

batch same --set train.log_every=1
first=$(sed -nE 's/.*=>0\] >> Loss : ([0-9.]+).*/\1/p' "$work/out")
[ "$first" = "$(sed -nE 's/.*"giter":0,"loss":([0-9.]+).*/\1/p' "$work/same/metrics.jsonl" | xargs printf '%.4f')" ]
result "the loss of iteration 0 is the one in metrics.jsonl"
sed -E 's/, (Views|Eta|Sec).*//; s/Saved: .*//; s/, Ckpt:.*//' "$work/out" >"$work/one"
batch twin --set train.log_every=1
sed -E 's/, (Views|Eta|Sec).*//; s/Saved: .*//; s/, Ckpt:.*//' "$work/out" | cmp - "$work/one"
result "the same run prints the same but for times"

batch rows --format jsonl --set linear.at_end=true
grep -vE '^\{"ev":"(setup|linear_iter|done)",' "$work/out" | cmp - "$work/rows/metrics.jsonl"
result "--format=jsonl prints the rows of metrics.jsonl"
head -n 1 "$work/out" | grep -q '^{"ev":"setup","backend":"cpu",.*"n_train":66,"n_valid":22,' &&
    [ "$(grep -c '^{"ev":"linear_iter","step":8,"giter":[0-9]*,"loss":[0-9.]*,"acc":' "$work/out")" -eq 1 ] &&
    [ "$(grep -c '^{"ev":"linear","step":8,"top1":' "$work/out")" -eq 1 ] &&
    tail -n 1 "$work/out" | grep -q '^{"ev":"done","code":0,"giter":8,.*"ckpt":"'
result "and setup, progress of the linear evaluation, and end besides"
batch novalid --set data.valid_fraction=0.0 && grep -qE '^\[Done\] >> Epochs: 2, Iters: [0-9]+, Best: -, Ckpt: ' "$work/out"
result "without validation nothing is best"
batch silent --format=none && [ ! -s "$work/out" ]
result "--format=none prints nothing"
batch bar --progress always && grep -q "$(printf '\r').*$(printf '\033')" "$work/err" &&
    ! grep -q "$(printf '\r')" "$work/out"
result "--progress=always draws a bar on standard error alone"

timeout 100 "$supcon" --batch "$recipe" --run-dir "$work/pipe" 2>"$work/err" | head -n 1 >/dev/null
timeout 100 "$supcon" --batch --resume "$work/pipe" --format none 2>/dev/null
[ -d "$work/pipe/checkpoints/step-00000008" ] && grep -q "standard output was closed" "$work/pipe/run.log"
result "a reader that goes away does not stop training"
if [ -c /dev/full ]; then
    timeout 100 "$supcon" --batch "$recipe" --run-dir "$work/full" >/dev/full 2>"$work/err"
    [ $? -eq 74 ] && [ "$(grep -c 'standard output.*: No space left on device' "$work/err")" -eq 2 ] &&
        [ "$(grep -c '"ev":"iter"' "$work/full/metrics.jsonl")" -eq 8 ]
    result "a full disk under standard output does not stop training, but is 74"
else
    n=$((n + 1))
    echo "ok $n - a full disk under standard output # SKIP there is no /dev/full"
fi
timeout 100 "$supcon" "$recipe" --run-dir "$work/plain" >"$work/out" 2>"$work/err"
[ $? -eq 0 ] && grep -qx 'supcon: standard output is not a terminal; continuing as with --batch' "$work/err"
result "without a terminal it continues as batch and says so"
[ "$(grep -c . "$work/out")" -gt 5 ]
result "and prints as batch does"

"$supcon" "$recipe" --print-model >"$work/out" 2>/dev/null && grep -q '^conv1' "$work/out" &&
    grep -q 'parameters' "$work/out"
result "--print-model shows the layers"
"$supcon" "$recipe" --print-plan >"$work/out" 2>/dev/null && grep -q 'backward.*conv1' "$work/out" &&
    grep -q 'arena' "$work/out"
result "--print-plan shows the steps and their memory"
[ ! -e runs ]
result "neither leaves a run behind"

ends 64 'no such choice' --format xml
result "an unknown format: 64"
timeout 10 "$supcon" --batch 2>"$work/err"
[ $? -eq 64 ] && grep -q 'recipe is missing' "$work/err"
result "no recipe: 64"
timeout 10 "$supcon" --batch --resume "$work/text" --set seed=3 2>"$work/err"
[ $? -eq 64 ] && grep -q 'keeps its own settings' "$work/err"
result "settings for a resumed run: 64"
ends 78 'did you mean' --set train.epoch=3
result "an unknown key: 78"
ends 78 'only 66 training images' --set train.batch_size=67
result "a batch larger than the data: 78"
ends 66 "data_batch_1.bin" --set data.name=cifar10
result "a data set that is not there: 66"
timeout 10 "$supcon" --batch "$work/no.cfg" 2>"$work/err"
[ $? -eq 66 ] && grep -q 'no.cfg' "$work/err"
result "a recipe that is not there: 66"
timeout 10 "$supcon" --batch --resume "$work/no" 2>"$work/err"
[ $? -eq 66 ] && grep -q 'not a run' "$work/err"
result "a run that is not there: 66"
batch options --device=cpu --threads 1 && grep -q '^threads = 1;' "$work/options/config.cfg" &&
    timeout 100 "$supcon" --batch --format none --resume "$work/options" --threads=2 2>"$work/err" &&
    grep -q '^threads = 2;' "$work/options/config.cfg"
result "--device and --threads are those of the recipe, or of the run"
ends 64 '--device: "gpu" is not known' --device=gpu
result "an unknown device as an option: 64"
[ "$(sed -n 's/^[^ ]* \(saved step 8: .*\/step-00000008\|validation at step 8: top1 \).*/\1/p' "$work/text/run.log" | wc -l)" -eq 2 ]
result "run.log tells of checkpoints and validations"
ends 69 'CUDA' --set device=cuda:7
result "a device that is not there: 69"
name=text
timeout 10 "$supcon" --batch "$recipe" --run-dir "$work/text" 2>"$work/err"
[ $? -eq 73 ] && grep -q 'is a run already' "$work/err"
result "a run directory that is a run already: 73"
timeout 10 "$supcon" --batch "$recipe" --run-dir /dev/null/run 2>"$work/err"
[ $? -eq 73 ] && grep -q '/dev/null/run' "$work/err"
result "a run directory that cannot be made: 73"
ends 81 'not finite at iteration' --set objective.name=cross-entropy --set optimizer.lr=1000 \
    --set optimizer.momentum=0.99 --set train.epochs=50 --set checkpoint.every_iters=0 &&
    [ -f "$work/bad/checkpoints/latest/manifest.json" ]
result "a loss that is not finite: 81, with the weights before it saved"
