//! Reads the lines of a file from its end, the last one first: what is looked for is most often near the end, and the
//! file may be large. Knows nothing of what the lines mean.

use std::fs::File;
use std::io;
use std::ops::ControlFlow;
use std::os::unix::fs::FileExt;

use memchr::memrchr;

/// How much is read at a time.
const CHUNK: u64 = 64 * 1024;
/// A line that is longer is damaged: it is passed over, and takes no more memory than this.
const LONGEST: usize = 64 * 1024;

/// Gives each line that is not empty, without its newline, to `visit`, until that breaks or so many bytes are read.
///
/// # Errors
/// If the file cannot be read.
pub(super) fn backward(
    file: &File,
    at_most: u64,
    mut visit: impl FnMut(&[u8]) -> ControlFlow<()>,
) -> io::Result<()> {
    let size = file.metadata()?.len();
    let begin = size.saturating_sub(at_most);
    let mut start = size;
    // The beginning of the text that is read and not visited yet, and whether its end was dropped for its length.
    let mut rest: Vec<u8> = Vec::new();
    let mut is_cut = false;
    while start > begin {
        let length = CHUNK.min(start - begin);
        start -= length;
        let mut text = vec![0; usize::try_from(length).unwrap_or_default()];
        match file.read_exact_at(&mut text, start) {
            Ok(()) => {}
            // The file was cut meanwhile: what is left of it is read.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                rest.clear();
                continue;
            }
            Err(error) => return Err(error),
        }
        text.append(&mut rest);
        let mut end = text.len();
        while let Some(newline) = memrchr(b'\n', &text[..end]) {
            let line = &text[newline + 1..end];
            end = newline;
            if !std::mem::take(&mut is_cut) && !line.is_empty() && visit(line).is_break() {
                return Ok(());
            }
        }
        text.truncate(end);
        if text.len() > LONGEST {
            text.clear();
            is_cut = true;
        }
        rest = text;
    }
    // Without the beginning of the file, the first line may lack its own.
    if begin == 0 && !is_cut && !rest.is_empty() {
        let _ = visit(&rest);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn lines(text: &[u8], at_most: u64) -> Vec<String> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(text).unwrap();
        let mut lines = Vec::new();
        backward(&file, at_most, |line| {
            lines.push(String::from_utf8_lossy(line).into_owned());
            ControlFlow::Continue(())
        })
        .unwrap();
        lines
    }

    #[test]
    fn the_last_line_comes_first_with_a_newline_or_without() {
        assert_eq!(lines(b"a\nb\n\nc\n", u64::MAX), ["c", "b", "a"]);
        assert_eq!(lines(b"a\nb", u64::MAX), ["b", "a"]);
        assert_eq!(lines(b"", u64::MAX), [""; 0]);
    }

    #[test]
    fn lines_across_chunks_are_whole_and_a_line_without_end_is_passed_over() {
        let long = "x".repeat(30_000);
        let text = format!("{long}1\n{long}2\n{long}3\n{long}4\n{long}5\n");
        let read = lines(text.as_bytes(), u64::MAX);
        let ends: Vec<_> = read.iter().map(|line| &line[30_000..]).collect();
        assert_eq!(ends, ["5", "4", "3", "2", "1"]);
        let damaged = format!("first\n{}\nlast\n", "x".repeat(1_000_000));
        assert_eq!(lines(damaged.as_bytes(), u64::MAX), ["last", "first"]);
        assert_eq!(lines("x".repeat(1_000_000).as_bytes(), u64::MAX), [""; 0]);
    }

    #[test]
    fn no_more_is_read_than_is_allowed_and_half_a_line_is_none() {
        assert_eq!(lines(b"one\ntwo\nthree\n", 8), ["three"]);
    }
}
