#!/bin/sh
# Signals to a batch run: what is saved, how it ends, and that the rest of the run is as ever.
. "${SUPCON_SRCDIR:?}/tests/cli/tiny.sh"
echo "1..20"

# begin NAME [WRAPPER [OPTION...]]: a run of 400 steps in the background; waits for its first row.
begin() {
    name=$1 wrapper=${2-env --default-signal=HUP} # the suite itself may run under nohup
    shift $(($# < 2 ? $# : 2))
    rm -rf "$work/$name"
    $wrapper "$supcon" --batch "$recipe" --format none --run-dir "$work/$name" \
        --set threads=1 --set train.epochs=200 --set train.max_iters=400 \
        --set checkpoint.every_iters=0 --set checkpoint.every_epochs=0 "$@" >/dev/null 2>"$work/err" &
    pid=$!
    for i in $(seq 1000); do
        [ -s "$work/$name/metrics.jsonl" ] && return
        sleep 0.02
    done
    echo "# the run did not begin: $(cat "$work/err")"
}
rows_of() { grep -c '"ev":"iter"' "$work/$1/metrics.jsonl"; }
saved() { [ -f "$work/$1/checkpoints/step-$(printf %08d "$(rows_of "$1")")/manifest.json" ]; }

for signal in TERM USR1 XCPU HUP; do
    begin run
    kill -$signal $pid
    wait $pid
    rc=$?
    [ $rc -eq 75 ]
    result "SIG$signal ends with 75 (ended with $rc)"
    [ "$(rows_of run)" -lt 400 ] && saved run
    result "and with a checkpoint of the last completed step"
done

begin run
kill -USR2 $pid
for i in $(seq 200); do
    [ -e "$work/run/checkpoints/latest" ] && break
    sleep 0.02
done
at=$(rows_of run)
[ -e "$work/run/checkpoints/latest" ]
result "SIGUSR2 saves"
sleep 0.3
[ "$(rows_of run)" -gt "$at" ] && kill -0 $pid
result "and the run goes on"
kill -TERM $pid
wait $pid

begin run nohup
kill -HUP $pid
sleep 0.3
kill -0 $pid
result "under nohup SIGHUP is ignored"
kill -TERM $pid
wait $pid
[ $? -eq 75 ]
result "but SIGTERM is not"

# A shell without job control starts background processes with SIGINT ignored; env restores it.
interruptible="env --default-signal=INT"
if $interruptible true 2>/dev/null; then
    begin run "$interruptible"
    kill -INT $pid
    wait $pid
    rc=$?
    [ $rc -eq 130 ]
    result "SIGINT ends the process by SIGINT (ended with $rc)"
    saved run
    result "after a checkpoint"
    # steps of half a second, so that there is something to cut short
    begin run "$interruptible" --set data.train_images=1800 --set train.batch_size=320
    kill -INT $pid
    sleep 0.15
    kill -INT $pid
    wait $pid
    rc=$?
    [ $rc -eq 130 ] && ! [ -e "$work/run/checkpoints/latest" ]
    result "a second SIGINT ends it at once, in the middle of a step (ended with $rc)"
else
    for i in 1 2 3; do
        n=$((n + 1))
        echo "ok $n - SIGINT # SKIP env cannot restore signals"
    done
fi

# steps of half a second here too; echoes within a tenth of a second count as one
begin run "" --set data.train_images=1800 --set train.batch_size=320
kill -TERM $pid
kill -TERM $pid
sleep 0.15
kill -TERM $pid
wait $pid
rc=$?
[ $rc -eq 143 ] && ! [ -e "$work/run/checkpoints/latest" ]
result "a second SIGTERM ends it at once, by the signal (ended with $rc)"

begin run "" --set data.train_images=1800 --set train.batch_size=320
kill -USR1 $pid
sleep 0.02
kill -USR1 $pid
wait $pid
[ $? -eq 75 ] && [ "$(grep -c 'saving at the next step' "$work/run/run.log")" -eq 1 ]
result "a second SIGUSR1 is not said again"

# Before the first step: at any moment of the preparation.
failed=
for delay in 0.03 0.06 0.1 0.15; do
    rm -rf "$work/early"
    "$supcon" --batch "$recipe" --format none --run-dir "$work/early" --set train.epochs=200 \
        >/dev/null 2>"$work/err" &
    pid=$!
    sleep $delay
    kill -TERM $pid
    wait $pid
    rc=$?
    # 143: it came before the program could look at signals at all
    [ $rc -eq 75 ] || [ $rc -eq 143 ] || failed="$failed $delay:$rc"
done
[ -z "$failed" ]
result "SIGTERM while preparing ends with 75$failed"

failed=
for delay in 0.03 0.06 0.1 0.15; do
    $interruptible true 2>/dev/null || break
    rm -rf "$work/early"
    $interruptible "$supcon" --batch "$recipe" --run-dir "$work/early" --set train.epochs=200 \
        >"$work/out" 2>"$work/err" &
    pid=$!
    sleep $delay
    kill -INT $pid
    wait $pid
    [ $? -eq 130 ] || failed="$failed $delay"
    ! [ -e "$work/early" ] || [ -e "$work/early/checkpoints/latest" ] || [ ! -s "$work/err" ] || failed="$failed $delay:left"
    grep -q '^\[Done\].*Ckpt: ,' "$work/out" && failed="$failed $delay:done"
done
[ -z "$failed" ]
result "a start that SIGINT ends leaves no run behind$failed"

begin cut "" --set train.max_iters=120
kill -TERM $pid
wait $pid
[ "$(rows_of cut)" -lt 120 ] || echo "# it was not cut"
resume cut
begin uncut "" --set train.max_iters=120
wait $pid
[ "$(grep -c 'Terminated: saving' "$work/cut/run.log")" -eq 1 ] && same_weights cut uncut 00000120
result "stopped and resumed, it ends as the uninterrupted run"
