# The numbers and names of the runs that go on.
(( $+functions[_progrun_runs] )) ||
_progrun_runs() {
    local line runs=()
    for line in ${(f)"$(progrun ps --json 2>/dev/null)"}; do
        if [[ $line =~ '"pid":([0-9]+),("parent":[0-9]+,)?"name":"([^"\\]*)"' ]]; then
            runs+=($match[1] "$match[3]")
        fi
    done
    compadd -a runs
}
