#!/bin/sh
# Reports, waits at the gate $1, reports again, and speaks into the lifeline $2.
trap '' TERM
exec 4>"$2"
trap 'echo "cancelled" >&4; exit 130' PIPE
echo '1/2 before the gate' >&3
read -r _ <"$1"
echo '2/2 behind the gate' 2>/dev/null >&3 || exit 130
echo 'went on' >&4
