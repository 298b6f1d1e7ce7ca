
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
            cand --output 'How much of the command''s output to show'
            cand --log 'Also write the command''s output to FILE'
            cand --tty 'Whether to run the command on a pseudo-terminal'
            cand --fd 'Descriptor number of the channel on which the command reports, 3 to 255'
            cand --preserve-status 'Exit with the command''s own status even after Ctrl-C or a timeout'
            cand -q 'Print no progress and no messages of progrun''s own'
            cand --quiet 'Print no progress and no messages of progrun''s own'
            cand --list-formats 'List the formats for --from, and how to enable each in its program'
            cand --wait-output 'Wait until all processes have closed the command''s output (as a pipeline does)'
            cand -h 'Print a summary (-h) or the full help (--help)'
            cand --help 'Print a summary (-h) or the full help (--help)'
            cand -V 'Print the version'
            cand --version 'Print the version'
            cand report 'Report progress from a script, and learn whether it is cancelled'
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
