    if (has-value $words[..-1] --) {
        var rest = $words
        while (not-eq $rest[0] --) {
            set rest = $rest[1..]
        }
        edit:complete-sudo $@rest
    } else {
        $completions[$command]
    }
