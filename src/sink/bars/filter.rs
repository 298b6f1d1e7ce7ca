//! Takes out of what the child prints the lines that are written for machines and shown as a bar: sixty lines of JSON a
//! second would scroll everything else away.
//!
//! It holds a begun line that may be one until its end; and as long as no bar has shown what they say, everything from the
//! first one on, for a command that is over before that has no other screen than this. Refuses to know what such lines mean.

use std::time::Duration;

use memchr::memchr;

use super::super::sanitize::escape;
use crate::dialect::{Shown, shown};

/// A longer line is nobody's: a line for machines may hold what another program printed in one piece. No more is kept.
const LONGEST: usize = 1024 * 1024;
/// How such a line begins, whatever comes before it to erase the line that was there.
const BEGIN: [&[u8]; 2] = [b"{", b"@nix {"];
const ERASE: &[u8] = b"\x1b[2K";

/// One stream of the child.
#[derive(Debug, Default)]
pub(super) struct Filter {
    held: Vec<u8>,
    since: Duration,
    /// Whether what comes next belongs to a line that has been let through.
    within: bool,
    /// In which format the child reports.
    source: Option<&'static str>,
    bar: Bar,
    /// What follows on the first line that a bar would show, and that line.
    kept: Vec<u8>,
}

/// Whether what is written for machines has been shown by a bar.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Bar {
    /// It may be soon.
    #[default]
    Soon,
    Drawn,
    None,
}

impl Filter {
    /// Lets through what is to be seen of these bytes; all of it if the child reports in no format.
    pub(super) fn sift(
        &mut self,
        source: Option<&'static str>,
        bytes: &[u8],
        elapsed: Duration,
        show: &mut dyn FnMut(&[u8]),
    ) {
        self.source = source;
        if self.kept.is_empty() {
            self.pass(bytes, elapsed, show);
            return;
        }
        self.kept.extend_from_slice(bytes);
        if self.kept.len() > LONGEST {
            self.decide(false, elapsed, show);
        }
    }

    /// What was kept is shown by a bar from now on, or not.
    pub(super) fn decide(&mut self, drawn: bool, elapsed: Duration, show: &mut dyn FnMut(&[u8])) {
        self.bar = if drawn { Bar::Drawn } else { Bar::None };
        let kept = std::mem::take(&mut self.kept);
        self.pass(&kept, elapsed, show);
        if !drawn {
            self.bar = Bar::Soon;
        }
    }

    fn pass(&mut self, bytes: &[u8], elapsed: Duration, show: &mut dyn FnMut(&[u8])) {
        let Some(source) = self.source else {
            self.release(show);
            show(bytes);
            self.within = bytes.last().map_or(self.within, |last| *last != b'\n');
            return;
        };
        // What is let through goes in as few pieces as can be.
        let mut passing = 0;
        let mut at = 0;
        while at < bytes.len() {
            let rest = &bytes[at..];
            let end = memchr(b'\n', rest).map(|newline| newline + 1);
            let line = &rest[..end.unwrap_or(rest.len())];
            let holds = !self.held.is_empty();
            at += line.len();
            if !holds && (self.within || !may_be_for_machines(line)) {
                self.within = end.is_none();
                continue;
            }
            let before = &bytes[passing..at - line.len()];
            if !before.is_empty() {
                show(before);
            }
            passing = at;
            if !holds {
                self.since = elapsed;
            }
            self.held.extend_from_slice(line);
            if end.is_some() {
                let line = std::mem::take(&mut self.held);
                match shown(source, &line) {
                    Shown::Nothing if self.bar == Bar::Soon => {
                        self.kept = [&line, &bytes[at..]].concat();
                        return;
                    }
                    Shown::Nothing if self.bar == Bar::Drawn => {}
                    Shown::AsIs | Shown::Nothing => show(&line),
                    Shown::Text(text) => show(&text),
                    Shown::Sentence(sentence) => {
                        show(format!("{}\n", escape(&sentence)).as_bytes());
                    }
                }
            } else if self.held.len() > LONGEST {
                self.release(show);
            }
        }
        if passing < bytes.len() {
            show(&bytes[passing..]);
        }
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

fn may_be_for_machines(line: &[u8]) -> bool {
    let line = line.strip_prefix(b"\r").unwrap_or(line);
    let line = line.strip_prefix(ERASE).unwrap_or(line);
    BEGIN.iter().any(|begin| line.starts_with(begin))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::ZERO;

    /// What is seen where a bar shows the reports.
    fn sifted(source: Option<&'static str>, pieces: &[&[u8]]) -> String {
        let (mut filter, mut seen) = (Filter::default(), Vec::new());
        let show = &mut |bytes: &[u8]| seen.extend_from_slice(bytes);
        filter.decide(true, NOW, show);
        for piece in pieces {
            filter.sift(source, piece, NOW, show);
        }
        filter.release(show);
        String::from_utf8(seen).unwrap()
    }

    #[test]
    fn nothing_is_taken_out_before_a_bar_shows_it() {
        const TEXT: &str = "before\n{\"progress\":1}\nbetween\n{\"progress\":2}\nopen";
        for (drawn, expected) in [(true, "between\nopen"), (false, &TEXT["before\n".len()..])] {
            let mut filter = Filter::default();
            let mut seen = Vec::new();
            for byte in TEXT.as_bytes() {
                filter.sift(Some("progrun"), &[*byte], NOW, &mut |bytes| {
                    seen.extend_from_slice(bytes);
                });
            }
            assert_eq!(seen, b"before\n");
            assert!(filter.keeps());
            seen.clear();
            filter.decide(drawn, NOW, &mut |bytes| seen.extend_from_slice(bytes));
            assert_eq!(String::from_utf8(seen).unwrap(), expected);
            assert!(!filter.keeps());
        }
    }

    #[test]
    fn so_much_is_kept_and_no_more() {
        let mut filter = Filter::default();
        let mut seen = 0;
        let line = b"{\"progress\":1}\n";
        for _ in 0..=LONGEST / line.len() {
            filter.sift(Some("progrun"), line, NOW, &mut |bytes| seen += bytes.len());
            assert!(filter.kept.len() <= LONGEST);
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
        let (mut filter, mut seen) = (Filter::default(), Vec::new());
        filter.sift(Some("progrun"), b"{\"progress\"", NOW, &mut |_| {
            panic!("too early")
        });
        assert_eq!(filter.since(), Some(NOW));
        filter.release(&mut |bytes| seen.extend_from_slice(bytes));
        filter.sift(Some("progrun"), b":1}\n", NOW, &mut |bytes| {
            seen.extend_from_slice(bytes);
        });
        assert_eq!(seen, b"{\"progress\":1}\n");
        assert_eq!(filter.since(), None);
    }
}
