//! The messages of bars and plain lines: steps of a stop, warnings, parts that failed, counts at the end.

use std::time::Duration;

use crate::dialect::is_drawn;
use crate::event::{
    Cause, Ending, FinalState, HaltWhen, HaltWhy, Halted, Reason, Step, Summary, What, signal_name,
};
use crate::model::batch::BadLine;
use crate::model::parts::{Part, Parts};

use super::color::{self, YELLOW};
use super::format::{amount, bytes, clock, count, lasted, outcome, rate};
use super::sanitize::{escape, fit};

/// The state of a stop: told when a step is taken, or shown until the next one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stop {
    reason: Reason,
    /// When it was requested.
    requested: Duration,
    step: Step,
    /// When the step was taken.
    taken: Duration,
    /// When time alone takes the next one.
    next: Option<Duration>,
    cause: Option<Cause>,
}

impl Stop {
    /// The stop after this event; `before` is the one before it.
    pub(super) fn after(before: Option<Self>, what: &What<'_>, elapsed: Duration) -> Option<Self> {
        let stop = |reason, requested, step, left: Option<Duration>, cause| Self {
            reason,
            requested,
            step,
            taken: elapsed,
            next: left.and_then(|left| elapsed.checked_add(left)),
            cause,
        };
        match (what, before) {
            (What::Cancelling { reason, step, left }, _) => {
                Some(stop(*reason, elapsed, *step, *left, None))
            }
            (What::Stopping { cause, step, left }, before) => {
                let (reason, requested) = before.map_or((Reason::Interrupt, elapsed), |before| {
                    (before.reason, before.requested)
                });
                Some(stop(reason, requested, *step, *left, Some(*cause)))
            }
            _ => before,
        }
    }

    /// The sentence about a step that was just taken. None about giving up: the process that is still there is a
    /// warning of its own.
    pub(super) fn sentence(&self) -> Option<String> {
        self.sentence_about(About::Command)
    }

    /// The same about a run of many tasks, of which so many are running.
    pub(super) fn sentence_of_run(&self, running: u64) -> Option<String> {
        self.sentence_about(About::Run { running })
    }

    fn sentence_about(&self, about: About) -> Option<String> {
        let state = self.text(self.taken, about);
        let is_polite = matches!(self.step, Step::Drain | Step::Ask);
        Some(match self.cause {
            _ if self.step == Step::GiveUp => return None,
            // There is nothing to stop any more.
            _ if !is_polite && matches!(about, About::Run { running: 0 }) => return None,
            Some(Cause::NoReaction(time)) => {
                format!("no response after {}: {state}", duration(time))
            }
            _ => state,
        })
    }

    /// The text that is shown of the stop at this time.
    pub(super) fn state(&self, elapsed: Duration) -> String {
        self.text(elapsed, About::Command)
    }

    /// The same of the stop of a run of many tasks, of which so many are running.
    pub(super) fn state_of_run(&self, elapsed: Duration, running: u64) -> String {
        self.text(elapsed, About::Run { running })
    }

    /// The same of the stop of one of them. What a key press does is told with the run.
    pub(super) fn state_of_task(&self, elapsed: Duration) -> String {
        self.text(elapsed, About::Task)
    }

    fn text(&self, elapsed: Duration, about: About) -> String {
        let left = self.next.map(|next| self.countdown(next, elapsed));
        let waited = elapsed.saturating_sub(self.taken);
        let is_polite = matches!(self.step, Step::Drain | Step::Ask);
        let mut text = match self.step {
            Step::Drain | Step::Ask => {
                let left = left.as_deref().map_or(String::new(), |left| match about {
                    About::Run { running: 1.. } => format!(", up to {left}"),
                    _ => format!(", at most {left}"),
                });
                match about {
                    About::Run { running: 0 } => "stopping".to_owned(),
                    About::Run { running } => {
                        format!("stopping: {} may end{left}", running_tasks(running))
                    }
                    About::Task if self.step == Step::Drain => "may still end".to_owned(),
                    _ => format!("stopping at the next progress report{left}"),
                }
            }
            Step::Signal(libc::SIGINT) => "interrupted".to_owned(),
            Step::Signal(libc::SIGTERM) | Step::Terminate => "terminating".to_owned(),
            Step::Signal(signal) => signal_name(signal),
            Step::Kill => "killing".to_owned(),
            Step::GiveUp => "giving up".to_owned(),
        };
        if let About::Run { running } = about
            && !is_polite
        {
            let verb = matches!(self.step, Step::Signal(libc::SIGINT | libc::SIGTERM))
                || matches!(self.step, Step::Terminate | Step::Kill);
            text.push_str(if verb { " " } else { ": " });
            text.push_str(&running_tasks(running));
        }
        if !is_polite && waited >= Duration::from_secs(1) {
            text.push_str("; still running after ");
            text.push_str(&clock(waited));
        }
        if let Some(left) = left.filter(|_| !is_polite) {
            text = format!("{text}; {} in {left}", self.next_step());
        }
        text = match self.whose() {
            Some(whose) => format!("{whose}: {text}"),
            None => text,
        };
        let has_key = !matches!(about, About::Task) && self.reason == Reason::Interrupt;
        match self.step {
            Step::Drain | Step::Ask | Step::Signal(_) | Step::Terminate if has_key => {
                let is_sooner = match about {
                    About::Run { .. } => !is_polite && self.next.is_some(),
                    _ => is_polite || self.next.is_some(),
                };
                let now = if is_sooner { " now" } else { "" };
                format!("{text} (Ctrl-C again: {}{now})", self.next_step())
            }
            _ => text,
        }
    }

