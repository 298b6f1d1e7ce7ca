//! A terminal to run things on: a pseudo-terminal whose screen, not only its bytes, can be looked at.
//!
//! Nothing here sleeps. A test waits until the screen shows something; a fake child waits on a FIFO until the test lets
//! it go on, so that every picture stays for as long as the test needs it.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};
use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{Action, LocalModes, Winsize, tcflow, tcgetattr, tcgetpgrp, tcsetwinsize};
use tempfile::TempDir;

/// No wait takes that long. The limit only lets a broken test say what it waits for.
const PATIENCE: Duration = Duration::from_mins(5);
/// Written after the end of the command, whose last output may arrive after its death.
const LAST: &[u8] = b"\x01the last of it\x01";

/// What a fake child may use: `pause` waits until the test says `go`, `say` tells the test something.
const WORDS: &str = r#"
pause() { read -r _ <go; }
say() { echo "$*" >said; }
"#;

pub(super) struct Setup {
    rows: u16,
    columns: u16,
    environment: Vec<(&'static str, String)>,
}

/// A terminal of 24 rows and 80 columns.
pub(super) fn terminal() -> Setup {
    Setup {
        rows: 24,
        columns: 80,
        environment: vec![
            ("PATH", std::env::var("PATH").unwrap()),
            ("TERM", "xterm-256color".to_owned()),
            ("LANG", "C.UTF-8".to_owned()),
        ],
    }
}

impl Setup {
    pub(super) fn size(mut self, rows: u16, columns: u16) -> Self {
        (self.rows, self.columns) = (rows, columns);
        self
    }

    pub(super) fn env(mut self, name: &'static str, value: &str) -> Self {
        self.environment.retain(|(known, _)| *known != name);
        self.environment.push((name, value.to_owned()));
        self
    }

    /// Runs a script under progrun, as `job`.
    pub(super) fn job(self, script: &str) -> Terminal {
        self.job_with(&[], script)
    }

    /// Runs a script under progrun with options, as `job`.
    pub(super) fn job_with(self, options: &[&str], script: &str) -> Terminal {
        let script = format!("{WORDS}{script}");
        let mut command = vec![env!("CARGO_BIN_EXE_progrun"), "--name", "job"];
        command.extend(options);
        command.extend(["--", "sh", "-c", &script]);
        self.run(&command)
    }

    /// An interactive shell with job control at its prompt, with progrun in its path and a script as the file `script`.
    pub(super) fn shell(self, script: &str) -> Terminal {
        let programs = Path::new(env!("CARGO_BIN_EXE_progrun")).parent().unwrap();
        let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
        let shell = ["bash", "--norc", "--noprofile", "-i"];
        let setup = self.env("PATH", &path).env("PS1", "ready> ");
        let mut terminal = setup.job_of(&shell, script);
        terminal.until("prompt", |screen| screen == "ready>");
        terminal
    }

    /// Runs a command with a script beside it, as the file `script`.
    pub(super) fn job_of(self, command: &[&str], script: &str) -> Terminal {
        self.run_with(command, &[("script", script)])
    }

    /// Runs a command as the leader of a session with this terminal.
    pub(super) fn run(self, command: &[&str]) -> Terminal {
        self.run_with(command, &[])
    }

