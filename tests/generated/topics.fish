# The pages of the manual.
complete -c progrun -f -n '__fish_progrun_using_subcommand help' -a 'progrun each on protocol report formats ps attach cancel wait cleanup history timeline demo help'
