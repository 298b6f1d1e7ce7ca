//! OSC 9;4, by which programs tell a terminal their progress: `ESC ] 9 ; 4 ; state ; percent`, ended by BEL or `ESC
//! \`. Written by cargo, zig, pytest, yt-dlp, systemd's tools and others that draw a progress bar as well.
//!
//! State 1 is progress, 2 is progress in which something failed, 4 is paused progress. State 3 says that the work goes
//! on without a known amount, 0 takes the report away. Neither has a number, and 0 does not mean that anything ended
//! well.

use std::borrow::Cow;

use super::{Each, Format, SHOWN};
use crate::protocol::Progress;

/// The entry of `--list-formats`.
pub(super) const FORMAT: Format = Format {
    name: "osc",
    about: "the percentage for a title bar or taskbar (OSC 9;4), on either stream",
    switch: "CARGO_TERM_PROGRESS_TERM_INTEGRATION=true, yt-dlp --console-title, ...",
};

/// Reads the reports to the terminal.
#[derive(Debug, Default)]
pub(super) struct Osc {
    /// The message for the state, until the state changes back.
    said: &'static str,
}

impl Osc {
    /// Reads an operating system command, without its introducer and its end.
    pub(super) fn read(&mut self, command: &[u8], each: Each<'_>) {
        let Some((state, value)) = parse(command) else {
            return;
        };
        let state = match state {
            2 => "error",
            4 => "paused",
            _ => "",
        };
        let message = (state != self.said).then_some(Cow::Borrowed(state));
        self.said = state;
        let progress = Progress {
            percentage: value.map(|value| value.min(SHOWN)),
            message,
            ..Progress::default()
        };
        if !progress.is_empty() {
            each(FORMAT.name, &progress);
        }
    }
}

/// The state, and the percentage if the state has one and it is given.
fn parse(command: &[u8]) -> Option<(u8, Option<f64>)> {
    let text = std::str::from_utf8(command).ok()?;
    let mut fields = text.strip_prefix("9;4;")?.split(';');
    let state = fields.next()?.parse().ok()?;
    let value = fields.next().unwrap_or_default();
    if state > 4 || fields.next().is_some_and(|more| !more.is_empty()) {
        return None;
    }
    let value = match value {
        "" => None,
        value => Some(f64::from(value.parse::<u8>().ok()?)),
    };
    Some((state, value.filter(|_| matches!(state, 1 | 2 | 4))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(commands: &[&str]) -> Vec<String> {
        let mut osc = Osc::default();
        let mut seen = Vec::new();
        for command in commands {
            osc.read(command.as_bytes(), &mut |_, progress| {
                seen.push(progress.to_json());
            });
        }
        seen
    }

    #[test]
    fn a_percentage_is_read_and_never_reaches_100() {
        let expected = [r#"{"percentage":42}"#, r#"{"percentage":99.9}"#];
        assert_eq!(read(&["9;4;1;42", "9;4;1;100"]), expected);
    }

    #[test]
    fn an_error_goes_on_counting_and_is_told_until_it_is_taken_back() {
        let expected = [
            r#"{"percentage":10,"message":"error"}"#,
            r#"{"percentage":20}"#,
            r#"{"message":""}"#,
        ];
        assert_eq!(read(&["9;4;2;10", "9;4;2;20", "9;4;0"]), expected);
    }

    #[test]
    fn what_tells_no_number_gives_no_report() {
        let silent = ["9;4;3", "9;4;3;", "9;4;3;0", "9;4;0", "9;4;0;50", "9;4;1;"];
        assert_eq!(read(&silent), [""; 0]);
        let foreign = ["9;build finished", "9;4;5;1", "9;4", "9;4;1;x", "0;9;4;1;5"];
        assert_eq!(read(&foreign), [""; 0]);
    }
}
