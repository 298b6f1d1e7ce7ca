//! Tasks that run to their end, and what is said if they cannot begin.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Instant;

use rustix::process::Pid;

use crate::cluster::{Cluster, ON, WAITS, note, until};
use crate::support::{Gate, Signal, pid_in, text};

/// The values from 1, one a task.
fn values(count: usize) -> Vec<String> {
    (1..=count).map(|number| number.to_string()).collect()
}

fn words(values: &[String]) -> Vec<&str> {
    values.iter().map(String::as_str).collect()
}

#[test]
fn six_tasks_at_once_are_two_on_each_of_three_nodes_of_two_processors() {
    let cluster = Cluster::with(3, &[("SLURM_FIXTURE_CPUS", "2")]);
    let mut gate = Gate::new();
    let script = "echo \"$SLURMD_NODENAME\"; read -r _ <\"$1\"";
    let values = values(6);
    let mut run = cluster.each(script, gate.path(), &words(&values)).start();
    for _ in &values {
        run.event("started");
    }
    for _ in &values {
        gate.open();
    }
    let ended = run.finish();
    let mut nodes: Vec<_> = ended.output("stdout").lines().map(str::to_owned).collect();
    nodes.sort();
    assert_eq!(nodes, ["n1", "n1", "n2", "n2", "n3", "n3"]);
    assert_eq!(ended.status.code(), Some(0));
    cluster.is_clean("six tasks that end well", Instant::now());
}

#[test]
fn statuses_signals_and_programs_that_are_missing_are_those_of_a_run_here() {
    let cluster = Cluster::new();
    let here = |words: &[&str]| cluster.progrun(&[&ON[..], &["--"], words].concat());
    here(&["true"]).status(0);
    here(&["sh", "-c", "echo out; exit 3"])
        .stdout("out\n")
        .stderr("sh: failed with exit status 3 after [..]\n")
        .status(3);
    here(&["sh", "-c", "kill -KILL $$"])
        .stderr("sh: killed by SIGKILL after [..]\n")
        .dies_by(Signal::KILL);
    here(&["no-such-program"])
        .stderr("progrun: slurm: cannot run no-such-program: no such command in PATH\n")
        .status(127);
    cluster.is_clean("a failed command", Instant::now());
}

#[test]
fn in_a_list_a_task_that_fails_or_dies_is_one_that_failed() {
    let cluster = Cluster::new();
    let values = ["exit 0", "exit 3", "kill -KILL $$"];
    let ended = cluster.each("eval \"$2\"", "", &values).start().finish();
    let mut ends: Vec<_> = ended
        .all("finished")
        .into_iter()
        .map(|event| {
            format!(
                "{} {} {}",
                event["state"], event["exit_status"], event["signal"]
            )
        })
        .collect();
    ends.sort();
    assert_eq!(
        ends,
        [
            "\"completed\" 0 null",
            "\"failed\" 3 null",
            "\"failed\" null \"SIGKILL\""
        ]
    );
    assert_eq!(ended.status.code(), Some(1));
}

#[test]
fn a_report_and_a_line_are_seen_while_the_task_still_runs() {
    let cluster = Cluster::new();
    let mut gate = Gate::new();
    let script =
        "echo '{\"done\": 1, \"total\": 2}' >&3; read -r _ <\"$1\"; echo line; read -r _ <\"$1\"";
    let mut run = cluster.one(script, gate.path()).start();
    assert_eq!(run.event("progress")["info"]["done"], 1);
    gate.open();
    assert_eq!(run.event("output")["text"], "line\n");
    assert_eq!(cluster.jobs(), ["RUNNING"]);
    gate.open();
    assert_eq!(run.finish().status.code(), Some(0));
}

#[test]
fn a_reader_that_is_slow_stops_neither_the_agent_nor_ctrl_c() {
    let cluster = Cluster::new();
    let words = ["-q", "--", "yes", "a line that is not read"];
    let run = cluster
        .progrun(&[&ON[..], &words].concat())
        .in_own_group()
        .start();
    until("the task runs", || !named(&cluster, "yes").is_empty());
    let task = named(&cluster, "yes")[0];
    let written = || fs::read_to_string(format!("/proc/{task}/io")).unwrap();
    // All pipes between are full.
    let mut before = String::new();
    let mut same = 0;
    until("the task is blocked", || {
        let now = written();
        same = if now == before { same + 1 } else { 0 };
        before = now;
        same == 20
    });
    let since = Instant::now();
    run.signal_group(Signal::INT);
    until("the task is stopped", || named(&cluster, "yes").is_empty());
    run.end();
    cluster.is_clean("Ctrl-C while the output is not read", since);
}

#[test]
fn a_task_whose_reader_goes_away_ends_as_it_does_here() {
    let cluster = Cluster::new();
    let ends = |elsewhere: &[&str]| {
        let words = ["--", "yes"];
        let mut run = cluster
            .progrun(&[&["-q"], elsewhere, &words].concat())
            .start();
        assert_eq!(run.stdout_line(), "y\n");
        run.close_stdout();
        run.end()
    };
    let here = ends(&[]);
    assert_eq!(ends(&ON), here);
    cluster.is_clean("a reader that goes away", Instant::now());
}

