#!/bin/sh
# docs/gpu/README.md says of every check what the table of checks and the results say, and every check is made. Speaks TAP.
cd "${SUPCON_SRCDIR:?}" || exit 1
if ! python3 -c '' 2>/dev/null; then
    echo "1..1"
    echo "ok 1 - the list of what is proven # SKIP python3 is not installed"
    exit 0
fi
echo "1..3"
if why=$(tests/gpu/run --readme --check 2>&1); then echo "ok 1 - docs/gpu/README.md is up to date"; else
    echo "not ok 1 - docs/gpu/README.md is up to date"
    echo "# $why"
fi
wrong=$(python3 - <<'END'
import json
table = json.load(open('tests/gpu/checks.json'))
names = {c['name'] for c in table['checks']}
shown = [n for s in table['shows'] for n in s['checks']]
for n in shown:
    if n not in names:
        print(n, 'is shown, but there is no such check')
for c in table['checks']:
    if c['bound'] is not None and c['name'] not in shown:
        print(c['name'], 'has a bound, but shows nothing')
END
)
[ -z "$wrong" ] || printf 'not '
echo "ok 2 - every check with a bound belongs to something that must be shown"
[ -z "$wrong" ] || echo "$wrong" | sed 's/^/# /'
python3 - <<'END'
import json, re, sys
sys.path.insert(0, 'tests/gpu')
sys.dont_write_bytecode = True
import bench, parity, train
steps = {s[0] for m in (bench, parity, train) for s in m.STEPS}
wrong = steps ^ {c['step'] for c in json.load(open('tests/gpu/checks.json'))['checks']}
total = {m.__name__: sum(s[1] for s in m.STEPS) for m in (bench, parity)}
print('not ' * bool(wrong) + 'ok 3 - the steps of the phases are those of the checks')
for w in sorted(wrong):
    print('#', w, 'is in one list only')
END
