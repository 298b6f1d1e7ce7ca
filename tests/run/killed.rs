//! The command when progrun itself is killed.

use std::fs;

use rustix::process::test_kill_process_group;

use crate::harness::needs;
use crate::support::{Gate, Lifeline, Running, Signal, child, progrun, until, watcher_of};

/// A command whose group is killed 10 ms after progrun.
fn run(command: &[&str]) -> Running {
    progrun(&[&["--json", "--kill-after=10ms", "--"][..], command].concat()).start()
}

/// A command whose group is never killed.
fn run_for_ever(command: &[&str]) -> Running {
    progrun(&[&["--json", "--kill-after=0", "--"][..], command].concat()).start()
}

fn kill(mut run: Running) {
    run.signal(Signal::KILL);
    run.wait();
}

#[test]
fn a_command_that_reports_ends_at_its_next_write() {
    let (mut gate, lifeline) = (Gate::new(), Lifeline::new());
    let mut running = run_for_ever(&["sh", &child("orphan.sh"), gate.path(), lifeline.path()]);
    running.event("progress");
    kill(running);
    gate.open();
    assert_eq!(lifeline.last_words(), "cancelled\n");
}

#[test]
fn a_silent_command_gets_sigterm() {
    let lifeline = Lifeline::new();
    let script = r#"exec 4>"$1"; echo up; exec sleep 1000"#;
    let mut running = run_for_ever(&["sh", "-c", script, "sh", lifeline.path()]);
    running.event("output");
    kill(running);
    assert_eq!(lifeline.last_words(), "");
}

#[test]
fn a_group_that_ignores_everything_is_killed() {
    let lifeline = Lifeline::new();
    let script = r#"
        trap '' INT TERM HUP PIPE
        exec 4>"$1"
        sh -c 'sleep 1000; :' &
        echo up
        sleep 1000; :"#;
    let mut running = run(&["sh", "-c", script, "sh", lifeline.path()]);
    running.event("output");
    kill(running);
    assert_eq!(lifeline.last_words(), "");
}

#[test]
fn so_is_what_an_obedient_leader_leaves_behind() {
    let lifeline = Lifeline::new();
    let script = r#"exec 4>"$1"; (trap '' TERM; echo up; sleep 1000; :) & wait"#;
    let mut running = run(&["sh", "-c", script, "sh", lifeline.path()]);
    running.event("output");
    kill(running);
    assert_eq!(lifeline.last_words(), "");
}

#[test]
fn a_silent_group_is_killed_as_well() {
    let lifeline = Lifeline::new();
    let mut gate = Gate::new();
    let script = r#"trap '' TERM; exec 4>"$1"; echo >"$2"; sleep 1000; :"#;
    let running = run(&["sh", "-c", script, "sh", lifeline.path(), gate.path()]);
    let progrun = running.pid();
    gate.wait();
    // The watcher of a silent command starts a few milliseconds later.
    until(|| watcher_of(progrun).is_some());
    kill(running);
    assert_eq!(lifeline.last_words(), "");
}

#[test]
fn a_leader_that_left_its_group_is_killed_by_its_number() {
    needs(&["perl"]);
    let lifeline = Lifeline::new();
    let script = r#"
        use POSIX;
        $SIG{TERM} = "IGNORE";
        open(F, ">", $ARGV[0]);
        setpgrp(0, getpgrp(getppid()));
        $| = 1; print "up\n"; sleep 1000"#;
    let mut running = run(&["perl", "-e", script, lifeline.path()]);
    running.event("output");
    kill(running);
    assert_eq!(lifeline.last_words(), "");
}

#[test]
fn what_a_command_leaves_in_its_group_is_left_alone_by_a_normal_end() {
    let (mut gate, lifeline) = (Gate::new(), Lifeline::new());
    let script = r#"exec 4>"$2"; { read -r _ <"$1"; echo alive >&4; } >/dev/null & echo up"#;
    let running = run(&["sh", "-c", script, "sh", gate.path(), lifeline.path()]);
    assert_eq!(running.finish().finished()["exit_status"], 0);
    gate.open();
    assert_eq!(lifeline.last_words(), "alive\n");
}

#[test]
fn the_watcher_holds_nothing_of_progruns_hears_no_signal_and_is_gone_at_the_end() {
    let mut running = run(&["sh", "-c", "trap '' TERM; echo up; exec sleep 1000"]);
    let group = running.child();
    running.event("output");
    let watcher = watcher_of(running.pid()).unwrap();
    let descriptors: Vec<_> = fs::read_dir(format!("/proc/{watcher}/fd"))
        .unwrap()
        .map(|entry| fs::read_link(entry.unwrap().path()).unwrap())
        .map(|link| link.to_str().unwrap().split('[').next().unwrap().to_owned())
        .collect();
    assert_eq!(descriptors, ["pipe:", "anon_inode:"]);
    let status = fs::read_to_string(format!("/proc/{watcher}/status")).unwrap();
    let blocked = status
        .lines()
        .find_map(|line| line.strip_prefix("SigBlk:\t"));
    // All but SIGKILL, SIGSTOP and two that the C library keeps for itself.
    assert_eq!(blocked, Some("fffffffe7ffbfeff"));
    running.signal(Signal::INT);
    running.finish();
    assert!(test_kill_process_group(group).is_err(), "the group is gone");
}
