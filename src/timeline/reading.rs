//! From the lines of a recording to its runs. Keeps the running tasks apart from those that are over, whose texts are cut
//! to what the page will show. Knows no file, and no page.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::time::{Duration, SystemTime};

use crate::event::Surroundings;
use crate::model::parts::clipped;
use crate::protocol::{self, Progress, Status};
use crate::sink::{escape, quoted};
use crate::wire::{self, Kind, Line, Reason};

use super::bounds;
use super::curve::{Done, Point};
use super::recording::{Attempt, Damaged, Recording, Run, Task};
use super::state::State;
use super::ways;

/// Why a line is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    NotAnEvent,
    /// A newer progrun wrote it, which means something else by its words.
    Newer,
}

/// A recording that is being read.
#[derive(Debug, Default)]
pub(super) struct Reading {
    runs: Vec<Run>,
    /// The tasks of the last run that are not over, by their numbers.
    open: HashMap<u64, Task>,
    earlier: usize,
    damaged: Damaged,
    /// How many attempts of the last run have last lines, and how many tasks a curve.
    tails: usize,
    curves: usize,
}

impl Reading {
    /// Whether there was no event so far.
    pub(super) fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Takes in a line, which has this number.
    pub(super) fn line(&mut self, line: &[u8], number: u64) -> Result<(), Fault> {
        let text = std::str::from_utf8(line).ok();
        match text.and_then(Line::read) {
            Some(event) => self.event(event),
            None if text.is_some_and(Line::is_of_newer) => Ok(()),
            None => {
                if self.damaged.count == 0 {
                    self.damaged.first = number;
                }
                self.damaged.count += 1;
                Err(Fault::NotAnEvent)
            }
        }
    }

    /// The end of the recording.
    pub(super) fn end(mut self) -> Recording {
        self.close();
        Recording {
            runs: self.runs,
            earlier: self.earlier,
            damaged: self.damaged,
        }
    }

    fn event(&mut self, event: Line<'_>) -> Result<(), Fault> {
        let at = event.at();
        // A single command has no attempts, and its start or, if it could not be started, its end is its first event.
        let is_single = event.attempt.is_none();
        let is_known = self.open.contains_key(&event.task);
        match event.event {
            Kind::Run => {
                if event.version.is_some_and(|version| version > wire::VERSION) {
                    return Err(Fault::Newer);
                }
                self.begin(&event);
            }
            Kind::Started if is_single => self.begin_single(&event),
            Kind::Finished if is_single && !is_known => self.begin_single(&event),
            _ if self.runs.is_empty() => self.runs.push(Run {
                is_headless: true,
                name: "a run".to_owned(),
                ..Run::default()
            }),
            _ => {}
        }
        let Some(run) = self.runs.last_mut() else {
            return Ok(());
        };
        run.last = run.last.max(at);
        match event.event {
            // Of a recording that was made up: so many tasks never run at once.
            Kind::Started if self.open.len() >= bounds::TASKS && !is_known => run.unshown += 1,
            Kind::Started => start(self.open.entry(event.task).or_default(), &event),
            Kind::Progress => {
                let most = bounds::curve(self.curves + self.open.len());
                if let (Some(task), Some(info)) = (self.open.get_mut(&event.task), &event.info)
                    && let Ok(report) = protocol::read_object(info.text())
                {
                    progress(task, &report, at, most, run);
                }
            }
            Kind::Output => {
                let task = self.open.get_mut(&event.task);
                if let Some(attempt) = task.and_then(|task| task.attempts.last_mut()) {
                    attempt.tail.push(&event.into_bytes().unwrap_or_default());
                }
            }
            Kind::State if event.task == 0 || run.is_single => {
                run.stopped = run.stopped.or(event.reason.and_then(ways::of_stop));
            }
            Kind::Halted => run.stopped = run.stopped.or(Some("stopped by --halt")),
            Kind::Warning if run.warnings.len() < bounds::WARNINGS => {
                let text = event.message.as_deref().unwrap_or_default();
                run.warnings
                    .push(bounds::cut(&escape(text), bounds::COMMAND));
            }
            Kind::Total => run.total = total(&event).or(run.total),
            Kind::Finished => self.finished(&event),
            Kind::Skipped => skipped(run, &event),
            Kind::End => {
                run.has_ended = true;
                run.not_started = event.not_started.flatten().unwrap_or_default();
            }
            _ => {}
        }
        Ok(())
    }

    /// The first event of a run of many.
    fn begin(&mut self, event: &Line<'_>) {
        self.close();
        self.runs.push(Run {
            name: name(event),
            command: command(event),
            began: began(event),
            jobs: event.jobs,
            total: total(event),
            ..Run::default()
        });
    }

