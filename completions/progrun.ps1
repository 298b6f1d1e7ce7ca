
using namespace System.Management.Automation
using namespace System.Management.Automation.Language

Register-ArgumentCompleter -Native -CommandName 'progrun' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    $commandElements = $commandAst.CommandElements
    $command = @(
        'progrun'
        for ($i = 1; $i -lt $commandElements.Count; $i++) {
            $element = $commandElements[$i]
            if ($element -isnot [StringConstantExpressionAst] -or
                $element.StringConstantType -ne [StringConstantType]::BareWord -or
                $element.Value.StartsWith('-') -or
                $element.Value -eq $wordToComplete) {
                break
        }
        $element.Value
    }) -join ';'

    $completions = @(switch ($command) {
        'progrun' {
            [CompletionResult]::new('-t', '-t', [CompletionResultType]::ParameterName, 'Stop the command after this time, such as 90s or 1h30m (0 = no limit)')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Stop the command after this time, such as 90s or 1h30m (0 = no limit)')
            [CompletionResult]::new('--grace', '--grace', [CompletionResultType]::ParameterName, 'Time to stop voluntarily before SIGINT is sent (0 = no limit)')
            [CompletionResult]::new('--kill-after', '--kill-after', [CompletionResultType]::ParameterName, 'Delay between one signal and the next, stronger one (0 = never send it)')
            [CompletionResult]::new('--signal', '--signal', [CompletionResultType]::ParameterName, 'Signal sent on timeout to a command that does not report progress')
            [CompletionResult]::new('--progress', '--progress', [CompletionResultType]::ParameterName, 'How to show progress')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Name shown for the run [default: the last component of COMMAND]')
            [CompletionResult]::new('--name', '--name', [CompletionResultType]::ParameterName, 'Name shown for the run [default: the last component of COMMAND]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Whether to use color')
            [CompletionResult]::new('--from', '--from', [CompletionResultType]::ParameterName, 'Whose progress to read: auto, none, or names of programs or formats')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Write events as JSON, one per line, to stdout or to FILE')
            [CompletionResult]::new('-l', '-l', [CompletionResultType]::ParameterName, 'Also write the command''s output to FILE, as text')
            [CompletionResult]::new('--log', '--log', [CompletionResultType]::ParameterName, 'Also write the command''s output to FILE, as text')
            [CompletionResult]::new('--log-raw', '--log-raw', [CompletionResultType]::ParameterName, 'Also write the command''s output to FILE, byte for byte')
            [CompletionResult]::new('--tty', '--tty', [CompletionResultType]::ParameterName, 'Whether to run the command on a pseudo-terminal')
            [CompletionResult]::new('--notify', '--notify', [CompletionResultType]::ParameterName, 'Notify at the end of a run that took TIME or longer [default TIME: 30s]')
            [CompletionResult]::new('--on-end', '--on-end', [CompletionResultType]::ParameterName, 'Run COMMAND with sh when the run is over, however it ended')
            [CompletionResult]::new('--on', '--on', [CompletionResultType]::ParameterName, 'Run on other machines: HOST[:SLOTS],..., slurm, or ''COMMAND ARG...''')
            [CompletionResult]::new('--slurm', '--slurm', [CompletionResultType]::ParameterName, 'Options for srun, such as ''-p short -c4 --mem=2G''')
            [CompletionResult]::new('--chdir', '--chdir', [CompletionResultType]::ParameterName, 'Directory in which the command runs there [default: the same as here]')
            [CompletionResult]::new('--env', '--env', [CompletionResultType]::ParameterName, 'Environment variable that goes along: its value here, or VALUE')
            [CompletionResult]::new('--agent', '--agent', [CompletionResultType]::ParameterName, 'The progrun to use there [default: the one in PATH, or a copy of this one]')
            [CompletionResult]::new('--lease', '--lease', [CompletionResultType]::ParameterName, 'How long each side goes on without a word of the other (0 = for ever)')
            [CompletionResult]::new('--fd', '--fd', [CompletionResultType]::ParameterName, 'Descriptor number of the channel on which the command reports, 3 to 255')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How much of the command''s output to show')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How much of the command''s output to show')
            [CompletionResult]::new('--preserve-status', '--preserve-status', [CompletionResultType]::ParameterName, 'Exit with the command''s own status even after Ctrl-C or a timeout')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print no progress and no messages of progrun''s own')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print no progress and no messages of progrun''s own')
            [CompletionResult]::new('--timestamps', '--timestamps', [CompletionResultType]::ParameterName, 'Begin each line of the --log file with the time')
            [CompletionResult]::new('--detach', '--detach', [CompletionResultType]::ParameterName, 'Run away from the terminal, and print the process number of the run')
            [CompletionResult]::new('--wait-output', '--wait-output', [CompletionResultType]::ParameterName, 'Wait until all processes have closed the command''s output (as a pipeline does)')
            [CompletionResult]::new('--no-history', '--no-history', [CompletionResultType]::ParameterName, 'Do not remember this run, and show no estimate from earlier ones')
            [CompletionResult]::new('--list-formats', '--list-formats', [CompletionResultType]::ParameterName, 'List the formats for --from, and how to enable each in its program')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print a summary (-h) or the full help (--help)')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print a summary (-h) or the full help (--help)')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print the version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print the version')
            [CompletionResult]::new('each', 'each', [CompletionResultType]::ParameterValue, 'Run a command once for each value of a list')
            [CompletionResult]::new('tasks', 'tasks', [CompletionResultType]::ParameterValue, 'Run a list of commands, one a line')
            [CompletionResult]::new('report', 'report', [CompletionResultType]::ParameterValue, 'Report progress from a script, and learn whether it is cancelled')
            [CompletionResult]::new('ps', 'ps', [CompletionResultType]::ParameterValue, 'List the runs of this user: how far they are, and how long they have left')
            [CompletionResult]::new('attach', 'attach', [CompletionResultType]::ParameterValue, 'Show a run from another terminal: its bars, and what it prints from now on')
            [CompletionResult]::new('cancel', 'cancel', [CompletionResultType]::ParameterValue, 'Stop runs as Ctrl-C does at their terminals')
            [CompletionResult]::new('wait', 'wait', [CompletionResultType]::ParameterValue, 'Wait until a run is over, and end as it ended')
            [CompletionResult]::new('cleanup', 'cleanup', [CompletionResultType]::ParameterValue, 'End the jobs that killed runs have left in a cluster')
            [CompletionResult]::new('history', 'history', [CompletionResultType]::ParameterValue, 'Show what is remembered of earlier runs, or remove it')
            [CompletionResult]::new('timeline', 'timeline', [CompletionResultType]::ParameterValue, 'Turn a recorded run into a page to look at')
            [CompletionResult]::new('demo', 'demo', [CompletionResultType]::ParameterValue, 'See in half a minute what progrun does: bars, a question, a failure, Ctrl-C')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Show a page of the manual, or install the manual and the completions')
            break
        }
        'progrun;each' {
            [CompletionResult]::new('-a', '-a', [CompletionResultType]::ParameterName, 'Read the values from FILE, one a line (- = stdin)')
            [CompletionResult]::new('--arg-file', '--arg-file', [CompletionResultType]::ParameterName, 'Read the values from FILE, one a line (- = stdin)')
            [CompletionResult]::new('-d', '-d', [CompletionResultType]::ParameterName, 'Values end with the byte C')
            [CompletionResult]::new('--delimiter', '--delimiter', [CompletionResultType]::ParameterName, 'Values end with the byte C')
            [CompletionResult]::new('--colsep', '--colsep', [CompletionResultType]::ParameterName, 'Values are split at STRING, into the columns {1}, {2}...')
            [CompletionResult]::new('-N', '-N ', [CompletionResultType]::ParameterName, 'How many values each task gets: a number, or as many as fit (max)')
            [CompletionResult]::new('--values', '--values', [CompletionResultType]::ParameterName, 'How many values each task gets: a number, or as many as fit (max)')
            [CompletionResult]::new('-I', '-I ', [CompletionResultType]::ParameterName, 'STRING stands for the value, in place of {}; nothing else is replaced')
            [CompletionResult]::new('--replace', '--replace', [CompletionResultType]::ParameterName, 'STRING stands for the value, in place of {}; nothing else is replaced')
            [CompletionResult]::new('--shell', '--shell', [CompletionResultType]::ParameterName, 'COMMAND is one line for SHELL (sh), and values are inserted quoted')
            [CompletionResult]::new('--stdin', '--stdin', [CompletionResultType]::ParameterName, 'File that a task reads as its stdin, with {} for the value')
            [CompletionResult]::new('--total', '--total', [CompletionResultType]::ParameterName, 'How many values there are, if they come from a pipe')
            [CompletionResult]::new('-j', '-j', [CompletionResultType]::ParameterName, 'How many tasks run at once: N, N%, +N, -N or max [default: processors]')
            [CompletionResult]::new('--jobs', '--jobs', [CompletionResultType]::ParameterName, 'How many tasks run at once: N, N%, +N, -N or max [default: processors]')
            [CompletionResult]::new('--delay', '--delay', [CompletionResultType]::ParameterName, 'Least time between two starts')
            [CompletionResult]::new('--max-load', '--max-load', [CompletionResultType]::ParameterName, 'Start no task while the load is N or more (N% = of the processors)')
            [CompletionResult]::new('--min-memory', '--min-memory', [CompletionResultType]::ParameterName, 'Start no task while less memory than SIZE is available, such as 2G')
            [CompletionResult]::new('--retries', '--retries', [CompletionResultType]::ParameterName, 'How many further attempts a failed task has')
            [CompletionResult]::new('--retry-delay', '--retry-delay', [CompletionResultType]::ParameterName, 'Delay before a further attempt; A..B, such as 1s..60s, doubles it from A to B')
            [CompletionResult]::new('--retry-on', '--retry-on', [CompletionResultType]::ParameterName, 'Which failures allow a further attempt, such as 75,timeout,signal')
            [CompletionResult]::new('--halt', '--halt', [CompletionResultType]::ParameterName, 'When to start no more tasks: never, soon or now[,fail=N|success=N|done=N]')
            [CompletionResult]::new('--deadline', '--deadline', [CompletionResultType]::ParameterName, 'Stop the run after this time, such as 4h (0 = no limit)')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How to show the output of the tasks [default: group; with -j1: stream]')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How to show the output of the tasks [default: group; with -j1: stream]')
            [CompletionResult]::new('--log-dir', '--log-dir', [CompletionResultType]::ParameterName, 'Keep the output of each task in a file of its own in DIR')
            [CompletionResult]::new('--ends', '--ends', [CompletionResultType]::ParameterName, 'Which ends of tasks to print [default: all of a short list, else failures]')
            [CompletionResult]::new('--job-log', '--job-log', [CompletionResultType]::ParameterName, 'Keep a job log in FILE: one JSON line for each start and each end')
            [CompletionResult]::new('--resume', '--resume', [CompletionResultType]::ParameterName, 'Run only what, by the job log, has not completed [possible values: new, failed]')
            [CompletionResult]::new('--progress', '--progress', [CompletionResultType]::ParameterName, 'How to show progress')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Whether to use color')
            [CompletionResult]::new('--from', '--from', [CompletionResultType]::ParameterName, 'Whose progress to read: auto, none, or names of programs or formats')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Write events as JSON, one per line, to stdout or to FILE')
            [CompletionResult]::new('--tty', '--tty', [CompletionResultType]::ParameterName, 'Whether to run the command on a pseudo-terminal')
            [CompletionResult]::new('--notify', '--notify', [CompletionResultType]::ParameterName, 'Notify at the end of a run that took TIME or longer [default TIME: 30s]')
            [CompletionResult]::new('--on-end', '--on-end', [CompletionResultType]::ParameterName, 'Run COMMAND with sh when the run is over, however it ended')
            [CompletionResult]::new('--on', '--on', [CompletionResultType]::ParameterName, 'Run on other machines: HOST[:SLOTS],..., slurm, or ''COMMAND ARG...''')
            [CompletionResult]::new('--slurm', '--slurm', [CompletionResultType]::ParameterName, 'Options for srun, such as ''-p short -c4 --mem=2G''')
            [CompletionResult]::new('--chdir', '--chdir', [CompletionResultType]::ParameterName, 'Directory in which the command runs there [default: the same as here]')
            [CompletionResult]::new('--env', '--env', [CompletionResultType]::ParameterName, 'Environment variable that goes along: its value here, or VALUE')
            [CompletionResult]::new('--agent', '--agent', [CompletionResultType]::ParameterName, 'The progrun to use there [default: the one in PATH, or a copy of this one]')
            [CompletionResult]::new('--lease', '--lease', [CompletionResultType]::ParameterName, 'How long each side goes on without a word of the other (0 = for ever)')
            [CompletionResult]::new('--fd', '--fd', [CompletionResultType]::ParameterName, 'Descriptor number of the channel on which the command reports, 3 to 255')
            [CompletionResult]::new('-t', '-t', [CompletionResultType]::ParameterName, 'Stop an attempt of a task after this time, such as 90s (0 = no limit)')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Stop an attempt of a task after this time, such as 90s (0 = no limit)')
            [CompletionResult]::new('--grace', '--grace', [CompletionResultType]::ParameterName, 'Time for running tasks to end or stop voluntarily (0 = no limit)')
            [CompletionResult]::new('--kill-after', '--kill-after', [CompletionResultType]::ParameterName, 'Delay between one signal and the next, stronger one (0 = never send it)')
            [CompletionResult]::new('--signal', '--signal', [CompletionResultType]::ParameterName, 'Signal sent on timeout to a task that does not report progress')
            [CompletionResult]::new('-l', '-l', [CompletionResultType]::ParameterName, 'Also write the output of all tasks to FILE, as text, in the order shown')
            [CompletionResult]::new('--log', '--log', [CompletionResultType]::ParameterName, 'Also write the output of all tasks to FILE, as text, in the order shown')
            [CompletionResult]::new('--log-raw', '--log-raw', [CompletionResultType]::ParameterName, 'Also write the output of all tasks to FILE, byte for byte')
            [CompletionResult]::new('--name', '--name', [CompletionResultType]::ParameterName, 'Name shown for the run')
            [CompletionResult]::new('-0', '-0', [CompletionResultType]::ParameterName, 'Values end with a NUL byte, as from find -print0')
            [CompletionResult]::new('--null', '--null', [CompletionResultType]::ParameterName, 'Values end with a NUL byte, as from find -print0')
            [CompletionResult]::new('--csv', '--csv', [CompletionResultType]::ParameterName, 'The values are records of CSV, with the fields {1}, {2}...')
            [CompletionResult]::new('--header', '--header', [CompletionResultType]::ParameterName, 'The first record names the columns, so that {name} stands for one')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Print the commands, quoted for a shell, and run none')
            [CompletionResult]::new('-k', '-k', [CompletionResultType]::ParameterName, 'Show the output in the order of the list')
            [CompletionResult]::new('--keep-order', '--keep-order', [CompletionResultType]::ParameterName, 'Show the output in the order of the list')
            [CompletionResult]::new('--tag', '--tag', [CompletionResultType]::ParameterName, 'Begin each line with the name of its task and a tab')
            [CompletionResult]::new('--resume-anyway', '--resume-anyway', [CompletionResultType]::ParameterName, 'Resume even if COMMAND differs from that in the job log')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print no progress and no messages of progrun''s own')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print no progress and no messages of progrun''s own')
            [CompletionResult]::new('--detach', '--detach', [CompletionResultType]::ParameterName, 'Run away from the terminal, and print the process number of the run')
            [CompletionResult]::new('--wait-output', '--wait-output', [CompletionResultType]::ParameterName, 'Wait until all processes have closed the command''s output (as a pipeline does)')
            [CompletionResult]::new('--no-history', '--no-history', [CompletionResultType]::ParameterName, 'Do not remember this run, and show no estimate from earlier ones')
            [CompletionResult]::new('--timestamps', '--timestamps', [CompletionResultType]::ParameterName, 'Begin each line in the files of --log and --log-dir with the time')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print a summary (-h) or the full help (--help)')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print a summary (-h) or the full help (--help)')
            break
        }
        'progrun;tasks' {
            [CompletionResult]::new('--total', '--total', [CompletionResultType]::ParameterName, 'How many tasks there are, if they come from a pipe')
            [CompletionResult]::new('-j', '-j', [CompletionResultType]::ParameterName, 'How many tasks run at once: N, N%, +N, -N or max [default: processors]')
            [CompletionResult]::new('--jobs', '--jobs', [CompletionResultType]::ParameterName, 'How many tasks run at once: N, N%, +N, -N or max [default: processors]')
            [CompletionResult]::new('--delay', '--delay', [CompletionResultType]::ParameterName, 'Least time between two starts')
            [CompletionResult]::new('--max-load', '--max-load', [CompletionResultType]::ParameterName, 'Start no task while the load is N or more (N% = of the processors)')
            [CompletionResult]::new('--min-memory', '--min-memory', [CompletionResultType]::ParameterName, 'Start no task while less memory than SIZE is available, such as 2G')
            [CompletionResult]::new('--retries', '--retries', [CompletionResultType]::ParameterName, 'How many further attempts a failed task has')
            [CompletionResult]::new('--retry-delay', '--retry-delay', [CompletionResultType]::ParameterName, 'Delay before a further attempt; A..B, such as 1s..60s, doubles it from A to B')
            [CompletionResult]::new('--retry-on', '--retry-on', [CompletionResultType]::ParameterName, 'Which failures allow a further attempt, such as 75,timeout,signal')
            [CompletionResult]::new('--halt', '--halt', [CompletionResultType]::ParameterName, 'When to start no more tasks: never, soon or now[,fail=N|success=N|done=N]')
            [CompletionResult]::new('--deadline', '--deadline', [CompletionResultType]::ParameterName, 'Stop the run after this time, such as 4h (0 = no limit)')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How to show the output of the tasks [default: group; with -j1: stream]')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How to show the output of the tasks [default: group; with -j1: stream]')
            [CompletionResult]::new('--log-dir', '--log-dir', [CompletionResultType]::ParameterName, 'Keep the output of each task in a file of its own in DIR')
            [CompletionResult]::new('--ends', '--ends', [CompletionResultType]::ParameterName, 'Which ends of tasks to print [default: all of a short list, else failures]')
            [CompletionResult]::new('--job-log', '--job-log', [CompletionResultType]::ParameterName, 'Keep a job log in FILE: one JSON line for each start and each end')
            [CompletionResult]::new('--resume', '--resume', [CompletionResultType]::ParameterName, 'Run only what, by the job log, has not completed [possible values: new, failed]')
            [CompletionResult]::new('--progress', '--progress', [CompletionResultType]::ParameterName, 'How to show progress')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Whether to use color')
            [CompletionResult]::new('--from', '--from', [CompletionResultType]::ParameterName, 'Whose progress to read: auto, none, or names of programs or formats')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Write events as JSON, one per line, to stdout or to FILE')
            [CompletionResult]::new('--tty', '--tty', [CompletionResultType]::ParameterName, 'Whether to run the command on a pseudo-terminal')
            [CompletionResult]::new('--notify', '--notify', [CompletionResultType]::ParameterName, 'Notify at the end of a run that took TIME or longer [default TIME: 30s]')
            [CompletionResult]::new('--on-end', '--on-end', [CompletionResultType]::ParameterName, 'Run COMMAND with sh when the run is over, however it ended')
            [CompletionResult]::new('--on', '--on', [CompletionResultType]::ParameterName, 'Run on other machines: HOST[:SLOTS],..., slurm, or ''COMMAND ARG...''')
            [CompletionResult]::new('--slurm', '--slurm', [CompletionResultType]::ParameterName, 'Options for srun, such as ''-p short -c4 --mem=2G''')
            [CompletionResult]::new('--chdir', '--chdir', [CompletionResultType]::ParameterName, 'Directory in which the command runs there [default: the same as here]')
            [CompletionResult]::new('--env', '--env', [CompletionResultType]::ParameterName, 'Environment variable that goes along: its value here, or VALUE')
            [CompletionResult]::new('--agent', '--agent', [CompletionResultType]::ParameterName, 'The progrun to use there [default: the one in PATH, or a copy of this one]')
            [CompletionResult]::new('--lease', '--lease', [CompletionResultType]::ParameterName, 'How long each side goes on without a word of the other (0 = for ever)')
            [CompletionResult]::new('--fd', '--fd', [CompletionResultType]::ParameterName, 'Descriptor number of the channel on which the command reports, 3 to 255')
            [CompletionResult]::new('-t', '-t', [CompletionResultType]::ParameterName, 'Stop an attempt of a task after this time, such as 90s (0 = no limit)')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Stop an attempt of a task after this time, such as 90s (0 = no limit)')
            [CompletionResult]::new('--grace', '--grace', [CompletionResultType]::ParameterName, 'Time for running tasks to end or stop voluntarily (0 = no limit)')
            [CompletionResult]::new('--kill-after', '--kill-after', [CompletionResultType]::ParameterName, 'Delay between one signal and the next, stronger one (0 = never send it)')
            [CompletionResult]::new('--signal', '--signal', [CompletionResultType]::ParameterName, 'Signal sent on timeout to a task that does not report progress')
            [CompletionResult]::new('-l', '-l', [CompletionResultType]::ParameterName, 'Also write the output of all tasks to FILE, as text, in the order shown')
            [CompletionResult]::new('--log', '--log', [CompletionResultType]::ParameterName, 'Also write the output of all tasks to FILE, as text, in the order shown')
            [CompletionResult]::new('--log-raw', '--log-raw', [CompletionResultType]::ParameterName, 'Also write the output of all tasks to FILE, byte for byte')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Name shown for the run')
            [CompletionResult]::new('--name', '--name', [CompletionResultType]::ParameterName, 'Name shown for the run')
            [CompletionResult]::new('--json-lines', '--json-lines', [CompletionResultType]::ParameterName, 'The lines are JSON objects, whatever the name of FILE')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Print the commands, quoted for a shell, and run none')
            [CompletionResult]::new('-k', '-k', [CompletionResultType]::ParameterName, 'Show the output in the order of the list')
            [CompletionResult]::new('--keep-order', '--keep-order', [CompletionResultType]::ParameterName, 'Show the output in the order of the list')
            [CompletionResult]::new('--tag', '--tag', [CompletionResultType]::ParameterName, 'Begin each line with the name of its task and a tab')
            [CompletionResult]::new('--resume-anyway', '--resume-anyway', [CompletionResultType]::ParameterName, 'Resume even if COMMAND differs from that in the job log')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print no progress and no messages of progrun''s own')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print no progress and no messages of progrun''s own')
            [CompletionResult]::new('--detach', '--detach', [CompletionResultType]::ParameterName, 'Run away from the terminal, and print the process number of the run')
            [CompletionResult]::new('--wait-output', '--wait-output', [CompletionResultType]::ParameterName, 'Wait until all processes have closed the command''s output (as a pipeline does)')
            [CompletionResult]::new('--no-history', '--no-history', [CompletionResultType]::ParameterName, 'Do not remember this run, and show no estimate from earlier ones')
            [CompletionResult]::new('--timestamps', '--timestamps', [CompletionResultType]::ParameterName, 'Begin each line in the files of --log and --log-dir with the time')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print a summary (-h) or the full help (--help)')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print a summary (-h) or the full help (--help)')
            break
        }
        'progrun;report' {
            [CompletionResult]::new('--id', '--id', [CompletionResultType]::ParameterName, 'ID of the part that this report is about; each part has its own bar')
            [CompletionResult]::new('--parent', '--parent', [CompletionResultType]::ParameterName, 'ID of the part that contains this part')
            [CompletionResult]::new('--title', '--title', [CompletionResultType]::ParameterName, 'Label of the bar')
            [CompletionResult]::new('--message', '--message', [CompletionResultType]::ParameterName, 'What is happening now; never taken for an amount')
            [CompletionResult]::new('--total', '--total', [CompletionResultType]::ParameterName, 'Total amount, such as 5000 or 5KiB')
            [CompletionResult]::new('--unit', '--unit', [CompletionResultType]::ParameterName, 'Unit of the amounts: bytes, or any other word')
            [CompletionResult]::new('--eta', '--eta', [CompletionResultType]::ParameterName, 'Estimated number of seconds left')
            [CompletionResult]::new('--status', '--status', [CompletionResultType]::ParameterName, 'How the part ended')
            [CompletionResult]::new('--check', '--check', [CompletionResultType]::ParameterName, 'Only ask whether the run was cancelled')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print a summary (-h) or the full help (--help)')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print a summary (-h) or the full help (--help)')
            break
        }
        'progrun;ps' {
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print a JSON object for each run, one per line')
            [CompletionResult]::new('-a', '-a', [CompletionResultType]::ParameterName, 'Also list the runs with --detach that are over, for 30 days')
            [CompletionResult]::new('--all', '--all', [CompletionResultType]::ParameterName, 'Also list the runs with --detach that are over, for 30 days')
            [CompletionResult]::new('-w', '-w', [CompletionResultType]::ParameterName, 'Go on until Ctrl-C: once a second')
            [CompletionResult]::new('--watch', '--watch', [CompletionResultType]::ParameterName, 'Go on until Ctrl-C: once a second')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print a summary (-h) or the full help (--help)')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print a summary (-h) or the full help (--help)')
            break
        }
        'progrun;attach' {
            [CompletionResult]::new('--progress', '--progress', [CompletionResultType]::ParameterName, 'How to show progress')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Whether to draw bars in color')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print a summary (-h) or the full help (--help)')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print a summary (-h) or the full help (--help)')
            break
        }
        'progrun;cancel' {
            [CompletionResult]::new('--wait', '--wait', [CompletionResultType]::ParameterName, 'Wait until they are over')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Do not say what was done')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Do not say what was done')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print a summary (-h) or the full help (--help)')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print a summary (-h) or the full help (--help)')
            break
        }
        'progrun;wait' {
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print a summary (-h) or the full help (--help)')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print a summary (-h) or the full help (--help)')
            break
        }
        'progrun;cleanup' {
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print a summary (-h) or the full help (--help)')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print a summary (-h) or the full help (--help)')
            break
        }
        'progrun;history' {
            [CompletionResult]::new('--forget', '--forget', [CompletionResultType]::ParameterName, 'Remove the runs of this name')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print the runs as they are stored: one JSON object a line')
            [CompletionResult]::new('--clear', '--clear', [CompletionResultType]::ParameterName, 'Remove all runs')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print a summary (-h) or the full help (--help)')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print a summary (-h) or the full help (--help)')
            break
        }
        'progrun;timeline' {
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Write the page to FILE instead of stdout')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Write the page to FILE instead of stdout')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print a summary (-h) or the full help (--help)')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print a summary (-h) or the full help (--help)')
            break
        }
        'progrun;demo' {
            [CompletionResult]::new('--script', '--script', [CompletionResultType]::ParameterName, 'Print the script that the demo runs')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print a summary (-h) or the full help (--help)')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print a summary (-h) or the full help (--help)')
            break
        }
        'progrun;help' {
            [CompletionResult]::new('--install', '--install', [CompletionResultType]::ParameterName, 'Install man pages and completions below PREFIX/share')
            [CompletionResult]::new('--uninstall', '--uninstall', [CompletionResultType]::ParameterName, 'Remove what --install has written there, and folders that this leaves empty')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print a summary (-h) or the full help (--help)')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print a summary (-h) or the full help (--help)')
            break
        }
    })

    $completions.Where{ $_.CompletionText -like "$wordToComplete*" } |
        Sort-Object -Property ListItemText
}
