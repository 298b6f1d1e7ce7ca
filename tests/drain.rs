//! The end of the output: progrun names a process that still holds it, or waits for that process. That no byte is lost
//! is tested in `tests/soak/drain.rs`.

use crate::support::{Gate, Lifeline, Signal, assert_text, progrun, state_of, text, until};

#[test]
fn each_process_that_holds_the_output_is_named_with_the_stream() {
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
sh: stdout is still held open by sh ({pid}); further output is lost (use --wait-output to wait)
sh: stderr is still held open by sh ({pid}); further output is lost (use --wait-output to wait)
"
            ),
        );
        assert_eq!(output.status.code(), Some(0));
    }
}

#[test]
fn a_process_that_holds_the_output_is_waited_for_if_that_is_wanted() {
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
fn a_process_that_is_waited_for_gets_a_request_to_stop_and_is_waited_for_no_longer() {
    for tty in ["--tty=never", "--tty=always"] {
        let (mut gate, lifeline) = (Gate::new(), Lifeline::new());
        // A member of a pipeline can trap SIGINT, which a shell ignores in a process started by `&`. It goes on after
        // the signal.
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
