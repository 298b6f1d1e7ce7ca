#!/bin/bash
# Has a child that has left the group, as setsid does, and ignores SIGTERM; ignores it, too.
set -m
trap '' PIPE TERM INT
exec 4>"$1"
(
    echo '1/2 off and away' >&3
    exec sleep 1000
) &
wait
