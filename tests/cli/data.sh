#!/bin/sh
# Data files through the command line: good ones train, bad ones are named with file and place.
. "${SUPCON_SRCDIR:?}/tests/cli/tiny.sh"
echo "1..21"

files="data_batch_1.bin data_batch_2.bin data_batch_3.bin data_batch_4.bin data_batch_5.bin test_batch.bin"
data=$work/data

# records N FIRST: N records of CIFAR-10 with the labels FIRST, FIRST+1, ... of ten.
records() {
    i=0
    while [ $i -lt "$1" ]; do
        printf "\\$(printf %03o $((($2 + i) % 10)))"
        head -c 3072 "$supcon" # any bytes are pixels
        i=$((i + 1))
    done
}

good() {
    rm -rf "$data"
    mkdir "$data"
    for f in $files; do
        records 20 0 >"$data/$f"
    done
}

# run NAME ARGUMENTS: a run over $data that ends after two iterations.
run() {
    name=$1
    shift
    cat >"$work/$name.cfg" <<EOF
data: { name = "cifar10"; valid_fraction = 0.2; };
augment: { policy = "crop-flip"; };
model: { arch = "resnet8"; };
train: { epochs = 1; max_iters = 2; batch_size = 16; };
EOF
    rm -rf "$work/$name"
    timeout 100 "$supcon" --batch "$work/$name.cfg" --run-dir "$work/$name" --set data.path="\"$data\"" \
        "$@" >"$work/out" 2>"$work/err"
}

# refused CODE WORDS WHAT: the last run ended with this code and one sentence, that has the words.
refused() {
    rc=$?
    grep -v "^supcon: device auto" "$work/err" >"$work/said"
    [ $rc -eq "$1" ] && [ "$(wc -l <"$work/said")" -eq 1 ] && grep -qF "$2" "$work/said"
    result "$3 ($1)"
}

good
run good
[ $? -eq 0 ] && grep -q "^num_train: 80, num_valid: 20$" "$work/out"
result "whole records train, any number of them"

mkdir "$work/up"
mv "$data" "$work/up/cifar-10-batches-bin"
data=$work/up run folder
[ $? -eq 0 ]
result "the archive's own folder is looked into"
rm -rf "$work/up"

good
(cd "$work" && run relative --set data.path=data)
[ $? -eq 0 ]
result "a relative path is relative to the working directory"

rm -rf "$data"
run nothing
refused 66 "cifar-10-binary.tar.gz" "no data at all: where they come from"
grep -qF "$data: " "$work/err" && grep -qF "data_batch_1.bin, data_batch_2.bin" "$work/err"
result "and which files, in which folder"
XDG_DATA_HOME="$work/home" run default --set data.path='""'
refused 66 "$work/home/supcon/cifar10" "the default folder is named"
[ ! -e "$work/nothing" ]
result "no run directory is left behind"

good
rm "$data/data_batch_3.bin"
run missing
refused 66 "$data/data_batch_3.bin" "one file missing"

good
head -c 30000 "$supcon" >"$data/data_batch_2.bin"
run truncated
refused 65 "$data/data_batch_2.bin: offset 27657: " "a truncated file: file, offset"
grep -qF "30000 bytes" "$work/err"
result "and its size"

good
printf x >>"$data/test_batch.bin"
run overlong
refused 65 "$data/test_batch.bin: offset 61460: " "an overlong file"

good
: >"$data/data_batch_5.bin"
run empty
refused 65 "$data/data_batch_5.bin: offset 0: the file is empty" "an empty file"

good
printf '\012' | dd of="$data/data_batch_4.bin" bs=1 seek=9219 conv=notrunc 2>/dev/null
run label
refused 65 "$data/data_batch_4.bin: offset 9219: record 3 has label 10, expected 0..9" "a wrong label"

good
rm "$data/data_batch_1.bin"
mkdir "$data/data_batch_1.bin"
run directory
refused 65 "$data/data_batch_1.bin: a folder" "a folder in place of a file"

good
head -c 6148 /dev/zero >"$data/data_batch_1.bin"
run other
refused 65 "set data.name to cifar100?" "a file of CIFAR-100"
good
run hundred --set data.name=cifar100
refused 66 "train.bin, test.bin" "no files of CIFAR-100"

good
run large --set train.batch_size=81
refused 78 "81" "a batch larger than the data set"
grep -qF "80" "$work/err" && grep -qF "train.batch_size" "$work/err"
result "and both numbers, and the key"

run unknown --set data.name=cifar11
refused 78 "cifar10" "an unknown data set, with the nearest"
run mean --set 'data.mean=[0.5,0.5]'
refused 78 "data.mean has 2 values" "constants for two channels"
run fraction --set data.valid_fraction=1.5
refused 78 "data.valid_fraction" "a share above one"
