//! The last lines of a run of many tasks: how many completed, which ones failed and why, and how to go on.
//!
//! Remembers the first failures, each with its command and the last line that it printed, as far as that passed through
//! us. Knows no place to write to.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::time::Duration;

use crate::event::{Ending, Event, RunSummary, Stream, Summary, Surroundings, TaskId, What};
use crate::vt::{Piece, Splitter};

use super::census::{Census, is_last};
use super::color::{GREEN, RED, YELLOW, colored};
use super::ends;
use super::format::{count, lasted, took};
use super::messages::{LONG, usage};
use super::quote;
use super::sanitize::{columns, escape, fit};
use super::tail::Tail;

/// How many failures are named.
const FAILURES: usize = 20;
/// The most columns of a name, of how it ended, and of a last line.
const NAME: usize = 40;
const HOW: usize = 40;
const LINE: usize = 100;
/// To how many columns a last line is cut at most.
const SHORTEST: usize = 16;

/// The place that the lines are for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Look {
    pub(super) with_color: bool,
    /// The columns of the screen; none: that is no screen.
    pub(super) width: Option<usize>,
}

/// What is to be said at the end.
#[derive(Debug)]
pub(super) struct Closing {
    /// How the user goes on with what did not complete.
    again: Option<String>,
    /// Each line that a task prints begins with its name.
    tagged: bool,
    running: BTreeMap<TaskId, Said>,
    failures: Vec<Failure>,
}

/// What a task runs, and what it said last.
#[derive(Debug, Default)]
struct Said {
    command: String,
    /// By stream, stdout first.
    tails: [Tail; 2],
}

#[derive(Debug)]
struct Failure {
    task: TaskId,
    name: String,
    how: String,
    time: String,
    said: Said,
}

impl Closing {
    pub(super) fn new(again: Option<String>, tagged: bool) -> Self {
        Self {
            again,
            tagged,
            running: BTreeMap::new(),
            failures: Vec::new(),
        }
    }

    /// Takes in an event that `census` has taken in before.
    pub(super) fn event(&mut self, event: &Event<'_>, census: &Census) {
        let Some(task) = event.task else {
            return;
        };
        match &event.what {
            What::Started { command, place, .. } => {
                let surroundings = place.map(|place| place.surroundings);
                self.started(task, command, surroundings.unwrap_or_default());
            }
            What::Output { stream, bytes, .. } => self.printed(task, *stream, bytes),
            What::Finished(summary) => self.finished(task, summary, census),
            _ => {}
        }
    }

    fn started(&mut self, task: TaskId, command: &[OsString], surroundings: Surroundings<'_>) {
        if self.failures.len() < FAILURES {
            let said = Said {
                command: quote::command(command, surroundings),
                ..Said::default()
            };
            self.running.insert(task, said);
        }
    }

    /// The output of a failed task may be shown long after its end.
    fn printed(&mut self, task: TaskId, stream: Stream, bytes: &[u8]) {
        let failure = self.failures.iter_mut().rfind(|it| it.task == task);
        let said = failure.map(|failure| &mut failure.said);
        if let Some(said) = said.or_else(|| self.running.get_mut(&task)) {
            said.tails[stream as usize].push(bytes);
        }
    }

    fn finished(&mut self, task: TaskId, summary: &Summary, census: &Census) {
        let said = self.running.remove(&task);
        let is_failure = summary.state.is_failure() && is_last(summary);
        if let Some(said) = said.filter(|_| is_failure)
            && self.failures.len() < FAILURES
        {
            let ended = census.ended(task, summary).cloned().unwrap_or_default();
            self.failures.push(Failure {
                task,
                how: ends::how(summary, ended.limit),
                time: ends::time(summary),
                name: ended.name,
                said,
            });
        }
    }

