//! Hands on the children's output, each stream to its own place: of one child, or of several that print one after the
//! other, byte for byte; of several at once by whole lines.

use std::collections::BTreeMap;

use crate::event::{Event, FinalState, TaskId, What};
use crate::flow::Permit;
use crate::vt::modes::Modes;

use super::Sink;
use super::lines::{Between, Lines};
use super::writer::Writer;

/// The children's streams go to ours.
#[derive(Debug)]
pub(super) struct Streams {
    places: [Option<Place>; 2],
    /// The modes that each child has switched on in the terminal.
    modes: BTreeMap<TaskId, Modes>,
}

/// Our stdout or stderr.
#[derive(Debug)]
struct Place {
    writer: Writer,
    is_terminal: bool,
    lines: Lines,
}

impl Streams {
    /// Hands on to these places, stdout first; none for a stream that is shown elsewhere. `terminals` says which of
    /// them are a terminal.
    #[must_use]
    pub(super) fn new(places: [Option<Writer>; 2], terminals: [bool; 2]) -> Self {
        let [stdout, stderr] = places;
        let place = |writer: Option<Writer>, is_terminal| {
            writer.map(|writer| Place {
                writer,
                is_terminal,
                lines: Lines::default(),
            })
        };
        Self {
            places: [place(stdout, terminals[0]), place(stderr, terminals[1])],
            modes: BTreeMap::new(),
        }
    }

    /// The children print one after the other; `tagged` if each of their lines begins with a name.
    #[must_use]
    pub(super) fn in_turns(mut self, tagged: bool) -> Self {
        self.take_turns(tagged);
        self
    }

    fn take_turns(&mut self, tagged: bool) {
        for place in self.places.iter_mut().flatten() {
            let for_people = tagged || place.is_terminal;
            let between = if for_people {
                Between::Newline
            } else {
                Between::Nothing
            };
            place.lines.take_turns(between);
        }
    }

    /// Leaves the terminal as it was before this child, which is gone.
    fn undo(&mut self, task: TaskId, end: FinalState) {
        let mut places = self.places.iter_mut().flatten();
        if let Some(terminal) = places.find(|place| place.is_terminal)
            && let Some(mut modes) = self.modes.remove(&task)
        {
            terminal
                .writer
                .send(modes.undo(end == FinalState::Completed), Vec::new());
        }
    }
}

impl Sink for Streams {
    fn event(&mut self, event: &Event<'_>) {
        let task = event.task.unwrap_or(TaskId::FIRST);
        match &event.what {
            What::Run(head) if head.jobs == 1 => self.take_turns(false),
            What::Output {
                stream,
                bytes,
                permit,
                ..
            } => {
                let Some(place) = &mut self.places[*stream as usize] else {
                    return;
                };
                if place.is_terminal {
                    self.modes.entry(task).or_default().note(bytes);
                }
                let bytes = place.lines.add(task, *stream, bytes);
                place.writer.send(bytes, vec![(*permit).clone()]);
            }
            What::Finished(summary) => {
                for place in self.places.iter_mut().flatten() {
                    for rest in place.lines.end(task) {
                        place.writer.send(rest, Vec::new());
                    }
                }
                self.undo(task, summary.state);
            }
            _ => {}
        }
    }

    fn fall_back(self: Box<Self>) -> Option<Box<dyn Sink>> {
        // The panic may have come from following the terminal's modes. They are followed no more.
        let writers = self.places.map(|place| place.map(|place| place.writer));
        Some(Box::new(Self::new(writers, [false; 2])))
    }

    fn flush(&mut self, permit: &Permit) {
        for place in self.places.iter_mut().flatten() {
            place.writer.flush(permit.clone());
        }
    }

    fn abandon(&mut self) {
        for place in self.places.iter_mut().flatten() {
            place.writer.abandon();
        }
    }
}
