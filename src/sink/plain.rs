//! Progress as lines, for logs and CI: the first report, then a line at each tenth or every ten seconds if there is
//! news, and the end. No carriage returns, no escapes, and nothing for a command that has nothing to say and succeeds.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::eta::Forecast;
use crate::event::{Event, Summary, TaskId, What};
use crate::flow::Permit;
use crate::journal::{MOMENT, Memory};
use crate::model::batch::Batch;
use crate::model::parts::{Part, Parts};
use crate::protocol::Status;

use super::Sink;
use super::beside::Beside;
use super::display::Tells;
use super::format::{amount, clock, eta, eta_about, share};
use super::messages::{self, Stop};
use super::sanitize::escape;
use super::standard::SharedFile;
use super::writer::Writer;

/// How many messages wait for a failure at most.
const MESSAGES: usize = 100;
/// How long news waits at most.
const EVERY: Duration = Duration::from_secs(10);

/// Lines on a place that is not a terminal.
#[derive(Debug)]
pub(super) struct Plain {
    /// The name of the run.
    name: String,
    place: Place,
    tells: Tells,
    /// What waits for a failure, where nothing else is told.
    held: Vec<String>,
    /// What is remembered of earlier runs, until it is read.
    memory: Option<Memory>,
    /// The tasks that run.
    tasks: BTreeMap<TaskId, Task>,
}

/// The place that the lines go to.
#[derive(Debug)]
struct Place {
    lines: Beside,
    /// How many failed parts were told of since the last line was written.
    failures: usize,
}

/// The state of one task.
#[derive(Debug)]
struct Task {
    name: String,
    /// When the task began; its own times count from then.
    began: Duration,
    parts: Parts,
    /// What earlier runs say, once they were looked at.
    forecast: Option<Forecast>,
    /// The tenth that the last line was about.
    tenth: Option<u64>,
    last_line: Option<Duration>,
    news: bool,
    /// The progress began anew at some time: then only time makes lines, or a hundred phases would make a thousand.
    phases: bool,
    /// A malformed line was shown: once is enough.
    warned: bool,
    stop: Option<Stop>,
}

impl Plain {
    /// Writes to `writer`; the name of a task, or that of the run, begins each line.
    #[must_use]
    pub(super) fn new(writer: Writer, name: String) -> Self {
        let first = Task::new(name.clone(), Duration::ZERO);
        Self {
            name,
            place: Place {
                lines: Beside::new(writer),
                failures: 0,
            },
            tells: Tells::Everything,
            held: Vec::new(),
            memory: None,
            tasks: BTreeMap::from([(TaskId::FIRST, first)]),
        }
    }

    /// Begins a line of its own beside these streams of the children, which another sink writes to the same place, or
    /// which the children write to this file themselves.
    #[must_use]
    pub(super) fn beside(mut self, streams: [bool; 2], file: Option<SharedFile>) -> Self {
        self.place.lines.share_with(streams);
        self.place.lines.share_file(file);
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

    /// The state of this task, which begins now if it is new.
    fn task(&mut self, task: TaskId, at: Duration) -> (&mut Task, &mut Place) {
        let new = || Task::new(self.name.clone(), at);
        (self.tasks.entry(task).or_insert_with(new), &mut self.place)
    }

    /// A line about this task or about the run.
    fn say(&mut self, task: Option<TaskId>, text: &str) {
        let task = task.and_then(|task| self.tasks.get(&task));
        let name = task.map_or(&self.name, |task| &task.name);
        if self.tells != Tells::Failures {
            self.place.say(name, text);
        } else if self.held.len() < MESSAGES {
            self.held.push(line(name, text));
        }
    }

    fn stopping(&mut self, task: Option<TaskId>, what: &What<'_>, at: Duration) {
        let all = || self.tasks.keys().copied().collect();
        let tasks = task.map_or_else(all, |task| vec![task]);
        for task in &tasks {
            let (task, _) = self.task(*task, at);
            task.stop = Stop::after(task.stop, what, at.saturating_sub(task.began));
        }
        let first = tasks.first().and_then(|task| self.tasks.get(task));
        let stop = first.and_then(|task| task.stop);
        // Where only failures are told, the last line says it.
        let stop = stop.filter(|_| self.tells != Tells::Failures);
        if let Some(text) = stop.as_ref().and_then(Stop::sentence) {
            self.say(task, &text);
        }
    }
}

impl Place {
    fn say(&mut self, name: &str, text: &str) {
        self.lines.write(&line(name, text));
    }
}

/// A line about this task or run.
fn line(name: &str, text: &str) -> String {
    format!("{}: {text}", escape(name))
}

impl Task {
    fn new(name: String, began: Duration) -> Self {
        Self {
            name,
            began,
            parts: Parts::default(),
            forecast: None,
            tenth: None,
            last_line: None,
            news: false,
            phases: false,
            warned: false,
            stop: None,
        }
    }

