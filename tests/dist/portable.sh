#!/bin/bash
# The portable bundle as its users meet it: unpacked into a folder with spaces in its name, moved, started with an empty
# environment in a root folder that holds glibc and nothing else. Speaks TAP; skipped where no bundle was made
# (`make check-portable` makes one).
set -u
cd "${SUPCON_BUILDDIR:?}" || exit 1
tarball=$(ls -t supcon-*-linux-x86_64.tar.xz 2>/dev/null | head -n 1)
if [ -z "$tarball" ]; then
    echo "1..1"
    echo "ok 1 - the portable bundle runs # SKIP there is no bundle; make portable makes one"
    exit 0
fi
work=$(mktemp -d "${TMPDIR:-/tmp}/supcon portable.XXXXXX") || exit 99
trap 'rm -rf "$work"' EXIT
name=$(basename "$tarball" .tar.xz)
n=0
echo "1..17"

result() { # NAME: reports the exit status of the command before it
    local status=$?
    n=$((n + 1))
    [ $status -eq 0 ] || printf 'not '
    echo "ok $n - $1"
}
skip() { n=$((n + 1)) && echo "ok $n - $1 # SKIP $2"; }
show() { sed 's/^/# /' "$work/err" | head -n 5; }

# --- the tarball -----------------------------------------------------------------------------------------------------------
[ "$(stat -c %s "$tarball")" -le $((40 << 20)) ]
result "it has at most 40 MiB"
tar -tf "$tarball" >"$work/list"
! grep -vq "^$name/" "$work/list"
result "all of it is in one folder named after version and machine"
LC_ALL=C sort -c "$work/list" 2>/dev/null && tar -tvf "$tarball" --numeric-owner | awk '{print $2, $4, $5}' | sort -u >"$work/stamps" &&
    [ "$(wc -l <"$work/stamps")" -eq 1 ] && grep -q '^0/0 ' "$work/stamps"
result "its entries are sorted, nobody's, and of one time"

root="$work/a root"
mkdir -p "$root/opt/some where" "$root"/{proc,dev,tmp,home,lib64,lib/x86_64-linux-gnu}
tar -xf "$tarball" -C "$root/opt/some where"
mv "$root/opt/some where/$name" "$root/opt/some where/moved bundle"
here="$root/opt/some where/moved bundle"
inside="/opt/some where/moved bundle"

missing=
for f in bin/supcon share/supcon/conf/quickstart.cfg share/man/man1/supcon.1 share/man/man5/supcon.cfg.5 share/doc/supcon/README.md \
    share/terminfo/{x/xterm-256color,t/tmux-256color,s/screen,l/linux,v/vt100} tests/gpu/{run,main.py,checks.json,golden} docs/gpu/README.md tests/op/ops \
    lib/{libdnnl.so.2,libgomp.so.1,libncursesw.so.6,libtinfo.so.6,libjansson.so.4,libconfig.so.9,libstdc++.so.6}; do
    [ -s "$here/$f" ] || missing="$missing $f"
done
[ -z "$missing" ] || { echo "# missing:$missing"; false; }
result "program, libraries, recipes, manuals, terminal descriptions, tests are there"
missing=
for f in "$here"/lib/*.so*; do
    soname=$(basename "$f")
    real=$(readlink -f "$(ldconfig -p | awk -v want="$soname" '$1 == want && /x86-64/ {print $NF; exit}')")
    package=$(dpkg-query -S "$real" "${real#/usr}" 2>/dev/null | sed -n '1s/:.*//p')
    [ -z "$package" ] || [ -s "$here/share/licenses/$package/copyright" ] || missing="$missing $soname"
done
[ -z "$missing" ] && [ -s "$here/share/licenses/supcon" ] || { echo "# without licence:$missing"; false; }
result "every library comes with its licence"
[ -z "$(find "$here" -type f -name '*.so*' -o -type f -path '*/bin/*' | while IFS= read -r f; do readelf -S "$f" | grep -o '\.debug_info'; done)" ]
result "nothing carries debugging information"

