//! What is killed or frozen, and what is left of it after a while: nothing.

use std::time::{Duration, Instant};

use rustix::process::kill_process;

use crate::cluster::{Cluster, DEAF, POLITE, WAITS, lasts, parent, until};
use crate::support::{Ended, Gate, Running, Signal, state_of, text};

fn is_ready(run: &mut Running) {
    assert_eq!(run.event("output")["text"], "ready\n");
}

/// Kills the run with all that it has started here, as if its machine were gone.
fn kill_with_sruns(cluster: &Cluster, run: &mut Running) {
    // Otherwise it sees that its srun is gone, and still has the time to end the job.
    run.signal(Signal::STOP);
    let pid = run.pid();
    until("progrun is stopped", || state_of(pid) == 'T');
    cluster.kill_sruns(run);
    run.signal(Signal::KILL);
    run.wait();
}

#[track_caller]
fn was_lost(ended: &Ended) {
    assert_eq!(ended.finished()["state"], "lost", "{:#?}", ended.events);
    assert_eq!(ended.status.code(), Some(125));
}

#[test]
fn a_run_that_is_killed_with_its_srun_leaves_nothing_after_its_lease() {
    for (script, after) in [
        (POLITE, "progrun and its srun killed, a polite task"),
        (DEAF, "progrun and its srun killed, a deaf task"),
    ] {
        let cluster = Cluster::new();
        let mut run = cluster.one(script, "").start();
        is_ready(&mut run);
        let since = Instant::now();
        kill_with_sruns(&cluster, &mut run);
        assert_eq!(cluster.jobs(), ["RUNNING"]);
        cluster.is_clean(after, since);
    }
}

#[test]
fn a_run_that_is_killed_alone_leaves_nothing() {
    let cluster = Cluster::new();
    let mut run = cluster.one(DEAF, "").start();
    is_ready(&mut run);
    let since = Instant::now();
    run.signal(Signal::KILL);
    run.wait();
    cluster.is_clean("progrun killed, a deaf task", since);
}

#[test]
fn an_srun_that_is_killed_alone_is_a_lost_task_and_leaves_nothing() {
    let cluster = Cluster::new();
    let mut run = cluster.one(DEAF, "").start();
    is_ready(&mut run);
    let since = Instant::now();
    cluster.kill_sruns(&run);
    let ended = run.finish();
    was_lost(&ended);
    cluster.is_clean("srun killed", since);
}

#[test]
fn what_a_killed_run_has_left_in_the_queue_is_ended_by_cleanup_and_a_run_that_lives_goes_on() {
    let cluster = Cluster::with(1, &[("SLURM_FIXTURE_CPUS", "1")]);
    let mut gate = Gate::new();
    let mut lives = cluster.one(WAITS, gate.path()).start();
    is_ready(&mut lives);
    let mut killed = cluster.one(WAITS, gate.path()).start();
    until("one is queued", || cluster.jobs() == ["PENDING", "RUNNING"]);
    kill_with_sruns(&cluster, &mut killed);
    // The engine knows nothing of that.
    assert_eq!(cluster.jobs(), ["PENDING", "RUNNING"]);
    let cleanup = cluster.progrun(&["cleanup"]).output();
    assert_eq!(text(&cleanup.stderr), "");
    let said = text(&cleanup.stdout);
    assert!(said.starts_with("ended the jobs of progrun-"), "{said}");
    assert_eq!(said.lines().count(), 1);
    assert_eq!(cleanup.status.code(), Some(0));
    let since = Instant::now();
    until("none is queued", || cluster.jobs() == ["RUNNING"]);
    let again = cluster.progrun(&["cleanup"]);
    again.stdout("nothing is left\n").status(0);
    gate.open();
    let ended = lives.finish();
    assert_eq!(ended.output("stdout"), "ready\ndone\n");
    assert_eq!(ended.status.code(), Some(0));
    cluster.is_clean(
        "progrun and its srun killed while queued, progrun cleanup",
        since,
    );
}

#[test]
fn a_job_that_begins_after_its_run_was_killed_runs_nothing_and_is_ended_by_cleanup() {
    let cluster = Cluster::with(1, &[("SLURM_FIXTURE_CPUS", "1")]);
    let mut gate = Gate::new();
    let mut first = cluster.one(WAITS, gate.path()).start();
    is_ready(&mut first);
    let notes = cluster.path().join("notes");
    let script = "echo ran >\"$1\"";
    let mut killed = cluster.one(script, notes.to_str().unwrap()).start();
    until("one is queued", || cluster.jobs() == ["PENDING", "RUNNING"]);
    kill_with_sruns(&cluster, &mut killed);
    gate.open();
    assert_eq!(first.finish().status.code(), Some(0));
    until("it begins", || cluster.jobs() == ["RUNNING"]);
    assert_eq!(
        cluster.progrun(&["cleanup"]).output().status.code(),
        Some(0)
    );
    cluster.is_clean(
        "a job that begins after its run was killed, progrun cleanup",
        Instant::now(),
    );
    assert!(!notes.exists());
    // Slurm ends such a job by itself where it learns that the port of its srun is closed. It says of that one that it failed.
    let mut squeue = cluster.command("squeue");
    let all = squeue.args(["-h", "-t", "all", "-o", "%T"]).output();
    let all = text(&all.unwrap().stdout);
    assert!(all.lines().any(|state| state == "CANCELLED"), "{all}");
}

