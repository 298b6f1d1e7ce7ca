//! Finds the next byte of a kind, eight bytes at a time.

const ONES: u64 = u64::MAX / 255;
const HIGH: u64 = 0x80 * ONES;

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
#[inline]
pub(super) fn until_special(bytes: &[u8]) -> usize {
    until(
        bytes,
        |word| {
            let quotes = below(word ^ (u64::from(b'"') * ONES), 1);
            let backslashes = below(word ^ (u64::from(b'\\') * ONES), 1);
            quotes | backslashes | below(word, u64::from(b' '))
        },
        |byte| matches!(byte, b'"' | b'\\' | ..b' '),
    )
}

/// Marks the bytes of `word` that are below `limit`. The lowest marked byte is one of these; a borrow may mark some above it.
fn below(word: u64, limit: u64) -> u64 {
    word.wrapping_sub(limit * ONES) & !word & HIGH
}

#[inline]
fn until(bytes: &[u8], mark: impl Fn(u64) -> u64, is_it: impl Fn(u8) -> bool) -> usize {
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
