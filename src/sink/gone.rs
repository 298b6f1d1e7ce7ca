//! The message to the run that a place can be written to no more: whether anything is lost, and which stream has to be
//! closed. Knows no sink.

use std::io;
use std::sync::Arc;

use crate::event::Stream;
use crate::reason::reason;

use super::writer::OnGone;

/// A place that can be written to no more, where that matters to others than its sink.
#[derive(Debug)]
pub(crate) struct Gone {
    /// The child's stream that is to be closed too, if the place is our own stdout or stderr.
    pub stream: Option<Stream>,
    /// The sentence that tells of it, if anything is to be said.
    pub sentence: Option<String>,
    /// Whether something is lost. A reader that closed its end loses nothing: it wanted no more.
    pub lost: bool,
}

/// Tells the run, from any thread.
#[derive(Clone)]
pub(super) struct Notifier(Arc<dyn Fn(Gone) + Send + Sync>);

/// How a reader that closes its end is understood.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Closed {
    /// It had enough, as `head` has.
    HadEnough,
    /// It was to have all of it.
    Incomplete,
}

impl Notifier {
    pub(super) fn new(notify: impl Fn(Gone) + Send + Sync + 'static) -> Self {
        Self(Arc::new(notify))
    }

    /// For a file, which is to be complete: `what` says what is wrong.
    pub(super) fn for_file(&self, what: String) -> OnGone {
        self.told(what, None, Closed::Incomplete)
    }

    /// For a place whose reader may close it when it has had enough.
    pub(super) fn for_reader(&self, what: String) -> OnGone {
        self.told(what, None, Closed::HadEnough)
    }

    /// For our own stdout or stderr: the child's is closed then, too.
    pub(super) fn for_stream(&self, stream: Stream, what: String) -> OnGone {
        self.told(what, Some(stream), Closed::HadEnough)
    }

    /// A sentence for the user; nothing is lost.
    pub(super) fn warn(&self, sentence: String) {
        (self.0)(Gone {
            stream: None,
            sentence: Some(sentence),
            lost: false,
        });
    }

    fn told(&self, what: String, stream: Option<Stream>, closed: Closed) -> OnGone {
        let notify = Arc::clone(&self.0);
        Box::new(move |error| {
            let lost = error.kind() != io::ErrorKind::BrokenPipe;
            let says = lost || closed == Closed::Incomplete;
            notify(Gone {
                stream,
                sentence: says.then(|| format!("{what}: {}", reason(error))),
                lost,
            });
        })
    }
}

/// For a place that nothing else depends on.
pub(super) fn ignore() -> OnGone {
    Box::new(|_| ())
}
