//! A cluster of a few nodes on this machine, for one test: `tests/fixtures/slurm` starts it and takes it down.
//!
//! All that belongs to it has the path of its configuration in its environment, which every process of Slurm hands on:
//! the clients, the daemons, the agents and the tasks. So a test sees whatever a run leaves behind, by whichever name.

use std::fs::{self, File};
use std::io::Write;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, getpgid, kill_process, kill_process_group};
use tempfile::TempDir;

use crate::harness::needs;
use crate::support::{Progrun, Running, progrun, text};

/// On which terms the tasks of these tests run: the shortest that are safe on a busy machine.
pub(crate) const ON: [&str; 8] = [
    "--on",
    "slurm",
    "--lease",
    "4",
    "--grace",
    "1",
    "--kill-after",
    "1",
];

/// Says that it is ready, and tidies up when it is asked to end.
pub(crate) const POLITE: &str =
    "trap 'echo tidied; exit 0' INT TERM; echo ready; while :; do sleep 0.1; done";
/// Says that it is ready, and heeds no signal.
pub(crate) const DEAF: &str = "trap '' INT TERM HUP; echo ready; while :; do sleep 0.1; done";
/// Says that it is ready, and waits for the gate that is its argument.
pub(crate) const WAITS: &str = "echo ready; read -r _ <\"$1\"; echo done";

/// The daemons. Whatever else belongs to a cluster is part of a run.
const DAEMONS: [&str; 4] = ["munged", "slurmctld", "slurmd", "slurmscriptd"];

/// What the tasks of these tests are.
const TASKS: [&str; 3] = ["sh", "sleep", "yes"];

/// How long a wait may take, whatever else the machine does.
const PATIENCE: Duration = Duration::from_secs(45);
/// How long a test may take. Then whatever it waits for ends, and the test says what it has missed.
const LIMIT: Duration = Duration::from_secs(150);
/// How often it is looked.
const PAUSE: Duration = Duration::from_millis(50);

/// Waits until a condition holds of which nothing tells.
#[track_caller]
pub(crate) fn until(what: &str, mut true_at_last: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !true_at_last() {
        assert!(Instant::now() < end, "waited in vain: {what}");
        thread::sleep(PAUSE);
    }
}

/// Lets this time pass where that is what is tested: a cut, or a stop, of this length.
pub(crate) fn lasts(time: Duration) {
    thread::sleep(time);
}

pub(crate) struct Cluster {
    folder: TempDir,
    /// Whether each node has a network of its own.
    has_networks: bool,
}

impl Cluster {
    /// Of three nodes with eight processors each.
    pub(crate) fn new() -> Self {
        Self::with(3, &[])
    }

    /// Of so many nodes, with these variables for the script that starts it.
    pub(crate) fn with(nodes: u16, variables: &[(&str, &str)]) -> Self {
        needs(&["slurmctld", "slurmd", "srun", "munged"]);
        let cluster = Self {
            folder: tempfile::tempdir().unwrap(),
            has_networks: variables.contains(&("SLURM_FIXTURE_NET", "netns")),
        };
        let nodes_word = nodes.to_string();
        let port = free_ports(nodes + 1).to_string();
        let started = cluster
            .script("slurm-up.sh", &[&nodes_word])
            .env("SLURM_FIXTURE_PORT", port)
            .envs(variables.iter().copied())
            .status();
        assert!(started.unwrap().success(), "the cluster did not start");
        let configuration = cluster.configuration();
        thread::spawn(move || {
            thread::sleep(LIMIT);
            kill_all(&all_of(&configuration));
        });
        cluster
    }

    fn script(&self, name: &str, words: &[&str]) -> Command {
        let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/slurm");
        let mut command = Command::new(scripts.join(name));
        // Daemons keep what they are given.
        command.arg(self.path()).args(words).stdout(Stdio::null());
        command
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    fn configuration(&self) -> PathBuf {
        self.path().join("slurm.conf")
    }

    /// A command of Slurm.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env("SLURM_CONF", self.configuration());
        command.stdin(Stdio::null());
        command
    }

