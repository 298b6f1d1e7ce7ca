//! Quoting for a shell: command lines that a person can paste, and values in a line that a shell is to run. Does not
//! know where in such a line a value may stand.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// The shells whose single quotes keep all bytes but the quote itself.
const KNOWN: [&str; 13] = [
    "sh", "ash", "bash", "bosh", "dash", "ksh", "ksh93", "lksh", "mksh", "oksh", "posh", "yash",
    "zsh",
];

/// The words that mean something to a shell where a command begins.
const RESERVED: [&[u8]; 22] = [
    b"case",
    b"do",
    b"done",
    b"elif",
    b"else",
    b"esac",
    b"fi",
    b"for",
    b"function",
    b"if",
    b"in",
    b"select",
    b"then",
    b"time",
    b"until",
    b"while",
    b"coproc",
    b"repeat",
    b"foreach",
    b"end",
    b"nocorrect",
    b"noglob",
];

/// Checks that values can be quoted for this shell.
///
/// # Errors
/// A sentence, if its quotes are not known to be those of sh.
pub(super) fn check(shell: &OsStr) -> Result<(), String> {
    let name = shell.as_bytes().rsplit(|byte| *byte == b'/').next();
    if name.is_some_and(|name| KNOWN.iter().any(|known| known.as_bytes() == name)) {
        return Ok(());
    }
    Err(format!(
        "--shell={shell}: progrun quotes values for sh, bash, dash, ksh, zsh and their like, and does not know the \
         quotes of {shell}; let the command name it, and give it the values as arguments: -- {shell} -c '...' {{}}",
        shell = shell.display()
    ))
}

/// Appends `word` in single quotes.
pub(super) fn quote_always(word: &[u8], to: &mut Vec<u8>) {
    to.push(b'\'');
    for byte in word {
        if *byte == b'\'' {
            to.extend(b"'\\''");
        } else {
            to.push(*byte);
        }
    }
    to.push(b'\'');
}

/// How many bytes [`quote_always`] appends.
pub(super) fn quoted_length(word: &[u8]) -> usize {
    word.len() + 2 + 3 * memchr::memchr_iter(b'\'', word).count()
}

/// Appends `word`, in quotes if a shell would read anything else into it.
pub(super) fn quote(word: &[u8], to: &mut Vec<u8>) {
    let is_plain = |byte: &u8| {
        byte.is_ascii_alphanumeric()
            || matches!(
                byte,
                b'_' | b'@' | b'%' | b'+' | b'=' | b':' | b',' | b'.' | b'/' | b'-'
            )
    };
    // zsh replaces `=word` by the path of a program.
    if !word.is_empty() && word[0] != b'=' && word.iter().all(is_plain) {
        to.extend(word);
    } else {
        quote_always(word, to);
    }
}

/// Whether a shell takes this first word of a command for something else, if it has no quotes: `a=b` is an assignment.
pub(crate) fn is_no_program(word: &[u8]) -> bool {
    word.contains(&b'=') || RESERVED.contains(&word)
}

/// The folder as `cd` takes it: one that begins with a hyphen would be an option, and `-` the folder before.
pub(crate) fn for_cd(folder: &Path) -> Cow<'_, Path> {
    if folder.as_os_str().as_bytes().starts_with(b"-") {
        Path::new(".").join(folder).into()
    } else {
        folder.into()
    }
}

/// The line that makes a shell run these words.
pub(crate) fn command_line(words: &[OsString]) -> Vec<u8> {
    let mut line = Vec::new();
    for (index, word) in words.iter().enumerate() {
        let word = word.as_bytes();
        if index > 0 {
            line.push(b' ');
        }
        if index == 0 && is_no_program(word) {
            quote_always(word, &mut line);
        } else {
            quote(word, &mut line);
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn line(words: &[&str]) -> String {
        let words: Vec<_> = words.iter().map(OsString::from).collect();
        String::from_utf8(command_line(&words)).unwrap()
    }

    #[test]
    fn only_the_words_that_need_quotes_have_them() {
        assert_eq!(line(&["cp", "it's", "d e/"]), r"cp 'it'\''s' 'd e/'");
        assert_eq!(
            line(&["a-b_c", "x=1", "--o=a,b:c@d%e+f", "./g"]),
            "a-b_c x=1 --o=a,b:c@d%e+f ./g"
        );
        assert_eq!(
            line(&["x", "", "~", "$a", "*", "\n", "=ls", "ü"]),
            "x '' '~' '$a' '*' '\n' '=ls' 'ü'"
        );
    }

    #[test]
    fn the_first_word_is_neither_an_assignment_nor_a_keyword() {
        assert_eq!(line(&["a=b", "c=d"]), "'a=b' c=d");
        assert_eq!(line(&["if", "if"]), "'if' if");
        assert_eq!(line(&["!"]), "'!'");
    }

    #[test]
    fn a_shell_whose_quotes_are_others_is_refused_with_a_way_out() {
        for shell in ["sh", "/bin/bash", "zsh"] {
            assert_eq!(check(OsStr::new(shell)), Ok(()));
        }
        assert_eq!(
            check(OsStr::new("fish")).unwrap_err(),
            "--shell=fish: progrun quotes values for sh, bash, dash, ksh, zsh and their like, and does not know the \
             quotes of fish; let the command name it, and give it the values as arguments: -- fish -c '...' {}"
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, cases: 60, ..ProptestConfig::default() })]

        #[test]
        fn a_shell_reads_the_same_words_back(words in vec(vec(1_u8.., 0..12), 1..40)) {
            let mut all = vec![OsString::from("printf"), OsString::from("%s\\0")];
            all.extend(words.iter().map(|word| OsStr::from_bytes(word).to_owned()));
            for (shell, program) in [("sh", "printf"), ("bash", "printf")] {
                all[0] = OsString::from(program);
                let output = Command::new(shell)
                    .arg("-c")
                    .arg(OsStr::from_bytes(&command_line(&all)))
                    .output()
                    .unwrap();
                let mut expected = Vec::new();
                for word in &words {
                    expected.extend(word);
                    expected.push(0);
                }
                prop_assert_eq!(output.stdout, expected);
            }
        }

        #[test]
        fn the_length_of_a_quoted_word_is_known_beforehand(word: Vec<u8>) {
            let mut quoted = Vec::new();
            quote_always(&word, &mut quoted);
            prop_assert_eq!(quoted.len(), quoted_length(&word));
        }
    }
}
