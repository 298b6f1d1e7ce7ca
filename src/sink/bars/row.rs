//! A line of the picture as a bar of indicatif. Refuses to know what it says.

use std::sync::{Arc, Mutex};

use indicatif::{ProgressBar, ProgressState, ProgressStyle};

use super::super::sanitize::ascii;
use super::layout::Line;

/// Of this many steps an indicatif bar is made.
const STEPS: u64 = 10_000;

/// A line of the picture: texts that the bar's style reads when it draws.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) bar: ProgressBar,
    texts: Arc<Mutex<Texts>>,
    shape: Shape,
}

#[derive(Debug, Default)]
struct Texts {
    left: String,
    right: String,
}

/// What the style of a row depends on: the columns of its bar, 0 for none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shape {
    bar: usize,
    color: bool,
    ascii: bool,
}

impl Row {
    /// A bar for such a line.
    pub(super) fn bar() -> ProgressBar {
        ProgressBar::new(STEPS)
    }

    pub(super) fn new(bar: ProgressBar) -> Self {
        Self {
            bar,
            texts: Arc::default(),
            shape: Shape {
                bar: usize::MAX,
                color: false,
                ascii: false,
            },
        }
    }

    /// Draws the whole picture.
    pub(super) fn draw(&self) {
        self.bar.force_draw();
    }

    /// What the line says from now on.
    pub(super) fn set(&mut self, mut line: Line, color: bool, plain: bool) {
        let shape = Shape {
            bar: line.bar,
            color,
            ascii: plain,
        };
        if plain {
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
    let (on, off) = if shape.color {
        ("\x1b[36m", "\x1b[0m")
    } else {
        ("", "")
    };
    let template = match shape.bar {
        0 => "{left} {right}".to_owned(),
        columns => format!("{{left}} {on}{{bar:{columns}}}{off} {{right}}"),
    };
    let (left, right) = (Arc::clone(texts), Arc::clone(texts));
    // The template is ours and correct; a plain bar is better than none if it ever is not.
    ProgressStyle::with_template(&template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars(if shape.ascii { "=>-" } else { "━╸─" })
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