    fn run_with(self, command: &[&str], scripts: &[(&str, &str)]) -> Terminal {
        let folder = tempfile::tempdir().unwrap();
        for (name, script) in scripts {
            fs::write(folder.path().join(name), format!("{WORDS}{script}")).unwrap();
        }
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let master = openpt(flags).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let slave = ioctl_tiocgptpeer(&master, flags).unwrap();
        tcsetwinsize(&master, size(self.rows, self.columns)).unwrap();
        let [go, said] = ["go", "said"].map(|name| fifo(&folder.path().join(name)));
        let copy = || slave.try_clone().unwrap();
        let child = Command::new("setsid")
            .arg("--ctty")
            .args(command)
            .env_clear()
            .envs(self.environment)
            .current_dir(&folder)
            .stdin(copy())
            .stdout(copy())
            .stderr(copy())
            .spawn()
            .unwrap();
        let process = pidfd_open(Pid::from_child(&child), PidfdFlags::empty()).unwrap();
        Terminal {
            child,
            process,
            master: Some(File::from(master)),
            slave,
            go,
            said,
            screen: emulator(self.rows, self.columns),
            bytes: Vec::new(),
            emulated: 0,
            folder,
        }
    }
}

pub(super) struct Terminal {
    child: Child,
    /// A pidfd, ready when the child has ended.
    process: OwnedFd,
    /// None after a hang-up.
    master: Option<File>,
    slave: OwnedFd,
    go: File,
    said: File,
    screen: vt100::Parser,
    /// Everything that was written to the terminal.
    pub(super) bytes: Vec<u8>,
    /// How many of them the screen has processed.
    emulated: usize,
    pub(super) folder: TempDir,
}

impl Terminal {
    /// Waits until the screen shows `text`; times and spinners are written as in [`steady`].
    pub(super) fn shows(&mut self, text: &str) {
        self.until(text, |screen| screen.contains(text));
    }

    /// Waits until the screen is as `is_so` says; `what` is for the message of a failure.
    pub(super) fn until(&mut self, what: &str, is_so: impl Fn(&str) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !is_so(&self.screen()) {
            assert!(
                Instant::now() < end,
                "no {what:?} on the screen:\n{}",
                self.screen()
            );
            self.read(false);
            self.emulate();
        }
    }

    /// Waits for so many turns of the spinner: at least an eighth of a second for each but the first.
    pub(super) fn spins(&mut self, times: usize) {
        for _ in 0..times {
            let now = self.spinner();
            let end = Instant::now() + PATIENCE;
            while self.spinner() == now {
                assert!(Instant::now() < end, "no spinner turns:\n{}", self.screen());
                self.read(false);
                self.emulate();
            }
        }
    }

    fn spinner(&self) -> Option<char> {
        let contents = self.screen.screen().contents();
        contents.chars().find(|character| is_spinner(*character))
    }

    /// The rows of the screen, without the blanks at their ends and the empty rows below the last.
    pub(super) fn screen(&self) -> String {
        steady(self.screen.screen().contents().trim_end())
    }

    /// The row and column of the cursor.
    pub(super) fn cursor(&self) -> (u16, u16) {
        self.screen.screen().cursor_position()
    }

    /// The rows that went up and out of sight, and those of the screen.
    pub(super) fn everything(&mut self) -> Vec<String> {
        let (rows, columns) = self.screen.screen().size();
        let screen = self.screen.screen_mut();
        let mut all = Vec::new();
        let mut above = screen.scrollback_len();
        while above > 0 {
            screen.set_scrollback(above);
            let page = above.min(usize::from(rows.get()));
            all.extend(screen.rows(0, columns.get()).take(page));
            above -= page;
        }
        screen.set_scrollback(0);
        all.extend(screen.rows(0, columns.get()));
        all.iter().map(|row| steady(row.trim_end())).collect()
    }

    /// Whether `bytes` were written to the terminal.
    pub(super) fn was_sent(&self, bytes: &str) -> bool {
        memchr::memmem::find(&self.bytes, bytes.as_bytes()).is_some()
    }

    /// Types something.
    pub(super) fn types(&mut self, keys: &str) {
        let mut master = self.master.as_ref().unwrap();
        master.write_all(keys.as_bytes()).unwrap();
    }

    /// Lets the fake child go on after its `pause`.
    pub(super) fn go(&mut self) {
        self.go.write_all(b"\n").unwrap();
    }

