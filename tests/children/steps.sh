#!/bin/sh
# Reports, waits at the gate $1, and reports again.
echo '1/2 before the gate' >&3
read -r _ <"$1"
echo '2/2 behind the gate' >&3
echo 'went on'