    /// The first event of a single command.
    fn begin_single(&mut self, event: &Line<'_>) {
        self.close();
        self.runs.push(Run {
            name: match name(event) {
                name if name.is_empty() => "a command".to_owned(),
                name => name,
            },
            command: command(event),
            began: began(event),
            total: Some(1),
            is_single: true,
            ..Run::default()
        });
    }

    fn finished(&mut self, event: &Line<'_>) {
        let Some(run) = self.runs.last_mut() else {
            return;
        };
        let mut task = self.open.remove(&event.task).unwrap_or_default();
        task.number = event.task;
        // Its start may be on a damaged line.
        if task
            .attempts
            .last()
            .is_none_or(|attempt| attempt.ended.is_some())
        {
            push_attempt(&mut task, event);
        }
        task.state = match event.state {
            Some(wire::State::Completed) => State::Completed,
            Some(wire::State::Cancelled) => State::Cancelled,
            _ => State::Failed,
        };
        let times = [event.user_time, event.system_time].into_iter().flatten();
        for seconds in times {
            let time = Duration::try_from_secs_f64(seconds).unwrap_or_default();
            task.processor = task.processor.saturating_add(time);
        }
        task.memory = task.memory.max(event.max_rss.unwrap_or_default());
        task.output = task
            .output
            .saturating_add(event.output_bytes.unwrap_or_default());
        if let Some(attempt) = task.attempts.last_mut() {
            attempt.ended = Some(event.at().max(attempt.began));
            attempt.state = task.state;
            attempt.how = bounds::cut(&escape(&ways::of_end(event)), bounds::COMMAND);
            if task.state != State::Completed {
                self.tails += 1;
                attempt.lines = attempt.tail.text(bounds::tail(self.tails));
            }
            attempt.tail = super::tail::Tail::default();
        }
        task.parts.end(task.state, event.at());
        if task.state == State::Completed {
            task.curve.complete(event.at());
        }
        if event.retry_in.is_some() {
            task.state = State::Open;
            self.open.insert(event.task, task);
            return;
        }
        run.has_ended |= run.is_single;
        if !task.curve.points().is_empty() {
            self.curves += 1;
            task.curve.shorten(bounds::curve(self.curves));
        }
        keep(run, task);
    }

    /// The last run is over, or its recording ends here.
    fn close(&mut self) {
        let Some(run) = self.runs.last_mut() else {
            return;
        };
        for (_, mut task) in self.open.drain() {
            task.state = State::Open;
            if let Some(attempt) = task.attempts.last_mut()
                && attempt.ended.is_none()
            {
                self.tails += 1;
                attempt.lines = attempt.tail.text(bounds::tail(self.tails));
                attempt.tail = super::tail::Tail::default();
            }
            keep(run, task);
        }
        run.tasks.sort_by_key(|task| task.number);
        (self.tails, self.curves) = (0, 0);
        let mut tasks: usize = self.runs.iter().map(|run| run.tasks.len()).sum();
        while self.runs.len() > 1 && (tasks > bounds::ALL_TASKS || self.runs.len() > bounds::RUNS) {
            tasks -= self.runs.remove(0).tasks.len();
            self.earlier += 1;
        }
    }
}

/// A task that is over is shown, or only counted.
fn keep(run: &mut Run, mut task: Task) {
    let known = std::mem::take(&mut task.known);
    let has_own = known.fraction().is_some();
    task.curve
        .settle((!has_own).then_some(task.parts.at_the_top()));
    let shown = |text: Option<Cow<'_, str>>| {
        let text = text.unwrap_or_default();
        bounds::cut(&escape(&text), bounds::NAME)
    };
    (task.message, task.unit) = (shown(known.message), shown(known.unit));
    let is_well = matches!(task.state, State::Completed | State::Done);
    let most = if is_well {
        bounds::TASKS
    } else {
        2 * bounds::TASKS
    };
    if run.tasks.len() < most {
        run.tasks.push(task);
    } else {
        run.unshown += 1;
    }
}

fn start(task: &mut Task, event: &Line<'_>) {
    task.number = event.task;
    task.name = name(event);
    task.command = command(event);
    push_attempt(task, event);
}

fn push_attempt(task: &mut Task, event: &Line<'_>) {
    if task.attempts.len() == bounds::ATTEMPTS {
        task.attempts.remove(0);
    }
    task.attempts.push(Attempt {
        slot: event.slot.unwrap_or(1).max(1),
        number: event.attempt.unwrap_or(1),
        began: event.at(),
        ..Attempt::default()
    });
}

