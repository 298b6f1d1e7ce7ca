//! The course of a run of many tasks as lines, for logs and CI: how many there are, then a line at each tenth or every
//! ten seconds if some have ended, failures at once, and the end. No carriage returns, no escapes; nothing of the
//! tasks' own progress, and nothing of a run that is over within a moment with all well.

use std::time::Duration;

use crate::event::{Event, Summary, What};
use crate::flow::Permit;
use crate::journal::{self, Memory};

use super::Sink;
use super::beside::Beside;
use super::census::{Census, is_last};
use super::closing::{Closing, Look};
use super::display::{self, Many, Tells};
use super::ends;
use super::format::{about, count};
use super::messages;
use super::sanitize::escape;
use super::standard::SharedFile;
use super::writer::Writer;

/// How long news waits at most.
const EVERY: Duration = Duration::from_secs(10);
/// How many messages wait for a failure at most.
const MESSAGES: usize = 100;
/// A run that is over sooner, with all well, is not told of.
const MOMENT: Duration = Duration::from_secs(1);

/// Lines about a run of many tasks.
#[derive(Debug)]
pub(super) struct Course {
    lines: Beside,
    tells: Tells,
    ends: Option<display::Ends>,
    census: Census,
    closing: Closing,
    /// What is remembered of earlier runs, until it is read.
    memory: Option<Memory>,
    /// The first line was written, and when a line about the course was written last.
    has_begun: bool,
    /// Lines about tasks that ended well before that.
    held: Vec<String>,
    last_line: Duration,
    /// The tenth that the last line was about.
    tenth: u64,
    /// A task has ended since then.
    news: bool,
    is_over: bool,
}

impl Course {
    /// Writes to `writer`. The name of the run begins each line that is not about one task.
    #[must_use]
    pub(super) fn new(writer: Writer, name: String, many: &Many) -> Self {
        Self {
            lines: Beside::new(writer),
            tells: Tells::Everything,
            ends: many.ends,
            census: Census::new(name),
            closing: Closing::new(many.again.clone(), many.tagged),
            memory: None,
            has_begun: false,
            held: Vec::new(),
            last_line: Duration::ZERO,
            tenth: 0,
            news: false,
            is_over: false,
        }
    }

    /// Begins a line of its own beside these streams of the children, which another sink writes to the same place, or
    /// which the children write to this file themselves.
    #[must_use]
    pub(super) fn beside(mut self, streams: [bool; 2], file: Option<SharedFile>) -> Self {
        self.lines.share_with(streams);
        self.lines.share_file(file);
        self
    }

    /// Has the time left follow what is remembered of earlier runs.
    #[must_use]
    pub(super) fn remembering(mut self, memory: Option<Memory>) -> Self {
        self.memory = memory;
        self
    }

    /// Tells so much.
    #[must_use]
    pub(super) fn telling(mut self, tells: Tells) -> Self {
        self.tells = tells;
        self
    }

    /// A line about the run.
    fn say(&mut self, text: &str) {
        let line = format!("{}: {text}", escape(&self.census.name));
        self.lines.write_now(&line);
    }

    /// The first line, which waits for another one or for a moment.
    fn begin(&mut self, at: Duration) {
        if self.tells == Tells::Messages || std::mem::replace(&mut self.has_begun, true) {
            return;
        }
        self.last_line = at;
        if self.tells == Tells::Everything {
            self.say_how_many();
        }
        for line in std::mem::take(&mut self.held) {
            self.lines.write_now(&line);
        }
    }

    fn say_how_many(&mut self) {
        let jobs = count(self.census.jobs.into());
        let text = match self.census.of() {
            Some(1) => "1 task".to_owned(),
            Some(total) => format!("{} tasks, {jobs} at a time", count(total)),
            None => format!("{jobs} tasks at a time"),
        };
        self.say(&text);
    }

