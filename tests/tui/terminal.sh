#!/bin/sh
# The console in a real terminal (tmux). Every wait has a deadline; nothing depends on how fast the
# machine is.
supcon=${SUPCON:?}
n=0
result() {
    if [ $? -eq 0 ]; then verdict=ok; else verdict="not ok"; fi
    n=$((n + 1))
    echo "$verdict $n - $1"
    [ "$verdict" = ok ] || screen | sed 's/^/# /'
}
if ! command -v tmux >/dev/null 2>&1; then
    echo "1..0 # SKIP tmux is not installed"
    exit 0
fi
echo "1..34"

work=$(mktemp -d "${TMPDIR:-/tmp}/supcon-tui-XXXXXX") || exit 1
unset TMUX TMUX_PANE
tm() { tmux -L "supcon-$$" -f /dev/null "$@"; }
holder=
# A run goes on without its terminal, which is right, but not when the test is over or was cut off.
leave() {
    tm kill-server 2>/dev/null
    [ -z "$holder" ] || kill "$holder" 2>/dev/null
    for process in /proc/[0-9]*; do
        [ "$(readlink "$process/cwd")" != "$work" ] || kill -KILL "${process#/proc/}" 2>/dev/null
    done
    rm -rf "$work"
}
trap leave EXIT
trap 'exit 1' INT TERM HUP

# one session that stays, so that the server does
tm new-session -d -s keep -x 10 -y 2 'exec cat' || exit 1

cat >"$work/tiny.cfg" <<'RECIPE'
# Small enough for a test.
seed = 1; threads = 1;
data: { name = "shapes"; train_images = 256; test_images = 64; valid_fraction = 0.125; };
augment: { policy = "none"; };
model: { arch = "resnet8"; stem = "cifar"; };
objective: { name = "supcon"; };
train: { epochs = 100000; batch_size = 16; };
checkpoint: { every_epochs = 100000; keep = 3; };
linear: { at_end = false; epochs = 2; batch_size = 16; };
RECIPE

screen() { tm capture-pane -p -t t 2>/dev/null; }
# until COMMAND...: true as soon as the command is, false after 40 seconds
until_true() {
    end=$(($(date +%s) + 40))
    until "$@" >/dev/null 2>&1; do
        [ "$(date +%s)" -lt "$end" ] || return 1
        sleep 0.05
    done
}
has() { screen | grep -qE -e "$1"; }
lacks() { ! has "$1"; }
shows() { until_true has "$1"; }
hides() { until_true lacks "$1"; }
keys() { tm send-keys -t t "$@"; }
type_line() { tm send-keys -t t -l "$1" && tm send-keys -t t Enter; }
gone() { ! kill -0 "$(cat "$work/pid")"; }
ended() { until_true test -s "$work/rc" && [ "$(cat "$work/rc")" = "$1" ]; }

# shell COLUMNS ROWS [VARIABLE=VALUE...]: an interactive shell in a terminal of that size
shell() {
    cols=$1 rows=$2
    shift 2
    tm kill-session -t t 2>/dev/null
    tm new-session -d -s t -x "$cols" -y "$rows" "cd '$work' && exec env -u NO_COLOR -u SSH_CONNECTION \
        -u SSH_TTY TERM=screen-256color LC_ALL=C.UTF-8 PS1='% ' ENV= XDG_CACHE_HOME='$work/cache' $* sh -i"
    shows '^%'
}
# start RUN [OPTION...]: the program in that shell; its process id, exit status and terminal modes
# before and after are kept in files
start() {
    run=$1
    shift
    rm -f "$work/pid" "$work/rc" "$work/after"
    cat >"$work/go" <<GO
stty -a >before
sh -c 'echo \$\$ >pid; exec "$supcon" --run-dir "$run" $* tiny.cfg'
echo \$? >rc
stty -a >after
GO
    type_line "clear; . ./go"
}
modes_are_back() { until_true test -s "$work/after" && cmp -s "$work/before" "$work/after"; }
stop() {
    kill -TERM "$(cat "$work/pid")" && ended 75
}

shell 80 24
start first
shows 'PREPARING|TRAIN'
result "the console appears"
[ "$verdict" = ok ] || { echo "Bail out! the console does not appear"; exit 1; }
shows '> TRAIN .*supcon' && shows 'epoch [0-9]+/100000  iter'
result "training is shown"
keys p
shows '\|\| PAUSED'
result "p pauses"

