//! How many values are in the bytes of a list, by the same rules by which the values are read.

use super::csv::Csv;
use super::values::{Kind, Tally};

/// Counts values.
#[derive(Clone, Debug)]
pub(super) enum Counter {
    Values(Tally),
    Records(Csv),
}

impl Counter {
    pub(super) fn values(kind: Kind) -> Self {
        Self::Values(Tally::new(kind))
    }

    pub(super) fn records(comma: u8) -> Self {
        Self::Records(Csv::counting(comma))
    }

    /// Takes in the next bytes of the list.
    pub(super) fn add(&mut self, bytes: &[u8]) {
        match self {
            Self::Values(tally) => tally.add(bytes),
            Self::Records(csv) => {
                let mut rest = bytes;
                // A list that is broken has no number of records: the reader finds that out.
                while matches!(csv.next(&mut rest), Ok(Some(_))) {}
            }
        }
    }

    /// How many values have ended.
    pub(super) fn count(&self) -> u64 {
        match self {
            Self::Values(tally) => tally.count(),
            Self::Records(csv) => csv.count(),
        }
    }

    /// How many values there are if the list ends here.
    pub(super) fn count_at_end(&self) -> u64 {
        match self {
            Self::Values(tally) => tally.count_at_end(),
            Self::Records(csv) => {
                let mut csv = csv.clone();
                let _ = csv.finish();
                csv.count()
            }
        }
    }
}
