#!/bin/sh
# The command line: GNU forms, exit codes, and output that did not arrive is an error.
. "${SUPCON_SRCDIR:?}/tests/cli/tool.sh"
echo 1..29

run 0 --version && head -n 1 out | grep -Eq '^supcon \(supcon\) [0-9]+\.[0-9]+' &&
    grep -q '^Copyright' out && grep -q 'MIT' out && grep -q 'NO WARRANTY' out && [ ! -s err ]
result "--version has the GNU form"

run 0 --help && head -n 1 out | grep -q '^Usage: supcon' && grep -q '^Report bugs to: .*AUTHORS' out &&
    [ ! -s err ]
result "--help has the GNU form"

[ -z "$(awk 'length > 80' out)" ]
result "--help fits 80 columns"

status=0
for command in $(sed -n '/^Commands/,/^$/s/^  \([a-z]*\) .*/\1/p' out); do
    run 0 "$command" --help && head -n 1 out | grep -q "^Usage: supcon $command" || status=1
    run 0 "$command" --version && grep -q '^supcon (supcon)' out || status=1
done
[ $status -eq 0 ]
result "every command has --help and --version"

says 64 "unrecognized option '--nonsense'; try 'supcon --help'" recipe.cfg --nonsense
result "an unknown option is exit 64"

says 64 "unrecognized option '--bacth'; did you mean '--batch'?" --bacth
result "a mistyped option gets a suggestion"

says 64 "option '--p' is ambiguous" --p && says 64 "doesn't allow an argument" --batch=3
result "ambiguous options and arguments too many are exit 64"

says 64 "invalid option '-Q'" -Q
result "an unknown letter is exit 64"

says 64 "option '--set' requires an argument, KEY=VALUE" --set
result "a missing argument is exit 64"

says 64 "did you mean 'devices'?" devcies
result "a mistyped command gets a suggestion"

says 64 "extra operand 'surplus'; try 'supcon devices --help'" devices surplus
result "an operand too many is exit 64"

says 64 "missing operand FILE" loss && says 64 "missing operand CHECKPOINT" linear &&
    says 64 "missing option '--weights'" embed
result "a missing operand or option is exit 64"

run 64 --batch && [ -s err ]
result "batch without a recipe is exit 64"

all=0
while IFS='|' read -r words command; do
    says 64 "$words" $command || { all=1 && break; }
done <<'END'
--arch: "resnt18" is not known; did you mean "resnet18"?|bench --arch resnt18
--size: -2 is out of range, allowed is 0 to 1024|embed -w x -i folder -o y --size=-2
--stem: resnet20 has no stem "imagenet"|bench --arch resnet20 --stem imagenet
--dtype: "f16" is not known|bench --dtype f16
--device: "gpu" is not known; there are auto, cpu, cuda, cuda:N|bench --device gpu
--threads: -3 is out of range, allowed is 0 to 1024|bench --threads=-3
--loss: "supcom" is not known; did you mean "supcon"?|bench --loss supcom
--size: 0 is out of range, allowed is 1 to 4096|bench --size 0
--rows: expected an even number|bench --loss-only --rows 127
--steps: expected a whole number, found "x"|bench --steps x
images of at least|bench --device cpu --arch resnet18 --size 2
--loss: "supcom" is not known; did you mean "supcon"?|loss --loss supcom x.st
--device: "gpu" is not known|loss --device gpu x.st
--threads: -3 is out of range, allowed is 0 to 1024|embed --threads=-3 --weights a --input b --output c
--threads: expected a whole number, found "many"|embed --threads=many --weights a --input b --output c
--classes: 0 is out of range|embed --classes 0 --weights a --input b --output c
END
[ $all -eq 0 ]
result "a bad value of an option is exit 64 and names the option"

says 78 '--set: objective.temprature: unknown key' loss --set objective.temprature=1 x.st &&
    says 78 '--set: seed: -1 is out of range, allowed is at least 0' config show --set seed=-1
result "a bad key or value in --set is exit 78"

# lost CODE WORDS: the command before it ended so, with these words alone (none: silent).
lost()
{
    code=$?
    [ $code -eq "$1" ] && { [ -z "$2" ] || grep -q "cannot write .*: $2\$" err; } &&
        [ "$(wc -l <err)" -eq "$([ -n "$2" ] && echo 1 || echo 0)" ] && return
    echo "# exit $code, expected $1"
    return 1
}
for command in --version --help 'config default' 'devices --json'; do
    if [ -c /dev/full ]; then
        timeout 20 "$supcon" $command >/dev/full 2>err
        lost 74 'No space left on device'
        result "$command to a full disk is exit 74 and tells why"
    else
        n=$((n + 1))
        echo "ok $n - $command to a full disk # SKIP there is no /dev/full"
    fi
    timeout 20 "$supcon" $command >&- 2>err
    lost 74 'Bad file descriptor'
    result "$command to a closed output is exit 74 and tells why"
    (trap '' PIPE; sleep 0.2; timeout 20 "$supcon" $command 2>err; echo $? >code) | true
    [ "$(cat code)" -eq 141 ] && [ ! -s err ]
    result "$command to a reader that went away ends silently, by SIGPIPE"
done

run 0 devices && grep -q '^cpu ' out && grep -q '^cuda' out
result "devices lists the processor, and says why there is no other"

run 0 devices --json && grep -q '"id": "cpu"' out && grep -q '"usable": true' out
result "devices --json is an array"
