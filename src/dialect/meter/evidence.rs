//! The evidence that a number is progress: how it moves, and what its record looks like. All thresholds are here.
//!
//! A false bar is worse than none, so a number must show more the less its form says by itself. A record that is
//! redrawn with a bar or a time left is meant to be watched, and one rise is enough. A plain line may be a row of a
//! table, an entry of a log or a measurement. There, chance has to be ruled out: of seven random values, one list in
//! 5,040 rises. Even steps from the start of a list are no chance. Does not know what the words around a number are.

use std::time::{Duration, Instant};

use super::form::{Bar, Form};
use super::notation::{Kind, Rest, Role, Stand, Value};
use super::words::Speech;

/// Plain lines that come within this time are one piece of evidence: a table is printed at once.
const AT_ONCE: Duration = Duration::from_millis(50);
/// A meter begins at no more than this, in percent. What is measured begins anywhere.
const LOW: f64 = 20.0;
/// A plain percentage must have come this far. Rates, losses and savings stay below.
const REACH: f64 = 10.0;
/// The same for a number in brackets, which is hardly ever anything else; and a list that has fallen to less begins
/// again.
const BRACKETS: f64 = 5.0;
/// The same where the words say nothing of progress.
const FAR: f64 = 40.0;
/// From here on, in percent, a meter is full.
pub(super) const FULL: f64 = 99.5;
/// A redrawn meter that falls to no more than this has begun again.
const RESTART: f64 = 10.0;
/// A fall of fewer points is a correction of an estimate, where the form says that it is a meter.
const DIP: f64 = 5.0;
/// A redrawn meter rises this many times as often as it falls: rsync finds more files while it copies. Without a rate,
/// a time left or an amount it may as well be a gauge, and has to be steadier.
const FORGIVEN: u32 = 2;
const GAUGE: u32 = 4;
/// A redrawn percentage that has come so far may begin again without a bar.
const NEARLY: f64 = 90.0;
/// Numbers in brackets may slip by so much: a parallel build ends its steps in another order.
const SLIP: f64 = 2.0;
/// A list may begin again so often before it is believed. One that comes more often is a cycle.
const LISTS: u32 = 2;
/// A plain meter changes the words beside it at most once in this many lines.
const VARIED: u32 = 4;
/// Steps that differ by no more than this, in points, are even: programs round to whole percents.
const EVEN: f64 = 1.01;

/// How often a number must have risen, by what its record looks like.
mod needed {
    /// Redrawn with a rate, a time left, or said twice; with a bar or so many bytes, if it begins low. A plain line
    /// with a time left that is said twice.
    pub(super) const DRAWN: u32 = 1;
    /// Redrawn, a count of a constant total and nothing else; or a bar that begins high.
    pub(super) const COUNT: u32 = 2;
    /// Redrawn, a percentage and nothing else.
    pub(super) const LONE: u32 = 3;
    /// A plain line with a time left; or a count that says itself that it is one of steps.
    pub(super) const SPEAKING: u32 = 2;
    /// A plain line with a bar; a counter that goes up by one from the start, in brackets or at the beginning of the
    /// line; even percentages in brackets or alone on the line; bytes of bytes beside a rate; said twice beside a word
    /// that says what is done.
    pub(super) const FORMAL: u32 = 3;
    /// A counter between words, or even percentages that are said to be progress.
    pub(super) const EVEN: u32 = 4;
    /// A counter between words that are others on each line.
    pub(super) const VARYING: u32 = 5;
    /// Even percentages without such a word.
    pub(super) const EVEN_WORDLESS: u32 = 6;
    /// A counter of items beside a measure of each: `epoch 3 of 75: accuracy 45%`.
    pub(super) const BESIDE: u32 = 20;
    /// Anything that rises in uneven steps: by chance, six rises are one in 5,040 lists.
    pub(super) const UNEVEN: u32 = 6;
}

/// One number of a record, and what the record says of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading<'a> {
    pub(super) value: &'a Value,
    pub(super) form: Form,
    /// What the words of the record say of it.
    pub(super) speech: Speech,
    /// What the number is about, by the words beside it, as a hash.
    pub(super) subject: u64,
    /// All the words before it, as a hash.
    pub(super) phase: u64,
    /// Whether the program draws a full screen, such as a monitor does.
    pub(super) on_screen: bool,
    /// When the record came, if it is known.
    pub(super) now: Option<Instant>,
}