# paused, the screen stands still: whatever the terminal's size was meanwhile, it must come back
size=1
for size in 1x1 220x70 3x2 80x1 1x24 44x12 200x60 10x10 76x20 300x3 2x50 80x24; do
    tm resize-window -t t -x "${size%x*}" -y "${size#*x}"
done
shows 'PAUSED.*not saved' && shows '\? help'
screen >"$work/stormed"
keys C-l
redrawn() { screen | cmp -s - "$work/stormed"; }
until_true redrawn
result "after a storm of sizes, 1x1 among them, the screen is as if drawn anew"

keys s
shows 'checkpoint [0-9]+ saved' && shows 'saved [0-9:]+ #'
result "s saves"
keys v
shows 'Linear evaluation' && keys v && shows 'linear evaluation of [0-9]+: top-1'
result "v evaluates the checkpoint"
keys p
shows '> TRAIN|EVAL'
keys o Down Down
shows 'Switch objective: supcon -> ' && keys Enter && shows 'objective switched from supcon'
result "o switches the objective"

keys q
shows 'Quit' && keys Enter && hides ' Quit ' && kill -0 "$(cat "$work/pid")"
result "q and Enter stay"
keys C-c
shows ' Quit ' && keys Escape && hides ' Quit ' && kill -0 "$(cat "$work/pid")"
result "Ctrl-C asks, Esc stays"

keys C-z
until_true test -s "$work/rc" && [ "$(cat "$work/rc")" -gt 128 ] && modes_are_back &&
    kill -0 "$(cat "$work/pid")"
result "Ctrl-Z gives the shell, and the terminal as it was"
rm -f "$work/rc" "$work/after"
type_line 'fg; echo $? >rc; stty -a >after'
shows 'TRAIN|EVAL' && shows 'Checkpoints'
result "fg brings the console back"

keys q
shows ' Quit ' && keys s && ended 0 &&
    shows 'the run is in first, saved at iteration [0-9]+; to go on: supcon'
result "q s ends the run, and says how to go on"
modes_are_back && shows '^%' && ! has 'Checkpoints'
result "and gives the terminal back"

start second
shows '> TRAIN'
kill -SEGV "$(cat "$work/pid")"
ended 139 && modes_are_back && shows 'ended by a fatal signal.* in second' && ! has 'Checkpoints'
result "a crash gives the terminal back and says where the run is"

start third
shows '> TRAIN'
kill -ABRT "$(cat "$work/pid")"
ended 134 && modes_are_back
result "so does an abort"

start fourth
shows '> TRAIN'
keys q
shows ' Quit ' && keys d && shows 'goes on without a screen' && ! has Checkpoints
result "detaching gives the terminal back"
lines() { wc -l <"$work/fourth/metrics.jsonl"; }
seen=$(lines)
more() { [ "$(lines)" -gt $((seen + 5)) ]; }
until_true more
result "and the run goes on"
stop
result "until SIGTERM saves and ends it with 75"
pid=$(cat "$work/pid")
shows "kill -TERM $pid" && shows 'supcon --resume fourth' && grep -q "kill -TERM $pid" "$work/fourth/run.log" &&
    tail -n 1 "$work/fourth/run.log" | grep -qE 'in fourth, saved at iteration [0-9]+; to go on: supcon --resume fourth$'
result "it is told how to come back, and run.log how it ended"

start again
shows '> TRAIN' && shows 'iter +[0-9]'
keys C-c
shows '> 1 ' && keys C-c && shows '> 2 ' && keys C-c && shows '> 3 ' && keys C-c && ended 0 && shows 'in again; no checkpoint was saved, [0-9]+ iteration'
result "who insists with Ctrl-C is told what that cost"

start fifth
shows '> TRAIN'
pid=$(cat "$work/pid")
kill -HUP "$pid"
tm kill-session -t t
lines() { wc -l <"$work/fifth/metrics.jsonl"; }
seen=$(lines)
until_true more
result "when the terminal goes, the run goes on"
kill -TERM "$pid"
until_true gone && ls "$work"/fifth/checkpoints/step-*/manifest.json >/dev/null
result "and saves when told to end"

