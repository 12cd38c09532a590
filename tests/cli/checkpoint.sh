#!/bin/sh
# What happens to a run's files when things go wrong: kills at random moments, signals, damage, a
# full disk, two processes on one run.
. "${SUPCON_SRCDIR:?}/tests/cli/tiny.sh"
echo "1..15"

train whole || cat "$work/err"
[ -f "$work/whole/checkpoints/step-00000008/manifest.json" ]
result "a checkpoint is written at the end"
[ "$(readlink "$work/whole/checkpoints/latest")" = step-00000008 ]
result "latest points to it"

# Killed again and again until it ends. Each life lasts a little longer.
kills=0 rc=137 ms=150
while [ $rc -eq 137 ] && [ $kills -lt 40 ]; do
    life=$((ms / 1000)).$(printf %03d $((ms % 1000)))
    ms=$((ms * 115 / 100))
    if [ -f "$work/killed/run.json" ]; then
        timeout -s KILL $life "$supcon" --batch --format none --resume "$work/killed"
    else
        timeout -s KILL $life "$supcon" --batch "$recipe" --format none --run-dir "$work/killed"
    fi 2>"$work/err"
    rc=$?
    kills=$((kills + 1))
done
[ $rc -eq 0 ] || sed 's/^/# /' "$work/err"
[ $rc -eq 0 ] && [ $kills -gt 1 ] && same_weights whole killed 00000008
result "killed $((kills - 1)) times, it ends with the same weights"

# SIGTERM: saved, exit 75, and the rest as ever.
timeout 100 "$supcon" --batch "$recipe" --format none --run-dir "$work/term" \
    --set train.epochs=400 --set train.max_iters=400 --set checkpoint.keep=3 2>"$work/err" &
pid=$!
for i in $(seq 100); do
    [ -e "$work/term/checkpoints/latest" ] && break
    sleep 0.05
done
"$supcon" --batch --format none --resume "$work/term" 2>"$work/second"
[ $? -eq 73 ] && grep -q "in use by process \([0-9]*\) on .*kill -TERM \1 (on .*then supcon --resume $work/term\$" "$work/second"
result "a second process on the run is refused with 73, told who uses it and how to come back to it"
"$supcon" --batch "$recipe" --format none --run-dir "$work/term" 2>"$work/second"
[ $? -eq 73 ]
result "nor may it begin another run there"
kill -TERM $pid
wait $pid
[ $? -eq 75 ]
result "SIGTERM ends with 75"
last=$(readlink "$work/term/checkpoints/latest")
[ "step-$(printf %08d $(($(grep -c '"ev":"iter"' "$work/term/metrics.jsonl"))))" = "$last" ]
result "and with a checkpoint of the last completed step"
[ "$(ls -d "$work"/term/checkpoints/step-* | wc -l)" -le 4 ]
result "old checkpoints are pruned"

# Damage.
cp -R "$work/whole" "$work/hurt"
printf 'x' | dd of="$work/hurt/checkpoints/step-00000008/train.safetensors" bs=1 seek=5000 conv=notrunc 2>/dev/null
resume hurt && same_weights whole hurt 00000008 &&
    [ -d "$work/hurt/checkpoints/step-00000008.corrupt" ]
result "a damaged checkpoint is set aside and the one before is used"
grep -q "warning: damaged checkpoint: .*step-00000008/train.safetensors: offset" "$work/hurt/run.log" &&
    grep -q "warning: continuing from step 7, .*/step-00000007, instead of step 8" "$work/err" &&
    ! grep -q error "$work/err"
result "its file and place are named, and the step that is continued from"
for folder in "$work"/hurt/checkpoints/step-*; do
    : >"$folder/model.safetensors"
done
resume hurt
[ $? -eq 65 ] && grep -q "are damaged" "$work/err"
result "when all are damaged the run ends with 65"
resume hurt
[ $? -eq 65 ]
result "and never begins again from nothing"

# A disk with room for the log but not for a checkpoint (a file may have 100 blocks of 512 bytes).
cp -R "$work/whole" "$work/full"
for step in 5 6 7 8; do rm -rf "$work/full/checkpoints/step-0000000$step"; done
(ulimit -f 100 && "$supcon" --batch --format none --resume "$work/full") 2>"$work/err"
rc=$?
[ $rc -eq 74 ] && grep -q "bytes needed" "$work/err" && [ "$(grep -c "bytes needed" "$work/err")" -le 2 ] &&
    grep -q "trying again until ..:..:.. (checkpoint.retry_seconds)" "$work/err"
result "a full disk: training goes on, then 74 and what is needed, each said once (exit $rc)"
[ "$(grep -c '"ev":"iter"' "$work/full/metrics.jsonl")" -eq 8 ] &&
    ! ls "$work/full/checkpoints" | grep -q tmp && resume full && same_weights whole full 00000008
result "nothing was lost: with room again the run ends as ever"

# A disk with room for nothing: not even for the lock.
rc=$( (ulimit -f 0; "$supcon" --batch "$recipe" --format none --run-dir "$work/none" 2>&1; echo $?) | tail -n 1)
[ "$rc" -eq 74 ] && ! [ -e "$work/none" ]
result "a run for whose lock there is no room is 74, and leaves no folder (exit $rc)"
