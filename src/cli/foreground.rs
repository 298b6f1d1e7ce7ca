//! Commands that draw their progress only in the foreground of the terminal that their output goes to: wget, top, pv,
//! scp, sftp, lftp. On progrun's pseudo-terminal, which is not their controlling terminal, pv and the like would be
//! silent, wget would write a log file, and top would end with an error. So these get the terminal itself, and look as
//! they do without progrun.
//!
//! Nothing else tells these programs from others in time, so they are recognised by their names: as the command, or in
//! the text after a shell's `-c`. A script is not read. A command that reports gets its bars.

use std::ffi::OsString;
use std::path::Path;

/// The programs, each with the options with which it shows no progress, or shows it anywhere.
const PROGRAMS: [(&str, &[char], &[&str]); 6] = [
    ("lftp", &[], &[]),
    ("pv", &['f', 'n', 'q'], &["--force", "--numeric", "--quiet"]),
    ("scp", &['q'], &[]),
    ("sftp", &['q'], &[]),
    ("top", &['b'], &["--batch-mode", "--batch"]),
    ("wget", &['b', 'q'], &["--background", "--quiet"]),
];

const SHELLS: [&str; 6] = ["ash", "bash", "dash", "ksh", "sh", "zsh"];

/// The words that may come before the program in a shell command.
const BEFORE: [&str; 9] = [
    "!", "do", "else", "env", "exec", "nice", "sudo", "then", "time",
];

/// The signs that a shell text reports to progrun.
const REPORTS: [&str; 3] = [">&3", "progrun", "PROGRUN_"];

/// Whether `command` is such a program, or a shell whose `-c` text runs one.
pub(super) fn draws_only_in_foreground(command: &[OsString]) -> bool {
    let words: Vec<&str> = command
        .iter()
        .map(|word| word.to_str().unwrap_or(""))
        .collect();
    let Some((program, arguments)) = words.split_first() else {
        return false;
    };
    if SHELLS.contains(&name(program)) {
        return text(arguments).is_some_and(has_one);
    }
    is_one(&words)
}

/// What `-c` tells a shell to run.
fn text<'a>(arguments: &[&'a str]) -> Option<&'a str> {
    let is_option = |word: &&str| word.starts_with(['-', '+']);
    let options = arguments.iter().take_while(|word| is_option(word)).count();
    let has_text = |option: &&str| {
        option.starts_with('-') && !option.starts_with("--") && option.contains('c')
    };
    let (options, rest) = arguments.split_at(options);
    options
        .iter()
        .any(has_text)
        .then_some(rest.first().copied())?
}

fn has_one(text: &str) -> bool {
    let commands = text.split(['|', '&', ';', '\n', '(', ')', '{', '}', '`']);
    let reports = REPORTS.iter().any(|report| text.contains(report));
    !reports
        && commands.into_iter().any(|command| {
            let words: Vec<&str> = command
                .split_whitespace()
                .skip_while(|word| BEFORE.contains(word))
                .collect();
            is_one(&words)
        })
}

fn is_one(words: &[&str]) -> bool {
    let Some((program, arguments)) = words.split_first() else {
        return false;
    };
    let known = PROGRAMS.iter().find(|known| known.0 == name(program));
    known.is_some_and(|(_, letters, long)| {
        !arguments
            .iter()
            .any(|word| long.contains(word) || has_letter(word, letters))
    })
}

/// Whether the word is at most four short options, and one of them is in `letters`.
fn has_letter(word: &str, letters: &[char]) -> bool {
    word.strip_prefix('-').is_some_and(|options| {
        options.len() <= 4
            && options.bytes().all(|letter| letter.is_ascii_lowercase())
            && options.contains(letters)
    })
}

/// The last part of a program's path.
fn name(program: &str) -> &str {
    let name = Path::new(program).file_name();
    name.and_then(|name| name.to_str()).unwrap_or(program)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_one(words: &[&str]) -> bool {
        let words: Vec<_> = words.iter().map(OsString::from).collect();
        draws_only_in_foreground(&words)
    }

    #[test]
    fn programs_that_ask_for_the_foreground_are_known_by_their_names() {
        for words in [
            &["wget", "http://localhost/file"][..],
            &["/usr/bin/wget", "-c", "-O", "out", "http://localhost/"],
            &["pv", "-s", "430m", "file"],
            &["scp", "-oBatchMode=yes", "a", "host:b"],
            &["sftp", "host:file", "out"],
            &["lftp", "-c", "get file"],
            &["top"],
            &["bash", "-c", "tar cf - src | pv -s 430m | zstd >o"],
            &["bash", "-e", "-c", "cd /tmp && wget http://localhost/"],
            &["sh", "-ec", "for file in a b; do scp $file host:; done"],
            &["sh", "-c", "sudo pv </dev/sda >image"],
            &["dash", "-c", "(/usr/bin/pv a)"],
        ] {
            assert!(is_one(words), "{words:?}");
        }
    }

    #[test]
    fn what_shows_it_anywhere_or_not_at_all_is_left_alone_and_so_is_what_only_speaks_of_them() {
        for words in [
            &["wget", "-q", "--show-progress", "http://localhost/"][..],
            &["wget", "--quiet", "http://localhost/"],
            &["pv", "-f", "file"],
            &["pv", "-bn", "file"],
            &["scp", "-rq", "a", "b"],
            &["top", "-b", "-n", "1"],
            &["echo", "wget"],
            &["./wget.sh"],
            &["bash", "./script", "-c", "wget"],
            &["bash", "-c", "echo wget and pv"],
            &["bash", "-c", "pv -f a >b"],
            &["bash", "-c", "wget http://localhost/; echo 1/2 >&3"],
            &["bash", "-c", "pv a; progrun report 1/2"],
            &["bash"],
            &["bash", "-c"],
            &[],
        ] {
            assert!(!is_one(words), "{words:?}");
        }
    }
}
