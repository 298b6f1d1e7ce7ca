//! Takes out of what the child prints the lines that are written for machines and shown as a bar: sixty lines of JSON a
//! second would scroll everything else away.
//!
//! It holds a begun line that may be one until its end, and refuses to know what such lines mean.

use std::time::Duration;

use memchr::memchr;

use crate::dialect::{Shown, shown};

/// A longer line is nobody's. A line for machines may hold what another program printed in one piece.
const LONGEST: usize = 1024 * 1024;
/// How such a line begins, whatever comes before it to erase the line that was there.
const BEGIN: [&[u8]; 2] = [b"{", b"@nix {"];
const ERASE: &[u8] = b"\x1b[2K";

/// One stream of the child.
#[derive(Debug, Default)]
pub(super) struct Sieve {
    held: Vec<u8>,
    since: Duration,
    /// Whether what comes next belongs to a line that has been let through.
    within: bool,
}

impl Sieve {
    /// Lets through what is to be seen of these bytes; all of it if the child reports in no format.
    pub(super) fn sift(
        &mut self,
        source: Option<&str>,
        bytes: &[u8],
        elapsed: Duration,
        mut show: impl FnMut(&[u8]),
    ) {
        let Some(source) = source else {
            self.release(&mut show);
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
                    Shown::AsIs => show(&line),
                    Shown::Nothing => {}
                    Shown::Text(text) => show(&text),
                }
            } else if self.held.len() > LONGEST {
                self.release(&mut show);
            }
        }
        if passing < bytes.len() {
            show(&bytes[passing..]);
        }
    }

    /// Since when a line is held; none if none is.
    pub(super) fn since(&self) -> Option<Duration> {
        (!self.held.is_empty()).then_some(self.since)
    }

    /// Lets the held line through, as far as it goes.
    pub(super) fn release(&mut self, mut show: impl FnMut(&[u8])) {
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

    fn sifted(source: Option<&str>, pieces: &[&[u8]]) -> String {
        let (mut sieve, mut seen) = (Sieve::default(), Vec::new());
        for piece in pieces {
            sieve.sift(source, piece, NOW, |bytes| seen.extend_from_slice(bytes));
        }
        sieve.release(|bytes| seen.extend_from_slice(bytes));
        String::from_utf8(seen).unwrap()
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
    fn a_held_line_is_let_through_when_it_stays_open_and_the_rest_of_it_follows() {
        let (mut sieve, mut seen) = (Sieve::default(), Vec::new());
        sieve.sift(Some("progrun"), b"{\"progress\"", NOW, |_| {
            panic!("too early")
        });
        assert_eq!(sieve.since(), Some(NOW));
        sieve.release(|bytes| seen.extend_from_slice(bytes));
        sieve.sift(Some("progrun"), b":1}\n", NOW, |bytes| {
            seen.extend_from_slice(bytes);
        });
        assert_eq!(seen, b"{\"progress\":1}\n");
        assert_eq!(sieve.since(), None);
    }
}
