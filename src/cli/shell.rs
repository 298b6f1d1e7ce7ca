//! Whether the command is an interactive bash. If its stderr is a terminal, bash uses that one for job control, and not
//! `/dev/tty`. On a pseudo-terminal of progrun's it would have neither jobs nor keys, and would end at the first key.

use std::ffi::OsString;

/// The names under which bash may run.
const NAMES: [&str; 3] = ["bash", "rbash", "sh"];
/// Options that take a word.
const WITH_WORD: [&str; 6] = ["--rcfile", "--init-file", "-O", "+O", "-o", "+o"];

/// Whether `command` is an interactive bash, by its name and options.
pub(super) fn is_interactive_bash(command: &[OsString]) -> bool {
    let Some((program, arguments)) = command.split_first() else {
        return false;
    };
    let name = std::path::Path::new(program).file_name();
    if !name.is_some_and(|name| NAMES.iter().any(|known| name == *known)) {
        return false;
    }
    let mut arguments = arguments.iter().map(|word| word.to_str().unwrap_or(""));
    let mut has_task = false;
    while let Some(word) = arguments.next() {
        if WITH_WORD.contains(&word) {
            arguments.next();
            continue;
        }
        // One word can have several short options.
        let has =
            |letter| word.starts_with('-') && !word.starts_with("--") && word.contains(letter);
        if has('i') {
            return true;
        }
        has_task |= has('c');
        if !word.starts_with(['-', '+']) {
            // A script, or what -c is to run.
            return false;
        }
    }
    !has_task
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_one(words: &str) -> bool {
        let words: Vec<_> = words.split(' ').map(OsString::from).collect();
        is_interactive_bash(&words)
    }

    #[test]
    fn a_shell_without_a_script_and_one_that_is_told_so_is_interactive() {
        for words in [
            "bash",
            "/bin/bash",
            "sh",
            "bash -i",
            "bash -l",
            "bash -il",
            "bash --norc --noprofile -i",
            "bash --rcfile file -i",
            "bash -O extglob -i script",
            "bash -ic commands",
        ] {
            assert!(is_one(words), "{words}");
        }
    }

    #[test]
    fn a_shell_with_a_script_or_commands_is_not_nor_is_another_program() {
        for words in [
            "bash script -i",
            "bash -c commands",
            "bash -ec commands -i",
            "bash -x script",
            "sh -c commands",
            "zsh -i",
            "make",
            "dash",
        ] {
            assert!(!is_one(words), "{words}");
        }
        assert!(!is_interactive_bash(&[]));
    }
}
