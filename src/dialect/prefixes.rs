//! A prefix filter: picks, by a line's first bytes, the few dialects that could own it. Most lines belong to none.
//!
//! Knows the prefixes of all dialects of one stream by their first byte. Does not know whether a line with a prefix
//! is one of the dialect: that is for the dialect to say.

use std::array;

use memchr::memchr_iter;

/// What every line of a dialect has in its first 64 bytes.
#[derive(Clone, Copy, Debug)]
pub enum Prefix {
    /// It begins with one of these, after blanks.
    Begins(&'static [&'static str]),
    /// Two hashes stand somewhere in it: messages to a build server often begin in the middle of a line.
    Hashes,
}

/// The prefixes of the dialects of a stream. An answer has a bit for each dialect, in their order.
#[derive(Debug)]
pub(super) struct Prefixes {
    /// What a line can begin with, by its first byte.
    begins: Vec<Vec<Begin>>,
    hashes: u32,
}

#[derive(Clone, Debug)]
struct Begin {
    word: &'static [u8],
    /// The first eight bytes, compared as one integer, before the rest.
    start: u64,
    mask: u64,
    bit: u32,
}

fn eight(text: &[u8]) -> u64 {
    u64::from_le_bytes(match text.first_chunk() {
        Some(eight) => *eight,
        None => array::from_fn(|at| text.get(at).copied().unwrap_or(0)),
    })
}

impl Prefixes {
    /// Of up to 32 dialects.
    pub(super) fn new(prefixes: impl IntoIterator<Item = Prefix>) -> Self {
        let mut begins = vec![Vec::new(); 256];
        let mut hashes = 0;
        for (index, prefix) in prefixes.into_iter().enumerate() {
            let bit = 1 << index;
            match prefix {
                Prefix::Hashes => hashes |= bit,
                Prefix::Begins(words) => {
                    for word in words.iter().map(|word| word.as_bytes()) {
                        begins[usize::from(word[0])].push(Begin {
                            word,
                            start: eight(word),
                            mask: eight(&[0xff; 8][..word.len().min(8)]),
                            bit,
                        });
                    }
                }
            }
        }
        Self { begins, hashes }
    }

    /// The dialects whose lines begin like this.
    pub(super) fn begun(&self, head: &[u8]) -> u32 {
        let head = head.trim_ascii_start();
        let Some(first) = head.first() else { return 0 };
        let start = eight(head);
        let begins = self.begins[usize::from(*first)].iter();
        let begun = begins.filter(|it| it.start == start & it.mask && head.starts_with(it.word));
        begun.fold(0, |begun, it| begun | it.bit)
    }

    /// The dialects that could own a line with this head.
    pub(super) fn possible(&self, head: &[u8]) -> u32 {
        let hashes = self.hashes != 0 && hashes(head).is_some();
        self.begun(head) | if hashes { self.hashes } else { 0 }
    }
}

/// Where the next two hashes are.
pub(super) fn hashes(text: &[u8]) -> Option<usize> {
    memchr_iter(b'#', text).find(|at| text.get(at + 1) == Some(&b'#'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dialect_is_asked_about_lines_with_its_prefix_and_about_no_others() {
        let prefixes = Prefixes::new([
            Prefix::Begins(&["ok", "TAP version "]),
            Prefix::Hashes,
            Prefix::Begins(&["{"]),
        ]);
        for (line, asked) in [
            ("", 0b000),
            ("   ", 0b000),
            ("o", 0b000),
            ("ok", 0b001),
            ("\t  ok 1 - name", 0b001),
            ("not ok", 0b000),
            ("TAP version 14", 0b001),
            ("TAP versions", 0b000),
            ("TAP vers", 0b000),
            ("# # one at a time", 0b000),
            ("step 2 ##teamcity[", 0b010),
            ("{\"a\":\"##\"}", 0b110),
        ] {
            assert_eq!(prefixes.possible(line.as_bytes()), asked, "{line}");
        }
    }
}
