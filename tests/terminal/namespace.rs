//! In a PID namespace, as in a container: the group and the session of a process outside have no number there.

use std::process::Command;

use crate::harness::{needs, needs_that, one};
use crate::pty::{End, terminal};

const CTRL_C: &str = "\x03";

/// The tests in which progrun looks at the processes above it.
const LENDING: [&str; 4] = [
    "terminal::jobs::a_nested_run_whose_terminal_a_report_of_another_took_asks_for_it_again",
    "terminal::lending::a_question_is_asked_without_bars_and_they_come_back_with_the_next_report",
    "terminal::lending::a_shell_that_takes_the_terminal_by_itself_leaves_it_to_us",
    "terminal::lending::a_parent_that_waits_for_a_shell_that_died_with_the_terminal_has_it_next",
];

/// The command that runs another one in a new namespace, if this user may make one.
fn unshare() -> Vec<&'static str> {
    needs(&["unshare"]);
    let mut unshare = vec!["unshare", "--pid", "--fork", "--mount-proc"];
    if !rustix::process::geteuid().is_root() {
        unshare.push("--map-root-user");
    }
    let tried = Command::new("unshare")
        .args(&unshare[1..])
        .arg("true")
        .output();
    needs_that(tried.unwrap().status.success(), "a PID namespace");
    unshare
}

#[test]
fn in_a_namespace_the_terminal_is_lent_and_taken_back_as_ever() {
    let unshare = unshare();
    for name in LENDING {
        let test = one(name);
        let status = Command::new("unshare")
            .args(&unshare[1..])
            .arg(test.get_program())
            .args(test.get_args())
            .status();
        assert!(status.unwrap().success(), "{name}");
    }
}

#[test]
fn the_first_process_reaps_the_orphans_that_come_to_it() {
    let mut command = unshare();
    let progrun = env!("CARGO_BIN_EXE_progrun");
    command.extend(["--kill-child", progrun, "--", "sh", "script"]);
    let mut terminal = terminal().job_of(
        &command,
        "orphan=$(sh -c '(read -r _ <go) >/dev/null & echo $!'); say waits
         while [ -e /proc/$orphan ]; do :; done; say reaped",
    );
    assert_eq!(terminal.hears(), "waits");
    terminal.go();
    assert_eq!(terminal.hears(), "reaped");
    assert_eq!(terminal.ends(), End::Status(0));
}

#[test]
fn a_job_whose_group_has_no_number_is_drawn_and_cancelled_at_once_but_cannot_be_given_the_terminal()
{
    let mut command = unshare();
    command.extend([
        env!("CARGO_BIN_EXE_progrun"),
        "--name",
        "job",
        "--",
        "sh",
        "script",
    ]);
    let mut terminal = terminal().job_of(&command, "echo 1/3 >&3; pause; read -r name");
    terminal.shows("33%  1/3");
    terminal.go();
    terminal.shows("job: the command is waiting for the terminal, which progrun cannot give it");
    // The next report will not come, so progrun does not wait for it.
    terminal.types(CTRL_C);
    terminal.shows("job: cancelled after _s (SIGINT), 1/3");
    assert_eq!(terminal.ends(), End::Status(130));
}
