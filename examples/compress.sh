#!/bin/sh
# Compresses every file of DIR into DIR-gz/: all of them, or nothing.
#
#     progrun -- examples/compress.sh DIR
#
# Shows the short forms, which need no quoting, and cleaning up with traps.
# The same in dash, bash, busybox sh, zsh and mksh.
set -eu

# --- Copy from here -----------------------------------------------------------------------------
# `p 3/10 a.jpg` reports progress. Without progrun it does nothing.
#
# A number in the environment is no proof: npm, `sudo -E`, Python's subprocess and others close
# the descriptor but keep the variable, and the next file that is opened gets the number.
# So check what the descriptor is. (`-c` is what GNU and busybox call it, `-f` BSD and macOS.)
if [ -n "${PROGRUN_FD-}" ]; then
    fd=/dev/fd/$PROGRUN_FD
    id=$(stat -Lc %d:%i "$fd" 2>/dev/null || stat -Lf %d:%i "$fd" 2>/dev/null) || id=
    [ -p "$fd" ] && [ "$id" = "${PROGRUN_FD_ID-none}" ] || unset PROGRUN_FD
fi

# When progrun wants us to stop, the write fails, and we exit by way of the EXIT trap. `trap : PIPE`
# is what lets it fail: without it the shell dies of SIGPIPE immediately, in most shells with no EXIT
# trap. Only for the write, so that a `script | head` ends as usual.
# Call it in the main shell: from `( )`, `$( )` or a pipeline it would end only that part.
p() {
    [ -z "${PROGRUN_FD-}" ] || {
        trap : PIPE
        printf '%s\n' "$*" 2>/dev/null >&"$PROGRUN_FD" || exit 130
        trap - PIPE
    }
}
# --- to here ------------------------------------------------------------------------------------

dir=${1:?usage: compress.sh DIR}
dir=${dir%/}
part=$dir-gz.part

[ -d "$dir" ] || { echo "compress.sh: $dir is no directory" >&2; exit 1; }
[ ! -e "$dir-gz" ] || { echo "compress.sh: $dir-gz is there already" >&2; exit 1; }
mkdir "$part"
# The status is kept by hand, because mksh would end with 0.
trap 'rc=$?; [ "$rc" = 0 ] || { rm -rf "$part"; echo "cleaned up" >&2; }; exit "$rc"' EXIT
# Ctrl-C without progrun, and progrun's SIGTERM when a Ctrl-C was not enough.
trap 'exit 130' INT
trap 'exit 143' TERM

set -- "$dir"/*
n=0
for file do
    p "$n/$# ${file##*/}"
    if [ -f "$file" ] || [ -p "$file" ]; then
        gzip -c <"$file" >"$part/${file##*/}.gz"
    fi
    n=$((n + 1))
done

# The last chance to cancel comes before the result is in place, so that "cancelled" always means
# that nothing has happened.
p "$n/$#"
mv "$part" "$dir-gz"
