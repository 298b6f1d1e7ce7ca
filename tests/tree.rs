//! The whole tree of processes: which of them are gone after a stop, and which are left alone.
//!
//! Every process of a tree holds a pipe open, so that a test sees when none is left.

use std::fs;

use rustix::process::{Pid, kill_process, test_kill_process};

use crate::support::{Gate, Lifeline, Progrun, Running, Signal, progrun, state_of, until};

/// A script under `progrun --json` that only signals stop. `$1` is the lifeline, which it holds as descriptor 4. The
/// script and everything that it starts ignore the signals that ask it to end.
fn deaf(script: &str, lifeline: &Lifeline) -> Progrun {
    let script = format!("trap '' INT TERM PIPE HUP; exec 4>\"$1\"; {script}");
    patient(&["bash", "-c", &script, "bash", lifeline.path()])
}

fn patient(command: &[&str]) -> Progrun {
    let options = ["--json", "--grace=1h", "--kill-after=1h", "--"];
    progrun(&[&options[..], command].concat())
}

/// Leads the run up the ladder to SIGKILL, as soon as its command has reported.
#[track_caller]
fn kill(mut run: Running) {
    run.event("progress");
    run.signal(Signal::INT);
    run.event("state");
    for name in ["SIGTERM", "SIGKILL"] {
        run.signal_again(Signal::INT);
        assert_eq!(run.event("signal")["signal"], name);
    }
    let ended = run.finish();
    assert_eq!(ended.finished()["signal"], "SIGKILL");
    ended.died_by(Signal::INT);
}

#[cfg(target_os = "linux")]
#[test]
fn the_killing_reaches_descendants_in_sessions_of_their_own() {
    let lifeline = Lifeline::new();
    let script = "
        setsid sh -c 'setsid sh -c \"echo 1/2 >&3; sleep 1000; :\"; :' &
        wait";
    kill(deaf(script, &lifeline).start());
    assert_eq!(lifeline.last_words(), "");
}

#[cfg(target_os = "linux")]
#[test]
fn the_killing_reaches_daemons_that_init_adopted_long_ago() {
    let lifeline = Lifeline::new();
    // The parents of the daemon are gone before anything is reported.
    let script = "
        (setsid sh -c 'sleep 1000 & exec sleep 1000' &)
        (setsid sh -c 'echo 1/2 >&3; sleep 1000; :' &)
        sleep 1000";
    kill(deaf(script, &lifeline).start());
    assert_eq!(lifeline.last_words(), "");
}

#[cfg(target_os = "linux")]
#[test]
fn the_killing_reaches_what_a_daemon_without_our_environment_started() {
    let lifeline = Lifeline::new();
    // progrun finds the daemon by its environment, and the process without one as the daemon's child.
    let script = r"
        (setsid sh -c 'env -i sleep 1000 & echo 1/2 >&3; wait' &)
        sleep 1000";
    kill(deaf(script, &lifeline).start());
    assert_eq!(lifeline.last_words(), "");
}

#[cfg(target_os = "linux")]
#[test]
fn the_killing_reaches_every_one_of_200_that_start_each_other() {
    let lifeline = Lifeline::new();
    // Each starts the next one in a session of its own, and stays.
    let script = r#"
        export bomb='
            if [ "$1" -gt 0 ]; then setsid sh -c "$bomb" - $(($1 - 1)) & else echo 1/2 >&3; fi
            exec sleep 1000'
        sh -c "$bomb" - 200"#;
    kill(deaf(script, &lifeline).start());
    assert_eq!(lifeline.last_words(), "");
}

#[cfg(target_os = "linux")]
#[test]
fn the_killing_reaches_those_that_are_started_while_it_goes_on() {
    let lifeline = Lifeline::new();
    // The starter is in a session of its own, and the processes that it starts are orphans at once. It ends at some
    // time, for the machine's sake.
    let script = "
        setsid sh -c '
            echo 1/2 >&3
            i=0; while [ $i -lt 1000 ]; do i=$((i + 1)); (setsid sleep 1000 &); done
            exec sleep 1000' &
        sleep 1000";
    kill(deaf(script, &lifeline).start());
    assert_eq!(lifeline.last_words(), "");
}

#[test]
fn the_killing_reaches_those_that_are_stopped() {
    let lifeline = Lifeline::new();
    let script = "
        sh -c 'kill -STOP $$; :' &
        set -m
        sh -c 'kill -STOP $$; :' &
        set +m
        echo 1/2 >&3; sleep 1000";
    kill(deaf(script, &lifeline).start());
    assert_eq!(lifeline.last_words(), "");
}

