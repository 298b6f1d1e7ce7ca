//! Puts the name of a task before each line that it prints.
//!
//! A line goes on when it is complete. Of one that was redrawn by carriage returns, only the last state does: the tag
//! would stand before the first of them only. Knows neither the place nor whether anything is shown.

use memchr::{memchr, memchr_iter, memrchr};

use crate::event::{Stream, TaskId};
use crate::model::verdict::{Verdict, Verdicts};

use super::super::sanitize::escape;

/// How much of a begun line is kept, in bytes. A longer one goes on in pieces.
const LONGEST: usize = 64 * 1024;
/// The colors of the slots: neither that of failures nor those that a light or a dark screen swallows.
const COLORS: [u8; 5] = [36, 32, 33, 35, 34];

/// The tags of the attempts that run and have printed nothing yet.
#[derive(Debug)]
pub(super) struct Tags {
    /// Whether the tags on stdout and stderr have a color.
    with_color: [bool; 2],
    begun: Vec<(TaskId, Tag)>,
}

impl Tags {
    pub(super) fn new(with_color: [bool; 2]) -> Self {
        Self {
            with_color,
            begun: Vec::new(),
        }
    }

    /// An attempt of this task runs in this slot.
    pub(super) fn begin(&mut self, task: TaskId, name: &str, slot: u32) {
        let _ = self.take(task);
        let tag = Tag::new(name, slot, self.with_color);
        self.begun.push((task, tag));
    }

    /// The tag of the attempt, which is to be kept with its output from now on.
    pub(super) fn take(&mut self, task: TaskId) -> Option<Tag> {
        let index = self.begun.iter().position(|(of, _)| *of == task)?;
        Some(self.begun.swap_remove(index).1)
    }
}

/// The tag of one attempt, and the lines that it has begun.
#[derive(Debug)]
pub(super) struct Tag {
    prefixes: [Box<[u8]>; 2],
    lines: [Line; 2],
}

/// The last line of a stream.
#[derive(Debug, Default)]
struct Line {
    begun: Vec<u8>,
    /// Its begin, with the tag, has gone on.
    is_within: bool,
}

impl Tag {
    fn new(name: &str, slot: u32, with_color: [bool; 2]) -> Self {
        let name = escape(name);
        let color = COLORS[slot.saturating_sub(1) as usize % COLORS.len()];
        let prefix = |with_color| {
            if with_color {
                format!("\x1b[{color}m{name}\x1b[39m\t")
            } else {
                format!("{name}\t")
            }
        };
        Self {
            prefixes: with_color.map(|with_color| prefix(with_color).into_bytes().into()),
            lines: Default::default(),
        }
    }

    /// Takes in output; gives the lines that are complete, and what they mean.
    pub(super) fn add(
        &mut self,
        stream: Stream,
        bytes: &[u8],
        verdicts: &Verdicts,
    ) -> (Vec<u8>, Verdicts) {
        let prefix = &self.prefixes[stream as usize];
        let line = &mut self.lines[stream as usize];
        let redraws = memchr(b'\r', bytes).is_some() || memchr(b'\r', &line.begun).is_some();
        if redraws || !verdicts.lines.is_empty() {
            return line.add(prefix, bytes, verdicts);
        }
        (line.add_plain(prefix, bytes), Verdicts::default())
    }

    /// Gives the last line of a stream, if it has no newline.
    pub(super) fn end(&mut self, stream: Stream) -> Vec<u8> {
        let line = &mut self.lines[stream as usize];
        let mut out = Vec::new();
        line.let_go(&self.prefixes[stream as usize], &mut out);
        line.is_within = false;
        out
    }
}

impl Line {
    /// The same as [`add`](Self::add) without carriage returns and verdicts: lines are found, counted and copied in
    /// bulk.
    fn add_plain(&mut self, prefix: &[u8], bytes: &[u8]) -> Vec<u8> {
        let end = memrchr(b'\n', bytes).map_or(0, |newline| newline + 1);
        let (whole, open) = bytes.split_at(end);
        let count = memchr_iter(b'\n', whole).count();
        let mut out = Vec::with_capacity(self.begun.len() + whole.len() + count * prefix.len());
        let mut start = 0;
        if let Some(first) = memchr(b'\n', whole) {
            if !self.is_within {
                out.extend_from_slice(prefix);
            }
            self.is_within = false;
            out.append(&mut self.begun);
            start = first + 1;
            out.extend_from_slice(&whole[..start]);
        }
        let rest = &whole[start..];
        let mut start = 0;
        for newline in memchr_iter(b'\n', rest) {
            out.extend_from_slice(prefix);
            out.extend_from_slice(&rest[start..=newline]);
            start = newline + 1;
        }
        self.begun.extend_from_slice(open);
        self.limit(prefix, &mut out);
        out
    }

    fn add(&mut self, prefix: &[u8], bytes: &[u8], verdicts: &Verdicts) -> (Vec<u8>, Verdicts) {
        let mut out = Vec::with_capacity(self.begun.len() + bytes.len() + prefix.len());
        let mut moved = Verdicts::default();
        let mut meanings = verdicts.lines.iter().peekable();
        let mut end = 0;
        for newline in memchr_iter(b'\n', bytes) {
            let line = &bytes[end..=newline];
            end = newline + 1;
            if self.begun.is_empty() && !self.is_within {
                out.extend_from_slice(prefix);
                out.extend_from_slice(last_state(line));
            } else {
                self.begun.extend_from_slice(line);
                self.let_go(prefix, &mut out);
            }
            self.is_within = false;
            while meanings.next_if(|verdict| verdict.end < end).is_some() {}
            if let Some(verdict) = meanings.next_if(|verdict| verdict.end == end) {
                moved.lines.push(Verdict {
                    end: out.len(),
                    ..verdict.clone()
                });
            }
        }
        self.begun.extend_from_slice(&bytes[end..]);
        if !self.is_within {
            let shown = last_state(&self.begun).len();
            self.begun.drain(..self.begun.len() - shown);
        }
        self.limit(prefix, &mut out);
        (out, moved)
    }