# bytes RUN VARIABLES: everything the program wrote to the terminal until it trained
bytes() {
    rm -f "$work/bytes"
    shell 80 24 "$2" || return 1
    tm pipe-pane -t t "cat >'$work/bytes'"
    start "$1"
    shows 'TRAIN' && shows 'iter ' && keys q && shows ' Quit' && keys s && ended 0 &&
        tm pipe-pane -t t
}
esc=$(printf '\033')
bytes sixth NO_COLOR=1 &&
    ! grep -aqE "$esc\[([0-9;]*;)?(3[0-8]|4[0-8]|9[0-7])(;[0-9;]*)?m" "$work/bytes" &&
    grep -aqE "$esc\[" "$work/bytes"
result "NO_COLOR: no colour is sent"
bytes seventh TERM=linux &&
    ! LC_ALL=C grep -aq '[^ -~[:cntrl:]]' "$work/bytes" && grep -aqE "$esc\[" "$work/bytes"
result "TERM=linux: plain characters"
bytes eighth TERM=vt100 &&
    ! LC_ALL=C grep -aq '[^ -~[:cntrl:]]' "$work/bytes" && grep -aqE "$esc\[" "$work/bytes"
result "TERM=vt100: plain characters"
bytes ninth LC_ALL=C &&
    ! LC_ALL=C grep -aq '[^ -~[:cntrl:]]' "$work/bytes" && grep -aqE "$esc\[" "$work/bytes"
result "LC_ALL=C: plain characters"

shell 80 24 TERM=dumb
start tenth --set train.max_iters=3
shows 'cannot move its cursor; continuing as with --batch' && ended 0
result "TERM=dumb: lines instead of a screen"

shell 80 24
mkdir "$work/conf" && cp "$work/tiny.cfg" "$work/conf/chosen.cfg"
type_line "clear; '$supcon'"
shows 'Recipes' && shows 'chosen.cfg +Small enough' && keys Enter && shows '> TRAIN' &&
    keys q && shows ' Quit ' && keys s && hides 'Checkpoints'
result "without a recipe one is chosen from a list"

sed 's/"shapes"; train_images = 256; test_images = 64;/"cifar10"; path = "nowhere";/' \
    "$work/tiny.cfg" >"$work/conf/absent.cfg"
shows '^%$'
type_line "clear; '$supcon'"
shows '> conf/absent' && keys Enter && shows 'nowhere' && shows 'Enter start' && has '> conf/absent' &&
    keys q && hides 'Recipes'
result "a recipe without its data leads back to the list, with the reason"

printf 'seed = 1;\ntrain: { epochs = -1; nonsense = 3; };\n' >"$work/conf/absent.cfg"
shows '^%$'
rm -f "$work/pid"
type_line "clear; sh -c 'echo \$\$ >pid; exec \"$supcon\"'; echo status \$?"
shows '> conf/absent' && keys '?' && shows 'q Esc Ctrl-C' && keys Enter &&
    shows 'absent.cfg:2: .*epochs' && shows 'absent.cfg:2: .*nonsense'
result "all mistakes of a recipe are shown, and ? helps"
kill -TERM "$(cat "$work/pid")" && shows 'nothing was chosen yet' && shows '^status 75$'
result "SIGTERM ends the list with 75"

(cd "$work" && exec "$supcon" --batch --format none --run-dir runs/held tiny.cfg >/dev/null 2>&1) &
holder=$!
until_true test -s "$work/runs/held/metrics.jsonl"
shows '^%$'
type_line "clear; '$supcon'"
shows 'held .*in use' && keys Home Down Down && shows '> held' && keys Enter && shows "process $holder " && keys q &&
    hides 'Recipes'
result "a run in use is not taken, and its process is named"
kill "$holder" && wait "$holder"
holder=

shows '^%$'
type_line "clear; SUPCON_GLYPHS=nonsense '$supcon' --run-dir eleventh tiny.cfg"
shows 'SUPCON_GLYPHS=nonsense: there is no such set' && shows '> TRAIN' && keys q && shows ' Quit ' &&
    keys s && hides 'Checkpoints'
result "SUPCON_GLYPHS: a name that is not known is told"
shows '^%$'
type_line "clear; '$supcon' --glyphs=nonsense tiny.cfg; echo status \$?"
shows 'choose one of auto, braille' && shows 'status 64'
result "--glyphs: a name that is not known ends with 64"
