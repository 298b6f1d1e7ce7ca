//! Starts progrun as a script would, and compares the result with literal text.
//!
//! The tests spell out the options of each run; nothing here knows them. Every event that a test reads is checked
//! against `docs/events.schema.json`.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Output, Stdio};
use std::sync::LazyLock;
use std::thread;
use std::time::{Duration, Instant};

use jsonschema::Validator;
use rustix::process::{Pid, kill_process, kill_process_group};
use serde_json::Value;
use tempfile::TempDir;

pub(crate) use rustix::process::Signal;

/// An example program, built with the profile of this test: target/PROFILE/deps/suite-HASH ->
/// target/PROFILE/examples/NAME.
pub(crate) fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let profile = test.ancestors().nth(2).unwrap();
    let program = profile.join("examples").join(name);
    assert!(
        program.exists(),
        "{} is missing: `cargo test` builds it, `cargo test --test` does not; run `cargo build --examples`",
        program.display()
    );
    program
}

/// A run to be started: `progrun(&["--timeout", "1h", "--", "make"])`.
pub(crate) fn progrun(arguments: &[&str]) -> Progrun {
    let program = env!("CARGO_BIN_EXE_progrun");
    let words = std::iter::once(program).chain(arguments.iter().copied());
    Progrun {
        words: words.map(str::to_owned).collect(),
        variables: Vec::new(),
        folder: None,
        own_group: false,
        stdin: Vec::new(),
        stdout: String::new(),
        stderr: String::new(),
    }
}

/// The path of a script in `tests/children`.
pub(crate) fn child(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/children");
    path.join(name).into_os_string().into_string().unwrap()
}

pub(crate) struct Progrun {
    words: Vec<String>,
    variables: Vec<(String, String)>,
    folder: Option<PathBuf>,
    own_group: bool,
    stdin: Vec<u8>,
    stdout: String,
    stderr: String,
}

impl Progrun {
    /// Lets a shell start it: `script` finds the command line of progrun in `"$@"`.
    pub(crate) fn inside(mut self, shell: &str, script: &str) -> Self {
        let prefix = [shell, "-c", script, shell].map(str::to_owned);
        self.words.splice(0..0, prefix);
        self
    }

    pub(crate) fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn in_folder(mut self, folder: &Path) -> Self {
        self.folder = Some(folder.to_owned());
        self
    }

    /// Makes it the leader of a process group, which can be sent signals.
    pub(crate) fn in_own_group(mut self) -> Self {
        self.own_group = true;
        self
    }

    pub(crate) fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = bytes.into();
        self
    }

    /// The expected stdout; nothing by default. `[..]` stands for any part of a line.
    pub(crate) fn stdout(mut self, text: &str) -> Self {
        text.clone_into(&mut self.stdout);
        self
    }

    /// The same for stderr.
    pub(crate) fn stderr(mut self, text: &str) -> Self {
        text.clone_into(&mut self.stderr);
        self
    }

    /// Runs it; it must end with this status.
    #[track_caller]
    pub(crate) fn status(self, status: i32) {
        assert_eq!(self.compared().code(), Some(status));
    }

    /// Runs it; it must die by this signal.
    #[track_caller]
    pub(crate) fn dies_by(self, signal: Signal) {
        let status = self.compared();
        assert_eq!(status.signal(), Some(signal.as_raw()), "{status}");
    }

    #[track_caller]
    fn compared(self) -> ExitStatus {
        let (stdout, stderr) = (self.stdout.clone(), self.stderr.clone());
        let output = self.output();
        assert_text(&text(&output.stderr), &stderr);
        assert_text(&text(&output.stdout), &stdout);
        output.status
    }

    /// Runs it to its end.
    pub(crate) fn output(self) -> Output {
        let mut run = self.start();
        let (status, stdout, stderr) = run.read_to_the_end();
        Output {
            status,
            stdout,
            stderr,
        }
    }

    /// Starts it; the test leads it through its run.
    pub(crate) fn start(self) -> Running {
        let (stdout, stderr) = (Stdio::piped(), Stdio::piped());
        self.start_on(stdout, stderr)
    }

    /// Starts it on these streams.
    pub(crate) fn start_on(self, stdout: impl Into<Stdio>, stderr: impl Into<Stdio>) -> Running {
        let mut command = Command::new(&self.words[0]);
        // The tests may themselves run under progrun.
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("PROGRUN_") {
                command.env_remove(name);
            }
        }
        command
            .args(&self.words[1..])
            .envs(self.variables)
            .stdin(if self.stdin.is_empty() {
                Stdio::null()
            } else {
                Stdio::piped()
            })
            .stdout(stdout)
            .stderr(stderr);
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        if self.own_group {
            command.process_group(0);
        }
        let mut process = command.spawn().unwrap();
        if let Some(mut stdin) = process.stdin.take() {
            // progrun may end before it has read all of it.
            thread::spawn(move || stdin.write_all(&self.stdin));
        }
        Running {
            stdout: process.stdout.take().map(BufReader::new),
            stderr: process.stderr.take().map(BufReader::new),
            process,
            events: Vec::new(),
        }
    }
}