    /// A line about one task.
    fn tell(&mut self, at: Duration, line: &str) {
        self.begin(at);
        self.lines.write_now(line);
    }

    /// Some tasks are over.
    fn counted(&mut self, at: Duration) {
        self.news = true;
        if at < MOMENT || self.tells == Tells::Failures {
            return;
        }
        self.begin(at);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 0 and 10"
        )]
        let tenth = |fraction: f64| (fraction * 10.0) as u64;
        let tenth = self.census.fraction(0.0).map_or(0, tenth);
        // The end of all is told by the last line.
        if tenth > self.tenth && tenth < 10 {
            self.tenth = tenth;
            self.progress(at);
        }
    }

    fn progress(&mut self, at: Duration) {
        self.begin(at);
        if let Some(memory) = self.memory.take_if(|_| at >= journal::MOMENT) {
            self.census.expect(&memory.past());
        }
        self.news = false;
        self.last_line = at;
        let counts = self.census.counts;
        let over = count(counts.over());
        let mut facts = vec![match self.census.of() {
            Some(total) => format!("{over}/{} done", count(total)),
            None => format!("{over} done"),
        }];
        for (number, what) in [
            (counts.failed, "failed"),
            (counts.lost, "lost"),
            (counts.skipped, "skipped"),
            (self.census.runs(), "running"),
        ] {
            if number > 0 {
                facts.push(format!("{} {what}", count(number)));
            }
        }
        let left = self.census.remaining(at, |_| None);
        facts.extend(left.map(|left| format!("{} left", about(left))));
        self.say(&facts.join(", "));
    }

    fn told(&mut self, event: &Event<'_>) {
        let at = event.at;
        match &event.what {
            What::Finished(summary) if is_last(summary) => self.counted(at),
            What::Skipped {
                name,
                reason,
                cause,
            } => {
                let skipped = (*name, *reason, *cause);
                if let Some(line) = ends::skipped(self.ends, skipped, false) {
                    self.tell(at, &line);
                }
                self.counted(at);
            }
            What::Shows(summary) if self.is_told(summary) => {
                let ended = self.census.shown();
                let line = ends::line(&ended.name, summary, ended.limit, false);
                if self.has_begun || ends::is_told_at_once(self.ends, summary) {
                    self.tell(at, &line);
                } else {
                    self.held.push(line);
                }
            }
            What::End(end) => {
                self.is_over = true;
                let lines =
                    self.closing
                        .lines(end, &self.census, (self.has_begun, Look::default()), at);
                if !lines.is_empty() {
                    self.begin(at);
                }
                for line in lines {
                    self.lines.write_now(&line);
                }
            }
            _ => {}
        }
    }

    /// Whether the end of this attempt is told.
    fn is_told(&self, summary: &Summary) -> bool {
        let all = self.tells == Tells::Everything || summary.state.is_failure();
        all && ends::is_told(self.ends, summary, self.census.total)
    }

    /// A line that is no progress. Where only failures are told, it waits for one.
    fn message(&mut self, line: String) {
        if self.tells != Tells::Failures || self.has_begun {
            self.lines.write_now(&line);
        } else if self.held.len() < MESSAGES {
            self.held.push(line);
        }
    }

    fn stopping(&mut self) {
        let running = self.census.runs();
        let stop = self.census.stop.as_ref();
        if let Some(text) = stop.and_then(|stop| stop.sentence_of_run(running)) {
            self.say(&text);
        }
    }
}

impl Sink for Course {
    fn event(&mut self, event: &Event<'_>) {
        self.census.event(event);
        if self.tells != Tells::Messages {
            self.closing.event(event, &self.census);
            self.told(event);
        }
        match (&event.what, event.task) {
            (What::Output { stream, bytes, .. }, _) => self.lines.printed(*stream, bytes),
            (What::Warning(text), task) => {
                let task = task.and_then(|task| self.census.task(task));
                let name = task.map_or(&self.census.name, |task| &task.name);
                let line = format!("{}: {}", escape(name), escape(text));
                self.message(line);
            }
            _ if self.tells == Tells::Failures => {}
            (What::Cancelling { .. } | What::Stopping { .. }, None) => self.stopping(),
            (What::Halted(halted), _) => {
                if let Some(text) = messages::halted(*halted, self.census.runs()) {
                    self.say(&text);
                }
            }
            _ => {}
        }
    }