    /// Waits for a line that the fake child says, without looking at the screen.
    pub(super) fn hears(&mut self) -> String {
        let mut line = Vec::new();
        while line.last() != Some(&b'\n') {
            wait(
                &[PollFd::new(&self.said, PollFlags::IN)],
                "word of the child",
            );
            let mut byte = [0];
            self.said.read_exact(&mut byte).unwrap();
            line.push(byte[0]);
        }
        String::from_utf8(line).unwrap().trim_end().to_owned()
    }

    pub(super) fn resize(&mut self, rows: u16, columns: u16) {
        let [height, width] = [rows, columns].map(|number| NonZeroU16::new(number).unwrap());
        self.screen.set_size(height, width);
        tcsetwinsize(&self.slave, size(rows, columns)).unwrap();
    }

    /// What Ctrl-S does, at once.
    pub(super) fn stop(&self) {
        tcflow(&self.slave, Action::OOff).unwrap();
    }

    /// What Ctrl-Q does, at once.
    pub(super) fn resume(&self) {
        tcflow(&self.slave, Action::OOn).unwrap();
    }

    /// Closes the terminal's window.
    pub(super) fn hang_up(&mut self) {
        self.master = None;
    }

    /// The pid of the command, which leads the session.
    pub(super) fn leader(&self) -> i32 {
        self.child.id().try_into().unwrap()
    }

    /// The process group that has the terminal.
    pub(super) fn foreground(&self) -> i32 {
        // Asked through the master: a slave answers only processes of its own session.
        let master = self.master.as_ref().unwrap();
        // None while the group that has it is gone, and before it is taken back.
        tcgetpgrp(master).map_or(0, |group| group.as_raw_nonzero().get())
    }

    /// Whether the terminal shows what is typed.
    pub(super) fn echoes(&self) -> bool {
        let settings = tcgetattr(&self.slave).unwrap();
        settings.local_modes.contains(LocalModes::ECHO)
    }

    /// The terminal's settings.
    pub(super) fn settings(&self) -> String {
        format!("{:?}", tcgetattr(&self.slave).unwrap())
    }

    /// Waits until the command has ended, and reads everything that it wrote. Returns its exit status, or the signal
    /// that it died by.
    pub(super) fn ends(&mut self) -> End {
        while self.child.try_wait().unwrap().is_none() {
            self.read(true);
        }
        if self.master.is_some() {
            // In a thread: the write blocks as long as the terminal is full of unread output.
            let mut slave = File::from(self.slave.try_clone().unwrap());
            let writer = thread::spawn(move || slave.write_all(LAST));
            while !self.bytes.ends_with(LAST) {
                self.read(false);
            }
            writer.join().unwrap().unwrap();
            self.bytes.truncate(self.bytes.len() - LAST.len());
        }
        self.emulate();
        let status = self.child.wait().unwrap();
        match status.signal() {
            Some(signal) => End::Signal(signal),
            None => End::Status(status.code().unwrap()),
        }
    }

    /// Waits for output; with `or_end` also for the end of the command.
    fn read(&mut self, or_end: bool) {
        let mut sources = Vec::new();
        if let Some(master) = &self.master {
            sources.push(PollFd::new(master, PollFlags::IN));
        }
        if or_end {
            sources.push(PollFd::new(&self.process, PollFlags::IN));
        }
        let ready = wait(
            &sources,
            &format!("output or end after:\n{}", self.screen()),
        );
        if let Some(mut master) = self.master.as_ref()
            && ready[0]
        {
            let mut buffer = [0; 16 * 1024];
            let length = master.read(&mut buffer).unwrap();
            self.bytes.extend_from_slice(&buffer[..length]);
        }
    }

    /// Waits for a condition that is not visible on the screen. Reads the terminal meanwhile, because progrun blocks
    /// until its bars are cleared.
    pub(super) fn eventually(&mut self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !is_so(self) {
            let screen = self.screen();
            assert!(Instant::now() < end, "waited in vain: {what}:\n{screen}");
            let mut master = self.master.as_ref().unwrap();
            let mut polled = [PollFd::new(master, PollFlags::IN)];
            let soon = Timespec {
                tv_sec: 0,
                tv_nsec: 2_000_000,
            };
            if poll(&mut polled, Some(&soon)).unwrap() > 0 {
                let mut buffer = [0; 16 * 1024];
                let length = master.read(&mut buffer).unwrap();
                self.bytes.extend_from_slice(&buffer[..length]);
                self.emulate();
            }
        }
    }

