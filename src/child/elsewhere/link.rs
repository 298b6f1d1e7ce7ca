//! The process that is the way to another machine, with its three pipes. What is said there is not known here.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};

use rustix::io::ioctl_fionbio;
use rustix::process::{Pid, Signal, kill_process};

use crate::client;
use crate::event::signal_name;
use crate::system::{helper, reap};

use super::super::launch_error::LaunchError;

/// How much is read at once, and how long a line may be.
const READ: usize = 64 * 1024;
const LONGEST: usize = 64 * 1024 * 1024;
const LONGEST_WORD: usize = 64 * 1024;
/// How many lines are kept that may say why a connection failed, how long each may be, and how many are told.
const LINES: usize = 20;
const LINE: usize = 300;
const TOLD: usize = 2;

/// The way there, and what it has said of itself.
pub(super) struct Link {
    child: Child,
    /// Tells that it has ended, where the system has that.
    pidfd: Option<OwnedFd>,
    stdin: Option<ChildStdin>,
    pub(super) stdout: Option<ChildStdout>,
    pub(super) stderr: Option<ChildStderr>,
    to_write: VecDeque<u8>,
    /// Whether nothing is written after that.
    closes: bool,
    /// The beginnings of lines, of stdout first.
    begun: [Vec<u8>; 2],
    words: VecDeque<String>,
    status: Option<ExitStatus>,
    is_over: bool,
    is_abandoned: bool,
}

impl Link {
    /// Starts it, as the leader of a process group of its own: Ctrl-C is not for it.
    pub(super) fn start(words: &[OsString]) -> Result<Self, LaunchError> {
        let program = words.first().map_or(OsStr::new(""), OsString::as_os_str);
        let mut command = Command::new(program);
        command
            .args(words.get(1..).unwrap_or_default())
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        // Some engines carry the environment along, and the channel that these name is not there.
        for name in ["PROGRUN_FD", "PROGRUN_FD_ID", client::SOCKET] {
            command.env_remove(name);
        }
        let child = helper::start(&mut command);
        let mut child = child.map_err(|error| LaunchError::new(program, None, error))?;
        let (stdin, stdout, stderr) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let ends = [
            stdin.as_ref().map(AsFd::as_fd),
            stdout.as_ref().map(AsFd::as_fd),
            stderr.as_ref().map(AsFd::as_fd),
        ];
        for end in ends.into_iter().flatten() {
            // A pipe has no other error here than that of a kernel without the call, and that blocks.
            let _ = ioctl_fionbio(end, true);
        }
        Ok(Self {
            pidfd: pidfd(&child),
            child,
            stdin,
            stdout,
            stderr,
            to_write: VecDeque::new(),
            closes: false,
            begun: [Vec::new(), Vec::new()],
            words: VecDeque::new(),
            status: None,
            is_over: false,
            is_abandoned: false,
        })
    }

    /// Writes these bytes as soon as there is room.
    pub(super) fn send(&mut self, bytes: &[u8]) {
        if !self.closes {
            self.to_write.extend(bytes);
        }
    }

    /// Nothing more is sent: the other side gets an end of file once it has all of it.
    pub(super) fn close(&mut self) {
        self.closes = true;
    }

    /// Writes what there is room for.
    pub(super) fn write(&mut self) {
        while let (Some(stdin), false) = (&mut self.stdin, self.to_write.is_empty()) {
            match stdin.write(self.to_write.as_slices().0) {
                Ok(0) => break,
                Ok(count) => drop(self.to_write.drain(..count)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                // Its end says more.
                Err(_) => {
                    self.to_write.clear();
                    self.stdin = None;
                }
            }
        }
        if self.closes && self.to_write.is_empty() {
            self.stdin = None;
        }
    }

    /// Where there has to be room before more can be written.
    pub(super) fn writes_to(&self) -> Option<BorrowedFd<'_>> {
        let waits = !self.to_write.is_empty();
        self.stdin.as_ref().filter(|_| waits).map(AsFd::as_fd)
    }

