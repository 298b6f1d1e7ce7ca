//! One connection: starts the way there, hands the task to the agent, passes orders on, and reads what the agent says.

use std::cell::RefCell;
use std::ffi::OsString;
use std::io;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};

use crate::event::{Answer, CancelMode, Missed, Reason, Stream};
use crate::launcher::{Bootstrap, ShellLine, Wanted};
use crate::list::Stdin;
use crate::model::batch::Batch;
use crate::progress::ProgressReporter;
use crate::wire::agent::{self, Hello, Instruction, PROTOCOL, Said, Text};

use super::super::launch_error::LaunchError;
use super::super::worker::timespec;
use super::super::{Ended, FAILED, Launch, Notice, Order, Orders, pty};
use super::intake::{Brought, Intake};
use super::link::Link;
use super::{Elsewhere, Lost, News, Terms, not_reached, refuse};

/// How long the way there has to end after the last word, and again after it was asked to.
const LEAVES: Duration = Duration::from_secs(5);
/// If this thread wakes so late, progrun was stopped.
const LATE: Duration = Duration::from_secs(1);
/// How long a task that is stopped by Ctrl-Z is kept, because no word can come meanwhile.
const HOLD: Duration = Duration::from_hours(12);
/// How long the answer to a cancel request is waited for.
const ANSWERS: Duration = Duration::from_millis(250);
/// How often the way there is looked at where the system does not tell that it has ended.
const BLIND: Duration = Duration::from_millis(20);

/// How far a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// A shell looks for an agent, or the engine for a place.
    Shell,
    /// The agent is there, and has the task.
    Running,
    /// The last word was said, or is not waited for any more. The way there is to end.
    Leaving,
}

/// What follows from a connection.
pub(super) enum Verdict {
    Ended(Ended),
    /// There were too many connections at once, says this sentence.
    TurnedAway(String),
}

/// One connection.
#[expect(clippy::struct_excessive_bools, reason = "independent facts")]
pub(super) struct Session<'a> {
    launch: &'a Launch,
    elsewhere: &'a Elsewhere,
    orders: &'a Orders,
    reporter: &'a ProgressReporter<Batch>,
    notify: &'a dyn Fn(Notice),
    /// What the machine is called.
    host: String,
    link: Link,
    intake: Intake<'a>,
    stage: Stage,
    result: Option<Ended>,
    /// The number of the next line of the agent.
    next: u64,
    /// Until when the agent has to say its first word.
    hello_by: Option<Instant>,
    /// When it was last heard of, and whether the user knows that this is long ago.
    heard: Instant,
    is_stale: bool,
    /// The last word that the agent is there, until it is told that it was heard.
    beat: Option<u64>,
    /// Whether the agent was told that no word comes for long.
    is_held: bool,
    /// Until when the answer to a cancel request is waited for.
    answer_by: Option<Instant>,
    /// Whether the run loop has its answer.
    is_answered: bool,
    /// The streams whose readers left before the agent was there.
    closed: &'a RefCell<Vec<Stream>>,
    /// Whether a shell was reached.
    has_shell: bool,
    /// Whether the child is gone.
    has_exited: bool,
    /// Whether the agent was told to keep output back.
    is_paused: bool,
    /// Whether the cancel request was passed on.
    is_cancelled: bool,
    /// When the way there is ended if it has not ended by itself.
    ends_at: Option<Instant>,
    was_terminated: bool,
}

impl<'a> Session<'a> {
    pub(super) fn start(
        launch: &'a Launch,
        elsewhere: &'a Elsewhere,
        orders: &'a Orders,
        reporter: &'a ProgressReporter<Batch>,
        notify: &'a dyn Fn(Notice),
        closed: &'a RefCell<Vec<Stream>>,
    ) -> Result<Self, LaunchError> {
        let target = &elsewhere.target;
        let terms = &elsewhere.terms;
        let words = target.command(&terms.job());
        let mut link = Link::start(&words)?;
        link.send(terms.bootstrap.script(PROTOCOL).as_bytes());
        let now = Instant::now();
        Ok(Self {
            launch,
            elsewhere,
            orders,
            reporter,
            notify,
            host: target.name.clone(),
            link,
            intake: Intake::new(launch, &target.name, reporter, orders.wake.clone()),
            stage: Stage::Shell,
            result: None,
            next: 1,
            hello_by: target.engine.patience.map(|patience| now + patience),
            heard: now,
            is_stale: false,
            beat: None,
            is_held: false,
            answer_by: None,
            is_answered: false,
            closed,
            has_shell: false,
            has_exited: false,
            is_paused: false,
            is_cancelled: false,
            ends_at: None,
            was_terminated: false,
        })
    }

