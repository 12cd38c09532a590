#!/bin/sh
# Recipes from outside: every mistake told with its place, the right exit code, and settings that
# read back as they were written.
. "${SUPCON_SRCDIR:?}/tests/cli/tool.sh"
echo 1..32

refused() # WANTED-MESSAGE RECIPE-TEXT
{
    printf '%s\n' "$2" >r.cfg
    run 78 config check r.cfg && grep -qF "$1" err
}

refused 'r.cfg:2: objective.temprature: unknown key; did you mean objective.temperature?' \
    'objective: {
temprature = 0.1; };'
result "an unknown key is told with its line and the nearest one"

cat >r.cfg <<'END'
sed = 1;
objective: {
    temperature = 0.0;
    name = "supcom";
};
train: { epochs = "many"; };
optimizer: { lr = nan; };
END
run 78 config check r.cfg && [ "$(wc -l <err)" -eq 5 ] &&
    [ "$(sed 's/^supcon: r.cfg:\([0-9]*\):.*/\1/' err | tr '\n' ' ')" = "1 3 4 6 7 " ]
result "five mistakes give five lines in order"

run 78 --batch r.cfg && [ "$(wc -l <err)" -eq 5 ] && [ ! -e runs ]
result "training refuses them all alike and creates nothing"

refused 'r.cfg:1: objective.temperature: 0 is out of range, allowed is 0.001 to 1000' \
    'objective: { temperature = 0; };'
result "a temperature of 0 is out of range"

printf 'objective: { temperature = 0.005; };\n' >r.cfg
run 0 config check r.cfg
result "a temperature of 0.005 is legal"

refused 'r.cfg:1: train.batch_size: 3000000000 is out of range, allowed is 2 to 65536' \
    'train: { batch_size = 3000000000; };'
result "3000000000 does not wrap"

printf 'seed = 3000000000;\n' >r.cfg
run 0 config show r.cfg && grep -qx 'seed = 3000000000L;' out
result "a large seed survives"

refused 'r.cfg:1: seed: 99999999999999999999999 does not fit in 64 bits' \
    'seed = 99999999999999999999999;'
result "more than 64 bits are refused"

refused 'r.cfg:1: optimizer.lr: NaN is not a finite number' 'optimizer: { lr = NaN; };'
result "NaN is no learning rate"

refused 'r.cfg:1: optimizer.lr: 1e999 is not a finite number' 'optimizer: { lr = 1e999; };'
result "infinity is no learning rate"

refused 'r.cfg:1: model.stem: resnet20 has no stem "imagenet"; it has: cifar' \
    'model: { arch = "resnet20"; stem = "imagenet"; };'
result "a stem that the architecture lacks is told with its line"

refused 'r.cfg:1: augment.views: simclr compares views of an image and needs at least 2, found 1' \
    'objective: { name = "simclr"; }; augment: { views = 1; };'
result "too few views for the objective are told with their line"

refused 'r.cfg:1: device: "gpu" is not known; there are auto, cpu, cuda, cuda:N' 'device = "gpu";'
result "an unknown device is told"

run 66 config check missing.cfg && grep -q 'missing.cfg: No such file' err
result "a missing recipe is exit 66"

head -c 70000 /dev/zero | tr '\0' '#' >r.cfg
run 78 config check r.cfg && grep -q 'r.cfg: larger than 65536 bytes' err
result "an oversized recipe is refused"

head -c 60000 /dev/zero | tr '\0' '(' | sed 's/^/a = /' >r.cfg
run 78 config check r.cfg && grep -q 'r.cfg:1: nested deeper than 8 levels' err
result "hostile nesting is refused"

printf 'seed = 1;\0device = "cpu";\n' >r.cfg
run 78 config check r.cfg && grep -q 'r.cfg:1: control character 0x00' err
result "binary files are refused"

printf '@include "r.cfg"\n' >r.cfg
run 78 config check r.cfg && grep -q 'r.cfg:1: @include: a recipe is one file' err
result "a recipe cannot include"

run 0 config default && cp out default.cfg && run 0 config check default.cfg &&
    [ "$(tail -n 1 out)" = "default.cfg: no mistakes" ] &&
    run 0 config show && cp out defaults && run 0 config show default.cfg && cmp -s out defaults
result "the default recipe has no mistakes and gives the defaults"

cat >r.cfg <<'END'
seed = 0x7fffffffffffffff;
data: { name = "shapes"; valid_fraction = 0.123456789012345678; mean = [0.1, 0.2, 0.3]; };
optimizer: { lr = 0.30000000000000004; nesterov = true; };
schedule: { name = "step"; steps = [1, 2.5]; };
linear: { lr = 7; };
END
run 0 config show r.cfg && cp out one.cfg && run 0 config show one.cfg && cmp -s out one.cfg &&
    grep -q 'lr = 0.30000000000000004;' out && grep -q 'lr = \[7.0\];' out &&
    grep -q 'seed = 9223372036854775807L;' out
