//! The completion descriptor of e2fsck: how far the current pass is.
//!
//! Each pass counts something else. The share of a pass in the whole is the one that e2fsck's own bar uses.

use crate::protocol::Progress;

use super::prefixes::Prefix;
use super::{Each, Format, Lines};

/// The entry of `--list-formats`.
pub(super) const FORMAT: Format = Format {
    name: "e2fsck",
    about: "the five passes of a check as one percentage, on the channel",
    switch: "e2fsck -C 3 DEVICE",
};

/// Where each pass begins and ends, in percent, and what it does.
const PASSES: [(f64, f64, &str); 5] = [
    (0.0, 70.0, "pass 1: checking inodes, blocks, and sizes"),
    (70.0, 90.0, "pass 2: checking directory structure"),
    (90.0, 92.0, "pass 3: checking directory connectivity"),
    (92.0, 95.0, "pass 4: checking reference counts"),
    (95.0, 100.0, "pass 5: checking group summary information"),
];

/// Reads the lines of `-C`.
#[derive(Debug, Default)]
pub(super) struct E2fsck;

impl Lines for E2fsck {
    fn prefix(&self) -> Prefix {
        Prefix::Begins(&["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"])
    }

    fn line(&mut self, line: &str, each: Each<'_>) -> bool {
        let Some(line) = parse(line) else {
            return false;
        };
        let (begin, end, message) = PASSES[line.pass];
        let percentage = begin + (end - begin) * f64::from(line.done) / f64::from(line.total);
        let report = Progress {
            percentage: Some((percentage * 10.0).round() / 10.0),
            message: Some(message.into()),
            ..Progress::default()
        };
        each(FORMAT.name, &report);
        true
    }
}

/// Whether the line is e2fsck's first one. Reports of a script may begin with numbers too, so all of its form counts.
pub(super) fn is_first_line(line: &str) -> bool {
    parse(line).is_some_and(|line| {
        line.pass == 0 && line.done == 0 && line.device.contains(['/', '.', '='])
    })
}

struct Line<'a> {
    /// From 0.
    pass: usize,
    done: u32,
    total: u32,
    device: &'a str,
}

fn parse(line: &str) -> Option<Line<'_>> {
    let mut fields = line.splitn(4, ' ');
    let mut count = || {
        let field = fields.next()?;
        let digits = field.bytes().all(|byte| byte.is_ascii_digit());
        field.parse::<u32>().ok().filter(|_| digits)
    };
    let pass = usize::try_from(count()?).ok()?.checked_sub(1)?;
    let (done, total) = (count()?, count()?);
    let device = fields.next()?;
    let is_read = pass < PASSES.len() && done <= total && total > 0;
    (is_read && !device.is_empty() && !device.contains(' ')).then_some(Line {
        pass,
        done,
        total,
        device,
    })
}

#[cfg(test)]
mod tests {
    use super::super::line_properties::said;
    use super::*;

    #[test]
    fn the_passes_are_weighed_as_the_bar_of_e2fsck_weighs_them() {
        let stream = include_str!("../../tests/corpus/e2fsck/C3.fd3");
        let said = said(&mut E2fsck, stream);
        assert_eq!(said.len(), 52);
        assert_eq!(
            [&said[0], &said[5], &said[10], &said[12], &said[51]],
            [
                r#"{"percentage":0,"message":"pass 1: checking inodes, blocks, and sizes"}"#,
                r#"{"percentage":35,"message":"pass 1: checking inodes, blocks, and sizes"}"#,
                r#"{"percentage":70,"message":"pass 1: checking inodes, blocks, and sizes"}"#,
                r#"{"percentage":74,"message":"pass 2: checking directory structure"}"#,
                r#"{"percentage":100,"message":"pass 5: checking group summary information"}"#,
            ]
        );
    }

    #[test]
    fn what_only_looks_like_it_is_left_to_others() {
        for line in [
            "1 0 0 /dev/sda1",
            "0 0 32 /dev/sda1",
            "6 0 32 /dev/sda1",
            "1 33 32 /dev/sda1",
            "1 0 32",
            "1 0 32 two words",
            "1 +0 32 /dev/sda1",
            "3/10 copying",
        ] {
            assert!(!E2fsck.line(line, &mut |_, _| panic!("{line}")), "{line}");
        }
    }
}