/// A run in progress. If the test fails the run is killed, and its child with it.
pub(crate) struct Running {
    process: Child,
    stdout: Option<BufReader<ChildStdout>>,
    stderr: Option<BufReader<ChildStderr>>,
    events: Vec<Value>,
}

/// A finished run whose stdout was read as events.
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) events: Vec<Value>,
    pub(crate) stderr: String,
}

impl Running {
    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.process)
    }

    /// Waits for the next event of this name.
    #[track_caller]
    pub(crate) fn event(&mut self, name: &str) -> Value {
        let mut line = String::new();
        let stdout = self.stdout.as_mut().expect("stdout is a pipe");
        while stdout.read_line(&mut line).unwrap() > 0 {
            let event = valid_event(&line);
            self.events.push(event.clone());
            if event["event"] == name {
                return event;
            }
            line.clear();
        }
        panic!("progrun ended without {name}: {:#?}", self.events);
    }

    /// Waits until the child runs, and returns its pid.
    pub(crate) fn child(&mut self) -> Pid {
        pid_in(&self.event("started")["pid"])
    }

    /// Waits for the next line of stdout.
    pub(crate) fn stdout_line(&mut self) -> String {
        let mut line = String::new();
        let stdout = self.stdout.as_mut().expect("stdout is a pipe");
        stdout.read_line(&mut line).unwrap();
        line
    }

    /// Waits for the next line of stderr.
    pub(crate) fn stderr_line(&mut self) -> String {
        let mut line = String::new();
        let stderr = self.stderr.as_mut().expect("stderr is a pipe");
        stderr.read_line(&mut line).unwrap();
        line
    }

    /// Closes the read end of stdout.
    pub(crate) fn close_stdout(&mut self) {
        self.stdout = None;
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// Ctrl-C, as a terminal sends it: to all processes of the group.
    pub(crate) fn signal_group(&self, signal: Signal) {
        kill_process_group(self.pid(), signal).unwrap();
    }

    /// Ctrl-C once more, after a step that the test has seen. Within 150 ms it would count as the same key press, so
    /// that time has to pass; the test waits for nothing that happens meanwhile.
    pub(crate) fn signal_again(&self, signal: Signal) {
        thread::sleep(Duration::from_millis(160));
        self.signal(signal);
    }

    /// Waits for the end of progrun, but not for the end of its streams.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        self.process.wait().unwrap()
    }

    /// Waits for the end; the rest of stdout is events.
    #[track_caller]
    pub(crate) fn finish(mut self) -> Ended {
        let (status, stdout, stderr) = self.read_to_the_end();
        let mut events = std::mem::take(&mut self.events);
        events.extend(text(&stdout).lines().map(valid_event));
        Ended {
            status,
            events,
            stderr: text(&stderr),
        }
    }

    /// Waits for the end. Gives the rest of stdout and of stderr as well.
    pub(crate) fn texts(mut self) -> (ExitStatus, String, String) {
        let (status, stdout, stderr) = self.read_to_the_end();
        (status, text(&stdout), text(&stderr))
    }

    /// Waits for the end; stdout may be anything.
    pub(crate) fn end(mut self) -> ExitStatus {
        self.read_to_the_end().0
    }

    fn read_to_the_end(&mut self) -> (ExitStatus, Vec<u8>, Vec<u8>) {
        let stderr = self.stderr.take();
        let stderr = thread::spawn(move || rest(stderr));
        let stdout = rest(self.stdout.take());
        let stderr = stderr.join().unwrap();
        (self.wait(), stdout, stderr)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn rest(stream: Option<impl Read>) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(mut stream) = stream {
        stream.read_to_end(&mut bytes).unwrap();
    }
    bytes
}

impl Ended {
    /// The event that every run ends with.
    pub(crate) fn finished(&self) -> &Value {
        let last = self.events.last().expect("there are events");
        assert_eq!(last["event"], "finished");
        last
    }

    /// The events of this name.
    pub(crate) fn all(&self, name: &str) -> Vec<&Value> {
        let named = |event: &&Value| event["event"] == name;
        self.events.iter().filter(named).collect()
    }

    /// The signals that were sent to the child, each with its reason.
    pub(crate) fn signals(&self) -> Vec<String> {
        let signals = self.all("signal").into_iter();
        let word = |event: &Value, field: &str| event[field].as_str().unwrap().to_owned();
        signals
            .map(|event| format!("{} ({})", word(event, "signal"), word(event, "reason")))
            .collect()
    }

