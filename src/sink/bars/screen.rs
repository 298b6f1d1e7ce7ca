//! The terminal that indicatif draws on: a buffer, so that a frame leaves as one write and never waits.
//!
//! Between frames the cursor rests where the picture begins, and the next frame overwrites it from there. indicatif
//! rests at its end and counts its way back up, which goes wrong as soon as a terminal is made narrower and breaks the
//! lines that are too long now. So of what indicatif wants only the lines are taken, not how it moves and erases.

use std::fmt;
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
    bytes: Vec<u8>,
    /// Columns and rows: the same for the whole of a frame.
    size: (u16, u16),
    /// The lines that indicatif gives now; none at other times, when it draws of its own accord.
    lines: Option<Vec<String>>,
}

impl fmt::Debug for Screen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Screen").field(&self.frame().size).finish()
    }
}

impl Screen {
    pub(super) fn new(size: impl Fn() -> (u16, u16) + Send + Sync + 'static) -> Self {
        Self {
            frame: Arc::default(),
            size: Arc::new(size),
        }
    }

    /// Columns and rows, as they are now.
    pub(super) fn measure(&self) -> (u16, u16) {
        let size = (self.size)();
        self.frame().size = size;
        size
    }

    /// Adds bytes as they are.
    pub(super) fn write(&self, bytes: &[u8]) {
        self.frame().bytes.extend_from_slice(bytes);
    }

    /// Draws the lines that `draw` makes indicatif write, over the picture that is there.
    pub(super) fn picture(&self, draw: impl FnOnce()) {
        self.frame().lines = Some(Vec::new());
        draw();
        let mut frame = self.frame();
        let lines = frame.lines.take().unwrap_or_default();
        // Each rest of a line is erased after the line, for what is erased first flickers.
        let picture = lines.join("\x1b[K\r\n");
        frame.bytes.extend_from_slice(b"\r");
        frame.bytes.extend_from_slice(picture.as_bytes());
        frame.bytes.extend_from_slice(b"\x1b[J\r");
        if lines.len() > 1 {
            let up = format!("\x1b[{}A", lines.len() - 1);
            frame.bytes.extend_from_slice(up.as_bytes());
        }
    }

    /// Takes the picture away.
    pub(super) fn erase(&self) {
        self.write(b"\r\x1b[J");
    }

    /// What was written and drawn since the last call.
    pub(super) fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.frame().bytes)
    }

    fn frame(&self) -> MutexGuard<'_, Frame> {
        self.frame.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TermLike for Screen {
    fn width(&self) -> u16 {
        self.frame().size.0
    }

    fn height(&self) -> u16 {
        self.frame().size.1
    }

    fn move_cursor_up(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_down(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_right(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_left(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.write_str(text)
    }

    /// A line, or the spaces with which indicatif fills it to the last column.
    fn write_str(&self, text: &str) -> io::Result<()> {
        if let Some(lines) = &mut self.frame().lines
            && !text.trim_start_matches(' ').is_empty()
        {
            lines.push(text.to_owned());
        }
        Ok(())
    }

    fn clear_line(&self) -> io::Result<()> {
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        Ok(())
    }
}
