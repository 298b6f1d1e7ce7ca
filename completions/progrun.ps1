
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
            [CompletionResult]::new('--progress', '--progress', [CompletionResultType]::ParameterName, 'How progress is shown')
            [CompletionResult]::new('--name', '--name', [CompletionResultType]::ParameterName, 'What the run is called [default: the last part of COMMAND]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Whether bars have colors')
            [CompletionResult]::new('--from', '--from', [CompletionResultType]::ParameterName, 'Other programs'' formats to read progress in: auto, none, or names, with commas')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print what happens as JSON, one event a line, on stdout or into FILE')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'What is shown of what the command prints')
            [CompletionResult]::new('--log', '--log', [CompletionResultType]::ParameterName, 'Write everything that the command prints to FILE, too')
            [CompletionResult]::new('--tty', '--tty', [CompletionResultType]::ParameterName, 'Whether the command''s output is a terminal to it where it goes through progrun')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Stop the command after this time, such as 90s or 1h30m; 0: never')
            [CompletionResult]::new('--grace', '--grace', [CompletionResultType]::ParameterName, 'How long the command has from being asked to SIGINT; 0: for ever')
            [CompletionResult]::new('--kill-after', '--kill-after', [CompletionResultType]::ParameterName, 'How long it has from a signal to the next harder one; 0: for ever')
            [CompletionResult]::new('--signal', '--signal', [CompletionResultType]::ParameterName, 'What a timeout sends to a command that cannot be asked')
            [CompletionResult]::new('--fd', '--fd', [CompletionResultType]::ParameterName, 'The descriptor on which the command reports, 3 to 255')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Show no progress, and no words of progrun''s own')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Show no progress, and no words of progrun''s own')
            [CompletionResult]::new('--list-formats', '--list-formats', [CompletionResultType]::ParameterName, 'List the formats for --from, and how each is switched on in its program')
            [CompletionResult]::new('--wait-output', '--wait-output', [CompletionResultType]::ParameterName, 'Read the command''s output until nobody holds it any more')
            [CompletionResult]::new('--preserve-status', '--preserve-status', [CompletionResultType]::ParameterName, 'End with the command''s own status even after Ctrl-C or a timeout')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('report', 'report', [CompletionResultType]::ParameterValue, 'Reports to the progrun that this runs under')
            break
        }
        'progrun;report' {
            [CompletionResult]::new('--id', '--id', [CompletionResultType]::ParameterName, 'The part that this is about, which has a bar of its own')
            [CompletionResult]::new('--parent', '--parent', [CompletionResultType]::ParameterName, 'The part that this part belongs to')
            [CompletionResult]::new('--title', '--title', [CompletionResultType]::ParameterName, 'The label of the bar')
            [CompletionResult]::new('--message', '--message', [CompletionResultType]::ParameterName, 'What is going on now, whatever it looks like')
            [CompletionResult]::new('--total', '--total', [CompletionResultType]::ParameterName, 'How much there is: 5000 or 5KiB')
            [CompletionResult]::new('--unit', '--unit', [CompletionResultType]::ParameterName, 'What is counted: bytes, or any other word')
            [CompletionResult]::new('--eta', '--eta', [CompletionResultType]::ParameterName, 'How many seconds are left')
            [CompletionResult]::new('--status', '--status', [CompletionResultType]::ParameterName, 'How the part ended')
            [CompletionResult]::new('--check', '--check', [CompletionResultType]::ParameterName, 'Only ask whether the script is cancelled')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
    })

    $completions.Where{ $_.CompletionText -like "$wordToComplete*" } |
        Sort-Object -Property ListItemText
}