impl Reading<'_> {
    /// Whether the form alone says that the number is a meter's.
    pub(super) fn is_drawn(&self) -> bool {
        self.form.bar != Bar::Nothing || self.form.time_left
    }

    /// What is counted: things or bytes; or points of a percentage.
    fn done(&self) -> f64 {
        self.value
            .amount
            .map_or(self.value.percentage, |(done, _)| done)
    }

    /// Whether the record says so much that its number cannot be that of a gauge.
    fn is_measured(&self) -> bool {
        let is_counted = matches!(self.value.role, Role::Count(_) | Role::Item);
        self.form.time_left || self.form.rate || self.is_twice() || is_counted
    }

    fn says_done(&self) -> bool {
        self.speech == Speech::Done
    }

    fn is_twice(&self) -> bool {
        self.value.rest == Rest::Agrees
    }

    fn is_beside(&self) -> bool {
        self.value.rest == Rest::Differs
    }
}

/// What is known of one number from its records.
#[derive(Clone, Debug)]
pub(super) struct Evidence {
    redrawn: bool,
    records: u32,
    falls: u32,
    rises: u32,
    first: f64,
    first_done: f64,
    last: f64,
    done: f64,
    /// The last value, and when it came, of plain lines with some time between them.
    counted: f64,
    at: Option<Instant>,
    total: Option<f64>,
    /// The first step, and whether all others were like it.
    step: f64,
    is_even: bool,
    /// How often the same list began.
    lists: u32,
    /// How often the subject changed.
    changes: u32,
    subject: u64,
    phase: u64,
    belief: Belief,
}

/// What the evidence has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Belief {
    Open,
    Believed,
    /// No meter, unless another list begins.
    Out,
}

