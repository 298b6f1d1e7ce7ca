//! Why the system refused something, in the words of our messages: the one place that makes text of its errors.

use std::io;
use std::path::Path;

/// The reason, to go after a colon: the system's own sentence, in lower case and without the number that std appends.
#[must_use]
pub(crate) fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    let Some((sentence, _)) = text.split_once(" (os error ") else {
        return text;
    };
    if error.kind() == io::ErrorKind::IsADirectory {
        return "it is a directory".to_owned();
    }
    let mut letters = sentence.chars();
    let first = letters.next().map(|first| first.to_ascii_lowercase());
    first.into_iter().chain(letters).collect()
}

/// Why the file at `path` cannot be opened. The system says of a missing folder only that something is missing.
#[must_use]
pub(crate) fn reason_at(path: &Path, error: &io::Error) -> String {
    match path.parent() {
        Some(folder)
            if error.kind() == io::ErrorKind::NotFound
                && !folder.as_os_str().is_empty()
                && !folder.exists() =>
        {
            format!("there is no directory {}", folder.display())
        }
        _ => reason(error),
    }
}

/// What failed, and why: an error with all its causes.
#[must_use]
pub(crate) fn reasons(error: &anyhow::Error) -> String {
    let causes = error.chain().map(|cause| match cause.downcast_ref() {
        Some(error) => reason(error),
        None => cause.to_string(),
    });
    causes.collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context as _;

    #[test]
    fn a_reason_is_what_the_system_says_without_its_number() {
        let reason = |number| reason(&io::Error::from_raw_os_error(number));
        assert_eq!(reason(libc::ENOSPC), "no space left on device");
        assert_eq!(reason(libc::ENOENT), "no such file or directory");
        assert_eq!(reason(libc::EISDIR), "it is a directory");
    }

    #[test]
    fn what_is_no_error_of_the_system_stays_as_it_is() {
        assert_eq!(
            reason(&io::Error::other("Bad: (os error)")),
            "Bad: (os error)"
        );
    }

    #[test]
    fn a_folder_that_is_missing_is_named() {
        let error = io::Error::from_raw_os_error(libc::ENOENT);
        for (path, expected) in [
            ("/no/such/file", "there is no directory /no/such"),
            ("/file", "no such file or directory"),
            ("file", "no such file or directory"),
        ] {
            assert_eq!(reason_at(Path::new(path), &error), expected);
        }
    }

    #[test]
    fn the_causes_follow_what_failed() {
        let error = Err::<(), _>(io::Error::from_raw_os_error(libc::EACCES));
        let error = error.context("cannot write x").unwrap_err();
        assert_eq!(reasons(&error), "cannot write x: permission denied");
    }
}
