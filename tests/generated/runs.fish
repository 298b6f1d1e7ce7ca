# The numbers and names of the runs that go on.
complete -c progrun -f -n '__fish_progrun_using_subcommand attach; or __fish_progrun_using_subcommand cancel; or __fish_progrun_using_subcommand wait' -a '(progrun ps --json 2>/dev/null | string match -rg "\"pid\":(\d+),(?:\"parent\":\d+,)?\"name\":\"([^\"\\\\\\\\]*)\"")'
