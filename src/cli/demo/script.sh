#!/bin/sh
# A made-up backup that touches no file: what `progrun demo` runs, and an example of a script that reports its progress
# and ends in order after Ctrl-C.
#
#     progrun demo --script >demo.sh
#     progrun -- sh demo.sh
#
# It also works alone (sh demo.sh). Then it only prints.

for tool in sed sleep stty; do
    command -v "$tool" >/dev/null || {
        echo "progrun demo needs $tool in PATH" >&2
        exit 127
    }
done

tick=0.1              # Seconds between two reports.
[ -t 1 ] || tick=0.02 # Without a terminal, there is nothing to watch.
settings=             # Those of the terminal while a question changes them.

# Writes a report to the channel. If that fails, it is because of Ctrl-C, and the script ends here.
p() {
    [ -z "${PROGRUN_FD-}" ] || {
        trap : PIPE
        printf '%s\n' "$*" 2>/dev/null >&"$PROGRUN_FD" || stopped
        trap - PIPE
    }
}
[ -p "/dev/fd/${PROGRUN_FD-}" ] || unset PROGRUN_FD # Closed on the way here.

# Prints a paragraph as wide as the terminal.
say() {
    { columns=$(stty size 2>/dev/null <&4); } 4>&1
    columns=${columns#* }
    case $columns in
    [2-6]? | 7[0-7]) ;;
    *) columns=78 ;;
    esac
    echo "$*" | fold -s -w "$((columns - 3))" | sed 's/ *$//; s/^/| /'
}

pause() {
    sleep "$tick" 2>/dev/null || sleep 1
}

# Cleans up after a report that failed.
stopped() {
    unset PROGRUN_FD
    say "That was Ctrl-C. progrun closed the channel, so my next report has just failed." \
        "Nothing was cut off in the middle: I can only be stopped where I report."
    say "Now I clean up, which takes three seconds. A second Ctrl-C would send me SIGTERM," \
        "a third one SIGKILL."
    left=30
    while [ "$left" -gt 0 ]; do
        left=$((left - 1))
        pause
    done
    say "All that was unfinished is removed. I end."
    exit 130
}

# Ends by this signal, so that the caller sees why.
ends() {
    [ -z "$settings" ] || stty "$settings"
    echo
    say "$2"
    trap - "$1"
    kill -s "$1" $$
}
trap 'ends INT "Ctrl-C sent me SIGINT, as without progrun. I end."' INT
trap 'ends TERM "That was SIGTERM. I end at once."' TERM

# Asks for a key. Gives up after eight seconds.
ask() {
    settings=$(stty -g)
    printf '%s' "$1"
    stty -icanon min 0 time 80
    answer=$(dd bs=1 count=1 2>/dev/null)
    # Takes a Return that follows the key.
    stty min 0 time 2
    dd bs=64 count=1 >/dev/null 2>&1
    stty "$settings"
    settings=
    echo
}

[ -n "${PROGRUN_FD-}" ] || say "Without progrun around me, I have no bars."
say "progrun runs a command: me, a script that makes up a backup. What I print scrolls up." \
    "My bar stays below it."
n=0
while [ "$n" -lt 40 ]; do
    n=$((n + 1))
    p "{\"progress\": $((n * 30)), \"message\": \"looking for files\"}"
    pause
done

say "I report how far I am, in lines that I write to descriptor 3, the channel." \
    "My parts have bars of their own."
p '{"message": ""}'
n=0
while [ "$n" -lt 80 ]; do
    n=$((n + 1))
    p "{\"progress\": $((n * 6)), \"total\": 1200}"
    p "{\"id\": \"photos\", \"progress\": $n, \"total\": 80}"
    p "{\"id\": \"music\", \"progress\": $((n * 1572864)), \"total\": 125829120, \"unit\": \"bytes\"}"
    case $n in
    [1-9] | [1-3]?) p "{\"id\": \"mail\", \"progress\": $n, \"total\": 60}" ;;
    40)
        p '{"id": "mail", "status": "failed", "message": "connection lost"}'
        say "One part has failed. The others go on."
        ;;
    esac
    [ "$((n % 20))" -ne 5 ] || echo "copied photo-$n.jpg"
    pause
done
p '{"id": "photos", "status": "ok"}'
p '{"id": "music", "status": "ok"}'

answer=
if [ -t 0 ] && [ -t 1 ]; then
    say "I may ask a question. progrun lends me the terminal for that."
    ask "Make an archive? [Y/n] (yes after 8 s) "
fi
case $answer in
[nN]*) part=check ;;
*) part=archive ;;
esac
if [ -t 1 ]; then
    say "Now press Ctrl-C. I am asked to stop, and you see what happens then."
else
    say "On a terminal, there was a question here, and Ctrl-C would ask me to stop now."
fi
n=0
while [ "$n" -lt 120 ]; do
    n=$((n + 1))
    p "{\"progress\": $((480 + n * 6)), \"total\": 1200}"
    p "{\"id\": \"$part\", \"progress\": $((n * 2097152)), \"total\": 251658240, \"unit\": \"bytes\"}"
    [ "$n" -ne 60 ] || say "(In another terminal, progrun ps says how far I am. Without Ctrl-C, I soon end" \
        "by myself.)"
    pause
done
p "{\"id\": \"$part\", \"status\": \"ok\"}"
say "The backup is complete, but for the mail."
