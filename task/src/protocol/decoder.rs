//! Cuts bytes into [`Line`]s: finds where one report ends and the next begins, however the bytes come in, in bounded
//! memory. Does not know what the reports mean, except for what it takes to tell an object from a short form and to
//! find the end of a dialog block.

use std::mem;
use std::str;

use super::scan::until_newline;
use super::{LINE_LIMIT, Malformed, Progress, Reason, object, short};

/// How many bytes of an over-long line are kept: enough to recognise it.
const EXCERPT: usize = 256;
const FENCE: &[u8] = b"XXX";
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// One line of the channel, or one dialog block.
#[derive(Clone, Debug, PartialEq)]
pub struct Line<'a> {
    /// Its number on the channel, from 1. For a dialog block that of its first line.
    pub number: u64,
    /// What the child wrote, without newline, carriage return before it, and byte order mark. A dialog block
    /// is here with all its lines. Of an over-long line only the first 256 bytes, which may end within a
    /// character.
    pub text: &'a [u8],
    /// What it means.
    pub content: Content<'a>,
}

/// What a line means.
#[derive(Clone, Debug, PartialEq)]
pub enum Content<'a> {
    /// A blank line: a report of nothing, by which the child only asks whether it is cancelled.
    Empty,
    /// A JSON object. [`Line::text`] is that object as the child wrote it, unknown fields included, fit to be
    /// put into other JSON.
    Object(Progress<'a>),
    /// One of the short forms, or plain text.
    Short(Progress<'a>),
    /// A line that cannot be read, for this reason. The lines after it can.
    Malformed(Malformed),
}

/// Cuts the bytes of one channel into lines and reads them.
///
/// A line that lies whole within what is fed is read where it lies. Only one that is cut is copied, and a
/// dialog block, together never more than [`LINE_LIMIT`] bytes.
///
/// ```
/// use progrun_task::protocol::{Content, Decoder};
///
/// let mut decoder = Decoder::new();
/// let mut seen = Vec::new();
/// for bytes in [&b"3/10 copy"[..], b"ing\n{\"percent\": 40}\n"] {
///     decoder.feed(bytes, &mut |line| {
///         if let Content::Object(progress) | Content::Short(progress) = line.content {
///             seen.push((line.number, progress.fraction()));
///         }
///     });
/// }
/// assert_eq!(seen, [(1, Some(0.3)), (2, Some(0.4))]);
/// ```
#[derive(Debug)]
pub struct Decoder {
    /// The lines of an open block, each with its newline; then the beginning of a line that was cut.
    held: Vec<u8>,
    block: Option<Block>,
    /// The line was too long: all up to the next newline belongs to it and is thrown away.
    skipping: bool,
    /// How many lines are complete.
    lines: u64,
    limit: usize,
}

/// An open dialog block.
#[derive(Clone, Copy, Debug)]
struct Block {
    /// The number of its first line.
    number: u64,
    /// How many of the held bytes are its own.
    length: usize,
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Decoder {
    /// A decoder at the beginning of a channel.
    #[must_use]
    pub const fn new() -> Self {
        Self::with_limit(LINE_LIMIT)
    }

    pub(super) const fn with_limit(limit: usize) -> Self {
        Self {
            held: Vec::new(),
            block: None,
            skipping: false,
            lines: 0,
            limit,
        }
    }

    /// Takes in the next bytes and gives every line that they complete, in order.
    pub fn feed(&mut self, bytes: &[u8], each: &mut impl FnMut(Line<'_>)) {
        // UTF-8 is checked for all bytes at once: line by line it takes several times as long.
        let text = match str::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default(),
        };
        let mut begin = 0;
        loop {
            let end = begin + until_newline(&bytes[begin..]);
            if end == bytes.len() {
                break;
            }
            let line = &bytes[begin..end];
            if self.held.is_empty() && !self.skipping && line.len() <= self.limit && !is_fence(line)
            {
                self.lines += 1;
                match text.get(begin..end) {
                    // The first line may begin with a byte order mark.
                    Some(text) if self.lines > 1 => each(read_text(self.lines, text)),
                    _ => each(read_line(self.lines, line)),
                }
            } else {
                self.end_line(line, each);
            }
            begin = end + 1;
        }
        self.hold(&bytes[begin..], each);
    }

    /// The channel is at its end: a last line without newline is a line too, and a dialog block that was not
    /// closed is given as far as it goes.
    pub fn finish(&mut self, each: &mut impl FnMut(Line<'_>)) {
        if self.held.len() > self.block.map_or(0, |block| block.length) {
            self.end_line(b"", each);
        }
        self.skipping = false;
        self.close_block(each);
    }

    /// How many bytes are kept for later.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.held.len()
    }

    /// Ends the line whose beginning is held, or skipped, or not there at all.
    fn end_line(&mut self, tail: &[u8], each: &mut impl FnMut(Line<'_>)) {
        self.hold(tail, each);
        if mem::take(&mut self.skipping) {
            return;
        }
        let begin = self.block.map_or(0, |block| block.length);
        let line = &self.held[begin..];
        if is_fence(line) && self.block.is_some() {
            self.block = self.block.map(|block| Block {
                length: self.held.len(),
                ..block
            });
            self.lines += 1;
            self.close_block(each);
        } else if is_fence(line) || self.block.is_some() && !is_object(line) {
            self.extend_block(each);
        } else {
            // An object ends the block, which was not meant as one: otherwise a lone XXX would swallow all reports
            // after it.
            self.lines += 1;
            let held = mem::take(&mut self.held);
            if let Some(block) = self.block.take() {
                each(read_block(block.number, &held[..block.length]));
            }
            each(read_line(self.lines, &held[begin..]));
            self.held = held;
            self.held.clear();
        }
    }

    /// Makes the line that is held part of the open block, or the first line of a new one.
    fn extend_block(&mut self, each: &mut impl FnMut(Line<'_>)) {
        let number = self.block.map_or(self.lines + 1, |block| block.number);
        self.hold(b"\n", each);
        if mem::take(&mut self.skipping) {
            return;
        }
        self.lines += 1;
        self.block = Some(Block {
            number,
            length: self.held.len(),
        });
    }

    fn close_block(&mut self, each: &mut impl FnMut(Line<'_>)) {
        if let Some(block) = self.block.take() {
            each(read_block(block.number, &self.held));
            self.held.clear();
        }
    }

    /// Keeps bytes of a line whose end is still to come. The one place that copies, so the one place that
    /// knows the limit.
    fn hold(&mut self, bytes: &[u8], each: &mut impl FnMut(Line<'_>)) {
        if self.skipping || bytes.is_empty() {
            return;
        }
        // Growing step by step could end at twice the limit.
        self.held.reserve_exact(self.limit - self.held.len());
        if bytes.len() <= self.limit - self.held.len() {
            self.held.extend_from_slice(bytes);
            return;
        }
        let excerpt = EXCERPT.min(self.limit);
        let missing = excerpt.saturating_sub(self.held.len()).min(bytes.len());
        self.held.extend_from_slice(&bytes[..missing]);
        self.held.truncate(excerpt);
        self.lines += 1;
        let number = self.block.take().map_or(self.lines, |block| block.number);
        each(Line {
            number,
            text: without_mark(number, &self.held),
            content: Content::Malformed(Reason::TooLong(self.limit).into()),
        });
        self.held.clear();
        self.skipping = true;
    }
}

fn read_line(number: u64, line: &[u8]) -> Line<'_> {
    let bytes = without_mark(number, line);
    match utf8(bytes) {
        Ok(text) => read_text(number, text),
        Err(malformed) => Line {
            number,
            text: bytes.strip_suffix(b"\r").unwrap_or(bytes),
            content: Content::Malformed(malformed),
        },
    }
}

/// Reads a line that is known to be UTF-8 and to have no byte order mark.
#[expect(
    clippy::inline_always,
    reason = "measured: a report is 192 bytes, and would be copied at every return"
)]
#[inline(always)]
fn read_text(number: u64, line: &str) -> Line<'_> {
    let text = line.strip_suffix('\r').unwrap_or(line);
    let content = match text.trim_ascii() {
        "" => Content::Empty,
        // Not the trimmed one, so that columns are those of the line.
        object if object.starts_with('{') => {
            object::parse(text).map_or_else(Content::Malformed, Content::Object)
        }
        other => short::parse(other).map_or_else(Content::Malformed, Content::Short),
    };
    Line {
        number,
        text: text.as_bytes(),
        content,
    }
}

/// Reads a block from its first `XXX` up to the second, or up to where it ends without one.
fn read_block(number: u64, block: &[u8]) -> Line<'_> {
    let block = block.strip_suffix(b"\n").unwrap_or(block);
    let bytes = without_mark(number, block);
    let content = match utf8(bytes) {
        Err(malformed) => Content::Malformed(malformed),
        Ok(text) => {
            let lines = text.split('\n').map(str::trim_ascii);
            let progress = short::block(lines.filter(|line| !is_fence(line.as_bytes())));
            if progress.is_empty() {
                Content::Empty
            } else {
                Content::Short(progress)
            }
        }
    };
    Line {
        number,
        text: bytes,
        content,
    }
}

fn utf8(bytes: &[u8]) -> Result<&str, Malformed> {
    str::from_utf8(bytes).map_err(|error| Reason::NotUtf8(error.valid_up_to() + 1).into())
}

/// Some editors and shells begin a text with a byte order mark. No JSON reader would take it.
fn without_mark(number: u64, line: &[u8]) -> &[u8] {
    match line.strip_prefix(BYTE_ORDER_MARK) {
        Some(rest) if number == 1 => rest,
        _ => line,
    }
}

fn is_fence(line: &[u8]) -> bool {
    line.trim_ascii() == FENCE
}

fn is_object(line: &[u8]) -> bool {
    line.trim_ascii_start().starts_with(b"{")
}
