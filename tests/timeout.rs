//! The scenarios of GNU and uutils timeout(1), for progrun in its place, with their numbers in the list that they were
//! collected in.
//!
//! These have no meaning here:
//!
//! - 8 and 19, `-v`: each signal is always reported on stderr, and never with `--quiet`.
//! - `--foreground` in 5 and 14: the terminal is lent to a command that wants it.
//! - 28, killing a tree on Windows, where progrun does not run.
//!
//! Different on purpose: 10 (a caller's ignored SIGPIPE would take the cancellation away), 5 (signal 0 is
//! refused), 16 (the inner one is asked before anything is sent).

use std::process::Stdio;

use crate::harness::needs_that;
use crate::support::{Lifeline, Progrun, Signal, assert_text, progrun, text};

/// `progrun --quiet` with these options and this command.
fn quiet(options: &[&str], command: &[&str]) -> Progrun {
    progrun(&[&["--quiet"], options, &["--"], command].concat())
}

/// A command whose own end no scenario waits for.
const LONG: [&str; 2] = ["sleep", "1000"];

/// Runs a script with a time that is long enough for it to say `up`; how long that is depends on the machine. Returns
/// its status and the rest of its output.
fn timed_out_when_up(options: &[&str], script: &str) -> (Option<i32>, String) {
    for time in ["0.1", "1", "10", "100"] {
        let timeout = format!("--timeout={time}");
        let options = [&[timeout.as_str()], options].concat();
        let output = quiet(&options, &["sh", "-c", script]).output();
        let stdout = text(&output.stdout);
        if let Some(rest) = stdout.strip_prefix("up\n") {
            return (output.status.code(), rest.to_owned());
        }
    }
    panic!("sh does not come to its first command");
}

#[track_caller]
fn assert_refused(option: &str, value: &str, sentence: &str) {
    let given = format!("{option}={value}");
    let output = progrun(&[&given, "--", "echo", "ran"]).output();
    let placeholder = if option == "--signal" {
        "SIGNAL"
    } else {
        "TIME"
    };
    assert_text(
        &text(&output.stderr),
        &format!(
            "\
error: invalid value '{value}' for '{option} <{placeholder}>': {sentence}

For more information, try '--help'.
"
        ),
    );
    assert_eq!(output.status.code(), Some(125), "{given}");
    assert_eq!(text(&output.stdout), "");
}

const NO_TIME: &str = "expected a time such as 90s, 1h30m or 0.5";
const NO_SIGNAL: &str = "expected a name such as TERM or RTMIN+1, or a number from 1 to 64";

#[test]
fn scenario_01_a_command_that_ends_in_time_has_its_own_status() {
    for time in [
        "10",
        "1d",
        "1h",
        "10m",
        "1000s",
        "10.34",
        "10.34s",
        "1.5h",
        "0.5d",
        ".5h",
        "9.999999999",
        "9.999999999s",
        "+10",
        "1e3",
        "1e3s",
        "1h30m",
        "1d 2h 3m 4s",
    ] {
        let option = format!("--timeout={time}");
        quiet(&[&option], &["sh", "-c", "exit 2"]).status(2);
        quiet(&[&option], &["true"]).status(0);
    }
}

#[test]
fn scenario_01_the_least_time_is_not_for_ever() {
    for time in [
        "1e-10000",
        "1e-10",
        "0.00000000001",
        "1e-10000s",
        "1e-20d",
        "1ns",
        "0.001ms",
    ] {
        let option = format!("--timeout={time}");
        quiet(&[&option], &LONG).status(124);
    }
}

#[test]
fn scenario_01_every_unit_is_the_time_that_it_says() {
    for time in ["0.01", "0.01s", "10ms", "0.0002m", "1e-6h", "1e-7d"] {
        let option = format!("--timeout={time}");
        quiet(&[&option], &LONG).status(124);
    }
}

#[test]
fn scenario_02_a_timeout_of_0_is_none() {
    for time in ["0", "0.0", "0s", "0d", "0e5", "0ms"] {
        let option = format!("--timeout={time}");
        quiet(&[&option], &["sh", "-c", "sleep 0.05; exit 2"]).status(2);
    }
}

#[test]
fn scenario_03_expiry_gives_124() {
    quiet(&["--timeout=0.01"], &LONG).status(124);
}

