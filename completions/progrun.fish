# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_progrun_global_optspecs
    string join \n progress= q/quiet name= color= from= list-formats 'json=?' output= log= tty= wait-output timeout= grace= kill-after= signal= preserve-status fd= h/help V/version
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

complete -c progrun -n "__fish_progrun_needs_command" -l progress -d 'How progress is shown' -r -f -a "auto\t'Bars on a terminal, else plain lines; nothing beside --json on stdout, or under another progrun'
bars\t'Bars'
plain\t'A line at each tenth or every ten seconds'
none\t'Nothing'"
complete -c progrun -n "__fish_progrun_needs_command" -l name -d 'What the run is called [default: the last part of COMMAND]' -r -f
complete -c progrun -n "__fish_progrun_needs_command" -l color -d 'Whether bars have colors' -r -f -a "auto\t'As the terminal and the environment say'
always\t'Colors'
never\t'None'"
complete -c progrun -n "__fish_progrun_needs_command" -l from -d 'Other programs\' formats to read progress in: auto, none, or names, with commas' -r -f -a "auto\t''
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
complete -c progrun -n "__fish_progrun_needs_command" -l json -d 'Print what happens as JSON, one event a line, on stdout or into FILE'
complete -c progrun -n "__fish_progrun_needs_command" -l output -d 'What is shown of what the command prints' -r -f -a "stream\t'Everything as it comes'
on-failure\t'Everything at the end, if the command failed'
none\t'Nothing'"
complete -c progrun -n "__fish_progrun_needs_command" -l log -d 'Write everything that the command prints to FILE, too' -r -F
complete -c progrun -n "__fish_progrun_needs_command" -l tty -d 'Whether the command\'s output is a terminal to it where it goes through progrun' -r -f -a "auto\t'Where it is shown on a terminal'
always\t'Also where it is hidden, kept in a file, or part of the events'
never\t'Nowhere: it is a pipe'"
complete -c progrun -n "__fish_progrun_needs_command" -l timeout -d 'Stop the command after this time, such as 90s or 1h30m; 0: never' -r -f
complete -c progrun -n "__fish_progrun_needs_command" -l grace -d 'How long the command has from being asked to SIGINT; 0: for ever' -r -f
complete -c progrun -n "__fish_progrun_needs_command" -l kill-after -d 'How long it has from a signal to the next harder one; 0: for ever' -r -f
complete -c progrun -n "__fish_progrun_needs_command" -l signal -d 'What a timeout sends to a command that cannot be asked' -r -f -a "TERM\t''
INT\t''
HUP\t''
QUIT\t''
KILL\t''
USR1\t''
USR2\t''
ABRT\t''
ALRM\t''"
complete -c progrun -n "__fish_progrun_needs_command" -l fd -d 'The descriptor on which the command reports, 3 to 255' -r -f
complete -c progrun -n "__fish_progrun_needs_command" -s q -l quiet -d 'Show no progress, and no words of progrun\'s own'
complete -c progrun -n "__fish_progrun_needs_command" -l list-formats -d 'List the formats for --from, and how each is switched on in its program'
complete -c progrun -n "__fish_progrun_needs_command" -l wait-output -d 'Read the command\'s output until nobody holds it any more'
complete -c progrun -n "__fish_progrun_needs_command" -l preserve-status -d 'End with the command\'s own status even after Ctrl-C or a timeout'
complete -c progrun -n "__fish_progrun_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c progrun -f -n 'contains -- -- (commandline -opc)' -a '(complete -C (string replace -r "^.*?\s--\s+" "" -- (commandline -cp)))'
complete -c progrun -n "__fish_progrun_needs_command" -s V -l version -d 'Print version'
complete -c progrun -n "__fish_progrun_needs_command; and not contains -- -- (commandline -opc)" -a "report" -d 'Reports to the progrun that this runs under'
complete -c progrun -n "__fish_progrun_using_subcommand report" -l id -d 'The part that this is about, which has a bar of its own' -r -f
complete -c progrun -n "__fish_progrun_using_subcommand report" -l parent -d 'The part that this part belongs to' -r -f
complete -c progrun -n "__fish_progrun_using_subcommand report" -l title -d 'The label of the bar' -r -f
complete -c progrun -n "__fish_progrun_using_subcommand report" -l message -d 'What is going on now, whatever it looks like' -r -f
complete -c progrun -n "__fish_progrun_using_subcommand report" -l total -d 'How much there is: 5000 or 5KiB' -r -f
complete -c progrun -n "__fish_progrun_using_subcommand report" -l unit -d 'What is counted: bytes, or any other word' -r -f
complete -c progrun -n "__fish_progrun_using_subcommand report" -l eta -d 'How many seconds are left' -r -f
complete -c progrun -n "__fish_progrun_using_subcommand report" -l status -d 'How the part ended' -r -f -a "ok\t'It did what it was to do'
failed\t'It did not'
skipped\t'There was nothing to do'
cancelled\t'It was asked to stop, and did'"
complete -c progrun -n "__fish_progrun_using_subcommand report" -l check -d 'Only ask whether the script is cancelled'
complete -c progrun -n "__fish_progrun_using_subcommand report" -s h -l help -d 'Print help (see more with \'--help\')'
