//! The status descriptor of gpg: lines of `[GNUPG:]` and a keyword. The keyword `PROGRESS` says how far along gpg is.

use std::borrow::Cow;

use crate::protocol::Progress;

use super::prefixes::Prefix;
use super::{Each, Format, Lines};

/// The entry of `--list-formats`.
pub(super) const FORMAT: Format = Format {
    name: "gpg",
    about: "bytes of a file, on the channel",
    switch: "gpg --status-fd 3 --enable-progress-filter ...",
};

const PREFIX: &str = "[GNUPG:] ";

/// Reads the lines of `--status-fd`.
#[derive(Debug, Default)]
pub(super) struct Gpg;

impl Lines for Gpg {
    fn prefix(&self) -> Prefix {
        Prefix::Begins(&[PREFIX])
    }

    fn line(&mut self, line: &str, each: Each<'_>) -> bool {
        let Some(status) = line.strip_prefix(PREFIX) else {
            return false;
        };
        if let Some(report) = status.strip_prefix("PROGRESS ").and_then(progress) {
            each(FORMAT.name, &report);
        }
        true
    }
}

/// Whether the line is one of gpg's, and one that a script would not write as a report.
pub(super) fn is_first_line(line: &str) -> bool {
    line.starts_with(PREFIX)
}

/// `what char current total [units]`, read from the right: `what` may be the name of a file, with blanks.
fn progress(text: &str) -> Option<Progress<'_>> {
    let (rest, last) = text.trim_end().rsplit_once(' ')?;
    let (rest, total, units) = if let Ok(total) = last.parse::<u64>() {
        (rest, total, None)
    } else {
        let (rest, total) = rest.rsplit_once(' ')?;
        (rest, total.parse().ok()?, Some(last))
    };
    let (rest, current) = rest.rsplit_once(' ')?;
    let (what, _char) = rest.rsplit_once(' ')?;
    let (factor, unit) = match units {
        Some("B") => (1.0, Some("bytes")),
        Some("KiB") => (1024.0, Some("bytes")),
        Some("MiB") => (1_048_576.0, Some("bytes")),
        Some("GiB") => (1_073_741_824.0, Some("bytes")),
        units => (1.0, units),
    };
    #[expect(clippy::cast_precision_loss, reason = "more bytes than there are")]
    let amount = |count: u64| count as f64 * factor;
    Some(Progress {
        progress: Some(amount(current.parse().ok()?)),
        total: Some(amount(total)).filter(|total| *total > 0.0),
        unit: unit.map(Cow::Borrowed),
        message: Some(what.into()),
        ..Progress::default()
    })
}

#[cfg(test)]
mod tests {
    use super::super::line_properties::said;
    use super::*;

    #[test]
    fn amounts_are_bytes() {
        let stream = include_str!("../../tests/corpus/gpg/decrypt_status-fd3.fd3");
        assert_eq!(
            said(&mut Gpg, stream),
            [
                r#"{"progress":0,"total":419430400,"unit":"bytes","message":"/srv/lab/o.gpg"}"#,
                r#"{"progress":43171840,"total":419430400,"unit":"bytes","message":"/srv/lab/o.gpg"}"#,
                r#"{"progress":419430400,"total":419430400,"unit":"bytes","message":"/srv/lab/o.gpg"}"#,
            ]
        );
    }

    #[test]
    fn a_total_of_0_is_unknown_and_a_name_may_hold_blanks() {
        let lines = "[GNUPG:] PROGRESS primegen + 3 0\n\
            [GNUPG:] PROGRESS my file ? 5 10 B\n\
            [GNUPG:] PROGRESS x ? 5 10 lines\n";
        assert_eq!(
            said(&mut Gpg, lines),
            [
                r#"{"progress":3,"message":"primegen"}"#,
                r#"{"progress":5,"total":10,"unit":"bytes","message":"my file"}"#,
                r#"{"progress":5,"total":10,"unit":"lines","message":"x"}"#,
            ]
        );
    }

    #[test]
    fn other_keywords_and_broken_lines_are_its_own_and_say_nothing() {
        for line in [
            "[GNUPG:] KEY_CONSIDERED 542CB06AC0E0CE78DA9ECE11A09A2CC8DEFF41D5 0",
            "[GNUPG:] PROGRESS",
            "[GNUPG:] PROGRESS ",
            "[GNUPG:] PROGRESS x",
            "[GNUPG:] PROGRESS x ? -1 10",
            "[GNUPG:] PROGRESS ? 1 10",
        ] {
            assert!(Gpg.line(line, &mut |_, _| panic!("{line}")), "{line}");
        }
        assert!(!Gpg.line("gpg: encrypted", &mut |_, _| ()));
    }
}
