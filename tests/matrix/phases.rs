//! The matrix, written out: one table for each phase. `docs/process-control.md` shows the same tables.

use std::fmt::Write;
use std::sync::OnceLock;

use super::scene::{Phase, SIGNALS, Wrapper, measure};
use crate::support::assert_text;

/// The measured table of a phase. A line for each signal: what the command received, the events, and how progrun ended.
pub(crate) fn table(phase: Phase) -> &'static str {
    static TABLES: [OnceLock<String>; 10] = [const { OnceLock::new() }; 10];
    TABLES[phase as usize].get_or_init(|| {
        let mut table = String::new();
        for (name, signal) in SIGNALS {
            let cell = measure(Wrapper::Progrun, phase, signal);
            let _ = writeln!(
                table,
                "| {name:5} | {:14} | {:52} | {:18} |",
                cell.received, cell.told, cell.ended
            );
        }
        table
    })
}

#[track_caller]
fn assert_table(phase: Phase, expected: &str) {
    assert_text(table(phase), expected);
}

#[test]
fn a_command_that_reports_is_asked_by_what_asks_to_stop_and_handed_the_rest() {
    assert_table(
        Phase::Reporting,
        "\
| INT   | PIPE           | cancelling (interrupt)                               | SIGINT             |
| TERM  | PIPE           | cancelling (terminate)                               | SIGTERM            |
| HUP   | PIPE           | cancelling (hangup)                                  | SIGHUP             |
| QUIT  | QUIT CONT      | SIGQUIT (forwarded)                                  | 7                  |
| USR1  | USR1           | SIGUSR1 (forwarded)                                  | 7                  |
| USR2  | USR2           | SIGUSR2 (forwarded)                                  | 7                  |
| WINCH | WINCH          |                                                      | 7                  |
| TSTP  | TSTP CONT      |                                                      | stops; then 7      |
| CONT  |                |                                                      | 7                  |
",
    );
}

#[test]
fn a_command_that_never_reported_gets_the_signal_itself() {
    assert_table(
        Phase::Silent,
        "\
| INT   | INT CONT       | cancelling (interrupt), SIGINT (interrupt)           | SIGINT             |
| TERM  | TERM CONT      | cancelling (terminate), SIGTERM (terminate)          | SIGTERM            |
| HUP   | HUP CONT       | cancelling (hangup), SIGHUP (hangup)                 | SIGHUP             |
| QUIT  | QUIT CONT      | SIGQUIT (forwarded)                                  | 7                  |
| USR1  | USR1           | SIGUSR1 (forwarded)                                  | 7                  |
| USR2  | USR2           | SIGUSR2 (forwarded)                                  | 7                  |
| WINCH | WINCH          |                                                      | 7                  |
| TSTP  | TSTP CONT      |                                                      | stops; then 7      |
| CONT  |                |                                                      | 7                  |
",
    );
}

#[test]
fn a_command_that_was_asked_is_terminated_by_whatever_asks_again() {
    assert_table(
        Phase::Cancelling,
        "\
| INT   | TERM CONT PIPE | SIGTERM (interrupt)                                  | SIGINT             |
| TERM  | TERM CONT PIPE | SIGTERM (interrupt)                                  | SIGINT             |
| HUP   | TERM CONT PIPE | SIGTERM (interrupt)                                  | SIGINT             |
| QUIT  | QUIT CONT PIPE | SIGQUIT (forwarded)                                  | SIGINT             |
| USR1  | USR1 PIPE      | SIGUSR1 (forwarded)                                  | SIGINT             |
| USR2  | USR2 PIPE      | SIGUSR2 (forwarded)                                  | SIGINT             |
| WINCH | WINCH PIPE     |                                                      | SIGINT             |
| TSTP  | TSTP CONT PIPE |                                                      | stops; then SIGINT |
| CONT  | PIPE           |                                                      | SIGINT             |
",
    );
}

#[test]
fn a_command_that_was_terminated_is_killed_by_whatever_asks_again() {
    assert_table(
        Phase::Terminating,
        "\
| INT   | KILL           | SIGKILL (interrupt)                                  | SIGINT             |
| TERM  | KILL           | SIGKILL (interrupt)                                  | SIGINT             |
| HUP   | KILL           | SIGKILL (interrupt)                                  | SIGINT             |
| QUIT  | QUIT CONT PIPE | SIGQUIT (forwarded)                                  | SIGINT             |
| USR1  | USR1 PIPE      | SIGUSR1 (forwarded)                                  | SIGINT             |
| USR2  | USR2 PIPE      | SIGUSR2 (forwarded)                                  | SIGINT             |
| WINCH | WINCH PIPE     |                                                      | SIGINT             |
| TSTP  | TSTP CONT PIPE |                                                      | stops; then SIGINT |
| CONT  | PIPE           |                                                      | SIGINT             |
",
    );
}