fn named(cluster: &Cluster, name: &str) -> Vec<Pid> {
    let processes = cluster.processes().into_iter();
    let named = processes.filter(|process| process.name == name);
    named.map(|process| process.pid).collect()
}

#[test]
fn in_an_allocation_the_tasks_are_steps_that_run_at_the_same_time() {
    let cluster = Cluster::new();
    let mut gate = Gate::new();
    let values = values(8);
    let run = cluster.each(WAITS, gate.path(), &words(&values));
    let mut run = run.inside("sh", "exec salloc -n8 \"$@\"").start();
    for _ in &values {
        run.event("started");
    }
    assert_eq!(cluster.jobs(), ["RUNNING"]);
    for _ in &values {
        gate.open();
    }
    let ended = run.finish();
    assert_eq!(ended.output("stdout").matches("done\n").count(), 8);
    assert_eq!(ended.status.code(), Some(0));
    cluster.is_clean("eight steps of an allocation", Instant::now());
}

#[test]
fn a_partition_a_size_or_a_folder_that_there_is_not_is_one_clear_error() {
    let cluster = Cluster::new();
    let fails = |options: &[&str], sentence: &str| {
        cluster
            .progrun(&[&ON[..], options, &["--", "true"]].concat())
            .stderr(sentence)
            .status(125);
    };
    fails(
        &["--slurm", "-p nosuch"],
        "progrun: cannot reach slurm: srun: error: invalid partition specified: nosuch; \
         srun: error: Unable to allocate resources: Invalid partition name specified\n",
    );
    fails(
        &["--slurm", "-c100"],
        "progrun: cannot reach slurm: srun: error: Unable to allocate resources: More processors requested than permitted\n",
    );
    fails(
        &["--chdir", "/no/such/folder"],
        "progrun: slurm: there is no directory /no/such/folder (name another with --chdir)\n",
    );
    cluster.is_clean("a task that cannot begin", Instant::now());
}

#[test]
fn an_agent_of_another_version_or_that_is_none_is_one_clear_error() {
    let cluster = Cluster::new();
    let agent = |name: &str, script: &str| {
        let path = cluster.path().join(name);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let hello = r#"{"seq":1,"event":"hello","protocol":99,"version":"9.9.9","host":"n1","pid":1,"processors":1}"#;
    let other = agent("other", &format!("echo '{hello}'; cat >/dev/null"));
    let run = |path: &str| cluster.progrun(&[&ON[..], &["--agent", path, "--", "true"]].concat());
    run(&other)
        .stderr(
            "progrun: cannot use slurm: its progrun 9.9.9 speaks version 99 of the agent protocol, and this one version 1 \
             (name another with --agent)\n",
        )
        .status(125);
    // Older than agents.
    let old = agent("old", "echo \"cannot run $1\" >&2; exit 127");
    let output = run(&old).output();
    let said = text(&output.stderr);
    assert!(
        said.starts_with("progrun: cannot use slurm: no progrun has begun there: "),
        "{said}"
    );
    assert!(said.contains("cannot run agent"), "{said}");
    assert_eq!((said.lines().count(), output.status.code()), (1, Some(125)));
    let output = run("/no/such/progrun").output();
    let said = text(&output.stderr);
    assert!(said.contains("/no/such/progrun: not found"), "{said}");
    assert_eq!((said.lines().count(), output.status.code()), (1, Some(125)));
    cluster.is_clean("an agent that is none", Instant::now());
}

/// A field of a file of /proc that sums up the memory of a process, in MiB.
fn memory(pid: Pid, field: &str) -> u64 {
    let sums = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let line = sums.lines().find_map(|line| line.strip_prefix(field));
    let kibibytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kibibytes.unwrap_or(0) / 1024
}

#[test]
fn a_hundred_tasks_at_once_all_end_well_and_need_little_memory_here() {
    let cluster = Cluster::with(3, &[("SLURM_FIXTURE_CPUS", "40")]);
    let mut gate = Gate::new();
    let values = values(100);
    let since = Instant::now();
    let mut run = cluster.each(WAITS, gate.path(), &words(&values)).start();
    for _ in &values {
        let _ = pid_in(&run.event("started")["pid"]);
    }
    let begun = since.elapsed().as_secs_f64();
    let outer = memory(run.pid(), "Rss:");
    let clients = cluster.named("srun");
    let sum = |field| clients.iter().map(|pid| memory(*pid, field)).sum::<u64>();
    let (resident, shared_out) = (sum("Rss:"), sum("Pss:"));
    note(&format!(
        "100 tasks at once: all begun after {begun:.1} s; progrun {outer} MiB, {} srun processes {resident} MiB RSS, {shared_out} MiB PSS",
        clients.len()
    ));
    assert!(outer < 150, "{outer} MiB");
    assert!(shared_out < 700, "{shared_out} MiB");
    for _ in &values {
        gate.open();
    }
    let ended = run.finish();
    let completed = ended.all("finished").into_iter();
    let completed = completed.filter(|event| event["state"] == "completed");
    assert_eq!(completed.count(), 100);
    assert_eq!(ended.status.code(), Some(0));
    cluster.is_clean("a hundred tasks that end well", Instant::now());
}
