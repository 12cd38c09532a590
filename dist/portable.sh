#!/bin/bash
# Makes the portable bundle: one folder with the program, its libraries (all but glibc), recipes, manuals, terminal
# descriptions, licences and built test programs, that runs wherever it is unpacked; packed as a tarball that comes out the
# same, byte for byte, when nothing has changed. `make portable` calls it.
#
#   portable.sh BUILD SOURCE VERSION PROGRAM...
#
# BUILD is the build folder, PROGRAM... are test programs relative to it. Libraries are found as the dynamic linker of this
# machine finds them; licences where Debian keeps them. glibc comes from the machine that runs it, CUDA from there too.
set -eu -o pipefail
export LC_ALL=C
build=$1 source=$2 version=$3
shift 3
newest_glibc=2.36      # Debian 12; nothing in the bundle may need more
most_bytes=$((40 << 20))
name=supcon-$version-linux-x86_64
stage=$build/portable/$name
tarball=$build/$name.tar.xz

say() { printf 'portable: %s\n' "$*"; }
die() { printf 'portable: %s\n' "$*" >&2; exit 1; }
set -E
trap 'printf "portable: line %s failed: %s\n" "$LINENO" "$BASH_COMMAND" >&2' ERR
tool() { command -v "$1" >/dev/null || die "$1 is missing; on Debian: apt-get install $2"; }

# Sonames that stay outside, with the reason.
is_glibc() { [[ $1 =~ ^(ld-linux.*|lib(c|m|mvec|dl|pthread|rt|resolv|util|anl))\.so\.[0-9]+$ ]]; }
is_cuda() { [[ $1 =~ ^lib(cuda|cudart|cublas.*|cudnn.*|nccl|nv.*)\.so\.[0-9]+$ ]]; }

