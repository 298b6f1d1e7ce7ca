//! Takes the lines that are written for machines, and that a bar shows, out of what the child prints: sixty lines of
//! JSON a second would scroll everything else away.
//!
//! The reader of the format says which lines these are; the filter never reads a line itself. It holds such a line from
//! its begin to its end. And until a bar has shown what the lines say, it keeps everything from the first of them on: a
//! command that ends before a bar is drawn has nothing else to show.

use std::time::Duration;

use memchr::{memchr, memrchr};

use super::super::sanitize::escape;
use crate::model::verdict::{Meaning, Verdict, Verdicts};
use crate::vt::ESCAPE;

/// The most bytes of one line that are held, and the most that are kept: a line for machines may hold what another
/// program printed in one piece.
const LONGEST: usize = 1024 * 1024;
/// What may stand before such a line, to erase the text of the row (EL).
const ERASE: &[u8] = b"\x1b[2K";

/// One stream of the child.
#[derive(Debug, Default)]
pub(super) struct Filter {
    /// The open line, if its begin is that of a line for machines.
    held: Vec<u8>,
    /// When the held line began.
    since: Duration,
    /// The begin of the open line has been let through: its rest is, too.
    within: bool,
    /// The format in which the child reports.
    source: Option<&'static str>,
    bar: Bar,
    /// The first line that a bar would replace, and everything after it, until it is known whether a bar appears.
    kept: Vec<u8>,
    /// What the kept lines mean.
    verdicts: Verdicts,
}

/// Whether a bar has shown what the lines for machines say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Bar {
    /// Not yet; one may soon.
    #[default]
    Soon,
    Drawn,
    None,
}

impl Filter {
    /// Lets through the part of these bytes that is for the user to see; all of them if the child reports in no format.
    /// `verdicts` says what the lines mean.
    pub(super) fn sift(
        &mut self,
        source: Option<&'static str>,
        bytes: &[u8],
        verdicts: &Verdicts,
        elapsed: Duration,
        show: &mut dyn FnMut(&[u8]),
    ) {
        self.source = source;
        if self.kept.is_empty() {
            self.pass(bytes, verdicts, elapsed, show);
            return;
        }
        self.verdicts.append(self.kept.len(), verdicts);
        self.kept.extend_from_slice(bytes);
        if self.kept.len() > LONGEST {
            self.decide(false, elapsed, show);
        }
    }

    /// Ends the keeping: if `drawn`, a bar shows what the kept lines say from now on; else they are let through.
    pub(super) fn decide(&mut self, drawn: bool, elapsed: Duration, show: &mut dyn FnMut(&[u8])) {
        self.bar = if drawn { Bar::Drawn } else { Bar::None };
        let kept = std::mem::take(&mut self.kept);
        let verdicts = std::mem::take(&mut self.verdicts);
        self.pass(&kept, &verdicts, elapsed, show);
        if !drawn {
            self.bar = Bar::Soon;
        }
    }

    fn pass(
        &mut self,
        bytes: &[u8],
        verdicts: &Verdicts,
        elapsed: Duration,
        show: &mut dyn FnMut(&[u8]),
    ) {
        let Some(source) = self.source else {
            self.release(show);
            show(bytes);
            self.within = bytes.last().map_or(self.within, |last| *last != b'\n');
            return;
        };
        // What is let through goes in as few pieces as can be.
        let mut passing = 0;
        // Where the first line begins that is not let through yet.
        let mut line_start = 0;
        if self.within || !self.held.is_empty() {
            let Some(newline) = memchr(b'\n', bytes) else {
                self.go_on(bytes, show);
                return;
            };
            line_start = newline + 1;
            if self.within {
                self.within = false;
            } else {
                passing = line_start;
                let mut line = std::mem::take(&mut self.held);
                line.extend_from_slice(&bytes[..line_start]);
                let mut lines = verdicts.lines.iter();
                let verdict = lines.find(|it| it.end == line_start && it.source == source);
                if !self.line(&line, verdict.map(|it| &it.meaning), show) {
                    self.keep(&line, bytes, line_start, verdicts);
                    return;
                }
            }
        }
        let first = line_start;
        let lines = verdicts.lines.iter();
        for verdict in lines.filter(|it| it.end > first && it.source == source) {
            let before = &bytes[line_start..verdict.end - 1];
            line_start += memrchr(b'\n', before).map_or(0, |newline| newline + 1);
            if passing < line_start {
                show(&bytes[passing..line_start]);
            }
            let line = &bytes[line_start..verdict.end];
            if !self.line(line, Some(&verdict.meaning), show) {
                self.keep(line, bytes, verdict.end, verdicts);
                return;
            }
            (passing, line_start) = (verdict.end, verdict.end);
        }
        let open = memrchr(b'\n', &bytes[line_start..]);
        let open = line_start + open.map_or(0, |newline| newline + 1);
        let holds = verdicts.is_begun && is_text(&bytes[open..]);
        let end = if holds { open } else { bytes.len() };
        if passing < end {
            show(&bytes[passing..end]);
        }
        if holds {
            self.since = elapsed;
            self.go_on(&bytes[open..], show);
        } else {
            self.within = open < bytes.len();
        }
    }

