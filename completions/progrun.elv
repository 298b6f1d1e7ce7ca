
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
            cand --progress 'How progress is shown'
            cand --name 'What the run is called [default: the last part of COMMAND]'
            cand --color 'Whether bars have colors'
            cand --from 'Other programs'' formats to read progress in: auto, none, or names, with commas'
            cand --json 'Print what happens as JSON, one event a line, on stdout or into FILE'
            cand --output 'What is shown of what the command prints'
            cand --log 'Write everything that the command prints to FILE, too'
            cand --tty 'Whether the command''s output is a terminal to it where it goes through progrun'
            cand --timeout 'Stop the command after this time, such as 90s or 1h30m; 0: never'
            cand --grace 'How long the command has from being asked to SIGINT; 0: for ever'
            cand --kill-after 'How long it has from a signal to the next harder one; 0: for ever'
            cand --signal 'What a timeout sends to a command that cannot be asked'
            cand --fd 'The descriptor on which the command reports, 3 to 255'
            cand -q 'Show no progress, and no words of progrun''s own'
            cand --quiet 'Show no progress, and no words of progrun''s own'
            cand --list-formats 'List the formats for --from, and how each is switched on in its program'
            cand --wait-output 'Read the command''s output until nobody holds it any more'
            cand --preserve-status 'End with the command''s own status even after Ctrl-C or a timeout'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
            cand report 'Reports to the progrun that this runs under'
        }
        &'progrun;report'= {
            cand --id 'The part that this is about, which has a bar of its own'
            cand --parent 'The part that this part belongs to'
            cand --title 'The label of the bar'
            cand --message 'What is going on now, whatever it looks like'
            cand --total 'How much there is: 5000 or 5KiB'
            cand --unit 'What is counted: bytes, or any other word'
            cand --eta 'How many seconds are left'
            cand --status 'How the part ended'
            cand --check 'Only ask whether the script is cancelled'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
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