    fn due(&self) -> Option<Duration> {
        self.last_line
            .filter(|_| self.news)
            .map(|last| last + EVERY)
    }

    /// Takes in reports of which nothing is told.
    fn know(&mut self, reports: &Batch, at: Duration) {
        let elapsed = at.saturating_sub(self.began);
        for report in &reports.parts {
            self.parts.apply(report, reports.source, elapsed);
        }
    }

    fn reports(&mut self, reports: &Batch, at: Duration, place: &mut Place) {
        let elapsed = at.saturating_sub(self.began);
        for report in &reports.parts {
            if let Some(part) = self.parts.apply(report, reports.source, elapsed) {
                self.part_ended(&part, place);
            }
        }
        // A full meter of another program is not told of: as long as the command goes on, 99 % is no news, and may be
        // that of one thing of several.
        let task = &self.parts.task;
        if let (Some(forecast), Some(done)) = (&mut self.forecast, task.fraction(elapsed)) {
            forecast.record(elapsed, done, task.remaining(elapsed));
        }
        let is_silent = task.is_full() || task.is_over(elapsed);
        if let Some(last) = reports.parts.last() {
            self.news = last.id.is_some() || !is_silent;
        }
        if let Some(bad) = &reports.first_malformed
            && !self.warned
        {
            self.warned = true;
            place.say(&self.name, &messages::malformed(bad));
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 0 and 10"
        )]
        let tenth = if is_silent {
            self.tenth
        } else {
            let share = task.known.fraction();
            share.map(|fraction| (fraction * 10.0) as u64)
        };
        // Progress may fall a little and rise again; only a new phase is news.
        let moved = match (self.tenth, tenth) {
            (Some(before), Some(now)) if now + 1 < before => {
                self.phases = true;
                self.tenth = tenth;
                false
            }
            (Some(before), Some(now)) => now > before && !self.phases,
            (before, now) => before != now,
        };
        if self.news && (self.last_line.is_none() || moved) {
            self.tenth = tenth;
            self.progress(at, place);
        }
    }

    fn progress(&mut self, at: Duration, place: &mut Place) {
        self.news = false;
        self.last_line = Some(at);
        let elapsed = at.saturating_sub(self.began);
        let line = describe(&self.parts, self.forecast.as_ref(), elapsed);
        place.say(&self.name, &line);
    }

    fn part_ended(&self, part: &Part, place: &mut Place) {
        if place.lines.is_idle() {
            place.failures = 0;
        }
        if part.known.status == Some(Status::Failed) && place.failures < messages::FAILURES {
            place.failures += 1;
            place.say(&self.name, &messages::part_failed(part, &self.parts));
        }
    }

    fn finished(&self, summary: &Summary, at: Duration, place: &mut Place) {
        let shown = self.last_line.is_some();
        let elapsed = at.saturating_sub(self.began);
        if let Some(text) = messages::finished(summary, &self.parts, (shown, false), elapsed) {
            place.lines.write_now(&line(&self.name, &text));
        }
    }
}

/// The progress of a task in one line.
fn describe(parts: &Parts, forecast: Option<&Forecast>, elapsed: Duration) -> String {
    let task = &parts.task;
    let mut words = Vec::new();
    // An amount that is only counted in parts is told with them.
    words.extend(share(task, elapsed).filter(|_| task.tally().is_none()));
    words.extend(task.current(elapsed).map(amount));
    words.push(messages::tally(parts, false, elapsed));
    if let Some(left) = forecast.and_then(|forecast| task.forecast(forecast, elapsed)) {
        words.push(eta_about(left));
    } else if let Some(left) = task.remaining(elapsed).filter(|left| !left.is_zero()) {
        words.push(eta(left));
    }
    let current = task.current(elapsed);
    if let Some(message) = current.and_then(|known| known.message.as_ref()) {
        words.push(escape(message).trim().to_owned());
    }
    words.retain(|word| !word.is_empty());
    if words.is_empty() {
        words.push(format!("running for {}", clock(elapsed)));
    }
    words.join(", ")
}

