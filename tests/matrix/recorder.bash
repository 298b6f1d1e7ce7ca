#!/bin/bash
# Writes the name of each signal that it gets into the file $1, until the gate $2 opens. $3: how it reports.
record() {
    for name in INT TERM HUP QUIT USR1 USR2 WINCH TSTP CONT PIPE; do
        trap "echo $name >&5" "$name"
    done
    echo "ready $BASHPID" >&5
    echo 'ready'
    read -r _ <&4
}
exec 4<"$2" 5>>"$1"
case $3 in
silent) record ;;
reports)
    echo '1/2 before the gate' >&3
    record
    echo '2/2 behind the gate' 2>/dev/null >&3
    ;;
prints)
    echo '{"message_type":"status","percent_done":0.5,"total_bytes":8}'
    record
    echo 'report' >&5
    echo '{"message_type":"status","percent_done":0.9,"total_bytes":8}'
    read -r _ <&4
    ;;
leaves)
    # Ends at once, and leaves the recording to a member of its group. Not by &: that could not hear SIGINT.
    shopt -s lastpipe
    exec 6>&1
    record | { read -r _; exit 7; }
    ;;
esac
exit 7
