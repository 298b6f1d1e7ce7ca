//! `--on-end`: a command that runs after the run, whatever became of it.

use std::fs;
use std::path::Path;

use rustix::process::Pid;
use tempfile::TempDir;

use crate::support::{Gate, Signal, progrun, state_of, text};

/// A hook that writes what it knows to the file `told`.
const TELL: &str = r#"printf '%s\n' "$PROGRUN_NAME" "$PROGRUN_STATE" "$PROGRUN_EXIT_STATUS" \
    "$PROGRUN_SIGNAL" "$PROGRUN_ELAPSED" "$PROGRUN_LOG" >told"#;

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

#[track_caller]
fn assert_told(folder: &Path, name: &str, state: &str, status: i32, signal: &str) {
    let told = fs::read_to_string(folder.join("told")).unwrap();
    assert_eq!(
        told,
        format!("{name}\n{state}\n{status}\n{signal}\n0\n\n"),
        "{told}"
    );
}

#[test]
fn the_command_knows_how_the_run_ended() {
    for (script, state, status, signal) in [
        ("exit 0", "completed", 0, ""),
        ("exit 7", "failed", 7, ""),
        ("kill -KILL $$", "failed", 137, "SIGKILL"),
    ] {
        let folder = folder();
        let run = progrun(&["-q", "--on-end", TELL, "--", "sh", "-c", script]);
        let run = run.in_folder(folder.path()).output();
        assert_eq!(run.status.code().unwrap_or(137), status, "{run:?}");
        assert_told(folder.path(), "sh", state, status, signal);
    }
}

#[test]
fn it_runs_after_a_command_that_was_not_found_and_after_one_that_took_too_long() {
    let folder = folder();
    progrun(&["-q", "--on-end", TELL, "--", "no-such-program"])
        .in_folder(folder.path())
        .stderr("progrun: cannot run no-such-program: no such command in PATH\n")
        .status(127);
    assert_told(folder.path(), "no-such-program", "failed", 127, "");
    let late = [
        "-q",
        "--timeout",
        "0.1",
        "--on-end",
        TELL,
        "--",
        "sleep",
        "60",
    ];
    progrun(&late).in_folder(folder.path()).status(124);
    assert_told(folder.path(), "sleep", "cancelled", 124, "");
}

#[test]
fn it_runs_after_a_list_and_after_one_that_cannot_run() {
    let folder = folder();
    let each = ["each", "-q", "--on-end", TELL];
    let words = [&each[..], &["--", "test", ":::", "", "x"]].concat();
    progrun(&words).in_folder(folder.path()).status(1);
    assert_told(folder.path(), "test", "failed", 1, "");
    let words = [&each[..], &["--", "true", ":::", "x"]].concat();
    progrun(&words).in_folder(folder.path()).status(0);
    assert_told(folder.path(), "true", "completed", 0, "");
    let words = [&each[..], &["--", "no-such-program", ":::", "x"]].concat();
    let run = progrun(&words).in_folder(folder.path()).output();
    assert_eq!(run.status.code(), Some(127));
    assert_told(folder.path(), "no-such-program", "failed", 127, "");
}

#[test]
fn it_knows_the_file_of_the_log_and_finds_all_of_it_there() {
    let folder = folder();
    for log in ["--log", "--log-raw"] {
        let words = [log, "log", "--on-end", "cat \"$PROGRUN_LOG\" >&2", "--"];
        progrun(&[&words[..], &["echo", "hello"]].concat())
            .in_folder(folder.path())
            .stdout("hello\n")
            .stderr("hello\n")
            .status(0);
    }
}

#[test]
fn what_it_prints_is_no_part_of_the_output_and_it_reads_nothing() {
    let hook = "cat; echo done; echo also >&2";
    progrun(&["-q", "--on-end", hook, "--", "cat"])
        .stdin("input\n")
        .stdout("input\n")
        .stderr("done\nalso\n")
        .status(0);
}

