//! Many commands that end at once: every byte of their output arrives, however busy the machine is.

use std::fmt::Write;
use std::fs;
use std::process::{Child, Command, Stdio};

use super::scaled;
use crate::support::{progrun, text};

/// 200 kB whose every line is different.
fn lines(run: usize) -> String {
    let mut text = String::new();
    let mut number = 0;
    while text.len() < 200_000 {
        writeln!(text, "{run} {number}").unwrap();
        number += 1;
    }
    text
}

/// Writes the file `$1` to stdout and stderr at the same time, and ends.
const BURST: &str = r#"cat "$1" >&2 & cat "$1"; wait"#;

#[track_caller]
fn assert_all_there(options: &[&str], run: usize) {
    let folder = tempfile::tempdir().unwrap();
    let expected = lines(run);
    fs::write(folder.path().join("lines"), &expected).unwrap();
    let command = ["--", "sh", "-c", BURST, "sh", "lines"];

    let output = progrun(&[&["--quiet", "--log=log"], options, &command].concat())
        .in_folder(folder.path())
        .output();
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stdout) == expected, "stdout of run {run}");
    assert!(text(&output.stderr) == expected, "stderr of run {run}");
    let log = fs::metadata(folder.path().join("log")).unwrap();
    assert_eq!(log.len(), 2 * expected.len() as u64, "log of run {run}");
}

#[test]
fn not_a_byte_of_the_output_is_lost_at_a_fast_end() {
    for run in 0..scaled(250, 100) {
        assert_all_there(&[], run);
    }
}

#[test]
fn not_a_byte_is_lost_where_the_output_is_a_terminal() {
    for run in 0..scaled(100, 20) {
        assert_all_there(&["--tty=always"], run);
    }
}

#[test]
fn not_a_byte_is_lost_in_events() {
    // Each event is checked against the schema, which takes longer than the run.
    for run in 0..scaled(25, 5) {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(&file, lines(run)).unwrap();
        let path = file.path().to_str().unwrap();
        let command = ["--json", "--", "sh", "-c", BURST, "sh", path];
        let ended = progrun(&command).start().finish();
        assert!(ended.output("stdout") == lines(run), "stdout of run {run}");
        assert!(ended.output("stderr") == lines(run), "stderr of run {run}");
        assert_eq!(ended.all("warning").len(), 0);
    }
}

/// Keeps a processor busy until it is dropped.
struct Busy(Child);

impl Busy {
    fn new() -> Self {
        let mut command = Command::new("sh");
        command.args(["-c", "while :; do :; done"]);
        Self(command.stdout(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn not_a_byte_is_lost_on_a_busy_machine() {
    let processors = std::thread::available_parallelism().unwrap().get();
    let _busy: Vec<_> = (0..2 * processors).map(|_| Busy::new()).collect();
    for run in 0..scaled(100, 20) {
        let tty = if run % 2 == 0 {
            "--tty=auto"
        } else {
            "--tty=always"
        };
        assert_all_there(&[tty], run);
    }
}

#[test]
fn not_a_report_is_lost_at_a_fast_end() {
    for _ in 0..scaled(250, 100) {
        let script = "i=0; while [ $i -lt 300 ]; do i=$((i + 1)); echo $i/300; done >&3";
        let file = tempfile::NamedTempFile::new().unwrap();
        let json = format!("--json={}", file.path().display());
        progrun(&["--quiet", &json, "--", "sh", "-c", script]).status(0);
        let events = fs::read_to_string(file.path()).unwrap();
        assert_eq!(events.matches("\"event\":\"progress\"").count(), 300);
    }
}
