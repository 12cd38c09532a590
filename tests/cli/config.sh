#!/bin/sh
# Recipes from outside: every mistake told with its place, the right exit code, and settings that
# read back as they were written.
supcon=${SUPCON:?}
work=$(mktemp -d "${TMPDIR:-/tmp}/supcon-config-XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
n=0

echo 1..26

# result NAME: reports the exit status of the command before it.
result()
{
    status=$?
    n=$((n + 1))
    [ $status -eq 0 ] || { sed 's/^/# /' out err 2>/dev/null; printf 'not '; }
    echo "ok $n - $1"
}

run() # WANTED-CODE ARGUMENT...: output in out and err
{
    want=$1
    shift
    timeout 20 "$supcon" "$@" >out 2>err </dev/null
    code=$?
    [ $code -eq "$want" ] || { echo "# exit $code, expected $want: supcon $*"; return 1; }
}

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

run 0 config show --origin --set seed=3 r.cfg && grep -q 'seed = 3; # --set' out &&
    grep -q 'lr = 0.30000000000000004; # r.cfg:3' out && grep -q 'epochs = 100; # default' out
result "--origin tells where values came from"

printf 'objective: { name = "cross-entropy"; temperature = 0.2; };\n' >r.cfg
run 0 config check r.cfg &&
    grep -qx 'r.cfg:1: objective.temperature is not used by cross-entropy' out
result "keys of another kind are accepted and noted"

run 64 config chek r.cfg && grep -q 'did you mean "check"?' err
result "a mistyped verb is exit 64"

status=0
for recipe in "$SUPCON_SRCDIR"/conf/*.cfg; do
    run 0 config check "$recipe" || { sed 's/^/# /' err; status=1; }
done
[ $status -eq 0 ]
result "the recipes that come with the program have no mistakes"
