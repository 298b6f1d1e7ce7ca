//! One [`Progress`] to one JSON object: the other direction of `object`.

use std::fmt::Write as _;

use super::scan::until_special;
use super::{Progress, Status};

/// Writes the fields in the order of the struct and leaves absent ones out.
pub(super) fn object(progress: &Progress<'_>) -> String {
    let mut writer = Writer(String::with_capacity(USUAL));
    writer.0.push('{');
    writer.number("progress", progress.progress);
    writer.number("total", progress.total);
    writer.number("percentage", progress.percentage);
    writer.text("unit", progress.unit.as_deref());
    writer.text("message", progress.message.as_deref());
    writer.text("id", progress.id.as_deref());
    writer.text("parent", progress.parent.as_deref());
    writer.text("title", progress.title.as_deref());
    writer.text("status", progress.status.map(Status::word));
    writer.number("eta", progress.eta);
    writer.0.push('}');
    writer.0
}

/// The length of most reports, in bytes: the text of a longer one has to grow.
const USUAL: usize = 128;

struct Writer(String);

impl Writer {
    fn key(&mut self, name: &str) {
        self.0.push_str(if self.0.len() > 1 { ",\"" } else { "\"" });
        self.0.push_str(name);
        self.0.push_str("\":");
    }

    fn number(&mut self, name: &str, value: Option<f64>) {
        // The whole numbers that a float holds exactly. Larger ones are rounded already, and look it: 1e300.
        const EXACT: f64 = 9_007_199_254_740_992.0;
        // JSON has no infinity.
        let Some(value) = value.filter(|value| value.is_finite()) else {
            return;
        };
        self.key(name);
        if value.fract() == 0.0 && value.abs() <= EXACT {
            #[expect(clippy::cast_possible_truncation, reason = "whole, and in range")]
            let whole = value as i64;
            self.whole(whole);
            return;
        }
        let begin = self.0.len();
        // As `serde_json` writes it: unlike `{:?}`, it has exponents for small numbers only below 1e-5, and writes the
        // sign of each.
        if (1e-5..1e-4).contains(&value.abs()) {
            let _ = write!(self.0, "{value}");
            return;
        }
        let _ = write!(self.0, "{value:?}");
        let exponent = self.0[begin..].find('e').map(|at| begin + at + 1);
        if let Some(at) = exponent.filter(|at| !self.0[*at..].starts_with('-')) {
            self.0.insert(at, '+');
        }
    }

    /// By hand, which takes half the time: most numbers are of this kind.
    fn whole(&mut self, number: i64) {
        let mut digits = [b'0'; 20];
        let mut begin = digits.len() - 1;
        let mut rest = number.unsigned_abs();
        loop {
            digits[begin] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
            begin -= 1;
        }
        if number < 0 {
            self.0.push('-');
        }
        let digits = std::str::from_utf8(&digits[begin..]);
        self.0.push_str(digits.unwrap_or_default());
    }

    fn text(&mut self, name: &str, text: Option<&str>) {
        let Some(text) = text else { return };
        self.key(name);
        self.0.push('"');
        let mut rest = text;
        loop {
            let (clean, special) = rest.split_at(until_special(rest.as_bytes()));
            self.0.push_str(clean);
            let Some(first) = special.bytes().next() else {
                break;
            };
            let _ = match first {
                b'"' => self.0.write_str("\\\""),
                b'\\' => self.0.write_str("\\\\"),
                b'\n' => self.0.write_str("\\n"),
                b'\r' => self.0.write_str("\\r"),
                b'\t' => self.0.write_str("\\t"),
                0x08 => self.0.write_str("\\b"),
                0x0c => self.0.write_str("\\f"),
                control => write!(self.0, "\\u{control:04x}"),
            };
            rest = &special[1..];
        }
        self.0.push('"');
    }
}
