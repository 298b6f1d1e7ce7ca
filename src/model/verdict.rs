//! The dialects' verdicts on the lines in a piece of output. They travel beside the bytes, so no sink reads these a
//! second time.
//!
//! Says what a line means. Does not know what a screen shows of it.

/// The verdicts on one piece of output.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdicts {
    /// The lines for machines that end in the piece, in order. Any other line is for people.
    pub lines: Vec<Verdict>,
    /// Whether the open line at the end of the piece begins like a line for machines.
    pub is_begun: bool,
}

/// What a line for machines means. It may have begun in an earlier piece.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Where in the piece the line ends, its newline included.
    pub end: usize,
    /// The name of its format.
    pub source: &'static str,
    /// What it means.
    pub meaning: Meaning,
}

/// What a line for machines means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// Progress, and nothing else.
    Progress,
    /// An event of another progrun: its command printed these bytes. Empty: the event is of use only to programs.
    Output(Vec<u8>),
    /// A sentence of another progrun. It may quote names of files and processes of other users, so it is as unsafe for
    /// a terminal as these are.
    Sentence(String),
}

impl Verdicts {
    /// Cuts the piece at `at` bytes: the verdicts that stay are about the rest of it, those returned about its head.
    #[must_use]
    pub(crate) fn split_to(&mut self, at: usize) -> Self {
        let count = self.lines.partition_point(|line| line.end <= at);
        let rest = self.lines.split_off(count);
        let head = std::mem::replace(&mut self.lines, rest);
        for line in &mut self.lines {
            line.end -= at;
        }
        Self {
            lines: head,
            is_begun: false,
        }
    }

    /// Adds the verdicts on the next piece, which begins at `at` bytes.
    pub(crate) fn append(&mut self, at: usize, next: &Self) {
        let moved = next.lines.iter().cloned().map(|line| Verdict {
            end: line.end + at,
            ..line
        });
        self.lines.extend(moved);
        self.is_begun = next.is_begun;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_and_put_together_again_is_about_the_same_lines() {
        let verdict = |end| Verdict {
            end,
            source: "restic",
            meaning: Meaning::Progress,
        };
        let mut rest = Verdicts {
            lines: [3, 5, 9].map(verdict).to_vec(),
            is_begun: true,
        };
        let mut head = rest.split_to(5);
        assert_eq!(head.lines, [3, 5].map(verdict));
        assert_eq!(rest.lines, [4].map(verdict));
        assert!(rest.is_begun && !head.is_begun);
        head.append(5, &rest);
        assert_eq!(head.lines, [3, 5, 9].map(verdict));
        assert!(head.is_begun);
    }
}