    fn emulate(&mut self) {
        self.screen.process(&self.bytes[self.emulated..]);
        self.emulated = self.bytes.len();
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[derive(Debug, PartialEq)]
pub(super) enum End {
    Status(i32),
    Signal(i32),
}

/// Waits for a condition that is not visible on a screen.
pub(super) fn eventually(what: &str, is_so: impl Fn() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < end, "waited in vain: {what}");
        std::thread::yield_now();
    }
}

/// Whether a process is stopped.
pub(super) fn is_stopped(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    stat.rsplit(") ").next().unwrap().starts_with('T')
}

/// Sends a signal.
pub(super) fn kill(pid: i32, signal: Signal) {
    kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
}

/// Text in which everything that changes with time is replaced: a time by `_s`, a rate by `_/s`, a spinner by `⣾`; and
/// left out, what only the last line of a run of a second or more says: `0.3/s`, `CPU 1.2s`, `max RSS 3.1 MiB`.
pub(super) fn steady(text: &str) -> String {
    let is_stopwatch = |word: &str| {
        let is_digit = |c: char| c.is_ascii_digit();
        let mut fields = word.split(':');
        let first = fields
            .next()
            .is_some_and(|it| !it.is_empty() && it.chars().all(is_digit));
        let rest: Vec<_> = fields.collect();
        first
            && !rest.is_empty()
            && rest
                .iter()
                .all(|it| it.len() == 2 && it.chars().all(is_digit))
    };
    let word = |word: &str| {
        if is_stopwatch(word) {
            return "_s".to_owned();
        }
        let end = word.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
        match end.trim_end_matches([',', '\n']) {
            "s" | "/s" if end != word => format!("_{end}"),
            _ => word.to_owned(),
        }
    };
    let lines = text.split('\n').map(|line| {
        let ends = [": completed in ", " after "]
            .iter()
            .any(|how| line.contains(how));
        let is_usage = |fact: &&str| {
            let mean = fact.ends_with("/s");
            ends && (mean || fact.starts_with("CPU ") || fact.starts_with("max RSS "))
        };
        let facts: Vec<&str> = line.split(", ").filter(|fact| !is_usage(fact)).collect();
        let words: Vec<String> = facts.join(", ").split(' ').map(word).collect();
        words.join(" ")
    });
    let text: Vec<String> = lines.collect();
    text.join("\n").replace(is_spinner, "⣾")
}

fn is_spinner(character: char) -> bool {
    ('\u{2800}'..='\u{28ff}').contains(&character)
}

fn size(rows: u16, columns: u16) -> Winsize {
    Winsize {
        ws_row: rows,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    }
}

fn emulator(rows: u16, columns: u16) -> vt100::Parser {
    let [rows, columns] = [rows, columns].map(|number| NonZeroU16::new(number).unwrap());
    vt100::Parser::new(rows, columns, 100_000)
}

/// A new FIFO, open for both, so that neither end ever waits for the other.
fn fifo(path: &Path) -> File {
    mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    OpenOptions::new()
        .read(true)
        .write(true)
        .open(path)
        .unwrap()
}

/// Waits until one of these is ready; returns which of them are.
fn wait(sources: &[PollFd<'_>], what: &str) -> Vec<bool> {
    let mut sources = sources.to_vec();
    let patience = Timespec {
        tv_sec: PATIENCE.as_secs().try_into().unwrap(),
        tv_nsec: 0,
    };
    let ready = poll(&mut sources, Some(&patience)).unwrap();
    assert!(ready > 0, "waited in vain for {what}");
    let ready = sources.iter().map(|source| !source.revents().is_empty());
    ready.collect()
}
