//! One cell of the matrix: a recorder under a wrapper is led into a phase and gets one signal; then everything that
//! follows is recorded.
//!
//! Nothing here waits for time to pass in the hope that something has happened by then. A scene has *settled* when no
//! process in it has run between two looks at /proc: all effects of the last action have then happened.

use std::fs::{self, File};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Gate, Signal, state_of, valid_event};

/// The rows, in this order everywhere.
pub(crate) const SIGNALS: [(&str, Signal); 9] = [
    ("INT", Signal::INT),
    ("TERM", Signal::TERM),
    ("HUP", Signal::HUP),
    ("QUIT", Signal::QUIT),
    ("USR1", Signal::USR1),
    ("USR2", Signal::USR2),
    ("WINCH", Signal::WINCH),
    ("TSTP", Signal::TSTP),
    ("CONT", Signal::CONT),
];

/// A second signal within this time after a step is the same key press.
const SAME_PRESS: Duration = Duration::from_millis(150);
/// GNU parallel polls, and kills in steps of 200 ms by its own clock: it never settles. Only the printed tables depend
/// on this time, no test.
const PEERS_TAKE_THEIR_TIME: Duration = Duration::from_millis(700);
const HANGS: Duration = Duration::from_mins(5);

/// Where a run is when the signal comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The command reports.
    Reporting,
    /// The command never reported.
    Silent,
    /// The command reports, and a SIGINT has come.
    Cancelling,
    /// The command reports, and a second SIGINT has come.
    Terminating,
    /// The command is gone; a member of its group holds stdout.
    Draining,
    /// The command reports, and a SIGINT came just now.
    SamePress,
    /// All these signals were ignored when the wrapper started.
    Ignored,
    /// All these signals were blocked when the wrapper started.
    Blocked,
    /// The command prints reports in a format of another program.
    Printing,
}

impl Phase {
    fn prints(self) -> bool {
        self == Self::Printing
    }
}

/// The program between this test and the recorder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wrapper {
    Progrun,
    Timeout,
    Parallel,
    Script,
}

impl Wrapper {
    /// The wrapper's command line. Its times are endless, so that only signals move it.
    pub(crate) fn words(self) -> Vec<&'static str> {
        match self {
            Self::Progrun => vec![
                env!("CARGO_BIN_EXE_progrun"),
                "--json",
                "--grace=0",
                "--kill-after=0",
                "--wait-output",
                "--",
            ],
            Self::Timeout => vec!["timeout", "1h"],
            Self::Parallel => vec!["parallel", "--will-cite"],
            Self::Script => vec!["script", "--quiet", "--return", "--command"],
        }
    }
}

/// The effects of one signal in one phase.
pub(crate) struct Cell {
    /// The signals that the command received, in the order in which bash runs its traps.
    pub(crate) received: String,
    /// The events.
    pub(crate) told: String,
    /// How the wrapper ended after the gate was opened.
    pub(crate) ended: String,
}

impl Cell {
    /// The received signals, each once: timeout delivers some of them twice, and bash notices both only by chance.
    pub(crate) fn received_once(&self) -> String {
        let mut names: Vec<_> = self.received.split(' ').collect();
        names.dedup();
        let names = names.join(" ");
        if names.is_empty() {
            "–".to_owned()
        } else {
            names
        }
    }
}

/// Measures one cell.
pub(crate) fn measure(wrapper: Wrapper, phase: Phase, signal: Signal) -> Cell {
    loop {
        let scene = Scene::start(wrapper, phase);
        let first = Instant::now();
        let asks = match phase {
            Phase::Cancelling | Phase::SamePress => 1,
            Phase::Terminating => 2,
            _ => 0,
        };
        for _ in 0..asks {
            scene.signal(Signal::INT);
            if phase != Phase::SamePress {
                thread::sleep(SAME_PRESS);
            }
        }
        let before = scene.seen();
        let gone = [scene.recorder, Pid::from_child(&scene.process)].map(|pid| !is_there(pid));
        scene.signal(signal);
        if phase == Phase::SamePress && first.elapsed() >= SAME_PRESS {
            // The machine was too busy for a double key press: try again.
            continue;
        }
        let mut cell = scene.end(&before);
        if gone[0] {
            "had ended".clone_into(&mut cell.received);
        }
        if gone[1] {
            cell.ended = format!("had ended: {}", cell.ended.replace(", at once", ""));
        }
        return cell;
    }
}

struct Scene {
    wrapper: Wrapper,
    phase: Phase,
    process: Child,
    recorder: Pid,
    gate: Gate,
    folder: TempDir,
}

