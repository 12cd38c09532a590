#!/bin/sh
# Paths that are nearly right: a checkpoint for a run, a file for its folder. What it is and which is
# right is said. And runs that go on with other settings.
. "${SUPCON_SRCDIR:?}/tests/cli/tiny.sh"
echo "1..13"
cd "$work" || exit 1

# says CODE WORDS ARGUMENT...: it ends with CODE and one sentence that has WORDS.
says() {
    want=$1 words=$2
    shift 2
    timeout 20 "$supcon" "$@" >out 2>err </dev/null
    code=$?
    [ $code -eq "$want" ] && [ "$(wc -l <err)" -eq 1 ] && grep -qF -- "$words" err && return
    echo "# exit $code: $(cat err)"
    return 1
}
# all: one line "WORDS|ARGUMENTS" for each call; every one ends with 66.
all() {
    good=0
    while IFS='|' read -r words arguments; do
        says 66 "$words" $arguments || good=1
    done
    return $good
}

train run && cp -R run/checkpoints/step-00000008 lone
step=run/checkpoints/step-00000008
all <<END
latest is a checkpoint; its run is --resume run|--batch --resume run/checkpoints/latest
the run is --resume run|--batch --resume run/checkpoints/
the run is --resume run|--batch --resume run/config.cfg
belongs to one: --resume run|--batch --resume run/metrics.jsonl
file of the checkpoint $step; --resume takes a run's folder, as run|--batch --resume $step/model.safetensors
lies in no run|--batch --resume lone
nowhere is not a run|--batch --resume nowhere
END
result "what --resume cannot continue is told, with the run"
all <<END
run is a run, not a recipe; continue it with --resume run|--batch run
continue its run with --resume run|--batch $step
init.weights=lone/model.safetensors|--batch lone/model.safetensors
its recipe is run/config.cfg|--batch run/run.json
run is a run, not a recipe|config check run
END
result "what is no recipe is told, with what to do with it"
all <<END
give the checkpoint's folder: $step|linear $step/model.safetensors
give the checkpoint's folder: lone|linear lone/manifest.json
give one of them, or the run for its newest: run|linear run/checkpoints
give the run, for its newest checkpoint: run|linear run/config.cfg
END
result "what linear cannot evaluate is told, with the checkpoint"
all <<END
--weights: run is a run; its newest weights are run/checkpoints/latest/model.safetensors|embed --input shapes --output x --weights run
its weights are $step/model.safetensors|embed --input shapes --output x --weights $step/
those are lone/model.safetensors|embed --input shapes --output x --weights lone/train.safetensors
init.weights: lone is a checkpoint; its weights are lone/model.safetensors|--batch $recipe --set init.weights=lone
END
result "what holds no weights is told, with the file that does"
cp "$recipe" run/mine.cfg && timeout 20 "$supcon" config check run/mine.cfg run/config.cfg >out 2>err
result "recipes in a run's folder are recipes"

resume run && grep -qx "supcon: $work/run is complete at step 8; to train longer: supcon --resume $work/run --set train.epochs=4" err
result "a complete run says so, and how to train longer"
cp -R run other
timeout 100 "$supcon" --batch --format none --resume run --set train.epochs=4 2>err &&
    [ "$(rows run | grep -c '"ev":"iter"')" -eq 16 ] && grep -q '^    epochs = 4;' run/config.cfg &&
    timeout 100 "$supcon" --batch --format none --resume other --set train.max_iters=10 --set train.epochs=4 2>err &&
    timeout 100 "$supcon" --batch --format none --resume other --set train.max_iters=0 2>err &&
    same_weights run other 00000016
result "it does train longer, and keeps the new length"
before=$(cksum <run/config.cfg)
says 78 'train.epochs: 3 is less than the 4 epochs that run has done (step 16); give 4 or more' \
    --batch --resume run --set train.epochs=3 &&
    says 78 'train.max_iters: 15 is less than the 16 iterations that run has done' \
    --batch --resume run --set train.max_iters=15 &&
    [ "$before" = "$(cksum <run/config.cfg)" ]
result "less than what is done is refused, and config.cfg stays as it was"
says 64 'seed=3: a run keeps its own settings; with --resume these may be changed: train.epochs' \
    --batch --resume run --set seed=3 &&
    says 78 'sed: unknown key' --batch --resume run --set sed=3 &&
    says 64 '--resume goes without --run-dir' --batch --resume run --run-dir other
result "other settings are refused"

: >file
says 73 'file is not a folder' --batch "$recipe" --run-dir file &&
    says 73 'file is not a folder' --batch "$recipe" --run-dir file/x/y &&
    says 73 'file is not a folder' --batch "$recipe" --set runs=file/x
result "a run directory below a file names the file"

# A user who may write nothing here: all that cannot be made is 73, what may not be read is 77.
if [ "$(id -u)" -ne 0 ]; then as=
elif setpriv --reuid=65534 --regid=65534 --clear-groups "$supcon" --version >/dev/null 2>&1; then
    as='setpriv --reuid=65534 --regid=65534 --clear-groups'
else as=skip
fi
# denied CODE WORDS ARGUMENT...
denied() {
    want=$1 words=$2
    shift 2
    HOME=$work timeout 60 $as "$supcon" "$@" >out 2>err
    code=$?
    [ $code -eq "$want" ] && grep -F -- "$words" err | grep -q 'Permission denied' && return
    echo "# exit $code: $(cat err)"
    return 1
}
if [ "$as" = skip ]; then
    for i in 1 2 3; do
        n=$((n + 1))
        echo "ok $n - permissions # SKIP setpriv does not work here"
    done
else
    : >out && : >err && chmod 755 . && chmod 644 "$recipe" && mkdir closed && chmod 555 closed
    denied 73 'cannot create the folder closed/run' --batch "$recipe" --run-dir closed/run &&
        denied 73 'cannot create' --batch "$recipe" --set runs=closed &&
        denied 73 'cannot write to the run directory closed' --batch "$recipe" --run-dir closed
    result "a run directory that may not be made or written: 73"
    chmod -R a+rX,a-w run
    denied 73 'cannot write to the run directory run' --batch --resume run &&
        denied 73 'cannot create closed/x.st' embed --arch resnet8 --input shapes --device cpu \
            --weights lone/model.safetensors --output closed/x.st
    result "a run or an output that may not be written: 73"
    chmod 000 "$recipe" lone/model.safetensors
    denied 77 "$recipe" --batch "$recipe" &&
        denied 77 'lone/model.safetensors' embed --arch resnet8 --input shapes --device cpu \
            --weights lone/model.safetensors --output x.st
    result "an input that may not be read: 77"
    chmod -R u+w closed run
fi