    /// What the child printed on `stream`, where all of it is UTF-8.
    pub(crate) fn output(&self, stream: &str) -> String {
        let outputs = self.all("output").into_iter();
        outputs
            .filter(|event| event["stream"] == stream)
            .map(|event| event["text"].as_str().unwrap())
            .collect()
    }

    #[track_caller]
    pub(crate) fn died_by(&self, signal: Signal) {
        assert_eq!(
            self.status.signal(),
            Some(signal.as_raw()),
            "{:?} {:#?}",
            self.status,
            self.events
        );
    }
}

/// Checks one line of `--json` against its documentation.
#[track_caller]
pub(crate) fn valid_event(line: &str) -> Value {
    static VALIDATOR: LazyLock<Validator> = LazyLock::new(|| {
        let schema = include_str!("../docs/events.schema.json");
        jsonschema::draft202012::new(&serde_json::from_str(schema).unwrap()).unwrap()
    });
    let event = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    if let Err(error) = VALIDATOR.validate(&event) {
        panic!("{error}: {line}");
    }
    event
}

/// Compares with literal text; `[..]` stands for any part of a line.
#[track_caller]
pub(crate) fn assert_text(actual: &str, expected: &str) {
    snapbox::Assert::new()
        .normalize_paths(false)
        .eq(actual, expected);
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A pid in an event or in text.
pub(crate) fn pid_in(number: &Value) -> Pid {
    let number = number.as_i64().unwrap_or_else(|| panic!("{number}"));
    Pid::from_raw(i32::try_from(number).unwrap()).unwrap()
}

/// No wait takes that long. The limit only lets a broken test say what it waits for.
const PATIENCE: Duration = Duration::from_mins(5);

/// Waits until a condition holds of which no event tells.
#[track_caller]
pub(crate) fn until(mut true_at_last: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !true_at_last() {
        assert!(Instant::now() < end, "waited in vain");
        thread::yield_now();
    }
}

/// The state of a process in /proc: `R`, `S`, `T` for stopped, `Z` for a zombie; `X` if it is gone.
pub(crate) fn state_of(pid: Pid) -> char {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat
        .rsplit_once(") ")
        .and_then(|(_, rest)| rest.chars().next());
    state.unwrap_or('X')
}

/// A place where a child waits until the test lets it go on, in the shell: `read -r _ <"$1"`. If the test fails, the
/// child goes on, too.
pub(crate) struct Gate {
    path: String,
    end: File,
    _folder: TempDir,
}

impl Gate {
    pub(crate) fn new() -> Self {
        let (folder, path) = fifo();
        // For reading too: otherwise this open would wait for the child.
        let end = File::options().read(true).write(true).open(&path).unwrap();
        Self {
            path,
            end,
            _folder: folder,
        }
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Lets one child go on.
    pub(crate) fn open(&mut self) {
        self.end.write_all(b"\n").unwrap();
    }

    /// Waits until the child has written a line to it instead.
    pub(crate) fn wait(&mut self) {
        let mut byte = [0];
        while byte != *b"\n" {
            self.end.read_exact(&mut byte).unwrap();
        }
    }
}

/// A pipe that a child and all its descendants hold as long as they live, in the shell: `exec 4>"$1"`.
pub(crate) struct Lifeline {
    path: String,
    end: File,
    _folder: TempDir,
}

impl Lifeline {
    pub(crate) fn new() -> Self {
        let (folder, path) = fifo();
        // Non-blocking, so that it does not wait for the child. The child's open finds a reader at once.
        let nonblocking = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap();
        let end = File::options()
            .read(true)
            .custom_flags(nonblocking)
            .open(&path)
            .unwrap();
        rustix::io::ioctl_fionbio(&end, false).unwrap();
        Self {
            path,
            end,
            _folder: folder,
        }
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Waits until no process holds it any more, and returns the text that was written. A process must have opened it.
    pub(crate) fn last_words(mut self) -> String {
        let mut words = String::new();
        self.end.read_to_string(&mut words).unwrap();
        words
    }
}

fn fifo() -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fifo");
    let made = Command::new("mkfifo").arg(&path).status().unwrap();
    assert!(made.success());
    (folder, path.into_os_string().into_string().unwrap())
}

/// The process that watches over the group of the command of this progrun.
pub(crate) fn watcher_of(progrun: Pid) -> Option<Pid> {
    let tasks = fs::read_dir(format!("/proc/{progrun}/task")).unwrap();
    let children: String = tasks
        .map(|task| fs::read_to_string(task.unwrap().path().join("children")).unwrap())
        .collect();
    let is_watcher = |pid: &&str| {
        fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name == "run-watcher\n")
    };
    let found = children.split_whitespace().find(is_watcher);
    found.and_then(|pid| Pid::from_raw(pid.parse().unwrap()))
}
