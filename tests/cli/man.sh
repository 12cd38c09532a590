#!/bin/sh
# The manual pages: clean for mandoc, and complete: every option of every command, every key of a
# recipe, every exit code.
echo 1..5
n=0
result() # STATUS WHAT
{
    n=$((n + 1))
    if [ "$1" -eq 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; fi
}

# A page stands in the build folder, or came with the sources.
page()
{
    if [ -f "$SUPCON_BUILDDIR/man/$1" ]; then echo "$SUPCON_BUILDDIR/man/$1"
    else echo "$SUPCON_SRCDIR/man/$1"; fi
}
one=$(page supcon.1)
five=$(page supcon.cfg.5)

if command -v mandoc >/dev/null; then
    out=$(mandoc -T lint -W warning "$one" "$five" 2>&1)
    [ -z "$out" ] || echo "$out" | sed 's/^/# /'
    [ -z "$out" ]
    result $? "both pages are clean for mandoc"
else
    n=1
    echo "ok 1 - both pages are clean for mandoc # SKIP mandoc is not installed"
fi

commands=$("$SUPCON" --help | sed -n '/^Commands/,/^$/s/^  \([a-z]*\) .*/\1/p')
missing=
for command in '' $commands; do
    for option in $("$SUPCON" $command --help | sed -n 's/^  ....--\([a-z-]*\).*/\1/p'); do
        grep -Eq "Fl -$option( |\$)" "$one" || missing="$missing supcon $command --$option;"
    done
done
[ -z "$missing" ] || echo "# missing:$missing"
[ -z "$missing" ] && [ -n "$commands" ]
result $? "every option of --help is in supcon(1)"

missing=
for command in $commands; do
    grep -q "^\.Ss supcon $command\$" "$one" || missing="$missing $command"
done
[ -z "$missing" ] || echo "# missing:$missing"
[ -z "$missing" ]
result $? "every command is in supcon(1)"

missing=$("$SUPCON" config default | sed 's/#.*//' | awk -v page="$five" '
    BEGIN {
        while ((getline line < page) > 0) {
            if (line ~ /^\.Ss /) { section = substr(line, 5); if (section == "Top level") section = "" }
            if (line ~ /^\.It Ic /) known[section "." substr(line, 8)] = 1
        }
        section = ""
    }
    /^[a-z_]+: \{/ { section = $1; sub(":", "", section); next }
    /^\};/ { section = ""; next }
    / = / { keys++; if (!((section "." $1) in known)) print section "." $1 }
    END { if (keys < 20) print "no keys were found" }')
[ -z "$missing" ] || echo "# missing: $missing"
[ -z "$missing" ]
result $? "every key of a recipe is in supcon.cfg(5)"

missing=
for code in $(sed -n 's/^ *EXIT_[A-Z]* = \([0-9]*\),.*/\1/p' "$SUPCON_SRCDIR/src/base/err.h"); do
    grep -q "^\.It $code\$" "$one" || missing="$missing $code"
done
[ -z "$missing" ] || echo "# missing:$missing"
[ -z "$missing" ]
result $? "every exit code is in supcon(1)"