#[test]
fn its_failure_is_told_and_changes_nothing() {
    progrun(&["-q", "--on-end", "exit 3", "--", "true"])
        .stderr("progrun: --on-end: exit status 3\n")
        .status(0);
    progrun(&[
        "-q",
        "--on-end",
        "kill -TERM $$",
        "--",
        "sh",
        "-c",
        "exit 5",
    ])
    .stderr("progrun: --on-end: killed by SIGTERM\n")
    .status(5);
    progrun(&["-q", "--on-end", "true", "--", "true"])
        .variable("PATH", "/no/such/folder")
        .stderr(
            "progrun: cannot run true: no such command in PATH\n\
             progrun: --on-end: cannot run sh: no such file or directory\n",
        )
        .status(127);
}

#[test]
fn a_progrun_in_it_is_a_run_of_its_own_that_has_no_such_command() {
    let program = env!("CARGO_BIN_EXE_progrun");
    let hook = format!(
        "echo \"${{PROGRUN_FD-}}${{PROGRUN_SOCK-}}${{PROGRUN_ON_END-}}${{PROGRUN_NOTIFY-}}\"; {program} -- echo inner"
    );
    progrun(&["-q", "--", "true"])
        .variable("PROGRUN_ON_END", &hook)
        .variable("PROGRUN_NOTIFY", "1h")
        .stderr("\ninner\n")
        .status(0);
}

#[test]
fn the_default_of_the_environment_is_for_the_outermost_run() {
    let program = env!("CARGO_BIN_EXE_progrun");
    progrun(&["-q", "--", program, "--", "true"])
        .variable("PROGRUN_ON_END", "echo over")
        .stderr("over\n")
        .status(0);
}

#[test]
fn after_a_signal_it_runs_before_progrun_ends_by_that_signal() {
    for (signal, name, status) in [
        (Signal::TERM, "SIGTERM", 143),
        (Signal::HUP, "SIGHUP", 129),
        (Signal::INT, "SIGINT", 130),
    ] {
        let folder = folder();
        let words = ["-q", "--json", "--on-end", TELL, "--", "sleep", "60"];
        let mut run = progrun(&words).in_folder(folder.path()).start();
        run.child();
        run.signal(signal);
        run.finish().died_by(signal);
        assert_told(folder.path(), "sleep", "cancelled", status, name);
    }
}

#[test]
fn it_outlives_a_terminal_that_tells_twice_that_it_is_gone() {
    let folder = folder();
    let mut gate = Gate::new();
    let hook = format!("read -r _ <{}; echo over >told", gate.path());
    let words = ["-q", "--json", "--on-end", &hook, "--", "sleep", "60"];
    let mut run = progrun(&words)
        .in_folder(folder.path())
        .in_own_group()
        .start();
    run.child();
    run.signal_group(Signal::HUP);
    run.event("finished");
    // Its shell waits at the gate by now, or will.
    run.signal_group(Signal::HUP);
    gate.open();
    run.finish().died_by(Signal::HUP);
    let told = fs::read_to_string(folder.path().join("told")).unwrap();
    assert_eq!(told, "over\n");
}

/// A run whose hook says the process number of a program that it has started. Both take no notice of signals, and the
/// program holds no stream of progrun.
fn deaf() -> (crate::support::Running, Pid) {
    let hook = "trap '' INT TERM; sleep 600 >/dev/null 2>&1 & echo $!; wait $!";
    hook_that_says_a_number(hook)
}

/// Whether the process has ended. In a container, an orphan may never be reaped.
fn is_over(pid: Pid) -> bool {
    matches!(state_of(pid), 'X' | 'Z')
}

/// A run whose hook says a process number first.
fn hook_that_says_a_number(hook: &str) -> (crate::support::Running, Pid) {
    let words = ["-q", "--on-end", hook, "--", "sh", "-c", "exit 4"];
    let mut run = progrun(&words).in_own_group().start();
    let pid = run.stderr_line().trim().parse().unwrap();
    (run, Pid::from_raw(pid).unwrap())
}

