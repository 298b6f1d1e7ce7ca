//! A run of many tasks as a part of the parent: it has the count of the tasks, and those that have run for a moment are
//! its parts. A million short tasks are one part that grows.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::event::{Ending, Event, RunSummary, Summary, TaskId, What};
use crate::flow::Permit;
use crate::model::batch::Batch;
use crate::protocol::{Progress, Status};

use super::super::Sink;
use super::super::census::Census;
use super::super::writer::Writer;
use super::{Channel, FRAME, end, id_of_run, part, part_of, status, translate};

/// How long a task has run when it becomes a part.
const MOMENT: Duration = Duration::from_millis(200);
/// How many tasks are parts at once: no screen shows more.
const PARTS: usize = 64;
/// How many reports of a task are kept until it is a part. They are the newest of as many parts of it.
const REPORTS: usize = 20;

/// The channel of the parent of a run of many tasks, as a sink.
#[derive(Debug)]
pub(in super::super) struct ParentOfMany {
    channel: Channel,
    id: String,
    census: Census,
    /// The tasks that are parts, or will be, if they run on.
    tasks: BTreeMap<TaskId, Task>,
    /// How many are parts.
    parts: usize,
    /// The count has changed.
    counts: bool,
    is_over: bool,
}

#[derive(Debug)]
enum Task {
    /// It has begun then, and reported this.
    IsYoung(Duration, Vec<Progress<'static>>),
    IsAPart,
}

impl ParentOfMany {
    /// Reports to `writer` as a part called `name`.
    pub(in super::super) fn new(writer: Writer, name: &str) -> Self {
        let id = id_of_run();
        Self {
            channel: Channel::new(writer, part(id.clone(), name)),
            id,
            census: Census::new(name.to_owned()),
            tasks: BTreeMap::new(),
            parts: 0,
            counts: false,
            is_over: false,
        }
    }

    fn id_of(&self, task: TaskId) -> String {
        format!("{}.{}", self.id, task.get())
    }

    fn progress(&mut self, task: TaskId, reports: &Batch) {
        let id = self.id_of(task);
        let translated = reports.parts.iter().map(|it| translate(it, &id, &id));
        match self.tasks.get_mut(&task) {
            Some(Task::IsAPart) => translated.for_each(|report| self.channel.add(report)),
            Some(Task::IsYoung(_, kept)) => {
                for report in translated {
                    let has_room = kept.len() < REPORTS;
                    match kept.iter_mut().rfind(|known| known.id == report.id) {
                        Some(known) if known.status.is_none() => known.merge(&report),
                        _ if has_room => kept.push(report),
                        _ => {}
                    }
                }
            }
            None => {}
        }
    }

    fn finished(&mut self, task: TaskId, summary: &Summary) {
        if let Some(Task::IsAPart) = self.tasks.remove(&task) {
            self.parts -= 1;
            self.channel.add(end(self.id_of(task), status(summary)));
        }
    }

    /// When the next task becomes a part.
    fn next_part(&self) -> Option<Duration> {
        let young = self.tasks.values().filter_map(|task| match task {
            Task::IsYoung(began, _) => Some(*began + MOMENT),
            Task::IsAPart => None,
        });
        young.min().filter(|_| self.parts < PARTS)
    }

    /// The tasks that have run for a moment become parts.
    fn mount(&mut self, at: Duration) {
        for (task, state) in &mut self.tasks {
            let Task::IsYoung(began, reports) = state else {
                continue;
            };
            if self.parts == PARTS {
                break;
            }
            if at < *began + MOMENT {
                continue;
            }
            let name = self.census.task(*task).map_or("", |task| &task.name);
            let id = format!("{}.{}", self.id, task.get());
            self.channel.add(part_of(&self.id, id, name));
            for report in reports.drain(..) {
                self.channel.add(report);
            }
            self.parts += 1;
            *state = Task::IsAPart;
        }
    }

