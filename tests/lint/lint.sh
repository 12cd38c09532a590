#!/bin/sh
# House rules that a machine can check: include directions, sizes, words, names. Speaks TAP.
cd "${SUPCON_SRCDIR:?}" || exit 1
n=0
plan=12
echo "1..$plan"

# result NAME OUTPUT: passes when OUTPUT is empty.
result() {
    n=$((n + 1))
    if [ -z "$2" ]; then
        echo "ok $n - $1"
    else
        echo "not ok $n - $1"
        echo "$2" | head -20 | sed 's/^/# /'
    fi
}
skip() {
    n=$((n + 1))
    echo "ok $n - $1 # SKIP $2"
}
code() { find src tui kernels -name '*.[ch]' -o -name '*.cu' -o -name '*.cuh' -o -name '*.inc' | sort; }

# Who may include whom: folder, then the folders whose headers it may name.
directions='
src/base: base
src/backend: base nn backend optim kernels
src/nn: base backend nn
src/arch: base nn arch
src/objective: base backend nn objective
src/optim: base nn backend optim
src/data: base data
src/engine: base nn backend arch objective optim data engine
src/exp: base nn backend arch objective optim data engine exp
src/cmd: base nn backend arch objective optim data engine exp cmd tui
tui: base objective engine tui
kernels: base nn kernels optim data
'
wrong=$(echo "$directions" | while IFS=: read -r dir allowed; do
    [ -d "$dir" ] || continue
    find "$dir" -name '*.[ch]' | xargs grep -nE '^#include "' /dev/null | sed -E 's/^([^:]+:[0-9]+):#include "([^"]*)".*/\1 \2/' |
        while read -r place header; do
            case $header in
            config.h) continue ;;
            */*) top=${header%%/*} ;;
            *) continue ;;
            esac
            case " $allowed " in *" $top "*) ;; *) echo "$place includes $header" ;; esac
        done
done)
result "headers are included downward only" "$wrong"

private=$(grep -rnE '#include "backend/(cpu|cuda)/' src tui kernels | grep -vE '^src/backend/' || true)
result "nobody outside the backends sees a backend's private headers" "$private"

vendor=$(grep -rnE 'dnnl_|<dnnl' src tui kernels --include='*.[ch]' | grep -v '^src/backend/cpu/' || true)
result "oneDNN stays inside the CPU backend" "$vendor"

vendor=$(grep -rnE '<(cuda|cudnn|cublas|nccl)|\b(cuda|cudnn|cublasLt)[A-Z][A-Za-z]+\(' src tui --include='*.[ch]' | grep -v '^src/backend/cuda/' || true)
result "CUDA stays inside the CUDA backend and its kernels" "$vendor"

result "no file is longer than 500 lines" "$(code | xargs wc -l | awk '$2 != "total" && $1 > 500 {print $2 ": " $1 " lines"}')"

if ctags --version 2>/dev/null | grep -q Universal; then
    result "no function is longer than 60 lines" "$(code | grep '\.[ch]$' | ctags -L - --kinds-C=f --fields=+ne -f - 2>/dev/null |
        awk -F'\t' '{s = 0; e = 0; for (i = 4; i <= NF; i++) {if ($i ~ /^line:/) s = substr($i, 6); if ($i ~ /^end:/) e = substr($i, 5)}
            if (e - s + 1 > 60) print $2 ": " $1 " has " e - s + 1 " lines"}')"
else
    skip "no function is longer than 60 lines" "universal-ctags is not installed"
fi

words='\b(T''ODO|F''IXME|X''XX|H''ACK|placeh''older|unimplem''ented|not implem''ented)\b'
result "nothing is marked as unfinished" "$(code | xargs grep -nEi "$words" || true)"

# Library code returns errors; only main and the front ends end the process or print.
ends=$(grep -rnE '\b(exit|_exit|abort|printf|puts)\(' src/base src/backend src/nn src/arch src/objective src/optim src/data src/engine --include='*.c' |
    grep -vE 'src/base/(err|log|signals)\.c|snprintf|fprintf' || true)
result "library code neither exits nor prints" "$ends"

conditional=$(grep -rnE '#\s*if.*HAVE_CUDA' src tui kernels | grep -v 'src/backend/backends.c' || true)
result "only backends.c knows whether CUDA is built in" "$conditional"

# What overlapping kernels rest on (kernels/launch.h).
late=$(awk '
    FNR == 1 {body = 0; kernel = ""}
    /__global__/ && !/^ *(\/?\*|\/\/)/ {kernel = FILENAME ":" FNR}
    body && NF {if ($0 !~ /^ *grid_wait\(\);$/) print kernel; body = 0; kernel = ""}
    kernel && /\{ *$/ {body = 1}' kernels/*.cu kernels/*.h)
result "every kernel begins with grid_wait()" "$late"
result "kernels read nothing by way of the read-only cache" "$(grep -nE '__restrict__|__ldg\(|\.nc\b' kernels/*.cu kernels/*.h | grep -v 'launch\.h' || true)"

unregistered=$(for family in arch objective optim dataset augment schedule; do
    find src -name '*.c' | xargs grep -hoE "^const struct ${family}_class [a-z0-9_]+" | awk '{print $4}' | while read -r name; do
        grep -rqE "&$name\b" src --include='*.c' || echo "$name ($family) is in no list"
    done
done)
result "every class instance is in its list" "$unregistered"
