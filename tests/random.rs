//! Numbers that look random and are the same in every run, so that a test that fails once fails again.

/// A linear congruential generator: its upper bits are good enough for test data.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// A number from 0 up to, but not including, `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let high = usize::try_from(self.0 >> 33).unwrap();
        high % end
    }

    /// One of several.
    pub(crate) fn one_of<'a, T>(&mut self, several: &'a [T]) -> &'a T {
        &several[self.below(several.len())]
    }
}

/// A stream in pieces of some random lengths.
pub(crate) struct Pieces<'a> {
    rest: &'a [u8],
    random: Random,
}

impl<'a> Pieces<'a> {
    pub(crate) fn new(stream: &'a [u8], seed: u64) -> Self {
        Self {
            rest: stream,
            random: Random(seed),
        }
    }
}

impl<'a> Iterator for Pieces<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let length = self.random.below(64) + 1;
        let (piece, after) = self
            .rest
            .split_at_checked(length)
            .unwrap_or((self.rest, &[]));
        self.rest = after;
        (!piece.is_empty()).then_some(piece)
    }
}
