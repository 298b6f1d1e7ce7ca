//! The command of `--on-end`, which runs after the end of a run, when everything is written.
//!
//! It runs in our process group, so that a Ctrl-C of the terminal reaches it, a question on the terminal is answered
//! there, and `stty tostop` does not stop its output. That group has others, too, such as the script that runs progrun:
//! so what the command has started is not found by the group, but by a variable of its environment. progrun waits for
//! the command, and ends as the run did, whatever becomes of it. Knows nothing of how a run goes.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process};
use rustix::stdio::stderr;

use crate::child;
use crate::event::{Ending, FinalState, signal_name};
use crate::reason::reason;
use crate::system::groups;
use crate::system::signals::{Came, block, handle, ignore, is_ignored, set_default, unblock};
use crate::system::wake::{Woken, wake};

use super::presses::Presses;

/// How long a command that was asked to end by SIGTERM or SIGHUP has for it: no user may be there to ask again.
const PATIENCE: Duration = Duration::from_secs(5);

/// How often the end of a process is looked for of which the system does not tell it.
const LOOK: Duration = Duration::from_millis(50);
/// The signals that ask progrun to end.
const ASKS: [i32; 4] = [libc::SIGINT, libc::SIGQUIT, libc::SIGTERM, libc::SIGHUP];

/// What is about this run, and not about what the command may run itself. With the last two, a progrun in the command
/// would run the command again, and so on.
const NOT_ITS: [&str; 5] = [
    "PROGRUN_FD",
    "PROGRUN_FD_ID",
    "PROGRUN_SOCK",
    "PROGRUN_ON_END",
    "PROGRUN_NOTIFY",
];

/// The variable that only the environments of the command and its descendants have.
const IDENTITY: &str = "PROGRUN_ON_END_ID";

/// What runs after a run.
#[derive(Clone, Debug)]
pub(crate) struct Hook {
    /// A line for sh.
    pub(crate) command: OsString,
    /// The name of the run.
    pub(crate) name: String,
    /// The file of `--log`, or else that of `--log-raw`.
    pub(crate) log: Option<PathBuf>,
}

/// How the run ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct End {
    /// Completed, failed or cancelled.
    pub(crate) state: FinalState,
    /// How progrun ends.
    pub(crate) ending: Ending,
    /// How long the run took.
    pub(crate) elapsed: Duration,
}

impl Hook {
    /// Runs it to its end, or until the user asks twice not to wait for it. Gives the sentence of its failure.
    pub(crate) fn run(&self, end: &End) -> Option<String> {
        if end.ending == Ending::Signal(libc::SIGHUP) {
            // A terminal that closes may tell so several times: by its shell, and by the kernel.
            ignore(libc::SIGHUP);
        }
        let failure = match self.status(end) {
            Ok(status) => match (status.code(), status.signal()) {
                (Some(0), _) => return None,
                (Some(status), _) => format!("exit status {status}"),
                (None, signal) => format!("killed by {}", signal_name(signal.unwrap_or(0))),
            },
            Err(error) => format!("cannot run sh: {}", reason(&error)),
        };
        Some(format!("--on-end: {failure}"))
    }

    fn status(&self, end: &End) -> io::Result<ExitStatus> {
        let identity = identity();
        let mut command = self.command(end)?;
        command.env(IDENTITY, &identity);
        let signals = Signals::handle()?;
        // Ctrl-Z stops progrun together with the command.
        set_default(libc::SIGTSTP);
        // The command is to have no signal blocked, and inherits what this thread has.
        unblock(&(1..32).collect::<Vec<_>>());
        let child = command.spawn();
        block(&[libc::SIGTTOU, libc::SIGXFSZ]);
        let mut processes = Processes {
            child: child?,
            ended: None,
            tag: format!("{IDENTITY}={identity}"),
        };
        let begun = Instant::now();
        let mut asked = Asked::default();
        loop {
            if let Some(status) = processes.ended()? {
                // What its shell has started got SIGTERM as well, and as much time to follow it.
                let is_over = asked.kills_at.is_none() || processes.living().is_empty();
                if is_over {
                    return Ok(status);
                }
            }
            let kills_at = asked.kills_at.map(|at| begun + at);
            signals.wait_with(&processes, kills_at);
            let now = begun.elapsed();
            for signal in signals.take() {
                asked.again(signal, now, &processes);
            }
            if asked.kills_at.is_some_and(|at| at <= now) {
                return processes.kill();
            }
        }
    }

    fn command(&self, end: &End) -> io::Result<Command> {
        let (status, signal) = match end.ending {
            Ending::Status(status) => (status, String::new()),
            // What a shell shows for it.
            Ending::Signal(signal) => (128 + signal, signal_name(signal)),
        };
        let log = self.log.as_deref().map(std::path::absolute);
        let log = log.transpose()?.unwrap_or_default();
        let mut command = Command::new("sh");
        command.arg("-c").arg(&self.command);
        for name in NOT_ITS {
            command.env_remove(name);
        }
        command
            .env("PROGRUN_NAME", &self.name)
            .env("PROGRUN_STATE", end.state.word())
            .env("PROGRUN_EXIT_STATUS", status.to_string())
            .env("PROGRUN_SIGNAL", signal)
            // Whole ones, because `test` and `$((...))` of a shell know no others.
            .env("PROGRUN_ELAPSED", end.elapsed.as_secs().to_string())
            .env("PROGRUN_LOG", log)
            .stdin(Stdio::null())
            // Our stdout has what the run printed, or its events: a word of this command would be taken for part of it.
            .stdout(stderr().try_clone_to_owned()?);
        Ok(command)
    }
}

