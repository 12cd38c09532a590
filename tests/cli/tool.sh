# Sourced by tests of single commands: a temporary folder to stand in, results, and commands with
# the code that is expected of them. $supcon, $work (removed at the end).
supcon=${SUPCON:?}
work=$(mktemp -d "${TMPDIR:-/tmp}/supcon-tool-XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
n=0

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

# says CODE WORDS ARGUMENT...: it ends with CODE and one sentence on standard error that has the words.
says()
{
    code=$1 words=$2
    shift 2
    run "$code" "$@" && [ "$(wc -l <err)" -eq 1 ] && grep -qF -- "$words" err
}
