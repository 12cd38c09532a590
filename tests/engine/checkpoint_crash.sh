#!/bin/sh
# Kills a saving process at every system call that can change the disk, and fails each of them:
# the newest or the one before always loads, bit for bit.
program=${SUPCON_BUILDDIR:?}/tests/engine/checkpoint_crash
work=$(mktemp -d "${TMPDIR:-/tmp}/supcon-crash-XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
echo "1..3"

skip_all() {
    for i in 1 2 3; do echo "ok $i - crash points # SKIP $1"; done
    exit 0
}
command -v strace >/dev/null 2>&1 || skip_all "strace is not installed"
strace -o /dev/null true 2>/dev/null || skip_all "strace may not trace here"
ASAN_OPTIONS=detect_leaks=0 # a traced process cannot be traced again
export ASAN_OPTIONS

# Steps 1 to 4 are there; the process under test saves 5 and 6 and prunes 3 and 4.
prepare() {
    rm -rf "$work/run"
    mkdir "$work/run"
    cp -r "$work/start/." "$work/run/"
}

# inject SYSCALL WHAT: runs the program, its exit status in $rc, its last commit in $committed.
inject() {
    prepare
    strace -f -qq -o "$work/trace" -e trace="$1" -e "inject=$1:$2" \
        "$program" save "$work/run" 5 6 >"$work/out" 2>"$work/err"
    rc=$?
    committed=$(tail -n 1 "$work/out")
    committed=${committed:-4}
}

# The newest one loads: what was reported as committed, or later.
check() {
    loaded=$("$program" load "$work/run" 2>"$work/load.err")
    if [ $? -ne 0 ] || [ "$loaded" -lt "$committed" ]; then
        echo "# $1: committed $committed, loaded '$loaded': $(cat "$work/load.err")"
        return 1
    fi
    left=$(ls -A "$work/run" | grep -c -e tmp -e trash -e '\.link')
    [ "$left" -eq 0 ] && return 0
    echo "# $1: left behind: $(ls -A "$work/run")"
    return 1
}

mkdir "$work/start"
"$program" save "$work/start" 1 4 >/dev/null || exit 1
calls="mkdir openat write fsync fdatasync close rename renameat2 symlink unlink unlinkat rmdir"

killed=0 bad=0
for call in $calls; do
    n=1
    while [ $n -le 200 ]; do
        inject "$call" "signal=SIGKILL:when=$n"
        [ $rc -ne 0 ] || break
        killed=$((killed + 1))
        check "killed at $call $n" || bad=$((bad + 1))
        n=$((n + 1))
    done
done
[ $bad -eq 0 ] && [ $killed -ge 40 ] || printf 'not '
echo "ok 1 - killed at $killed system calls: the newest or the one before loads"

# A failing disk: the save says so, and the older checkpoints are as they were.
failed=0 bad=0
for error in ENOSPC EIO; do
    for call in mkdir write fsync renameat2 symlink; do
        n=1
        while [ $n -le 200 ]; do
            inject "$call" "error=$error:when=$n"
            grep -q INJECTED "$work/trace" || break
            failed=$((failed + 1))
            case $rc in 0 | 74) ;; *)
                echo "# $call $n $error: exit $rc: $(cat "$work/err")"
                bad=$((bad + 1))
                ;;
            esac
            check "$error at $call $n" || bad=$((bad + 1))
            n=$((n + 1))
        done
    done
done
[ $bad -eq 0 ] && [ $failed -ge 20 ] || printf 'not '
echo "ok 2 - $failed failing system calls: reported, older checkpoints intact"

# For ever: the disk stays full (with write, the message has nowhere to go either).
bad=0
for call in write fsync; do
    inject "$call" "error=ENOSPC:when=1+"
    [ $rc -eq 74 ] || bad=$((bad + 1))
    [ $call = write ] || grep -q "older checkpoints are untouched" "$work/err" || bad=$((bad + 1))
    check "$call fails for ever" || bad=$((bad + 1))
done
[ $bad -eq 0 ] || printf 'not '
echo "ok 3 - a disk that stays full is reported with the older checkpoints intact"
