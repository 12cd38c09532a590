#!/bin/sh
# The command line: GNU forms, exit codes, and output that did not arrive is an error.
supcon=${SUPCON:?}
work=$(mktemp -d "${TMPDIR:-/tmp}/supcon-options-XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
n=0

echo 1..14

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

run 0 --version && head -n 1 out | grep -Eq '^supcon \(supcon\) [0-9]+\.[0-9]+' &&
    grep -q '^Copyright' out && grep -q 'MIT' out && grep -q 'NO WARRANTY' out && [ ! -s err ]
result "--version has the GNU form"

run 0 --help && head -n 1 out | grep -q '^Usage: supcon' && grep -q '^Report bugs to: ' out &&
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

run 64 --nonsense && grep -q 'unknown option --nonsense' err
result "an unknown option is exit 64"

run 64 -Q && grep -q 'unknown option -Q' err
result "an unknown letter is exit 64"

run 64 --set && grep -q 'argument missing after --set' err
result "a missing argument is exit 64"

run 64 devcies && grep -q 'did you mean "devices"?' err
result "a mistyped command gets a suggestion"

run 64 devices surplus && grep -q 'surplus' err
result "an operand too many is exit 64"

run 64 --batch && [ -s err ]
result "batch without a recipe is exit 64"

if [ -c /dev/full ]; then
    timeout 20 "$supcon" --version >/dev/full 2>err
    [ $? -eq 74 ] && grep -q 'cannot write standard output' err
    result "--version to a full disk is exit 74"
    timeout 20 "$supcon" config default >/dev/full 2>err
    [ $? -eq 74 ]
    result "config default to a full disk is exit 74"
else
    n=12
    echo "ok 11 - --version to a full disk # SKIP there is no /dev/full"
    echo "ok 12 - config default to a full disk # SKIP there is no /dev/full"
fi

run 0 devices && grep -q '^cpu ' out && grep -q '^cuda' out
result "devices lists the processor, and says why there is no other"

run 0 devices --json && grep -q '"id": "cpu"' out && grep -q '"usable": true' out
result "devices --json is an array"