/// The sizes of the records and of the events so far, in bytes.
struct Seen {
    records: usize,
    events: usize,
}

impl Scene {
    fn start(wrapper: Wrapper, phase: Phase) -> Self {
        let (gate, folder) = (Gate::new(), tempfile::tempdir().unwrap());
        let mode = match phase {
            Phase::Silent | Phase::Ignored | Phase::Blocked => "silent",
            Phase::Draining => "leaves",
            Phase::Printing => "prints",
            _ => "reports",
        };
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/matrix/recorder.bash");
        let records = folder.path().join("records");
        File::create(&records).unwrap();
        let command = ["bash", script, records.to_str().unwrap(), gate.path()];
        let mut words: Vec<String> = wrapper.words().into_iter().map(str::to_owned).collect();
        match wrapper {
            Wrapper::Script => {
                words.push([&command[..], &[mode]].concat().join(" "));
                words.push("/dev/null".to_owned());
            }
            Wrapper::Parallel => {
                words.extend(command.map(str::to_owned));
                words.extend([":::", mode].map(str::to_owned));
            }
            Wrapper::Progrun | Wrapper::Timeout => {
                words.extend(command.map(str::to_owned));
                words.push(mode.to_owned());
            }
        }
        let names = SIGNALS.map(|(name, _)| name);
        let start = match phase {
            Phase::Ignored => format!("trap '' {}; exec \"$@\"", names.join(" ")),
            Phase::Blocked => {
                format!("exec env --block-signal={} \"$@\"", names.join(","))
            }
            _ => r#"exec "$@""#.to_owned(),
        };
        // A peer opens no channel: the reports of the recorder go to /dev/null.
        let channel = if wrapper == Wrapper::Progrun {
            ""
        } else {
            " 3>/dev/null"
        };
        let mut process = Command::new("bash");
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("PROGRUN_") {
                process.env_remove(name);
            }
        }
        let process = process
            .args(["-c", &format!("{start}{channel}"), "bash"])
            .args(words)
            .env("HOME", folder.path())
            .stdin(Stdio::null())
            .stdout(File::create(folder.path().join("events")).unwrap())
            .stderr(Stdio::null())
            // SIGTSTP stops nothing in an orphaned process group. A group of its own in our session is not orphaned,
            // wherever this test runs.
            .process_group(0)
            .spawn()
            .unwrap();
        let mut scene = Self {
            recorder: Pid::from_child(&process),
            wrapper,
            phase,
            process,
            gate,
            folder,
        };
        scene.recorder = scene.ready();
        // progrun has its handlers after a few milliseconds. A signal that comes before waits for them, which looks idle.
        if wrapper == Wrapper::Progrun {
            let own = Pid::from_child(&scene.process);
            wait_for("the handlers", || catches(own, Signal::CHILD));
        }
        scene.settle();
        scene
    }

    /// Waits until the recorder is listening, and returns its pid.
    fn ready(&self) -> Pid {
        let mut pid = None;
        wait_for("the recorder", || {
            let records = self.read("records");
            let ready = records.lines().find_map(|line| line.strip_prefix("ready "));
            pid = ready.and_then(|pid| Pid::from_raw(pid.parse().ok()?));
            pid.is_some()
        });
        pid.unwrap()
    }

    fn signal(&self, signal: Signal) {
        // The wrapper may have ended; it is not reaped yet, so its pid still belongs to it.
        kill_process(Pid::from_child(&self.process), signal).unwrap();
        self.settle();
    }

    fn seen(&self) -> Seen {
        Seen {
            records: self.read("records").len(),
            events: self.read("events").len(),
        }
    }

    fn end(mut self, before: &Seen) -> Cell {
        let own = Pid::from_child(&self.process);
        let stopped = state_of(own) == 'T';
        if stopped {
            self.signal(Signal::CONT);
        }
        let killed = !is_there(self.recorder);
        let at_once = !killed && !is_there(own);
        self.gate.open();
        if self.phase.prints() {
            // The recorder prints a report now, and might receive a signal for it.
            self.settle();
            self.gate.open();
        }
        wait_for("the recorder to end", || !is_there(self.recorder));
        let mut ended = self.wait();

        let records = self.read("records").split_off(before.records);
        let mut received: Vec<_> = records.lines().collect();
        // A SIGCONT follows right after such a signal. If bash is at its traps already, it runs the two traps in either
        // order.
        for at in 1..received.len() {
            if received[at - 1] == "CONT" && matches!(received[at], "INT" | "TERM" | "HUP" | "QUIT")
            {
                received.swap(at - 1, at);
            }
        }
        if killed {
            // SIGKILL is the only signal that the recorder cannot record.
            received.push("KILL");
        }
        if at_once {
            ended.push_str(", at once");
        }
        if stopped {
            ended.insert_str(0, "stops; then ");
        }
        let told = match self.wrapper {
            Wrapper::Progrun => told(&self.read("events").split_off(before.events)),
            _ => String::new(),
        };
        Cell {
            received: received.join(" "),
            told,
            ended,
        }
    }

    /// Waits for the end of the wrapper. A peer that takes too long is killed.
    fn wait(&mut self) -> String {
        let start = Instant::now();
        while self.wrapper != Wrapper::Progrun && self.process.try_wait().unwrap().is_none() {
            if start.elapsed() > 10 * PEERS_TAKE_THEIR_TIME {
                self.process.kill().unwrap();
                self.process.wait().unwrap();
                return "does not end".to_owned();
            }
            thread::sleep(SAME_PRESS);
        }
        ending(self.process.wait().unwrap())
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(self.folder.path().join(file)).unwrap()
    }

    /// Waits until the last action has had all its effects.
    fn settle(&self) {
        if self.wrapper != Wrapper::Progrun {
            thread::sleep(PEERS_TAKE_THEIR_TIME);
            return;
        }
        let mut before = Vec::new();
        wait_for("quiet", || {
            let mut now = Vec::new();
            look_at(Pid::from_child(&self.process), &mut now);
            look_at(self.recorder, &mut now);
            let quiet = now == before && now.iter().all(Task::is_idle);
            before = now;
            quiet
        });
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A thread as /proc shows it.
#[derive(PartialEq, Eq)]
struct Task {
    number: i32,
    state: char,
    /// How often the thread has left a processor. The number of a thread that has run in the meantime is greater.
    switches: Vec<String>,
}

impl Task {
    fn is_idle(&self) -> bool {
        // Sleeping, stopped, or gone.
        ['S', 'T', 'Z', 'X'].contains(&self.state)
    }
}

/// Whether a process has a handler for a signal.
fn catches(pid: Pid, signal: Signal) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let caught = status
        .lines()
        .find_map(|line| line.strip_prefix("SigCgt:\t"));
    let caught = caught.and_then(|mask| u64::from_str_radix(mask, 16).ok());
    caught.is_some_and(|mask| mask >> (signal.as_raw() - 1) & 1 == 1)
}

