# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_progrun_global_optspecs
    string join \n t/timeout= grace= kill-after= signal= preserve-status progress= q/quiet n/name= color= from= 'json=?' l/log= log-raw= timestamps tty= detach wait-output no-history notify= on-end= on= slurm= chdir= env= agent= lease= fd= o/output= list-formats h/help V/version
end

function __fish_progrun_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_progrun_global_optspecs) -- $cmd 2>/dev/null
    or return 0
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_progrun_using_subcommand
    set -l cmd (__fish_progrun_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c progrun -n "__fish_progrun_needs_command" -s t -l timeout -d 'Stop the command after this time, such as 90s or 1h30m (0 = no limit)' -r -f
complete -c progrun -n "__fish_progrun_needs_command" -l grace -d 'Time to stop voluntarily before SIGINT is sent (0 = no limit)' -r -f
complete -c progrun -n "__fish_progrun_needs_command" -l kill-after -d 'Delay between one signal and the next, stronger one (0 = never send it)' -r -f
complete -c progrun -n "__fish_progrun_needs_command" -l signal -d 'Signal sent on timeout to a command that does not report progress' -r -f -a "TERM\t''
INT\t''
HUP\t''
QUIT\t''
KILL\t''
USR1\t''
USR2\t''
ABRT\t''
ALRM\t''"
complete -c progrun -n "__fish_progrun_needs_command" -l progress -d 'How to show progress' -r -f -a "auto\t'Bars on a terminal, otherwise plain lines; nothing with --json on stdout or under another progrun'
bars\t'Bars'
plain\t'A line every 10 % or every 10 seconds'
none\t'Nothing'"
complete -c progrun -n "__fish_progrun_needs_command" -s n -l name -d 'Name shown for the run [default: the last component of COMMAND]' -r -f
complete -c progrun -n "__fish_progrun_needs_command" -l color -d 'Whether to use color' -r -f -a "auto\t'If the terminal and the environment allow it'
always\t'In any case'
never\t'Never'"
complete -c progrun -n "__fish_progrun_needs_command" -l from -d 'Whose progress to read: auto, none, or names of programs or formats' -r -f -a "auto\t''
none\t''
progrun\t''
apt\t''
dpkg\t''
e2fsck\t''
gpg\t''
ffmpeg\t''
restic\t''
borg\t''
rclone\t''
yt-dlp\t''
cargo\t''
libtest\t''
docker\t''
buildkit\t''
nix\t''
terraform\t''
pnpm\t''
lsp\t''
mcp\t''
pip\t''
tap\t''
teamcity\t''
azure\t''
zig\t''
osc\t''
curl\t''
meter\t''
files\t''
7z\t''
apt-get\t''
aria2c\t''
axel\t''
cmake\t''
convert\t''
ddrescue\t''
fio\t''
git\t''
gzip\t''
lftp\t''
make\t''
meson\t''
mksquashfs\t''
ninja\t''
nmap\t''
node\t''
partclone\t''
plzip\t''
prove\t''
pv\t''
pytest\t''
qemu-img\t''
rsync\t''
scp\t''
sftp\t''
sha256sum\t''
shred\t''
snakemake\t''
tofu\t''
tqdm\t''
unsquashfs\t''
wget\t''
wget2\t''
xz\t''
zstd\t''"
complete -c progrun -n "__fish_progrun_needs_command" -l json -d 'Write events as JSON, one per line, to stdout or to FILE'
complete -c progrun -n "__fish_progrun_needs_command" -s l -l log -d 'Also write the command\'s output to FILE, as text' -r -F
complete -c progrun -n "__fish_progrun_needs_command" -l log-raw -d 'Also write the command\'s output to FILE, byte for byte' -r -F
complete -c progrun -n "__fish_progrun_needs_command" -l tty -d 'Whether to run the command on a pseudo-terminal' -r -f -a "auto\t'For output that is shown on a terminal'
always\t'Also for output that is hidden, logged or turned into events'
never\t'For no output: use a pipe'"
complete -c progrun -n "__fish_progrun_needs_command" -l notify -d 'Notify at the end of a run that took TIME or longer [default TIME: 30s]' -r -f
complete -c progrun -n "__fish_progrun_needs_command" -l on-end -d 'Run COMMAND with sh when the run is over, however it ended' -r -f -a "(__fish_complete_command)"
complete -c progrun -n "__fish_progrun_needs_command" -l on -d 'Run on other machines: HOST[:SLOTS],..., slurm, or \'COMMAND ARG...\'' -r -f -a "(__fish_print_hostnames)"
complete -c progrun -n "__fish_progrun_needs_command" -l slurm -d 'Options for srun, such as \'-p short -c4 --mem=2G\'' -r -f
complete -c progrun -n "__fish_progrun_needs_command" -l chdir -d 'Directory in which the command runs there [default: the same as here]' -r -f
complete -c progrun -n "__fish_progrun_needs_command" -l env -d 'Environment variable that goes along: its value here, or VALUE' -r -f
complete -c progrun -n "__fish_progrun_needs_command" -l agent -d 'The progrun to use there [default: the one in PATH, or a copy of this one]' -r -f
complete -c progrun -n "__fish_progrun_needs_command" -l lease -d 'How long each side goes on without a word of the other (0 = for ever)' -r -f
complete -c progrun -n "__fish_progrun_needs_command" -l fd -d 'Descriptor number of the channel on which the command reports, 3 to 255' -r -f
complete -c progrun -n "__fish_progrun_needs_command" -s o -l output -d 'How much of the command\'s output to show' -r -f -a "stream\t'All of it, as it comes'
on-failure\t'All of it at the end, with the reason, if the command did not succeed; else nothing, and off a terminal no progress either'
none\t'None of it'"
complete -c progrun -n "__fish_progrun_needs_command" -l preserve-status -d 'Exit with the command\'s own status even after Ctrl-C or a timeout'
complete -c progrun -n "__fish_progrun_needs_command" -s q -l quiet -d 'Print no progress and no messages of progrun\'s own'
complete -c progrun -n "__fish_progrun_needs_command" -l timestamps -d 'Begin each line of the --log file with the time'
complete -c progrun -n "__fish_progrun_needs_command" -l detach -d 'Run away from the terminal, and print the process number of the run'
complete -c progrun -n "__fish_progrun_needs_command" -l wait-output -d 'Wait until all processes have closed the command\'s output (as a pipeline does)'
complete -c progrun -n "__fish_progrun_needs_command" -l no-history -d 'Do not remember this run, and show no estimate from earlier ones'
complete -c progrun -n "__fish_progrun_needs_command" -l list-formats -d 'List the formats for --from, and how to enable each in its program'
complete -c progrun -n "__fish_progrun_needs_command" -s h -l help -d 'Print a summary (-h) or the full help (--help)'
complete -c progrun -f -n 'contains -- -- (commandline -opc)' -a '(complete -C (string replace -r "^.*?\s--\s+" "" -- (commandline -cp)))'
# Before it, each has only options. fish by itself offers them only after a dash.
complete -c progrun -f -n '__fish_progrun_using_subcommand each; and not contains -- -- (commandline -opc)' -a '(test -z (commandline -ct); and complete -C "progrun each -")'
# The numbers and names of the runs that go on.
complete -c progrun -f -n '__fish_progrun_using_subcommand attach; or __fish_progrun_using_subcommand cancel; or __fish_progrun_using_subcommand wait' -a '(progrun ps --json 2>/dev/null | string match -rg "\"pid\":(\d+),(?:\"parent\":\d+,)?\"name\":\"([^\"\\\\\\\\]*)\"")'
# The pages of the manual.
complete -c progrun -f -n '__fish_progrun_using_subcommand help' -a 'progrun each on protocol report formats ps attach cancel wait cleanup history timeline demo help'
complete -c progrun -n "__fish_progrun_needs_command" -s V -l version -d 'Print the version'
complete -c progrun -n "__fish_progrun_needs_command; and not contains -- -- (commandline -opc)" -a "each" -d 'Run a command once for each value of a list'
complete -c progrun -n "__fish_progrun_needs_command; and not contains -- -- (commandline -opc)" -a "tasks" -d 'Run a list of commands, one a line'
complete -c progrun -n "__fish_progrun_needs_command; and not contains -- -- (commandline -opc)" -a "report" -d 'Report progress from a script, and learn whether it is cancelled'
complete -c progrun -n "__fish_progrun_needs_command; and not contains -- -- (commandline -opc)" -a "ps" -d 'List the runs of this user: how far they are, and how long they have left'
complete -c progrun -n "__fish_progrun_needs_command; and not contains -- -- (commandline -opc)" -a "attach" -d 'Show a run from another terminal: its bars, and what it prints from now on'
complete -c progrun -n "__fish_progrun_needs_command; and not contains -- -- (commandline -opc)" -a "cancel" -d 'Stop runs as Ctrl-C does at their terminals'
complete -c progrun -n "__fish_progrun_needs_command; and not contains -- -- (commandline -opc)" -a "wait" -d 'Wait until a run is over, and end as it ended'
complete -c progrun -n "__fish_progrun_needs_command; and not contains -- -- (commandline -opc)" -a "cleanup" -d 'End the jobs that killed runs have left in a cluster'
complete -c progrun -n "__fish_progrun_needs_command; and not contains -- -- (commandline -opc)" -a "history" -d 'Show what is remembered of earlier runs, or remove it'
complete -c progrun -n "__fish_progrun_needs_command; and not contains -- -- (commandline -opc)" -a "timeline" -d 'Turn a recorded run into a page to look at'
complete -c progrun -n "__fish_progrun_needs_command; and not contains -- -- (commandline -opc)" -a "demo" -d 'See in half a minute what progrun does: bars, a question, a failure, Ctrl-C'
complete -c progrun -n "__fish_progrun_needs_command; and not contains -- -- (commandline -opc)" -a "help" -d 'Show a page of the manual, or install the manual and the completions'
complete -c progrun -n "__fish_progrun_using_subcommand each" -s a -l arg-file -d 'Read the values from FILE, one a line (- = stdin)' -r -F
complete -c progrun -n "__fish_progrun_using_subcommand each" -s d -l delimiter -d 'Values end with the byte C' -r -f
complete -c progrun -n "__fish_progrun_using_subcommand each" -l colsep -d 'Values are split at STRING, into the columns {1}, {2}...' -r -f
complete -c progrun -n "__fish_progrun_using_subcommand each" -s N -l values -d 'How many values each task gets: a number, or as many as fit (max)' -r -f
complete -c progrun -n "__fish_progrun_using_subcommand each" -s I -l replace -d 'STRING stands for the value, in place of {}; nothing else is replaced' -r -f
complete -c progrun -n "__fish_progrun_using_subcommand each" -l shell -d 'COMMAND is one line for SHELL (sh), and values are inserted quoted' -f -a "(__fish_complete_command)"
complete -c progrun -n "__fish_progrun_using_subcommand each" -l stdin -d 'File that a task reads as its stdin, with {} for the value' -r -F
complete -c progrun -n "__fish_progrun_using_subcommand each" -l total -d 'How many values there are, if they come from a pipe' -r -f
complete -c progrun -n "__fish_progrun_using_subcommand each" -s j -l jobs -d 'How many tasks run at once: N, N%, +N, -N or max [default: processors]' -r -f
complete -c progrun -n "__fish_progrun_using_subcommand each" -l delay -d 'Least time between two starts' -r -f
complete -c progrun -n "__fish_progrun_using_subcommand each" -l max-load -d 'Start no task while the load is N or more (N% = of the processors)' -r -f
complete -c progrun -n "__fish_progrun_using_subcommand each" -l min-memory -d 'Start no task while less memory than SIZE is available, such as 2G' -r -f
complete -c progrun -n "__fish_progrun_using_subcommand each" -l retries -d 'How many further attempts a failed task has' -r -f
complete -c progrun -n "__fish_progrun_using_subcommand each" -l retry-delay -d 'Delay before a further attempt; A..B, such as 1s..60s, doubles it from A to B' -r -f
complete -c progrun -n "__fish_progrun_using_subcommand each" -l retry-on -d 'Which failures allow a further attempt, such as 75,timeout,signal' -r -f
complete -c progrun -n "__fish_progrun_using_subcommand each" -l halt -d 'When to start no more tasks: never, soon or now[,fail=N|success=N|done=N]' -r -f -a "never\t''
soon\t''
now\t''
soon\,fail=1\t''
now\,fail=1\t''
now\,success=1\t''"
complete -c progrun -n "__fish_progrun_using_subcommand each" -l deadline -d 'Stop the run after this time, such as 4h (0 = no limit)' -r -f
complete -c progrun -n "__fish_progrun_using_subcommand each" -s o -l output -d 'How to show the output of the tasks [default: group; with -j1: stream]' -r -f -a "group\t'The output of each task in one piece, when the task ends'
lines\t'Whole lines of all tasks, as they come'
stream\t'All output, as it comes'
on-failure\t'As group, but only of attempts that did not succeed; if all do, nothing is printed off a terminal'
none\t'No output'"
complete -c progrun -n "__fish_progrun_using_subcommand each" -l log-dir -d 'Keep the output of each task in a file of its own in DIR' -r -f -a "(__fish_complete_directories)"
complete -c progrun -n "__fish_progrun_using_subcommand each" -l ends -d 'Which ends of tasks to print [default: all of a short list, else failures]' -r -f -a "all\t'Of all tasks'
failed\t'Of tasks that failed'
none\t'Of no tasks'"
complete -c progrun -n "__fish_progrun_using_subcommand each" -l job-log -d 'Keep a job log in FILE: one JSON line for each start and each end' -r -F
complete -c progrun -n "__fish_progrun_using_subcommand each" -l resume -d 'Run only what, by the job log, has not completed [possible values: new, failed]' -f -a "all\t'All tasks that have not completed'
new\t'Those that have neither completed nor failed'
failed\t'Those that have failed'"
complete -c progrun -n "__fish_progrun_using_subcommand each" -l progress -d 'How to show progress' -r -f -a "auto\t'Bars on a terminal, otherwise plain lines; nothing with --json on stdout or under another progrun'
bars\t'Bars'
plain\t'A line every 10 % or every 10 seconds'
none\t'Nothing'"
complete -c progrun -n "__fish_progrun_using_subcommand each" -l color -d 'Whether to use color' -r -f -a "auto\t'If the terminal and the environment allow it'
always\t'In any case'
never\t'Never'"
complete -c progrun -n "__fish_progrun_using_subcommand each" -l from -d 'Whose progress to read: auto, none, or names of programs or formats' -r -f -a "auto\t''
none\t''
progrun\t''
apt\t''
dpkg\t''
e2fsck\t''
gpg\t''
ffmpeg\t''
restic\t''
borg\t''
rclone\t''
yt-dlp\t''
cargo\t''
libtest\t''
docker\t''
buildkit\t''
nix\t''
terraform\t''
pnpm\t''
lsp\t''
mcp\t''
pip\t''
tap\t''
teamcity\t''
azure\t''
zig\t''
osc\t''
curl\t''
meter\t''
files\t''
7z\t''
apt-get\t''
aria2c\t''
axel\t''
cmake\t''
convert\t''
ddrescue\t''
fio\t''
git\t''
gzip\t''
lftp\t''
make\t''
meson\t''
mksquashfs\t''
ninja\t''
nmap\t''
node\t''
partclone\t''
plzip\t''
prove\t''
pv\t''
pytest\t''
qemu-img\t''
rsync\t''
scp\t''
sftp\t''
sha256sum\t''
shred\t''
snakemake\t''
tofu\t''
tqdm\t''
unsquashfs\t''
wget\t''
wget2\t''
xz\t''
zstd\t''"
complete -c progrun -n "__fish_progrun_using_subcommand each" -l json -d 'Write events as JSON, one per line, to stdout or to FILE'
complete -c progrun -n "__fish_progrun_using_subcommand each" -l tty -d 'Whether to run the command on a pseudo-terminal' -r -f -a "auto\t'For output that is shown on a terminal'
always\t'Also for output that is hidden, logged or turned into events'
never\t'For no output: use a pipe'"
complete -c progrun -n "__fish_progrun_using_subcommand each" -l notify -d 'Notify at the end of a run that took TIME or longer [default TIME: 30s]' -r -f
complete -c progrun -n "__fish_progrun_using_subcommand each" -l on-end -d 'Run COMMAND with sh when the run is over, however it ended' -r -f -a "(__fish_complete_command)"
complete -c progrun -n "__fish_progrun_using_subcommand each" -l on -d 'Run on other machines: HOST[:SLOTS],..., slurm, or \'COMMAND ARG...\'' -r -f -a "(__fish_print_hostnames)"
complete -c progrun -n "__fish_progrun_using_subcommand each" -l slurm -d 'Options for srun, such as \'-p short -c4 --mem=2G\'' -r -f
complete -c progrun -n "__fish_progrun_using_subcommand each" -l chdir -d 'Directory in which the command runs there [default: the same as here]' -r -f
complete -c progrun -n "__fish_progrun_using_subcommand each" -l env -d 'Environment variable that goes along: its value here, or VALUE' -r -f
complete -c progrun -n "__fish_progrun_using_subcommand each" -l agent -d 'The progrun to use there [default: the one in PATH, or a copy of this one]' -r -f
complete -c progrun -n "__fish_progrun_using_subcommand each" -l lease -d 'How long each side goes on without a word of the other (0 = for ever)' -r -f
complete -c progrun -n "__fish_progrun_using_subcommand each" -l fd -d 'Descriptor number of the channel on which the command reports, 3 to 255' -r -f
complete -c progrun -n "__fish_progrun_using_subcommand each" -s t -l timeout -d 'Stop an attempt of a task after this time, such as 90s (0 = no limit)' -r -f
complete -c progrun -n "__fish_progrun_using_subcommand each" -l grace -d 'Time for running tasks to end or stop voluntarily (0 = no limit)' -r -f
complete -c progrun -n "__fish_progrun_using_subcommand each" -l kill-after -d 'Delay between one signal and the next, stronger one (0 = never send it)' -r -f
complete -c progrun -n "__fish_progrun_using_subcommand each" -l signal -d 'Signal sent on timeout to a task that does not report progress' -r -f -a "TERM\t''
INT\t''
HUP\t''
QUIT\t''
KILL\t''
USR1\t''
USR2\t''
ABRT\t''
ALRM\t''"
complete -c progrun -n "__fish_progrun_using_subcommand each" -s l -l log -d 'Also write the output of all tasks to FILE, as text, in the order shown' -r -F
complete -c progrun -n "__fish_progrun_using_subcommand each" -l log-raw -d 'Also write the output of all tasks to FILE, byte for byte' -r -F
complete -c progrun -n "__fish_progrun_using_subcommand each" -l name -d 'Name shown for the run' -r -f
complete -c progrun -n "__fish_progrun_using_subcommand each" -s 0 -l null -d 'Values end with a NUL byte, as from find -print0'
complete -c progrun -n "__fish_progrun_using_subcommand each" -l csv -d 'The values are records of CSV, with the fields {1}, {2}...'
complete -c progrun -n "__fish_progrun_using_subcommand each" -l header -d 'The first record names the columns, so that {name} stands for one'
complete -c progrun -n "__fish_progrun_using_subcommand each" -l dry-run -d 'Print the commands, quoted for a shell, and run none'
complete -c progrun -n "__fish_progrun_using_subcommand each" -s k -l keep-order -d 'Show the output in the order of the list'
complete -c progrun -n "__fish_progrun_using_subcommand each" -l tag -d 'Begin each line with the name of its task and a tab'
complete -c progrun -n "__fish_progrun_using_subcommand each" -l resume-anyway -d 'Resume even if COMMAND differs from that in the job log'
complete -c progrun -n "__fish_progrun_using_subcommand each" -s q -l quiet -d 'Print no progress and no messages of progrun\'s own'
complete -c progrun -n "__fish_progrun_using_subcommand each" -l detach -d 'Run away from the terminal, and print the process number of the run'
complete -c progrun -n "__fish_progrun_using_subcommand each" -l wait-output -d 'Wait until all processes have closed the command\'s output (as a pipeline does)'
complete -c progrun -n "__fish_progrun_using_subcommand each" -l no-history -d 'Do not remember this run, and show no estimate from earlier ones'
complete -c progrun -n "__fish_progrun_using_subcommand each" -l timestamps -d 'Begin each line in the files of --log and --log-dir with the time'
complete -c progrun -n "__fish_progrun_using_subcommand each" -s h -l help -d 'Print a summary (-h) or the full help (--help)'
complete -c progrun -n "__fish_progrun_using_subcommand tasks" -l total -d 'How many tasks there are, if they come from a pipe' -r -f
complete -c progrun -n "__fish_progrun_using_subcommand tasks" -s j -l jobs -d 'How many tasks run at once: N, N%, +N, -N or max [default: processors]' -r -f
complete -c progrun -n "__fish_progrun_using_subcommand tasks" -l delay -d 'Least time between two starts' -r -f
complete -c progrun -n "__fish_progrun_using_subcommand tasks" -l max-load -d 'Start no task while the load is N or more (N% = of the processors)' -r -f
complete -c progrun -n "__fish_progrun_using_subcommand tasks" -l min-memory -d 'Start no task while less memory than SIZE is available, such as 2G' -r -f
complete -c progrun -n "__fish_progrun_using_subcommand tasks" -l retries -d 'How many further attempts a failed task has' -r -f
complete -c progrun -n "__fish_progrun_using_subcommand tasks" -l retry-delay -d 'Delay before a further attempt; A..B, such as 1s..60s, doubles it from A to B' -r -f
complete -c progrun -n "__fish_progrun_using_subcommand tasks" -l retry-on -d 'Which failures allow a further attempt, such as 75,timeout,signal' -r -f
complete -c progrun -n "__fish_progrun_using_subcommand tasks" -l halt -d 'When to start no more tasks: never, soon or now[,fail=N|success=N|done=N]' -r -f -a "never\t''
soon\t''
now\t''
soon\,fail=1\t''
now\,fail=1\t''
now\,success=1\t''"
complete -c progrun -n "__fish_progrun_using_subcommand tasks" -l deadline -d 'Stop the run after this time, such as 4h (0 = no limit)' -r -f
complete -c progrun -n "__fish_progrun_using_subcommand tasks" -s o -l output -d 'How to show the output of the tasks [default: group; with -j1: stream]' -r -f -a "group\t'The output of each task in one piece, when the task ends'
lines\t'Whole lines of all tasks, as they come'
stream\t'All output, as it comes'
on-failure\t'As group, but only of attempts that did not succeed; if all do, nothing is printed off a terminal'
none\t'No output'"
complete -c progrun -n "__fish_progrun_using_subcommand tasks" -l log-dir -d 'Keep the output of each task in a file of its own in DIR' -r -f -a "(__fish_complete_directories)"
complete -c progrun -n "__fish_progrun_using_subcommand tasks" -l ends -d 'Which ends of tasks to print [default: all of a short list, else failures]' -r -f -a "all\t'Of all tasks'
failed\t'Of tasks that failed'
none\t'Of no tasks'"
complete -c progrun -n "__fish_progrun_using_subcommand tasks" -l job-log -d 'Keep a job log in FILE: one JSON line for each start and each end' -r -F
complete -c progrun -n "__fish_progrun_using_subcommand tasks" -l resume -d 'Run only what, by the job log, has not completed [possible values: new, failed]' -f -a "all\t'All tasks that have not completed'
new\t'Those that have neither completed nor failed'
failed\t'Those that have failed'"
complete -c progrun -n "__fish_progrun_using_subcommand tasks" -l progress -d 'How to show progress' -r -f -a "auto\t'Bars on a terminal, otherwise plain lines; nothing with --json on stdout or under another progrun'
bars\t'Bars'
plain\t'A line every 10 % or every 10 seconds'
none\t'Nothing'"
complete -c progrun -n "__fish_progrun_using_subcommand tasks" -l color -d 'Whether to use color' -r -f -a "auto\t'If the terminal and the environment allow it'
always\t'In any case'
never\t'Never'"
complete -c progrun -n "__fish_progrun_using_subcommand tasks" -l from -d 'Whose progress to read: auto, none, or names of programs or formats' -r -f -a "auto\t''
none\t''
progrun\t''
apt\t''
dpkg\t''
e2fsck\t''
gpg\t''
ffmpeg\t''
restic\t''
borg\t''
rclone\t''
yt-dlp\t''
cargo\t''
libtest\t''
docker\t''
buildkit\t''
nix\t''
terraform\t''
pnpm\t''
lsp\t''
mcp\t''
pip\t''
tap\t''
teamcity\t''
azure\t''
zig\t''
osc\t''
curl\t''
meter\t''
files\t''
7z\t''
apt-get\t''
aria2c\t''
axel\t''
cmake\t''
convert\t''
ddrescue\t''
fio\t''
git\t''
gzip\t''
lftp\t''
make\t''
meson\t''
mksquashfs\t''
ninja\t''
nmap\t''
node\t''
partclone\t''
plzip\t''
prove\t''
pv\t''
pytest\t''
qemu-img\t''
rsync\t''
scp\t''
sftp\t''
sha256sum\t''
shred\t''
snakemake\t''
tofu\t''
tqdm\t''
unsquashfs\t''
wget\t''
wget2\t''
xz\t''
zstd\t''"
complete -c progrun -n "__fish_progrun_using_subcommand tasks" -l json -d 'Write events as JSON, one per line, to stdout or to FILE'
complete -c progrun -n "__fish_progrun_using_subcommand tasks" -l tty -d 'Whether to run the command on a pseudo-terminal' -r -f -a "auto\t'For output that is shown on a terminal'
always\t'Also for output that is hidden, logged or turned into events'
never\t'For no output: use a pipe'"
complete -c progrun -n "__fish_progrun_using_subcommand tasks" -l notify -d 'Notify at the end of a run that took TIME or longer [default TIME: 30s]' -r -f
complete -c progrun -n "__fish_progrun_using_subcommand tasks" -l on-end -d 'Run COMMAND with sh when the run is over, however it ended' -r -f -a "(__fish_complete_command)"
complete -c progrun -n "__fish_progrun_using_subcommand tasks" -l on -d 'Run on other machines: HOST[:SLOTS],..., slurm, or \'COMMAND ARG...\'' -r -f -a "(__fish_print_hostnames)"
complete -c progrun -n "__fish_progrun_using_subcommand tasks" -l slurm -d 'Options for srun, such as \'-p short -c4 --mem=2G\'' -r -f
complete -c progrun -n "__fish_progrun_using_subcommand tasks" -l chdir -d 'Directory in which the command runs there [default: the same as here]' -r -f
complete -c progrun -n "__fish_progrun_using_subcommand tasks" -l env -d 'Environment variable that goes along: its value here, or VALUE' -r -f
complete -c progrun -n "__fish_progrun_using_subcommand tasks" -l agent -d 'The progrun to use there [default: the one in PATH, or a copy of this one]' -r -f
complete -c progrun -n "__fish_progrun_using_subcommand tasks" -l lease -d 'How long each side goes on without a word of the other (0 = for ever)' -r -f
complete -c progrun -n "__fish_progrun_using_subcommand tasks" -l fd -d 'Descriptor number of the channel on which the command reports, 3 to 255' -r -f
complete -c progrun -n "__fish_progrun_using_subcommand tasks" -s t -l timeout -d 'Stop an attempt of a task after this time, such as 90s (0 = no limit)' -r -f
complete -c progrun -n "__fish_progrun_using_subcommand tasks" -l grace -d 'Time for running tasks to end or stop voluntarily (0 = no limit)' -r -f
complete -c progrun -n "__fish_progrun_using_subcommand tasks" -l kill-after -d 'Delay between one signal and the next, stronger one (0 = never send it)' -r -f
complete -c progrun -n "__fish_progrun_using_subcommand tasks" -l signal -d 'Signal sent on timeout to a task that does not report progress' -r -f -a "TERM\t''
INT\t''
HUP\t''
QUIT\t''
KILL\t''
USR1\t''
USR2\t''
ABRT\t''
ALRM\t''"
complete -c progrun -n "__fish_progrun_using_subcommand tasks" -s l -l log -d 'Also write the output of all tasks to FILE, as text, in the order shown' -r -F
complete -c progrun -n "__fish_progrun_using_subcommand tasks" -l log-raw -d 'Also write the output of all tasks to FILE, byte for byte' -r -F
complete -c progrun -n "__fish_progrun_using_subcommand tasks" -s n -l name -d 'Name shown for the run' -r -f
complete -c progrun -n "__fish_progrun_using_subcommand tasks" -l json-lines -d 'The lines are JSON objects, whatever the name of FILE'
complete -c progrun -n "__fish_progrun_using_subcommand tasks" -l dry-run -d 'Print the commands, quoted for a shell, and run none'
complete -c progrun -n "__fish_progrun_using_subcommand tasks" -s k -l keep-order -d 'Show the output in the order of the list'
complete -c progrun -n "__fish_progrun_using_subcommand tasks" -l tag -d 'Begin each line with the name of its task and a tab'
complete -c progrun -n "__fish_progrun_using_subcommand tasks" -l resume-anyway -d 'Resume even if COMMAND differs from that in the job log'
complete -c progrun -n "__fish_progrun_using_subcommand tasks" -s q -l quiet -d 'Print no progress and no messages of progrun\'s own'
complete -c progrun -n "__fish_progrun_using_subcommand tasks" -l detach -d 'Run away from the terminal, and print the process number of the run'
complete -c progrun -n "__fish_progrun_using_subcommand tasks" -l wait-output -d 'Wait until all processes have closed the command\'s output (as a pipeline does)'
complete -c progrun -n "__fish_progrun_using_subcommand tasks" -l no-history -d 'Do not remember this run, and show no estimate from earlier ones'
complete -c progrun -n "__fish_progrun_using_subcommand tasks" -l timestamps -d 'Begin each line in the files of --log and --log-dir with the time'
complete -c progrun -n "__fish_progrun_using_subcommand tasks" -s h -l help -d 'Print a summary (-h) or the full help (--help)'
complete -c progrun -n "__fish_progrun_using_subcommand report" -l id -d 'ID of the part that this report is about; each part has its own bar' -r -f
complete -c progrun -n "__fish_progrun_using_subcommand report" -l parent -d 'ID of the part that contains this part' -r -f
complete -c progrun -n "__fish_progrun_using_subcommand report" -l title -d 'Label of the bar' -r -f
complete -c progrun -n "__fish_progrun_using_subcommand report" -l message -d 'What is happening now; never taken for an amount' -r -f
complete -c progrun -n "__fish_progrun_using_subcommand report" -l total -d 'Total amount, such as 5000 or 5KiB' -r -f
complete -c progrun -n "__fish_progrun_using_subcommand report" -l unit -d 'Unit of the amounts: bytes, or any other word' -r -f
complete -c progrun -n "__fish_progrun_using_subcommand report" -l eta -d 'Estimated number of seconds left' -r -f
complete -c progrun -n "__fish_progrun_using_subcommand report" -l status -d 'How the part ended' -r -f -a "ok\t'It succeeded'
failed\t'It failed'
skipped\t'There was nothing to do'
cancelled\t'It stopped on request'"
complete -c progrun -n "__fish_progrun_using_subcommand report" -l check -d 'Only ask whether the run was cancelled'
complete -c progrun -n "__fish_progrun_using_subcommand report" -s h -l help -d 'Print a summary (-h) or the full help (--help)'
complete -c progrun -n "__fish_progrun_using_subcommand ps" -l json -d 'Print a JSON object for each run, one per line'
complete -c progrun -n "__fish_progrun_using_subcommand ps" -s a -l all -d 'Also list the runs with --detach that are over, for 30 days'
complete -c progrun -n "__fish_progrun_using_subcommand ps" -s w -l watch -d 'Go on until Ctrl-C: once a second'
complete -c progrun -n "__fish_progrun_using_subcommand ps" -s h -l help -d 'Print a summary (-h) or the full help (--help)'
complete -c progrun -n "__fish_progrun_using_subcommand attach" -l progress -d 'How to show progress' -r -f -a "auto\t'Bars on a terminal, otherwise plain lines; nothing with --json on stdout or under another progrun'
bars\t'Bars'
plain\t'A line every 10 % or every 10 seconds'
none\t'Nothing'"
complete -c progrun -n "__fish_progrun_using_subcommand attach" -l color -d 'Whether to draw bars in color' -r -f -a "auto\t'If the terminal and the environment allow it'
always\t'In any case'
never\t'Never'"
complete -c progrun -n "__fish_progrun_using_subcommand attach" -s h -l help -d 'Print a summary (-h) or the full help (--help)'
complete -c progrun -n "__fish_progrun_using_subcommand cancel" -l wait -d 'Wait until they are over'
complete -c progrun -n "__fish_progrun_using_subcommand cancel" -s q -l quiet -d 'Do not say what was done'
complete -c progrun -n "__fish_progrun_using_subcommand cancel" -s h -l help -d 'Print a summary (-h) or the full help (--help)'
complete -c progrun -n "__fish_progrun_using_subcommand wait" -s h -l help -d 'Print a summary (-h) or the full help (--help)'
complete -c progrun -n "__fish_progrun_using_subcommand cleanup" -s h -l help -d 'Print a summary (-h) or the full help (--help)'
complete -c progrun -n "__fish_progrun_using_subcommand history" -l forget -d 'Remove the runs of this name' -r -f
complete -c progrun -n "__fish_progrun_using_subcommand history" -l json -d 'Print the runs as they are stored: one JSON object a line'
complete -c progrun -n "__fish_progrun_using_subcommand history" -l clear -d 'Remove all runs'
complete -c progrun -n "__fish_progrun_using_subcommand history" -s h -l help -d 'Print a summary (-h) or the full help (--help)'
complete -c progrun -n "__fish_progrun_using_subcommand timeline" -s o -l output -d 'Write the page to FILE instead of stdout' -r -F
complete -c progrun -n "__fish_progrun_using_subcommand timeline" -s h -l help -d 'Print a summary (-h) or the full help (--help)'
complete -c progrun -n "__fish_progrun_using_subcommand demo" -l script -d 'Print the script that the demo runs'
complete -c progrun -n "__fish_progrun_using_subcommand demo" -s h -l help -d 'Print a summary (-h) or the full help (--help)'
complete -c progrun -n "__fish_progrun_using_subcommand help" -l install -d 'Install man pages and completions below PREFIX/share' -r -f -a "(__fish_complete_directories)"
complete -c progrun -n "__fish_progrun_using_subcommand help" -l uninstall -d 'Remove what --install has written there, and folders that this leaves empty' -r -f -a "(__fish_complete_directories)"
complete -c progrun -n "__fish_progrun_using_subcommand help" -s h -l help -d 'Print a summary (-h) or the full help (--help)'
