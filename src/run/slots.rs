//! The places where tasks run: slots, numbered from 1, each on one of the machines of the run. A run without other
//! machines has one. Pure: knows no task.

use std::num::NonZeroUsize;

/// As many workers as slots.
pub(super) fn workers(slots: u32) -> NonZeroUsize {
    let slots = usize::try_from(slots).unwrap_or(usize::MAX);
    NonZeroUsize::new(slots).unwrap_or(NonZeroUsize::MIN)
}

/// A machine, as far as it takes tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Machine {
    /// How many slots it has. As long as that is not known, one.
    pub(super) slots: u32,
    /// Whether it says itself how many it has, when it is first reached.
    pub(super) tells_slots: bool,
    /// How many of its tasks may be on their way at once.
    pub(super) at_once: u32,
    /// Whether it stands for many, among which it chooses itself: the loss of one says nothing of the others.
    pub(super) is_many: bool,
}

impl Machine {
    /// The one that progrun runs on, with this many slots.
    pub(super) fn ours(slots: u32) -> Self {
        Self {
            slots,
            tells_slots: false,
            at_once: u32::MAX,
            is_many: false,
        }
    }
}

/// How often in a row a machine may fail to be reached that was reached before; and one that stands for many.
const MISSES: u32 = 3;
const MISSES_OF_MANY: u32 = 20;

#[derive(Debug)]
struct Place {
    machine: Machine,
    in_use: u32,
    on_their_way: u32,
    was_reached: bool,
    misses: u32,
    is_lost: bool,
}

impl Place {
    /// How many slots a task with this wish takes here.
    fn wanted(&self, wish: u32) -> u32 {
        wish.clamp(1, self.machine.slots.max(1))
    }

    fn has_room(&self, wish: u32) -> bool {
        let fits = self.in_use + self.wanted(wish) <= self.machine.slots;
        fits && !self.is_lost && self.on_their_way < self.machine.at_once
    }

    /// How much of it is in use.
    fn share(&self) -> f64 {
        f64::from(self.in_use) / f64::from(self.machine.slots.max(1))
    }
}

/// The slots that a task has taken.
#[derive(Debug)]
pub(super) struct Taken {
    /// Their numbers.
    pub(super) slots: Vec<u32>,
    /// On which machine they are, counted from 0.
    pub(super) machine: usize,
    is_on_its_way: bool,
}

/// All slots of a run.
#[derive(Debug)]
pub(super) struct Slots {
    places: Vec<Place>,
    /// How many may be in use at once, on all machines together.
    most: u32,
    /// Which numbers are taken; may be longer than there are slots after that was lowered.
    taken: Vec<bool>,
}

impl Slots {
    /// Those of these machines, of which at most so many are used.
    pub(super) fn new(machines: &[Machine], most: u32) -> Self {
        let place = |machine: &Machine| Place {
            machine: *machine,
            in_use: 0,
            on_their_way: 0,
            was_reached: false,
            misses: 0,
            is_lost: false,
        };
        Self {
            places: machines.iter().map(place).collect(),
            most,
            taken: Vec::new(),
        }
    }

    /// How many there are.
    pub(super) fn count(&self) -> u32 {
        let places = self.places.iter().filter(|place| !place.is_lost);
        let count = places.fold(0_u32, |sum, place| sum.saturating_add(place.machine.slots));
        count.min(self.most)
    }

    /// From now on so many are used. Of a run without other machines, there are so many.
    pub(super) fn set_count(&mut self, count: u32) {
        self.most = count;
        if let [place] = self.places.as_mut_slice()
            && !place.machine.tells_slots
        {
            place.machine.slots = count;
        }
    }

    fn in_use(&self) -> u32 {
        self.places.iter().map(|place| place.in_use).sum()
    }

    /// Whether a task that takes one slot could take it.
    pub(super) fn has_room(&self) -> bool {
        self.in_use() < self.most && self.places.iter().any(|place| place.has_room(1))
    }

    /// Whether there is any machine left.
    pub(super) fn has_machine(&self) -> bool {
        self.places.iter().any(|place| !place.is_lost)
    }

    /// Takes slots on the machine that has most of its own free.
    pub(super) fn take(&mut self, wish: u32) -> Option<Taken> {
        let left = self.most.saturating_sub(self.in_use());
        let (machine, place) = self
            .places
            .iter_mut()
            .enumerate()
            .filter(|(_, place)| place.has_room(wish))
            .min_by(|(_, one), (_, other)| one.share().total_cmp(&other.share()))?;
        // More than the run may use is never wanted: it would wait for ever.
        let wanted = place.wanted(wish).min(self.most.max(1));
        if wanted > left {
            return None;
        }
        place.in_use += wanted;
        place.on_their_way += 1;
        let mut slots = Vec::with_capacity(wanted as usize);
        for number in 0.. {
            if slots.len() == wanted as usize {
                break;
            }
            if self.taken.len() == number {
                self.taken.push(false);
            }
            if !std::mem::replace(&mut self.taken[number], true) {
                slots.push(u32::try_from(number + 1).unwrap_or(u32::MAX));
            }
        }
        Some(Taken {
            slots,
            machine,
            is_on_its_way: true,
        })
    }