impl Sink for Plain {
    fn event(&mut self, event: &Event<'_>) {
        let at = event.at;
        self.place.lines.tick(at);
        let task = event.task.unwrap_or(TaskId::FIRST);
        match &event.what {
            What::Started { name, .. } => (*name).clone_into(&mut self.task(task, at).0.name),
            What::Progress(_) | What::Finished(_) if self.tells == Tells::Messages => {}
            What::Progress(reports) if self.tells == Tells::Failures => {
                self.task(task, at).0.know(reports, at);
            }
            What::Progress(reports) => {
                let memory = self.memory.take_if(|_| at >= MOMENT);
                let (task, place) = self.task(task, at);
                if let Some(memory) = memory {
                    task.forecast = Forecast::new(memory.past());
                }
                task.reports(reports, at, place);
            }
            What::Known(parts) => self.task(task, at).0.parts = (*parts).clone(),
            What::Finished(summary) => {
                if let Some(task) = self.tasks.remove(&task) {
                    let is_well = self.tells == Tells::Failures && messages::is_ordinary(summary);
                    for line in self.held.drain(..).filter(|_| !is_well) {
                        self.place.lines.write(&line);
                    }
                    if !is_well {
                        task.finished(summary, at, &mut self.place);
                    }
                }
            }
            What::Output { stream, bytes, .. } => self.place.lines.printed(*stream, bytes),
            What::Warning(text) => self.say(event.task, &escape(text)),
            What::Cancelling { .. } | What::Stopping { .. } => {
                self.stopping(event.task, &event.what, at);
            }
            _ => {}
        }
    }

    fn due(&self) -> Option<Duration> {
        let tasks = self.tasks.values().filter_map(Task::due);
        tasks.chain(self.place.lines.due()).min()
    }

    fn tick(&mut self, elapsed: Duration) {
        self.place.lines.tick(elapsed);
        for task in self.tasks.values_mut() {
            if task.due().is_some_and(|due| due <= elapsed) {
                task.progress(elapsed, &mut self.place);
            }
        }
    }

    fn flush(&mut self, permit: &Permit) {
        self.place.lines.flush(permit);
    }

    fn abandon(&mut self) {
        self.place.lines.abandon();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::FinalState;
    use crate::protocol::Progress;
    use std::io::{Read, Seek};

    #[test]
    fn each_task_has_its_own_lines_its_own_tenths_and_its_own_time() {
        let mut file = tempfile::tempfile().unwrap();
        let writer = Writer::new(file.try_clone().unwrap().into(), Box::new(|_| ()));
        let mut plain = Plain::new(writer, "run".to_owned());
        let mut tell = |task, seconds, what: What<'_>| {
            let at = Duration::from_secs(seconds);
            let task = Some(task);
            plain.event(&Event { task, at, what });
        };
        let report = |percentage| Batch {
            parts: vec![Progress {
                percentage: Some(percentage),
                ..Progress::default()
            }],
            ..Batch::default()
        };
        let (one, two) = (TaskId::FIRST, TaskId::FIRST.next());
        for (task, name, seconds) in [(one, "one", 0), (two, "two", 100)] {
            let command = &[];
            let (pid, place) = (Some(1), None);
            tell(
                task,
                seconds,
                What::Started {
                    host: None,
                    name,
                    command,
                    pid,
                    place,
                },
            );
        }
        for (task, seconds, percentage) in [
            (one, 100, 10.0),
            (two, 100, 0.0),
            (one, 101, 11.0),
            (two, 110, 10.0),
        ] {
            tell(task, seconds, What::Progress(&report(percentage)));
        }
        let summary = Summary {
            missed: None,
            state: FinalState::Completed,
            reason: None,
            exit: None,
            error: None,
            reports: 0,
            malformed: 0,
            attempt: None,
        };
        for task in [two, one] {
            tell(task, 120, What::Finished(&summary));
        }
        let mut text = String::new();
        file.rewind().unwrap();
        file.read_to_string(&mut text).unwrap();
        assert_eq!(
            text,
            "one: 10%\ntwo: 0%\ntwo: 10%, ETA 1m30s\ntwo: completed in 20.0s\none: completed in 2m00s\n"
        );
    }

    #[test]
    fn a_full_meter_of_another_program_is_told_of_neither_at_once_nor_again_and_again() {
        let mut file = tempfile::tempfile().unwrap();
        let writer = Writer::new(file.try_clone().unwrap().into(), Box::new(|_| ()));
        let mut plain = Plain::new(writer, "job".to_owned());
        let mut tell = |seconds, done| {
            let report = Progress {
                progress: Some(done),
                total: Some(4.0),
                ..Progress::default()
            };
            let at = Duration::from_secs(seconds);
            let task = Some(TaskId::FIRST);
            let reports = Batch::of("tool", &report);
            let what = What::Progress(&reports);
            plain.event(&Event { task, at, what });
            plain.tick(at);
        };
        // Two of two workers are ready, say.
        tell(0, 4.0);
        tell(1, 1.0);
        tell(2, 3.0);
        for second in 3..100 {
            tell(second, 4.0);
        }
        assert_eq!(plain.due(), None);
        let mut text = String::new();
        file.rewind().unwrap();
        file.read_to_string(&mut text).unwrap();
        assert_eq!(text, "job: 25%, 1/4\njob: 75%, 3/4, ETA 1s\n");
    }
}
