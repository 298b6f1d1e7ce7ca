//! What the command of a list of commands is, and what its task is called unless its line says so.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt as _;

use super::path;

/// The words that make a shell run this line.
pub(super) fn of_line(line: OsString) -> Vec<OsString> {
    vec!["sh".into(), "-c".into(), line]
}

/// The last component of the program, and the number of the task.
pub(super) fn name(command: &[OsString], number: u64) -> String {
    let first = match command {
        [shell, option, line] if shell == "sh" && option == "-c" => first_word(line.as_bytes()),
        [program, ..] => program.as_bytes(),
        [] => b"",
    };
    format!("{} {number}", String::from_utf8_lossy(path::name(first)))
}

/// The program of a shell line, as far as that can be told from its words.
fn first_word(line: &[u8]) -> &[u8] {
    let is_between = |byte: &u8| byte.is_ascii_whitespace() || b"(){};&|!".contains(byte);
    let mut words = line.split(is_between).filter(|word| !word.is_empty());
    // `CC=gcc make` runs make.
    let is_assignment = |word: &&[u8]| {
        let name = word.split(|byte| *byte == b'=').next().unwrap_or_default();
        name.len() < word.len()
            && name
                .iter()
                .all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
    };
    let first = words.clone().next();
    words
        .find(|word| !is_assignment(word))
        .or(first)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_is_called_by_its_program_and_its_number() {
        let of_line = |line: &str| name(&of_line(line.into()), 3);
        assert_eq!(of_line("flac -s x"), "flac 3");
        assert_eq!(of_line("CC=gcc A=1 /usr/bin/make -j"), "make 3");
        assert_eq!(of_line("(cd x; ls)"), "cd 3");
        assert_eq!(of_line("A=1"), "A=1 3");
        assert_eq!(name(&["/bin/a b".into()], 1), "a b 1");
    }
}
