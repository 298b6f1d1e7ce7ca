//! What the readers of formats say of the lines in a piece of output. It travels beside the bytes, so that no sink has to
//! read them a second time.
//!
//! Says what a line means. Refuses to know what is to be seen of it on a screen.

/// What was found in one piece of output.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdicts {
    /// The lines for machines that end in the piece, in order. Any other line is for people.
    pub lines: Vec<Verdict>,
    /// Whether the line that is open at the end of the piece begins as one for machines does.
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
    /// How far things are, and nothing else.
    Progress,
    /// A command that another progrun runs has printed these bytes; or nothing, where the line says what only a program
    /// wants to know.
    Output(Vec<u8>),
    /// A sentence of another progrun. Names of files and processes of other users are in it, so it is no more fit for a
    /// terminal than they are.
    Sentence(String),
}

impl Verdicts {
    /// Cuts the piece at `at` bytes: what is left here is about the rest of it, what is returned about its head.
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

    /// Adds what was found in the next piece, which begins at `at` bytes.
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
