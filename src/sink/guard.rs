//! Keeps a fault of a sink from ending the run: a sink that panics is replaced by what it falls back to, or by nothing.
//!
//! The sinks read the child's output, which may be anything, and the child's exit status must not depend on that. The
//! message of the panic is on stderr already, for the developers. Knows nothing of any sink.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use crate::event::Event;
use crate::flow::Permit;

use super::{Joining, Sink};

/// A sink that does not panic.
pub(super) struct Guard(Option<Box<dyn Sink>>);

impl Guard {
    pub(super) fn new(sink: Box<dyn Sink>) -> Self {
        Self(Some(sink))
    }

    /// The result of `call`; none if there is no sink any more, or it panics.
    fn try_call<R>(&mut self, call: impl FnOnce(&mut dyn Sink) -> R) -> Option<R> {
        let sink = self.0.as_mut()?;
        // The state of a sink that panicked may be broken; it is only asked to fall back.
        let result = catch_unwind(AssertUnwindSafe(|| call(sink.as_mut()))).ok();
        if result.is_none() {
            let sink = self.0.take()?;
            let fall_back = || Some(Self::new(sink.fall_back()?));
            let guarded = catch_unwind(AssertUnwindSafe(fall_back)).ok().flatten();
            self.0 = guarded.map(|sink| Box::new(sink) as Box<dyn Sink>);
        }
        result
    }
}

impl Sink for Guard {
    fn event(&mut self, event: &Event<'_>) {
        if self.try_call(|sink| sink.event(event)).is_none() {
            // Some of an output twice is better than none of it.
            self.try_call(|sink| sink.event(event));
        }
    }

    fn due(&self) -> Option<Duration> {
        let sink = self.0.as_ref()?;
        // The next call that may change the sink has it fall back.
        catch_unwind(AssertUnwindSafe(|| sink.due())).ok().flatten()
    }

    fn tick(&mut self, elapsed: Duration) {
        self.try_call(|sink| sink.tick(elapsed));
    }

    fn join(&mut self, guest: Joining) -> Option<Joining> {
        // If the sink panics, the connection is lost, and its other end sees that.
        self.try_call(|sink| sink.join(guest)).flatten()
    }

    fn backlog(&self) -> usize {
        let Some(sink) = &self.0 else {
            return 0;
        };
        catch_unwind(AssertUnwindSafe(|| sink.backlog())).unwrap_or(0)
    }

    fn flush(&mut self, permit: &Permit) {
        if self.try_call(|sink| sink.flush(permit)).is_none() {
            self.try_call(|sink| sink.flush(permit));
        }
    }

    fn follow_up(&mut self) -> bool {
        self.try_call(|sink| sink.follow_up()).unwrap_or(false)
    }

    fn abandon(&mut self) {
        self.try_call(|sink| sink.abandon());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::What;
    use std::cell::RefCell;
    use std::rc::Rc;

    type Told = Rc<RefCell<Vec<String>>>;

    /// Panics at each warning, as often as it is told to, and falls back to the next of its kind.
    struct Faulty {
        faults: usize,
        told: Told,
    }

    impl Sink for Faulty {
        fn event(&mut self, event: &Event<'_>) {
            let What::Warning(text) = event.what else {
                return;
            };
            assert_eq!(self.faults, 0, "this panic is part of a test");
            self.told.borrow_mut().push(text.to_owned());
        }

        fn flush(&mut self, _: &Permit) {}

        fn abandon(&mut self) {}

        fn fall_back(self: Box<Self>) -> Option<Box<dyn Sink>> {
            let faults = self.faults - 1;
            (faults < 2).then(|| {
                Box::new(Self {
                    faults,
                    told: self.told,
                }) as Box<dyn Sink>
            })
        }
    }

    #[test]
    fn a_sink_that_panics_is_replaced_and_its_successor_sees_the_event() {
        for (faults, told_of) in [(0, 2), (1, 2), (2, 2), (3, 0)] {
            let told = Told::default();
            let mut guard = Guard::new(Box::new(Faulty {
                faults,
                told: Rc::clone(&told),
            }));
            for text in ["one", "two"] {
                guard.event(&What::Warning(text).at(Duration::ZERO));
                guard.tick(Duration::ZERO);
                assert_eq!(guard.due(), None);
            }
            let expected = &["one", "two"][2 - told_of..];
            assert_eq!(*told.borrow(), expected, "{faults}");
        }
    }
}
