//! Stopping a command that reports in a format of another program: it gets the signal at once, as without progrun, and
//! progrun closes nothing that the command writes to.

use rustix::process::kill_process;

use crate::support::{Gate, Running, Signal, progrun};

/// Prints a report, and waits at the gate `$1`.
const PRINTS: &str =
    r#"echo '{"message_type":"status","percent_done":0.5,"total_bytes":8}'; read -r _ <"$1""#;

/// As [`PRINTS`], but on the channel, as dpkg does it.
const DPKG: &str = r#"echo 'processing: install: it' >&3; read -r _ <"$1""#;

/// As [`PRINTS`], with a line that is redrawn.
const METER: &str = r#"for n in 1 2 3 4; do printf "\r$n/9 w"; sleep 0.06; done; read -r _ <"$1""#;

/// As [`PRINTS`], with lines that are not redrawn.
const LINES: &str = r#"for n in 1 2 3 4; do echo "[$n/9] cc"; sleep 0.06; done; read -r _ <"$1""#;

const PATIENT: [&str; 2] = ["--grace=1h", "--kill-after=1h"];

/// A run of `script`, which has reported. `$1` is the gate.
fn reporting(script: &str, gate: &Gate) -> Running {
    let command = ["--json", "--", "bash", "-c", script, "bash", gate.path()];
    let mut run = progrun(&[&PATIENT[..], &command].concat()).start();
    run.event("progress");
    run
}

#[test]
fn it_gets_the_signal_at_once() {
    for script in [PRINTS, DPKG, METER, LINES] {
        for (signal, name, reason) in [
            (Signal::INT, "SIGINT", "interrupt"),
            (Signal::TERM, "SIGTERM", "terminate"),
            (Signal::HUP, "SIGHUP", "hangup"),
        ] {
            let gate = Gate::new();
            let run = reporting(script, &gate);
            run.signal(signal);
            let ended = run.finish();
            assert_eq!(ended.signals(), [format!("{name} ({reason})")]);
            assert_eq!(ended.finished()["state"], "cancelled");
            assert_eq!(ended.finished()["signal"], name);
            ended.died_by(signal);
        }
    }
}

#[test]
fn asked_again_it_gets_the_harder_ones() {
    let gate = Gate::new();
    let script = format!("trap '' INT TERM; {PRINTS}");
    let mut run = reporting(&script, &gate);
    run.signal(Signal::INT);
    assert_eq!(run.event("signal")["signal"], "SIGINT");
    for name in ["SIGTERM", "SIGKILL"] {
        run.signal_again(Signal::INT);
        assert_eq!(run.event("signal")["signal"], name);
    }
    let ended = run.finish();
    assert_eq!(ended.finished()["signal"], "SIGKILL");
    ended.died_by(Signal::INT);
}

/// Writes the report `$2` to descriptor `$3` until it gets SIGINT, and then more than a pipe holds. Says which signals
/// it got.
const GOES_ON: &str = r#"
    trap 'echo PIPE' PIPE
    trap 'interrupted=yes; echo INT' INT
    echo "$2" >&$3
    read -r _ <"$1"
    while [ -z "$interrupted" ]; do echo "$2" >&$3 || exit; done
    head -c 1000000 /dev/zero >&$3 || echo failed
    echo "$2" >&$3 || echo failed
    echo went on
    exit 5"#;

#[track_caller]
fn assert_goes_on(format: &str, first: &str, descriptor: &str) {
    let mut gate = Gate::new();
    let script = format!("set -- \"$1\" '{first}' {descriptor}\n{GOES_ON}");
    let mut run = reporting(&script, &gate);
    run.signal(Signal::INT);
    assert_eq!(run.event("signal")["signal"], "SIGINT");
    gate.open();
    let ended = run.finish();
    assert_eq!(ended.output("stdout"), "INT\nwent on\n", "{format}");
    assert_eq!(ended.output("stderr"), "", "{format}");
    assert_eq!(ended.all("progress")[0]["source"], format);
    assert_eq!(ended.finished()["exit_status"], 5, "{format}");
    ended.died_by(Signal::INT);
}