#[test]
fn a_process_that_holds_stdout_after_the_command_gets_the_signal_and_is_waited_for_no_longer() {
    assert_table(
        Phase::Draining,
        "\
| INT   | INT CONT       | cancelling (interrupt), SIGINT (interrupt), warning  | SIGINT, at once    |
| TERM  | TERM CONT      | cancelling (terminate), SIGTERM (terminate), warning | SIGTERM, at once   |
| HUP   | HUP CONT       | cancelling (hangup), SIGHUP (hangup), warning        | SIGHUP, at once    |
| QUIT  | QUIT CONT      | SIGQUIT (forwarded)                                  | 7                  |
| USR1  | USR1           | SIGUSR1 (forwarded)                                  | 7                  |
| USR2  | USR2           | SIGUSR2 (forwarded)                                  | 7                  |
| WINCH | WINCH          |                                                      | 7                  |
| TSTP  | TSTP CONT      |                                                      | stops; then 7      |
| CONT  |                |                                                      | 7                  |
",
    );
}

#[test]
fn what_comes_at_once_after_a_request_is_the_same_key_press() {
    assert_table(
        Phase::SamePress,
        "\
| INT   | PIPE           |                                                      | SIGINT             |
| TERM  | PIPE           |                                                      | SIGINT             |
| HUP   | PIPE           |                                                      | SIGINT             |
| QUIT  | QUIT CONT PIPE | SIGQUIT (forwarded)                                  | SIGINT             |
| USR1  | USR1 PIPE      | SIGUSR1 (forwarded)                                  | SIGINT             |
| USR2  | USR2 PIPE      | SIGUSR2 (forwarded)                                  | SIGINT             |
| WINCH | WINCH PIPE     |                                                      | SIGINT             |
| TSTP  | TSTP CONT PIPE |                                                      | stops; then SIGINT |
| CONT  | PIPE           |                                                      | SIGINT             |
",
    );
}

#[test]
fn what_was_ignored_at_the_start_does_nothing() {
    assert_table(
        Phase::Ignored,
        "\
| INT   |                |                                                      | 7                  |
| TERM  |                |                                                      | 7                  |
| HUP   |                |                                                      | 7                  |
| QUIT  |                |                                                      | 7                  |
| USR1  |                |                                                      | 7                  |
| USR2  |                |                                                      | 7                  |
| WINCH |                |                                                      | 7                  |
| TSTP  |                |                                                      | 7                  |
| CONT  |                |                                                      | 7                  |
",
    );
}

#[test]
fn what_was_blocked_at_the_start_does_what_it_does_otherwise() {
    assert_table(
        Phase::Blocked,
        "\
| INT   | INT CONT       | cancelling (interrupt), SIGINT (interrupt)           | SIGINT             |
| TERM  | TERM CONT      | cancelling (terminate), SIGTERM (terminate)          | SIGTERM            |
| HUP   | HUP CONT       | cancelling (hangup), SIGHUP (hangup)                 | SIGHUP             |
| QUIT  | QUIT CONT      | SIGQUIT (forwarded)                                  | 7                  |
| USR1  | USR1           | SIGUSR1 (forwarded)                                  | 7                  |
| USR2  | USR2           | SIGUSR2 (forwarded)                                  | 7                  |
| WINCH | WINCH          |                                                      | 7                  |
| TSTP  | TSTP CONT      |                                                      | stops; then 7      |
| CONT  |                |                                                      | 7                  |
",
    );
}

#[test]
fn a_command_that_reports_as_another_program_gets_the_signal_at_once() {
    assert_table(
        Phase::Printing,
        "\
| INT   | INT CONT report | cancelling (interrupt), SIGINT (interrupt)           | SIGINT             |
| TERM  | TERM CONT report | cancelling (terminate), SIGTERM (terminate)          | SIGTERM            |
| HUP   | HUP CONT report | cancelling (hangup), SIGHUP (hangup)                 | SIGHUP             |
| QUIT  | QUIT CONT report | SIGQUIT (forwarded)                                  | 7                  |
| USR1  | USR1 report    | SIGUSR1 (forwarded)                                  | 7                  |
| USR2  | USR2 report    | SIGUSR2 (forwarded)                                  | 7                  |
| WINCH | WINCH report   |                                                      | 7                  |
| TSTP  | TSTP CONT report |                                                      | stops; then 7      |
| CONT  | report         |                                                      | 7                  |
",
    );
}
