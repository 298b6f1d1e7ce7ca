//! The activity of a child that reports nothing: the processor time and the bytes that it uses, or the file that
//! it reads through, and its last line where that is shown in no other place.
//!
//! Responsible for keeping that and putting it into words. Knows neither where it stands nor when it is drawn.

use std::time::Duration;

use crate::dialect::FILES;
use crate::event::{FileRead, Observed, Stream};
use crate::model::parts::Part;

use super::super::format::bytes;
use super::super::sanitize::escape;
use super::super::tail::Tail;

/// The activity of one child.
#[derive(Debug, Default)]
pub(super) struct Activity {
    /// How far it has read which file, if it seems to read one through.
    pub(super) file: Part,
    /// The child has a meter of its own. A file that it reads beside that is no measure of its work: pip leaves the
    /// archive that it unpacks open near its end.
    pub(super) has_meter: bool,
    uses: Vec<String>,
    printed: Tail,
    stream: Option<Stream>,
}

impl Activity {
    /// Takes in an observation.
    pub(super) fn observed(&mut self, observed: &Observed, elapsed: Duration) {
        let file = observed.file.as_ref().filter(|_| !self.has_meter);
        let progress = file.map(FileRead::progress).unwrap_or_default();
        if progress.message != self.file.known.message {
            self.file = Part::default();
        }
        // Where it stands still there is no news.
        if progress.progress != self.file.known.progress {
            self.file.apply(&progress, Some(FILES), elapsed);
        }
        self.uses.clear();
        if observed.cpu >= 0.005 {
            self.uses.push(format!("{:.0}% cpu", observed.cpu * 100.0));
        }
        for (what, rate) in [("read", observed.read), ("write", observed.written)] {
            if rate >= 1.0 {
                self.uses.push(format!("{what} {}/s", bytes(rate)));
            }
        }
    }

    /// Takes in output that no other sink shows.
    pub(super) fn printed(&mut self, stream: Stream, bytes: &[u8]) {
        if self.stream.replace(stream) != Some(stream) {
            // A begun line of one stream does not go on in the other.
            self.printed.clear();
        }
        self.printed.push(bytes);
    }

    /// The child shows a meter: what was observed before says nothing of the time after.
    pub(super) fn begin_anew(&mut self) {
        self.has_meter = true;
        self.file = Part::default();
        self.uses.clear();
    }

    /// The activity in one line. Beside the progress of a file, or where it is not wanted, the use of the processor would
    /// say nothing new.
    pub(super) fn line(&self, elapsed: Duration, with_use: bool) -> String {
        let mut words = Vec::new();
        if with_use && self.file.fraction(elapsed).is_none() {
            words.clone_from(&self.uses);
        }
        if let Some(last) = self.printed.last_line() {
            let last = String::from_utf8_lossy(last);
            words.push(escape(last.trim()).into_owned());
        }
        words.join("  ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn observed(cpu: f64, read: f64, written: f64) -> Observed {
        Observed {
            cpu,
            read,
            written,
            file: None,
        }
    }

    #[test]
    fn only_what_is_used_is_told() {
        let line = |cpu, read, written| {
            let mut activity = Activity::default();
            activity.observed(&observed(cpu, read, written), Duration::ZERO);
            activity.line(Duration::ZERO, true)
        };
        let mib = 1_048_576.0;
        assert_eq!(
            line(0.984, 120.0 * mib, 30.0 * mib),
            "98% cpu  read 120.0 MiB/s  write 30.0 MiB/s"
        );
        assert_eq!(line(3.5, 0.0, 512.0), "350% cpu  write 512 B/s");
        assert_eq!(line(0.004, 0.9, 0.0), "");
    }

    #[test]
    fn the_last_line_is_told_and_made_harmless() {
        let mut activity = Activity::default();
        activity.printed(Stream::Stdout, b"first\nsec");
        assert_eq!(activity.line(Duration::ZERO, true), "sec");
        activity.printed(Stream::Stdout, b"ond \x1b[2J\n  \n");
        assert_eq!(activity.line(Duration::ZERO, true), "second ^[[2J");
        activity.printed(Stream::Stdout, b"10%\r20%\r");
        assert_eq!(activity.line(Duration::ZERO, true), "20%");
        activity.printed(Stream::Stderr, b"warning");
        assert_eq!(activity.line(Duration::ZERO, true), "warning");
        activity.observed(&observed(0.5, 0.0, 0.0), Duration::ZERO);
        assert_eq!(activity.line(Duration::ZERO, true), "50% cpu  warning");
    }

    #[test]
    fn a_file_says_how_far_it_is_read_and_goes_when_it_is_closed() {
        let at = Duration::from_secs;
        let reading = |name: &str, position| Observed {
            file: Some(FileRead {
                name: name.to_owned(),
                position,
                size: 200,
            }),
            ..observed(1.0, 50.0, 0.0)
        };
        let mut activity = Activity::default();
        activity.observed(&reading("a.iso", 100), at(1));
        assert_eq!(activity.file.fraction(at(1)), Some(0.5));
        assert_eq!(
            activity.file.known.message.as_deref(),
            Some("reading a.iso")
        );
        assert_eq!(activity.line(Duration::ZERO, true), "");
        activity.observed(&reading("a.iso", 100), at(11));
        assert_eq!(activity.file.stale(at(11)), Some(at(10)));
        activity.observed(&reading("b.iso", 100), at(12));
        assert_eq!(activity.file.stale(at(12)), None);
        activity.observed(&observed(1.0, 50.0, 0.0), at(13));
        assert_eq!(activity.file.fraction(at(1)), None);
        assert_eq!(activity.line(Duration::ZERO, true), "100% cpu  read 50 B/s");
    }
}