    /// A run that finds this cluster.
    pub(crate) fn progrun(&self, words: &[&str]) -> Progrun {
        let state = self.path().join("progrun-state");
        progrun(words)
            .variable("SLURM_CONF", self.configuration().to_str().unwrap())
            .variable("XDG_STATE_HOME", state.to_str().unwrap())
    }

    /// One command on the cluster, with events on stdout: a script of the shell with an argument.
    pub(crate) fn one(&self, script: &str, argument: &str) -> Progrun {
        self.progrun(
            &[
                &["-q", "--json"],
                &ON[..],
                &["--", "sh", "-c", script, "sh", argument],
            ]
            .concat(),
        )
    }

    /// A script for each of the values, all at once, with an argument before the value.
    pub(crate) fn each(&self, script: &str, argument: &str, values: &[&str]) -> Progrun {
        let jobs = values.len().to_string();
        let words = ["--", "sh", "-c", script, "sh", argument, "{}", ":::"];
        self.progrun(
            &[
                &["each", "-q", "--json", "-j", &jobs],
                &ON[..],
                &words,
                values,
            ]
            .concat(),
        )
    }

    /// The states of all jobs that Slurm has, sorted.
    #[track_caller]
    pub(crate) fn jobs(&self) -> Vec<String> {
        let output = self.command("squeue").args(["-h", "-o", "%T"]).output();
        let output = output.unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        let mut states: Vec<_> = text(&output.stdout).lines().map(str::to_owned).collect();
        states.sort();
        states
    }

    /// The processes of runs: clients, agents, tasks and what Slurm runs for each.
    pub(crate) fn processes(&self) -> Vec<Process> {
        let mut processes = all_of(&self.configuration());
        processes.retain(|process| !DAEMONS.contains(&process.name.as_str()));
        processes
    }

    /// The processes of this name, at least one.
    #[track_caller]
    pub(crate) fn named(&self, name: &str) -> Vec<Pid> {
        let processes = self.processes().into_iter();
        let named: Vec<_> = processes
            .filter(|it| it.name == name)
            .map(|it| it.pid)
            .collect();
        assert!(!named.is_empty(), "{name}: {:?}", self.processes());
        named
    }

    /// The agents of the tasks on this node, or on all.
    pub(crate) fn agents(&self, node: Option<&str>) -> Vec<Process> {
        let mut agents = self.processes();
        agents.retain(|it| it.words.ends_with(" agent") && it.name == "progrun");
        agents.retain(|it| node.is_none_or(|node| it.node.as_deref() == Some(node)));
        agents
    }

    /// Kills every srun, each with its group, as if the machine of the run were gone.
    #[track_caller]
    pub(crate) fn kill_sruns(&self, run: &Running) {
        for pid in self.named("srun") {
            if is_below(pid, run.pid()) && getpgid(Some(pid)) == Ok(pid) {
                kill_process_group(pid, Signal::KILL).unwrap();
            }
        }
    }

    /// Kills this daemon, by the name of the file with its number.
    pub(crate) fn kill_daemon(&self, name: &str) {
        let file = self.path().join("run").join(format!("{name}.pid"));
        let pid = fs::read_to_string(file).unwrap();
        let pid = Pid::from_raw(pid.trim().parse().unwrap()).unwrap();
        kill_process(pid, Signal::KILL).unwrap();
    }

