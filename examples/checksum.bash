#!/usr/bin/env bash
# Writes the SHA-256 of every file of DIR into DIR.sha256: all of them, or nothing.
#
#     progrun -- examples/checksum.bash DIR
#     cd DIR && sha256sum -c ../DIR.sha256
#
# Shows JSON objects from a shell, with bytes, and cleaning up with traps.
set -euo pipefail

# --- Copy from here -----------------------------------------------------------------------------
# `report '{"progress": 3, "total": 10}'` reports progress. Without progrun it does nothing.
#
# A number in the environment is no proof: npm, `sudo -E`, Python's subprocess and others close
# the descriptor but keep the variable, and the next file that is opened gets the number.
# So check what the descriptor is. (`-c` is what GNU and busybox call it, `-f` BSD and macOS.)
if [[ -n ${PROGRUN_FD-} ]]; then
    fd=/dev/fd/$PROGRUN_FD
    id=$(stat -Lc %d:%i "$fd" 2>/dev/null || stat -Lf %d:%i "$fd" 2>/dev/null) || id=
    [[ -p $fd && $id == "${PROGRUN_FD_ID-none}" ]] || unset PROGRUN_FD
fi

# When progrun wants us to stop, the write fails, and we exit by way of the EXIT trap. `trap : PIPE`
# is what lets it fail: without it the shell dies of SIGPIPE immediately, in most shells with no EXIT
# trap. Only for the write, so that a `script | head` ends as usual.
# Call it in the main shell: from `( )`, `$( )` or a pipeline it would end only that part.
report() {
    [[ -z ${PROGRUN_FD-} ]] || {
        trap : PIPE
        printf '%s\n' "$1" 2>/dev/null >&"$PROGRUN_FD" || exit 130
        trap - PIPE
    }
}

# Sets REPLY to "$1" as a JSON string. No `$( )`: a fork for every report would cost more than the
# report. Control characters have no business in a message.
json_string() {
    REPLY=${1//\\/\\\\}
    REPLY=${REPLY//\"/\\\"}
    REPLY=\"${REPLY//[[:cntrl:]]/?}\"
}
# --- to here ------------------------------------------------------------------------------------

cd "${1:?usage: checksum.bash DIR}"
sums=$PWD.sha256
part=$sums.part

trap 'rc=$?; ((rc == 0)) || { rm -f "$part"; echo "cleaned up" >&2; }; exit "$rc"' EXIT
# Ctrl-C without progrun, and progrun's SIGTERM when a Ctrl-C was not enough.
trap 'exit 130' INT
trap 'exit 143' TERM

size() { stat -Lc %s -- "$1" 2>/dev/null || stat -Lf %z -- "$1"; }

files=() total=0 so_far=0
for name in *; do
    [[ -e $name && ! -d $name ]] || continue
    files+=("$name")
    total=$((total + $(size "$name")))
done

: >"$part"
for name in ${files[@]+"${files[@]}"}; do
    json_string "$name"
    report "{\"progress\": $so_far, \"total\": $total, \"unit\": \"bytes\", \"message\": $REPLY}"
    sha256sum -- "$name" >>"$part"
    so_far=$((so_far + $(size "$name")))
done

# The last chance to cancel comes before the result is in place, so that "cancelled" always means
# that nothing has happened.
report "{\"progress\": $so_far, \"total\": $total, \"unit\": \"bytes\"}"
mv "$part" "$sums"
