#!/bin/sh
# Training on a folder of photographs: the same numbers from memory and on demand; status and sentence for bad files.
archive=$SUPCON_SHARED/data/cifar10-jpeg.tar.zst
if [ ! -e "$archive" ] || ! command -v zstd >/dev/null; then
    echo "1..0 # SKIP no $archive, or no zstd"
    exit 0
fi
work=$(mktemp -d "${TMPDIR:-/tmp}/supcon-test-XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
export XDG_CACHE_HOME="$work/cache"
zstd -dcq --long=27 "$archive" | tar -x -C "$work" --strip-components=1 --wildcards '*/train/*/000?.jpg' '*/test/*/000[0-3].jpg'
bad=$work/train/dog/0005.jpg
echo 1..10

n=0
result() { # NAME STATUS
    n=$((n + 1))
    if [ "$2" -eq 0 ]; then
        echo "ok $n - $1"
    else
        echo "not ok $n - $1"
        sed 's/^/# /' "$work/out" | tail -5
    fi
}
train() { # OPTIONS: to $work/out; its status is ours
    "$SUPCON" --batch "$SUPCON_SRCDIR/conf/folder-supcon-resnet18.cfg" --set data.path="$work" --set runs="$work/runs" --set device=cpu \
        --set model.arch=resnet8 --set train.batch_size=16 --set train.log_every=1 --set train.max_iters=3 --set linear.at_end=false \
        "$@" >"$work/out" 2>&1
}
losses() { sed -n 's/.*\(Loss : [^L]*\)Lr.*/\1/p' "$work/out"; }

train
result "a folder is trained on" $?
grep -q 'num_train: 95, num_valid: 5' "$work/out"
result "all images of all classes are there" $?
train --set data.size=24 --set data.resize=32
result "views may be smaller than images" $?
train --set loader.threads=3 --set data.size=96 --set train.batch_size=8
result "images are enlarged where they are smaller than views" $?
large=$(losses)
train --set loader.threads=2 --set data.size=96 --set train.batch_size=8 --set data.memory=1
[ $? -eq 0 ] && grep -q 'decoded as they are needed' "$work/out" && [ "$(losses)" = "$large" ] && [ -n "$large" ]
result "losses are the same where images are decoded on demand" $?

head -c 400 "$bad" >"$work/half" && mv "$work/half" "$bad"
train
[ $? -eq 65 ] && grep -q "error: $bad: a JPEG image that is damaged .*Premature end" "$work/out"
result "a damaged image ends the run with status 65 and is named" $?
train --set data.bad_images=skip
[ $? -eq 0 ] && grep -q 'warning: .* 1 of 140 images are left out' "$work/out" && grep -q 'num_train: 94' "$work/out"
result "or is left out, which is said" $?
rm -r "$work/train/dog"
train
[ $? -eq 65 ] && grep -q 'test/dog: a class that is not among the 9' "$work/out"
result "a class for tests alone is refused" $?

mv "$work/test" "$work/tested"
rm -rf "$work/runs"
train --set linear.at_end=true
[ $? -eq 78 ] && grep -q 'linear.at_end: .* has no test images.*set linear.at_end=false, or add them in its folder test' "$work/out" &&
    [ ! -e "$work/runs" ]
result "without test images linear.at_end is refused before anything begins" $?
train
result "and the rest does without" $?
