complete -c progrun -l progress -d 'How progress is shown' -r -f -a "auto\t'Bars on a terminal, else plain lines; nothing beside --json on stdout, or under another progrun'
bars\t'Bars'
plain\t'A line at each tenth or every ten seconds'
none\t'Nothing'"
complete -c progrun -l name -d 'What the run is called [default: the last part of COMMAND]' -r -f
complete -c progrun -l color -d 'Whether bars have colors' -r -f -a "auto\t'As the terminal and the environment say'
always\t'Colors'
never\t'None'"
complete -c progrun -l from -d 'Other programs\' formats to read progress in: auto, none, or names, with commas' -r -f -a "auto\t''
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
complete -c progrun -l json -d 'Print what happens as JSON, one event a line, on stdout or into FILE'
complete -c progrun -l output -d 'What is shown of what the command prints' -r -f -a "stream\t'Everything as it comes'
on-failure\t'Everything at the end, if the command failed'
none\t'Nothing'"
complete -c progrun -l log -d 'Write everything that the command prints to FILE, too' -r -F
complete -c progrun -l tty -d 'Whether the command\'s output is a terminal to it where it goes through progrun' -r -f -a "auto\t'Where it is shown on a terminal'
always\t'Also where it is hidden, kept in a file, or part of the events'
never\t'Nowhere: it is a pipe'"
complete -c progrun -l timeout -d 'Stop the command after this time, such as 90s or 1h30m' -r -f
complete -c progrun -l grace -d 'How long the command has from being asked to SIGTERM; 0: for ever' -r -f
complete -c progrun -l kill-after -d 'How long it has from a signal to the next harder one; 0: for ever' -r -f
complete -c progrun -l signal -d 'What a timeout sends to a command that cannot be asked' -r -f
complete -c progrun -l fd -d 'The descriptor on which the command reports, 3 to 255' -r -f
complete -c progrun -s q -l quiet -d 'Show no progress, and no words of progrun\'s own'
complete -c progrun -l list-formats -d 'List the formats for --from, and how each is switched on in its program'
complete -c progrun -l wait-output -d 'Read the command\'s output until nobody holds it any more'
complete -c progrun -l preserve-status -d 'End with the command\'s own status even after Ctrl-C or a timeout'
complete -c progrun -s h -l help -d 'Print help (see more with \'--help\')'
complete -c progrun -f -n 'contains -- -- (commandline -opc)' -a '(complete -C (string replace -r "^.*?\s--\s+" "" -- (commandline -cp)))'
complete -c progrun -s V -l version -d 'Print version'