    /// What tells that it has ended.
    pub(super) fn end(&self) -> Option<BorrowedFd<'_>> {
        self.pidfd.as_ref().map(AsFd::as_fd)
    }

    /// Whether a signal has ended it, and not one of ours that it handles.
    pub(super) fn was_killed(&self) -> bool {
        self.status
            .is_some_and(|status| status.signal().is_some_and(|it| it != libc::SIGTERM))
    }

    /// Whether it has to be looked at whether it has ended.
    pub(super) fn is_blind(&self) -> bool {
        self.pidfd.is_none() || self.status.is_some()
    }

    /// The whole lines that have come.
    pub(super) fn read_stdout(&mut self) -> Vec<String> {
        let is_open = read(self.stdout.as_mut(), &mut self.begun[0]);
        if !is_open {
            self.stdout = None;
        }
        lines(&mut self.begun[0], is_open, LONGEST)
    }

    /// The same of what it says of itself.
    pub(super) fn read_stderr(&mut self) -> Vec<String> {
        let is_open = read(self.stderr.as_mut(), &mut self.begun[1]);
        if !is_open {
            self.stderr = None;
        }
        lines(&mut self.begun[1], is_open, LONGEST_WORD)
    }

    /// Nothing can be read at the moment. Looks whether it has ended; if that was known before, all of it is read.
    pub(super) fn look_for_end(&mut self) {
        if self.status.is_some() {
            self.is_over = true;
        } else if let Ok(Some(status)) = self.child.try_wait() {
            reap::forget(&self.child);
            self.status = Some(status);
        }
    }

    /// Whether it has ended, and all that came by it is read; or it is not waited for.
    pub(super) fn is_over(&self) -> bool {
        self.is_over
    }

    /// It is not waited for any more.
    pub(super) fn abandon(&mut self) {
        self.is_abandoned = true;
        self.is_over = true;
    }

    pub(super) fn was_abandoned(&self) -> bool {
        self.is_abandoned
    }

    /// Sends it a signal, unless it is gone.
    pub(super) fn signal(&self, signal: i32) {
        if self.status.is_none()
            && let (Some(pid), Some(signal)) = (
                i32::try_from(self.child.id()).ok().and_then(Pid::from_raw),
                Signal::from_named_raw(signal),
            )
        {
            let _ = kill_process(pid, signal);
        }
    }

    /// Keeps a line that may say why a connection failed.
    pub(super) fn remember(&mut self, line: &str) {
        let line = line.trim();
        if line.is_empty() {
            return;
        }
        let end = line.floor_char_boundary(LINE);
        self.words.push_back(line[..end].to_owned());
        if self.words.len() > LINES {
            self.words.pop_front();
        }
    }

    /// All that is remembered.
    pub(super) fn remembered(&self) -> String {
        let words: Vec<_> = self.words.iter().map(String::as_str).collect();
        words.join("\n")
    }

    /// What it said last, for the end of a sentence; empty if it said nothing.
    pub(super) fn last_words(&self) -> String {
        let first = self.words.len().saturating_sub(TOLD);
        let words: Vec<_> = self.words.iter().skip(first).map(String::as_str).collect();
        if words.is_empty() {
            String::new()
        } else {
            format!(": {}", words.join("; "))
        }
    }

    /// How it ended, in a few words.
    pub(super) fn how(&self) -> String {
        match self.status {
            Some(status) => match (status.code(), status.signal()) {
                (Some(status), _) => format!("exit status {status}"),
                (None, signal) => format!("killed by {}", signal_name(signal.unwrap_or(0))),
            },
            None => "still running".to_owned(),
        }
    }
}

fn pidfd(child: &Child) -> Option<OwnedFd> {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{PidfdFlags, pidfd_open};
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw)?;
        pidfd_open(pid, PidfdFlags::empty()).ok()
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = child;
        None
    }
}

/// Reads what there is, at most so much at once; false: the end is reached.
fn read(end: Option<&mut impl Read>, begun: &mut Vec<u8>) -> bool {
    let Some(end) = end else { return false };
    let start = begun.len();
    begun.resize(start + READ, 0);
    let count = loop {
        match end.read(&mut begun[start..]) {
            Ok(count) => break Some(count),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break None,
            Err(_) => break Some(0),
        }
    };
    begun.truncate(start + count.unwrap_or(0));
    count != Some(0)
}

/// Takes the whole lines; at the end, the rest is one, too. A line without an end is cut, and is none of an agent then.
fn lines(begun: &mut Vec<u8>, is_open: bool, longest: usize) -> Vec<String> {
    // Only what has just been read can have one: the rest was looked through before.
    let new = begun.len().saturating_sub(READ);
    let end = memchr::memrchr(b'\n', &begun[new..]).map(|end| new + end);
    let end = match end {
        _ if !is_open || begun.len() > longest => begun.len(),
        Some(end) => end + 1,
        None => return Vec::new(),
    };
    let rest = begun.split_off(end);
    let whole = std::mem::replace(begun, rest);
    let text = String::from_utf8_lossy(&whole);
    text.lines().map(str::to_owned).collect()
}
