//! Commands as a person reads and pastes them: in one line, quoted for a shell, and safe to show. Knows neither tasks
//! nor how they ended.

use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt;

use crate::event::Surroundings;
use crate::list::{for_cd, is_no_program};

use super::sanitize::escape;

/// How much of a command is shown, in bytes. A value may be a megabyte long.
const LONGEST: usize = 4096;

/// The command in one line, with what it runs in. An ellipsis stands for the rest of one that is too long.
pub(crate) fn command(words: &[OsString], surroundings: Surroundings<'_>) -> String {
    let mut line = String::new();
    if let Some(folder) = surroundings.folder {
        line.push_str("(cd ");
        push(for_cd(folder).as_os_str(), &mut line);
        line.push_str(" && ");
    }
    let variables = surroundings.variables;
    if !variables.is_empty() {
        line.push_str("env ");
    }
    // Options come before assignments.
    for (name, _) in variables.iter().filter(|(_, value)| value.is_none()) {
        line.push_str("-u ");
        push(OsStr::new(name), &mut line);
        line.push(' ');
    }
    for (name, value) in variables {
        if let Some(value) = value {
            line.push_str(name);
            line.push('=');
            push(value, &mut line);
            line.push(' ');
        }
    }
    push_words(words, &mut line);
    if surroundings.folder.is_some() {
        line.push(')');
    }
    if let Some(file) = surroundings.stdin {
        line.push_str(" <");
        push(file.as_os_str(), &mut line);
    }
    line
}

fn push_words(words: &[OsString], line: &mut String) {
    for (index, word) in words.iter().enumerate() {
        if index > 0 {
            line.push(' ');
        }
        let room = LONGEST.saturating_sub(line.len());
        let long = word.as_bytes().get(..room);
        let long = long.unwrap_or(word.as_bytes());
        if index == 0 && is_no_program(long) {
            push_quoted(OsStr::from_bytes(long), line);
        } else {
            push(OsStr::from_bytes(long), line);
        }
        if word.len() > room {
            line.push('…');
            break;
        }
    }
}

fn push(word: &OsStr, line: &mut String) {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"_@%+=:,./-".contains(byte);
    let bytes = word.as_bytes();
    match word.to_str() {
        Some(text) if !text.is_empty() && bytes.iter().all(is_plain) => line.push_str(text),
        _ => push_quoted(word, line),
    }
}

fn push_quoted(word: &OsStr, line: &mut String) {
    match word.to_str() {
        Some(text) if matches!(escape(text), std::borrow::Cow::Borrowed(_)) => {
            line.push('\'');
            line.push_str(&text.replace('\'', r"'\''"));
            line.push('\'');
        }
        // Between these quotes a shell reads escapes.
        _ => {
            line.push_str("$'");
            for byte in word.as_bytes() {
                match byte {
                    b'\n' => line.push_str(r"\n"),
                    b'\t' => line.push_str(r"\t"),
                    b'\'' | b'\\' => {
                        line.push('\\');
                        line.push(char::from(*byte));
                    }
                    b' '..=b'~' => line.push(char::from(*byte)),
                    _ => {
                        let _ = write!(line, "\\{byte:03o}");
                    }
                }
            }
            line.push('\'');
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::process::Command;

    use super::*;

    fn words(words: &[&[u8]]) -> Vec<OsString> {
        let word = |word: &&[u8]| OsStr::from_bytes(word).to_owned();
        words.iter().map(word).collect()
    }

    #[test]
    fn only_what_needs_quotes_has_them_and_all_is_in_one_line() {
        let line = |list: &[&[u8]]| command(&words(list), Surroundings::default());
        assert_eq!(
            line(&[b"flac", b"-s", b"b/0210.flac"]),
            "flac -s b/0210.flac"
        );
        assert_eq!(
            line(&[b"cp", b"it's", "d é/".as_bytes(), b""]),
            r"cp 'it'\''s' 'd é/' ''"
        );
        assert_eq!(line(&[b"a=b", b"c=d", b"if"]), "'a=b' c=d if");
        assert_eq!(line(&[b"a\nb\tc\\'\xff\x1b"]), r"$'a\nb\tc\\\'\377\033'");
        let long = line(&[b"echo", &[b'x'; 5000], b"y"]);
        assert!(long.len() < 4200 && long.ends_with("x…"), "{long}");
    }

    #[test]
    fn a_shell_finds_the_folder_the_variables_and_the_stdin() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("-");
        std::fs::create_dir(&folder).unwrap();
        let file = root.path().join("a file");
        std::fs::write(&file, "in\n").unwrap();
        let variables = [
            ("HOME".to_owned(), None),
            ("A".to_owned(), Some("b c".into())),
        ];
        let surroundings = Surroundings {
            folder: Some(Path::new("-")),
            variables: &variables,
            stdin: Some(&file),
        };
        let script = r#"cat; echo "$A ${HOME-none}"; pwd"#;
        let line = command(&words(&[b"sh", b"-c", script.as_bytes()]), surroundings);
        let mut shell = Command::new("sh");
        let run = shell.args(["-c", &line]).current_dir(&root);
        let run = run.output().unwrap();
        let place = folder.canonicalize().unwrap();
        let expected = format!("in\nb c none\n{}\n", place.display());
        assert_eq!(String::from_utf8(run.stdout).unwrap(), expected);
    }

    #[test]
    fn a_shell_reads_the_same_words_back() {
        let all = words(&[
            b"printf",
            b"[%s]",
            b"it's\xff",
            b"a\nb\\n",
            b"$(id) *",
            "\u{202e}é".as_bytes(),
        ]);
        let run = |command: &mut Command| command.output().unwrap().stdout;
        let line = command(&all, Surroundings::default());
        let expected = run(Command::new(&all[0]).args(&all[1..]));
        assert_eq!(run(Command::new("bash").args(["-c", &line])), expected);
    }
}
