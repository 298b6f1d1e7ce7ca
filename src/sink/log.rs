//! Keeps the children's output in a file as text: the lines that a terminal showed, each whole and of one stream.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::event::{Event, TaskId, What};
use crate::flow::Permit;

use super::Sink;
use super::raw_log::RawLog;
use super::sanitize::escape;
use super::text::{Form, Text};
use super::writer::Writer;

/// The file of `--log`.
#[derive(Debug)]
pub(super) struct Log {
    writer: Writer,
    /// How stdout and stderr are written down.
    forms: [Form; 2],
    /// Whether each line begins with the name of its task.
    tagged: bool,
    /// The names of the tasks that run, if they are wanted.
    names: BTreeMap<TaskId, String>,
    /// The streams of the tasks that run, each with a number.
    texts: BTreeMap<(TaskId, usize), (u64, Text)>,
    count: u64,
    /// The number of the stream whose last line is not complete.
    open: Option<u64>,
}

impl Log {
    /// Keeps everything behind `writer`.
    #[must_use]
    pub(super) fn new(writer: Writer, forms: [Form; 2]) -> Self {
        Self {
            writer,
            forms,
            tagged: false,
            names: BTreeMap::new(),
            texts: BTreeMap::new(),
            count: 0,
            open: None,
        }
    }

    /// Each line begins with the name of its task and a tab, if `tagged`.
    #[must_use]
    pub(super) fn tagged(mut self, tagged: bool) -> Self {
        self.tagged = tagged;
        self
    }

    fn put(&mut self, number: u64, mut text: Vec<u8>, permits: Vec<Permit>) {
        if !text.is_empty() {
            if self.open.is_some_and(|open| open != number) {
                text.insert(0, b'\n');
            }
            self.open = (!text.ends_with(b"\n")).then_some(number);
        }
        self.writer.send(text, permits);
    }
}

impl Sink for Log {
    fn event(&mut self, event: &Event<'_>) {
        let task = event.task.unwrap_or(TaskId::FIRST);
        match &event.what {
            What::Started { name, .. } if self.tagged => {
                self.names.insert(task, format!("{}\t", escape(name)));
            }
            What::Output {
                stream,
                bytes,
                permit,
                ..
            } => {
                let stream = *stream as usize;
                let (number, text) = self.texts.entry((task, stream)).or_insert_with(|| {
                    self.count += 1;
                    let tag = self.names.get(&task).cloned().unwrap_or_default();
                    (self.count, Text::new(self.forms[stream], tag))
                });
                let (number, text) = (*number, text.add(bytes, event.at));
                self.put(number, text, vec![(*permit).clone()]);
            }
            What::Finished(_) => {
                for stream in [0, 1] {
                    if let Some((number, mut text)) = self.texts.remove(&(task, stream)) {
                        self.put(number, text.end(event.at), Vec::new());
                    }
                }
                self.names.remove(&task);
            }
            _ => {}
        }
    }

    fn due(&self) -> Option<Duration> {
        self.texts.values().filter_map(|(_, text)| text.due()).min()
    }

    fn tick(&mut self, elapsed: Duration) {
        let due = |text: &Text| text.due().is_some_and(|due| due <= elapsed);
        let texts = self.texts.values_mut();
        let old: Vec<_> = texts
            .filter(|(_, text)| due(text))
            .map(|(number, text)| (*number, text.tick(elapsed)))
            .collect();
        for (number, text) in old {
            self.put(number, text, Vec::new());
        }
    }

    fn fall_back(self: Box<Self>) -> Option<Box<dyn Sink>> {
        // The panic may have come from what the bytes mean.
        Some(Box::new(RawLog::new(self.writer)))
    }

    fn flush(&mut self, permit: &Permit) {
        self.writer.flush(permit.clone());
    }

    fn abandon(&mut self) {
        self.writer.abandon();
    }
}
