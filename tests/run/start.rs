//! How the command becomes a process: the search for its program, its arguments and environment, and the errors.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Output};

use crate::support::{progrun, text};

/// A file in `folder` with these permissions.
fn file(folder: &Path, name: &str, mode: u32, content: &str) -> String {
    let path = folder.join(name);
    fs::write(&path, content).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
    path.into_os_string().into_string().unwrap()
}

#[test]
fn a_script_without_a_first_line_is_run_by_the_shell() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), "script", 0o755, "echo \"$0\" \"$@\"; exit 7");
    progrun(&["--quiet", "--", &path, "a  b", "c"])
        .stdout(&format!("{path} a  b c\n"))
        .status(7);
    progrun(&["--quiet", "--", "./script"])
        .in_folder(folder.path())
        .stdout("./script\n")
        .status(7);
    progrun(&["--quiet", "--", "script", "a"])
        .variable("PATH", &format!("/none:{}", folder.path().display()))
        .stdout(&format!("{path} a\n"))
        .status(7);
}

#[test]
fn what_may_not_be_run_does_not_end_the_search_in_path_and_is_told_if_nothing_else_is_found() {
    let [first, second] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let denied = file(first.path(), "it", 0o644, "#!/bin/sh\necho first");
    let path = format!("/none:{denied}:{}:", first.path().display());
    progrun(&["--", "it"])
        .variable("PATH", &path)
        .stderr(&format!(
            "progrun: cannot run it: permission denied (to make it executable: chmod +x {denied})\n"
        ))
        .status(126);
    progrun(&["--", "nothing"])
        .variable("PATH", &path)
        .stderr("progrun: cannot run nothing: no such command in PATH\n")
        .status(127);
    file(second.path(), "it", 0o755, "#!/bin/sh\necho second");
    progrun(&["--", "it"])
        .variable("PATH", &format!("{path}{}", second.path().display()))
        .stdout("second\n")
        .status(0);
    // The last entry is empty: the current directory.
    progrun(&["--", "it"])
        .variable("PATH", &path)
        .in_folder(second.path())
        .stdout("second\n")
        .status(0);
}

#[test]
fn a_program_without_a_name_is_not_found() {
    progrun(&["--", ""])
        .stderr("progrun: cannot run the command: its name is empty\n")
        .status(127);
}

/// Runs progrun with a command of this length, by as short a path as possible. Fails if the system refuses that.
fn with_words(folder: &Path, length: usize) -> std::io::Result<Output> {
    let (words, rest) = (length / 1000, length % 1000);
    Command::new("./p")
        .current_dir(folder)
        .env_clear()
        .args(["--quiet", "--", "/bin/true", &"x".repeat(rest)])
        .args(vec!["x".repeat(999 - size_of::<usize>()); words])
        .output()
}

#[cfg(target_os = "linux")]
#[test]
fn arguments_that_are_too_long_with_the_variables_of_the_run_are_told() {
    let folder = tempfile::tempdir().unwrap();
    symlink(env!("CARGO_BIN_EXE_progrun"), folder.path().join("p")).unwrap();
    // The greatest length with which progrun itself can be started.
    let (mut possible, mut impossible) = (0, 8 * 1024 * 1024);
    while impossible - possible > 1 {
        let middle = usize::midpoint(possible, impossible);
        match with_words(folder.path(), middle) {
            Ok(_) => possible = middle,
            Err(_) => impossible = middle,
        }
    }
    let output = with_words(folder.path(), possible).unwrap();
    assert_eq!(
        text(&output.stderr),
        "progrun: cannot run /bin/true: argument list too long\n"
    );
    assert_eq!(output.status.code(), Some(126));
}

#[cfg(target_os = "linux")]
#[test]
fn the_environment_passes_byte_for_byte_and_in_its_order() {
    let output = Command::new(env!("CARGO_BIN_EXE_progrun"))
        .args(["--", "/bin/cat", "/proc/self/environ"])
        .env_clear()
        .envs([
            ("B", "2\n\u{e4}"),
            ("A", "=1"),
            ("_", ""),
            ("PROGRUN_FD", "9"),
        ])
        .output()
        .unwrap();
    let all = text(&output.stdout);
    let all: Vec<_> = all.split_terminator('\0').collect();
    // `Command` sorts the variables that it is given.
    assert_eq!(all[..4], ["A==1", "B=2\n\u{e4}", "_=", "PROGRUN_FD=3"]);
    let names = all[4..]
        .iter()
        .map(|variable| variable.split_once('=').unwrap().0);
    let mut names: Vec<_> = names.collect();
    names.sort_unstable();
    assert_eq!(names, ["PROGRUN_FD_ID", "PROGRUN_SOCK", "ZIG_PROGRESS"]);
    let unsorted = r#"exec env -i Z=1 Y=2 X=3 "$@""#;
    let output = progrun(&["--", "/bin/cat", "/proc/self/environ"])
        .inside("sh", unsorted)
        .output();
    assert!(text(&output.stdout).starts_with("Z=1\0Y=2\0X=3\0PROGRUN_FD=3\0"));
}

#[cfg(target_os = "linux")]
#[test]
fn without_dev_null_only_what_has_to_discard_output_fails() {
    let inside = |arguments: &[&str]| {
        progrun(arguments).inside(
            "sh",
            r#"exec unshare -rm sh -c 'mount -t tmpfs none /dev && exec "$@"' sh "$@""#,
        )
    };
    crate::harness::needs(&["unshare"]);
    let made = Command::new("unshare").args(["-rm", "true"]).status();
    crate::harness::needs_that(made.unwrap().success(), "a mount namespace");
    inside(&["--", "echo", "it"]).stdout("it\n").status(0);
    inside(&["--output=none", "--from=none", "--", "true"])
        .stderr("progrun: creating a pipe failed: /dev/null: no such file or directory\n")
        .status(125);
}
