//! The jobserver of GNU make, as its client: a pipe or a FIFO with a byte for each process that may run beside the
//! first. Its description is in the manual of GNU make, "Sharing Job Slots with GNU make".
//!
//! A byte that is taken has to be given back on every path, or make waits for it for ever. A thread waits for bytes,
//! because make's pipe is shared: it cannot be made non-blocking, and another client may take the byte that `poll` has
//! seen. Knows no task.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::RawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::OFlags;

/// The jobserver that the environment names.
#[derive(Debug)]
pub(crate) struct Jobserver {
    shared: Arc<Shared>,
    writer: File,
    /// The bytes that stand for tasks.
    held: Vec<u8>,
    /// How many jobs make was told to run, if it says so.
    jobs: Option<u32>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// A byte is wanted.
    wants: bool,
    /// A byte that came.
    token: Option<u8>,
    is_over: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What MAKEFLAGS says of a jobserver.
#[derive(Debug, Default, PartialEq, Eq)]
struct Said {
    /// The files to read from and to write to.
    files: Option<[PathBuf; 2]>,
    jobs: Option<u32>,
}

impl Said {
    fn by(flags: &str) -> Self {
        let mut said = Self::default();
        for word in flags.split_whitespace() {
            let auth = ["--jobserver-auth=", "--jobserver-fds="];
            if let Some(auth) = auth.iter().find_map(|name| word.strip_prefix(name)) {
                // The last one counts, as for make.
                said.files = files(auth);
            } else if let Some(jobs) = word.strip_prefix("-j") {
                said.jobs = jobs.parse().ok();
            }
        }
        said
    }
}

fn files(auth: &str) -> Option<[PathBuf; 2]> {
    if let Some(path) = auth.strip_prefix("fifo:") {
        return Some([path.into(), path.into()]);
    }
    let (read, write) = auth.split_once(',')?;
    let descriptor = |number: &str| {
        let number: RawFd = number.parse().ok()?;
        (number >= 0).then(|| PathBuf::from(format!("/dev/fd/{number}")))
    };
    Some([descriptor(read)?, descriptor(write)?])
}

impl Jobserver {
    /// The one that `MAKEFLAGS` names. `wake` is called, by a thread, when a byte has come that was wanted. None where
    /// there is none, or make has not passed its descriptors on: its rule lacks a `+`.
    #[must_use]
    pub(crate) fn connect(wake: impl Fn() + Send + 'static) -> Option<Self> {
        let said = Said::by(&std::env::var("MAKEFLAGS").ok()?);
        let [reader, writer] = said.files?;
        let reader = open(&reader, File::options().read(true))?;
        let writer = open(&writer, File::options().write(true))?;
        let shared = Arc::new(Shared::default());
        let waiting = Arc::clone(&shared);
        thread::Builder::new()
            .name("progrun-jobserver".to_owned())
            .stack_size(64 * 1024)
            .spawn(move || wait(&reader, &waiting, &wake))
            .ok()?;
        Some(Self {
            shared,
            writer,
            held: Vec::new(),
            jobs: said.jobs,
        })
    }

    /// How many jobs make was told to run, if it says so.
    #[must_use]
    pub(crate) fn jobs(&self) -> Option<u32> {
        self.jobs
    }

    /// Whether a task may run beside the `running` ones: the first needs no byte. If not, one is asked for.
    pub(crate) fn allows(&mut self, running: usize) -> bool {
        if running == 0 || running <= self.held.len() {
            return true;
        }
        let mut state = self.shared.lock();
        if let Some(token) = state.token.take() {
            self.held.push(token);
            return running <= self.held.len();
        }
        state.wants = true;
        self.shared.changed.notify_one();
        false
    }

    /// `running` tasks run: gives back the bytes that none of them needs; `wants` if another task waits for one.
    pub(crate) fn settle(&mut self, running: usize, wants: bool) {
        let needed = running.saturating_sub(1) + usize::from(wants && running > 0);
        while self.held.len() > needed {
            if let Some(token) = self.held.pop() {
                give_back(&self.writer, token);
            }
        }
        if !wants {
            let mut state = self.shared.lock();
            state.wants = false;
            if let Some(token) = state.token.take() {
                give_back(&self.writer, token);
            }
        }
    }
}

impl Drop for Jobserver {
    fn drop(&mut self) {
        self.settle(0, false);
        self.shared.lock().is_over = true;
        self.shared.changed.notify_one();
    }
}

/// A file description of our own, which can be made non-blocking without any other process noticing.
fn open(path: &Path, options: &mut std::fs::OpenOptions) -> Option<File> {
    let nonblocking = i32::try_from(OFlags::NONBLOCK.bits()).ok()?;
    let file = options.custom_flags(nonblocking).open(path).ok()?;
    let is_pipe = rustix::fs::fstat(&file).is_ok_and(|stat| {
        rustix::fs::FileType::from_raw_mode(stat.st_mode) == rustix::fs::FileType::Fifo
    });
    is_pipe.then_some(file)
}

fn give_back(mut writer: &File, token: u8) {
    // There is room: the byte came from there.
    let _ = writer.write_all(&[token]);
}

/// Takes a byte each time one is wanted.
fn wait(mut reader: &File, shared: &Shared, wake: &dyn Fn()) {
    loop {
        let mut state = shared.lock();
        while !state.is_over && (!state.wants || state.token.is_some()) {
            state = shared
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        if state.is_over {
            return;
        }
        drop(state);
        let mut ready = [PollFd::new(reader, PollFlags::IN)];
        if poll(&mut ready, None).is_err() {
            continue;
        }
        // Under the lock: a byte that is read after the end of the run would be lost.
        let mut state = shared.lock();
        if state.is_over || !state.wants {
            continue;
        }
        let mut byte = [0];
        match reader.read(&mut byte) {
            Ok(1) => {
                state.token = Some(byte[0]);
                state.wants = false;
                drop(state);
                wake();
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            // make is gone.
            Ok(_) | Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn makeflags_name_two_descriptors_or_a_fifo_and_the_number_of_jobs() {
        let fds = |read: &str, write: &str| Some([read, write].map(PathBuf::from));
        assert_eq!(
            Said::by(" -j3 --jobserver-auth=5,6 -- A=b"),
            Said {
                files: fds("/dev/fd/5", "/dev/fd/6"),
                jobs: Some(3)
            }
        );
        assert_eq!(
            Said::by("--jobserver-auth=fifo:/tmp/GMfifo1"),
            Said {
                files: fds("/tmp/GMfifo1", "/tmp/GMfifo1"),
                jobs: None
            }
        );
        assert_eq!(Said::by("--jobserver-auth=-2,-2").files, None);
        assert_eq!(Said::by("-k"), Said::default());
    }
}
