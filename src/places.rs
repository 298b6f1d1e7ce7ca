//! The folder in which progrun keeps what outlives a run: `$XDG_STATE_HOME/progrun`, as the XDG Base Directory
//! Specification has it. Knows nothing of what is kept there.

use std::ffi::OsString;
use std::path::PathBuf;

/// The user's folder for state, whether it exists or not; none if the environment names no home.
#[must_use]
pub(crate) fn state_folder() -> Option<PathBuf> {
    state_folder_by(|name| std::env::var_os(name))
}

fn state_folder_by(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    // The specification has a relative path ignored: it would be another folder in each directory.
    let absolute = |name| {
        variable(name)
            .map(PathBuf::from)
            .filter(|it| it.is_absolute())
    };
    let base = absolute("XDG_STATE_HOME").or_else(|| Some(absolute("HOME")?.join(".local/state")));
    base.map(|base| base.join("progrun"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn state_is_below_the_home_unless_the_environment_names_another_absolute_folder() {
        let folder = |home: &str, state: &str| {
            let (home, state) = (home.to_owned(), state.to_owned());
            let folder = state_folder_by(move |name| {
                let value = if name == "HOME" { &home } else { &state };
                (!value.is_empty()).then(|| value.into())
            });
            folder.map(|folder| folder.display().to_string())
        };
        let usual = Some("/home/me/.local/state/progrun".to_owned());
        assert_eq!(folder("/home/me", ""), usual);
        assert_eq!(folder("/home/me", "state"), usual);
        assert_eq!(folder("", "/var/me"), Some("/var/me/progrun".to_owned()));
        assert_eq!(folder("", ""), None);
    }
}
