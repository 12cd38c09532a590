#!/bin/sh
# supcon embed, weights given to a run, and supcon bench: what they write, and what they say of bad files.
. "${SUPCON_SRCDIR:?}/tests/cli/tiny.sh"
echo "1..27"

# refused CODE TEXT COMMAND...: ends with CODE and says TEXT.
refused() {
    code=$1 text=$2
    shift 2
    timeout 100 "$@" >"$work/out" 2>"$work/err"
    rc=$?
    [ $rc -eq "$code" ] && grep -qF -- "$text" "$work/err" && return 0
    echo "# exit $rc, expected $code: $(cat "$work/err")"
    return 1
}
embed() { timeout 100 "$supcon" embed --arch resnet8 --input shapes --device cpu --threads 2 "$@" 2>"$work/err"; }

train ce --set objective.name=cross-entropy && train con
weights=$work/ce/checkpoints/latest/model.safetensors
contrastive=$work/con/checkpoints/latest/model.safetensors
[ -f "$weights" ] && [ -f "$contrastive" ]
result "two runs leave weights"

embed --weights "$weights" --output "$work/a.st" && embed --weights "$weights" --output "$work/b.st" && cmp "$work/a.st" "$work/b.st"
result "features of a data set, the same bytes twice"
"$supcon" loss --loss cross-entropy --json "$work/a.st" >"$work/out" && grep -q '"rows": 1000' "$work/out"
result "weights with a classifier give logits, a data set gives labels"
embed --weights "$contrastive" --output "$work/c.st" && refused 65 '"logits"' "$supcon" loss --loss cross-entropy "$work/c.st"
result "weights without one give features alone"
refused 65 'expected [7' "$supcon" embed --arch resnet8 --classes 7 --weights "$weights" --input shapes --output "$work/d.st"
result "another number of classes is told"
refused 65 'are the weights of a resnet8 with stem cifar, not of a resnet20 with stem cifar; set --arch to resnet8' \
    "$supcon" embed --arch resnet20 --weights "$weights" --input shapes --output "$work/d.st" &&
    refused 65 'not of a resnet18 with stem imagenet; set model.arch to resnet8 and model.stem to cifar' \
        "$supcon" --batch "$recipe" --run-dir "$work/v" --set "init.weights=$weights" --set model.arch=resnet18 --set model.stem=imagenet
result "weights of another architecture are told, with the one they are and the key to change"
refused 65 'not the weights of a resnet8 with stem cifar: 0 of its' "$supcon" embed --arch resnet8 --weights "$work/a.st" --input shapes --output "$work/d.st"
result "weights of no known architecture are told"
refused 65 'model.projection_dim differs?' "$supcon" --batch "$recipe" --run-dir "$work/v" --set "init.weights=$contrastive" --set model.projection_dim=64
result "a head of another size is told, with its key"
refused 66 'none.st' "$supcon" embed --arch resnet8 --weights "$work/none.st" --input shapes --output "$work/d.st"
result "missing weights are exit 66"
refused 66 'none.st' "$supcon" embed --arch resnet8 --weights "$weights" --input "$work/none.st" --output "$work/d.st"
result "a missing input is exit 66"
refused 65 '"images"' "$supcon" embed --arch resnet8 --weights "$weights" --input "$work/a.st" --output "$work/d.st"
result "an input without images is exit 65"
refused 66 'did you mean cifar10?' "$supcon" embed --arch resnet8 --weights "$weights" --input cifar11 --output "$work/d.st"
result "a mistyped data set gets a suggestion"
refused 66 'data-path' "$supcon" embed --arch resnet8 --weights "$weights" --input cifar10 --output "$work/d.st" &&
    ! grep -q 'data\.path' "$work/err"
result "a data set that is not there names the option --data-path"
refused 64 '--output' "$supcon" embed --arch resnet8 --weights "$weights" --input shapes
result "a missing --output is exit 64"
[ ! -e "$work/d.st" ]
result "nothing is written when something is wrong"

cp -R "$work/ce" "$work/hurt" && truncate -s 5000 "$work/hurt/checkpoints/step-00000008/model.safetensors"
refused 65 'the newest sound one beside it: --weights' "$supcon" embed --arch resnet8 --input shapes --output "$work/d.st" \
    --weights "$work/hurt/checkpoints/step-00000008/model.safetensors" && grep -q 'step-00000007/model.safetensors$' "$work/err"
result "truncated weights of a checkpoint are told, with sound ones"
head -c 5000 "$weights" >"$work/short.st"
refused 65 'short.st' "$supcon" embed --arch resnet8 --weights "$work/short.st" --input shapes --output "$work/d.st"
result "truncated weights are exit 65"
printf '\377\377\377\377\377\377\377\177{}' >"$work/hostile.st"
refused 65 'hostile.st' "$supcon" embed --arch resnet8 --weights "$work/hostile.st" --input shapes --output "$work/d.st"
result "a hostile header is exit 65"

train warm --set "init.weights=$weights" --set objective.name=cross-entropy --set train.max_iters=1 &&
    first() { sed -n 's/.*"giter":0,"loss":\([0-9.]*\).*/\1/p' "$work/$1/metrics.jsonl"; } &&
    awk -v warm="$(first warm)" -v cold="$(first ce)" 'BEGIN {exit !(warm < cold)}'
result "a run that starts from trained weights starts lower"
train heads --set "init.weights=$weights" --set train.max_iters=1 && "$supcon" embed --arch resnet8 --input shapes \
    --weights "$work/heads/checkpoints/latest/model.safetensors" --output "$work/e.st" 2>"$work/err" &&
    "$supcon" loss --loss cross-entropy --json "$work/e.st" >/dev/null
result "a head that the objective does not use is kept"
refused 65 'not the weights of a resnet8' "$supcon" --batch "$recipe" --run-dir "$work/x" --set "init.weights=$work/a.st"
result "given weights that are none are told"
refused 65 'short.st' "$supcon" --batch "$recipe" --run-dir "$work/y" --set "init.weights=$work/short.st"
result "truncated given weights are told"
refused 66 'none.st' "$supcon" --batch "$recipe" --run-dir "$work/z" --set "init.weights=$work/none.st" &&
    [ ! -e "$work/x" ] && [ ! -e "$work/y" ] && [ ! -e "$work/z" ]
result "missing given weights are exit 66, and no failed start leaves a run"

"$supcon" bench --arch resnet8 --stem cifar --batch-size 8 --steps 2 --warmup 1 --device cpu --json 2>"$work/err" >"$work/out" &&
    for key in ms views_per_s share peak_mib; do grep -q "\"$key\": [0-9.]*" "$work/out" || exit 1; done
result "bench gives time, rate, share and memory"
grep -qE '"peak_gflops": [0-9.]+, "peak_share": 0?[0-9.]+' "$work/out"
result "and the share of the peak arithmetic"
"$supcon" bench --arch resnet8 --stem cifar --batch-size 8 --steps 1 --warmup 0 --device cpu --deterministic 2>"$work/err" |
    grep -q '^device .*, deterministic$'
result "bench by deterministic algorithms alone says so"
"$supcon" bench --loss-only --rows 64 --dim 16 --device cpu --json 2>"$work/err" | grep -q '"ms": [0-9.]*'
result "and times the loss alone"