#[test]
fn a_run_that_is_frozen_for_longer_than_its_lease_finds_its_task_stopped() {
    let cluster = Cluster::new();
    let mut run = cluster.one(POLITE, "").start();
    is_ready(&mut run);
    let since = Instant::now();
    run.signal(Signal::STOP);
    until("the task is stopped", || {
        !cluster.processes().iter().any(|it| it.name == "sh")
    });
    let stopped = since.elapsed();
    assert!(
        stopped >= Duration::from_secs(3),
        "the lease was not awaited: {stopped:?}"
    );
    run.signal(Signal::CONT);
    let ended = run.finish();
    assert_eq!(ended.output("stdout"), "ready\ntidied\n");
    assert_eq!(ended.finished()["state"], "cancelled");
    assert_eq!(ended.finished()["reason"], "lease");
    assert_ne!(ended.status.code(), Some(0));
    cluster.is_clean(
        "progrun frozen for longer than the lease, then continued",
        since,
    );
}

#[test]
fn a_run_that_is_frozen_for_a_moment_loses_nothing() {
    let cluster = Cluster::new();
    let mut gate = Gate::new();
    let mut run = cluster.one(WAITS, gate.path()).start();
    is_ready(&mut run);
    run.signal(Signal::STOP);
    lasts(Duration::from_secs(2));
    run.signal(Signal::CONT);
    gate.open();
    let ended = run.finish();
    assert_eq!(ended.output("stdout"), "ready\ndone\n");
    assert_eq!(ended.status.code(), Some(0));
}

#[test]
fn a_node_that_dies_is_a_lost_task_and_the_others_end_well() {
    let cluster = Cluster::with(3, &[("SLURM_FIXTURE_CPUS", "1")]);
    let mut gate = Gate::new();
    let mut run = cluster.each(WAITS, gate.path(), &["1", "2", "3"]).start();
    for _ in 0..3 {
        is_ready(&mut run);
    }
    let since = Instant::now();
    let agents = cluster.agents(Some("n2"));
    let [agent] = &agents[..] else {
        panic!("{agents:?}");
    };
    cluster.kill_daemon("slurmd.n2");
    kill_process(parent(agent.pid).unwrap(), Signal::KILL).unwrap();
    kill_process(agent.pid, Signal::KILL).unwrap();
    let lost = run.event("finished");
    assert_eq!(lost["state"], "lost");
    crate::cluster::note(&format!(
        "a node killed: lost after {:.1} s",
        since.elapsed().as_secs_f64()
    ));
    gate.open();
    gate.open();
    let ended = run.finish();
    let states = ended.all("finished").into_iter();
    let completed = states.filter(|event| event["state"] == "completed");
    assert_eq!(completed.count(), 2);
    assert_eq!(ended.status.code(), Some(1));
    cluster.is_clean("a node killed: slurmd, slurmstepd and agent", since);
}

#[test]
fn a_single_task_on_a_node_that_dies_is_lost_although_srun_is_content() {
    let cluster = Cluster::new();
    let mut run = cluster.one(DEAF, "").start();
    is_ready(&mut run);
    let since = Instant::now();
    let agents = cluster.agents(None);
    let [agent] = &agents[..] else {
        panic!("{agents:?}");
    };
    let node = agent.node.clone().unwrap();
    cluster.kill_daemon(&format!("slurmd.{node}"));
    kill_process(parent(agent.pid).unwrap(), Signal::KILL).unwrap();
    kill_process(agent.pid, Signal::KILL).unwrap();
    was_lost(&run.finish());
    cluster.is_clean("a node killed with its only task", since);
}

#[test]
fn a_slurmstepd_that_is_killed_is_a_lost_task_and_nothing_goes_on() {
    let cluster = Cluster::new();
    let mut run = cluster.one(DEAF, "").start();
    is_ready(&mut run);
    let since = Instant::now();
    for pid in cluster.named("slurmstepd") {
        let _ = kill_process(pid, Signal::KILL);
    }
    until("the task is stopped", || {
        !cluster.processes().iter().any(|it| it.name == "sh")
    });
    crate::cluster::note(&format!(
        "slurmstepd killed: the task is stopped after {:.1} s",
        since.elapsed().as_secs_f64()
    ));
    was_lost(&run.finish());
    cluster.is_clean("slurmstepd killed", since);
}

#[test]
fn an_agent_that_is_killed_is_a_lost_task_and_takes_its_task_along() {
    let cluster = Cluster::new();
    let mut run = cluster.one(DEAF, "").start();
    is_ready(&mut run);
    let since = Instant::now();
    for agent in cluster.agents(None) {
        kill_process(agent.pid, Signal::KILL).unwrap();
    }
    was_lost(&run.finish());
    cluster.is_clean("the agent killed", since);
}

#[test]
fn a_controller_that_is_gone_for_a_while_makes_no_difference() {
    let cluster = Cluster::new();
    let mut gate = Gate::new();
    let mut run = cluster.one(WAITS, gate.path()).start();
    is_ready(&mut run);
    cluster.kill_daemon("slurmctld");
    lasts(Duration::from_secs(5));
    assert!(cluster.command("slurmctld").status().unwrap().success());
    gate.open();
    let ended = run.finish();
    assert_eq!(ended.output("stdout"), "ready\ndone\n");
    assert_eq!(ended.all("warning").len(), 0);
    assert_eq!(ended.status.code(), Some(0));
    cluster.is_clean("slurmctld killed and restarted after 5 s", Instant::now());
}
