//! Output that reaches our terminal through another program: `progrun -- COMMAND | tee FILE`.
//!
//! Another sink writes it to the pipe, and not before the bars are erased on the terminal. The program at the other end
//! then prints it where the cursor is. So bars are drawn only when the pipe is empty and has been for a moment; for a
//! longer one if the last line is open. Knows neither tasks nor what is drawn.

use std::thread;
use std::time::{Duration, Instant};

use rustix::io::ioctl_fionread;
use rustix::stdio::stdout;

use crate::flow::Permit;

use super::super::writer::{Pending, Writer};

/// After which time the program at the other end has printed what it has read.
const PRINTED: Duration = Duration::from_millis(40);
/// The same if the last line is open: it may be a question.
const OPEN_LINE: Duration = Duration::from_secs(1);
/// The same at the end of the run, where each moment counts.
const PRINTED_LAST: Duration = Duration::from_millis(10);
/// How long the last line waits for that program at most.
const PATIENCE: Duration = Duration::from_millis(200);

/// The way to the terminal through another program.
#[derive(Debug)]
pub(super) struct Aside {
    pipe: Writer,
    /// When something went that way last.
    last: Option<Duration>,
    /// It is to be printed before anything else is drawn.
    is_new: bool,
    line_open: bool,
}

impl Aside {
    /// By way of this pipe, our stdout.
    pub(super) fn new(pipe: Writer) -> Self {
        Self {
            pipe,
            last: None,
            is_new: false,
            line_open: false,
        }
    }

    /// Takes in that a child has printed this.
    pub(super) fn printed(&mut self, bytes: &[u8], at: Duration) {
        self.last = Some(at);
        if let Some(last) = bytes.last() {
            self.is_new = true;
            self.line_open = *last != b'\n';
        }
    }

    /// Whether anything went that way.
    pub(super) fn has_printed(&self) -> bool {
        self.last.is_some()
    }

    /// From when on bars can be drawn.
    pub(super) fn bars_from(&self) -> Duration {
        match self.last {
            None => Duration::ZERO,
            Some(last) if self.line_open => last + OPEN_LINE,
            Some(last) => last + PRINTED,
        }
    }

    /// Whether the cursor is in the middle of a line. The bars begin a new one, for its columns are not known.
    pub(super) fn end_line(&mut self) -> bool {
        std::mem::take(&mut self.line_open)
    }

    /// Whether the program at the other end has read everything.
    pub(super) fn is_read(&self) -> bool {
        is_read(&self.pipe.pending())
    }

    /// Holds `permit` until what went that way is on the terminal, so that what follows stands below it.
    pub(super) fn flush(&mut self, permit: Permit) {
        if !std::mem::take(&mut self.is_new) {
            return;
        }
        let pending = self.pipe.pending();
        let _ = thread::Builder::new()
            .name("progrun-aside".to_owned())
            .stack_size(64 * 1024)
            .spawn(move || {
                let end = Instant::now() + PATIENCE;
                while Instant::now() < end && !is_read(&pending) {
                    thread::sleep(Duration::from_millis(1));
                }
                thread::sleep(PRINTED_LAST);
                drop(permit);
            });
    }
}

/// Whether nothing waits for the program at the other end, or nothing will be read there any more.
fn is_read(pending: &Pending) -> bool {
    let is_empty = || ioctl_fionread(stdout()).map_or(true, |bytes| bytes == 0);
    pending.is_gone() || pending.is_none() && is_empty()
}
