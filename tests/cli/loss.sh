#!/bin/sh
# supcon loss: values by hand, the gradient's file, and one sentence with the right exit code for
# each thing that can be wrong with the input.
SUPCON=${SUPCON:-./supcon}
dir=$(mktemp -d "${TMPDIR:-/tmp}/supcon-loss.XXXXXX") || exit 99
trap 'rm -rf "$dir"' EXIT
count=0

# ok STATUS WHAT
ok()
{
    count=$((count + 1))
    if [ "$1" -eq 0 ]; then
        echo "ok $count - $2"
    else
        echo "not ok $count - $2"
        sed 's/^/# /' "$dir/out" "$dir/err"
    fi
}

# loss ARGS...: output in $dir/out, $dir/err; exit code in $code
loss()
{
    "$SUPCON" loss "$@" >"$dir/out" 2>"$dir/err"
    code=$?
}

# gives WANT WHAT ARGS...: the printed loss is WANT to 1e-6
gives()
{
    want=$1 what=$2
    shift 2
    loss --json "$@"
    got=$(sed -n 's/.*"loss": \([-0-9.e]*\).*/\1/p' "$dir/out")
    awk "BEGIN { d = ${got:-9e9} - $want; exit !($code == 0 && d < 1e-6 && d > -1e-6) }"
    ok $? "$what"
}

# refuses CODE TEXT WHAT ARGS...: exit code, and one line on stderr that contains TEXT
refuses()
{
    want=$1 text=$2 what=$3
    shift 3
    loss "$@"
    [ "$code" -eq "$want" ] && [ "$(grep -c . "$dir/err")" -eq 1 ] && grep -qF -- "$text" "$dir/err"
    ok $? "$what"
}

# file NAME HEADER DATA: a safetensors file; DATA in octal escapes
file()
{
    n=${#2}
    printf "\\$(printf %03o $((n % 256)))\\$(printf %03o $((n / 256)))\\0\\0\\0\\0\\0\\0" >"$dir/$1"
    printf '%s' "$2" >>"$dir/$1"
    printf "$3" >>"$dir/$1"
}

zero='\000\000\000\000' one='\000\000\200\077' two='\000\000\000\100' nan='\000\000\300\177'
i0=$zero i1='\001\000\000\000' i7='\007\000\000\000'

# tensors NAME SHAPE N_FLOATS LABEL_COUNT DATA: f32 tensor and i32 labels
tensors()
{
    file "$1.st" "{\"$2\":{\"dtype\":\"F32\",\"shape\":$3,\"data_offsets\":[0,$((4 * $4))]},\
\"labels\":{\"dtype\":\"I32\",\"shape\":[$5],\"data_offsets\":[$((4 * $4)),$((4 * $4 + 4 * $5))]}}" "$6"
}

tensors logits logits '[2,2]' 4 2 "$one$zero$zero$two$i0$i0"
tensors pair features '[2,1,2]' 4 2 "$one$zero$one$zero$i0$i0"
tensors three features '[3,1,2]' 6 3 "$one$zero$one$zero$zero$one$i0$i0$i1"
tensors flat features '[2,2]' 4 2 "$one$zero$one$zero$i0$i0"
tensors thin features '[4]' 4 2 "$one$zero$one$zero$i0$i0"
tensors few features '[2,1,2]' 4 1 "$one$zero$one$zero$i0"
tensors far logits '[2,2]' 4 2 "$one$zero$zero$two$i0$i7"
tensors nan features '[2,1,2]' 4 2 "$one$nan$one$zero$i0$i0"
file real.st '{"features":{"dtype":"F32","shape":[1,1,2],"data_offsets":[0,8]},"labels":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}}' "$one$zero$one"
file more.st '{"extra":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"features":{"dtype":"F32","shape":[1,2,1],"data_offsets":[8,16]},"labels":{"dtype":"U8","shape":[1],"data_offsets":[16,17]}}' "$one$two$one$one"'\003'
head -c 60 "$dir/pair.st" >"$dir/cut.st"

gives 1.22009485 'cross-entropy of two rows' --loss cross-entropy "$dir/logits.st"
gives 1.17009485 'label smoothing' --loss cross-entropy --set objective.label_smoothing=0.2 "$dir/logits.st"
gives 0 'two equal rows of one class' --loss supcon "$dir/pair.st"
gives 0 'features of one view need no dimension for it' --loss supcon "$dir/flat.st"
gives 0.20884112 'a lonely anchor stays in the mean' --loss supcon --set objective.temperature=1 "$dir/three.st"
gives 0.41768225 'base temperature' --loss supcon --set objective.temperature=1 \
    --set objective.base_temperature=0.5 "$dir/three.st"
gives 0 'other tensors are ignored, labels may be bytes' --loss simclr "$dir/more.st"

loss --json --loss simclr "$dir/pair.st"
grep -q '"lonely": 2' "$dir/out"
ok $? 'anchors without positives are counted'
loss --loss cross-entropy "$dir/logits.st"
grep -q '^Loss : 1\.22009[0-9]*, Acc: 50\.000$' "$dir/out"
ok $? 'a line to read without --json'

loss --loss cross-entropy --output "$dir/grad.st" "$dir/logits.st"
tail -c 16 "$dir/grad.st" | od -An -f | awk '{ a = $1 + 0.134470711; b = $2 - 0.134470711; exit !(a * a + b * b < 1e-12) }' &&
    grep -aq '"grad":{"dtype":"F32","shape":\[2,2\]' "$dir/grad.st"
ok $? 'the gradient is written with the shape of the input'

refuses 66 "$dir/none.st" 'a missing file' --loss supcon "$dir/none.st"
refuses 65 'cut.st' 'a truncated file' --loss supcon "$dir/cut.st"
refuses 65 'no tensor "features"' 'a missing tensor' --loss supcon "$dir/logits.st"
refuses 65 'no tensor "logits"' 'the other missing tensor' --loss cross-entropy "$dir/pair.st"
refuses 65 'simclr compares views; stack those of V views as [N,V,D]' 'one view for simclr' --loss simclr "$dir/flat.st"
refuses 65 '[N,V,D], or [N,D]' 'features of the wrong rank' --loss supcon "$dir/thin.st"
refuses 65 '1 labels for 2 samples' 'too few labels' --loss supcon "$dir/few.st"
refuses 65 'label 7 of sample 1' 'a label that is no class' --loss cross-entropy "$dir/far.st"
refuses 65 'whole numbers' 'labels that are no whole numbers' --loss supcon "$dir/real.st"
refuses 65 'element 1 of "features" is nan' 'a number that is none' --loss supcon "$dir/nan.st"
refuses 64 '--loss: "supcom" is not known; did you mean "supcon"' 'an unknown loss' --loss supcom "$dir/pair.st"
refuses 78 'temperature' 'an unknown key' --loss supcon --set objective.temprature=1 "$dir/pair.st"
refuses 64 'FILE' 'no file' --loss supcon
refuses 73 "$dir/none/grad.st" 'an output that cannot be made' --loss supcon --output "$dir/none/grad.st" "$dir/pair.st"

echo "1..$count"