#[test]
fn scenario_04_expiry_with_preserve_status_is_the_commands_own_end() {
    quiet(&["--timeout=0.01", "--preserve-status"], &LONG).dies_by(Signal::TERM);
    quiet(&["--timeout=0.01", "--preserve-status"], &LONG)
        .inside("bash", r#""$@"; exit "$?""#)
        .stderr("[..]Terminated[..]\n")
        .status(143);
}

#[test]
fn scenario_05_a_signal_without_effect_is_followed_by_the_others_and_137() {
    let options = ["--signal=CONT", "--kill-after=10ms", "--timeout=10ms"];
    quiet(&options, &LONG)
        .inside("sh", r#"trap '' TERM; exec "$@""#)
        .status(137);
}

#[test]
fn scenario_05_a_signal_of_kill_is_137_like_any_killing() {
    quiet(&["--signal=KILL", "--timeout=0.01"], &LONG).status(137);
}

#[test]
fn scenario_05_no_signal_at_all_is_refused() {
    let sentence = "signal 0 sends nothing; to run without a time limit, omit --timeout";
    assert_refused("--signal", "0", sentence);
}

#[test]
fn scenario_06_a_caller_that_ignores_sigchld_changes_nothing() {
    quiet(&["--timeout=0.01"], &LONG)
        .inside("sh", r#"trap '' CHLD; exec "$@""#)
        .status(124);
    quiet(&["--timeout=1h"], &["sh", "-c", "exit 2"])
        .inside("sh", r#"trap '' CHLD; exec "$@""#)
        .status(2);
}

#[test]
fn scenario_07_a_child_that_was_there_before_confuses_nothing() {
    quiet(&["--timeout=0.01"], &LONG)
        .inside("sh", r#"sleep 0.02 & exec "$@""#)
        .status(124);
}

#[test]
fn scenario_09_a_stderr_without_a_reader_is_124_and_no_broken_pipe() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let run = progrun(&[&["--timeout=0.01", "--"][..], &LONG].concat());
    assert_eq!(run.start_on(Stdio::null(), writer).wait().code(), Some(124));
}

#[test]
fn scenario_10_a_sigpipe_that_the_caller_ignores_is_not_ignored_in_the_command() {
    quiet(&["--timeout=1h"], &["yes"])
        .inside(
            "bash",
            r#"trap '' PIPE; "$@" | head -n 1; echo "${PIPESTATUS[0]}""#,
        )
        .stdout("y\n141\n")
        .status(0);
}

#[test]
fn scenario_11_a_huge_time_is_never_over() {
    for time in [
        "4294967296",
        "9223372036854775808",
        "18446744073709551616",
        "9223372036854775808d",
        "99999999999999999999h",
        "1e308d",
        "1.18973e+4932",
        "inf",
        "infinity",
    ] {
        for option in ["--timeout", "--kill-after"] {
            let option = format!("{option}={time}");
            quiet(&[&option], &["sh", "-c", "sleep 0.02; exit 2"]).status(2);
        }
    }
}

#[test]
fn scenario_11_a_negative_time_is_125() {
    for option in ["--timeout", "--grace", "--kill-after"] {
        for time in ["-1", "-0.1", "-1s", "-inf", "-0"] {
            assert_refused(option, time, "a time cannot be negative");
        }
    }
}

#[test]
fn scenario_11_a_negative_time_is_told_also_as_a_word_of_its_own() {
    progrun(&["--timeout", "-1", "--", "echo", "ran"])
        .stderr(
            "\
error: invalid value '-1' for '--timeout <TIME>': a time cannot be negative

For more information, try '--help'.
",
        )
        .status(125);
}

#[test]
fn scenario_12_what_is_no_time_and_no_signal_is_125() {
    for option in ["--timeout", "--grace", "--kill-after"] {
        for time in [
            "42D", "10x", "", "s", ".", "nan", "NaN", "1 0", "1,5", "1h30",
        ] {
            assert_refused(option, time, NO_TIME);
        }
    }
    for signal in ["invalid", "", "SIG", "-1", "9999999999"] {
        assert_refused("--signal", signal, NO_SIGNAL);
    }
}

#[test]
fn scenario_12_a_directory_is_126_and_a_missing_command_127() {
    progrun(&["--timeout=1h", "--", "/"])
        .stderr("progrun: cannot run /: it is a directory\n")
        .status(126);
    progrun(&["--timeout=1h", "--", "no-such-command-1"])
        .stderr("progrun: cannot run no-such-command-1: no such command in PATH\n")
        .status(127);
}

#[cfg(target_os = "linux")]
#[test]
fn scenario_13_signals_that_the_caller_blocked_are_taken_all_the_same() {
    // Only GNU's env can block signals; where it cannot, nothing is blocked.
    let block = r#"
        set -- --block-signal=ALRM,TERM,INT,CHLD "$@"
        env "$1" true 2>/dev/null || shift
        exec env "$@""#;
    quiet(&["--timeout=0.01"], &LONG)
        .inside("sh", block)
        .status(124);
}

#[test]
fn scenario_14_a_signal_to_progruns_group_reaches_the_command() {
    let mut run = progrun(&[&["--json", "--timeout=1h", "--"][..], &LONG].concat())
        .in_own_group()
        .start();
    run.event("started");
    run.signal_group(Signal::USR1);
    let ended = run.finish();
    assert_eq!(ended.signals(), ["SIGUSR1 (forwarded)"]);
    ended.died_by(Signal::USR1);
}

#[cfg(target_os = "linux")]
#[test]
fn scenario_15_when_progrun_is_killed_the_command_gets_sigterm() {
    let lifeline = Lifeline::new();
    // The kernel sends SIGTERM again as each thread of progrun ends (`PR_SET_PDEATHSIG`).
    let script = r#"
        trap 'trap "" TERM; echo SIGTERM >&4; exit' TERM
        exec 4>"$1"; echo up; while :; do :; done"#;
    let command = ["sh", "-c", script, "sh", lifeline.path()];
    let mut run = progrun(&[&["--json", "--timeout=1h", "--"][..], &command].concat()).start();
    run.event("output");
    run.signal(Signal::KILL);
    run.wait();
    assert_eq!(lifeline.last_words(), "SIGTERM\n");
}

/// Says that it is up, and which signal it gets.
const SAYS: &str = "
    trap 'echo got TERM; exit 5' TERM
    trap 'echo got INT; exit 5' INT
    echo up
    while :; do :; done";

#[test]
fn scenario_16_the_end_of_an_outer_time_reaches_the_command_of_an_inner_one() {
    let inner = r#""$0" --timeout=1h --kill-after=1h -- sh -c "$1""#;
    for time in ["0.2", "2", "20", "200"] {
        let timeout = format!("--timeout={time}");
        let outer = [timeout.as_str(), "--grace=1h", "--kill-after=1h"];
        let program = env!("CARGO_BIN_EXE_progrun");
        let output = quiet(&outer, &["sh", "-c", inner, program, SAYS]).output();
        assert_eq!(output.status.code(), Some(124));
        if text(&output.stdout).starts_with("up\n") {
            assert_eq!(text(&output.stdout), "up\ngot INT\n");
            assert_eq!(text(&output.stderr), "");
            return;
        }
    }
    panic!("the inner one does not come to its command");
}

#[test]
fn scenario_16_an_inner_time_that_ends_first_is_124_through_the_outer_one() {
    let program = env!("CARGO_BIN_EXE_progrun");
    let inner = [program, "--timeout=0.01", "--", "sleep", "1000"];
    quiet(&["--timeout=1h"], &inner).status(124);
}

#[cfg(target_os = "linux")]
#[test]
fn scenario_17_a_parent_that_is_init_changes_nothing() {
    let unshare = ["unshare", "--map-root-user", "--pid", "--fork"];
    let may = std::process::Command::new(unshare[0])
        .args(&unshare[1..])
        .arg("true")
        .stderr(Stdio::null())
        .status();
    let may = may.is_ok_and(|status| status.success());
    needs_that(may, "a PID namespace");
    // First sh is process 1 and progrun its child; then progrun itself is process 1.
    for script in [r#""$@"; exit "$?""#, r#"exec "$@""#] {
        let script = format!("exec {} sh -c '{script}' sh \"$@\"", unshare.join(" "));
        quiet(&["--timeout=0.01"], &LONG)
            .inside("sh", &script)
            .status(124);
    }
}

#[test]
fn scenario_18_an_unknown_option_is_125_with_the_usage() {
    progrun(&["--no-such-option", "--", "echo", "ran"])
        .stderr(
            "\
error: unexpected argument '--no-such-option' found

  tip: to pass '--no-such-option' as a value, use '-- --no-such-option'

Usage: progrun [OPTIONS] -- COMMAND [ARG]...
       progrun each [OPTIONS] -- COMMAND [ARG]... [::: VALUE...]...
       progrun tasks [OPTIONS] [FILE]
       progrun report [OPTIONS] [AMOUNT] [MESSAGE]...
       progrun ps [OPTIONS]
       progrun attach [OPTIONS] [RUN]
       progrun cancel [OPTIONS] RUN...
       progrun wait RUN
       progrun cleanup
       progrun history [OPTIONS] [NAME]
       progrun timeline [OPTIONS] [FILE]
       progrun demo
       progrun help [TOPIC]

For more information, try '--help'.
",
        )
        .status(125);
}

#[test]
fn scenario_20_a_command_that_outlives_the_signal_ends_as_it_likes() {
    for signal in ["CONT", "cont", "SIGCONT", "SigCont", "18"] {
        let signal = format!("--signal={signal}");
        let options = ["--timeout=1ms", &signal, "--kill-after=0"];
        let options = [&options[..], &["--preserve-status"]].concat();
        quiet(&options, &["sleep", "0.1"]).status(0);
    }
}

#[test]
fn scenario_20_a_signal_has_a_name_in_any_case_or_a_number() {
    for signal in ["INT", "int", "Int", "SIGINT", "sigint", "SigInt", "2"] {
        let option = format!("--signal={signal}");
        let options = ["--timeout=0.01", &option, "--preserve-status"];
        quiet(&options, &LONG).dies_by(Signal::INT);
    }
}

#[test]
fn scenario_21_a_command_that_ends_before_kill_after_is_124() {
    quiet(&["--timeout=0.01", "--kill-after=1h"], &LONG).status(124);
}

#[test]
fn scenario_22_what_a_trap_prints_at_the_end_of_the_time_is_seen() {
    assert_eq!(
        timed_out_when_up(&["--kill-after=1h"], SAYS),
        (Some(124), "got TERM\n".to_owned())
    );
    assert_eq!(
        timed_out_when_up(&["--kill-after=1h", "--signal=INT"], SAYS),
        (Some(124), "got INT\n".to_owned())
    );
}

#[test]
fn scenario_23_a_signal_to_progrun_is_handed_on_and_becomes_its_own_end() {
    for (signal, name) in [(Signal::TERM, "TERM"), (Signal::INT, "INT")] {
        let options = ["--json", "--timeout=1h", "--kill-after=1h"];
        let command = ["--", "sh", "-c", SAYS];
        let mut run = progrun(&[&options[..], &command].concat()).start();
        run.event("output");
        run.signal(signal);
        let ended = run.finish();
        assert_eq!(ended.output("stdout"), format!("up\ngot {name}\n"));
        assert_eq!(ended.finished()["exit_status"], 5);
        ended.died_by(signal);
    }
}

#[test]
fn scenario_24_a_grandchild_that_ends_in_the_background_is_not_the_end() {
    let script = "sleep 0.01 & exec sleep 1000";
    quiet(&["--timeout=0.1"], &["sh", "-c", script]).status(124);
}

#[test]
fn scenario_25_real_time_signals_are_sent() {
    for signal in ["RTMIN", "SIGRTMIN", "RTMAX", "RTMIN+1", "34", "64"] {
        let signal = format!("--signal={signal}");
        quiet(&["--timeout=0.01", &signal], &LONG).status(124);
    }
    assert_refused("--signal", "RTMIN+31", NO_SIGNAL);
}

#[test]
fn scenario_26_a_hexadecimal_time_is_refused() {
    for time in ["0x0.1d", "0x10", "0x1p4"] {
        assert_refused("--timeout", time, NO_TIME);
    }
}

#[test]
fn scenario_27_what_is_not_ascii_is_refused_like_other_junk() {
    for time in ["10€", "€", "１", "10s€"] {
        assert_refused("--timeout", time, NO_TIME);
    }
}
