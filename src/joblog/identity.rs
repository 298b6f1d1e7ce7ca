//! By what a task is known again in another list: its values, its name or its command, and among equals which one it
//! is.
//!
//! Hashed to 16 bytes, so that a million tasks have room. The keys of the hash are made anew for each run: no list can
//! be made up whose tasks are taken for one another.

use std::collections::hash_map::{DefaultHasher, RandomState};
use std::hash::{BuildHasher, Hasher};
use std::os::unix::ffi::OsStrExt;

use crate::list::{Specification, Words};
use crate::wire::Line;

/// The identity of a task. The first number is never 0.
pub(super) type Key = [u32; 4];

/// Makes the identities of one run.
#[derive(Debug, Default)]
pub(super) struct Identities {
    high: RandomState,
    low: RandomState,
}

/// The tasks that have the same values, name or command.
pub(super) struct Equals {
    high: DefaultHasher,
    low: DefaultHasher,
}

/// What the words are that a task is known by.
#[derive(Clone, Copy)]
enum By {
    Values,
    Name,
    Command,
}

impl Identities {
    /// The equals of a task of the list.
    pub(super) fn of_task(&self, task: &Specification) -> Equals {
        match (&task.values, &task.command) {
            (Some(values), _) => self.of(By::Values, values.iter().map(|value| value.as_bytes())),
            (None, Words::Fixed(words)) if !task.named => {
                self.of(By::Command, words.iter().map(|word| word.as_bytes()))
            }
            (None, _) => self.of_name(&task.name),
        }
    }

    /// The equals of a task that has started.
    pub(super) fn of_record(&self, started: &Line<'_>) -> Equals {
        let name = || self.of_name(started.name.as_deref().unwrap_or_default());
        match (started.input(), started.named) {
            (Some(values), _) => self.of(By::Values, values),
            (None, Some(true)) => name(),
            (None, _) => started
                .command()
                .map_or_else(name, |words| self.of(By::Command, words)),
        }
    }

    /// The equals of a task that is known by its name.
    pub(super) fn of_name(&self, name: &str) -> Equals {
        self.of(By::Name, [name.as_bytes()])
    }

    fn of<'a>(&self, by: By, words: impl IntoIterator<Item = &'a [u8]>) -> Equals {
        let mut equals = Equals {
            high: self.high.build_hasher(),
            low: self.low.build_hasher(),
        };
        equals.write(|hasher| hasher.write_u8(by as u8));
        for word in words {
            // With its length: `a b` and `ab` are two words and one.
            equals.write(|hasher| hasher.write_usize(word.len()));
            equals.write(|hasher| hasher.write(word));
        }
        equals
    }
}

impl Equals {
    fn write(&mut self, write: impl Fn(&mut DefaultHasher)) {
        write(&mut self.high);
        write(&mut self.low);
    }

    /// The identity of one of them, from 1.
    pub(super) fn nth(&self, nth: u32) -> Key {
        let half = |hasher: &DefaultHasher| {
            let mut hasher = hasher.clone();
            hasher.write_u32(nth);
            hasher.finish().to_ne_bytes()
        };
        let (high, low) = (half(&self.high), half(&self.low));
        let bytes = high.as_chunks::<4>().0.iter().chain(low.as_chunks::<4>().0);
        let mut key = Key::default();
        for (number, bytes) in key.iter_mut().zip(bytes) {
            *number = u32::from_ne_bytes(*bytes);
        }
        key[0] |= 1;
        key
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::os::unix::ffi::OsStringExt;

    use super::*;

    fn of_values(identities: &Identities, values: &[&[u8]]) -> Key {
        let values = values
            .iter()
            .map(|value| OsString::from_vec(value.to_vec()));
        let task = Specification {
            values: Some(values.collect()),
            ..Specification::default()
        };
        identities.of_task(&task).nth(1)
    }

    #[test]
    fn values_are_told_apart_by_their_bytes_and_their_borders() {
        let identities = Identities::default();
        let of = |values: &[&[u8]]| of_values(&identities, values);
        assert_eq!(of(&[b"a", b"b"]), of(&[b"a", b"b"]));
        let all = [
            of(&[]),
            of(&[b""]),
            of(&[b"ab"]),
            of(&[b"a", b"b"]),
            of(&[b"b", b"a"]),
            of(&[b"a\xff"]),
            of(&["a\u{fffd}".as_bytes()]),
        ];
        for (index, one) in all.iter().enumerate() {
            assert!(!all[..index].contains(one), "{index}");
        }
    }

    #[test]
    fn a_command_a_name_and_a_value_of_the_same_text_are_three_tasks() {
        let identities = Identities::default();
        let command = Specification::of_command("x".to_owned(), vec!["x".into()]);
        let named = Specification {
            named: true,
            ..command.clone()
        };
        let of = |task| identities.of_task(task).nth(1);
        assert_ne!(of(&command), of(&named));
        assert_ne!(of(&command), of_values(&identities, &[b"x"]));
        assert_ne!(of(&named), of_values(&identities, &[b"x"]));
        let other = Specification {
            name: "y 2".to_owned(),
            ..command.clone()
        };
        assert_eq!(of(&command), of(&other), "a made name says nothing");
        assert_ne!(identities.of_task(&command).nth(2), of(&command));
    }
}
