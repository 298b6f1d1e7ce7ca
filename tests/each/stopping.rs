//! Ctrl-C, signals, Ctrl-Z and a killed progrun: scenarios 63 to 68.

use std::collections::BTreeSet;
use std::fs;

use rustix::process::Pid;

use super::{folder, notes};
use crate::pty::terminal;
use crate::support::{Ended, Gate, Running, Signal, progrun, state_of, until};

/// Starts `progrun each --json -jSLOTS` of a script with these values.
fn start(slots: &str, script: &str, gate: &Gate, values: &[&str]) -> Running {
    let words = [
        "each",
        "--json",
        "-j",
        slots,
        "--",
        "sh",
        "-c",
        script,
        "_",
        "{}",
        gate.path(),
        ":::",
    ];
    progrun(&[&words[..], values].concat())
        .in_own_group()
        .start()
}

/// The states in which the tasks ended, by their numbers.
fn states(ended: &Ended) -> Vec<String> {
    let mut finished = ended.all("finished");
    finished.sort_by_key(|event| event["task"].as_u64());
    let word = |event: &serde_json::Value| event["state"].as_str().unwrap().to_owned();
    finished.into_iter().map(word).collect()
}

#[test]
fn s63_after_a_ctrl_c_silent_tasks_come_to_their_end_and_no_other_starts() {
    let mut gate = Gate::new();
    let script = r#"trap 'exit 9' INT TERM; read -r _ <"$2""#;
    let mut run = start(
        "2",
        script,
        &gate,
        &["1", "2", "3", "4", "5", "6", "7", "8", "9", "10"],
    );
    run.event("started");
    run.event("started");
    run.signal_group(Signal::INT);
    // The run as a whole, and no task of it.
    assert_eq!(run.event("state")["task"], 0);
    gate.open();
    gate.open();
    let ended = run.finish();
    assert_eq!(states(&ended), ["completed"; 2]);
    assert_eq!(ended.signals(), [""; 0]);
    assert_eq!(ended.all("end")[0]["not_started"], 8);
    ended.died_by(Signal::INT);
}

#[test]
fn s64_a_second_ctrl_c_terminates_and_clean_ups_run_to_their_end() {
    // GNU parallel kills them.
    let gate = Gate::new();
    let folder = folder(&[]);
    let script = r"trap 'sleep 0.7; echo clean >>notes; exit 1' TERM; echo ready; while :; do sleep 0.05; done";
    let words = [
        "each",
        "--json",
        "-j2",
        "--",
        "bash",
        "-c",
        script,
        "_",
        "{}",
        gate.path(),
        ":::",
        "1",
        "2",
    ];
    let mut run = progrun(&words)
        .in_own_group()
        .in_folder(folder.path())
        .start();
    run.event("output");
    run.event("output");
    run.signal_group(Signal::INT);
    run.event("state");
    run.signal_again(Signal::INT);
    let ended = run.finish();
    assert_eq!(notes(folder.path()), ["clean", "clean"]);
    assert_eq!(states(&ended), ["cancelled"; 2]);
    assert_eq!(ended.signals(), ["SIGTERM (interrupt)"; 2]);
    ended.died_by(Signal::INT);
}

#[cfg(target_os = "linux")]
#[test]
fn s65_a_third_ctrl_c_leaves_no_process_of_any_task() {
    // The first ignores SIGTERM; the others end by it, and leave a process in a session of its own.
    let script = r#"
        setsid sh -c 'trap "" TERM INT; echo $$ >>notes; while :; do sleep 0.05; done' &
        test "$1" = 1 && trap '' TERM
        while ! grep -q . notes 2>/dev/null; do sleep 0.01; done
        echo ready
        while :; do sleep 0.05; done"#;
    let folder = folder(&[]);
    let words = [
        "each", "--json", "-j3", "--", "sh", "-c", script, "_", "{}", ":::", "1", "2", "3",
    ];
    let mut run = progrun(&words)
        .in_own_group()
        .in_folder(folder.path())
        .start();
    for _ in 0..3 {
        run.event("output");
    }
    until(|| notes(folder.path()).len() == 3);
    run.signal_group(Signal::INT);
    run.event("state");
    run.signal_again(Signal::INT);
    run.event("finished");
    run.event("finished");
    run.signal_again(Signal::INT);
    let ended = run.finish();
    ended.died_by(Signal::INT);
    for pid in notes(folder.path()) {
        let pid = Pid::from_raw(pid.parse().unwrap()).unwrap();
        assert!(
            matches!(state_of(pid), 'X' | 'Z'),
            "{pid} is {}",
            state_of(pid)
        );
    }
}

#[test]
fn s66_a_ctrl_c_ends_a_task_at_its_next_report_and_lets_a_silent_one_complete() {
    let mut gate = Gate::new();
    let script =
        r#"case $1 in 1) while echo 1/2 >&3; do sleep 0.02; done;; *) read -r _ <"$2";; esac"#;
    let mut run = start("2", script, &gate, &["1", "2"]);
    run.event("progress");
    run.signal_group(Signal::INT);
    let first = run.event("finished");
    assert_eq!(
        (&first["task"], &first["state"]),
        (&1.into(), &"cancelled".into())
    );
    gate.open();
    let ended = run.finish();
    assert_eq!(states(&ended), ["cancelled", "completed"]);
    assert_eq!(ended.all("end")[0]["completed"], 1);
    ended.died_by(Signal::INT);
}

#[test]
fn a_task_that_was_to_end_and_reports_after_all_is_asked_at_its_first_report() {
    let mut gate = Gate::new();
    let script = r#"read -r _ <"$2"; while echo 1/2 >&3; do sleep 0.02; done"#;
    let mut run = start("1", script, &gate, &["1"]);
    run.event("started");
    run.signal_group(Signal::INT);
    run.event("state");
    gate.open();
    let ended = run.finish();
    assert_eq!(states(&ended), ["cancelled"]);
    assert_eq!(ended.signals(), [""; 0]);
}

