//! `--timeout`, `--signal`, and how times are written.

use std::os::unix::process::ExitStatusExt;

use crate::support::{Signal, assert_text, progrun, text};

/// On a busy machine a short time may be over before the command was even started, which is another case. Returns the
/// result of `run` with the shortest time that is long enough.
#[track_caller]
fn long_enough<T>(run: impl Fn(&str) -> Option<T>) -> T {
    let times = (0..12).map(|doubled| format!("--timeout={}ms", 10 << doubled));
    let result = times.into_iter().find_map(|option| run(&option));
    result.expect("20 s are enough")
}

/// The messages of progrun about a `sleep` that takes too long.
fn told(options: &[&str], shell: &str, status: i32) -> String {
    long_enough(|timeout| {
        let command = [timeout, "--", "sleep", "1000"];
        let output = progrun(&[options, &command].concat())
            .inside("sh", shell)
            .output();
        let stderr = text(&output.stderr);
        let started = stderr.contains("terminating");
        assert!(!started || output.status.code() == Some(status), "{stderr}");
        started.then_some(stderr)
    })
}

#[test]
fn a_command_that_takes_too_long_is_124() {
    assert_text(
        &told(&[], r#"exec "$@""#, 124),
        "\
sleep: timed out after [..]: terminating; SIGKILL in 5s
sleep: timed out after [..]s (SIGTERM)[..]
",
    );
}

#[test]
fn a_command_that_had_to_be_killed_is_137() {
    assert_text(
        &told(&["--kill-after=10ms"], r#"trap '' TERM; exec "$@""#, 137),
        "\
sleep: timed out after [..]: terminating; SIGKILL in 10ms
sleep: no response after 10ms: timed out after [..]: killing
sleep: timed out after [..]s (SIGKILL)[..]
",
    );
}

#[test]
fn a_time_that_is_over_before_the_command_is_started_is_124_as_well() {
    progrun(&["--quiet", "--timeout=1ns", "--", "sleep", "1000"]).status(124);
}

#[test]
fn a_command_that_reports_is_asked() {
    // If the time is over before the first report, progrun sends SIGTERM. It is ignored here, and the next write fails
    // all the same.
    let command = ["--", "sh", "-c", "while :; do echo 1/2 >&3; done"];
    let ended = long_enough(|timeout| {
        let options = ["--json", timeout, "--kill-after=1h"];
        let run =
            progrun(&[&options[..], &command].concat()).inside("sh", r#"trap '' TERM; exec "$@""#);
        Some(run.start().finish()).filter(|ended| ended.events[0]["event"] == "started")
    });
    assert_eq!(ended.all("state")[0]["reason"], "timeout");
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
        let ended = long_enough(|timeout| {
            let run = progrun(&["--json", timeout, option, "--", "sleep", "1000"]);
            Some(run.start().finish()).filter(|ended| ended.events[0]["event"] == "started")
        });
        assert_eq!(ended.signals(), [format!("{name} (timeout)")]);
        assert_eq!(ended.finished()["signal"], name);
        assert_eq!(ended.status.code(), Some(124));
    }
}

#[test]
fn preserve_status_gives_the_commands_own() {
    long_enough(|timeout| {
        let options = ["--preserve-status", "--quiet", timeout];
        let status = progrun(&[&options[..], &["--", "sleep", "1000"]].concat())
            .output()
            .status;
        (status.signal() == Some(Signal::TERM.as_raw())).then_some(())
    });
}

#[test]
fn an_outer_run_ends_an_inner_one() {
    let inner = [
        env!("CARGO_BIN_EXE_progrun"),
        "--quiet",
        "--",
        "sleep",
        "1000",
    ];
    long_enough(|timeout| {
        let options = ["--preserve-status", "--quiet", timeout, "--"];
        let status = progrun(&[&options[..], &inner].concat()).output().status;
        (status.signal() == Some(Signal::TERM.as_raw())).then_some(())
    });
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
    let unknown = "expected a name such as TERM or RTMIN+1, or a number from 1 to 64";
    let nothing = "signal 0 sends nothing; to run without a time limit, omit --timeout";
    for (signal, why) in [
        ("", unknown),
        ("0", nothing),
        ("-1", unknown),
        ("99", unknown),
        ("STOPIT", unknown),
        ("SIG", unknown),
    ] {
        let option = format!("--signal={signal}");
        let output = progrun(&[&option, "--", "echo", "ran"]).output();
        assert_eq!(output.status.code(), Some(125), "{option}");
        assert_eq!(
            text(&output.stderr),
            format!(
                "\
progrun: invalid value '{signal}' for --signal: {why}
For more information, try 'progrun --help'.
"
            )
        );
    }
}