/// Adds the threads of a process and of all its descendants.
fn look_at(pid: Pid, tasks: &mut Vec<Task>) {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else {
        return;
    };
    for thread in threads.flatten().map(|thread| thread.path()) {
        let number = thread.file_name().unwrap().to_str().unwrap();
        let status = fs::read_to_string(thread.join("status")).unwrap_or_default();
        let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name));
        let switches = status.lines().filter(|line| line.contains("ctxt_switches"));
        tasks.push(Task {
            number: number.parse().unwrap(),
            state: field("State:\t")
                .and_then(|state| state.chars().next())
                .unwrap_or('X'),
            switches: switches.map(str::to_owned).collect(),
        });
        let children = fs::read_to_string(thread.join("children")).unwrap_or_default();
        for child in children.split_whitespace() {
            look_at(Pid::from_raw(child.parse().unwrap()).unwrap(), tasks);
        }
    }
}

fn is_there(pid: Pid) -> bool {
    !['Z', 'X'].contains(&state_of(pid))
}

fn wait_for(what: &str, mut has_come: impl FnMut() -> bool) {
    let start = Instant::now();
    while !has_come() {
        assert!(start.elapsed() < HANGS, "waiting for {what}");
        thread::yield_now();
    }
}

/// `cancelling (interrupt), SIGINT (interrupt)`.
fn told(events: &str) -> String {
    let mut told: Vec<_> = events
        .lines()
        .map(valid_event)
        .filter_map(|event| word(&event))
        .collect();
    // One warning for each stream.
    told.dedup();
    told.join(", ")
}

fn word(event: &Value) -> Option<String> {
    let field = |name: &str| event[name].as_str().unwrap();
    match field("event") {
        "state" => Some(format!("cancelling ({})", field("reason"))),
        "signal" => Some(format!("{} ({})", field("signal"), field("reason"))),
        "warning" => Some("warning".to_owned()),
        _ => None,
    }
}

fn ending(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => code.to_string(),
        (_, Some(signal)) => {
            let name = SIGNALS.iter().find(|(_, known)| known.as_raw() == signal);
            name.map_or_else(
                || format!("signal {signal}"),
                |(name, _)| format!("SIG{name}"),
            )
        }
        _ => status.to_string(),
    }
}
