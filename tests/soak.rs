//! Many runs: nothing is lost or left over, and no run hangs.
//!
//! Each test takes some seconds; with `PROGRUN_TEST_ALL=1` up to ten times as long.

mod drain;
#[cfg(target_os = "linux")]
mod library;

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::thread;

use crate::harness::everything;
use crate::support::{Progrun, assert_text, progrun, text, until};

/// How many rounds a soak takes: `all` with `PROGRUN_TEST_ALL=1`, `some` otherwise.
pub(crate) fn scaled(all: usize, some: usize) -> usize {
    if everything() { all } else { some }
}

/// A run that uses everything: the channel, both streams (as pipes or as terminals), a file of events, a log, a spool,
/// and a socket.
fn run_in(folder: &Path, number: usize) -> Progrun {
    let script = "
        i=0; while [ $i -lt 20 ]; do i=$((i + 1)); echo $i/20; done >&3
        sleep 0.001 & echo out; echo err >&2; wait; exit $1";
    let status = (number % 3).to_string();
    let options = [
        "--quiet",
        "--output=on-failure",
        "--log=log",
        "--json=events",
        ["--tty=never", "--tty=always"][number % 2],
    ];
    let command = ["--", "sh", "-c", script, "sh", &status];
    marked(progrun(&[&options[..], &command].concat()), folder).in_folder(folder)
}

/// Puts the temporary files of a run into `folder`, and marks its processes by a variable.
fn marked(run: Progrun, folder: &Path) -> Progrun {
    let temporary = folder.join("tmp");
    run.variable("TMPDIR", temporary.to_str().unwrap())
        .variable("XDG_RUNTIME_DIR", temporary.to_str().unwrap())
        .variable("PROGRUN_SOAK", folder.to_str().unwrap())
}

#[track_caller]
fn run_and_check(folder: &Path, number: usize) {
    let output = run_in(folder, number).output();
    let status = i32::try_from(number % 3).unwrap();
    assert_eq!(output.status.code(), Some(status), "{output:?}");
    let (out, err) = if status == 0 {
        ("", String::new())
    } else {
        let how = format!("sh: failed with exit status {status} after [..], 20/20[..]\n");
        ("out\n", format!("err\n{how}"))
    };
    assert_eq!(text(&output.stdout), out);
    assert_text(&text(&output.stderr), &err);
    let events = fs::read_to_string(folder.join("events")).unwrap();
    let last = crate::support::valid_event(events.lines().last().unwrap());
    assert_eq!(
        (&last["event"], &last["reports"]),
        (&"finished".into(), &20.into())
    );
}

fn names(folder: &Path) -> Vec<OsString> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    names
}

/// Checks that a run has left only its log and its events.
fn assert_only_what_was_asked_for(folder: &Path) {
    assert_eq!(names(folder), ["events", "log", "tmp"]);
    assert_eq!(names(&folder.join("tmp")), [""; 0]);
}

/// Processes that were started by a run in `folder`. Zombies do not count: they have no environment any more.
#[cfg(target_os = "linux")]
fn left_of(folder: &Path) -> Vec<String> {
    let mark = format!("PROGRUN_SOAK={}", folder.display());
    let entries = fs::read_dir("/proc").unwrap().flatten();
    entries
        .filter(|entry| {
            let environment = fs::read(entry.path().join("environ")).unwrap_or_default();
            environment
                .split(|byte| *byte == 0)
                .any(|variable| variable == mark.as_bytes())
        })
        .map(|entry| text(&fs::read(entry.path().join("cmdline")).unwrap_or_default()))
        .collect()
}

#[test]
fn many_runs_in_a_row_leave_nothing() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("tmp")).unwrap();
    for number in 0..scaled(1000, 200) {
        run_and_check(folder.path(), number);
    }
    assert_only_what_was_asked_for(folder.path());
    #[cfg(target_os = "linux")]
    assert_eq!(left_of(folder.path()), [""; 0]);
}

#[test]
fn many_runs_at_once_leave_nothing() {
    thread::scope(|scope| {
        for number in 0..scaled(50, 20) {
            scope.spawn(move || {
                let folder = tempfile::tempdir().unwrap();
                fs::create_dir(folder.path().join("tmp")).unwrap();
                run_and_check(folder.path(), number);
                assert_only_what_was_asked_for(folder.path());
                #[cfg(target_os = "linux")]
                assert_eq!(left_of(folder.path()), [""; 0]);
            });
        }
    });
}

#[test]
fn many_runs_that_are_stopped_leave_nothing() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("tmp")).unwrap();
    for number in 0..scaled(250, 50) {
        // The time ends before, during and after the start of the command.
        let time = format!(
            "--timeout={}",
            0.0005 * f64::from(u32::try_from(number % 20).unwrap() + 1)
        );
        let script = "echo 1/2 >&3; sleep 1000 & sleep 1000";
        let options = ["--quiet", &time, "--grace=1ms", "--kill-after=1h"];
        let run = progrun(&[&options[..], &["--", "sh", "-c", script]].concat());
        let output = marked(run, folder.path()).output();
        assert_eq!(output.status.code(), Some(124), "{output:?}");
    }
    assert_eq!(names(&folder.path().join("tmp")), [""; 0]);
    #[cfg(target_os = "linux")]
    until(|| left_of(folder.path()).is_empty());
}