    /// Lets a line go on that is too long to be kept.
    fn limit(&mut self, prefix: &[u8], out: &mut Vec<u8>) {
        if self.begun.len() > LONGEST || self.is_within {
            let is_begun = self.is_within || !self.begun.is_empty();
            self.let_go(prefix, out);
            self.is_within = is_begun;
        }
    }

    fn let_go(&mut self, prefix: &[u8], out: &mut Vec<u8>) {
        if self.begun.is_empty() {
            return;
        }
        if self.is_within {
            out.append(&mut self.begun);
            return;
        }
        out.extend_from_slice(prefix);
        out.extend_from_slice(last_state(&self.begun));
        self.begun.clear();
    }
}

/// What is seen of a line that carriage returns redraw; those at its end are part of the line end of a terminal.
fn last_state(line: &[u8]) -> &[u8] {
    let text = line.strip_suffix(b"\n").unwrap_or(line);
    let ends = text.iter().rev().take_while(|byte| **byte == b'\r');
    let text = &text[..text.len() - ends.count()];
    memrchr(b'\r', text).map_or(line, |redrawn| &line[redrawn + 1..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::verdict::Meaning;

    fn tag() -> Tag {
        Tag::new("a\tb", 1, [false; 2])
    }

    /// What is shown of these pieces on stdout.
    fn tagged(pieces: &[&str]) -> String {
        let mut tag = tag();
        let mut out = Vec::new();
        for piece in pieces {
            let (bytes, _) = tag.add(Stream::Stdout, piece.as_bytes(), &Verdicts::default());
            out.extend(bytes);
        }
        out.extend(tag.end(Stream::Stdout));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn each_line_has_the_name_before_it_however_it_is_cut_and_the_last_one_too() {
        assert_eq!(tagged(&["one\n\ntwo\n"]), "a b\tone\na b\t\na b\ttwo\n");
        assert_eq!(tagged(&["o", "ne", "\ntw", "o"]), "a b\tone\na b\ttwo");
        assert_eq!(tagged(&["one\r\ntwo\r\n"]), "a b\tone\r\na b\ttwo\r\n");
        assert_eq!(tagged(&["one\r", "\ntwo\n"]), "a b\tone\r\na b\ttwo\n");
        assert_eq!(tagged(&[""]), "");
    }

    #[test]
    fn of_a_line_that_is_redrawn_only_the_last_state_is_shown() {
        assert_eq!(tagged(&["1%\r2%\r3%\nend\n"]), "a b\t3%\na b\tend\n");
        assert_eq!(tagged(&["1%\r", "2%\r", "3%\r\n"]), "a b\t3%\r\n");
        assert_eq!(tagged(&["\r1%", "\r2%", "\r3%"]), "a b\t3%");
        assert_eq!(tagged(&["1%\r2%\r"]), "a b\t2%\r");
    }

    #[test]
    fn a_meter_without_an_end_takes_no_memory() {
        let mut tag = tag();
        for percent in 0..100_000 {
            let state = format!("\r{percent} of many");
            let (out, _) = tag.add(Stream::Stdout, state.as_bytes(), &Verdicts::default());
            assert_eq!(out, b"");
        }
        assert!(tag.lines[0].begun.len() < 100);
    }

    #[test]
    fn a_line_without_an_end_is_not_kept_without_end_and_has_one_tag() {
        let long = "x".repeat(LONGEST);
        let pieces = [long.as_str(), "y", "z\nnext", "\n"];
        assert_eq!(tagged(&pieces), format!("a b\t{long}yz\na b\tnext\n"));
        let pieces = [long.as_str(), "y", "\r", "z", "\nnext\n"];
        assert_eq!(tagged(&pieces), format!("a b\t{long}y\rz\na b\tnext\n"));
    }

    #[test]
    fn the_streams_have_lines_and_colors_of_their_own() {
        let mut tag = Tag::new("job", 2, [false, true]);
        let none = Verdicts::default();
        let (out, _) = tag.add(Stream::Stdout, b"on", &none);
        assert_eq!(out, b"");
        let (out, _) = tag.add(Stream::Stderr, b"two\n", &none);
        assert_eq!(out, b"\x1b[32mjob\x1b[39m\ttwo\n");
        let (out, _) = tag.add(Stream::Stdout, b"e\n", &none);
        assert_eq!(out, b"job\tone\n");
    }

    #[test]
    fn what_a_line_means_goes_on_with_it() {
        let mut tag = tag();
        let verdict = |end| Verdict {
            end,
            source: "restic",
            meaning: Meaning::Progress,
        };
        let (out, _) = tag.add(Stream::Stdout, b"{", &Verdicts::default());
        assert_eq!(out, b"");
        let verdicts = Verdicts {
            lines: vec![verdict(2), verdict(10)],
            is_begun: true,
        };
        let (out, moved) = tag.add(Stream::Stdout, b"}\ntext\n{}\n{", &verdicts);
        assert_eq!(out, b"a b\t{}\na b\ttext\na b\t{}\n");
        assert_eq!(moved.lines, [verdict(7), verdict(23)]);
    }
}
