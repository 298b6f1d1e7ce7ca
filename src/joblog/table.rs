//! A table from identities to numbers, for millions of them: 20 bytes each, and a fifth of them free.
//!
//! The map of the standard library takes 70 bytes where its size has just doubled. Here each of many small parts grows
//! by itself, by a quarter. Knows nothing of what the numbers mean.

use super::identity::Key;

/// The table.
#[derive(Debug)]
pub(super) struct Table {
    parts: Vec<Part>,
}

/// An identity and its number, or all 0: free.
type Slot = [u32; 5];

/// Open addressing: a slot that is taken has the search go on at the next one.
#[derive(Debug, Default)]
struct Part {
    slots: Vec<Slot>,
    used: usize,
}

const PARTS: usize = 256;

impl Default for Table {
    fn default() -> Self {
        Self {
            parts: (0..PARTS).map(|_| Part::default()).collect(),
        }
    }
}

impl Table {
    /// The number of an identity, if there is one.
    pub(super) fn get(&self, key: Key) -> Option<u32> {
        let part = &self.parts[part_of(key)];
        let slot = part.slots.get(part.find(key)?)?;
        (slot[0] != 0).then_some(slot[4])
    }

    /// The number of an identity, which is 0 if there was none.
    pub(super) fn entry(&mut self, key: Key) -> &mut u32 {
        let part = &mut self.parts[part_of(key)];
        let index = part.place(key);
        let slot = &mut part.slots[index];
        if slot[0] == 0 {
            slot[..4].copy_from_slice(&key);
            part.used += 1;
        }
        &mut slot[4]
    }
}

fn part_of(key: Key) -> usize {
    key[1] as usize % PARTS
}

impl Part {
    /// Where an identity is, or the free slot where it would be; none if there are no slots.
    fn find(&self, key: Key) -> Option<usize> {
        let size = self.slots.len();
        if size == 0 {
            return None;
        }
        let mut index = key[2] as usize % size;
        while self.slots[index][0] != 0 && self.slots[index][..4] != key {
            index = (index + 1) % size;
        }
        Some(index)
    }

    /// The same, with room made for one more.
    fn place(&mut self, key: Key) -> usize {
        let size = self.slots.len();
        if (self.used + 1) * 8 > size * 7 {
            let larger = vec![[0; 5]; (size + size / 4).max(8)];
            let slots = std::mem::replace(&mut self.slots, larger);
            for slot in slots.into_iter().filter(|slot| slot[0] != 0) {
                let [a, b, c, d, _] = slot;
                if let Some(index) = self.find([a, b, c, d]) {
                    self.slots[index] = slot;
                }
            }
        }
        // There is room now.
        self.find(key).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keys that are hardly spread, so that many want the same place.
    fn key(number: u32) -> Key {
        [number * 2 + 1, number % 3, number % 5, 0]
    }

    #[test]
    fn every_identity_has_its_own_number() {
        let mut table = Table::default();
        assert_eq!(table.get(key(0)), None);
        for number in 0..5000 {
            *table.entry(key(number)) += number;
        }
        for number in 0..5000 {
            *table.entry(key(number)) += 1;
        }
        for number in 0..5000 {
            assert_eq!(table.get(key(number)), Some(number + 1));
        }
        assert_eq!(table.get(key(5000)), None);
    }
}