    /// How long it is until `next`: whole seconds, and never none, unless the step has less than one.
    fn countdown(&self, next: Duration, elapsed: Duration) -> String {
        let whole = next.saturating_sub(self.taken);
        if whole < Duration::from_secs(1) {
            return duration(whole);
        }
        let left = next.saturating_sub(elapsed).as_millis().div_ceil(1000);
        clock(Duration::from_secs(
            u64::try_from(left.max(1)).unwrap_or(u64::MAX),
        ))
    }

    /// The step after this one.
    fn next_step(&self) -> &'static str {
        match self.step {
            Step::Signal(libc::SIGTERM) | Step::Terminate => "SIGKILL",
            _ => "SIGTERM",
        }
    }

    /// The cause of the stop, unless it was a key press.
    fn whose(&self) -> Option<String> {
        match (self.cause, self.reason) {
            (Some(Cause::TimedOut), _) => Some(format!("timed out after {}", duration(self.taken))),
            (_, Reason::Timeout) => Some(format!("timed out after {}", duration(self.requested))),
            (_, Reason::Deadline) => Some("deadline".to_owned()),
            (_, Reason::Halt) => Some("halted".to_owned()),
            (_, Reason::Parent) => Some("cancelled by the outer progrun".to_owned()),
            (_, Reason::Lease) => Some("the lease is over".to_owned()),
            (_, Reason::Interrupt | Reason::Terminate | Reason::Hangup) => None,
        }
    }
}

/// What is to stop.
#[derive(Clone, Copy, Debug)]
enum About {
    /// The only command.
    Command,
    /// One of many tasks.
    Task,
    /// A run of many tasks, of which so many are running.
    Run { running: u64 },
}

fn running_tasks(number: u64) -> String {
    match number {
        1 => "1 running task".to_owned(),
        number => format!("{} running tasks", count(number)),
    }
}

/// The sentence about a `--halt` that lets the running tasks end. Of one that does not, their stop says all.
pub(super) fn halted(halted: Halted, running: u64) -> Option<String> {
    let so_many = |one: &str, many: &str| match halted.count {
        1 => format!("1 {one}"),
        number => format!("{} {many}", count(number)),
    };
    let after = match halted.why {
        HaltWhy::Fail => so_many("failure", "failures"),
        HaltWhy::Success => so_many("success", "successes"),
        HaltWhy::Done => so_many("end", "ends"),
    };
    let running = match running {
        0 => String::new(),
        number => format!("; {} may end", running_tasks(number)),
    };
    (halted.when == HaltWhen::Soon).then(|| format!("halted after {after}{running}"))
}

/// In seconds, but exact where it is less than one.
pub(super) fn duration(time: Duration) -> String {
    if time < Duration::from_secs(1) && !time.is_zero() {
        format!("{}ms", time.as_millis().max(1))
    } else {
        clock(time)
    }
}

/// The warning for the first malformed line.
pub(super) fn malformed(bad: &BadLine) -> String {
    let text = String::from_utf8_lossy(&bad.text);
    let text = escape(&text);
    format!(
        "progress line {} is malformed: {}: {}",
        bad.number,
        bad.error,
        fit(&text, 60)
    )
}

/// How many failed parts are told of at a time. A child can make parts fail faster than a terminal can tell; all are
/// counted.
pub(super) const FAILURES: usize = 20;

/// The line about `part`, one of `parts`, which failed. It stays.
pub(super) fn part_failed(part: &Part, parts: &Parts) -> String {
    let mut text = String::new();
    if let Some(owner) = parts.owner(part) {
        text = format!("{}: ", escape(owner));
    }
    text.push_str(&label(part));
    text.push_str(" failed");
    if let Some(message) = &part.known.message {
        text.push_str(": ");
        text.push_str(&escape(message));
    }
    text
}

/// The name of a part.
pub(super) fn label(part: &Part) -> String {
    let known = &part.known;
    let name = known.title.as_deref().or(known.id.as_deref()).unwrap_or("");
    escape(name).into_owned()
}

