//! Stopping a command that reports in a format of another program: nothing that it writes to is closed, and it gets the
//! signal when its next report comes.

use std::time::{Duration, Instant};

use rustix::process::kill_process;

use crate::support::{Gate, Running, Signal, progrun};

/// The next report is not waited for when the last one is so old.
const FRESH: Duration = Duration::from_secs(5);

/// Prints a report, and another one whenever the gate `$1` opens. It ends by itself only then.
const PRINTS: &str = r#"
    trap '' USR1
    while :; do echo '{"message_type":"status","percent_done":0.5}'; read -r _ <"$1" || :; done"#;

/// The same on the channel, as dpkg does it.
const DPKG: &str = r#"
    trap '' USR1
    while :; do echo 'processing: install: it' >&3; read -r _ <"$1" || :; done"#;

/// A run of `script` that was asked to stop by `signal` and waits for a report, which has not come. `$1` is the gate.
fn waiting(options: &[&str], script: &str, gate: &Gate, signal: Signal) -> Running {
    loop {
        let start = Instant::now();
        let command = ["--json", "--", "bash", "-c", script, "bash", gate.path()];
        let mut run = progrun(&[options, &command].concat()).start();
        run.event("progress");
        run.signal(signal);
        run.event("state");
        // What is handed on shows that nothing else was sent before.
        run.signal(Signal::USR1);
        if run.event("signal")["signal"] == "SIGUSR1" {
            return run;
        }
        assert!(start.elapsed() >= FRESH, "the signal came at once");
    }
}

/// Lines that are a meter and are not redrawn.
const LINES: &str = "
    trap '' USR1
    for n in 1 2 3; do echo \"[$n/9] cc\"; sleep 0.06; done
    read -r _ <\"$1\" || :";

const PATIENT: [&str; 2] = ["--grace=1h", "--kill-after=1h"];

#[test]
fn after_a_meter_of_plain_lines_nothing_is_waited_for() {
    let gate = Gate::new();
    let command = ["--json", "--", "bash", "-c", LINES, "bash", gate.path()];
    let mut run = progrun(&[&PATIENT[..], &command].concat()).start();
    assert_eq!(run.event("progress")["source"], "meter");
    run.signal(Signal::INT);
    assert_eq!(run.event("signal")["signal"], "SIGINT");
    assert_eq!(run.finish().finished()["state"], "cancelled");
}

#[test]
fn it_gets_the_signal_when_its_next_report_comes() {
    for script in [PRINTS, DPKG] {
        for (signal, name, reason) in [
            (Signal::INT, "SIGINT", "interrupt"),
            (Signal::TERM, "SIGTERM", "terminate"),
            (Signal::HUP, "SIGHUP", "hangup"),
        ] {
            let mut gate = Gate::new();
            let mut run = waiting(&PATIENT, script, &gate, signal);
            gate.open();
            let event = run.event("signal");
            assert_eq!(
                (&event["signal"], &event["reason"]),
                (&name.into(), &reason.into())
            );
            let ended = run.finish();
            assert_eq!(ended.finished()["state"], "cancelled");
            assert_eq!(ended.finished()["signal"], name);
            ended.died_by(signal);
        }
    }
}

#[test]
fn asked_again_it_gets_the_signal_at_once_and_then_the_harder_ones() {
    let gate = Gate::new();
    let script = format!("trap '' INT TERM; {PRINTS}");
    let mut run = waiting(&PATIENT, &script, &gate, Signal::INT);
    for name in ["SIGINT", "SIGTERM", "SIGKILL"] {
        run.signal_again(Signal::INT);
        assert_eq!(run.event("signal")["signal"], name);
    }
    let ended = run.finish();
    assert_eq!(ended.finished()["signal"], "SIGKILL");
    ended.died_by(Signal::INT);
}

#[test]
fn when_the_grace_is_over_it_gets_the_signal_as_well() {
    let gate = Gate::new();
    let command = ["--json", "--", "bash", "-c", PRINTS, "bash", gate.path()];
    let mut run = progrun(&[&["--grace=10ms", "--kill-after=1h"][..], &command].concat()).start();
    run.event("progress");
    run.signal(Signal::INT);
    let ended = run.finish();
    // On a busy machine the report may be too old to wait for another one.
    let signals = ended.signals();
    assert!(
        ["SIGINT (grace)", "SIGINT (interrupt)"].contains(&signals[0].as_str()),
        "{signals:?}"
    );
    assert_eq!(signals.len(), 1);
    assert_eq!(ended.finished()["signal"], "SIGINT");
    ended.died_by(Signal::INT);
}

