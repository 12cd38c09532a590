# Sourced by tests that train: a run of eight steps that takes a third of a second.
# $supcon, $work (a temporary folder, removed at the end), $recipe; result, skip.
supcon=${SUPCON:?}
work=$(mktemp -d "${TMPDIR:-/tmp}/supcon-tiny-XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
XDG_CACHE_HOME=$work/cache XDG_DATA_HOME=$work/data
export XDG_CACHE_HOME XDG_DATA_HOME
recipe=$work/tiny.cfg
cat >"$recipe" <<'END'
seed = 7;
threads = 2;
device = "cpu";
data = { name = "shapes"; train_images = 88; test_images = 40; valid_fraction = 0.25; };
model = { arch = "resnet8"; };
objective = { name = "supcon"; };
optimizer = { name = "sgd"; lr = 0.05; };
train = { epochs = 2; batch_size = 16; };
checkpoint = { every_iters = 1; keep = 100; retry_seconds = 1; };
linear = { epochs = 3; batch_size = 32; };
END
n=0

# result NAME: reports the exit status of the command before it.
result() {
    status=$?
    n=$((n + 1))
    [ $status -eq 0 ] || printf 'not '
    echo "ok $n - $1"
}

# train NAME OPTION...: a run in $work/NAME, silent.
train() {
    name=$1
    shift
    timeout 100 "$supcon" --batch "$recipe" --format none --run-dir "$work/$name" "$@" 2>"$work/err"
}
resume() { timeout 100 "$supcon" --batch --format none --resume "$work/$1" 2>"$work/err"; }

# same_weights A B STEP: both files of the step, byte for byte.
same_weights() {
    for file in model train; do
        cmp "$work/$1/checkpoints/step-$3/$file.safetensors" \
            "$work/$2/checkpoints/step-$3/$file.safetensors" || return 1
    done
}

# rows RUN: metrics without what depends on the clock or the place. Sorted, since a checkpoint is told of
# when it has been written, which is some iterations later.
rows() {
    sed -E 's/,"(views_per_s|data_ms|step_ms|sec|t|path)":("[^"]*"|[^,}]*)//g' "$work/$1/metrics.jsonl" |
        sort
}