#[test]
fn ctrl_c_reaches_it_and_progrun_still_ends_as_the_run_did() {
    let words = [
        "-q",
        "--on-end",
        "echo on >&2; exec sleep 60",
        "--",
        "sh",
        "-c",
        "exit 4",
    ];
    let mut run = progrun(&words).in_own_group().start();
    assert_eq!(run.stderr_line(), "on\n");
    run.signal_group(Signal::INT);
    let end = run.finish();
    assert_eq!(end.status.code(), Some(4));
    assert_eq!(end.stderr, "progrun: --on-end: killed by SIGINT\n");
}

#[test]
fn a_second_ctrl_c_kills_a_command_that_takes_no_notice_and_all_that_it_has_started() {
    let (run, pid) = deaf();
    run.signal_group(Signal::INT);
    run.signal_again(Signal::INT);
    let end = run.finish();
    assert_eq!(end.status.code(), Some(4));
    assert_eq!(end.stderr, "progrun: --on-end: killed by SIGKILL\n");
    assert!(is_over(pid));
}

#[test]
fn a_sigterm_is_forwarded_to_it_and_followed_by_a_sigkill() {
    let words = ["-q", "--on-end", "echo on >&2; exec sleep 60", "--", "true"];
    let mut run = progrun(&words).start();
    assert_eq!(run.stderr_line(), "on\n");
    run.signal(Signal::TERM);
    let end = run.finish();
    assert_eq!(end.status.code(), Some(0));
    assert_eq!(end.stderr, "progrun: --on-end: killed by SIGTERM\n");
    let (run, pid) = deaf();
    run.signal(Signal::TERM);
    let end = run.finish();
    assert_eq!(end.status.code(), Some(4));
    assert_eq!(end.stderr, "progrun: --on-end: killed by SIGKILL\n");
    assert!(is_over(pid));
}

#[test]
fn a_sigterm_is_forwarded_to_what_the_command_has_started_but_not_to_a_daemon() {
    let hook =
        "(trap 'echo cleaned; exit' TERM; sleep 600 >/dev/null 2>&1 & echo $!; wait); echo never";
    let (mut run, pid) = hook_that_says_a_number(hook);
    run.signal(Signal::TERM);
    assert_eq!(run.stderr_line(), "cleaned\n");
    let end = run.finish();
    assert_eq!(end.stderr, "progrun: --on-end: killed by SIGTERM\n");
    assert!(is_over(pid));
    let daemon = "setsid sh -c 'echo $$; exec sleep 600 >/dev/null 2>&1' & exec sleep 600";
    let (run, pid) = hook_that_says_a_number(daemon);
    run.signal(Signal::TERM);
    let end = run.finish();
    assert_eq!(end.stderr, "progrun: --on-end: killed by SIGTERM\n");
    assert!(!is_over(pid));
    rustix::process::kill_process(pid, Signal::KILL).unwrap();
}

#[test]
fn it_has_no_signal_blocked_and_none_ignored() {
    let hook = "grep -E '^Sig(Blk|Ign)' /proc/self/status";
    let run = progrun(&["-q", "--on-end", hook, "--", "true"]).output();
    let masks = text(&run.stderr);
    let masks: Vec<u64> = masks
        .lines()
        .map(|line| u64::from_str_radix(line.split('\t').nth(1).unwrap(), 16).unwrap())
        // The real-time signals are as the caller of the tests has them.
        .map(|mask| mask & 0x7fff_ffff)
        .collect();
    assert_eq!(masks, [0, 0]);
}

#[test]
fn progrun_holds_no_event_back_while_it_runs() {
    let mut gate = Gate::new();
    let hook = format!("read -r _ <{}", gate.path());
    let mut run = progrun(&["--json", "--on-end", &hook, "--", "true"]).start();
    run.event("finished");
    gate.open();
    assert_eq!(run.finish().status.code(), Some(0));
}

#[test]
fn an_option_whose_value_needs_an_equals_sign_says_so() {
    let run = progrun(&["--notify", "5m", "--", "true"]).output();
    assert_eq!(run.status.code(), Some(125));
    assert_eq!(
        text(&run.stderr),
        "progrun: --notify takes its time after an equals sign: --notify=5m\n"
    );
}