fn skipped(run: &mut Run, event: &Line<'_>) {
    let is_done = event.reason == Some(Reason::Done);
    let why = ways::of_skip(event.reason, event.cause.as_deref());
    let task = Task {
        number: event.task,
        name: name(event),
        state: if is_done { State::Done } else { State::Skipped },
        why: bounds::cut(&escape(&why), bounds::COMMAND),
        ..Task::default()
    };
    keep(run, task);
}

/// Takes in a report of a task, of whose curve at most so many points are kept.
fn progress(task: &mut Task, report: &Progress<'_>, at: Duration, most: usize, run: &mut Run) {
    match report.id.as_deref() {
        Some(id) => part(task, id, report, at, run),
        None => task.known.merge(&Progress {
            message: report.message.as_deref().map(clipped).map(Cow::Borrowed),
            unit: report.unit.as_deref().map(clipped).map(Cow::Borrowed),
            ..amounts(report)
        }),
    }
    let known = &task.known;
    let done = match known.fraction() {
        Some(share) => Done::Share(share),
        None => task.parts.done().map_or(Done::Unknown, Done::Parts),
    };
    let amount = known.progress;
    if done != Done::Unknown || amount.is_some() {
        task.curve.push(Point { at, done, amount }, most);
    }
}

/// The report without its texts, which may be long.
fn amounts<'a>(report: &Progress<'_>) -> Progress<'a> {
    Progress {
        progress: report.progress,
        total: report.total,
        percentage: report.percentage,
        ..Progress::default()
    }
}

fn part(task: &mut Task, id: &str, report: &Progress<'_>, at: Duration, run: &mut Run) {
    let id = clipped(id);
    let known = task.parts.get(id);
    let is_full = task.parts.all().len() >= bounds::PARTS || run.parts >= bounds::ALL_PARTS;
    if known.is_none() && is_full {
        run.has_more_parts = true;
        return;
    }
    let index = known.unwrap_or_else(|| {
        run.parts += 1;
        let parent = report.parent.as_deref().map(clipped);
        task.parts.begin(id, parent, at)
    });
    let title = report.title.as_deref().or(known.is_none().then_some(id));
    if let Some(title) = title {
        let title = bounds::cut(&escape(title), bounds::NAME);
        task.parts.rename(index, title);
    }
    let end = report.status.map(|status| match status {
        Status::Ok => State::Completed,
        Status::Failed => State::Failed,
        Status::Skipped => State::Skipped,
        Status::Cancelled => State::Cancelled,
    });
    task.parts.report(index, &amounts(report), end, at);
}

/// The name in an event, safe to show.
fn name(event: &Line<'_>) -> String {
    let name = event.name.as_deref().unwrap_or_default();
    bounds::cut(&escape(name), bounds::NAME)
}

/// The command in an event, quoted for a shell and safe to show.
fn command(event: &Line<'_>) -> String {
    let words = event.command().unwrap_or_default().into_iter();
    let words: Vec<_> = words
        .map(|word| OsString::from_vec(word.to_vec()))
        .collect();
    bounds::cut(&quoted(&words, Surroundings::default()), bounds::COMMAND)
}

/// When the run began, by its first event.
fn began(event: &Line<'_>) -> Option<SystemTime> {
    let time = humantime::parse_rfc3339(event.time.as_deref()?).ok()?;
    time.checked_sub(event.at())
}

