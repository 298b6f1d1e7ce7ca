//! The end of what a child printed, of which the last line is told. Knows neither the child nor the place where it is
//! told.

/// How much is kept, in bytes: no line of a terminal shows more.
const TAIL: usize = 1024;

/// The end of an output.
#[derive(Debug, Default)]
pub(super) struct Tail(Vec<u8>);

impl Tail {
    /// Takes in output.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let kept = &bytes[bytes.len().saturating_sub(TAIL)..];
        let excess = (self.0.len() + kept.len()).saturating_sub(TAIL);
        self.0.drain(..excess.min(self.0.len()));
        self.0.extend_from_slice(kept);
    }

    /// What is printed from now on does not go on with what was printed before.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// The last line that is not blank, complete or not; of one that is redrawn, what it was at last.
    pub(super) fn last_line(&self) -> Option<&[u8]> {
        let mut lines = self.0.rsplit(|byte| matches!(byte, b'\n' | b'\r'));
        lines.find(|line| !line.trim_ascii().is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_long_line_the_end_is_kept() {
        let mut tail = Tail::default();
        for _ in 0..100 {
            tail.push(&[b'x'; 5000]);
            tail.push(b"y");
            assert!(tail.0.len() <= TAIL);
        }
        assert_eq!(tail.last_line().unwrap().last(), Some(&b'y'));
    }

    #[test]
    fn the_last_line_may_be_open_and_blank_lines_are_none() {
        let mut tail = Tail::default();
        assert_eq!(tail.last_line(), None);
        tail.push(b"first\nsecond\n  \n\r\n");
        assert_eq!(tail.last_line(), Some(&b"second"[..]));
        tail.push(b"10%\r20%");
        assert_eq!(tail.last_line(), Some(&b"20%"[..]));
    }
}