/// How many parts are over, of how many; empty where there are none. Parts that other programs report mostly have no
/// end of their own: they are over when they are full and at rest, or when the command succeeds.
/// Where a program draws for people, the bars on its screen are no number of things to be done.
pub(super) fn tally(parts: &Parts, succeeded: bool, elapsed: Duration) -> String {
    if parts.task.source.is_some_and(is_drawn) {
        return String::new();
    }
    let count = |parts: usize| u64::try_from(parts).unwrap_or(0);
    let ended = parts.ended.well + parts.ended.badly;
    let (live, more) = parts.live();
    let begun = ended + count(live);
    let more = if more { "+" } else { "" };
    let over = ended
        + if succeeded {
            count(parts.of_others())
        } else {
            count(parts.at_rest(elapsed))
        };
    match (begun, parts.ended.badly) {
        (0, _) => String::new(),
        (begun, 0) => format!("{over} of {begun}{more} parts"),
        (begun, failed) => format!("{over} of {begun}{more} parts, {failed} failed"),
    }
}

/// More than our own resident set.
const OURS: u64 = 16 * 1024 * 1024;
/// From which time on the last line says what the command has used.
pub(super) const LONG: Duration = Duration::from_secs(1);

/// The last line: how the command ended, how long it took, how far it came, and, of one that took long, its mean rate and
/// what it has used. A meter that was over before the end says
/// nothing of that. None for an ordinary end of a run of which
/// nothing was shown, and for a command that never ran: the program itself tells of that error.
pub(super) fn finished(
    summary: &Summary,
    parts: &Parts,
    (shown, with_color): (bool, bool),
    elapsed: Duration,
) -> Option<String> {
    if !shown && is_ordinary(summary) && summary.malformed == 0 || summary.error.is_some() {
        return None;
    }
    let malformed = match summary.malformed {
        0 => String::new(),
        1 => "1 malformed progress line".to_owned(),
        count => format!("{count} malformed progress lines"),
    };
    let (words, when) = outcome(summary, elapsed);
    let words = match summary.state {
        // Not all of it is well.
        FinalState::Completed if parts.ended.badly > 0 => {
            color::colored(&words, YELLOW, with_color)
        }
        state => color::of_state(&words, state, with_color),
    };
    let known = parts.task.current(elapsed);
    let is_long = elapsed >= LONG;
    let mean = known.filter(|_| is_long).and_then(|known| {
        let done = known.progress.filter(|done| *done > 0.0)?;
        Some(rate(known, done / elapsed.as_secs_f64()))
    });
    let mut facts = vec![
        words + &when,
        known.map_or(String::new(), amount),
        mean.unwrap_or_default(),
        tally(parts, summary.state == FinalState::Completed, elapsed),
        malformed,
    ];
    if is_long {
        let used = summary
            .exit
            .map(|exit| (exit.user_time + exit.system_time, exit.max_rss));
        facts.extend(
            used.into_iter()
                .flat_map(|(cpu, max_rss)| usage(cpu, max_rss)),
        );
    }
    facts.retain(|fact| !fact.is_empty());
    Some(facts.join(", "))
}

/// What the processes of a task, or of a list, have used, as far as it is worth a word.
pub(super) fn usage(cpu: Duration, max_rss: u64) -> Vec<String> {
    let mut facts = Vec::new();
    if cpu >= Duration::from_millis(50) {
        facts.push(format!("CPU {}", lasted(cpu)));
    }
    // A process begins with the size that we had when we started it: what is smaller says nothing of the command.
    if max_rss >= OURS {
        #[expect(clippy::cast_precision_loss, reason = "shown in four digits")]
        let rss = bytes(max_rss as f64);
        facts.push(format!("max RSS {rss}"));
    }
    facts
}

