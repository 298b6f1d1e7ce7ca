
use builtin;
use str;

set edit:completion:arg-completer[progrun] = {|@words|
    fn spaces {|n|
        builtin:repeat $n ' ' | str:join ''
    }
    fn cand {|text desc|
        edit:complex-candidate $text &display=$text' '(spaces (- 14 (wcswidth $text)))$desc
    }
    var command = 'progrun'
    for word $words[1..-1] {
        if (str:has-prefix $word '-') {
            break
        }
        set command = $command';'$word
    }
    var completions = [
        &'progrun'= {
            cand --timeout 'Stop the command after this time, such as 90s or 1h30m (0 = no limit)'
            cand --grace 'Time to stop voluntarily before SIGINT is sent (0 = no limit)'
            cand --kill-after 'Delay between one signal and the next, stronger one (0 = never send it)'
            cand --signal 'Signal sent on timeout to a command that does not report progress'
            cand --progress 'How to show progress'
            cand --name 'Name shown for the run [default: the last component of COMMAND]'
            cand --color 'Whether to draw bars in color'
            cand --from 'Other programs'' progress formats to read: auto, none, or a list of names'
            cand --json 'Write events as JSON, one per line, to stdout or to FILE'
            cand --log 'Also write the command''s output to FILE'
            cand --tty 'Whether to run the command on a pseudo-terminal'
            cand --notify 'Notify at the end of a run that took TIME or longer [default TIME: 30s]'
            cand --on-end 'Run COMMAND with sh when the run is over, however it ended'
            cand --on 'Run on other machines: HOST[:SLOTS],..., slurm, or ''COMMAND ARG...'''
            cand --slurm 'Options for srun, such as ''-p short -c4 --mem=2G'''
            cand --chdir 'Directory in which the command runs there [default: the same as here]'
            cand --env 'Environment variable that goes along: its value here, or VALUE'
            cand --agent 'The progrun to use there [default: the one in PATH, or a copy of this one]'
            cand --lease 'How long each side goes on without a word of the other (0 = for ever)'
            cand --fd 'Descriptor number of the channel on which the command reports, 3 to 255'
            cand --output 'How much of the command''s output to show'
            cand --preserve-status 'Exit with the command''s own status even after Ctrl-C or a timeout'
            cand -q 'Print no progress and no messages of progrun''s own'
            cand --quiet 'Print no progress and no messages of progrun''s own'
            cand --detach 'Run away from the terminal, and print the process number of the run'
            cand --wait-output 'Wait until all processes have closed the command''s output (as a pipeline does)'
            cand --no-history 'Do not remember this run, and show no estimate from earlier ones'
            cand --list-formats 'List the formats for --from, and how to enable each in its program'
            cand -h 'Print a summary (-h) or the full help (--help)'
            cand --help 'Print a summary (-h) or the full help (--help)'
            cand -V 'Print the version'
            cand --version 'Print the version'
            cand each 'Run a command once for each value of a list'
            cand tasks 'Run a list of commands, one a line'
            cand report 'Report progress from a script, and learn whether it is cancelled'
            cand ps 'List the runs of this user: how far they are, and how long they have left'
            cand attach 'Show a run from another terminal: its bars, and what it prints from now on'
            cand cancel 'Stop runs as Ctrl-C does at their terminals'
            cand wait 'Wait until a run is over, and end as it ended'
            cand cleanup 'End the jobs that killed runs have left in a cluster'
            cand history 'Show what is remembered of earlier runs, or remove it'
            cand timeline 'Turn a recorded run into a page to look at'
            cand demo 'See in half a minute what progrun does: bars, a question, a failure, Ctrl-C'
            cand help 'Show a page of the manual, or install the manual and the completions'
        }
        &'progrun;each'= {
            cand -a 'Read the values from FILE, one a line (- = stdin)'
            cand --arg-file 'Read the values from FILE, one a line (- = stdin)'
            cand -d 'Values end with the byte C'
            cand --delimiter 'Values end with the byte C'
            cand --colsep 'Values are split at STRING, into the columns {1}, {2}...'
            cand -N 'How many values each task gets: a number, or as many as fit (max)'
            cand --values 'How many values each task gets: a number, or as many as fit (max)'
            cand -I 'STRING stands for the value, in place of {}; nothing else is replaced'
            cand --replace 'STRING stands for the value, in place of {}; nothing else is replaced'
            cand --shell 'COMMAND is one line for SHELL (sh), and values are inserted quoted'
            cand --stdin 'File that a task reads as its stdin, with {} for the value'
            cand --total 'How many values there are, if they come from a pipe'
            cand -j 'How many tasks run at once: N, N%, +N, -N or max [default: processors]'
            cand --jobs 'How many tasks run at once: N, N%, +N, -N or max [default: processors]'
            cand --delay 'Least time between two starts'
            cand --max-load 'Start no task while the load is N or more (N% = of the processors)'
            cand --min-memory 'Start no task while less memory than SIZE is available, such as 2G'
            cand --retries 'How many further attempts a failed task has'
            cand --retry-delay 'Delay before a further attempt; A..B, such as 1s..60s, doubles it from A to B'
            cand --retry-on 'Which failures allow a further attempt, such as 75,timeout,signal'
            cand --halt 'When to start no more tasks: never, soon or now[,fail=N|success=N|done=N]'
            cand --deadline 'Stop the run after this time, such as 4h (0 = no limit)'
            cand --output 'How to show the output of the tasks [default: group; with -j1: stream]'
            cand --log-dir 'Keep the output of each task in a file of its own in DIR'
            cand --ends 'Which ends of tasks to print [default: all of a short list, else failures]'
            cand --job-log 'Keep a job log in FILE: one JSON line for each start and each end'
            cand --resume 'Run only what, by the job log, has not completed [possible values: new, failed]'
            cand --progress 'How to show progress'
            cand --color 'Whether to draw bars in color'
            cand --from 'Other programs'' progress formats to read: auto, none, or a list of names'
            cand --json 'Write events as JSON, one per line, to stdout or to FILE'
            cand --tty 'Whether to run the command on a pseudo-terminal'
            cand --notify 'Notify at the end of a run that took TIME or longer [default TIME: 30s]'
            cand --on-end 'Run COMMAND with sh when the run is over, however it ended'
            cand --on 'Run on other machines: HOST[:SLOTS],..., slurm, or ''COMMAND ARG...'''
            cand --slurm 'Options for srun, such as ''-p short -c4 --mem=2G'''
            cand --chdir 'Directory in which the command runs there [default: the same as here]'
            cand --env 'Environment variable that goes along: its value here, or VALUE'
            cand --agent 'The progrun to use there [default: the one in PATH, or a copy of this one]'
            cand --lease 'How long each side goes on without a word of the other (0 = for ever)'
            cand --fd 'Descriptor number of the channel on which the command reports, 3 to 255'
            cand --timeout 'Stop an attempt of a task after this time, such as 90s (0 = no limit)'
            cand --grace 'Time for running tasks to end or stop voluntarily (0 = no limit)'
            cand --kill-after 'Delay between one signal and the next, stronger one (0 = never send it)'
            cand --signal 'Signal sent on timeout to a task that does not report progress'
            cand --log 'Also write the output of all tasks to FILE, in the order in which it is shown'
            cand --name 'Name shown for the run'
            cand -0 'Values end with a NUL byte, as from find -print0'
            cand --null 'Values end with a NUL byte, as from find -print0'
            cand --csv 'The values are records of CSV, with the fields {1}, {2}...'
            cand --header 'The first record names the columns, so that {name} stands for one'
            cand --dry-run 'Print the commands, quoted for a shell, and run none'
            cand -k 'Show the output in the order of the list'
            cand --keep-order 'Show the output in the order of the list'
            cand --tag 'Begin each line with the name of its task and a tab'
            cand --resume-anyway 'Resume even if COMMAND differs from that in the job log'
            cand -q 'Print no progress and no messages of progrun''s own'
            cand --quiet 'Print no progress and no messages of progrun''s own'
            cand --detach 'Run away from the terminal, and print the process number of the run'
            cand --wait-output 'Wait until all processes have closed the command''s output (as a pipeline does)'
            cand --no-history 'Do not remember this run, and show no estimate from earlier ones'
            cand -h 'Print a summary (-h) or the full help (--help)'
            cand --help 'Print a summary (-h) or the full help (--help)'
        }
        &'progrun;tasks'= {
            cand --total 'How many tasks there are, if they come from a pipe'
            cand -j 'How many tasks run at once: N, N%, +N, -N or max [default: processors]'
            cand --jobs 'How many tasks run at once: N, N%, +N, -N or max [default: processors]'
            cand --delay 'Least time between two starts'
            cand --max-load 'Start no task while the load is N or more (N% = of the processors)'
            cand --min-memory 'Start no task while less memory than SIZE is available, such as 2G'
            cand --retries 'How many further attempts a failed task has'
            cand --retry-delay 'Delay before a further attempt; A..B, such as 1s..60s, doubles it from A to B'
            cand --retry-on 'Which failures allow a further attempt, such as 75,timeout,signal'
            cand --halt 'When to start no more tasks: never, soon or now[,fail=N|success=N|done=N]'
            cand --deadline 'Stop the run after this time, such as 4h (0 = no limit)'
            cand --output 'How to show the output of the tasks [default: group; with -j1: stream]'
            cand --log-dir 'Keep the output of each task in a file of its own in DIR'
            cand --ends 'Which ends of tasks to print [default: all of a short list, else failures]'
            cand --job-log 'Keep a job log in FILE: one JSON line for each start and each end'
            cand --resume 'Run only what, by the job log, has not completed [possible values: new, failed]'
            cand --progress 'How to show progress'
            cand --color 'Whether to draw bars in color'
            cand --from 'Other programs'' progress formats to read: auto, none, or a list of names'
            cand --json 'Write events as JSON, one per line, to stdout or to FILE'
            cand --tty 'Whether to run the command on a pseudo-terminal'
            cand --notify 'Notify at the end of a run that took TIME or longer [default TIME: 30s]'
            cand --on-end 'Run COMMAND with sh when the run is over, however it ended'
            cand --on 'Run on other machines: HOST[:SLOTS],..., slurm, or ''COMMAND ARG...'''
            cand --slurm 'Options for srun, such as ''-p short -c4 --mem=2G'''
            cand --chdir 'Directory in which the command runs there [default: the same as here]'
            cand --env 'Environment variable that goes along: its value here, or VALUE'
            cand --agent 'The progrun to use there [default: the one in PATH, or a copy of this one]'
            cand --lease 'How long each side goes on without a word of the other (0 = for ever)'
            cand --fd 'Descriptor number of the channel on which the command reports, 3 to 255'
            cand --timeout 'Stop an attempt of a task after this time, such as 90s (0 = no limit)'
            cand --grace 'Time for running tasks to end or stop voluntarily (0 = no limit)'
            cand --kill-after 'Delay between one signal and the next, stronger one (0 = never send it)'
            cand --signal 'Signal sent on timeout to a task that does not report progress'
            cand --log 'Also write the output of all tasks to FILE, in the order in which it is shown'
            cand --name 'Name shown for the run'
            cand --json-lines 'The lines are JSON objects, whatever the name of FILE'
            cand --dry-run 'Print the commands, quoted for a shell, and run none'
            cand -k 'Show the output in the order of the list'
            cand --keep-order 'Show the output in the order of the list'
            cand --tag 'Begin each line with the name of its task and a tab'
            cand --resume-anyway 'Resume even if COMMAND differs from that in the job log'
            cand -q 'Print no progress and no messages of progrun''s own'
            cand --quiet 'Print no progress and no messages of progrun''s own'
            cand --detach 'Run away from the terminal, and print the process number of the run'
            cand --wait-output 'Wait until all processes have closed the command''s output (as a pipeline does)'
            cand --no-history 'Do not remember this run, and show no estimate from earlier ones'
            cand -h 'Print a summary (-h) or the full help (--help)'
            cand --help 'Print a summary (-h) or the full help (--help)'
        }
        &'progrun;report'= {
            cand --id 'ID of the part that this report is about; each part has its own bar'
            cand --parent 'ID of the part that contains this part'
            cand --title 'Label of the bar'
            cand --message 'What is happening now; never taken for an amount'
            cand --total 'Total amount, such as 5000 or 5KiB'
            cand --unit 'Unit of the amounts: bytes, or any other word'
            cand --eta 'Estimated number of seconds left'
            cand --status 'How the part ended'
            cand --check 'Only ask whether the run was cancelled'
            cand -h 'Print a summary (-h) or the full help (--help)'
            cand --help 'Print a summary (-h) or the full help (--help)'
        }
        &'progrun;ps'= {
            cand --json 'Print a JSON object for each run, one per line'
            cand -a 'Also list the runs with --detach that are over, for 30 days'
            cand --all 'Also list the runs with --detach that are over, for 30 days'
            cand -w 'Go on until Ctrl-C: once a second'
            cand --watch 'Go on until Ctrl-C: once a second'
            cand -h 'Print a summary (-h) or the full help (--help)'
            cand --help 'Print a summary (-h) or the full help (--help)'
        }
        &'progrun;attach'= {
            cand --progress 'How to show progress'
            cand --color 'Whether to draw bars in color'
            cand -h 'Print a summary (-h) or the full help (--help)'
            cand --help 'Print a summary (-h) or the full help (--help)'
        }
        &'progrun;cancel'= {
            cand --wait 'Wait until they are over'
            cand -q 'Do not say what was done'
            cand --quiet 'Do not say what was done'
            cand -h 'Print a summary (-h) or the full help (--help)'
            cand --help 'Print a summary (-h) or the full help (--help)'
        }
        &'progrun;wait'= {
            cand -h 'Print a summary (-h) or the full help (--help)'
            cand --help 'Print a summary (-h) or the full help (--help)'
        }
        &'progrun;cleanup'= {
            cand -h 'Print a summary (-h) or the full help (--help)'
            cand --help 'Print a summary (-h) or the full help (--help)'
        }
        &'progrun;history'= {
            cand --forget 'Remove the runs of this name'
            cand --json 'Print the runs as they are stored: one JSON object a line'
            cand --clear 'Remove all runs'
            cand -h 'Print a summary (-h) or the full help (--help)'
            cand --help 'Print a summary (-h) or the full help (--help)'
        }
        &'progrun;timeline'= {
            cand -o 'Write the page to FILE instead of stdout'
            cand --output 'Write the page to FILE instead of stdout'
            cand -h 'Print a summary (-h) or the full help (--help)'
            cand --help 'Print a summary (-h) or the full help (--help)'
        }
        &'progrun;demo'= {
            cand --script 'Print the script that the demo runs'
            cand -h 'Print a summary (-h) or the full help (--help)'
            cand --help 'Print a summary (-h) or the full help (--help)'
        }
        &'progrun;help'= {
            cand --install 'Install man pages and completions below PREFIX/share'
            cand --uninstall 'Remove what --install has written there, and folders that this leaves empty'
            cand -h 'Print a summary (-h) or the full help (--help)'
            cand --help 'Print a summary (-h) or the full help (--help)'
        }
    ]
    if (has-value $words[..-1] --) {
        var rest = $words
        while (not-eq $rest[0] --) {
            set rest = $rest[1..]
        }
        edit:complete-sudo $@rest
    } else {
        $completions[$command]
    }
}
