#!/bin/sh
# Writes the SHA-256 of every file of DIR into DIR.sha256: all of them, or nothing.
#
#     progrun -- examples/checksum.sh DIR
#     cd DIR && sha256sum -c ../DIR.sha256
#
# Shows `progrun report`, which needs no descriptor, no function and no traps.
set -eu

# --- Copy from here -----------------------------------------------------------------------------
# `progrun report 3/10 a.jpg` reports progress. When progrun wants us to stop its status is 130,
# and `set -e` ends the script. Where we do not run under progrun it does nothing; where progrun is
# not even installed this does.
command -v progrun >/dev/null || progrun() { :; }
# --- to here ------------------------------------------------------------------------------------

cd "${1:?usage: checksum.sh DIR}"
sums=$PWD.sha256
part=$sums.part

trap 'rc=$?; [ "$rc" -eq 0 ] || { rm -f "$part"; echo "cleaned up" >&2; }; exit "$rc"' EXIT
# Ctrl-C without progrun, and progrun's SIGTERM when a Ctrl-C was not enough.
trap 'exit 130' INT
trap 'exit 143' TERM

for name in *; do
    [ -e "$name" ] && [ ! -d "$name" ] || continue
    set -- "$@" "$name"
done
shift

: >"$part"
n=0
for name; do
    # After `--` a name may look like an option.
    progrun report "$n/$#" -- "$name"
    sha256sum -- "$name" >>"$part"
    n=$((n + 1))
done

# The last chance to cancel comes before the result is in place, so that "cancelled" always means
# that nothing has happened.
progrun report "$n/$#"
mv "$part" "$sums"
