#!/bin/bash
# tests/gpu/run itself, on the CPU in small sizes: every phase ends in time, every check is made, and what compares the CPU with
# itself agrees. The program of the other side is a stand-in that answers at once. Speaks TAP.
set -u
skip() { echo "1..1" && echo "ok 1 - the checks of a GPU run on the CPU # SKIP $1" && exit 0; }
[ -z "${SUPCON_SANITIZER-}" ] || skip "a sanitizer's build is too slow for it"
command -v python3 >/dev/null && python3 -c 'import json' 2>/dev/null || skip "python3 is not installed"
[ -x "${SUPCON_BUILDDIR:?}/tests/op/ops" ] && [ -x "$SUPCON_BUILDDIR/tests/gpu/golden" ] || skip "the test programs are not built"
work=$(mktemp -d "${TMPDIR:-/tmp}/supcon-dry.XXXXXX") || exit 99
trap 'rm -rf "$work"' EXIT
export XDG_CACHE_HOME=$work/cache # algorithms are timed once for all phases

mkdir -p "$work/bundle/bin" "$work/shared/peer" "$work/out"
ln -s "${SUPCON:?}" "$work/bundle/bin/supcon"
ln -s "$SUPCON_BUILDDIR/tests" "$work/bundle/tests"
if [ -d "${SUPCON_SHARED-}/golden" ]; then ln -s "$(cd "$SUPCON_SHARED/golden" && pwd)" "$work/shared/golden"; fi
cat >"$work/shared/peer/bench_step.py" <<'END'
import json, sys
print(json.dumps({'torch': 'stand-in', 'ms': 10.0, 'views_per_s': 100.0, 'peak_mib': 50}))
END

n=0
result() {
    local status=$?
    n=$((n + 1))
    [ $status -eq 0 ] || printf 'not '
    echo "ok $n - $1"
    [ $status -eq 0 ] || sed 's/^/# /' "$work/log"
}
phase() { timeout 100 "${SUPCON_SRCDIR:?}/tests/gpu/run" --device cpu --out "$work/out" --phase "$@" "$work/bundle" "$work/shared" >"$work/log" 2>&1; }
echo "1..13"
phase parity
[ $? -le 1 ] && grep -q ' 0 error; ' "$work/log" # bf16 may fail: it is held against f32
result "the phase parity ends without an error"
phase bench
result "the phase bench ends well"
phase train --part supcon && phase train
result "the phase train ends well, and goes on with the part that is missing"

# ask EXPRESSION: over c, the checks by name, and table, their list; empty or false fails.
ask() {
    python3 - "$work"/out/results-*.json "$SUPCON_SRCDIR/tests/gpu/checks.json" "$1" >"$work/log" 2>&1 <<'END'
import json, sys
c = {x['name']: x for x in json.load(open(sys.argv[1]))['checks']}
table = json.load(open(sys.argv[2]))['checks']
wrong = eval(sys.argv[3])
print(wrong)
sys.exit(bool(wrong))
END
}
ask '[x["name"] for x in table if x["name"] not in c]'
result "every check of the table has a result"
ask '[(n, x["note"]) for n, x in c.items() if x["status"] == "error"]'
result "none is an error"
ask '[(n, x["measured"], x["note"]) for n, x in c.items() if x["status"] == "fail" and "bf16" not in n]'
result "what compares the CPU with itself agrees"
ask '[n for n, x in c.items() if x["status"] == "pass" and (x["measured"] is None or not x["command"])]'
result "what passed was measured, by a command that is written down"
grep -q 'unproven' "$work"/out/results-*.md && ! grep -q 'proven on' "$work"/out/results-*.md
result "the report calls nothing proven"

# A command that hangs costs its step, not the phase.
mkdir -p "$work/hung/bundle/bin" "$work/hung/out"
ln -s "$SUPCON_BUILDDIR/tests" "$work/hung/bundle/tests"
printf '#!/bin/sh\n[ "$1" != --batch ] || exec sleep 100\nexec "%s" "$@"\n' "$SUPCON" >"$work/hung/bundle/bin/supcon"
chmod +x "$work/hung/bundle/bin/supcon"
begin=$SECONDS
timeout 60 "$SUPCON_SRCDIR/tests/gpu/run" --device cpu --out "$work/hung/out" --phase parity --seconds 5 --only gradient.f32 --only move.loss "$work/hung/bundle" "$work/shared" >"$work/log" 2>&1
[ $? -eq 1 ] && [ $((SECONDS - begin)) -lt 20 ] && grep -q 'did not end within' "$work"/hung/out/results-*.json
result "a command that hangs is ended, and the results say so"

# Without a usable GPU: one line, nothing tried, nothing failed.
mkdir "$work/none"
CUDA_VISIBLE_DEVICES='' timeout 60 "$SUPCON_SRCDIR/tests/gpu/run" --python false --out "$work/none" --phase parity "$work/bundle" "$work/shared" >"$work/log" 2>&1
[ $? -eq 77 ] && [ "$(grep -c 'no usable GPU here' "$work/log")" -eq 1 ] && [ "$(wc -l <"$work/log")" -eq 2 ] &&
    grep -q '^0 pass, 0 fail, .* 0 error;' "$work/log" && ! grep -q '\*\*failed' "$work"/none/results-*.md
result "without a usable GPU every check is skipped, in one line, with exit code 77"

# refused WORDS ARGUMENT...: ends in one sentence with these words.
refused() {
    timeout 60 "$SUPCON_SRCDIR/tests/gpu/run" --device cpu --out "$work/none" "${@:2}" >"$work/log" 2>&1
    [ $? -eq 66 ] && [ "$(wc -l <"$work/log")" -eq 1 ] && grep -q "^run: .*$1" "$work/log"
}
refused 'nosuch.*device.usable' --phase parity --only nosuch "$work/bundle" "$work/shared"
result "--only with a word that no check has names the checks"
refused 'no such folder' --phase parity "$work/bundle" "$work/missing"
result "a shared folder that is not there is refused"
echo '{"checks": []}' >"$work/empty.json"
cp -r "$SUPCON_SRCDIR/tests/gpu" "$work/alone" # as in a bundle: no sources around
refused 'No such file' --merge "$work/missing.json" && refused 'not a file of results' --merge "$work/empty.json" &&
    ! python3 -B "$work/alone/main.py" --readme >"$work/log" 2>&1 && grep -q '^run: .*bundle' "$work/log"
result "what cannot be merged or brought up to date is refused in one sentence"
