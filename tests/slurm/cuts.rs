//! A node whose cable is cut. One test, because the names of its networks are those of the machine.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::cluster::{Cluster, lasts, note, until};
use crate::harness::{needs, needs_that};
use crate::support::Progrun;

/// Cuts the cable of a node, or mends it.
fn cable(node: &str, state: &str) {
    let link = node.replace('n', "pr-v");
    let words = ["link", "set", &link, state];
    assert!(Command::new("ip").args(words).status().unwrap().success());
}

/// Starts it on the machine of the client.
fn from_client(run: Progrun) -> Progrun {
    run.inside("sh", "exec ip netns exec pr-client \"$@\"")
}

#[test]
fn a_short_cut_loses_nothing_and_after_a_long_one_no_task_runs_twice_at_a_time() {
    needs(&["ip", "unshare"]);
    needs_that(rustix::process::geteuid().is_root(), "root");
    let cluster = Cluster::with(2, &[("SLURM_FIXTURE_NET", "netns")]);

    let script = "n=0; while [ $n -lt 60 ]; do echo $n; n=$((n+1)); sleep 0.1; done";
    let words = [
        "-q", "--json", "--on", "slurm", "--lease", "15", "--slurm", "-w n1", "--", "sh", "-c",
        script,
    ];
    let mut run = from_client(cluster.progrun(&words)).start();
    run.event("output");
    cable("n1", "down");
    lasts(Duration::from_secs(3));
    cable("n1", "up");
    let ended = run.finish();
    let lines: Vec<_> = (0..60).map(|number| format!("{number}\n")).collect();
    assert_eq!(ended.output("stdout"), lines.concat());
    assert_eq!(ended.finished()["state"], "completed");
    cluster.is_clean("a cable cut for 3 s", Instant::now());

    // The first attempt goes on until it is stopped; the second ends at once.
    let notes = cluster.path().join("notes");
    let script = "echo begins >>\"$1\"; [ -e \"$1.again\" ] && exit 0; : >\"$1.again\"; \
        trap 'echo ends >>\"$1\"; exit 1' TERM INT; echo ready; while :; do sleep 0.1; done";
    let words = [
        "each",
        "-q",
        "--json",
        "--retries",
        "1",
        "--retry-on",
        "lost",
        "--on",
        "slurm",
        "--lease",
        "4",
        "--grace",
        "1",
        "--kill-after",
        "1",
        "--",
        "sh",
        "-c",
        script,
        "sh",
        notes.to_str().unwrap(),
        "{}",
        ":::",
        "1",
    ];
    let mut run = from_client(cluster.progrun(&words)).start();
    run.event("output");
    let node = cluster.agents(None)[0].node.clone().unwrap();
    let since = Instant::now();
    cable(&node, "down");
    let read = || fs::read_to_string(&notes).unwrap();
    until("the task is stopped there", || read() == "begins\nends\n");
    let there = since.elapsed().as_secs_f64();
    assert_eq!(run.event("finished")["state"], "lost");
    let here = since.elapsed().as_secs_f64();
    let ended = run.finish();
    note(&format!(
        "a cable cut: stopped there after {there:.1} s, lost here after {here:.1} s"
    ));
    assert_eq!(read(), "begins\nends\nbegins\n");
    assert_eq!(ended.all("finished")[1]["state"], "completed");
    assert_eq!(ended.status.code(), Some(0));
    cable(&node, "up");
    cluster.is_clean("a cable cut for longer than the lease, then mended", since);
}
