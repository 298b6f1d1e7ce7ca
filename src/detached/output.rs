//! The kept output of a run: its files, and how they are read. All of it is given in one piece, with a line in the place
//! of what is not kept; or only its end.

use std::fs::{self, File};
use std::io::{self, Cursor, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// How many bytes of the beginning are kept.
pub(super) const HEAD: usize = 1 << 20;
/// How many bytes of the end are kept.
pub(super) const TAIL: usize = 8 << 20;

/// How often a piece may be removed while the files are opened.
const TRIES: usize = 20;

/// The file of the beginning.
pub(super) fn head(base: &Path) -> PathBuf {
    base.with_extension("out")
}

/// The file of a piece of the rest, which counts from 1.
pub(super) fn piece(base: &Path, number: u64) -> PathBuf {
    base.with_extension(format!("out.{number}"))
}

/// What a run printed, as far as it is kept. stdout and stderr are in the order in which progrun read them, and between
/// them stand the lines of progrun itself.
#[derive(Clone, Debug)]
pub(crate) struct Output {
    base: PathBuf,
}

impl Output {
    /// The output in the files that begin so.
    pub(super) fn of(base: &Path) -> Self {
        Self {
            base: base.to_owned(),
        }
    }

    /// The file with its beginning, which is all of it if it is no longer than a mebibyte.
    #[must_use]
    pub(crate) fn path(&self) -> PathBuf {
        head(&self.base)
    }

    /// All that is kept: the first mebibyte, a line that says how much is not kept, and the last eight mebibytes. The
    /// text of the run is foreign.
    ///
    /// # Errors
    /// If a file cannot be read.
    pub(crate) fn whole(&self) -> io::Result<impl Read + use<>> {
        let kept = self.open()?;
        let mut all = kept.head;
        if kept.gap > 0 {
            let newline = if kept.is_open { "\n" } else { "" };
            let mark = format!("{newline}[... {} are not kept ...]\n", size(kept.gap));
            all = Box::new(all.chain(Cursor::new(mark)));
        }
        Ok(all.chain(kept.tail))
    }

    /// The last `lines` lines, but no more than `bytes` bytes. If that is not all, it begins at the beginning of a line,
    /// if one begins there.
    ///
    /// # Errors
    /// If a file cannot be read.
    pub(crate) fn last(&self, lines: usize, bytes: usize) -> io::Result<Vec<u8>> {
        let mut end = Vec::new();
        self.whole()?.read_to_end(&mut end)?;
        let start = end.len().saturating_sub(bytes);
        let mut rest = &end[start..];
        if start > 0
            && end[start - 1] != b'\n'
            && let Some(newline) = memchr::memchr(b'\n', rest)
        {
            rest = &rest[newline + 1..];
        }
        // The newline at the end of the last line ends no line before it.
        let before_end = rest.strip_suffix(b"\n").unwrap_or(rest);
        let begin = memchr::memrchr_iter(b'\n', before_end).nth(lines.saturating_sub(1));
        let begin = if lines == 0 {
            Some(rest.len())
        } else {
            begin.map(|newline| newline + 1)
        };
        Ok(rest[begin.unwrap_or(0)..].to_vec())
    }

    /// Opens the files. The run may write on meanwhile, and remove a piece: then the newer ones are there.
    fn open(&self) -> io::Result<Kept> {
        for _ in 1..TRIES {
            match self.try_open() {
                Err(error)
                    if error.kind() == io::ErrorKind::NotFound && head(&self.base).exists() => {}
                opened => return opened,
            }
        }
        self.try_open()
    }

    fn try_open(&self) -> io::Result<Kept> {
        let mut file = File::open(head(&self.base))?;
        let length = file.metadata()?.len();
        let mut last = [b'\n'];
        if length > 0 {
            file.seek(SeekFrom::End(-1))?;
            file.read_exact(&mut last)?;
            file.rewind()?;
        }
        let mut pieces = Vec::new();
        for number in self.pieces()? {
            let file = File::open(piece(&self.base, number))?;
            let length = file.metadata()?.len();
            let begin = (number - 1).saturating_mul(TAIL as u64);
            let begin = begin.saturating_add(HEAD as u64);
            pieces.push((begin, length, file));
        }
        let total = pieces
            .last()
            .map_or(length, |(begin, length, _)| begin.saturating_add(*length));
        let from = total.saturating_sub(TAIL as u64).max(HEAD as u64);
        let mut tail: Box<dyn Read> = Box::new(io::empty());
        for (begin, length, mut file) in pieces {
            let skipped = from.saturating_sub(begin).min(length);
            file.seek(SeekFrom::Start(skipped))?;
            tail = Box::new(tail.chain(file.take(length - skipped)));
        }
        Ok(Kept {
            head: Box::new(file.take(length)),
            is_open: last != *b"\n",
            gap: if total > HEAD as u64 {
                from - HEAD as u64
            } else {
                0
            },
            tail,
        })
    }

    /// The numbers of the pieces that are there, in order. A file that only looks like a piece, such as `out.007`, is none.
    fn pieces(&self) -> io::Result<Vec<u64>> {
        let (Some(folder), Some(stem)) = (self.base.parent(), self.base.file_name()) else {
            return Ok(Vec::new());
        };
        let begin = format!("{}.out.", stem.to_string_lossy());
        let mut numbers = Vec::new();
        for entry in fs::read_dir(folder)? {
            let name = entry?.file_name();
            let number = name.to_str().and_then(|name| name.strip_prefix(&begin));
            let number = number.and_then(|text| Some((text, text.parse::<u64>().ok()?)));
            let number =
                number.filter(|(text, number)| *number > 0 && number.to_string() == **text);
            numbers.extend(number.map(|(_, number)| number));
        }
        numbers.sort_unstable();
        Ok(numbers)
    }
}

/// The files of an output, open.
struct Kept {
    head: Box<dyn Read>,
    /// Whether the beginning ends within a line.
    is_open: bool,
    /// How many bytes are not there between the two.
    gap: u64,
    tail: Box<dyn Read>,
}

/// `1 byte`, `123.4 MiB`.
fn size(bytes: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "one decimal is shown")]
    let mut amount = bytes as f64;
    if bytes < 1024 {
        return format!("{bytes} bytes");
    }
    let mut unit = "";
    for next in ["KiB", "MiB", "GiB", "TiB"] {
        if amount < 1023.95 {
            break;
        }
        (amount, unit) = (amount / 1024.0, next);
    }
    format!("{amount:.1} {unit}")
}