#[test]
fn a_task_that_does_not_end_within_the_grace_is_interrupted_and_time_goes_no_further() {
    let folder = folder(&[]);
    let script = r"trap 'echo interrupted >>notes' INT; echo ready; while :; do sleep 0.02; done";
    let words = [
        "each", "--json", "--grace", "0.1", "-j1", "--", "bash", "-c", script, "_", "{}", ":::",
        "1",
    ];
    let mut run = progrun(&words)
        .in_own_group()
        .in_folder(folder.path())
        .start();
    run.event("output");
    run.signal_group(Signal::INT);
    run.event("signal");
    until(|| !notes(folder.path()).is_empty());
    run.signal_again(Signal::INT);
    let ended = run.finish();
    assert_eq!(ended.signals(), ["SIGINT (grace)", "SIGTERM (interrupt)"]);
}

#[test]
fn s67_sigterm_reaches_silent_tasks_at_once_and_progrun_dies_by_it_after_the_last() {
    let gate = Gate::new();
    let script = r"trap 'sleep 0.3; exit 4' TERM; echo ready; while :; do sleep 0.02; done";
    let mut run = start("2", script, &gate, &["1", "2", "3"]);
    run.event("output");
    run.event("output");
    run.signal(Signal::TERM);
    let ended = run.finish();
    assert_eq!(ended.signals(), ["SIGTERM (terminate)"; 2]);
    let statuses: BTreeSet<_> = ended
        .all("finished")
        .iter()
        .map(|event| event["exit_status"].as_i64())
        .collect();
    assert_eq!(statuses, BTreeSet::from([Some(4)]));
    assert_eq!(ended.all("end")[0]["not_started"], 1);
    ended.died_by(Signal::TERM);
}

#[cfg(target_os = "linux")]
#[test]
fn s68_ctrl_z_stops_the_clocks_and_all_tasks_and_fg_continues_them() {
    let script = r#"echo $$ >>pids; pause; say "went on $1""#;
    let line = "progrun each -j2 --timeout 1.5 -- sh ./script {} ::: 1 2";
    let mut terminal = terminal().shell(script);
    terminal.types(&format!("{line}\r"));
    let folder = terminal.folder.path().to_owned();
    let pids = || -> Vec<Pid> {
        let text = fs::read_to_string(folder.join("pids")).unwrap_or_default();
        text.lines()
            .filter_map(|pid| Pid::from_raw(pid.parse().ok()?))
            .collect()
    };
    terminal.eventually("both tasks", |_| pids().len() == 2);
    terminal.types("\x1a");
    terminal.until("stopped", |screen| screen.contains("Stopped"));
    // On a busy machine a process takes its signal a little later.
    terminal.eventually("stopped tasks", |_| {
        pids().iter().all(|pid| state_of(*pid) == 'T')
    });
    // Longer than the time limit: no event tells of a time that does not pass.
    std::thread::sleep(std::time::Duration::from_secs(2));
    terminal.types("fg\r");
    terminal.eventually("continued", |_| {
        pids().iter().all(|pid| state_of(*pid) != 'T')
    });
    for _ in 0..2 {
        terminal.go();
        terminal.hears();
    }
    terminal.until("prompt", |screen| screen.trim_end().ends_with("ready>"));
}

#[cfg(target_os = "linux")]
#[test]
fn s68_when_progrun_is_killed_no_task_stays() {
    let gate = Gate::new();
    let folder = folder(&[]);
    let script = r#"trap '' INT; test "$1" = 2 && trap '' TERM; sleep 1000 & echo $$ >>notes; echo $! >>notes; echo ready; wait; wait"#;
    let words = [
        "each",
        "--json",
        "-j2",
        "--kill-after",
        "0.5",
        "--",
        "sh",
        "-c",
        script,
        "_",
        "{}",
        gate.path(),
        ":::",
        "1",
        "2",
    ];
    let mut run = progrun(&words)
        .in_own_group()
        .in_folder(folder.path())
        .start();
    run.event("output");
    run.event("output");
    run.signal(Signal::KILL);
    wait_for_the_end_of(&notes(folder.path()));
}

#[cfg(target_os = "linux")]
fn wait_for_the_end_of(pids: &[String]) {
    for pid in pids {
        let pid = Pid::from_raw(pid.parse().unwrap()).unwrap();
        until(|| matches!(state_of(pid), 'X' | 'Z'));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn s68_when_progrun_is_killed_tasks_that_have_just_started_do_not_stay() {
    let folder = folder(&[]);
    // A first line of any task is the moment: most of the others have started, but their workers hardly know it.
    let script =
        "trap '' TERM INT; sleep 1000 & echo $$ >>notes; echo $! >>notes; echo ready; wait; wait";
    let words = [
        "each",
        "--json",
        "-j32",
        "--kill-after",
        "0.3",
        "--",
        "sh",
        "-c",
        script,
        ":::",
    ];
    let values: Vec<_> = (0..32).map(|value| value.to_string()).collect();
    let values = values.iter().map(String::as_str);
    let words: Vec<_> = words.into_iter().chain(values).collect();
    let mut run = progrun(&words)
        .in_own_group()
        .in_folder(folder.path())
        .start();
    run.event("output");
    run.signal(Signal::KILL);
    // A shell that lives may note its numbers meanwhile.
    let mut known = Vec::new();
    loop {
        wait_for_the_end_of(&known);
        let now = notes(folder.path());
        if now.len() == known.len() {
            break;
        }
        known = now;
    }
    assert!(!known.is_empty());
}