/// How many tasks there are, if no further ones come.
fn total(event: &Line<'_>) -> Option<u64> {
    event.total.filter(|_| event.total_final == Some(true))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &[&str]) -> Recording {
        let mut reading = Reading::default();
        for (line, number) in lines.iter().zip(1..) {
            reading.line(line.as_bytes(), number).unwrap();
        }
        reading.end()
    }

    fn started(task: u32, attempt: &str) -> String {
        format!(
            r#"{{"event":"started","task":{task},"elapsed":1,{attempt}"time":"2026-11-28T01:00:01.000Z","name":"n{task}","command":["x"],"pid":7}}"#
        )
    }

    fn finished(task: u32, attempt: &str, end: &str) -> String {
        format!(
            r#"{{"event":"finished","task":{task},"elapsed":3,{attempt}{end},"signal":null,"reports":0,"malformed":0}}"#
        )
    }

    const WELL: &str = r#""state":"completed","exit_status":0"#;
    const FIRST: &str = r#""slot":2,"attempt":1,"#;

    fn states(run: &Run) -> Vec<(u64, State)> {
        let task = |task: &Task| (task.number, task.state);
        run.tasks.iter().map(task).collect()
    }

    #[test]
    fn each_single_command_in_a_file_is_a_run_also_one_that_could_not_be_started() {
        let not_started = finished(
            1,
            r#""error":"no such file","#,
            r#""state":"failed","exit_status":null"#,
        );
        let recording = read(&[
            &started(1, ""),
            &started(1, ""),
            &finished(1, "", WELL),
            &not_started,
        ]);
        let runs: Vec<_> = recording.runs.iter().map(states).collect();
        assert_eq!(
            runs,
            [
                [(1, State::Open)],
                [(1, State::Completed)],
                [(1, State::Failed)]
            ]
        );
        let ended: Vec<_> = recording.runs.iter().map(|run| run.has_ended).collect();
        assert_eq!(ended, [false, true, true]);
        assert_eq!(recording.runs[2].tasks[0].attempts[0].how, "no such file");
        // Its start says when it was, a second after the run began.
        let began = humantime::parse_rfc3339("2026-11-28T01:00:00Z").unwrap();
        assert_eq!(recording.runs[1].began, Some(began));
    }

    #[test]
    fn what_is_left_of_a_damaged_recording_is_shown() {
        // Without the head; the first task lacks its start, the second its end.
        let recording = read(&[&finished(1, FIRST, WELL), &started(2, FIRST)]);
        let [run] = &recording.runs[..] else { panic!() };
        assert!(run.is_headless && !run.has_ended);
        assert_eq!(states(run), [(1, State::Completed), (2, State::Open)]);
        assert_eq!(run.tasks[0].attempts[0].ended, Some(Duration::from_secs(3)));
        assert_eq!(run.tasks[1].attempts[0].ended, None);
    }

    #[test]
    fn a_part_that_reports_again_has_begun_again_and_ends_with_its_task() {
        let report =
            |info: &str| format!(r#"{{"event":"progress","task":1,"elapsed":2,"info":{info}}}"#);
        let recording = read(&[
            &started(1, ""),
            &report(r#"{"id":"a","status":"ok"}"#),
            &report(r#"{"id":"b","status":"skipped"}"#),
            &report(r#"{"id":"a","parent":"b","progress":1}"#),
            &finished(1, "", WELL),
        ]);
        let task = &recording.runs[0].tasks[0];
        let parts: Vec<_> = task
            .parts
            .all()
            .iter()
            .map(|part| (part.state, part.ended))
            .collect();
        let at = |seconds| Some(Duration::from_secs(seconds));
        assert_eq!(parts, [(State::Completed, at(3)), (State::Skipped, at(2))]);
    }

    #[test]
    fn a_completed_command_ends_at_100_percent_and_does_not_go_back_when_further_parts_begin() {
        let report = |at: u32, info: &str| {
            format!(r#"{{"event":"progress","task":1,"elapsed":{at},"info":{info}}}"#)
        };
        let recording = read(&[
            &started(1, ""),
            &report(1, r#"{"id":"run","progress":1,"total":2}"#),
            &report(2, r#"{"id":"a","parent":"run","progress":1,"total":4}"#),
            &report(2, r#"{"id":"run","status":"ok"}"#),
            &report(2, r#"{"id":"second"}"#),
            &finished(1, "", WELL),
        ]);
        let task = &recording.runs[0].tasks[0];
        let shares: Vec<_> = task.curve.points().iter().map(Point::share).collect();
        let expected = [0.25, 0.25, 0.5, 0.5, 1.0].map(Some);
        assert_eq!(shares, expected);
    }

    #[test]
    fn of_a_million_tasks_the_first_ones_and_the_failures_are_kept() {
        let mut run = Run::default();
        for number in 0..1_000_000 {
            let is_bad = number % 100 == 0;
            let state = if is_bad {
                State::Failed
            } else {
                State::Completed
            };
            keep(
                &mut run,
                Task {
                    number,
                    state,
                    ..Task::default()
                },
            );
        }
        assert_eq!(run.tasks.len(), 109_000);
        assert_eq!(run.unshown, 891_000);
        let failed = run.tasks.iter().filter(|task| task.state == State::Failed);
        assert_eq!(failed.count(), 10_000);
    }

    #[test]
    fn of_very_many_runs_the_last_ones_are_kept() {
        let mut reading = Reading::default();
        for number in 1..=600 {
            reading.line(started(1, "").as_bytes(), number).unwrap();
            reading
                .line(finished(1, "", WELL).as_bytes(), number)
                .unwrap();
        }
        let recording = reading.end();
        assert_eq!((recording.runs.len(), recording.earlier), (500, 100));
    }
}