    pub(super) fn give_back(&mut self, taken: &Taken) {
        for slot in &taken.slots {
            if let Some(taken) = self.taken.get_mut(*slot as usize - 1) {
                *taken = false;
            }
        }
        if let Some(place) = self.places.get_mut(taken.machine) {
            let count = u32::try_from(taken.slots.len()).unwrap_or(u32::MAX);
            place.in_use = place.in_use.saturating_sub(count);
            place.on_their_way -= u32::from(taken.is_on_its_way);
        }
    }

    /// The task that has taken these is on its machine, which has so many processors.
    pub(super) fn reached(&mut self, taken: &mut Taken, processors: u32) {
        let Some(place) = self.places.get_mut(taken.machine) else {
            return;
        };
        place.on_their_way -= u32::from(std::mem::take(&mut taken.is_on_its_way));
        place.misses = 0;
        if !std::mem::replace(&mut place.was_reached, true) && place.machine.tells_slots {
            place.machine.slots = processors.max(1);
        }
    }

    /// This machine could not be reached. Gives whether it gets no more tasks since now: that is so at once if it was
    /// never reached.
    pub(super) fn missed(&mut self, machine: usize) -> bool {
        let Some(place) = self.places.get_mut(machine) else {
            return false;
        };
        place.misses += 1;
        let most = if place.machine.is_many {
            MISSES_OF_MANY
        } else {
            MISSES
        };
        let is_lost = !place.was_reached || place.misses >= most;
        is_lost && !std::mem::replace(&mut place.is_lost, true)
    }

    /// This machine has fallen silent. Gives whether it gets no more tasks since now.
    pub(super) fn lose(&mut self, machine: usize) -> bool {
        let place = self.places.get_mut(machine);
        let place = place.filter(|place| !place.machine.is_many);
        place.is_some_and(|place| !std::mem::replace(&mut place.is_lost, true))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(slots: u32) -> Machine {
        Machine {
            slots,
            tells_slots: false,
            at_once: 2,
            is_many: false,
        }
    }

    /// The machines of the next tasks of one slot.
    fn next(slots: &mut Slots, count: usize) -> Vec<(usize, u32)> {
        let next = || {
            let mut taken = slots.take(1)?;
            slots.reached(&mut taken, 1);
            Some((taken.machine, taken.slots[0]))
        };
        std::iter::from_fn(next).take(count).collect()
    }

    #[test]
    fn tasks_are_spread_by_the_sizes_of_the_machines() {
        let mut slots = Slots::new(&[machine(2), machine(4)], u32::MAX);
        assert_eq!(slots.count(), 6);
        let machines = [(0, 1), (1, 2), (1, 3), (0, 4), (1, 5), (1, 6)];
        assert_eq!(next(&mut slots, 9), machines);
        assert!(!slots.has_room());
    }

    #[test]
    fn no_more_are_on_their_way_to_a_machine_than_it_bears() {
        let mut slots = Slots::new(&[machine(8)], u32::MAX);
        let mut first = slots.take(1).unwrap();
        assert!(slots.take(1).is_some());
        assert!(slots.take(1).is_none());
        slots.reached(&mut first, 4);
        assert!(slots.has_room());
    }

    #[test]
    fn a_machine_without_a_number_has_as_many_slots_as_processors_once_it_is_reached() {
        let asks = Machine {
            tells_slots: true,
            ..machine(1)
        };
        let mut slots = Slots::new(&[asks], u32::MAX);
        let mut first = slots.take(1).unwrap();
        assert!(!slots.has_room());
        slots.reached(&mut first, 3);
        assert_eq!(slots.count(), 3);
        slots.give_back(&first);
        let mut again = slots.take(9).unwrap();
        assert_eq!(again.slots.len(), 3);
        slots.reached(&mut again, 8);
        assert_eq!(slots.count(), 3);
    }

    #[test]
    fn a_machine_that_was_never_reached_is_lost_at_once_and_another_after_three_misses_in_a_row() {
        let mut slots = Slots::new(&[machine(1), machine(1)], u32::MAX);
        assert!(slots.missed(0));
        assert!(!slots.missed(0));
        let mut taken = slots.take(1).unwrap();
        assert_eq!(taken.machine, 1);
        slots.reached(&mut taken, 1);
        slots.give_back(&taken);
        assert!(!slots.missed(1));
        assert!(!slots.missed(1));
        assert!(slots.has_machine());
        assert!(slots.missed(1));
        assert!(!slots.has_machine());
        assert!(slots.take(1).is_none());
    }

    #[test]
    fn the_loss_of_a_node_is_not_that_of_the_cluster() {
        let cluster = Machine {
            is_many: true,
            ..machine(4)
        };
        let mut slots = Slots::new(&[cluster], u32::MAX);
        let mut taken = slots.take(1).unwrap();
        slots.reached(&mut taken, 1);
        assert!(!slots.lose(0));
        for _ in 0..3 {
            assert!(!slots.missed(0));
        }
        assert!(slots.has_machine());
    }
}
