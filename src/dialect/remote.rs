//! The events of another progrun, as `--json` prints them: its task and its parts become ours.
//!
//! While there is one task, its own progress is that of ours, for there is nothing else to show. Once there are
//! several, each is a part, and their parts are below them. In a run of many, how many tasks are over is our own
//! progress. `wire` knows the names in the lines.

use std::borrow::Cow;
use std::collections::BTreeSet;

use crate::model::parts::clipped;
use crate::model::verdict::Meaning;
use crate::protocol::{self, Progress, Status};
use crate::wire::{Kind, Line, State};

/// How many tasks are followed at once, and how many parts of each are remembered so that they end with it.
const TASKS: usize = 64;
const PARTS: usize = 1000;

/// What an event means to the user: what was printed, or what progrun would have said at the terminal.
pub(super) fn meaning(event: Line<'_>) -> Meaning {
    let sentence = match event.event {
        Kind::Warning => event.message,
        Kind::Finished => event.error,
        Kind::Output => return Meaning::Output(event.into_bytes().unwrap_or_default()),
        _ => None,
    };
    sentence.map_or(Meaning::Output(Vec::new()), |sentence| {
        Meaning::Sentence(sentence.into_owned())
    })
}

/// The tasks of the other progrun.
#[derive(Debug, Default)]
pub(super) struct Remote {
    tasks: Vec<Task>,
    /// Whether each task is a part of ours: there was more than one at a time.
    are_parts: bool,
    /// How far the run is, if it is one of many tasks: each of them is a part from the beginning.
    run: Option<Run>,
}

/// How many tasks of a run of many are over.
#[derive(Debug, Default)]
struct Run {
    over: u64,
    /// Of how many, once that is known.
    total: Option<u64>,
}

impl Run {
    #[expect(clippy::cast_precision_loss, reason = "no list is that long")]
    fn progress(&self) -> Progress<'static> {
        Progress {
            progress: Some(self.over as f64),
            total: self.total.map(|total| total as f64),
            ..Progress::default()
        }
    }
}

/// The number of the run itself, in a run of many.
const RUN: u64 = 0;

#[derive(Debug)]
struct Task {
    number: u64,
    name: Option<String>,
    /// The ids of its live parts among ours, cut to the length by which they are told apart: a line may hold one of 64
    /// KiB.
    parts: BTreeSet<String>,
}

impl Task {
    fn id(&self) -> String {
        format!("remote-{}", self.number)
    }

    fn begin(&self, is_part: bool) -> Progress<'_> {
        Progress {
            id: is_part.then(|| self.id().into()),
            title: self.name.as_deref().map(Cow::Borrowed),
            ..Progress::default()
        }
    }
}

