
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
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Stop the command after this time, such as 90s or 1h30m (0 = no limit)')
            [CompletionResult]::new('--grace', '--grace', [CompletionResultType]::ParameterName, 'Time to stop voluntarily before SIGINT is sent (0 = no limit)')
            [CompletionResult]::new('--kill-after', '--kill-after', [CompletionResultType]::ParameterName, 'Delay between one signal and the next, stronger one (0 = never send it)')
            [CompletionResult]::new('--signal', '--signal', [CompletionResultType]::ParameterName, 'Signal sent on timeout to a command that does not report progress')
            [CompletionResult]::new('--progress', '--progress', [CompletionResultType]::ParameterName, 'How to show progress')
            [CompletionResult]::new('--name', '--name', [CompletionResultType]::ParameterName, 'Name shown for the run [default: the last component of COMMAND]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Whether to draw bars in color')
            [CompletionResult]::new('--from', '--from', [CompletionResultType]::ParameterName, 'Other programs'' progress formats to read: auto, none, or a list of names')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Write events as JSON, one per line, to stdout or to FILE')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How much of the command''s output to show')
            [CompletionResult]::new('--log', '--log', [CompletionResultType]::ParameterName, 'Also write the command''s output to FILE')
            [CompletionResult]::new('--tty', '--tty', [CompletionResultType]::ParameterName, 'Whether to run the command on a pseudo-terminal')
            [CompletionResult]::new('--fd', '--fd', [CompletionResultType]::ParameterName, 'Descriptor number of the channel on which the command reports, 3 to 255')
            [CompletionResult]::new('--preserve-status', '--preserve-status', [CompletionResultType]::ParameterName, 'Exit with the command''s own status even after Ctrl-C or a timeout')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print no progress and no messages of progrun''s own')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print no progress and no messages of progrun''s own')
            [CompletionResult]::new('--list-formats', '--list-formats', [CompletionResultType]::ParameterName, 'List the formats for --from, and how to enable each in its program')
            [CompletionResult]::new('--wait-output', '--wait-output', [CompletionResultType]::ParameterName, 'Wait until all processes have closed the command''s output (as a pipeline does)')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print a summary (-h) or the full help (--help)')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print a summary (-h) or the full help (--help)')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print the version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print the version')
            [CompletionResult]::new('report', 'report', [CompletionResultType]::ParameterValue, 'Report progress from a script, and learn whether it is cancelled')
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
    })

    $completions.Where{ $_.CompletionText -like "$wordToComplete*" } |
        Sort-Object -Property ListItemText
}
