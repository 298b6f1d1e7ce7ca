//! `--timeout`, `--signal`, and how times are written.

use serde_json::json;

use super::support::{Signal, progrun, text};

#[test]
fn a_command_that_takes_too_long_is_124() {
    progrun(&["--timeout=0.01", "--", "sleep", "1000"])
        .stderr(
            "\
sleep: timed out: SIGTERM
sleep: timed out after [..]s (SIGTERM)
",
        )
        .status(124);
}

#[test]
fn a_command_that_had_to_be_killed_is_137() {
    progrun(&["--timeout=10ms", "--kill-after=10ms", "--", "sleep", "1000"])
        .inside("sh", r#"trap '' TERM; exec "$@""#)
        .stderr(
            "\
sleep: timed out: SIGTERM
sleep: no reaction in 10ms: killing
sleep: timed out after [..]s (SIGKILL)
",
        )
        .status(137);
}

#[test]
fn a_command_that_reports_is_asked() {
    // If the time is over before the first report, SIGTERM does nothing here, and the next write fails as well.
    let script = "while :; do echo 1/2 >&3; done";
    let mut run = progrun(&[
        "--json",
        "--timeout=0.2",
        "--kill-after=1h",
        "--",
        "sh",
        "-c",
        script,
    ])
    .inside("sh", r#"trap '' TERM; exec "$@""#)
    .start();
    assert_eq!(run.event("state")["reason"], "timeout");
    let ended = run.finish();
    assert_eq!(ended.finished()["state"], "cancelled");
    assert_eq!(ended.finished()["reason"], "timeout");
    assert_eq!(ended.finished()["signal"], "SIGPIPE");
    assert_eq!(ended.status.code(), Some(124));
}

#[test]
fn the_signal_of_a_timeout_can_be_chosen() {
    for (option, name) in [
        ("--signal=INT", "SIGINT"),
        ("--signal=sigusr1", "SIGUSR1"),
        ("--signal=1", "SIGHUP"),
    ] {
        let run = progrun(&["--json", "--timeout=0.01", option, "--", "sleep", "1000"]).start();
        let ended = run.finish();
        assert_eq!(ended.signals(), [format!("{name} (timeout)")]);
        assert_eq!(ended.finished()["signal"], json!(name));
        assert_eq!(ended.status.code(), Some(124));
    }
}

#[test]
fn a_timeout_of_0_and_a_huge_one_are_never_over() {
    for time in [
        "0",
        "0s",
        "1e300",
        "inf",
        "18446744073709551615",
        "1000000h",
    ] {
        progrun(&["--quiet", "--timeout", time, "--", "sh", "-c", "exit 3"]).status(3);
    }
}

#[test]
fn a_fraction_of_a_second_is_a_time() {
    for time in ["0.01", ".01", "1e-2", "10ms", "0.0000001"] {
        progrun(&["--quiet", "--timeout", time, "--", "sleep", "1000"]).status(124);
    }
}

#[test]
fn what_is_no_time_is_125() {
    for time in ["42D", "10€", "-1", "nan", "", "soon", "1h30"] {
        for option in ["--timeout", "--grace", "--kill-after"] {
            let option = format!("{option}={time}");
            let output = progrun(&[&option, "--", "echo", "ran"]).output();
            assert_eq!(output.status.code(), Some(125), "{option}");
            assert_eq!(text(&output.stdout), "");
        }
    }
}

#[test]
fn what_is_no_signal_is_125() {
    for signal in ["", "0", "-1", "99", "STOPIT", "SIG"] {
        let option = format!("--signal={signal}");
        let output = progrun(&[&option, "--", "echo", "ran"]).output();
        assert_eq!(output.status.code(), Some(125), "{option}");
        assert_eq!(
            text(&output.stderr),
            format!(
                "\
error: invalid value '{signal}' for '--signal <SIGNAL>': expected a signal such as TERM, INT or 15

For more information, try '--help'.
"
            )
        );
    }
}

#[test]
fn the_end_of_an_outer_run_is_seen_by_an_inner_one() {
    let program = env!("CARGO_BIN_EXE_progrun");
    let inner = ["--quiet", "--", "sleep", "1000"];
    let outer = [
        "--quiet",
        "--timeout=0.2",
        "--preserve-status",
        "--",
        program,
    ];
    progrun(&[&outer[..], &inner].concat()).dies_by(Signal::TERM);
}
