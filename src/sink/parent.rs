//! Reports to the progrun that we run under, instead of drawing beside it.
//!
//! Our run becomes a part of the parent, our parts its parts; of several tasks, each is a part in between. The
//! channel is the parent's, with its rules: one write for each report, not longer than what is atomic among the
//! writers that share it. The newest state is sent, at most twenty times a second; the end of the run is sent at once.
//! A run of many tasks is in `parent/many.rs`.

mod many;

use std::borrow::Cow;
use std::time::Duration;

use crate::event::{Event, FinalState, Summary, TaskId, What};
use crate::flow::Permit;
use crate::model::parts::LIVE_PARTS;
use crate::protocol::{Progress, Status};

use super::Sink;
use super::writer::Writer;

pub(super) use self::many::ParentOfMany;

const FRAME: Duration = Duration::from_millis(50);
/// How much of a text is handed on, in bytes, so that a report with all its texts stays below 4,096.
const TEXT: usize = 500;

/// The channel of the parent, the progrun that we run under, as a sink.
#[derive(Debug)]
pub(super) struct Parent {
    channel: Channel,
    /// The name of our run, and its id among the parent's parts.
    name: String,
    id: String,
    /// The first task. It is no part of its own until there is a second one.
    first: First,
}

/// The way to the parent.
#[derive(Debug)]
struct Channel {
    writer: Writer,
    /// The reports that are not sent yet, merged, in the order of first mention.
    pending: Vec<Progress<'static>>,
    last: Option<Duration>,
}

/// The first task, which is the run itself as long as it is alone.
#[derive(Debug)]
enum First {
    IsTheRun { name: String, is_over: bool },
    IsAPart,
}

impl Parent {
    /// Reports to `writer` as a part called `name`.
    pub(super) fn new(writer: Writer, name: &str) -> Self {
        let id = id_of_run();
        let begin = part(id.clone(), name);
        Self {
            channel: Channel::new(writer, begin),
            first: First::IsTheRun {
                name: name.to_owned(),
                is_over: false,
            },
            name: name.to_owned(),
            id,
        }
    }

    /// The id of a task among the parent's parts.
    fn id_of(&self, task: TaskId) -> String {
        match &self.first {
            First::IsTheRun { .. } => self.id.clone(),
            First::IsAPart => format!("{}.{}", self.id, task.get()),
        }
    }

    fn started(&mut self, task: TaskId, title: &str, at: Duration) {
        if task == TaskId::FIRST {
            if let First::IsTheRun { name, .. } = &mut self.first {
                title.clone_into(name);
            }
            self.channel.send(at);
            return;
        }
        if let First::IsTheRun { name, is_over } =
            std::mem::replace(&mut self.first, First::IsAPart)
        {
            // The end of the first task looked like the end of the run, which goes on.
            self.channel.add(part(self.id.clone(), &self.name));
            if !is_over {
                self.mount(TaskId::FIRST, &name);
            }
        }
        self.mount(task, title);
    }

    /// A task begins to be a part of our run.
    fn mount(&mut self, task: TaskId, name: &str) {
        let begin = part_of(&self.id, self.id_of(task), name);
        self.channel.add(begin);
    }

    fn finished(&mut self, task: Option<TaskId>, summary: &Summary, at: Duration) {
        let id = match (task, &mut self.first) {
            (Some(_), First::IsTheRun { is_over, .. }) => {
                *is_over = true;
                self.id.clone()
            }
            (Some(task), First::IsAPart) => self.id_of(task),
            (None, _) => self.id.clone(),
        };
        let is_the_run = id == self.id;
        self.channel.add(end(id, status(summary)));
        if is_the_run {
            self.channel.send(at);
        }
    }

    /// One of a task's reports as one of the parent's.
    fn translate(&self, task: TaskId, report: &Progress<'static>) -> Progress<'static> {
        let whole = self.id_of(task);
        // The first task's parts keep their ids when a second task begins.
        let prefix = match task {
            TaskId::FIRST => &self.id,
            _ => &whole,
        };
        translate(report, &whole, prefix)
    }
}

impl Channel {
    /// The first report is sent with the next one.
    fn new(writer: Writer, first: Progress<'static>) -> Self {
        Self {
            writer,
            pending: vec![first],
            last: None,
        }
    }

    fn add(&mut self, report: Progress<'static>) {
        let room = self.pending.len() < LIVE_PARTS;
        let known = self.pending.iter_mut().rfind(|known| known.id == report.id);
        match known {
            Some(known) if known.status.is_none() => known.merge(&report),
            _ if room => self.pending.push(report),
            // The parent is stopped, or very slow, and shows no more parts than that in any case.
            _ => {}
        }
    }

    /// A thousand small parts must not wait for a frame, or pile up here.
    fn send_many(&mut self, at: Duration) {
        if self.pending.len() > 100 && self.writer.is_idle() {
            self.send(at);
        }
    }

    fn send(&mut self, at: Duration) {
        self.last = Some(at);
        self.send_pending();
    }

