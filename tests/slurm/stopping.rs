//! Tasks that are asked to end: by the user, and by Slurm.

use std::time::{Duration, Instant};

use crate::cluster::{Cluster, DEAF, ON, POLITE, WAITS, lasts, until};
use crate::support::{Gate, Running, Signal};

/// Waits until so many tasks say that they are ready.
fn are_ready(run: &mut Running, count: usize) {
    for _ in 0..count {
        assert_eq!(run.event("output")["text"], "ready\n");
    }
}

#[test]
fn after_ctrl_c_every_task_tidies_up_and_is_cancelled() {
    let cluster = Cluster::new();
    let run = cluster.each(POLITE, "", &["1", "2", "3"]);
    let mut run = run.in_own_group().start();
    are_ready(&mut run, 3);
    let since = Instant::now();
    run.signal_group(Signal::INT);
    let ended = run.finish();
    let ends = ended.all("finished");
    let states: Vec<_> = ends.iter().map(|event| &event["state"]).collect();
    assert_eq!(states, ["cancelled"; 3]);
    assert!(ends.iter().all(|event| event["reason"] == "interrupt"));
    assert_eq!(
        ended.output("stdout"),
        "ready\n".repeat(3) + &"tidied\n".repeat(3)
    );
    ended.died_by(Signal::INT);
    cluster.is_clean("Ctrl-C, tasks that heed it", since);
}

#[test]
fn after_ctrl_c_again_and_again_stubborn_tasks_are_killed() {
    let cluster = Cluster::new();
    // The next step comes with the next Ctrl-C only.
    let words = [
        "-q", "--json", "--on", "slurm", "--grace", "1", "--", "sh", "-c", DEAF,
    ];
    let mut run = cluster.progrun(&words).in_own_group().start();
    are_ready(&mut run, 1);
    let since = Instant::now();
    run.signal(Signal::INT);
    assert_eq!(run.event("signal")["signal"], "SIGINT");
    run.signal_again(Signal::INT);
    assert_eq!(run.event("signal")["signal"], "SIGTERM");
    run.signal_again(Signal::INT);
    assert_eq!(run.event("signal")["signal"], "SIGKILL");
    let ended = run.finish();
    assert_eq!(ended.finished()["state"], "cancelled");
    assert_eq!(ended.finished()["signal"], "SIGKILL");
    cluster.is_clean("Ctrl-C three times, a deaf task", since);
}

#[test]
fn after_ctrl_c_tasks_that_are_queued_leave_the_queue_at_once() {
    let cluster = Cluster::with(1, &[("SLURM_FIXTURE_CPUS", "1")]);
    let mut gate = Gate::new();
    // Takes its time, so that the others do not begin because it has ended.
    let script = "trap 'read -r _ <\"$1\"; exit 0' INT; echo ready; while :; do sleep 0.1; done";
    let words = [
        "each", "-q", "--json", "-j3", "--on", "slurm", "--grace", "1", "--", "sh", "-c", script,
        "sh",
    ];
    let words = [&words[..], &[gate.path(), "{}", ":::", "1", "2", "3"]].concat();
    let mut run = cluster.progrun(&words).in_own_group().start();
    are_ready(&mut run, 1);
    until("two are queued", || {
        cluster.jobs() == ["PENDING", "PENDING", "RUNNING"]
    });
    run.signal_group(Signal::INT);
    until("none is queued", || cluster.jobs() == ["RUNNING"]);
    let since = Instant::now();
    gate.open();
    let ended = run.finish();
    // Without a number are those that never ran.
    let ran = ended
        .all("started")
        .into_iter()
        .filter(|event| event.get("pid").is_some());
    assert_eq!(ran.count(), 1);
    assert_eq!(ended.all("finished")[0]["state"], "cancelled");
    ended.died_by(Signal::INT);
    cluster.is_clean("Ctrl-C, one runs and two are queued", since);
}

#[test]
fn a_task_that_slurm_cancels_is_cancelled_and_has_not_failed() {
    let cluster = Cluster::new();
    let mut run = cluster.one(POLITE, "").start();
    are_ready(&mut run, 1);
    let since = Instant::now();
    let user = cluster
        .command("squeue")
        .args(["-h", "-o", "%i"])
        .output()
        .unwrap();
    let job = crate::support::text(&user.stdout);
    assert!(
        cluster
            .command("scancel")
            .arg(job.trim())
            .status()
            .unwrap()
            .success()
    );
    let ended = run.finish();
    assert_eq!(ended.finished()["state"], "cancelled");
    assert_eq!(ended.finished()["reason"], "terminate");
    assert_eq!(ended.output("stdout"), "ready\ntidied\n");
    cluster.is_clean("scancel", since);
}

#[test]
fn a_task_that_slurm_cancels_while_it_is_queued_is_one_that_never_ran() {
    let cluster = Cluster::with(1, &[("SLURM_FIXTURE_CPUS", "1")]);
    let mut gate = Gate::new();
    let mut first = cluster.one(WAITS, gate.path()).start();
    are_ready(&mut first, 1);
    let second = cluster.one(WAITS, gate.path()).start();
    until("one is queued", || cluster.jobs() == ["PENDING", "RUNNING"]);
    let scancel = cluster.command("scancel").arg("--state=PENDING").status();
    assert!(scancel.unwrap().success());
    let ended = second.finish();
    assert_eq!(ended.finished()["state"], "cancelled");
    assert_eq!(ended.finished()["reason"], "terminate");
    assert_eq!(ended.all("started").len(), 0);
    ended.died_by(Signal::TERM);
    gate.open();
    assert_eq!(first.finish().status.code(), Some(0));
    cluster.is_clean("scancel while queued", Instant::now());
}

#[test]
fn a_task_whose_time_limit_is_over_is_cancelled_and_has_not_failed() {
    let cluster = Cluster::new();
    let words = ["--slurm", "--time=1", "--", "sh", "-c", POLITE];
    let words = [&["-q", "--json"], &ON[..], &words].concat();
    let mut run = cluster.progrun(&words).start();
    are_ready(&mut run, 1);
    // Slurm tells the task itself as well as its agent: the task may be over before the agent has said that it is to end.
    let ended = run.finish();
    let since = Instant::now();
    assert_eq!(ended.finished()["state"], "cancelled");
    assert_eq!(ended.finished()["reason"], "terminate");
    assert_eq!(ended.output("stdout"), "ready\ntidied\n");
    cluster.is_clean("the time limit", since);
}

#[test]
fn a_run_that_is_stopped_by_ctrl_z_for_longer_than_the_lease_goes_on_after_it() {
    let cluster = Cluster::new();
    let mut gate = Gate::new();
    let mut run = cluster.one(WAITS, gate.path()).start();
    are_ready(&mut run, 1);
    run.signal(Signal::TSTP);
    let pid = run.pid();
    until("progrun is stopped", || {
        crate::support::state_of(pid) == 'T'
    });
    lasts(Duration::from_secs(6));
    assert_eq!(cluster.jobs(), ["RUNNING"]);
    run.signal(Signal::CONT);
    gate.open();
    let ended = run.finish();
    assert_eq!(ended.output("stdout"), "ready\ndone\n");
    assert_eq!(ended.status.code(), Some(0));
    cluster.is_clean("Ctrl-Z for longer than the lease, then fg", Instant::now());
}