    /// Shows of a complete line what its meaning asks for: nothing if a bar shows it. Gives false if it is not known
    /// yet whether a bar does.
    fn line(
        &mut self,
        line: &[u8],
        meaning: Option<&Meaning>,
        show: &mut dyn FnMut(&[u8]),
    ) -> bool {
        match meaning.filter(|_| is_text(line)) {
            Some(Meaning::Progress) if self.bar == Bar::Soon => return false,
            Some(Meaning::Progress) if self.bar == Bar::Drawn => {}
            Some(Meaning::Progress) | None => show(line),
            Some(Meaning::Output(text)) => show(text),
            Some(Meaning::Sentence(sentence)) => {
                show(format!("{}\n", escape(sentence)).as_bytes());
            }
        }
        true
    }

    /// Keeps a line and everything after it, which begins at `end` of the bytes.
    fn keep(&mut self, line: &[u8], bytes: &[u8], end: usize, verdicts: &Verdicts) {
        self.kept = [line, &bytes[end..]].concat();
        let lines = verdicts.lines.iter().filter(|it| it.end >= end).cloned();
        self.verdicts = Verdicts {
            lines: lines
                .map(|it| Verdict {
                    end: it.end - end + line.len(),
                    ..it
                })
                .collect(),
            is_begun: verdicts.is_begun,
        };
    }

    /// Goes on with the line that is open.
    fn go_on(&mut self, bytes: &[u8], show: &mut dyn FnMut(&[u8])) {
        if self.within {
            show(bytes);
            return;
        }
        self.held.extend_from_slice(bytes);
        if self.held.len() > LONGEST {
            self.release(show);
        }
    }

    /// Whether a bar has shown what the lines say.
    pub(super) fn is_decided(&self) -> bool {
        self.bar == Bar::Drawn
    }

    /// Whether something is kept until it is known whether a bar shows it.
    pub(super) fn keeps(&self) -> bool {
        !self.kept.is_empty()
    }

    /// Since when a line is held; none if none is.
    pub(super) fn since(&self) -> Option<Duration> {
        (!self.held.is_empty()).then_some(self.since)
    }

    /// Lets the held line through, as far as it goes.
    pub(super) fn release(&mut self, show: &mut dyn FnMut(&[u8])) {
        if !self.held.is_empty() {
            show(&std::mem::take(&mut self.held));
            self.within = true;
        }
    }
}