    pub(super) fn serve(mut self) -> io::Result<Verdict> {
        loop {
            self.carry_out_orders();
            if !self.is_cancelled && self.reporter.is_cancelled() {
                self.cancel();
            }
            self.keep_time(Instant::now());
            self.keep_back();
            self.link.write();
            if self.link.is_over() {
                return Ok(self.over());
            }
            self.wait_and_read()?;
        }
    }

    fn host(&self) -> &str {
        &self.host
    }

    fn tell(&self, news: News) {
        (self.notify)(Notice::Elsewhere(news));
    }

    fn instruct(&mut self, instruction: Instruction) {
        self.link.send(format!("{instruction}\n").as_bytes());
    }

    fn carry_out_orders(&mut self) {
        while let Some(order) = self.orders.next() {
            if self.stage != Stage::Running {
                match order {
                    Order::Stop(libc::SIGTERM) => self.link.signal(libc::SIGTERM),
                    Order::Kill | Order::GiveUp => self.kill_link(),
                    order => refuse(order, self.notify, self.closed),
                }
                continue;
            }
            match order {
                // The agent has no terminal, and the pseudo-terminals are its own.
                Order::Signal(libc::SIGWINCH) => self.resize(),
                Order::Signal(libc::SIGTSTP) => {
                    // No word can come from a progrun that is stopped.
                    self.instruct(Instruction::Hold(HOLD));
                    self.instruct(Instruction::Signal(libc::SIGTSTP));
                    self.is_held = true;
                }
                Order::Signal(signal) => {
                    self.instruct(Instruction::Signal(signal));
                    self.is_held &= signal != libc::SIGCONT;
                }
                Order::Stop(signal) => self.instruct(Instruction::Stop(signal)),
                Order::Drain => self.instruct(Instruction::Drain),
                Order::Kill => {
                    self.instruct(Instruction::Kill);
                    self.ends_at = Some(Instant::now() + LEAVES);
                }
                Order::Close(stream) => self.instruct(Instruction::Close(stream)),
                Order::Discard => self.instruct(Instruction::Discard),
                Order::Acknowledge => {
                    self.link.write();
                    (self.notify)(Notice::Acknowledged);
                }
                Order::GiveUp => self.kill_link(),
                order @ Order::Lend(_) => refuse(order, self.notify, self.closed),
                Order::TakeBack | Order::Look => {}
            }
        }
    }

    /// Tells the agent whether there is too much output under way. Its lines are read in any case: what it says of our
    /// orders must not wait for a terminal.
    fn keep_back(&mut self) {
        let is_enough = self.intake.exhausted();
        if self.stage == Stage::Running && is_enough != self.is_paused {
            self.is_paused = is_enough;
            self.instruct(if is_enough {
                Instruction::Pause
            } else {
                Instruction::Resume
            });
        }
    }

    fn resize(&mut self) {
        let size = pty::size();
        self.instruct(Instruction::Size(size.ws_col, size.ws_row));
    }

    /// The task is cancelled.
    fn cancel(&mut self) {
        self.is_cancelled = true;
        match self.stage {
            Stage::Running => {
                self.instruct(Instruction::Cancel);
                self.answer_by = Some(Instant::now() + ANSWERS);
            }
            // Nothing runs: the way there is ended, and with it a place in a queue.
            Stage::Shell => {
                self.result = Some(Ended::Withdrawn);
                self.leave(Instant::now());
                // The ladder has its first step, and the next request another.
                self.answer(CancelMode::Channel);
            }
            Stage::Leaving => {}
        }
    }

    /// Ends the way there by force, if it holds no job of an engine.
    fn kill_link(&mut self) {
        let may_be_killed = self.elsewhere.target.engine.may_be_killed;
        self.link.signal(if may_be_killed {
            libc::SIGKILL
        } else {
            libc::SIGTERM
        });
    }

    /// Ends the way there at once.
    fn leave(&mut self, now: Instant) {
        self.stage = Stage::Leaving;
        self.link.close();
        self.ends_at = Some(now);
    }

    /// Tells the run loop how the child sees the cancel request.
    fn answer(&mut self, mode: CancelMode) {
        self.answer_by = None;
        if !std::mem::replace(&mut self.is_answered, true) {
            (self.notify)(Notice::Cancel(mode));
        }
    }

