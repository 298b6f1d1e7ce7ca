//! No clock runs while a run is stopped. The tests stop runs by SIGSTOP for longer than the time limit.

use std::thread;
use std::time::Duration;

use rustix::process::{Pid, kill_process};

use crate::support::{Gate, Running, Signal, pid_in, progrun, state_of, until};

/// A time limit, and a stop that is longer. The runs themselves need a fraction of a second.
const TIMEOUT: &str = "--timeout=3s";
const LONGER: Duration = Duration::from_millis(3500);

/// A command that has reported and waits at the gate.
fn waiting(gate: &Gate) -> (Running, Pid) {
    let script = r#"echo "{\"pid\": $$}" >&3; read -r _ <"$1""#;
    let mut run = progrun(&[
        TIMEOUT,
        "--json",
        "--",
        "sh",
        "-c",
        script,
        "sh",
        gate.path(),
    ])
    .start();
    let command = pid_in(&run.event("progress")["info"]["pid"]);
    (run, command)
}

fn stop_for_long(pid: Pid) {
    kill_process(pid, Signal::STOP).unwrap();
    until(|| state_of(pid) == 'T');
    thread::sleep(LONGER);
    kill_process(pid, Signal::CONT).unwrap();
}

#[track_caller]
fn assert_no_timeout(run: Running, gate: &mut Gate) {
    gate.open();
    let ended = run.finish();
    assert_eq!(
        ended.finished()["state"],
        "completed",
        "{:#?}",
        ended.events
    );
    let elapsed = ended.finished()["elapsed"].as_f64().unwrap();
    assert!(elapsed < 3.0, "{elapsed} s");
    assert_eq!(ended.status.code(), Some(0));
}

#[test]
fn no_clock_runs_while_progrun_is_stopped() {
    let mut gate = Gate::new();
    let (run, _) = waiting(&gate);
    stop_for_long(run.pid());
    assert_no_timeout(run, &mut gate);
}

/// With a terminal the clock stops: `no_clock_runs_while_the_child_alone_is_stopped` in `tests/terminal`.
#[test]
fn where_there_is_no_terminal_the_clock_of_a_command_that_is_stopped_goes_on() {
    let command = [
        "--quiet",
        "--timeout=100ms",
        "--",
        "sh",
        "-c",
        "kill -STOP $$",
    ];
    progrun(&command)
        .inside("sh", r#"exec setsid --wait "$@""#)
        .status(124);
}

#[test]
fn no_clock_runs_while_both_are_stopped_by_ctrl_z() {
    let mut gate = Gate::new();
    let script = r#"echo "{\"pid\": $$}" >&3; read -r _ <"$1""#;
    // SIGTSTP stops nothing in an orphaned process group. A group of its own is not orphaned, wherever this test runs.
    let mut run = progrun(&[
        TIMEOUT,
        "--json",
        "--",
        "sh",
        "-c",
        script,
        "sh",
        gate.path(),
    ])
    .in_own_group()
    .start();
    let command = pid_in(&run.event("progress")["info"]["pid"]);
    run.signal(Signal::TSTP);
    until(|| state_of(run.pid()) == 'T' && state_of(command) == 'T');
    thread::sleep(LONGER);
    run.signal(Signal::CONT);
    until(|| state_of(command) != 'T');
    assert_no_timeout(run, &mut gate);
}

#[test]
fn a_stop_of_the_command_is_no_excuse_once_it_was_asked_to_end() {
    let gate = Gate::new();
    let script = r#"echo "{\"pid\": $$}" >&3; read -r _ <"$1""#;
    let options = ["--grace=10ms", "--kill-after=1h", "--json"];
    let command = ["--", "sh", "-c", script, "sh", gate.path()];
    let mut run = progrun(&[&options[..], &command].concat()).start();
    let command = pid_in(&run.event("progress")["info"]["pid"]);
    kill_process(command, Signal::STOP).unwrap();
    until(|| state_of(command) == 'T');
    run.signal(Signal::INT);
    let ended = run.finish();
    assert_eq!(ended.signals(), ["SIGINT (grace)"]);
    ended.died_by(Signal::INT);
}