    /// The count of the tasks, as a report.
    #[expect(clippy::cast_precision_loss, reason = "a count of tasks")]
    fn count(&mut self) {
        if std::mem::take(&mut self.counts) {
            self.channel.add(Progress {
                id: Some(self.id.clone().into()),
                progress: Some(self.census.counts.over() as f64),
                total: self.census.of().map(|total| total as f64),
                ..Progress::default()
            });
        }
    }

    fn over(&mut self, summary: &RunSummary, at: Duration) {
        self.is_over = true;
        self.counts = true;
        self.count();
        let counts = &summary.counts;
        let status = match summary.ending {
            Ending::Status(0) => Status::Ok,
            Ending::Signal(_) => Status::Cancelled,
            Ending::Status(_) if counts.failed + counts.lost == 0 && counts.cancelled > 0 => {
                Status::Cancelled
            }
            Ending::Status(_) => Status::Failed,
        };
        self.channel.add(end(self.id.clone(), status));
        self.channel.send(at);
    }
}

impl Sink for ParentOfMany {
    fn event(&mut self, event: &Event<'_>) {
        let at = event.at;
        self.census.event(event);
        match (&event.what, event.task) {
            (What::Run(head), _) => {
                self.channel.add(part(self.id.clone(), head.name));
                self.counts = true;
                self.count();
                self.channel.send(at);
            }
            (What::Total(_) | What::Skipped { .. }, _) => self.counts = true,
            (What::Started { .. }, Some(task)) => {
                self.tasks.insert(task, Task::IsYoung(at, Vec::new()));
            }
            (What::Progress(reports), Some(task)) => {
                self.progress(task, reports);
                self.channel.send_many(at);
            }
            (What::Finished(summary), Some(task)) => {
                self.counts = true;
                self.finished(task, summary);
            }
            (What::End(summary), _) => self.over(summary, at),
            _ => {}
        }
    }

    fn due(&self) -> Option<Duration> {
        let last = self.channel.last.filter(|_| !self.is_over)?;
        let has_news = self.counts || !self.channel.pending.is_empty();
        let next = has_news.then_some(last + FRAME);
        let part = self.next_part().map(|time| time.max(last + FRAME));
        next.into_iter().chain(part).min()
    }

    fn tick(&mut self, elapsed: Duration) {
        if self.due().is_none_or(|due| due > elapsed) {
            return;
        }
        self.channel.last = Some(elapsed);
        self.mount(elapsed);
        if self.channel.writer.is_idle() {
            self.count();
            self.channel.send(elapsed);
        }
    }

    fn flush(&mut self, permit: &Permit) {
        self.channel.send_pending();
        self.channel.writer.flush(permit.clone());
    }

    fn abandon(&mut self) {
        self.channel.writer.abandon();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Attempt, Counts, FinalState, Place, RunHead, Surroundings, Total};
    use std::io::{Read, Seek};

    struct Run {
        parent: ParentOfMany,
        file: std::fs::File,
        read: usize,
        now: Duration,
    }

    impl Run {
        fn new(count: u64) -> Self {
            let file = tempfile::tempfile().unwrap();
            let writer = Writer::new(file.try_clone().unwrap().into(), Box::new(|_| ()));
            let mut run = Self {
                parent: ParentOfMany::new(writer, "run"),
                file,
                read: 0,
                now: Duration::ZERO,
            };
            let total = Total {
                count,
                is_final: true,
            };
            let head = RunHead {
                name: "flac",
                jobs: 2,
                total,
                command: &[],
            };
            run.tell(None, What::Run(&head));
            run
        }

        fn tell(&mut self, task: Option<u32>, what: What<'_>) {
            let (task, at) = (task.and_then(TaskId::of), self.now);
            self.parent.event(&Event { task, at, what });
        }