    /// Does what is due.
    fn keep_time(&mut self, now: Instant) {
        // After a hold, a word would end it before progrun is stopped.
        if let (Some(beat), false) = (self.beat, self.is_held) {
            self.beat = None;
            self.instruct(Instruction::Ping(beat));
        }
        if self.answer_by.is_some_and(|at| at <= now) {
            // The line is slow. The next Ctrl-C must find a stop that has begun.
            self.answer(if self.intake.has_own() {
                CancelMode::Channel
            } else {
                CancelMode::Signal
            });
        }
        if self.stage == Stage::Shell && self.hello_by.is_some_and(|at| at <= now) {
            let patience = self.elsewhere.target.engine.patience.unwrap_or_default();
            let sentence = format!(
                "cannot reach {}: no answer in {} s{}",
                self.host(),
                patience.as_secs(),
                self.link.last_words()
            );
            self.result = Some(not_reached(sentence));
            self.leave(now);
        }
        if self.stage == Stage::Running {
            self.look_at_silence(now);
        }
        if self.ends_at.is_some_and(|at| at <= now) {
            self.end_link(now);
        }
    }

    fn look_at_silence(&mut self, now: Instant) {
        let terms = &self.elsewhere.terms;
        let (Some(lease), Some(most)) = (terms.lease, terms.silence()) else {
            return;
        };
        let silence = now.saturating_duration_since(self.heard);
        if silence >= most {
            let sentence = format!(
                "{} has said nothing for {} s: what became of the command is not known",
                self.host(),
                silence.as_secs()
            );
            self.result = Some(Ended::Lost(Lost {
                missed: Missed::Heartbeat,
                sentence,
                over_in: Some(Duration::ZERO),
            }));
            self.leave(now);
        } else if !self.is_stale && silence >= stale_after(lease) {
            self.is_stale = true;
            self.tell(News::Warning(format!(
                "{} has said nothing for {} s",
                self.host(),
                silence.as_secs()
            )));
        }
    }

    /// Ends the way there, which has not ended by itself.
    fn end_link(&mut self, now: Instant) {
        self.stage = Stage::Leaving;
        self.link.close();
        if !self.was_terminated {
            self.was_terminated = true;
            self.link.signal(libc::SIGTERM);
            self.ends_at = Some(now + LEAVES);
        } else if self.elsewhere.target.engine.may_be_killed {
            self.link.signal(libc::SIGKILL);
            self.ends_at = None;
        } else {
            // A killed srun leaves its job behind.
            self.link.abandon();
            self.ends_at = None;
        }
    }

    /// When something is due although nothing comes.
    fn due(&self) -> Option<Instant> {
        let hello = self.hello_by.filter(|_| self.stage == Stage::Shell);
        let silence = self.elsewhere.terms.lease.and_then(|lease| {
            let patience = if self.is_stale {
                self.elsewhere.terms.silence()?
            } else {
                stale_after(lease)
            };
            (self.stage == Stage::Running).then(|| self.heard + patience)
        });
        [hello, silence, self.answer_by, self.ends_at]
            .into_iter()
            .flatten()
            .min()
    }

