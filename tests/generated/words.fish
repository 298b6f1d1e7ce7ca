complete -c progrun -f -n 'contains -- -- (commandline -opc)' -a '(complete -C (string replace -r "^.*?\s--\s+" "" -- (commandline -cp)))'
