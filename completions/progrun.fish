# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_progrun_global_optspecs
    string join \n timeout= grace= kill-after= signal= preserve-status progress= q/quiet name= color= from= list-formats 'json=?' output= log= tty= wait-output fd= h/help V/version
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

complete -c progrun -n "__fish_progrun_needs_command" -l timeout -d 'Stop the command after this time, such as 90s or 1h30m (0 = no limit)' -r -f
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
complete -c progrun -n "__fish_progrun_needs_command" -l name -d 'Name shown for the run [default: the last component of COMMAND]' -r -f
complete -c progrun -n "__fish_progrun_needs_command" -l color -d 'Whether to draw bars in color' -r -f -a "auto\t'If the terminal and the environment allow it'
always\t'In any case'
never\t'Never'"
complete -c progrun -n "__fish_progrun_needs_command" -l from -d 'Other programs\' progress formats to read: auto, none, or a list of names' -r -f -a "auto\t''
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
files\t''"
complete -c progrun -n "__fish_progrun_needs_command" -l json -d 'Write events as JSON, one per line, to stdout or to FILE'
complete -c progrun -n "__fish_progrun_needs_command" -l output -d 'How much of the command\'s output to show' -r -f -a "stream\t'All of it, as it comes'
on-failure\t'All of it at the end, if the command did not succeed'
none\t'None of it'"
complete -c progrun -n "__fish_progrun_needs_command" -l log -d 'Also write the command\'s output to FILE' -r -F
complete -c progrun -n "__fish_progrun_needs_command" -l tty -d 'Whether to run the command on a pseudo-terminal' -r -f -a "auto\t'For output that is shown on a terminal'
always\t'Also for output that is hidden, logged or turned into events'
never\t'For no output: use a pipe'"
complete -c progrun -n "__fish_progrun_needs_command" -l fd -d 'Descriptor number of the channel on which the command reports, 3 to 255' -r -f
complete -c progrun -n "__fish_progrun_needs_command" -l preserve-status -d 'Exit with the command\'s own status even after Ctrl-C or a timeout'
complete -c progrun -n "__fish_progrun_needs_command" -s q -l quiet -d 'Print no progress and no messages of progrun\'s own'
complete -c progrun -n "__fish_progrun_needs_command" -l list-formats -d 'List the formats for --from, and how to enable each in its program'
complete -c progrun -n "__fish_progrun_needs_command" -l wait-output -d 'Wait until all processes have closed the command\'s output (as a pipeline does)'
complete -c progrun -n "__fish_progrun_needs_command" -s h -l help -d 'Print a summary (-h) or the full help (--help)'
complete -c progrun -f -n 'contains -- -- (commandline -opc)' -a '(complete -C (string replace -r "^.*?\s--\s+" "" -- (commandline -cp)))'
complete -c progrun -n "__fish_progrun_needs_command" -s V -l version -d 'Print the version'
complete -c progrun -n "__fish_progrun_needs_command; and not contains -- -- (commandline -opc)" -a "report" -d 'Report progress from a script, and learn whether it is cancelled'
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