# --- a machine with glibc alone ----------------------------------------------------------------------------------------------
for lib in /lib/x86_64-linux-gnu/lib{c,m,dl,pthread,rt,mvec}.so.[0-9]; do
    [ -e "$lib" ] && cp -L "$lib" "$root/lib/x86_64-linux-gnu/"
done
cp -L /lib64/ld-linux-x86-64.so.2 "$root/lib64/"
bare=
if command -v bwrap >/dev/null && bwrap --bind "$root" / --proc /proc --dev /dev "$inside/bin/supcon" --version >/dev/null 2>&1; then
    bare=bwrap
elif [ "$(id -u)" -eq 0 ] && unshare -m sh -c 'mount --rbind /proc "$1/proc" && exec chroot "$1" "$2/bin/supcon" --version' sh "$root" "$inside" >/dev/null 2>&1; then
    bare=chroot
fi
# alone COMMAND...: in the bare root if the system lets us, with an empty environment in any case.
alone() {
    case $bare in
    bwrap) timeout 120 bwrap --bind "$root" / --proc /proc --dev /dev --chdir /home --clearenv --setenv HOME /home --setenv TERM xterm-256color "$@" ;;
    chroot) timeout 120 unshare -m sh -c 'root=$1; shift; mount --rbind /proc "$root/proc" && exec env -i HOME=/home TERM=xterm-256color chroot "$root" "$@"' sh "$root" "$@" ;;
    *) (cd "$root/home" && timeout 120 env -i HOME="$root/home" TERM=xterm-256color "$root$1" "${@:2}") ;;
    esac
}
if [ "$bare" ]; then
    echo "# root folder with glibc alone, by $bare"
else
    echo "# the system lets us make no root folder of our own; libraries are checked by the linker's report alone"
fi

version=$(alone "$inside/bin/supcon" --version 2>"$work/err" | head -n 1)
[ "$version" ] && [ "${name#supcon-}" = "${version##* }-linux-x86_64" ] || { show; false; }
result "--version answers with the version in the tarball's name"

env -i HOME="$work" LD_DEBUG=libs LD_LIBRARY_PATH=/nowhere "$here/bin/supcon" devices >/dev/null 2>"$work/ld"
sed -n 's/.*calling init: //p' "$work/ld" | grep -vE '/(ld-linux[^/]*|lib(c|m|mvec|dl|pthread|rt)\.so\.[0-9])$' | grep -vF "$here/" >"$work/strange"
[ ! -s "$work/strange" ] && grep -qF "$here/bin/../lib/libdnnl.so.2" "$work/ld" || { sed 's/^/# taken from the system: /' "$work/strange"; false; }
result "no library but glibc's is taken from the system"

alone "$inside/bin/supcon" devices >"$work/out" 2>"$work/err" && grep -q '^cpu .*threads\?' "$work/out" && grep -q '^cuda' "$work/out" || { show; false; }
result "devices lists the CPU, and what there is or is not of CUDA"

alone "$inside/bin/supcon" --batch "$inside/share/supcon/conf/quickstart.cfg" --set train.max_iters=20 --set threads=2 --set device=cpu \
    --set linear.at_end=false --run-dir /home/run >"$work/out" 2>"$work/err" ||
    alone "$inside/bin/supcon" --batch "$here/share/supcon/conf/quickstart.cfg" --set train.max_iters=20 --set threads=2 --set device=cpu \
        --set linear.at_end=false --run-dir "$root/home/run" >"$work/out" 2>>"$work/err"
grep -q '=>0\] >> Loss' "$work/out" && grep -q '^\[Done\].*Iters: 20,' "$work/out" || { show; false; }
result "the quickstart recipe trains 20 iterations"
[ -s "$root/home/run/checkpoints/latest/model.safetensors" ]
result "and leaves its checkpoint"

