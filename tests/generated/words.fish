complete -c progrun -f -n 'contains -- -- (commandline -opc)' -a '(complete -C (string replace -r "^.*?\s--\s+" "" -- (commandline -cp)))'
# Before it, each has only options. fish by itself offers them only after a dash.
complete -c progrun -f -n '__fish_progrun_using_subcommand each; and not contains -- -- (commandline -opc)' -a '(test -z (commandline -ct); and complete -C "progrun each -")'