#[cfg(target_os = "linux")]
#[test]
fn a_timeout_that_kills_reaches_the_whole_tree() {
    let lifeline = Lifeline::new();
    let script = r#"exec 4>"$1"; (setsid sleep 1000 &); exec sleep 1000"#;
    for signal in ["--signal=KILL", "--signal=TERM"] {
        // The tree may or may not be complete when the time is over; in either case no process may be left.
        let options = [
            "--quiet",
            "--timeout=0.3",
            "--kill-after=10ms",
            signal,
            "--",
        ];
        let command = ["sh", "-c", script, "sh", lifeline.path()];
        progrun(&[&options[..], &command].concat())
            .inside("sh", r#"trap '' TERM; exec "$@""#)
            .status(137);
    }
    assert_eq!(lifeline.last_words(), "");
}

#[test]
fn a_stopped_group_ends_at_sigterm_and_no_process_of_it_is_left() {
    let lifeline = Lifeline::new();
    let script = r#"
        exec 4>"$1"
        sh -c 'kill -STOP $$; :' &
        sh -c 'trap "" TERM; kill -STOP $$; exec sleep 1000' &
        echo up
        kill -STOP $$
        exec sleep 1000"#;
    let mut run = patient(&["sh", "-c", script, "sh", lifeline.path()]).start();
    let pid = run.child();
    run.event("output");
    until(|| state_of(pid) == 'T');
    run.signal(Signal::TERM);
    let ended = run.finish();
    assert_eq!(ended.signals(), ["SIGTERM (terminate)"]);
    assert_eq!(lifeline.last_words(), "");
}

#[test]
fn a_stop_without_killing_leaves_a_daemon_alone() {
    let (mut gate, lifeline) = (Gate::new(), Lifeline::new());
    // The command ended when it was asked; progrun must not kill a process that it left running on purpose.
    let script = r#"
        set -m
        exec 4>"$2"
        { read -r _ <"$1"; echo alive >&4; } >/dev/null 2>&1 &
        echo 1/2 >&3
        exec sleep 1000"#;
    let command = ["bash", "-c", script, "bash", gate.path(), lifeline.path()];
    let mut run = patient(&command).start();
    run.event("progress");
    run.signal(Signal::INT);
    run.event("state");
    run.signal_again(Signal::INT);
    let ended = run.finish();
    assert_eq!(ended.signals(), ["SIGTERM (interrupt)"]);
    gate.open();
    assert_eq!(lifeline.last_words(), "alive\n");
}

#[cfg(target_os = "linux")]
#[test]
fn the_killing_touches_no_other_process() {
    let (mut gate, lifeline, other) = (Gate::new(), Lifeline::new(), Lifeline::new());
    // Both start while the victim runs, one by another progrun and one by none.
    let script = "echo 1/2 >&3; sleep 1000";
    let mut victim = deaf(script, &lifeline).start();
    victim.event("started");
    let bystander = r#"exec 4>"$2"; echo up; read -r _ <"$1"; echo alive >&4"#;
    let words = ["sh", "-c", bystander, "sh", gate.path(), other.path()];
    let mut neighbour = patient(&words).start();
    neighbour.event("output");
    let mut alone = std::process::Command::new("sleep")
        .arg("1000")
        .spawn()
        .unwrap();
    kill(victim);
    assert_eq!(alone.try_wait().unwrap(), None);
    alone.kill().unwrap();
    alone.wait().unwrap();
    gate.open();
    assert_eq!(neighbour.finish().status.code(), Some(0));
    assert_eq!(other.last_words(), "alive\n");
}

#[cfg(target_os = "linux")]
#[test]
fn a_child_that_progrun_inherited_survives_the_killing() {
    let (mut gate, lifeline, other) = (Gate::new(), Lifeline::new(), Lifeline::new());
    let inherits = format!(
        r#"{{ exec 4>"{}"; read -r _ <"{}"; echo alive >&4; }} >/dev/null 2>&1 & exec "$@""#,
        other.path(),
        gate.path()
    );
    let run = deaf("echo 1/2 >&3; sleep 1000", &lifeline).inside("sh", &inherits);
    kill(run.start());
    gate.open();
    assert_eq!(other.last_words(), "alive\n");
}

#[test]
fn a_signal_that_comes_after_the_end_of_the_command_changes_nothing() {
    // More than a pipe holds, so that progrun cannot end before its events are read.
    let script = "seq 1 20000; exit 7";
    let mut run = progrun(&["--json", "--", "sh", "-c", script]).start();
    let pid = run.child();
    run.event("output");
    until(|| test_kill_process(pid).is_err());
    for signal in [Signal::USR1, Signal::USR2, Signal::WINCH] {
        run.signal(signal);
    }
    let ended = run.finish();
    assert_eq!(ended.finished()["state"], "failed");
    assert_eq!(ended.status.code(), Some(7));
}

/// A shell starts a process that keeps starting helpers, which are orphans at once; then it becomes progrun itself.
#[cfg(target_os = "linux")]
#[test]
fn the_killing_leaves_the_orphans_of_a_process_that_was_there_before_alone() {
    let (lifeline, folder) = (Lifeline::new(), tempfile::tempdir().unwrap());
    let before = r#"
        while [ ! -e over ]; do
            sh -c 'sleep 1000 >sleep.out 2>&1 & echo $!' >>helpers
        done >loop.out 2>&1 &
        echo $! >loop; exec "$@""#;
    let run = deaf("echo 1/2 >&3; sleep 1000", &lifeline)
        .inside("bash", before)
        .in_folder(folder.path());
    kill(run.start());
    assert_eq!(lifeline.last_words(), "");
    fs::write(folder.path().join("over"), "").unwrap();
    let pid = |line: &str| Pid::from_raw(line.trim().parse().unwrap()).unwrap();
    let the_loop = pid(&fs::read_to_string(folder.path().join("loop")).unwrap());
    until(|| matches!(state_of(the_loop), 'X' | 'Z'));
    let helpers = fs::read_to_string(folder.path().join("helpers")).unwrap();
    let helpers: Vec<_> = helpers.lines().map(pid).collect();
    assert!(helpers.len() > 10, "{}", helpers.len());
    let killed = helpers
        .iter()
        .filter(|helper| kill_process(**helper, Signal::KILL).is_err());
    assert_eq!(killed.count(), 0, "of {}", helpers.len());
}