#[test]
fn one_that_ends_before_its_next_report_was_cancelled_all_the_same() {
    // The last words are complete only because nothing follows.
    for last in [
        "exit 0",
        r#"printf '{"message_type":"status","percent_done":0.9}'"#,
    ] {
        let mut gate = Gate::new();
        let begin = r#"trap '' USR1; echo '{"message_type":"status","percent_done":0.5}'; read -r _ <"$1"; "#;
        let run = waiting(&PATIENT, &[begin, last].concat(), &gate, Signal::INT);
        gate.open();
        let ended = run.finish();
        assert_eq!(ended.signals(), ["SIGUSR1 (forwarded)"], "{last}");
        assert_eq!(ended.finished()["state"], "cancelled");
        assert_eq!(ended.finished()["exit_status"], 0);
        ended.died_by(Signal::INT);
    }
}

#[test]
fn a_timeout_waits_for_the_next_report_as_well() {
    let gate = Gate::new();
    // It never reports again: the grace shows that it was waited for.
    let options = ["--json", "--grace=10ms", "--signal=USR2"];
    let mut time = 1;
    loop {
        let timeout = format!("--timeout={}ms", 100 << time);
        let command = [&timeout, "--", "bash", "-c", PRINTS, "bash", gate.path()];
        let ended = progrun(&[&options[..], &command].concat()).start().finish();
        assert_eq!(ended.status.code(), Some(124));
        assert_eq!(ended.finished()["signal"], "SIGUSR2");
        if ended.finished()["reports"] == 1 && ended.signals() == ["SIGUSR2 (grace)"] {
            return;
        }
        // On a busy machine it may not have come to its report in that time.
        time += 1;
        assert!(time < 6, "{:#?}", ended.events);
    }
}

/// Notes what it gets, and after a report and the signal for it goes on writing to `$2`, more than a pipe holds.
const GOES_ON: &str = r#"
    trap '' USR1
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
    let mut run = waiting(&PATIENT, &script, &gate, Signal::INT);
    gate.open();
    assert_eq!(run.event("signal")["signal"], "SIGINT");
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
    // That of `ZIG_PROGRESS` is no report of this shell: the one on stdout is.
    let mut gate = Gate::new();
    let script = r#"
        trap '' USR1; trap 'echo PIPE' PIPE; trap 'interrupted=yes; echo INT' INT
        echo '{"message_type":"status","percent_done":0.5}'
        read -r _ <"$1"
        echo '{"message_type":"status","percent_done":0.5}'
        while [ -z "$interrupted" ]; do :; done
        head -c 1000000 /dev/zero >&$ZIG_PROGRESS || echo failed
        exit 5"#;
    let mut run = waiting(&PATIENT, script, &gate, Signal::INT);
    gate.open();
    assert_eq!(
        run.event("output")["text"],
        "{\"message_type\":\"status\",\"percent_done\":0.5}\n"
    );
    let ended = run.finish();
    assert!(ended.output("stdout").ends_with("INT\n"));
    assert_eq!(ended.finished()["exit_status"], 5);
    ended.died_by(Signal::INT);
}

#[test]
fn what_it_prints_after_the_signal_is_all_there() {
    let mut gate = Gate::new();
    let script = r#"
        trap '' USR1; trap 'seq 1 20000; exit 5' INT
        echo '{"message_type":"status","percent_done":0.5}'
        read -r _ <"$1"
        while :; do echo '{"message_type":"status","percent_done":0.5}'; done"#;
    let run = waiting(&PATIENT, script, &gate, Signal::INT);
    gate.open();
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
        echo '{"message_type":"status","percent_done":0.5}'; echo 1/2 >&3
        read -r _ <"$1"
        echo '{"message_type":"status","percent_done":0.9}'; echo 2/2 >&3; exec sleep 1000"#;
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
    // When the inner one hears of it nobody knows: some report is the next one then.
    let script =
        r#"while :; do echo '{"message_type":"status","percent_done":0.5}'; sleep 0.01; done"#;
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
    // Not what the outer one reads itself in what passes through it.
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