#[cfg(test)]
mod tests {
    use super::super::store::Store;
    use super::*;

    /// A folder with an output of this text, written in pieces of this size.
    fn kept(text: &[u8], size: usize) -> (tempfile::TempDir, Output) {
        let folder = tempfile::tempdir().unwrap();
        let base = folder.path().join("1-2");
        let mut store = Store::new(&base).unwrap();
        for part in text.chunks(size) {
            store.append(part);
        }
        assert_eq!(store.lost(), None);
        (folder, Output::of(&base))
    }

    fn whole(output: &Output) -> Vec<u8> {
        let mut all = Vec::new();
        output.whole().unwrap().read_to_end(&mut all).unwrap();
        all
    }

    /// Text of so many bytes in which no two lines are alike.
    fn text(length: usize) -> Vec<u8> {
        let mut text = Vec::new();
        for line in 0.. {
            if text.len() >= length {
                break;
            }
            text.extend_from_slice(format!("line {line}\n").as_bytes());
        }
        text.truncate(length);
        text
    }

    #[test]
    fn what_fits_is_kept_byte_for_byte() {
        for length in [0, 1, HEAD - 1, HEAD, HEAD + 1, HEAD + TAIL - 1, HEAD + TAIL] {
            let text = text(length);
            let (_folder, output) = kept(&text, 60_000);
            assert!(whole(&output) == text, "{length}");
        }
    }

    #[test]
    fn of_what_does_not_fit_the_first_mebibyte_and_the_last_eight_are_kept_with_a_mark_between() {
        for (more, size) in [
            (1, "1 bytes"),
            (1000, "1000 bytes"),
            (TAIL / 2, "4.0 MiB"),
            (TAIL, "8.0 MiB"),
            (2 * TAIL + 100_000, "16.1 MiB"),
        ] {
            let text = text(HEAD + TAIL + more);
            let (folder, output) = kept(&text, 60_000);
            let newline = if text[HEAD - 1] == b'\n' { "" } else { "\n" };
            let mark = format!("{newline}[... {size} are not kept ...]\n");
            let expected = [&text[..HEAD], mark.as_bytes(), &text[HEAD + more..]].concat();
            assert!(whole(&output) == expected, "{more}");
            let files = fs::read_dir(folder.path()).unwrap();
            let used: u64 = files
                .map(|file| file.unwrap().metadata().unwrap().len())
                .sum();
            assert!(used <= (HEAD + 2 * TAIL) as u64, "{used}");
        }
    }

    #[test]
    fn a_file_that_only_looks_like_a_piece_is_none() {
        let (folder, output) = kept(b"all\n", 10);
        for name in ["+7", "007", "0", "7x", "", "18446744073709551616"] {
            fs::write(folder.path().join(format!("1-2.out.{name}")), "no\n").unwrap();
        }
        assert_eq!(whole(&output), b"all\n");
        // A link to nowhere is found, and cannot be opened however often it is tried.
        std::os::unix::fs::symlink("nowhere", folder.path().join("1-2.out.7")).unwrap();
        let error = output.whole().err().unwrap();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        fs::remove_file(folder.path().join("1-2.out.7")).unwrap();
        fs::write(folder.path().join("1-2.out.18446744073709551615"), "x").unwrap();
        assert!(output.whole().is_ok());
    }

    #[test]
    fn the_end_begins_with_a_whole_line() {
        let last = |text: &str, lines, bytes| {
            let (_folder, output) = kept(text.as_bytes(), 10);
            String::from_utf8(output.last(lines, bytes).unwrap()).unwrap()
        };
        assert_eq!(last("one\ntwo\nthree\n", 2, 100), "two\nthree\n");
        assert_eq!(last("one\ntwo\nthree", 1, 100), "three");
        assert_eq!(last("one\ntwo\nthree\n", 9, 100), "one\ntwo\nthree\n");
        assert_eq!(last("one\ntwo\nthree\n", 9, 8), "three\n");
        assert_eq!(last("one\ntwo\nthree\n", 9, 10), "two\nthree\n");
        assert_eq!(last("a long line", 9, 4), "line");
        assert_eq!(last("one\n", 0, 100), "");
        assert_eq!(last("", 9, 100), "");
    }

    #[test]
    fn sizes_read_as_people_write_them() {
        let sizes = [1023, 1024, 129_394_278, 5 << 30].map(size);
        assert_eq!(sizes, ["1023 bytes", "1.0 KiB", "123.4 MiB", "5.0 GiB"]);
    }
}
