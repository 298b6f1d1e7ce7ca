//! The evidence for a meter of plain lines: which lines with a number are about how far something is.
//!
//! A line that is redrawn is meant to be watched. A plain line may be a row of a table, an entry of a log, a
//! measurement. So it needs more evidence: time passes between the lines, the total stays the same, and the number
//! begins low and does not fall. A number in brackets, `[3/10]` or `[ 41%]`, or one said twice, `3/10 (30%)`, is hardly
//! ever anything else, and may begin anywhere. Does not know what the words around the number are.

use std::time::{Duration, Instant};

use super::candidates::Value;

/// Lines that come within this time are one piece of evidence: a table is printed at once.
const AT_ONCE: Duration = Duration::from_millis(50);
/// A meter begins at no more than this, in percent; or with the first of the things that are counted.
const LOW: f64 = 20.0;

/// What is known of a meter of plain lines.
#[derive(Debug, Default)]
pub(super) enum Plain {
    /// The first line is none that a meter begins with.
    #[default]
    Nothing,
    Begun(Begun),
    /// From here on every line counts.
    Believed,
}

#[derive(Debug)]
pub(super) struct Begun {
    total: Option<f64>,
    last: f64,
    /// The last value, and when it came, counting only lines with some time between them; and how often the value has
    /// risen.
    counted: f64,
    at: Instant,
    rises: u32,
}

impl Plain {
    pub(super) fn is_believed(&self) -> bool {
        matches!(self, Self::Believed)
    }

    /// Takes in the next line.
    pub(super) fn take_in(&mut self, value: &Value, line: &[u8], now: Instant) {
        let before = line[..value.start].trim_ascii_end();
        let leads = !before.iter().any(u8::is_ascii_alphanumeric);
        let in_brackets = before.ends_with(b"[");
        let said_twice = value.amount.is_some() && line[value.start..value.end].contains(&b'%');
        let percentage = value.percentage;
        let total = value.amount.map(|(_, total)| total);
        match self {
            Self::Believed => {}
            Self::Begun(begun)
                if begun.total == total && (in_brackets || percentage >= begun.last) =>
            {
                begun.last = percentage;
                if now.saturating_duration_since(begun.at) < AT_ONCE {
                    return;
                }
                begun.rises += u32::from(percentage > begun.counted);
                (begun.counted, begun.at) = (percentage, now);
                let enough = if in_brackets || said_twice || leads {
                    2
                } else {
                    3
                };
                if begun.rises >= enough {
                    *self = Self::Believed;
                }
            }
            _ => {
                let is_first = value.amount.is_some_and(|(done, _)| done <= 1.0);
                let begins = in_brackets || said_twice || is_first || percentage <= LOW;
                *self = Self::Nothing;
                if begins {
                    *self = Self::Begun(Begun {
                        total,
                        last: percentage,
                        counted: percentage,
                        at: now,
                        rises: 0,
                    });
                }
            }
        }
    }
}