    /// The lines at the end; none for an ordinary end of a run of which nothing was `shown`.
    pub(super) fn lines(
        &self,
        end: &RunSummary,
        census: &Census,
        (shown, look): (bool, Look),
        at: Duration,
    ) -> Vec<String> {
        if is_ordinary(end) && (!shown || end.counts.over() == 0) {
            return Vec::new();
        }
        let mut first = format!(
            "{}: {}",
            escape(&census.name),
            outcome(end, look.with_color, at)
        );
        if let Some(used) = census.used().filter(|_| at >= LONG) {
            for fact in usage(used.cpu, used.max_rss) {
                first.push_str(", ");
                first.push_str(&fact);
            }
        }
        let mut lines = vec![first];
        let widest = |text: fn(&Failure) -> &str, limit| {
            let widths = self.failures.iter().map(|failure| columns(text(failure)));
            widths.max().unwrap_or(0).min(limit)
        };
        let name = widest(|failure| &failure.name, NAME);
        let how = widest(|failure| &failure.how, HOW);
        let time = widest(|failure| &failure.time, HOW);
        let lines_of_failures = self.failures.iter();
        let widths = (name, how, time);
        lines
            .extend(lines_of_failures.map(|failure| failure.line(widths, self.tagged, look.width)));
        let named = u64::try_from(self.failures.len()).unwrap_or(u64::MAX);
        let more = (end.counts.failed + end.counts.lost).saturating_sub(named);
        match (more, named) {
            (0, _) => {}
            // Nothing is known of these but that they are in the job log.
            (more, 0) => lines.push(format!("  {} failed in an earlier run", count(more))),
            (more, _) => lines.push(format!("  and {} more", count(more))),
        }
        if let Some(again) = self.again.as_ref().filter(|_| !is_complete(end)) {
            lines.push(format!("again what did not complete: {}", escape(again)));
        }
        lines
    }
}

impl Failure {
    /// Its line, with columns of these widths.
    fn line(
        &self,
        (name, how, time): (usize, usize, usize),
        tagged: bool,
        width: Option<usize>,
    ) -> String {
        let mut line = String::from("  ");
        let cell = |text: &str, width| {
            let text = fit(&escape(text), width).into_owned();
            let missing = width - columns(&text).min(width);
            (text, " ".repeat(missing))
        };
        for (text, width) in [(&self.name, name), (&self.how, how)] {
            let (text, missing) = cell(text, width);
            line.extend([text.as_str(), missing.as_str(), "  "]);
        }
        let (text, missing) = cell(&self.time, time);
        line.extend([missing, text]);
        let [stdout, stderr] = &self.said.tails;
        let last = stderr.last_line().or_else(|| stdout.last_line());
        if let Some(last) = last.map(text_of) {
            let tag = format!("{} ", escape(&self.name));
            let own = last.strip_prefix(&tag).filter(|_| tagged).unwrap_or(&last);
            let command = columns(&escape(&self.said.command));
            // What it said makes room for the command, which is there to be copied.
            let room = width.map_or(LINE, |width| {
                let rest = width.saturating_sub(columns(&line) + command + 6);
                rest.clamp(SHORTEST, LINE)
            });
            line.extend(["  ", &fit(own.trim(), room)]);
        }
        line.extend(["   ", &escape(&self.said.command)]);
        line.trim_end().to_owned()
    }
}

/// The text of a line without its colors, fit for a terminal.
fn text_of(line: &[u8]) -> String {
    let mut splitter = Splitter::default();
    let (mut rest, mut text) = (line, Vec::new());
    while let Some(piece) = splitter.next(&mut rest) {
        match piece {
            Piece::Text(bytes) => text.extend_from_slice(bytes),
            Piece::Control(b'\t') => text.push(b' '),
            _ => {}
        }
    }
    escape(&String::from_utf8_lossy(&text)).into_owned()
}

/// Whether nothing is missing.
fn is_complete(end: &RunSummary) -> bool {
    let counts = &end.counts;
    counts.over() == counts.completed && end.not_started.is_none_or(|number| number == 0)
}

fn is_ordinary(end: &RunSummary) -> bool {
    is_complete(end) && end.why.is_none() && end.ending == Ending::Status(0)
}