    fn send_pending(&mut self) {
        for report in self.pending.drain(..) {
            let mut line = report.to_json();
            line.push('\n');
            self.writer.send(line.into_bytes(), Vec::new());
        }
    }
}

/// The id of our run among the parent's parts.
fn id_of_run() -> String {
    format!("progrun-{}", std::process::id())
}

/// A report of a task as one of the parent's: the task is the part `whole` there, and its parts are told from those of
/// others by `prefix`.
fn translate(report: &Progress<'static>, whole: &str, prefix: &str) -> Progress<'static> {
    let within = |id: &str| Cow::Owned(format!("{prefix}/{id}"));
    let mut report = report.clone();
    match &report.id {
        None => {
            report.id = Some(Cow::Owned(whole.to_owned()));
            // It says that a meter is over; the end of the task is an event of its own.
            report.status = None;
        }
        Some(id) => {
            report.id = Some(within(id));
            report.parent = Some(match &report.parent {
                Some(parent) => within(parent),
                None => Cow::Owned(whole.to_owned()),
            });
        }
    }
    // Here, and not when the report is sent: a thousand of them may wait until the parent reads on.
    for text in [
        &mut report.id,
        &mut report.parent,
        &mut report.title,
        &mut report.unit,
        &mut report.message,
    ] {
        clip(text);
    }
    report
}

/// The report that ends a part.
fn end(id: String, status: Status) -> Progress<'static> {
    Progress {
        id: Some(Cow::Owned(id)),
        status: Some(status),
        ..Progress::default()
    }
}

fn status(summary: &Summary) -> Status {
    match summary.state {
        FinalState::Completed => Status::Ok,
        FinalState::Failed | FinalState::Lost => Status::Failed,
        FinalState::Cancelled => Status::Cancelled,
    }
}

/// The report that begins a part of this whole.
fn part_of(whole: &str, id: String, name: &str) -> Progress<'static> {
    Progress {
        parent: Some(Cow::Owned(whole.to_owned())),
        ..part(id, name)
    }
}

/// The report that begins a part.
fn part(id: String, name: &str) -> Progress<'static> {
    let mut title = Some(Cow::Owned(name.to_owned()));
    clip(&mut title);
    Progress {
        id: Some(Cow::Owned(id)),
        title,
        ..Progress::default()
    }
}

fn clip(text: &mut Option<Cow<'static, str>>) {
    if let Some(text) = text
        && text.len() > TEXT
    {
        *text = Cow::Owned(text[..text.floor_char_boundary(TEXT)].to_owned());
    }
}

impl Sink for Parent {
    fn event(&mut self, event: &Event<'_>) {
        let at = event.at;
        let task = event.task.unwrap_or(TaskId::FIRST);
        match &event.what {
            What::Started { name, .. } => self.started(task, name, at),
            What::Progress(reports) => {
                for report in &reports.parts {
                    let report = self.translate(task, report);
                    self.channel.add(report);
                }
                self.channel.send_many(at);
            }
            What::Finished(summary) => self.finished(event.task, summary, at),
            _ => {}
        }
    }

    fn due(&self) -> Option<Duration> {
        let channel = &self.channel;
        let last = channel.last.filter(|_| !channel.pending.is_empty())?;
        Some(last + FRAME)
    }

    fn tick(&mut self, elapsed: Duration) {
        if self.due().is_some_and(|due| due <= elapsed) {
            if self.channel.writer.is_idle() {
                self.channel.send(elapsed);
            } else {
                self.channel.last = Some(elapsed);
            }
        }
    }

    fn flush(&mut self, permit: &Permit) {
        // The end of a task among several waits for a frame, and there may be none any more.
        if matches!(self.first, First::IsAPart) {
            self.channel.send_pending();
        }
        self.channel.writer.flush(permit.clone());
    }

    fn abandon(&mut self) {
        self.channel.writer.abandon();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::batch::Batch;
    use std::io::{Read, Seek};

    #[test]
    fn a_lone_task_is_the_run_and_of_several_each_is_a_part_with_its_own_parts() {
        let mut file = tempfile::tempfile().unwrap();
        let writer = Writer::new(file.try_clone().unwrap().into(), Box::new(|_| ()));
        let mut parent = Parent::new(writer, "run");
        let now = Duration::ZERO;
        let mut tell = |task, what: What<'_>| {
            let at = now;
            parent.event(&Event { task, at, what });
            parent.channel.send(now);
        };
        let one = TaskId::FIRST;
        let two = one.next();
        let start = |name| What::Started {
            host: None,
            name,
            command: &[],
            pid: Some(1),
            place: None,
        };
        let report = |id: &'static str| Batch {
            parts: vec![Progress {
                id: Some(id.into()),
                ..Progress::default()
            }],
            ..Batch::default()
        };
        // The meter of the task is over, and not the task.
        let over = Progress {
            status: Some(Status::Ok),
            ..Progress::default()
        };
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
        tell(Some(one), start("one"));
        tell(Some(one), What::Progress(&report("x")));
        tell(Some(one), What::Progress(&Batch::of("meter", &over)));
        tell(Some(two), start("two"));
        tell(Some(two), What::Progress(&report("x")));
        tell(Some(one), What::Progress(&report("x")));
        tell(Some(two), What::Finished(&summary));
        tell(None, What::Finished(&summary));
        let mut text = String::new();
        file.rewind().unwrap();
        file.read_to_string(&mut text).unwrap();
        let id = format!("progrun-{}", std::process::id());
        let text = text.replace(&id, "RUN");
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(
            lines,
            [
                r#"{"id":"RUN","title":"run"}"#,
                r#"{"id":"RUN/x","parent":"RUN"}"#,
                r#"{"id":"RUN"}"#,
                r#"{"id":"RUN","title":"run"}"#,
                r#"{"id":"RUN.1","parent":"RUN","title":"one"}"#,
                r#"{"id":"RUN.2","parent":"RUN","title":"two"}"#,
                r#"{"id":"RUN.2/x","parent":"RUN.2"}"#,
                r#"{"id":"RUN/x","parent":"RUN.1"}"#,
                r#"{"id":"RUN.2","status":"ok"}"#,
                r#"{"id":"RUN","status":"ok"}"#,
            ]
        );
    }
}
