#!/bin/sh
# Has a member in its group that ignores SIGTERM. A process that lives holds the lifeline $1.
exec 4>"$1"
(
    trap '' TERM
    echo '1/2 the member is there' >&3
    exec sleep 1000
) &
exec sleep 1000
