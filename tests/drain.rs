//! The end of the output: every byte of a command that is gone at once, however busy the machine is.
//!
//! 100 runs each; 500 with `PROGRUN_TEST_ALL=1`.

use std::fmt::Write;
use std::fs;
use std::process::{Child, Command, Stdio};

use crate::harness::everything;
use crate::support::{Gate, Lifeline, Signal, assert_text, progrun, state_of, text, until};

/// How many times the same thing is done.
fn runs() -> usize {
    if everything() { 500 } else { 100 }
}

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

/// Writes the file `$1` to stdout and stderr at once, and is gone.
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
    for run in 0..runs() {
        assert_all_there(&[], run);
    }
}

#[test]
fn not_a_byte_is_lost_where_the_output_is_a_terminal() {
    for run in 0..runs() / 5 {
        assert_all_there(&["--tty=always"], run);
    }
}

#[test]
fn not_a_byte_is_lost_in_events() {
    // Each event is checked against the schema, which takes longer than the run.
    for run in 0..runs() / 20 {
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
    for run in 0..runs() / 5 {
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
    for _ in 0..runs() {
        let script = "i=0; while [ $i -lt 300 ]; do i=$((i + 1)); echo $i/300; done >&3";
        let file = tempfile::NamedTempFile::new().unwrap();
        let json = format!("--json={}", file.path().display());
        progrun(&["--quiet", &json, "--", "sh", "-c", script]).status(0);
        let events = fs::read_to_string(file.path()).unwrap();
        assert_eq!(events.matches("\"event\":\"progress\"").count(), 300);
    }
}

#[test]
fn everybody_who_holds_the_output_is_named_with_the_stream() {
    for tty in ["--tty=never", "--tty=always"] {
        let mut gate = Gate::new();
        let log = tempfile::NamedTempFile::new().unwrap();
        let log = format!("--log={}", log.path().display());
        let holder = r#"(exec 4>&2 2>/dev/null; read -r _ <"$1") & echo $!; exec >&-"#;
        let command = ["--", "sh", "-c", holder, "sh", gate.path()];
        let output = progrun(&[&[tty, &log][..], &command].concat()).output();
        gate.open();
        let pid = text(&output.stdout);
        let pid = pid.trim();
        assert_text(
            &text(&output.stderr),
            &format!(
                "\
sh: stdout is still held by sh ({pid}); what it writes now is lost (--wait-output waits)
sh: stderr is still held by sh ({pid}); what it writes now is lost (--wait-output waits)
"
            ),
        );
        assert_eq!(output.status.code(), Some(0));
    }
}

#[test]
fn whoever_holds_the_output_is_waited_for_if_that_is_wanted() {
    for tty in ["--tty=never", "--tty=always"] {
        let mut gate = Gate::new();
        let holder = r#"(read -r _ <"$1"; echo late; echo late >&2) & echo $!; exit 7"#;
        let options = ["--json", "--wait-output", tty, "--"];
        let command = ["sh", "-c", holder, "sh", gate.path()];
        let mut run = progrun(&[&options[..], &command].concat()).start();
        let pid = run.child();
        run.event("output");
        until(|| state_of(pid) == 'Z');
        gate.open();
        let ended = run.finish();
        assert!(ended.output("stdout").ends_with("\nlate\n"), "{tty}");
        assert_eq!(ended.output("stderr"), "late\n", "{tty}");
        assert_eq!(ended.all("warning").len(), 0, "{tty}");
        assert_eq!(ended.status.code(), Some(7), "{tty}");
    }
}

#[test]
fn whoever_is_waited_for_gets_a_request_to_stop_and_is_waited_for_no_longer() {
    for tty in ["--tty=never", "--tty=always"] {
        let (mut gate, lifeline) = (Gate::new(), Lifeline::new());
        // It can hear, which a process started by & could not, and goes on.
        let holder = r#"
            exec 4>"$2"
            shopt -s lastpipe
            exec 6>&1
            { trap 'echo INT >&4' INT; echo up; read -r _ <"$1"; read -r _ <"$1"; } >&6 | exit 7"#;
        let options = ["--json", "--wait-output", "--kill-after=1h", tty, "--"];
        let command = ["bash", "-c", holder, "bash", gate.path(), lifeline.path()];
        let mut run = progrun(&[&options[..], &command].concat()).start();
        let pid = run.child();
        run.event("output");
        until(|| state_of(pid) == 'Z');
        run.signal(Signal::INT);
        let ended = run.finish();
        assert_eq!(ended.signals(), ["SIGINT (interrupt)"], "{tty}");
        assert_eq!(ended.finished()["exit_status"], 7, "{tty}");
        let warnings = ended.all("warning");
        assert_eq!(warnings.len(), 2, "{tty}: {warnings:?}");
        ended.died_by(Signal::INT);
        gate.open();
        gate.open();
        assert_eq!(lifeline.last_words(), "INT\n");
    }
}

#[test]
fn what_a_process_substitution_says_a_little_late_is_not_lost() {
    let log = tempfile::NamedTempFile::new().unwrap();
    let option = format!("--log={}", log.path().display());
    let script = "seq 1 3 > >(while read -r line; do sleep 0.02; echo \"$line\"; done)";
    progrun(&[
        "--quiet",
        "--wait-output",
        &option,
        "--",
        "bash",
        "-c",
        script,
    ])
    .stdout("1\n2\n3\n")
    .status(0);
}