#[test]
fn a_channel_that_is_another_programs_is_read_to_the_end_and_never_closed() {
    for (format, first) in [
        ("apt", "pmstatus:dpkg-exec:0.0000:Running dpkg"),
        ("dpkg", "processing: install: it"),
        ("e2fsck", "1 0 32 /dev/sda1"),
        ("gpg", "[GNUPG:] PROGRESS file ? 0 409600 KiB"),
        ("ffmpeg", "out_time_us=46440\nprogress=continue"),
    ] {
        assert_goes_on(format, first, "3");
    }
}

#[test]
fn the_descriptor_of_zig_is_never_closed_either() {
    // The shell's report is on stdout. Its bytes on the `ZIG_PROGRESS` descriptor are none.
    let gate = Gate::new();
    let script = r#"
        trap 'echo PIPE' PIPE; trap 'interrupted=yes; echo INT' INT
        echo '{"message_type":"status","percent_done":0.5,"total_bytes":8}'
        while [ -z "$interrupted" ]; do :; done
        head -c 1000000 /dev/zero >&$ZIG_PROGRESS || echo failed
        exit 5"#;
    let run = reporting(script, &gate);
    run.signal(Signal::INT);
    let ended = run.finish();
    assert!(ended.output("stdout").ends_with("INT\n"));
    assert_eq!(ended.finished()["exit_status"], 5);
    ended.died_by(Signal::INT);
}

#[test]
fn what_it_prints_after_the_signal_is_all_there() {
    let gate = Gate::new();
    let script = r#"
        trap 'seq 1 20000; exit 5' INT
        while :; do echo '{"message_type":"status","percent_done":0.5,"total_bytes":8}'; done"#;
    let run = reporting(script, &gate);
    run.signal(Signal::INT);
    let ended = run.finish();
    let output = ended.output("stdout");
    let numbers: String = (1..=20000)
        .map(|number| number.to_string() + "\n")
        .collect();
    assert!(output.ends_with(&numbers));
    assert_eq!(ended.finished()["exit_status"], 5);
}

#[test]
fn one_that_also_reports_on_the_channel_is_asked_there() {
    let mut gate = Gate::new();
    let script = r#"
        echo '{"message_type":"status","percent_done":0.5,"total_bytes":8}'; echo 1/2 >&3
        read -r _ <"$1"
        echo '{"message_type":"status","percent_done":0.9,"total_bytes":8}'; echo 2/2 >&3; exec sleep 1000"#;
    let command = ["--json", "--", "sh", "-c", script, "sh", gate.path()];
    let mut run = progrun(&[&PATIENT[..], &command].concat()).start();
    while run.event("progress")["source"] != serde_json::Value::Null {}
    run.signal(Signal::INT);
    run.event("state");
    gate.open();
    let ended = run.finish();
    assert_eq!(ended.signals(), [""; 0]);
    assert_eq!(ended.finished()["signal"], "SIGPIPE");
    ended.died_by(Signal::INT);
}

#[test]
fn the_outer_run_that_is_cancelled_reaches_a_command_of_the_inner_one_that_prints() {
    let script = r#"while :; do echo '{"message_type":"status","percent_done":0.5,"total_bytes":8}'; sleep 0.01; done"#;
    let program = env!("CARGO_BIN_EXE_progrun");
    let inner = [
        program,
        "--grace=1h",
        "--from=restic",
        "--",
        "bash",
        "-c",
        script,
    ];
    let options = ["--json", "--grace=1h", "--kill-after=1h", "--"];
    let mut run = progrun(&[&options[..], &inner].concat()).start();
    let inner = run.child();
    // A report of the inner run has no source. The outer run also reads the output that passes through it, with a
    // source.
    let by_the_inner = |event: serde_json::Value| {
        event["info"]["percentage"] == 50 && event["source"] == serde_json::Value::Null
    };
    while !by_the_inner(run.event("progress")) {}
    run.signal(Signal::INT);
    run.event("state");
    let ended = run.finish();
    assert_eq!(ended.signals(), [""; 0]);
    assert_eq!(ended.finished()["signal"], "SIGINT");
    assert!(kill_process(inner, Signal::CONT).is_err());
    ended.died_by(Signal::INT);
}