    /// Waits until nothing of any run is left: no job, and no process. Notes how long that took, for the table of what is
    /// left after which failure.
    #[track_caller]
    pub(crate) fn is_clean(&self, after: &str, since: Instant) {
        let seen = self.processes().len();
        // When the tasks, all processes and all jobs are gone.
        let mut gone = [None; 3];
        let end = Instant::now() + PATIENCE;
        while gone.contains(&None) {
            let processes = self.processes();
            let jobs = self.jobs();
            let is_task = |it: &Process| TASKS.contains(&it.name.as_str());
            let are_gone = [
                !processes.iter().any(is_task),
                processes.is_empty(),
                processes.is_empty() && jobs.is_empty(),
            ];
            for (at, is_gone) in gone.iter_mut().zip(are_gone) {
                if is_gone {
                    at.get_or_insert(since.elapsed().as_secs_f64());
                }
            }
            assert!(
                Instant::now() < end,
                "{after}: left are {processes:?} {jobs:?}"
            );
            thread::sleep(PAUSE);
        }
        let [tasks, processes, jobs] = gone.map(Option::unwrap_or_default);
        note(&format!(
            "{after}: {seen} processes; no task after {tasks:.1} s, no process after {processes:.1} s, no job after {jobs:.1} s"
        ));
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // What a broken run has left, and the daemons. Not by slurm-down.sh, which waits for each until it is reaped.
        kill_all(&all_of(&self.configuration()));
        let munged = fs::read_to_string(self.path().join("munge/munged.pid")).unwrap_or_default();
        if let Some(pid) = munged.trim().parse().ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, Signal::KILL);
        }
        if self.has_networks {
            // That is all that is left for it.
            let _ = fs::remove_dir_all(self.path().join("run"));
            let _ = fs::remove_dir_all(self.path().join("munge"));
            let _ = self.script("slurm-down.sh", &[]).status();
        }
    }
}

/// All processes that belong to the cluster with this configuration.
fn all_of(configuration: &Path) -> Vec<Process> {
    let ours = format!("SLURM_CONF={}", configuration.display());
    let entries = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let processes = pids.filter_map(|pid| Process::of(pid, ours.as_bytes()));
    processes.collect()
}

fn kill_all(processes: &[Process]) {
    for process in processes {
        let _ = kill_process(process.pid, Signal::KILL);
    }
}

/// Shows a figure, also where all goes well: `.ci/slurm` prints the file.
pub(crate) fn note(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
    if let Some(path) = std::env::var_os("SLURM_TEST_FIGURES") {
        let mut file = File::options()
            .create(true)
            .append(true)
            .open(path)
            .unwrap();
        writeln!(file, "{line}").unwrap();
    }
}

/// A process that belongs to a cluster.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) pid: Pid,
    pub(crate) name: String,
    pub(crate) words: String,
    pub(crate) node: Option<String>,
}

impl Process {
    fn of(pid: i32, variable: &[u8]) -> Option<Self> {
        let folder = Path::new("/proc").join(pid.to_string());
        let environment = fs::read(folder.join("environ")).ok()?;
        let mut variables = environment.split(|byte| *byte == 0);
        if !variables.clone().any(|it| it == variable) {
            return None;
        }
        let node = variables.find_map(|it| it.strip_prefix(b"SLURMD_NODENAME="));
        let words = fs::read(folder.join("cmdline")).ok()?;
        let words = text(&words).replace('\0', " ");
        Some(Self {
            pid: Pid::from_raw(pid)?,
            name: fs::read_to_string(folder.join("comm"))
                .ok()?
                .trim()
                .to_owned(),
            words: words.trim().to_owned(),
            node: node.map(text),
        })
    }
}

/// What /proc says of a process in this field of `status`.
pub(crate) fn status(pid: Pid, field: &str) -> Option<String> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))?;
    Some(line.trim().to_owned())
}

pub(crate) fn parent(pid: Pid) -> Option<Pid> {
    Pid::from_raw(status(pid, "PPid")?.parse().ok()?)
}

/// Whether a process descends from another, which may be itself.
fn is_below(pid: Pid, above: Pid) -> bool {
    pid == above || parent(pid).is_some_and(|parent| is_below(parent, above))
}

/// The first of so many ports in a row that nothing uses.
fn free_ports(count: u16) -> u16 {
    // Tests that run at the same time begin at different ones.
    let start = u16::try_from(std::process::id() % 1000).unwrap() * 10;
    let is_free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
    let bases = (0..1000).map(|index| 20_000 + (start + index * 10) % 10_000);
    let mut free = bases
        .into_iter()
        .filter(|base| (*base..base + count).all(is_free));
    free.next().expect("ports are free")
}