/// How a run ended, in one line: `2,991 of 3,000 completed, 7 failed, 2 not started (halt) after 4m13s`.
pub(super) fn outcome(end: &RunSummary, with_color: bool, at: Duration) -> String {
    let counts = &end.counts;
    let mut of_these = Vec::new();
    if counts.done > 0 {
        of_these.push(format!("{} by an earlier run", count(counts.done)));
    }
    if counts.flaky > 0 {
        of_these.push(format!("{} flaky", count(counts.flaky)));
    }
    let of_these = match of_these.join(", ") {
        none if none.is_empty() => none,
        some => format!(" ({some})"),
    };
    let completed = count(counts.completed);
    if is_ordinary(end) {
        let word = colored("completed", GREEN, with_color);
        return format!("{completed} {word}{of_these} in {}", took(at));
    }
    let mut facts = vec![match end.not_started {
        Some(waiting) => {
            let total = count(counts.over() + waiting);
            format!("{completed} of {total} completed{of_these}")
        }
        None => format!("{completed} completed{of_these}"),
    }];
    for (number, what) in [
        (counts.failed, "failed"),
        (counts.cancelled, "cancelled"),
        (counts.lost, "lost"),
        (counts.skipped, "skipped"),
    ] {
        if number > 0 {
            let color = if matches!(what, "failed" | "lost") {
                RED
            } else {
                YELLOW
            };
            facts.push(colored(
                &format!("{} {what}", count(number)),
                color,
                with_color,
            ));
        }
    }
    let why = end.why.map_or(String::new(), |why| format!(" ({why})"));
    match end.not_started {
        Some(0) => {}
        Some(number) => facts.push(format!("{} not started{why}", count(number))),
        None if !why.is_empty() => facts.push(format!("the rest not started{why}")),
        None => {}
    }
    format!("{} after {}", facts.join(", "), lasted(at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::FinalState;
    use crate::event::{Attempt, Counts, Exit, Place, Surroundings};
    use crate::flow::Credit;
    use crate::model::verdict::Verdicts;
    use std::sync::Arc;

    struct Run {
        census: Census,
        closing: Closing,
        credit: Credit,
    }

    impl Run {
        fn new(again: Option<&str>) -> Self {
            Self {
                census: Census::new("flac".to_owned()),
                closing: Closing::new(again.map(str::to_owned), false),
                credit: Credit::new(1 << 20, || ()),
            }
        }

        fn tell(&mut self, task: TaskId, what: What<'_>) {
            let event = Event {
                task: Some(task),
                at: Duration::ZERO,
                what,
            };
            self.census.event(&event);
            self.closing.event(&event, &self.census);
        }

        fn begin(&mut self, task: TaskId, name: &str) {
            let command = ["flac", "-s", name].map(OsString::from);
            self.tell(
                task,
                What::Started {
                    host: None,
                    name,
                    command: &command,
                    pid: Some(1),
                    place: Some(Place {
                        slot: 1,
                        attempt: 1,
                        input: None,
                        named: false,
                        nth: 1,
                        extra: None,
                        surroundings: Surroundings::default(),
                    }),
                },
            );
        }

        fn print(&mut self, task: TaskId, stream: Stream, text: &str) {
            let permit = self.credit.permit(1);
            self.tell(
                task,
                What::Output {
                    stream,
                    bytes: &Arc::new(text.as_bytes().to_vec()),
                    verdicts: &Verdicts::default(),
                    permit: &permit,
                },
            );
        }

        fn end(&mut self, task: TaskId, ending: Ending, retry_in: Option<Duration>) {
            let is_well = ending == Ending::Status(0);
            let summary = Summary {
                missed: None,
                state: if is_well {
                    FinalState::Completed
                } else {
                    FinalState::Failed
                },
                reason: None,
                exit: Some(Exit {
                    ending,
                    user_time: Duration::ZERO,
                    system_time: Duration::ZERO,
                    max_rss: 0,
                }),
                error: None,
                reports: 0,
                malformed: 0,
                attempt: Some(Attempt {
                    slot: 1,
                    number: 1,
                    retry_in,
                    duration: Duration::from_millis(320),
                    output_bytes: 0,
                }),
            };
            self.tell(task, What::Finished(&summary));
        }

        fn lines(&self, end: &RunSummary) -> Vec<String> {
            let at = Duration::from_millis(253_100);
            self.closing
                .lines(end, &self.census, (true, Look::default()), at)
        }
    }

    fn summary(counts: Counts, not_started: Option<u64>, why: Option<&'static str>) -> RunSummary {
        let is_well = counts.over() == counts.completed && why.is_none();
        RunSummary {
            counts,
            not_started,
            why,
            ending: Ending::Status(i32::from(!is_well)),
        }
    }

    #[test]
    fn the_failures_stand_below_one_line_each_with_its_last_line_and_its_command() {
        let mut run = Run::new(Some(
            "progrun each --job-log flac.job --resume -- flac -s {}",
        ));
        let tasks: Vec<_> = (1..4).filter_map(TaskId::of).collect();
        run.begin(tasks[0], "b/0210.flac");
        run.print(tasks[0], Stream::Stdout, "written\n");
        run.end(tasks[0], Ending::Status(1), None);
        // What was kept is shown after the end.
        run.print(
            tasks[0],
            Stream::Stderr,
            "\x1b[31mflac: ERROR:\x1b[0m got 'foo' at frame 8\r\n",
        );
        run.begin(tasks[1], "it's");
        run.print(tasks[1], Stream::Stdout, "core dumped");
        run.end(tasks[1], Ending::Signal(11), None);
        run.begin(tasks[2], "well");
        run.end(tasks[2], Ending::Status(1), Some(Duration::ZERO));
        let counts = Counts {
            completed: 2991,
            failed: 7,
            ..Counts::default()
        };
        assert_eq!(
            run.lines(&summary(counts, Some(2), Some("halt"))),
            [
                "flac: 2,991 of 3,000 completed, 7 failed, 2 not started (halt) after 4m13s",
                "  b/0210.flac  exit status 1      0.3s  flac: ERROR: got 'foo' at frame 8   flac -s b/0210.flac",
                r"  it's         killed by SIGSEGV  0.3s  core dumped   flac -s 'it'\''s'",
                "  and 5 more",
                "again what did not complete: progrun each --job-log flac.job --resume -- flac -s {}",
            ]
        );
    }

    #[test]
    fn on_a_screen_what_a_task_said_last_makes_room_for_its_command_and_failures_are_red() {
        let mut run = Run::new(None);
        run.begin(TaskId::FIRST, "kernel.log");
        let said = "kernel.log.gz already exists; not overwritten";
        run.print(TaskId::FIRST, Stream::Stderr, said);
        run.end(TaskId::FIRST, Ending::Status(2), None);
        let counts = Counts {
            completed: 7,
            failed: 1,
            ..Counts::default()
        };
        let look = Look {
            with_color: true,
            width: Some(92),
        };
        let end = summary(counts, Some(0), None);
        let lines = run
            .closing
            .lines(&end, &run.census, (true, look), Duration::ZERO);
        assert_eq!(
            lines,
            [
                "flac: 7 of 8 completed, \x1b[31m1 failed\x1b[0m after 0.0s",
                "  kernel.log  exit status 2  0.3s  kernel.log.gz already exists; not …   flac -s kernel.log"
            ]
        );
    }

    #[test]
    fn of_many_failures_twenty_are_named_and_the_others_counted() {
        let mut run = Run::new(None);
        for number in 1..=150 {
            let task = TaskId::of(number).unwrap();
            run.begin(task, &format!("t{number}"));
            run.end(task, Ending::Status(1), None);
        }
        let counts = Counts {
            failed: 150,
            ..Counts::default()
        };
        let lines = run.lines(&summary(counts, Some(0), None));
        assert_eq!(lines.len(), 22);
        assert_eq!(lines[0], "flac: 0 of 150 completed, 150 failed after 4m13s");
        assert_eq!(lines[20], "  t20  exit status 1  0.3s   flac -s t20");
        assert_eq!(lines[21], "  and 130 more");
        assert!(run.closing.running.is_empty());
    }

    #[test]
    fn failures_of_an_earlier_run_are_counted_and_not_the_rest_of_a_list() {
        let counts = Counts {
            completed: 2,
            done: 2,
            failed: 4,
            ..Counts::default()
        };
        assert_eq!(
            Run::new(None).lines(&summary(counts, Some(0), None)),
            [
                "flac: 2 of 6 completed (2 by an earlier run), 4 failed after 4m13s",
                "  4 failed in an earlier run",
            ]
        );
    }

    #[test]
    fn a_run_that_ended_well_has_one_line_and_only_if_something_was_shown() {
        let run = Run::new(Some("again"));
        let counts = Counts {
            completed: 3000,
            ..Counts::default()
        };
        let end = summary(counts, Some(0), None);
        assert_eq!(run.lines(&end), ["flac: 3,000 completed in 4m13s"]);
        let silent = run
            .closing
            .lines(&end, &run.census, (false, Look::default()), Duration::ZERO);
        assert!(silent.is_empty());
        let resumed = Counts {
            done: 2990,
            flaky: 2,
            ..counts
        };
        assert_eq!(
            run.lines(&summary(resumed, Some(0), None)),
            ["flac: 3,000 completed (2,990 by an earlier run, 2 flaky) in 4m13s"]
        );
        assert!(
            run.lines(&summary(Counts::default(), Some(0), None))
                .is_empty()
        );
    }

    #[test]
    fn a_run_that_was_stopped_says_what_did_not_begin() {
        let run = Run::new(None);
        let counts = Counts {
            completed: 2,
            cancelled: 1,
            skipped: 1,
            ..Counts::default()
        };
        let line = |not_started| run.lines(&summary(counts, not_started, Some("cancelled")));
        assert_eq!(
            line(Some(8)),
            [
                "flac: 2 of 12 completed, 1 cancelled, 1 skipped, 8 not started (cancelled) after 4m13s"
            ]
        );
        assert_eq!(
            line(None),
            [
                "flac: 2 completed, 1 cancelled, 1 skipped, the rest not started (cancelled) after 4m13s"
            ]
        );
    }
}