impl Remote {
    /// Takes in an event, and gives the reports that follow from it.
    pub(super) fn event(&mut self, event: &Line<'_>, each: &mut dyn FnMut(&Progress<'_>)) {
        match event.event {
            Kind::Run => {
                self.run = Some(Run {
                    over: 0,
                    total: total(event),
                });
                self.are_parts = true;
                if let Some(name) = event.name.as_deref() {
                    each(&Progress {
                        title: Some(clipped(name).into()),
                        ..Progress::default()
                    });
                }
                self.tell(each);
            }
            Kind::Total => {
                if let Some(run) = &mut self.run {
                    run.total = total(event);
                    self.tell(each);
                }
            }
            Kind::Skipped => self.count(each),
            Kind::End => {
                self.run = None;
                self.are_parts = !self.tasks.is_empty();
            }
            // The run of many reports nothing by itself.
            _ if event.task == RUN => {}
            Kind::Started => {
                self.task(event.task, event.name.as_deref(), each);
            }
            Kind::Progress => {
                let info = event.info.as_ref();
                let info = info.map(|info| protocol::read_object(info.text()));
                if let Some(Ok(report)) = info {
                    self.progress(event.task, report, each);
                }
            }
            // The next attempt goes on with the part.
            Kind::Finished if event.retry_in.is_some() => {}
            Kind::Finished => {
                let status = match event.state {
                    Some(State::Completed) => Status::Ok,
                    Some(State::Cancelled) => Status::Cancelled,
                    _ => Status::Failed,
                };
                self.finish(event.task, status, each);
                self.count(each);
            }
            _ => {}
        }
    }

    /// One more task of a run of many is over.
    fn count(&mut self, each: &mut dyn FnMut(&Progress<'_>)) {
        if let Some(run) = &mut self.run {
            run.over = run.over.saturating_add(1);
            self.tell(each);
        }
    }

    /// Tells how many tasks of a run of many are over.
    fn tell(&self, each: &mut dyn FnMut(&Progress<'_>)) {
        if let Some(run) = &self.run {
            each(&run.progress());
        }
    }

    /// The task of this number. A new number begins a task; none if there are too many.
    fn task(
        &mut self,
        number: u64,
        name: Option<&str>,
        each: &mut dyn FnMut(&Progress<'_>),
    ) -> Option<&mut Task> {
        if let Some(index) = self.tasks.iter().position(|task| task.number == number) {
            return self.tasks.get_mut(index);
        }
        if self.tasks.len() == TASKS {
            return None;
        }
        if self.tasks.len() == 1 && !self.are_parts {
            self.are_parts = true;
            each(&self.tasks[0].begin(true));
        }
        let task = Task {
            number,
            name: name.map(|name| clipped(name).to_owned()),
            parts: BTreeSet::new(),
        };
        let begin = task.begin(self.are_parts);
        if !begin.is_empty() {
            each(&begin);
        }
        self.tasks.push(task);
        self.tasks.last_mut()
    }

    fn progress(
        &mut self,
        number: u64,
        mut report: Progress<'_>,
        each: &mut dyn FnMut(&Progress<'_>),
    ) {
        let Some(task) = self.task(number, None, each) else {
            return;
        };
        let own = task.id();
        let within = |id: &str| format!("{own}/{id}");
        match report.id.as_deref().map(within) {
            Some(id) => {
                if report.status.is_some() {
                    task.parts.remove(clipped(&id));
                } else if task.parts.len() < PARTS {
                    task.parts.insert(clipped(&id).to_owned());
                }
                report.id = Some(id.into());
                let parent = report.parent.as_deref().map(within);
                let parent = parent.or(self.are_parts.then_some(own));
                report.parent = parent.map(Cow::Owned);
            }
            None => report.id = self.are_parts.then(|| own.into()),
        }
        if !report.is_empty() {
            each(&report);
        }
    }

    fn finish(&mut self, number: u64, status: Status, each: &mut dyn FnMut(&Progress<'_>)) {
        let Some(index) = self.tasks.iter().position(|task| task.number == number) else {
            return;
        };
        let task = self.tasks.remove(index);
        let own = self.are_parts.then(|| task.id());
        // The parts that were not ended one by one are over now.
        for id in task.parts.into_iter().chain(own) {
            each(&Progress {
                id: Some(id.into()),
                status: Some(status),
                ..Progress::default()
            });
        }
        self.are_parts &= self.run.is_some() || !self.tasks.is_empty();
    }
}

/// How many tasks there are, if no further ones come.
fn total(event: &Line<'_>) -> Option<u64> {
    event.total.filter(|_| event.total_final == Some(true))
}

#[cfg(test)]
mod tests {
    use super::super::line_properties::said;
    use super::super::progrun::Progrun;
    use super::{PARTS, TASKS};

    #[test]
    fn the_progress_of_the_only_task_is_that_of_ours_and_its_parts_are_below() {
        let lines = r#"{"event":"started","task":1,"elapsed":0.001,"time":"2026-11-22T10:00:00.123Z","name":"backup.sh","command":["./backup.sh"],"pid":4242}
{"event":"progress","task":1,"elapsed":0.214,"info":{"progress":3,"total":10,"message":"a.jpg","x":[1]}}
{"event":"progress","task":1,"elapsed":0.215,"source":"restic","info":{"id":"dl","title":"Downloading","percentage":5}}
{"event":"progress","task":1,"elapsed":0.216,"info":{"id":7,"parent":"dl"}}
{"event":"output","task":1,"elapsed":0.220,"stream":"stderr","text":"{\"progress\":9}\n"}
{"event":"malformed","task":1,"elapsed":0.230,"line":17,"text":"{oops","error":"key must be a string at column 2"}
{"event":"state","task":1,"elapsed":0.300,"state":"cancelling","reason":"interrupt"}
{"event":"signal","task":1,"elapsed":0.300,"signal":"SIGTERM","reason":"grace"}
{"event":"progress","task":1,"elapsed":0.316,"info":{"id":7,"status":"ok"}}
{"event":"finished","task":1,"elapsed":0.410,"state":"cancelled","exit_status":null,"signal":"SIGPIPE","user_time":0.12,"system_time":0.03,"max_rss":10485760}
"#;
        assert_eq!(
            said(&mut Progrun::default(), lines),
            [
                r#"{"title":"backup.sh"}"#,
                r#"{"progress":3,"total":10,"message":"a.jpg"}"#,
                r#"{"percentage":5,"id":"remote-1/dl","title":"Downloading"}"#,
                r#"{"id":"remote-1/7","parent":"remote-1/dl"}"#,
                r#"{"id":"remote-1/7","status":"ok"}"#,
                r#"{"id":"remote-1/dl","status":"cancelled"}"#,
            ]
        );
    }

    #[test]
    fn reports_with_fields_that_other_readers_have_no_value_for_are_read() {
        let deep = format!("{}1{}", r#"{"x":"#.repeat(127), "}".repeat(127));
        let lines: Vec<_> = [
            r#"{"progress":1,"x":1e999}"#,
            r#"{"progress":1,"x":["a",-1e-999]}"#,
        ]
        .into_iter()
        .map(str::to_owned)
        .chain([format!(r#"{{"progress":1,"x":{deep}}}"#)])
        .flat_map(|info| {
            let event = format!(r#"{{"event":"progress","task":1,"elapsed":0,"info":{info}}}"#);
            [info, event]
        })
        .collect();
        let said = said(&mut Progrun::default(), &lines.join("\n"));
        assert_eq!(said, [r#"{"progress":1}"#; 6]);
    }

    #[test]
    fn several_tasks_are_parts_that_end_as_their_tasks_do() {
        let lines = r#"{"event":"started","task":1,"elapsed":0,"name":"a"}
{"event":"started","task":2,"elapsed":0,"name":"b"}
{"event":"progress","task":1,"elapsed":0,"info":{"progress":1}}
{"event":"progress","task":2,"elapsed":0,"info":{"id":"x","progress":2}}
{"event":"finished","task":1,"elapsed":0,"state":"completed"}
{"event":"progress","task":2,"elapsed":0,"info":{"percentage":5}}
{"event":"finished","task":2,"elapsed":0,"state":"failed"}
{"event":"finished","task":2,"elapsed":0,"state":"failed"}
{"event":"progress","task":3,"elapsed":0,"info":{"progress":8}}
"#;
        assert_eq!(
            said(&mut Progrun::default(), lines),
            [
                r#"{"title":"a"}"#,
                r#"{"id":"remote-1","title":"a"}"#,
                r#"{"id":"remote-2","title":"b"}"#,
                r#"{"progress":1,"id":"remote-1"}"#,
                r#"{"progress":2,"id":"remote-2/x","parent":"remote-2"}"#,
                r#"{"id":"remote-1","status":"ok"}"#,
                r#"{"percentage":5,"id":"remote-2"}"#,
                r#"{"id":"remote-2/x","status":"failed"}"#,
                r#"{"id":"remote-2","status":"failed"}"#,
                r#"{"progress":8}"#,
            ]
        );
    }

    #[test]
    fn the_tasks_of_a_run_of_many_are_parts_and_their_number_is_our_progress() {
        let lines = r#"{"event":"run","task":0,"elapsed":0,"time":"2026-11-22T10:00:00.123Z","version":1,"name":"ci","jobs":2,"total":1,"total_final":false,"pid":4711}
{"event":"started","task":1,"elapsed":0,"slot":1,"attempt":1,"name":"a"}
{"event":"total","task":0,"elapsed":0,"total":3,"total_final":true}
{"event":"progress","task":0,"elapsed":0,"info":{"progress":7}}
{"event":"progress","task":1,"elapsed":0,"info":{"progress":1}}
{"event":"finished","task":1,"elapsed":0,"slot":1,"attempt":1,"state":"failed","retry_in":1.0}
{"event":"started","task":1,"elapsed":0,"slot":1,"attempt":2,"name":"a"}
{"event":"finished","task":1,"elapsed":0,"slot":1,"attempt":2,"state":"completed"}
{"event":"skipped","task":2,"elapsed":0,"name":"b","reason":"done"}
{"event":"halted","task":0,"elapsed":0,"why":"fail","count":1,"when":"soon"}
{"event":"state","task":0,"elapsed":0,"state":"cancelling","reason":"interrupt"}
{"event":"started","task":3,"elapsed":0,"slot":1,"attempt":1,"name":"c"}
{"event":"finished","task":3,"elapsed":0,"slot":1,"attempt":1,"state":"failed"}
{"event":"end","task":0,"elapsed":0,"completed":2}
"#;
        assert_eq!(
            said(&mut Progrun::default(), lines),
            [
                r#"{"title":"ci"}"#,
                r#"{"progress":0}"#,
                r#"{"id":"remote-1","title":"a"}"#,
                r#"{"progress":0,"total":3}"#,
                r#"{"progress":1,"id":"remote-1"}"#,
                r#"{"id":"remote-1","status":"ok"}"#,
                r#"{"progress":1,"total":3}"#,
                r#"{"progress":2,"total":3}"#,
                r#"{"id":"remote-3","title":"c"}"#,
                r#"{"id":"remote-3","status":"failed"}"#,
                r#"{"progress":3,"total":3}"#,
            ]
        );
    }

    #[test]
    fn more_parts_and_tasks_than_can_be_shown_are_not_kept() {
        let progress =
            |id| format!(r#"{{"event":"progress","task":1,"elapsed":0,"info":{{"id":{id}}}}}"#);
        let mut lines: Vec<_> = (0..PARTS + 5).map(progress).collect();
        lines.push(r#"{"event":"finished","task":1,"elapsed":0,"state":"completed"}"#.to_owned());
        let of_parts = said(&mut Progrun::default(), &lines.join("\n"));
        assert_eq!(of_parts.len(), PARTS + 5 + PARTS);

        let started =
            |task| format!(r#"{{"event":"started","task":{task},"elapsed":0,"name":"x"}}"#);
        let lines: Vec<_> = (0..TASKS + 5).map(started).collect();
        let of_tasks = said(&mut Progrun::default(), &lines.join("\n"));
        assert_eq!(of_tasks.len(), TASKS + 1);
    }
}