    fn wait_and_read(&mut self) -> io::Result<()> {
        let before = Instant::now();
        let due = self.due();
        let timeout = due.map(|due| due.saturating_duration_since(before));
        let blind = self.link.is_blind().then_some(BLIND);
        let timeout = [timeout, blind].into_iter().flatten().min().map(timespec);
        let ends = [
            (self.link.stdout.as_ref().map(AsFd::as_fd), PollFlags::IN),
            (self.link.stderr.as_ref().map(AsFd::as_fd), PollFlags::IN),
            (self.link.end(), PollFlags::IN),
            (self.link.writes_to(), PollFlags::OUT),
        ];
        let mut descriptors = vec![PollFd::new(&self.orders.woken, PollFlags::IN)];
        let [stdout, stderr, ..] = ends.map(|(end, flags)| {
            descriptors.push(PollFd::from_borrowed_fd(end?, flags));
            Some(descriptors.len() - 1)
        });
        match poll(&mut descriptors, timeout.as_ref()) {
            // Interrupted, too: progrun may have been stopped.
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let is_ready = |index: Option<usize>| {
            index.is_some_and(|index| !descriptors[index].revents().is_empty())
        };
        let woken = is_ready(Some(0));
        let (stdout, stderr) = (is_ready(stdout), is_ready(stderr));
        if woken {
            self.orders.woken.clear();
        }
        let now = Instant::now();
        let planned = due.unwrap_or(now).max(before);
        let late = now.saturating_duration_since(planned);
        if late > LATE {
            self.was_stopped(late, now);
        }
        if stderr {
            for line in self.link.read_stderr() {
                self.stderr(&line);
            }
        }
        if stdout {
            for line in self.link.read_stdout() {
                self.line(&line);
            }
            self.intake.settle();
            if self.link.stdout.is_none() && self.ends_at.is_none() {
                // Nothing can be heard any more.
                self.ends_at = Some(now + LEAVES);
            }
        }
        if !stdout && !stderr {
            self.link.look_for_end();
        }
        Ok(())
    }

    /// progrun did not run for so long: what was said meanwhile is still to be read.
    fn was_stopped(&mut self, late: Duration, now: Instant) {
        self.heard = now;
        self.hello_by = self.hello_by.map(|at| at + late);
    }

    /// The engine says something.
    fn stderr(&mut self, line: &str) {
        let engine = self.elsewhere.target.engine;
        if self.stage == Stage::Shell
            && let Some(job) = engine.queued(line)
        {
            self.tell(News::Queued(job.to_owned()));
        }
        if !engine.is_chatter(line) {
            self.link.remember(line);
        }
    }

    /// A line of the shell or of the agent.
    fn line(&mut self, line: &str) {
        if self.stage == Stage::Shell {
            match ShellLine::read(line) {
                Some(ShellLine::Begun) => return self.has_shell = true,
                Some(ShellLine::Wanted(wanted)) => return self.bring_copy(&wanted),
                Some(ShellLine::Echo) => {
                    let sentence = format!(
                        "cannot use {}: there is a terminal on the way, and bytes have to pass unchanged (omit -t)",
                        self.host()
                    );
                    return self.end(not_reached(sentence));
                }
                None => {}
            }
        }
        let Some((number, said)) = agent::said(line) else {
            // What start files of a login shell print.
            self.link.remember(line);
            return;
        };
        self.heard = Instant::now();
        if std::mem::take(&mut self.is_stale) {
            self.tell(News::Warning(format!("{} is heard again", self.host())));
        }
        if number > self.next && self.stage == Stage::Running {
            self.tell(News::Warning(format!(
                "{} lines of what {} said are missing",
                number - self.next,
                self.host()
            )));
        }
        if number < self.next {
            // Some way there has said it twice.
            return;
        }
        self.next = number.saturating_add(1);
        match said {
            Said::Hello(hello) => self.hello(hello),
            Said::Refused(sentence) => {
                let sentence = format!("{}: {sentence}", self.host());
                self.end(Ended::NotStarted(LaunchError::Elsewhere {
                    status: FAILED,
                    sentence,
                }));
            }
            Said::Alive(beat) => self.beat = Some(beat),
            Said::Answer(Answer::Cancel(mode)) => self.answer(mode),
            Said::Answer(Answer::Drain { reports }) => (self.notify)(Notice::Drain { reports }),
            Said::Answer(Answer::Exited) => self.exited(),
            Said::Answer(Answer::NotStarted { status }) => self.intake.not_started(status),
            Said::Event(line) => {
                let brought = self.intake.event(line);
                self.bring(brought);
            }
        }
    }

    fn bring_copy(&mut self, wanted: &Wanted) {
        match Bootstrap::copy_for(wanted) {
            Ok(bytes) => {
                self.link.send(&bytes);
                // A slow line takes its time.
                self.hello_by = self.hello_by.map(|at| at + 5 * LEAVES);
            }
            Err(sentence) => {
                let sentence = format!("cannot use {}: {sentence}", self.host());
                self.end(not_reached(sentence));
            }
        }
    }

    /// The agent is there: it gets the task.
    fn hello(&mut self, hello: Hello) {
        if self.stage != Stage::Shell {
            return;
        }
        if hello.protocol != PROTOCOL {
            let sentence = format!(
                "cannot use {}: its progrun {} speaks version {} of the agent protocol, and this one version {PROTOCOL} \
                 (name another with --agent)",
                self.host(),
                hello.version,
                hello.protocol
            );
            self.end(not_reached(sentence));
            return;
        }
        self.stage = Stage::Running;
        self.next = 2;
        self.link.send(self.order().line().as_bytes());
        for stream in self.closed.take() {
            self.instruct(Instruction::Close(stream));
        }
        if self.elsewhere.target.engine.places_tasks {
            self.host = hello.host;
        }
        self.tell(News::Reached {
            host: self.host.clone(),
            processors: hello.processors,
            job: hello.job.filter(|job| is_job(job)),
        });
    }

    /// What the agent is to run.
    fn order(&self) -> agent::Order {
        let launch = self.launch;
        let terms = &self.elsewhere.terms;
        let text = |word: &OsString| Text::from(word.clone());
        let variables = terms.variables.iter().chain(&launch.variables);
        let variable = |(name, value): &(String, Option<OsString>)| {
            (Text::Text(name.clone()), value.as_ref().map(text))
        };
        let folder = match &launch.folder {
            Some(folder) => terms.folder.join(folder),
            None => terms.folder.clone(),
        };
        let streams = [launch.stdout, launch.stderr].map(Into::into);
        let milliseconds = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let size = streams.contains(&agent::Way::Terminal).then(|| {
            let size = pty::size();
            (size.ws_col, size.ws_row)
        });
        agent::Order {
            name: Text::Text(launch.name.clone()),
            command: launch.command.iter().map(text).collect(),
            folder: Some(folder.into_os_string().into()),
            stdin: match &launch.stdin {
                // Seen from the folder of the run, whatever that of the task is.
                Stdin::File(path) => Some(terms.folder.join(path).into_os_string().into()),
                Stdin::Inherit | Stdin::Null => None,
            },
            variables: variables.map(variable).collect(),
            channel: launch.channel,
            streams,
            size,
            every_report: launch.every_report,
            from: launch.from.names(),
            zig: launch.zig,
            wait_output: launch.wait_output,
            observe: launch.observe,
            lease: terms.lease.map(milliseconds),
            patience: agent::Patience {
                grace: milliseconds(terms.grace),
                kill_after: milliseconds(terms.kill_after),
            },
            release: self.elsewhere.target.engine.release(&terms.job()),
        }
    }

    /// Passes on what the agent has said of its task.
    fn bring(&mut self, brought: Vec<Brought>) {
        for brought in brought {
            match brought {
                Brought::Notice(notice) => (self.notify)(notice),
                Brought::End(ended) => {
                    self.exited();
                    self.end(ended);
                }
            }
        }
    }

    /// The child is gone.
    fn exited(&mut self) {
        if !std::mem::replace(&mut self.has_exited, true) {
            (self.notify)(Notice::Exited(None));
        }
    }

    /// The last word was said. The end of our words tells the agent that it has arrived.
    fn end(&mut self, ended: Ended) {
        self.result = Some(ended);
        self.stage = Stage::Leaving;
        self.link.close();
        self.ends_at = Some(Instant::now() + LEAVES);
    }

    /// The way there has ended, and all that came by it is read.
    fn over(mut self) -> Verdict {
        if self.link.was_abandoned() || (self.was_terminated && self.next > 1) {
            self.tell(News::Left);
        }
        if let Some(ended) = self.result.take() {
            return Verdict::Ended(ended);
        }
        let how = self.link.how();
        let words = self.link.last_words();
        let engine = self.elsewhere.target.engine;
        if self.next == 1 {
            // A killed srun leaves its job in the queue.
            if !engine.may_be_killed && self.link.was_killed() {
                self.tell(News::Left);
            }
            if self.is_cancelled {
                return Verdict::Ended(Ended::Withdrawn);
            }
            let why = match words.as_str() {
                "" if self.was_terminated => ": it closed its output".to_owned(),
                "" => format!(": {} ended, {how}", engine.name),
                _ => words,
            };
            let sentence = if self.has_shell {
                format!(
                    "cannot use {}: no progrun has begun there{why}",
                    self.host()
                )
            } else {
                format!("cannot reach {}{why}", self.host())
            };
            if engine.is_cancelled(&self.link.remembered()) {
                return Verdict::Ended(Ended::Stopped(Reason::Terminate, None));
            }
            return if engine.is_turned_away(&self.link.remembered()) {
                Verdict::TurnedAway(sentence)
            } else {
                Verdict::Ended(not_reached(sentence))
            };
        }
        self.tell(News::Left);
        let sentence = format!(
            "the connection to {} ended before the command did ({how}{words}): what became of it is not known",
            self.host()
        );
        let silence = self.elsewhere.terms.silence();
        let over_at = silence.and_then(|most| self.heard.checked_add(most));
        Verdict::Ended(Ended::Lost(Lost {
            missed: Missed::FinalEvent,
            sentence,
            over_in: over_at.map(|at| at.saturating_duration_since(Instant::now())),
        }))
    }
}

/// Whether this can be the number of a job: it becomes a word of a command.
fn is_job(job: &str) -> bool {
    let is_of_number = |byte: u8| byte.is_ascii_digit() || b"._+".contains(&byte);
    job.starts_with(|first: char| first.is_ascii_digit()) && job.bytes().all(is_of_number)
}

/// After which silence the user is told of it.
fn stale_after(lease: Duration) -> Duration {
    3 * Terms::beat(lease) + Duration::from_millis(500)
}