    fn due(&self) -> Option<Duration> {
        if self.is_over || self.tells != Tells::Everything {
            None
        } else if self.has_begun {
            self.news.then(|| self.last_line + EVERY)
        } else {
            Some(MOMENT)
        }
    }

    fn tick(&mut self, elapsed: Duration) {
        if self.due().is_none_or(|due| due > elapsed) {
            return;
        }
        if self.has_begun {
            self.progress(elapsed);
        } else {
            self.begin(elapsed);
        }
    }

    fn flush(&mut self, permit: &Permit) {
        self.lines.flush(permit);
    }

    fn abandon(&mut self) {
        self.lines.abandon();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{
        Attempt, Counts, Ending, Exit, FinalState, Place, Reason, RunHead, RunSummary, Step,
        Summary, Surroundings, TaskId, Total,
    };
    use std::io::{Read, Seek};

    struct Run {
        course: Course,
        file: std::fs::File,
        now: Duration,
        counts: Counts,
    }

    impl Run {
        fn new(count: u64, jobs: u32, is_final: bool) -> Self {
            Self::with(count, jobs, is_final, |course| course)
        }

        fn with(count: u64, jobs: u32, is_final: bool, wish: impl Fn(Course) -> Course) -> Self {
            let file = tempfile::tempfile().unwrap();
            let writer = Writer::new(file.try_clone().unwrap().into(), Box::new(|_| ()));
            let many = Many {
                in_order: false,
                tagged: false,
                ends: None,
                folder: None,
                job_log: None,
                again: None,
            };
            let mut run = Self {
                course: wish(Course::new(writer, "run".to_owned(), &many)),
                file,
                now: Duration::ZERO,
                counts: Counts::default(),
            };
            let head = RunHead {
                name: "flac",
                jobs,
                total: Total { count, is_final },
                command: &[],
            };
            run.tell(None, What::Run(&head));
            run
        }

        fn tell(&mut self, task: Option<u32>, what: What<'_>) {
            let (task, at) = (task.and_then(TaskId::of), self.now);
            self.course.event(&Event { task, at, what });
        }

        fn begin(&mut self, task: u32) {
            let what = What::Started {
                host: None,
                name: &format!("t{task}"),
                command: &["work".into()],
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
            };
            self.tell(Some(task), what);
        }

        fn end(&mut self, task: u32, status: i32) {
            let (state, count) = match status {
                0 => (FinalState::Completed, &mut self.counts.completed),
                _ => (FinalState::Failed, &mut self.counts.failed),
            };
            *count += 1;
            let summary = Summary {
                missed: None,
                state,
                reason: None,
                exit: Some(Exit {
                    ending: Ending::Status(status),
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
                    retry_in: None,
                    duration: Duration::from_millis(2300),
                    output_bytes: 0,
                }),
            };
            self.tell(Some(task), What::Finished(&summary));
            self.tell(Some(task), What::Shows(&summary));
            self.tell(Some(task), What::Shown);
        }

        fn at(&mut self, seconds: f64) {
            self.now = Duration::from_secs_f64(seconds);
            self.course.tick(self.now);
        }

        fn over(&mut self) {
            let end = RunSummary {
                counts: self.counts,
                not_started: Some(0),
                why: None,
                ending: Ending::Status(i32::from(self.counts.failed > 0)),
            };
            self.tell(None, What::End(&end));
        }

        fn text(&mut self) -> String {
            let mut text = String::new();
            self.file.rewind().unwrap();
            self.file.read_to_string(&mut text).unwrap();
            text
        }
    }

    #[test]
    fn a_long_run_has_its_tenths_its_failures_and_its_end() {
        let mut run = Run::new(240, 4, true);
        for task in 1..=240 {
            run.at(f64::from(task) * 0.05);
            run.begin(task);
            run.at(f64::from(task) * 0.05 + 0.04);
            run.end(task, i32::from(task == 30));
        }
        run.over();
        let text = run.text();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(
            lines[..4],
            [
                "flac: 240 tasks, 4 at a time",
                "flac: 24/240 done, 11s left",
                "FAILED t30  exit status 1, 2.3s",
                "flac: 48/240 done, 1 failed, 10s left",
            ]
        );
        assert_eq!(
            lines[lines.len() - 2..],
            [
                "flac: 239 of 240 completed, 1 failed after 12.0s",
                "  t30  exit status 1  2.3s   work",
            ]
        );
        assert_eq!(lines.len(), 13, "{text}");
    }

    #[test]
    fn a_thousand_tasks_in_five_seconds_are_ten_lines_without_escapes_or_returns() {
        let mut run = Run::new(1000, 2, true);
        for task in 1..=1000 {
            run.at(f64::from(task) * 0.005);
            run.begin(task);
            run.end(task, 0);
        }
        run.over();
        let text = run.text();
        assert_eq!(text.lines().filter(|line| line.contains("done")).count(), 8);
        assert!(
            text.ends_with("\nflac: 1,000 completed in 5.00s\n"),
            "{text}"
        );
        assert!(!text.contains(['\r', '\x1b']), "{text}");
    }

    #[test]
    fn a_list_without_end_has_a_line_every_ten_seconds_in_which_a_task_has_ended() {
        let mut run = Run::new(0, 2, false);
        run.begin(1);
        run.at(1.0);
        run.at(25.0);
        assert_eq!(run.course.due(), None);
        run.end(1, 0);
        run.begin(2);
        assert_eq!(run.course.due(), Some(Duration::from_secs(11)));
        run.at(26.0);
        assert_eq!(
            run.text(),
            "flac: 2 tasks at a time\nflac: 1 done, 1 running\n"
        );
    }

    #[test]
    fn a_run_that_is_over_in_a_moment_is_silent_unless_a_task_failed() {
        for (status, expected) in [
            (0, ""),
            (
                1,
                "flac: 2 tasks, 2 at a time\n\
                 ok t1  2.3s\n\
                 FAILED t2  exit status 1, 2.3s\n\
                 flac: 1 of 2 completed, 1 failed after 0.1s\n  \
                   t2  exit status 1  2.3s   work\n",
            ),
        ] {
            let mut run = Run::new(2, 2, true);
            run.begin(1);
            run.begin(2);
            run.at(0.1);
            run.end(1, 0);
            run.end(2, status);
            run.over();
            assert_eq!(run.text(), expected);
            assert_eq!(run.course.due(), None);
        }
    }

    #[test]
    fn beside_events_only_the_stops_of_the_run_and_warnings_are_told() {
        let mut run = Run::with(2, 2, true, |course| course.telling(Tells::Messages));
        run.begin(1);
        run.begin(2);
        run.at(2.0);
        run.end(1, 1);
        let stop = || What::Cancelling {
            reason: Reason::Interrupt,
            step: Step::Drain,
            left: Some(Duration::from_secs(10)),
        };
        run.tell(None, stop());
        run.tell(Some(2), stop());
        run.tell(Some(2), What::Warning("it is late"));
        run.end(2, 1);
        run.over();
        assert_eq!(
            run.text(),
            "flac: stopping: 1 running task may end, up to 10s (Ctrl-C again: SIGTERM)\nt2: it is late\n"
        );
        assert_eq!(run.course.due(), None);
    }
}