needed() { readelf -d "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]$/\1/p'; }
# The path of the library SONAME as OBJECT would load it on this machine.
resolve() { ldd "$1" 2>/dev/null | awk -v want="$2" '$1 == want && $2 == "=>" && $3 ~ /^\// {print $3; exit}'; }

# --- what goes in ----------------------------------------------------------------------------------------------------------
add_program() { # FILE FOLDER
    mkdir -p "$stage/$2"
    cp "$1" "$stage/$2/"
    strip "$stage/$2/$(basename "$1")"
}

# Everything OBJECT needs, and what that needs, to lib/.
add_libraries() { # OBJECT
    local soname path
    for soname in $(needed "$1"); do
        if is_glibc "$soname" || is_cuda "$soname" || [ -e "$stage/lib/$soname" ]; then continue; fi
        path=$(resolve "$1" "$soname")
        [ -n "$path" ] || die "$1 needs $soname, which is not on this machine"
        cp -L "$path" "$stage/lib/$soname"
        chmod 644 "$stage/lib/$soname"
        strip --strip-unneeded "$stage/lib/$soname"
        add_licence "$path" "$soname"
        add_libraries "$path"
    done
}

add_licence() { # FILE NAME
    local real package text
    real=$(readlink -f "$1")
    # Package lists name files as they were before /lib and /usr/lib were one.
    package=$({ dpkg-query -S "$real" "${real#/usr}" "/usr$real" 2>/dev/null || true; } | sed -n '1s/:.*//p')
    text=/usr/share/doc/$package/copyright
    [ -n "$package" ] && [ -f "$text" ] || die "no licence was found for $2 ($real); it cannot be passed on without"
    mkdir -p "$stage/share/licenses/$package"
    cp -L "$text" "$stage/share/licenses/$package/copyright"
    for text in $({ grep -o '/usr/share/common-licenses/[A-Za-z0-9.-]*[A-Za-z0-9]' "$text" || true; } | sort -u); do
        mkdir -p "$stage/share/licenses/common"
        cp -L "$text" "$stage/share/licenses/common/"
    done
}

add_terminals() {
    local term from
    for term in xterm-256color tmux-256color xterm tmux screen screen-256color linux vt100; do
        for from in /etc/terminfo /lib/terminfo /usr/share/terminfo; do
            if [ -f "$from/${term:0:1}/$term" ]; then
                mkdir -p "$stage/share/terminfo/${term:0:1}"
                cp -L "$from/${term:0:1}/$term" "$stage/share/terminfo/${term:0:1}/"
                break
            fi
        done
        [ -f "$stage/share/terminfo/${term:0:1}/$term" ] || die "the terminal $term is not described here; on Debian: apt-get install ncurses-base ncurses-term"
    done
    cp -L /usr/share/doc/ncurses-base/copyright "$stage/share/licenses/terminfo" 2>/dev/null || die "the licence of the terminal descriptions was not found"
}

fill() {
    rm -rf "$build/portable"
    mkdir -p "$stage"/{bin,lib/supcon,share/licenses,share/supcon/conf,share/man/man1,share/man/man5,share/doc/supcon,tests}
    add_program "$build/supcon" bin
    cp "$source"/conf/*.cfg "$stage/share/supcon/conf/"
    cp "$source"/{README.md,NEWS,LICENSE} "$stage/share/doc/supcon/"
    cp "$source/LICENSE" "$stage/share/licenses/supcon"
    local page from
    for page in supcon.1 supcon.cfg.5; do
        from=$build/man/$page
        [ -f "$from" ] || from=$source/man/$page # made on another machine
        cp "$from" "$stage/share/man/man${page##*.}/"
    done
    add_libraries "$build/supcon"
    if [ -f "$build/supcon-cuda.so" ]; then
        cp "$build/supcon-cuda.so" "$stage/lib/supcon/"
        strip --strip-unneeded "$stage/lib/supcon/supcon-cuda.so"
        add_libraries "$build/supcon-cuda.so"
    else
        say "no CUDA module in this build: the bundle trains on the CPU"
    fi
    for page in "$@"; do
        # What the tests of loading modules load is broken on purpose.
        case $page in *.so | *.so.*) continue ;; esac
        add_program "$build/$page" "$(dirname "$page")"
        add_libraries "$build/$page"
    done
    mkdir -p "$stage/tests/gpu" "$stage/tests/tui" "$stage/docs/gpu"
    cp "$source"/tests/gpu/{run,*.py,checks.json} "$stage/tests/gpu/"
    cp "$source/docs/gpu/README.md" "$stage/docs/gpu/" # where README.md and tests/gpu/run --help say it is
    cp -r "$source/tests/tui/expected" "$stage/tests/tui/"
    # The shared data sets are packed with zstd, which a bare machine need not have.
    if command -v zstd >/dev/null; then
        add_program "$(command -v zstd)" tests/gpu
        add_libraries "$(command -v zstd)"
        add_licence "$(command -v zstd)" zstd
    fi
    add_terminals
}

# --- how it holds together -------------------------------------------------------------------------------------------------
objects() { find "$stage" -type f -print0 | while IFS= read -r -d '' f; do head -c 4 "$f" | grep -q ELF && printf '%s\n' "$f"; done; true; }

# Every object finds lib/ from where it is itself, whatever LD_LIBRARY_PATH says.
connect() {
    local f up
    objects | while IFS= read -r f; do
        up=$(dirname "${f#"$stage"/}" | sed 's|[^/]*|..|g')
        [ "$(dirname "$f")" = "$stage/lib" ] && up= || up=/$up/lib
        patchelf --force-rpath --set-rpath "\$ORIGIN$up" "$f"
    done
}

verify() {
    local f soname version
    objects | while IFS= read -r f; do
        for soname in $(needed "$f"); do
            [ -e "$stage/lib/$soname" ] || is_glibc "$soname" || { [[ $f != "$stage"/bin/* && $f != "$stage"/lib/*.so.* ]] && is_cuda "$soname"; } ||
                die "$f needs $soname, which is not in the bundle"
        done
        readelf -d "$f" | grep -q 'RUNPATH\|RPATH.*\[/' && die "$f looks for libraries in a fixed place"
        version=$(readelf -V "$f" | { grep -o 'GLIBC_2[0-9.]*' || true; } | sort -Vu | tail -n 1)
        [ "$(printf '%s\n' "GLIBC_$newest_glibc" "$version" | sort -V | tail -n 1)" = "GLIBC_$newest_glibc" ] ||
            die "$f needs $version; the bundle must run with glibc $newest_glibc"
    done
}

pack() {
    local epoch=${SOURCE_DATE_EPOCH-} bytes
    [ -n "$epoch" ] || epoch=$(git -C "$source" log -1 --format=%ct 2>/dev/null) || epoch=$(stat -c %Y "$source/configure.ac")
    tar -C "$build/portable" --sort=name --mtime="@$epoch" --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX --format=ustar \
        -cf - "$name" | xz -6 --threads=2 --block-size=16MiB >"$tarball.part"
    bytes=$(stat -c %s "$tarball.part")
    [ "$bytes" -le $most_bytes ] || die "the bundle has $bytes bytes; at most $most_bytes are allowed"
    mv -f "$tarball.part" "$tarball"
    say "$tarball: $((bytes / 1024)) KiB, $(find "$stage" -type f | wc -l) files"
}

tool patchelf patchelf
tool readelf binutils
tool xz xz-utils
fill "$@"
connect
verify
pack
rm -rf "$build/portable"
