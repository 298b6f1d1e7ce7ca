//! The events of another progrun, as `--json` prints them: its task and its parts become ours.
//!
//! While there is one task, its own progress is that of ours, for there is nothing else to show. Once there are
//! several, each is a part, and their parts are below them. `wire` knows the names in the lines.

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
}

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
            Kind::Finished => {
                let status = match event.state {
                    Some(State::Completed) => Status::Ok,
                    Some(State::Cancelled) => Status::Cancelled,
                    _ => Status::Failed,
                };
                self.finish(event.task, status, each);
            }
            _ => {}
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
        self.are_parts &= !self.tasks.is_empty();
    }
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