        fn begin(&mut self, task: u32, name: &str) {
            let what = What::Started {
                host: None,
                name,
                command: &[],
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

        fn end(&mut self, task: u32, state: FinalState) {
            let summary = Summary {
                missed: None,
                state,
                reason: None,
                exit: None,
                error: None,
                reports: 0,
                malformed: 0,
                attempt: Some(Attempt {
                    slot: 1,
                    number: 1,
                    retry_in: None,
                    duration: Duration::ZERO,
                    output_bytes: 0,
                }),
            };
            self.tell(Some(task), What::Finished(&summary));
        }

        fn report(&mut self, task: u32, id: Option<&'static str>, progress: f64) {
            let reports = Batch {
                parts: vec![Progress {
                    id: id.map(Into::into),
                    progress: Some(progress),
                    ..Progress::default()
                }],
                ..Batch::default()
            };
            self.tell(Some(task), What::Progress(&reports));
        }

        fn at(&mut self, milliseconds: u64) {
            self.now = Duration::from_millis(milliseconds);
            self.parent.tick(self.now);
        }

        /// The lines that were written since the last time.
        fn lines(&mut self) -> Vec<String> {
            let mut text = String::new();
            self.file.rewind().unwrap();
            self.file.read_to_string(&mut text).unwrap();
            let text = text.replace(&id_of_run(), "RUN");
            let lines: Vec<_> = text.lines().skip(self.read).map(str::to_owned).collect();
            self.read += lines.len();
            lines
        }

        fn over(&mut self, counts: Counts, ending: Ending) {
            let end = RunSummary {
                counts,
                not_started: Some(0),
                why: None,
                ending,
            };
            self.tell(None, What::End(&end));
        }
    }

    #[test]
    fn the_run_is_one_part_with_its_count_and_what_runs_for_a_moment_is_a_part_of_it() {
        let mut run = Run::new(3);
        assert_eq!(
            run.lines(),
            [r#"{"progress":0,"total":3,"id":"RUN","title":"flac"}"#]
        );
        run.begin(1, "short");
        run.begin(2, "long");
        run.report(2, Some("x"), 1.0);
        run.report(2, Some("x"), 2.0);
        run.now = Duration::from_millis(100);
        run.end(1, FinalState::Completed);
        run.at(150);
        assert_eq!(run.lines(), [r#"{"progress":1,"total":3,"id":"RUN"}"#]);
        run.at(250);
        assert_eq!(
            run.lines(),
            [
                r#"{"id":"RUN.2","parent":"RUN","title":"long"}"#,
                r#"{"progress":2,"id":"RUN.2/x","parent":"RUN.2"}"#
            ]
        );
        run.report(2, None, 5.0);
        run.end(2, FinalState::Failed);
        let counts = Counts {
            completed: 1,
            failed: 1,
            ..Counts::default()
        };
        run.over(counts, Ending::Status(1));
        assert_eq!(
            run.lines(),
            [
                r#"{"progress":5,"id":"RUN.2","status":"failed"}"#,
                r#"{"progress":2,"total":3,"id":"RUN","status":"failed"}"#
            ]
        );
        assert_eq!(run.parent.due(), None);
    }

    #[test]
    fn short_tasks_do_not_flood_the_parent_and_not_all_long_ones_are_parts() {
        let mut run = Run::new(10_000);
        for task in 1..=1000 {
            run.now = Duration::from_millis(task.into());
            run.begin(task, "t");
            run.report(task, None, 1.0);
            run.end(task, FinalState::Completed);
            run.at(task.into());
        }
        assert!(run.lines().len() <= 21);
        for task in 1001..=1100 {
            run.begin(task, "t");
        }
        run.at(2000);
        assert_eq!(run.lines().len(), 64);
        assert_eq!(run.parent.due(), None);
        run.end(1001, FinalState::Completed);
        run.at(2100);
        let lines = run.lines();
        assert!(
            lines.contains(&r#"{"id":"RUN.1001","status":"ok"}"#.to_owned()),
            "{lines:?}"
        );
        assert!(
            lines.contains(&r#"{"id":"RUN.1065","parent":"RUN","title":"t"}"#.to_owned()),
            "{lines:?}"
        );
    }

    #[test]
    fn a_run_that_was_cancelled_ends_so() {
        let mut run = Run::new(3);
        run.over(Counts::default(), Ending::Signal(2));
        let lines = run.lines();
        assert_eq!(
            lines[1],
            r#"{"progress":0,"total":3,"id":"RUN","status":"cancelled"}"#
        );
    }
}