/// Whether a task ended as it was to end.
pub(super) fn is_ordinary(summary: &Summary) -> bool {
    let ending = summary.exit.map(|exit| exit.ending);
    match summary.state {
        FinalState::Completed => true,
        // The reader of a pipe had enough, as in `| head`: that is no failure.
        FinalState::Failed => ending == Some(Ending::Signal(libc::SIGPIPE)),
        FinalState::Cancelled | FinalState::Lost => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn begun(reason: Reason, step: Step, left: Option<u64>) -> Stop {
        let left = left.map(at);
        Stop::after(None, &What::Cancelling { reason, step, left }, at(3)).unwrap()
    }

    fn then(before: Stop, cause: Cause, step: Step, left: Option<u64>, seconds: u64) -> Stop {
        let left = left.map(at);
        let event = What::Stopping { cause, step, left };
        Stop::after(Some(before), &event, at(seconds)).unwrap()
    }

    #[test]
    fn a_stop_by_ctrl_c_says_what_is_waited_for_and_what_the_key_does_next() {
        let stop = begun(Reason::Interrupt, Step::Ask, Some(10));
        assert_eq!(
            stop.state(at(3)),
            "stopping at the next progress report, at most 10s (Ctrl-C again: SIGTERM now)"
        );
        assert_eq!(
            stop.state(at(9)),
            "stopping at the next progress report, at most 4s (Ctrl-C again: SIGTERM now)"
        );
        let grace = Cause::NoReaction(at(10));
        let stop = then(stop, grace, Step::Signal(libc::SIGINT), None, 13);
        assert_eq!(
            stop.sentence().unwrap(),
            "no response after 10s: interrupted (Ctrl-C again: SIGTERM)"
        );
        assert_eq!(
            stop.state(at(25)),
            "interrupted; still running after 12s (Ctrl-C again: SIGTERM)"
        );
        let stop = then(stop, Cause::Again, Step::Terminate, None, 30);
        assert_eq!(stop.state(at(30)), "terminating (Ctrl-C again: SIGKILL)");
        let stop = then(stop, Cause::Again, Step::Kill, None, 31);
        assert_eq!(stop.state(at(31)), "killing");
        assert_eq!(stop.state(at(33)), "killing; still running after 2s");
        let stop = then(stop, Cause::Again, Step::GiveUp, None, 34);
        assert_eq!(stop.sentence(), None);
    }

    #[test]
    fn the_stop_of_a_run_says_how_many_tasks_it_is_about() {
        let stop = begun(Reason::Interrupt, Step::Drain, Some(10));
        assert_eq!(
            stop.sentence_of_run(4).unwrap(),
            "stopping: 4 running tasks may end, up to 10s (Ctrl-C again: SIGTERM)"
        );
        assert_eq!(
            stop.state_of_run(at(9), 1),
            "stopping: 1 running task may end, up to 4s (Ctrl-C again: SIGTERM)"
        );
        assert_eq!(stop.state_of_task(at(9)), "may still end");
        let grace = Cause::NoReaction(at(10));
        let stop = then(stop, grace, Step::Signal(libc::SIGINT), None, 13);
        assert_eq!(
            stop.sentence_of_run(3).unwrap(),
            "no response after 10s: interrupted 3 running tasks (Ctrl-C again: SIGTERM)"
        );
        let stop = then(stop, Cause::Again, Step::Terminate, Some(5), 14);
        assert_eq!(
            stop.state_of_run(at(16), 2),
            "terminating 2 running tasks; still running after 2s; SIGKILL in 3s (Ctrl-C again: SIGKILL now)"
        );
        assert_eq!(
            stop.state_of_task(at(16)),
            "terminating; still running after 2s; SIGKILL in 3s"
        );
        let stop = then(stop, Cause::Again, Step::Kill, None, 17);
        assert_eq!(stop.sentence_of_run(2).unwrap(), "killing 2 running tasks");
        let stop = begun(Reason::Halt, Step::Signal(libc::SIGTERM), Some(5));
        assert_eq!(
            stop.sentence_of_run(2).unwrap(),
            "halted: terminating 2 running tasks; SIGKILL in 5s"
        );
    }

    #[test]
    fn a_halt_that_lets_tasks_end_says_how_many_run() {
        let soon = |count| Halted {
            why: HaltWhy::Fail,
            count,
            when: HaltWhen::Soon,
        };
        assert_eq!(
            halted(soon(1), 3).unwrap(),
            "halted after 1 failure; 3 running tasks may end"
        );
        assert_eq!(halted(soon(2), 0).unwrap(), "halted after 2 failures");
    }

    #[test]
    fn a_stop_that_no_user_asked_for_says_what_asked_and_when_time_goes_on() {
        let stop = begun(Reason::Timeout, Step::Signal(libc::SIGTERM), Some(5));
        assert_eq!(
            stop.sentence().unwrap(),
            "timed out after 3s: terminating; SIGKILL in 5s"
        );
        assert_eq!(
            stop.state(at(5)),
            "timed out after 3s: terminating; still running after 2s; SIGKILL in 3s"
        );
        let stop = begun(Reason::Terminate, Step::Signal(libc::SIGTERM), None);
        assert_eq!(stop.sentence().unwrap(), "terminating");
        let stop = begun(Reason::Parent, Step::Ask, None);
        assert_eq!(
            stop.sentence().unwrap(),
            "cancelled by the outer progrun: stopping at the next progress report"
        );
        let stop = begun(Reason::Interrupt, Step::Signal(libc::SIGINT), Some(5));
        let stop = then(stop, Cause::TimedOut, Step::Terminate, Some(5), 60);
        assert_eq!(
            stop.sentence().unwrap(),
            "timed out after 1m00s: terminating; SIGKILL in 5s (Ctrl-C again: SIGKILL now)"
        );
    }
}
