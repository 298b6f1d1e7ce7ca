//! The notification at the end of a run, as the terminal gets it.

use std::process::Command;

use crate::harness::needs;
use crate::pty::{End, Setup, terminal};

const NOTIFY: &str = "\x1b]777;notify;job;";

/// A terminal that shows notifications by OSC 777.
fn foot() -> Setup {
    terminal().env("TERM", "foot")
}

#[test]
fn it_follows_the_last_line() {
    let mut terminal = foot().job_with(&["--notify=0"], "exit 3");
    assert_eq!(terminal.ends(), End::Status(3));
    assert_eq!(terminal.screen(), "job: failed with exit status 3 after _s");
    let text = String::from_utf8_lossy(&terminal.bytes).into_owned();
    let (before, after) = text.split_once(NOTIFY).unwrap();
    assert!(before.ends_with("s\r\r\n"), "{text:?}");
    assert!(
        after.starts_with("failed with exit status 3 after "),
        "{text:?}"
    );
    assert!(after.ends_with("s\x07"), "{text:?}");
}

#[test]
fn it_follows_the_last_line_of_a_list() {
    let words = [
        "each",
        "--notify=0",
        "--name",
        "job",
        "--",
        "false",
        ":::",
        "a",
    ];
    let program = [env!("CARGO_BIN_EXE_progrun")];
    let mut terminal = foot().run(&[&program[..], &words].concat());
    assert_eq!(terminal.ends(), End::Status(1));
    let text = String::from_utf8_lossy(&terminal.bytes).into_owned();
    let (before, after) = text.split_once(NOTIFY).unwrap();
    assert!(before.ends_with("\r\n"), "{text:?}");
    assert!(
        after.starts_with("0 of 1 completed, 1 failed after "),
        "{text:?}"
    );
    assert!(after.ends_with("s\x07"), "{text:?}");
}

#[test]
fn a_terminal_that_is_not_known_rings() {
    let mut terminal = terminal().job_with(&["--notify=0"], "exit 3");
    assert_eq!(terminal.ends(), End::Status(3));
    assert!(
        terminal.bytes.ends_with(b"\r\n\x07"),
        "{:?}",
        terminal.bytes
    );
}

#[test]
fn a_short_run_notifies_no_user_and_neither_does_one_of_a_ci_system() {
    for (setup, options) in [
        (foot(), &["--notify"][..]),
        (foot(), &["--notify=1h"]),
        (foot().env("CI", "true"), &["--notify=0"]),
        (foot().env("PROGRUN_NOTIFY", "0"), &["--quiet"]),
    ] {
        let mut terminal = setup.job_with(options, "exit 3");
        assert_eq!(terminal.ends(), End::Status(3));
        let text = String::from_utf8_lossy(&terminal.bytes).into_owned();
        assert!(
            !text.contains("\x1b]") && !text.contains('\x07'),
            "{text:?}"
        );
    }
}

#[test]
fn the_environment_asks_for_it_and_quiet_does_not_silence_the_option() {
    for (setup, options) in [
        (foot().env("PROGRUN_NOTIFY", "0"), &[][..]),
        (foot(), &["--quiet", "--notify=0"]),
    ] {
        let mut terminal = setup.job_with(options, "exit 3");
        assert_eq!(terminal.ends(), End::Status(3));
        assert!(terminal.was_sent(NOTIFY));
    }
}

#[test]
fn a_user_who_ends_the_run_by_ctrl_c_is_there() {
    let mut terminal = foot().job_with(&["--notify=5m"], "say on; exec sleep 60");
    assert_eq!(terminal.hears(), "on");
    terminal.types("\x03");
    assert_eq!(terminal.ends(), End::Signal(libc::SIGINT));
    assert!(!terminal.was_sent("\x1b]777"));
}

#[test]
fn a_run_inside_another_one_leaves_it_to_that_one() {
    let program = env!("CARGO_BIN_EXE_progrun");
    let setup = foot().env("PROGRUN_NOTIFY", "0");
    let mut terminal = setup.job_with(&[], &format!("{program} -- sh -c 'exit 3'"));
    assert_eq!(terminal.ends(), End::Status(3));
    let sent = String::from_utf8_lossy(&terminal.bytes).into_owned();
    assert_eq!(sent.matches("\x1b]777;notify").count(), 1, "{sent:?}");
}

#[test]
fn tmux_passes_it_on_and_marks_the_window() {
    needs(&["tmux"]);
    let program = env!("CARGO_BIN_EXE_progrun");
    let job = format!("{program} --notify=0 --name job -- true; exec sleep 60");
    let tmux = ["tmux", "-f", "/dev/null", "-L", "progrun-test-notify"];
    // The form is that of the terminal which tmux was started in.
    let setup = terminal()
        .env("KONSOLE_VERSION", "230804")
        .env("TMUX_TMPDIR", "/tmp");
    let start = [
        "set",
        "-g",
        "allow-passthrough",
        "on",
        ";",
        "set",
        "-g",
        "monitor-bell",
        "on",
        ";",
        "new",
        &job,
    ];
    let mut terminal = setup.run(&[&tmux[..], &start].concat());
    terminal.eventually("the notification", |terminal| {
        terminal.was_sent("\x1b]777;notify;job;completed in ")
    });
    // The sequence ends with BEL as well.
    terminal.eventually("the bell", |terminal| {
        let sent = String::from_utf8_lossy(&terminal.bytes);
        sent.matches('\x07').count() > 1
    });
    let killed = Command::new("tmux")
        .args(["-L", "progrun-test-notify", "kill-server"])
        .env("TMUX_TMPDIR", "/tmp")
        .status()
        .unwrap();
    assert!(killed.success());
}