/// Whether a line is text, apart from the sequence before it that erases the row. Any other sequence may change the
/// terminal, such as a mode, so the line is not taken out.
fn is_text(line: &[u8]) -> bool {
    let line = line.strip_prefix(b"\r").unwrap_or(line);
    let line = line.strip_prefix(ERASE).unwrap_or(line);
    memchr(ESCAPE, line).is_none()
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::dialect::{Dialects, Place, Selection};

    const NOW: Duration = Duration::ZERO;

    /// A stream of a child, with the readers of its lines.
    struct Stream {
        dialects: Dialects,
        filter: Filter,
        source: Option<&'static str>,
    }

    impl Stream {
        /// The format of the child is `source`; its lines are read as ones of `read`.
        fn new(source: Option<&'static str>, read: &'static str) -> Self {
            Self {
                dialects: Dialects::new(Selection::Only(vec![read]), false),
                filter: Filter::default(),
                source,
            }
        }

        fn sift(&mut self, bytes: &[u8], show: &mut dyn FnMut(&[u8])) {
            let verdicts = self.dialects.feed(Place::Stdout, bytes, Instant::now());
            self.filter.sift(self.source, bytes, &verdicts, NOW, show);
        }
    }

    /// What is seen where a bar shows the reports.
    fn sifted(source: Option<&'static str>, pieces: &[&[u8]]) -> String {
        let (mut stream, mut seen) = (Stream::new(source, "progrun"), Vec::new());
        let show = &mut |bytes: &[u8]| seen.extend_from_slice(bytes);
        stream.filter.decide(true, NOW, show);
        for piece in pieces {
            stream.sift(piece, show);
        }
        stream.filter.release(show);
        String::from_utf8(seen).unwrap()
    }

    #[test]
    fn nothing_is_taken_out_before_a_bar_shows_it() {
        const TEXT: &str = "before\n{\"progress\":1}\nbetween\n{\"progress\":2}\nopen";
        for (drawn, expected) in [(true, "between\nopen"), (false, &TEXT["before\n".len()..])] {
            let mut stream = Stream::new(Some("progrun"), "progrun");
            let mut seen = Vec::new();
            for byte in TEXT.as_bytes() {
                stream.sift(&[*byte], &mut |bytes| seen.extend_from_slice(bytes));
            }
            assert_eq!(seen, b"before\n");
            let mut filter = stream.filter;
            assert!(filter.keeps());
            seen.clear();
            filter.decide(drawn, NOW, &mut |bytes| seen.extend_from_slice(bytes));
            assert_eq!(String::from_utf8(seen).unwrap(), expected);
            assert!(!filter.keeps());
        }
    }

    #[test]
    fn so_much_is_kept_and_no_more() {
        let mut stream = Stream::new(Some("progrun"), "progrun");
        let mut seen = 0;
        let line = b"{\"progress\":1}\n";
        for _ in 0..=LONGEST / line.len() {
            stream.sift(line, &mut |bytes| seen += bytes.len());
            assert!(stream.filter.kept.len() <= LONGEST);
        }
        assert!(seen > LONGEST);
    }

    #[test]
    fn lines_for_machines_are_taken_out_wherever_they_are_cut() {
        let text = b"before\n{\"progress\":1}\nbetween {\"progress\":2}\n{\"other\":3}\n{\"percentage\":4}\nafter";
        let expected = "before\nbetween {\"progress\":2}\n{\"other\":3}\nafter";
        assert_eq!(sifted(Some("progrun"), &[text]), expected);
        let bytes: Vec<&[u8]> = text.chunks(1).collect();
        assert_eq!(sifted(Some("progrun"), &bytes), expected);
        assert_eq!(sifted(None, &[text]).as_bytes(), text);
    }

    #[test]
    fn a_line_of_another_format_than_the_childs_is_let_through() {
        let text = b"{\"progress\":1}\n";
        assert_eq!(sifted(Some("restic"), &[text]), "{\"progress\":1}\n");
        assert_eq!(sifted(Some("meter"), &[text]), "{\"progress\":1}\n");
    }

    #[test]
    fn what_a_remote_run_printed_is_seen_as_it_was() {
        let line =
            br#"{"event":"output","task":1,"elapsed":0.1,"stream":"stdout","text":"hello\n"}"#;
        assert_eq!(sifted(Some("progrun"), &[line, b"\n"]), "hello\n");
    }

    #[test]
    fn what_a_remote_progrun_says_of_a_hostile_name_is_escaped() {
        for line in [
            r#"{"event":"warning","task":1,"elapsed":0.1,"message":"held by \u001b]2;evil\u0007 (5)"}"#,
            r#"{"event":"finished","task":1,"elapsed":0.1,"state":"failed","error":"held by \u001b]2;evil\u0007 (5)"}"#,
        ] {
            let seen = sifted(Some("progrun"), &[line.as_bytes(), b"\n"]);
            assert_eq!(seen, "held by ^[]2;evil^G (5)\n");
        }
    }

    #[test]
    fn a_held_line_is_let_through_when_it_stays_open_and_the_rest_of_it_follows() {
        let (mut stream, mut seen) = (Stream::new(Some("progrun"), "progrun"), Vec::new());
        stream.sift(b"{\"progress\"", &mut |_| panic!("too early"));
        assert_eq!(stream.filter.since(), Some(NOW));
        let show = &mut |bytes: &[u8]| seen.extend_from_slice(bytes);
        stream.filter.release(show);
        stream.sift(b":1}\n", show);
        assert_eq!(seen, b"{\"progress\":1}\n");
        assert_eq!(stream.filter.since(), None);
    }

    #[test]
    fn what_a_line_does_to_the_terminal_beside_its_text_is_not_taken_out() {
        for (text, expected) in [
            ("\x1b[2K{\"progress\":1}\n", ""),
            ("\r\x1b[2K{\"progress\":1}\r\n", ""),
            ("\x1b[?25l{\"progress\":1}\n", "\x1b[?25l{\"progress\":1}\n"),
            ("words\r{\"progress\":1}\n", "words\r{\"progress\":1}\n"),
            ("  {\"progress\":1}\n", "  {\"progress\":1}\n"),
        ] {
            let seen = sifted(Some("progrun"), &[text.as_bytes()]);
            assert_eq!(seen, expected, "{text:?}");
        }
    }

    #[test]
    fn what_a_remote_run_printed_in_one_piece_is_seen_however_long_it_is() {
        let text = "x".repeat(200_000);
        let line = format!(
            r#"{{"event":"output","task":1,"elapsed":0.1,"stream":"stdout","text":"{text}"}}"#
        );
        let pieces: Vec<_> = line.as_bytes().chunks(10_000).chain([&b"\n"[..]]).collect();
        assert_eq!(sifted(Some("progrun"), &pieces), text);
    }
}