impl Evidence {
    pub(super) fn new(redrawn: bool) -> Self {
        Self {
            redrawn,
            records: 0,
            falls: 0,
            rises: 0,
            first: 0.0,
            first_done: 0.0,
            last: 0.0,
            done: 0.0,
            counted: 0.0,
            at: None,
            total: None,
            step: 0.0,
            is_even: true,
            lists: 0,
            changes: 0,
            subject: 0,
            phase: 0,
            belief: Belief::Open,
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.last >= FULL
    }

    pub(super) fn is_believed(&self) -> bool {
        self.belief == Belief::Believed
    }

    /// The form is enough: it waits for another one that moves inside it.
    pub(super) fn believe(&mut self) {
        self.belief = Belief::Believed;
    }

    /// Takes in a value of a redrawn meter that is believed, no lower than the last, from a record that is otherwise like
    /// it.
    pub(super) fn rise(&mut self, value: &Value) {
        self.records += 1;
        self.rises += u32::from(value.percentage > self.last);
        self.last = value.percentage;
        self.done = value.amount.map_or(value.percentage, |(done, _)| done);
    }

    /// Takes in the next record. Gives whether it begins the number again: a phase.
    pub(super) fn take_in(&mut self, reading: &Reading<'_>) -> bool {
        let begins = self.records == 0 || self.begins_again(reading);
        if begins {
            self.begin(reading);
        } else {
            self.go_on(reading);
        }
        self.records += 1;
        self.last = reading.value.percentage;
        self.done = reading.done();
        self.total = reading.value.total();
        self.subject = reading.subject;
        self.phase = reading.phase;
        let is_enough = || {
            let needed = self.needed(reading);
            needed.is_some_and(|needed| self.rises >= needed)
        };
        let forgiven = if reading.is_measured() {
            FORGIVEN
        } else {
            GAUGE
        };
        if self.falls * forgiven > self.rises {
            self.belief = Belief::Open;
        } else if self.belief == Belief::Open
            && (reading.value.rest == Rest::Certain || is_enough())
        {
            self.belief = Belief::Believed;
        }
        begins
    }

    /// The first record, or the first of a phase. What has been believed stays so.
    fn begin(&mut self, reading: &Reading<'_>) {
        // The next list of another length adds to the evidence. The same one again is a cycle.
        let is_other = self.total != reading.value.total();
        let goes_on = self.goes_up_by_one() && reading.done() <= 1.0 && is_other;
        self.lists = if is_other { 0 } else { self.lists + 1 };
        if self.belief == Belief::Out {
            self.belief = Belief::Open;
        }
        if self.records == 0 || !self.redrawn && !goes_on {
            self.rises = 0;
            self.step = 0.0;
            self.is_even = true;
            self.first = reading.value.percentage;
            self.first_done = reading.done();
        }
        self.counted = reading.done();
        self.at = reading.now;
    }

    fn begins_again(&self, reading: &Reading<'_>) -> bool {
        let (done, percentage) = (reading.done(), reading.value.percentage);
        if reading.value.role == Role::Item {
            return percentage < self.last;
        }
        if self.redrawn {
            let falls_to_none = percentage < self.last - DIP && percentage <= RESTART;
            return falls_to_none && (self.is_full() || self.last >= NEARLY || reading.is_drawn());
        }
        let grows = reading.says_done() && reading.value.total() > self.total && done > self.done;
        let other_total = self.total != reading.value.total() && !grows;
        let in_brackets = reading.value.stand == Stand::Brackets;
        let is_first = if reading.value.amount.is_some() {
            done <= 1.0
        } else {
            in_brackets && percentage <= BRACKETS
        };
        let falls = done < self.done;
        match self.belief {
            Belief::Open if self.lists <= LISTS => other_total || falls && is_first,
            Belief::Open => other_total,
            // Another list may follow one that was none.
            Belief::Out => (other_total || falls && self.lists <= LISTS) && is_first,
            // A phase: from its first item, from a full meter, or under other words.
            Belief::Believed => {
                let other_words = reading.phase != self.phase && percentage <= LOW;
                let is_phase = is_first || self.is_full() || reading.form.time_left || other_words;
                falls && is_phase || other_total && is_first
            }
        }
    }

    fn go_on(&mut self, reading: &Reading<'_>) {
        let (done, percentage) = (reading.done(), reading.value.percentage);
        self.changes += u32::from(reading.subject != self.subject);
        if self.redrawn {
            self.rises += u32::from(percentage > self.last);
            let dip = if reading.form.time_left || reading.is_twice() || reading.form.rate {
                DIP
            } else {
                0.0
            };
            self.falls += u32::from(percentage < self.last - dip);
            return;
        }
        let step = done - self.done;
        if step.abs() > 0.0 {
            let tolerance = if reading.value.amount.is_some() {
                0.0
            } else {
                EVEN
            };
            if self.step.abs() <= 0.0 {
                self.step = step;
            }
            self.is_even &= (step - self.step).abs() <= tolerance;
        }
        let is_small = reading.value.stand == Stand::Brackets && percentage >= self.last - SLIP;
        if done < self.done && reading.form.time_left {
            self.falls += 1;
        } else if done < self.done && !is_small {
            // One fall, and it is not a meter.
            self.belief = Belief::Out;
        }
        let is_apart = match (self.at, reading.now) {
            (Some(at), Some(now)) => now.saturating_duration_since(at) >= AT_ONCE,
            _ => false,
        };
        if is_apart {
            self.rises += u32::from(done > self.counted);
            self.counted = done;
            self.at = reading.now;
        }
    }

    /// How often the number must have risen; none if nothing it does is enough.
    fn needed(&self, reading: &Reading<'_>) -> Option<u32> {
        if self.redrawn {
            self.needed_redrawn(reading)
        } else if reading.form.time_left {
            Some(if reading.is_twice() {
                needed::DRAWN
            } else {
                needed::SPEAKING
            })
        } else if reading.form.bar == Bar::Framed && self.keeps_its_words() {
            (self.first <= LOW || reading.says_done()).then_some(needed::FORMAL)
        } else if reading.value.kind == Kind::Percentage {
            self.needed_percentage(reading)
        } else {
            self.needed_count(reading)
        }
    }

    fn needed_redrawn(&self, reading: &Reading<'_>) -> Option<u32> {
        let form = reading.form;
        let speaks = reading.is_drawn()
            || reading.says_done()
            || matches!(reading.value.role, Role::Count(_) | Role::Item)
            || reading.value.stand == Stand::Alone;
        if reading.on_screen && !speaks {
            return None;
        }
        // Two percentages in one record are two gauges, unless a time is left.
        let is_one_of_two = reading.value.kind == Kind::Percentage && reading.is_beside();
        if is_one_of_two
            && !form.time_left
            && !reading.says_done()
            && reading.value.role != Role::Item
        {
            return None;
        }
        if reading.is_measured() {
            return Some(needed::DRAWN);
        }
        if form.bar != Bar::Nothing {
            return Some(if self.first <= LOW {
                needed::DRAWN
            } else {
                needed::COUNT
            });
        }
        if reading.value.amount.is_some() {
            return Some(needed::COUNT);
        }
        let is_steady = self.falls == 0 && (self.first <= LOW || reading.says_done());
        is_steady.then_some(if form.size {
            needed::DRAWN
        } else {
            needed::LONE
        })
    }

    fn needed_count(&self, reading: &Reading<'_>) -> Option<u32> {
        use Stand::{Brackets, Leads, Parentheses};
        let value = reading.value;
        let is_formal = matches!(value.stand, Brackets | Leads | Parentheses);
        if self.goes_up_by_one() && value.kind == Kind::Count {
            return Some(
                if value.role == Role::Step || reading.is_twice() && reading.says_done() {
                    needed::SPEAKING
                } else if value.stand == Brackets || is_formal && !reading.is_beside() {
                    needed::FORMAL
                } else if reading.is_beside() {
                    needed::BESIDE
                } else if self.keeps_its_words() {
                    needed::EVEN
                } else {
                    needed::VARYING
                },
            );
        }
        if !(self.first <= LOW || reading.says_done()) || self.last < REACH || reading.is_beside() {
            return None;
        }
        let is_measured = value.kind == Kind::Bytes && reading.form.rate;
        let is_from_start = self.is_even && self.first_done <= self.step;
        if is_measured && (reading.is_twice() || self.keeps_its_words())
            || reading.is_twice() && reading.says_done()
        {
            return Some(needed::FORMAL);
        }
        let rises = if is_from_start && reading.says_done() {
            needed::FORMAL
        } else if is_from_start {
            needed::EVEN
        } else {
            needed::UNEVEN
        };
        let speaks = is_from_start || reading.is_twice() || reading.says_done();
        (speaks && (self.keeps_its_words() || value.stand == Brackets)).then_some(rises)
    }

    /// Whether each line counts one more, from the first on.
    fn goes_up_by_one(&self) -> bool {
        self.is_even && (self.step - 1.0).abs() < f64::EPSILON && self.first_done <= 1.0
    }

    fn needed_percentage(&self, reading: &Reading<'_>) -> Option<u32> {
        let value = reading.value;
        let is_from_start = self.is_even && self.first <= self.step + EVEN;
        if reading.is_beside() || !(self.first <= LOW || is_from_start || reading.says_done()) {
            return None;
        }
        if value.stand == Stand::Brackets {
            let is_low = self.last < BRACKETS;
            return (!is_low).then_some(if is_from_start {
                needed::FORMAL
            } else {
                needed::UNEVEN
            });
        }
        if self.last < REACH || !self.keeps_its_words() {
            return None;
        }
        if value.stand == Stand::Alone {
            return Some(if is_from_start {
                needed::FORMAL
            } else {
                needed::UNEVEN
            });
        }
        if reading.form.rate && value.stand != Stand::Column {
            return Some(needed::EVEN);
        }
        if reading.says_done() {
            return Some(if is_from_start {
                needed::EVEN
            } else {
                needed::UNEVEN
            });
        }
        if self.last < FAR || value.stand == Stand::Column || reading.speech == Speech::Measure {
            return None;
        }
        Some(if is_from_start {
            needed::EVEN_WORDLESS
        } else {
            needed::UNEVEN
        })
    }

    /// Whether the words around the number are the same from line to line, but for a few phases.
    fn keeps_its_words(&self) -> bool {
        self.changes * VARIED <= self.records
    }
}
