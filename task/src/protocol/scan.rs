//! Finds the next byte of a kind: eight bytes at a time where it is near, and in blocks where it is far.

const ONES: u64 = u64::MAX / 255;
const HIGH: u64 = 0x80 * ONES;
/// More than the length of most lines, and as much as two vectors of the smallest processors hold.
const BLOCK: usize = 32;

/// How many bytes at the beginning are no newline.
#[inline]
pub(super) fn until_newline(bytes: &[u8]) -> usize {
    until(
        bytes,
        |word| below(word ^ (u64::from(b'\n') * ONES), 1),
        |byte| byte == b'\n',
    )
}

/// How many bytes at the beginning stand for themselves in a JSON string: no quote, backslash, or control character.
#[expect(
    clippy::needless_bitwise_bool,
    reason = "without a jump, or a block is not compared at once"
)]
#[inline]
pub(super) fn until_special(bytes: &[u8]) -> usize {
    until(
        bytes,
        |word| {
            let quotes = below(word ^ (u64::from(b'"') * ONES), 1);
            let backslashes = below(word ^ (u64::from(b'\\') * ONES), 1);
            quotes | backslashes | below(word, u64::from(b' '))
        },
        |byte| (byte == b'"') | (byte == b'\\') | (byte < b' '),
    )
}

/// Marks the bytes of `word` that are below `limit`. The lowest marked byte is one of these; a borrow may mark some
/// above it.
fn below(word: u64, limit: u64) -> u64 {
    word.wrapping_sub(limit * ONES) & !word & HIGH
}

#[inline]
fn until(bytes: &[u8], mark: impl Fn(u64) -> u64, is_it: impl Fn(u8) -> bool) -> usize {
    // Most lines and strings end here. What is longer is looked through in blocks, which the compiler compares at once.
    let near = bytes.len().min(BLOCK);
    let found = in_words(&bytes[..near], &mark, &is_it);
    if found < near || near < BLOCK {
        return found;
    }
    until_far(bytes, &mark, &is_it)
}

/// The same if it is not within the first block. A function of its own, so there is less to inline.
#[inline(never)]
fn until_far(bytes: &[u8], mark: &impl Fn(u64) -> u64, is_it: &impl Fn(u8) -> bool) -> usize {
    let (blocks, _) = bytes.as_chunks::<BLOCK>();
    let has_it = |block: &[u8; BLOCK]| {
        block
            .iter()
            .fold(0, |has, byte| has | u8::from(is_it(*byte)))
    };
    let clear = blocks.iter().take_while(|block| has_it(block) == 0).count();
    let clear = BLOCK * clear;
    clear + in_words(&bytes[clear..], mark, is_it)
}

#[inline]
fn in_words(bytes: &[u8], mark: &impl Fn(u64) -> u64, is_it: &impl Fn(u8) -> bool) -> usize {
    let (words, rest) = bytes.as_chunks();
    for (index, word) in words.iter().enumerate() {
        let marked = mark(u64::from_le_bytes(*word));
        if marked != 0 {
            return 8 * index + marked.trailing_zeros() as usize / 8;
        }
    }
    let found = rest.iter().position(|byte| is_it(*byte));
    bytes.len() - rest.len() + found.unwrap_or(rest.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_looked_for_is_found_at_any_place() {
        for length in 0..200 {
            for at in 0..=length {
                let mut bytes = vec![b'x'; length];
                if at < length {
                    bytes[at] = b'\n';
                    bytes[at + 1..].fill(b'"');
                }
                assert_eq!((until_newline(&bytes), until_special(&bytes)), (at, at));
            }
        }
    }
}
