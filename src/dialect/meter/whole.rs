//! All tracks of a stream: which one a value belongs to, and which of them is the whole.
//!
//! Does not know how sure a track is: it is asked only about tracks that are believed.

use super::super::record::Record;
use super::label;
use super::notation::{Kind, Role, Value};
use super::track::{Around, Standing, Track, progress};
use crate::protocol::Progress;

/// Most tracks remembered. Programs that have more print figures in running text.
pub(super) const TRACKS: usize = 64;
/// A track that has not moved for so many values can give its place to another.
const RESTED: u64 = 256;

/// What has the bar of the task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Whole {
    #[default]
    Nothing,
    /// The track with this number.
    Track(u64),
    /// The sum of the siblings.
    Siblings,
}

/// The tracks of a stream.
#[derive(Debug, Default)]
pub(super) struct Tracks {
    pub(super) list: Vec<Track>,
    pub(super) whole: Whole,
    /// How many values were read. Also numbers the tracks.
    pub(super) count: u64,
}

impl Tracks {
    pub(super) fn numbered(&self, number: u64) -> Option<usize> {
        self.list.iter().position(|track| track.number == number)
    }

    pub(super) fn siblings(&self) -> impl Iterator<Item = &Track> + Clone {
        self.list
            .iter()
            .filter(|track| track.standing == Standing::Sibling)
    }

    /// Moves the track to which a redrawn value belongs, if the record is like its last one and the value has not fallen.
    /// Gives its index, and that of the value that moved it before.
    pub(super) fn rise(
        &mut self,
        record: Record<'_>,
        value: &Value,
        around: Around<'_>,
    ) -> Option<(usize, u64)> {
        let is_it = |track: &Track| track.row == record.row && track.is_followed_by(value, around);
        let is_new = record.redrawn && !record.again;
        let index = self.list.iter().position(is_it).filter(|_| is_new)?;
        self.count += 1;
        let previous = self.list[index].moved;
        self.list[index].rise(self.count, value);
        Some((index, previous))
    }

    /// The index of the track that a value belongs to. A new one is added, unless there are too many already.
    pub(super) fn find(
        &mut self,
        record: Record<'_>,
        value: &Value,
        around: Around<'_>,
    ) -> Option<usize> {
        self.count += 1;
        let name = around.name(record, value);
        let is_item = |value: &Value| value.role == Role::Item;
        let like = |track: &Track| {
            track.redrawn == record.redrawn
                && track.value.kind == value.kind
                && (is_item(&track.value) == is_item(value) || record.redrawn && track.name == name)
        };
        let same_total = |track: &Track| track.value.total() == value.total();
        let is_it = |track: &Track| {
            let in_place = !record.redrawn || track.row == record.row || same_total(track);
            let is_next = track.row == record.row || track.row < record.top;
            like(track) && (track.name == name && in_place || is_item(value) && is_next)
        };
        if let Some(index) = self.list.iter().position(is_it) {
            return Some(index);
        }
        let family = label::family(around.before);
        let replaced = self.replaced(record, value, &family);
        if let Some(index) =
            replaced.filter(|index| like(&self.list[*index]) && same_total(&self.list[*index]))
        {
            self.list[index].rename(name, family);
            return Some(index);
        }
        if self.list.len() == TRACKS {
            let others =
                (0..TRACKS).filter(|index| Whole::Track(self.list[*index].number) != self.whole);
            let oldest = others.min_by_key(|index| self.list[*index].moved)?;
            // All of them are on the screen: in place of one, the next one would only be the oldest.
            if self.list[oldest].moved + RESTED > self.count {
                return None;
            }
            self.list.swap_remove(oldest);
        }
        let mut track = Track::new(self.count, record, value, name, family);
        if self.list.iter().any(|other| other.id == track.id) {
            track.id = format!("{} {}", track.id, self.count);
        }
        self.list.push(track);
        Some(self.list.len() - 1)
    }

    /// The track whose place a value with another name has taken: the one on the same row, or one that has gone on to
    /// a lower row. It is the same meter, with another item.
    fn replaced(&self, record: Record<'_>, value: &Value, family: &str) -> Option<usize> {
        if !record.redrawn {
            return None;
        }
        let tracks = self.list.iter().enumerate();
        let here = tracks.clone().filter(|(_, track)| track.row == record.row);
        let mut above = tracks.filter(|(_, track)| {
            let has_gone = track.redrawn && track.row < record.top;
            let goes_on = value.amount.is_some() && track.value.percentage < value.percentage;
            has_gone && goes_on && track.family != family && track.value.total() == value.total()
        });
        let last = here
            .max_by_key(|(_, track)| track.moved)
            .or_else(|| above.next());
        last.map(|(index, _)| index)
    }