result "what show prints reads back to the same settings"

run 0 config show --set optimizer.name=rmsprop --set 'linear.lr=[1, 2.5]' r.cfg &&
    grep -q 'name = "rmsprop";' out && grep -q 'lr = \[1.0, 2.5\];' out
result "--set takes a bare word and a list"

run 78 config show --set optimizer.name=rmspop r.cfg &&
    grep -q 'supcon: --set: optimizer.name: "rmspop" is not known; did you mean "rmsprop"?' err
result "--set tells the nearest value"

says 78 '--set: a: unknown section; there are data, loader, augment' config show --set a.b=1 &&
    says 78 "--set: linear.lr: a list is written in brackets: 'linear.lr=[0.1,1]'" \
        config show --set linear.lr=0.1,1
result "--set tells which sections there are, and how a list is written"

run 0 config show --origin --set seed=3 r.cfg && grep -q 'seed = 3; # --set' out &&
    grep -q 'lr = 0.30000000000000004; # r.cfg:3' out && grep -q 'epochs = 100; # default' out
result "--origin tells where values came from"

printf 'objective: { name = "cross-entropy"; temperature = 0.2; };\n' >r.cfg
run 0 config check r.cfg &&
    grep -qx 'r.cfg:1: objective.temperature is not used by cross-entropy' out
result "keys of another kind are accepted and noted"

says 64 "did you mean 'check'?" config chek r.cfg
result "a mistyped verb is exit 64"

all=0
while IFS='|' read -r text words; do
    printf "$text" >r.cfg
    says 78 "r.cfg:$words" config check r.cfg || { all=1 && break; }
done <<'END'
seed = 1;\nlr 0.1;\n|2: lr: expected "=", found "0.1"
seed = ;|1: seed: expected a value, found ";"
seed = 1;; name = "x";|1: expected the name of a key, found ";"
name = "a" 3;|1: name: expected ";", found "3"
optimizer: { lr = 0.1; };\n};\n|2: found "}", but nothing is open here
linear: { lr = [0.1,\n1.0; };\n|2: linear.lr: expected "," or "]" for the "[" of line 1, found ";"
linear: { lr = [0.1, 1.0); };|1: linear.lr: expected "," or "]" for the "[" of line 1, found ")"
linear: { lr = [0.1 1.0]; };|1: linear.lr: expected "," or "]" for the "[" of line 1, found "1.0"
linear: { lr = [0.1, ]; };|1: linear.lr: expected a value after ",", found "]"
data: { name = "shapes";\n|2: data: expected "}" for the "{" of line 1, found the end of the file
data: {\nmodel: { arch = "resnet8"; };\n|2: model: a section within the section data of line 1; is a "}" missing
seed = 1;\nname = "x";\nseed = 2;\n|3: seed: given twice, in line 1 and in line 3; keep one of them
data: { path = "x"; };\ndata: { path = "y"; };\n|2: data: given twice, in line 1 and in line 2
optimizer.lr = 3;|1: optimizer.lr: a key stands in its section: optimizer: { lr = VALUE; };
\377\376s\000|1: the file is in UTF-16; save it in UTF-8
END
[ $all -eq 0 ]
result "a mistake of syntax is told with line, what was found and what was expected"

printf '\357\273\277seed = 3;\n' >r.cfg
run 0 config show r.cfg && grep -qx 'seed = 3;' out
result "a mark at the beginning of UTF-8 is left out"

says 78 '--set: linear.lr: expected "," or "]", found ";"' config show --set 'linear.lr=[1, 2'
result "a list in --set that is not closed is told"

run 0 config show --set 'linear.lr=[10, 1e-5, 1e3, 1234.56789, 0.30000000000000004, 0]' \
    --set optimizer.weight_decay=1e-4 --set optimizer.epsilon=1e-10 &&
    grep -qF 'lr = [10.0, 0.00001, 1000.0, 1234.56789, 0.30000000000000004, 0.0];' out &&
    grep -q 'weight_decay = 0.0001;' out && grep -q 'epsilon = 1e-10;' out
result "numbers are shown as a person writes them"

printf 'seed = 1;\n' >a.cfg
printf 'sed = 1;\n' >b.cfg
run 78 config check a.cfg b.cfg a.cfg && [ "$(grep -c '^a.cfg: no mistakes$' out)" -eq 2 ] &&
    grep -q 'b.cfg:1: sed: unknown key' err && says 64 "extra operand 'b.cfg'" config show a.cfg b.cfg
result "several recipes are checked at once"

status=0
for recipe in "$SUPCON_SRCDIR"/conf/*.cfg; do
    run 0 config check "$recipe" || { sed 's/^/# /' err; status=1; }
done
[ $status -eq 0 ]
result "the recipes that come with the program have no mistakes"
