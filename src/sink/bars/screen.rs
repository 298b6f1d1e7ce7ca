//! The terminal that indicatif draws on: a buffer, so that a frame leaves as one write and never waits.

use std::fmt::{self, Write as _};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use indicatif::TermLike;

type Size = dyn Fn() -> (u16, u16) + Send + Sync;

/// A buffer of terminal output.
#[derive(Clone)]
pub(super) struct Screen {
    frame: Arc<Mutex<Frame>>,
    size: Arc<Size>,
}

#[derive(Debug, Default)]
struct Frame {
    bytes: String,
    raw: Vec<u8>,
    /// Whether the next text belongs on the next line.
    line_over: bool,
}

impl fmt::Debug for Screen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Screen").field(&self.size()).finish()
    }
}

impl Screen {
    pub(super) fn new(size: impl Fn() -> (u16, u16) + Send + Sync + 'static) -> Self {
        Self {
            frame: Arc::default(),
            size: Arc::new(size),
        }
    }

    /// Columns and rows.
    pub(super) fn size(&self) -> (u16, u16) {
        (self.size)()
    }

    /// Adds bytes as they are.
    pub(super) fn write(&self, bytes: &[u8]) {
        let mut frame = self.frame();
        frame.settle();
        frame.raw.extend_from_slice(bytes);
    }

    /// What was drawn since the last call.
    pub(super) fn take(&self) -> Vec<u8> {
        let mut frame = self.frame();
        frame.settle();
        std::mem::take(&mut frame.raw)
    }

    fn frame(&self) -> MutexGuard<'_, Frame> {
        self.frame.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn draw(&self, what: fmt::Arguments<'_>) -> io::Result<()> {
        self.frame().bytes.write_fmt(what).map_err(io::Error::other)
    }

    fn move_cursor(&self, n: usize, direction: char) -> io::Result<()> {
        match n {
            0 => Ok(()),
            n => self.draw(format_args!("\x1b[{n}{direction}")),
        }
    }
}

impl Frame {
    fn settle(&mut self) {
        self.raw.extend_from_slice(self.bytes.as_bytes());
        self.bytes.clear();
    }
}

impl TermLike for Screen {
    fn width(&self) -> u16 {
        self.size().0
    }

    fn height(&self) -> u16 {
        self.size().1
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        self.move_cursor(n, 'A')
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        self.move_cursor(n, 'B')
    }

    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        self.move_cursor(n, 'C')
    }

    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        self.move_cursor(n, 'D')
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.draw(format_args!("{text}\r\n"))
    }

    /// indicatif fills each line with spaces to the last column and counts on the terminal to wrap there. Erasing the
    /// rest of the line and going to the next one looks the same, and survives a terminal that is made narrower.
    fn write_str(&self, text: &str) -> io::Result<()> {
        let mut frame = self.frame();
        if text.bytes().all(|byte| byte == b' ') {
            frame.bytes.push_str("\x1b[K");
            frame.line_over = true;
        } else {
            if std::mem::take(&mut frame.line_over) {
                frame.bytes.push_str("\r\n");
            }
            frame.bytes.push_str(text);
        }
        Ok(())
    }

    fn clear_line(&self) -> io::Result<()> {
        self.draw(format_args!("\r\x1b[2K"))
    }

    fn flush(&self) -> io::Result<()> {
        self.frame().line_over = false;
        Ok(())
    }
}