/// The signals that come while the command runs.
struct Signals {
    woken: Woken,
    came: Vec<(i32, Arc<Came>)>,
}

impl Signals {
    /// Handles them. One that is ignored stays so.
    fn handle() -> io::Result<Self> {
        let (wake, woken) = wake()?;
        let mut signals = Vec::new();
        for signal in ASKS.into_iter().filter(|signal| !is_ignored(*signal)) {
            let came = Arc::<Came>::default();
            handle(signal, Arc::clone(&came), wake.clone())?;
            signals.push((signal, came));
        }
        Ok(Self {
            woken,
            came: signals,
        })
    }

    /// Waits for a signal, the end of the child, or this time.
    fn wait_with(&self, processes: &Processes, until: Option<Instant>) {
        let end = processes.end_of_child();
        let look = end.is_none().then_some(LOOK);
        let left = until.map(|until| until.saturating_duration_since(Instant::now()));
        let at_most = [look, left].into_iter().flatten().min();
        let at_most = at_most.and_then(|time| Timespec::try_from(time).ok());
        let mut sources = vec![PollFd::new(&self.woken, PollFlags::IN)];
        sources.extend(end.iter().map(|end| PollFd::new(end, PollFlags::IN)));
        // Interrupted or not: the caller looks at everything.
        let _ = poll(&mut sources, at_most.as_ref());
        self.woken.clear();
    }

    fn take(&self) -> impl Iterator<Item = i32> {
        let came = self.came.iter().filter(|(_, came)| came.take() > 0);
        came.map(|(signal, _)| *signal)
    }
}

/// The shell of the command, and what it has started.
struct Processes {
    child: Child,
    /// How the shell ended. It is reaped then, and its number may be another's.
    ended: Option<ExitStatus>,
    tag: String,
}

impl Processes {
    fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        if self.ended.is_none() {
            self.ended = self.child.try_wait()?;
        }
        Ok(self.ended)
    }

    /// Those that a signal to a group of their own would reach: a daemon is not among them. Where the system does not
    /// tell, only the shell.
    fn living(&self) -> Vec<Pid> {
        let tagged = child::living(std::slice::from_ref(&self.tag)).into_iter();
        let mut living: Vec<_> = tagged
            .filter_map(Pid::from_raw)
            .filter(|process| groups::of(*process) == groups::ours())
            .collect();
        let shell = self.ended.is_none().then(|| Pid::from_child(&self.child));
        living.extend(shell.filter(|shell| !living.contains(shell)));
        living
    }

    /// Kills all of them, and waits for the shell.
    fn kill(&mut self) -> io::Result<ExitStatus> {
        let leader = self.ended.is_none().then(|| self.child.id());
        let leader = leader.and_then(|leader| i32::try_from(leader).ok());
        child::kill_all(&[(leader, self.tag.clone())]);
        self.child.wait()
    }

    /// A descriptor that is ready when the shell has ended; none where the system has none, and once it has.
    #[cfg(target_os = "linux")]
    fn end_of_child(&self) -> Option<std::os::fd::OwnedFd> {
        use rustix::process::{PidfdFlags, pidfd_open};
        let child = self.ended.is_none().then(|| Pid::from_child(&self.child))?;
        pidfd_open(child, PidfdFlags::empty()).ok()
    }

    #[cfg(not(target_os = "linux"))]
    fn end_of_child(&self) -> Option<std::os::fd::OwnedFd> {
        None
    }
}

/// A text that no other command of `--on-end` has, also not one of earlier whose daemon lives.
fn identity() -> String {
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    format!("{}:{}", std::process::id(), now.as_nanos())
}

/// How far progrun was asked to end.
#[derive(Debug, Default)]
struct Asked {
    presses: Presses,
    once: bool,
    /// When the command is killed, with all that it has started.
    kills_at: Option<Duration>,
}

impl Asked {
    /// progrun was asked by `signal` at `now`.
    fn again(&mut self, signal: i32, now: Duration, processes: &Processes) {
        if !self.presses.is_new(now) {
            return;
        }
        if self.once {
            self.kills_at = Some(now);
        }
        self.once = true;
        // The terminal has sent the others to the command as well.
        let forwarded = match signal {
            libc::SIGTERM => Signal::TERM,
            libc::SIGHUP => Signal::HUP,
            _ => return,
        };
        self.kills_at.get_or_insert(now + PATIENCE);
        for process in processes.living() {
            let _ = kill_process(process, forwarded);
        }
    }
}