    /// Whether a record without a number has taken the place of the meter of the task, which is over then: it was full,
    /// or the record says so, `Reading package lists... Done`.
    pub(super) fn is_replaced_by(&self, record: Record<'_>) -> bool {
        let Whole::Track(whole) = self.whole else {
            return false;
        };
        let is_it =
            |track: &&Track| track.number == whole && track.redrawn && track.row == record.row;
        self.list.iter().find(is_it).is_some_and(|track| {
            let says_so = || label::label(record.text, b"").starts_with(&track.label);
            track.evidence.is_full() || !track.label.is_empty() && says_so()
        })
    }

    /// Decides what the track that has just moved is: the whole, a part of it, or one of several siblings. `previous` is
    /// the index of the value that moved it before.
    pub(super) fn assign(&mut self, index: usize, previous: u64, record: Record<'_>) {
        match self.whole {
            Whole::Track(whole) if whole == self.list[index].number => {}
            Whole::Track(whole) => match self.numbered(whole) {
                Some(holder) => self.beside(index, holder, previous, record),
                None => self.begin(index, record),
            },
            Whole::Siblings => self.beside_siblings(index, previous),
            // The whole is over, and its part with it.
            Whole::Nothing if self.list[index].is_part() && self.list[index].evidence.is_full() => {
            }
            Whole::Nothing => self.begin(index, record),
        }
    }

    /// The track has the bar of the task, unless it moves inside another that has not moved yet.
    fn begin(&mut self, index: usize, record: Record<'_>) {
        let whole = match self.outer(index, record) {
            Some(outer) => {
                self.list[outer].evidence.believe();
                self.list[index].standing = Standing::Part;
                outer
            }
            None => index,
        };
        self.whole = Whole::Track(self.list[whole].number);
    }

    /// The meter above this one on the screen that began before it and waits for it: of two nested tqdms the outer one.
    fn outer(&self, index: usize, record: Record<'_>) -> Option<usize> {
        let inner = &self.list[index];
        self.list.iter().position(|track| {
            let is_above = track.is_drawn
                && track.number < inner.number
                && (record.top..inner.row).contains(&track.row);
            let waits = !track.evidence.is_full() && !track.is_sibling_of(inner);
            track.redrawn && (inner.is_item_of(track) || is_above && waits)
        })
    }

    /// Another track is the whole.
    fn beside(&mut self, index: usize, holder: usize, previous: u64, record: Record<'_>) {
        let (other, track) = (&self.list[holder], &self.list[index]);
        // Each of the two went on between two records of the other.
        let beside = track.began <= previous && other.moved > previous;
        let is_inside = track.redrawn && (record.top..track.row).contains(&other.row);
        let is_over = other.evidence.is_full();
        // The outer one of two nested meters began first.
        let is_outer = beside && track.began < other.began && !is_over;
        if beside && track.is_sibling_of(other) {
            self.list[index].standing = Standing::Sibling;
            self.list[holder].standing = Standing::Sibling;
            self.whole = Whole::Siblings;
        } else if track.is_item_of(other) {
            self.list[index].standing = Standing::Part;
        } else if is_outer || other.is_item_of(track) {
            self.whole = Whole::Track(track.number);
            self.list[holder].standing = Standing::Part;
        } else if !is_over && (beside || is_inside || track.is_part()) {
            self.list[index].standing = Standing::Part;
        } else {
            self.begin(index, record);
        }
    }

    /// Siblings are the whole.
    fn beside_siblings(&mut self, index: usize, previous: u64) {
        let track = &self.list[index];
        if track.standing == Standing::Sibling {
            return;
        }
        let is_one = self.siblings().any(|other| track.is_sibling_of(other));
        let all_over = self.siblings().all(|other| other.evidence.is_full());
        let began_first = self.siblings().all(|other| track.began < other.began);
        let beside = track.began <= previous && self.siblings().any(|other| other.moved > previous);
        if is_one && !all_over {
            self.list[index].standing = Standing::Sibling;
        } else if all_over || beside && began_first {
            self.whole = Whole::Track(track.number);
            let siblings = self
                .list
                .iter_mut()
                .filter(|track| track.standing == Standing::Sibling);
            siblings.for_each(|track| track.standing = Standing::Part);
        } else {
            self.list[index].standing = Standing::Part;
        }
    }

    /// All siblings together.
    pub(super) fn sum(&self) -> Progress<'static> {
        let siblings = self.siblings().map(|track| track.value);
        let mut whole = self.list[0].value;
        let (mut done, mut total) = (0.0, 0.0);
        for value in siblings {
            let amount = value.amount.unwrap_or((value.percentage, 100.0));
            (done, total) = (done + amount.0, total + amount.1);
            whole.kind = value.kind;
        }
        whole.role = Role::Own;
        whole.percentage = done / total * 100.0;
        whole.amount = (whole.kind != Kind::Percentage).then_some((done, total));
        progress(&whole)
    }
}