vector=${SUPCON_SHARED-}/golden/supcon_small.safetensors
if [ -f "$vector" ]; then
    cp "$vector" "$root/home/vector.safetensors"
    file=/home/vector.safetensors
    [ "$bare" ] || file=$root$file
    temperature=$(head -c 4096 "$vector" | grep -ao '"temperature": *"[^"]*"' | tr -dc '0-9.')
    alone "$inside/bin/supcon" loss --loss supcon --set "objective.temperature=${temperature:-0.1}" --json "$file" >"$work/out" 2>"$work/err"
    want=$("$SUPCON" loss --loss supcon --set "objective.temperature=${temperature:-0.1}" --json "$vector" | sed 's/.*"loss": \([^,]*\),.*/\1/')
    got=$(sed 's/.*"loss": \([^,]*\),.*/\1/' "$work/out")
    [ "$want" ] && awk -v a="$got" -v b="$want" 'BEGIN {exit !((a - b)^2 <= (1e-5 * b)^2)}' || { echo "# $got, expected $want"; show; false; }
    result "a stored loss comes out as in the build"
else
    skip "a stored loss comes out as in the build" "there are no shared vectors"
fi

alone "$inside/tests/op/ops" l2norm >"$work/out" 2>"$work/err" && grep -q '^ok 1' "$work/out" || { show; false; }
result "the test programs run"
alone "$inside/bin/supcon" "$inside/share/supcon/conf/quickstart.cfg" --set device=cuda --run-dir /home/gpu >"$work/out" 2>"$work/err"
code=$?
if alone "$inside/bin/supcon" devices 2>/dev/null | grep '^cuda' | grep -vq 'not usable'; then
    skip "without a GPU, device = cuda ends in one sentence and exit code 69" "there is a GPU"
else
    sed '/continuing as with --batch/d' "$work/err" >"$work/said"
    [ $code -eq 69 ] && [ "$(wc -l <"$work/said")" -eq 1 ] || { echo "# ended with $code"; show; false; }
    result "without a GPU, device = cuda ends in one sentence and exit code 69"
fi

if [ -f "$here/lib/supcon/supcon-cuda.so" ]; then
    SUPCON_BACKEND_PATH="$here/lib/supcon" SUPCON_CUDA_LIBS="${SUPCON_CUDA_LIBS-/usr/local/cuda/lib64}" "$here/bin/supcon" devices >"$work/out" 2>"$work/err"
    grep -q '^cuda' "$work/out" && ! grep -q 'undefined symbol\|another version' "$work/out" || { sed 's/^/# /' "$work/out"; false; }
    result "the CUDA module loads, or names what the machine lacks"
else
    skip "the CUDA module loads, or names what the machine lacks" "this bundle has none"
fi

# --- the console, with terminal descriptions of the bundle alone ---------------------------------------------------------------
if command -v script >/dev/null && [ "$bare" = bwrap ]; then
    alone_console="timeout 20 bwrap --bind '$root' / --proc /proc --dev /dev --chdir /home --clearenv --setenv HOME /home --setenv TERM xterm-256color '$inside/bin/supcon'"
    (for _ in 1 2 3 4 5; do sleep 1 && printf q; done) 2>/dev/null | script -qec "stty rows 24 cols 80; $alone_console" /dev/null >"$work/out" 2>"$work/err"
    grep -aq 'Learn ten shapes' "$work/out" || { show; false; }
    result "plain supcon lists the bundle's recipes in a terminal"
else
    skip "plain supcon lists the bundle's recipes in a terminal" "needs script(1) and bwrap"
fi

mkdir "$work/twice" && cp "$tarball" "$work/twice/first"
if [ "${SUPCON_PORTABLE_TWICE-}" ]; then
    make -s portable >"$work/out" 2>"$work/err" && cmp "$tarball" "$work/twice/first" || { show; false; }
    result "made again, it is the same to the byte"
else
    skip "made again, it is the same to the byte" "SUPCON_PORTABLE_TWICE is not set"
fi
