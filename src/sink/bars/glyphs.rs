//! Renders lines of the picture as text, with indicatif.
//!
//! indicatif is used as a renderer of glyphs here: its bars, its colors and its styles. `screen.rs` and `layout.rs`
//! decide when a frame is drawn, where the lines stand and how the last picture is erased; so only the lines are taken
//! of what indicatif would write to a terminal. Knows no terminal.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use indicatif::{
    MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle, TermLike,
};

use super::super::color::{CYAN, RED, YELLOW};
use super::super::sanitize::ascii;
use super::layout::{Line, Tone};

/// The length of every indicatif bar, in steps.
const STEPS: u64 = 10_000;

/// The rows of the picture as bars of indicatif.
#[derive(Debug)]
pub(super) struct Glyphs {
    multi: MultiProgress,
    rows: Vec<Row>,
    collector: Collector,
    with_color: bool,
    in_ascii: bool,
}

impl Glyphs {
    pub(super) fn new(with_color: bool, in_ascii: bool) -> Self {
        let collector = Collector::default();
        // indicatif would draw at each change of each row. The frame is forced when the picture is complete.
        let target = ProgressDrawTarget::term_like_with_hz(Box::new(collector.clone()), 1);
        Self {
            multi: MultiProgress::with_draw_target(target),
            rows: Vec::new(),
            collector,
            with_color,
            in_ascii,
        }
    }

    /// Whether the terminal understands ASCII only.
    pub(super) fn in_ascii(&self) -> bool {
        self.in_ascii
    }

    /// Whether colors are used.
    pub(super) fn with_color(&self) -> bool {
        self.with_color
    }

    /// These lines as text for a terminal of this many columns and rows.
    pub(super) fn render(&mut self, lines: Vec<Line>, size: (u16, u16)) -> Vec<String> {
        self.collector.begin(size);
        for row in self.rows.drain(lines.len().min(self.rows.len())..) {
            self.multi.remove(&row.bar);
        }
        while self.rows.len() < lines.len() {
            let bar = self.multi.add(ProgressBar::new(STEPS));
            self.rows.push(Row::new(bar));
        }
        for (row, line) in self.rows.iter_mut().zip(lines) {
            row.set(line, self.with_color, self.in_ascii);
        }
        // The lines that indicatif drew of its own accord until now are not the whole picture.
        self.collector.begin(size);
        if let Some(row) = self.rows.first() {
            row.bar.force_draw();
        }
        self.collector.end()
    }
}

/// A line of the picture: texts that the bar's style reads when it draws.
#[derive(Debug)]
struct Row {
    bar: ProgressBar,
    texts: Arc<Mutex<Texts>>,
    shape: Shape,
}

#[derive(Debug, Default)]
struct Texts {
    left: String,
    right: String,
}

/// The properties that the style of a row depends on: the columns of its bar are 0 for none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shape {
    bar: usize,
    /// The color (SGR) of the bar, or of a line without one; none: that of the terminal.
    color: Option<u8>,
    in_ascii: bool,
}

impl Row {
    fn new(bar: ProgressBar) -> Self {
        Self {
            bar,
            texts: Arc::default(),
            shape: Shape {
                bar: usize::MAX,
                color: None,
                in_ascii: false,
            },
        }
    }

    /// Sets the line that the row shows from now on.
    fn set(&mut self, mut line: Line, with_color: bool, in_ascii: bool) {
        let shape = Shape {
            bar: line.bar,
            color: color(&line).filter(|_| with_color),
            in_ascii,
        };
        if in_ascii {
            line.left = ascii(&line.left).into_owned();
            line.right = ascii(&line.right).into_owned();
        }
        if let Ok(mut texts) = self.texts.lock() {
            texts.left = line.left;
            texts.right = line.right;
        }
        if shape != self.shape {
            self.shape = shape;
            self.bar.set_style(style(shape, &self.texts));
        }
        self.bar.update(|state| state.set_pos(steps(line.fraction)));
    }
}

/// The color of a line: cyan for a bar, as long as there is nothing to say by it.
fn color(line: &Line) -> Option<u8> {
    match line.tone {
        Tone::Usual => (line.bar > 0).then_some(CYAN),
        Tone::Failed => (line.bar > 0).then_some(RED),
        Tone::Stopping => Some(YELLOW),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a fraction of 10,000"
)]
fn steps(fraction: f64) -> u64 {
    (fraction * STEPS as f64) as u64
}

fn style(shape: Shape, texts: &Arc<Mutex<Texts>>) -> ProgressStyle {
    let (on, off) = match shape.color {
        Some(color) => (format!("\x1b[{color}m"), "\x1b[0m"),
        None => (String::new(), ""),
    };
    let template = match shape.bar {
        0 => format!("{on}{{left}}{off} {{right}}"),
        columns => format!("{{left}} {on}{{bar:{columns}}}{off} {{right}}"),
    };
    let (left, right) = (Arc::clone(texts), Arc::clone(texts));
    // The template is ours and correct; a plain bar is better than none if it ever is not.
    ProgressStyle::with_template(&template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars(if shape.in_ascii { "=>-" } else { "━╸─" })
        .with_key(
            "left",
            move |_: &ProgressState, f: &mut dyn std::fmt::Write| {
                let _ = left.lock().map(|texts| f.write_str(&texts.left));
            },
        )
        .with_key(
            "right",
            move |_: &ProgressState, f: &mut dyn std::fmt::Write| {
                let _ = right.lock().map(|texts| f.write_str(&texts.right));
            },
        )
}

/// Collects the lines of a frame; indicatif takes it for its terminal.
#[derive(Clone, Debug, Default)]
struct Collector(Arc<Mutex<Collected>>);

#[derive(Debug, Default)]
struct Collected {
    /// Columns and rows: the same for the whole of a frame.
    size: (u16, u16),
    lines: Vec<String>,
}

impl Collector {
    fn begin(&self, size: (u16, u16)) {
        let mut collected = self.lock();
        collected.size = size;
        collected.lines.clear();
    }

    fn end(&self) -> Vec<String> {
        std::mem::take(&mut self.lock().lines)
    }

    fn lock(&self) -> MutexGuard<'_, Collected> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TermLike for Collector {
    fn width(&self) -> u16 {
        self.lock().size.0
    }

    fn height(&self) -> u16 {
        self.lock().size.1
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
        if !text.trim_start_matches(' ').is_empty() {
            self.lock().lines.push(text.to_owned());
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
