#!/bin/sh
# The kernels of kernels/kernels.table were built for every architecture, and the hot ones spill no
# register: read from what the assembler said beside each object. Speaks TAP.
table=${SUPCON_SRCDIR:?}/kernels/kernels.table
architectures='sm_80 sm_90'

set -- "${SUPCON_BUILDDIR:?}"/kernels/*.ptxas
if [ ! -e "$1" ]; then
    echo "1..0 # SKIP no nvcc: no kernels were built"
    exit 0
fi

# Lines "architecture name registers spilled-bytes" from the assembler's reports.
kernels() {
    awk '
        /Compiling entry function/ {
            split($0, part, "\047")
            mangled = part[2]; architecture = part[4]; spilled = 0
            match(mangled, /[0-9]+/)
            name = substr(mangled, RSTART + RLENGTH, substr(mangled, RSTART, RLENGTH))
        }
        /bytes spill stores/ {
            for (i = 3; i <= NF; i++)
                if ($i == "spill")
                    spilled += $(i - 2)
        }
        /Used [0-9]+ registers/ {
            for (i = 1; i < NF; i++)
                if ($i == "Used")
                    print architecture, name, $(i + 1), spilled
        }' "$@"
}

kernels "$@" | awk -v architectures="$architectures" -v table="$table" '
    function result(what, why) {
        print (why == "" ? "ok " : "not ok ") ++n " - " what
        if (why != "")
            print "# " why
    }
    {
        seen[$2] = 1
        built[$1, $2]++
        registers[$1, $2] = $3 > registers[$1, $2] ? $3 : registers[$1, $2]
        spilled[$1, $2] += $4
    }
    END {
        while ((getline line < table) > 0) {
            split(line, row, " ")
            if (line ~ /^(#|$)/)
                continue
            known[row[1]] = 1
            for (i = 1; i <= split(architectures, arch, " "); i++) {
                k = arch[i] SUBSEP row[1]
                why = built[k] + 0 == row[2] ? "" : "built " built[k] + 0 " times, expected " row[2]
                if (why == "" && row[3] != "-" && registers[k] > row[3])
                    why = registers[k] " registers, its launch allows for " row[3]
                if (why == "" && row[3] != "-" && spilled[k] > 0)
                    why = "spills " spilled[k] " bytes"
                result(row[1] " for " arch[i], why)
            }
        }
        why = ""
        for (name in seen)
            if (!(name in known))
                why = why " " name
        result("every kernel is in the table", why)
        print "1.." n
    }'
