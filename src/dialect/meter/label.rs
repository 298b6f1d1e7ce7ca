//! The words around a number: the same from record to record, they say which meter it is, and what it measures.
//!
//! Everything that moves with the meter itself is taken out: figures, bars, spinners. So are file names before the
//! number, where the meter stays the same from file to file.

use super::candidates::unit;

/// How much of a shape is kept, in characters, from its end, which is nearest to the number.
const SHAPE: usize = 24;
/// How much of a label is shown.
const LABEL: usize = 80;

/// What the text before a number has in common with that of other records of the same meter. On a plain line, file
/// names without a slash are left out as well: such lines are about one file after the other, while a redrawn line may
/// be about two files in turn.
pub(super) fn shape(before: &[u8], redrawn: bool) -> String {
    let text = String::from_utf8_lossy(before);
    let mut shape = String::with_capacity(text.len() + 1);
    for word in text.split_whitespace() {
        if is_path(word) || !redrawn && (is_file(word) || is_marks(word)) {
            continue;
        }
        let begin = shape.len();
        // An address is a figure, whatever its digits.
        let mut rest = if word.starts_with("0x") { "0" } else { word };
        while let Some(character) = rest.chars().next() {
            if character.is_ascii_digit() {
                rest = after_figure(rest);
                shape.push('#');
                continue;
            }
            if character.is_alphabetic() {
                shape.push(character);
            }
            rest = &rest[character.len_utf8()..];
        }
        if shape.len() > begin {
            shape.push(' ');
        }
    }
    shape.truncate(shape.trim_end().len());
    let start = shape
        .char_indices()
        .rev()
        .nth(SHAPE - 1)
        .map_or(0, |(at, _)| at);
    shape.drain(..start);
    shape
}

/// What the number is about, in words fit for a person: the words before it, else those right after it. May be empty.
pub(super) fn label(before: &[u8], after: &[u8]) -> String {
    let text = String::from_utf8_lossy(before);
    let words = joined(text.split_whitespace().filter(|word| says_something(word)));
    let words = words.trim_matches(|character: char| {
        !(character.is_alphanumeric() || "#/~.@".contains(character))
    });
    if has_word(words) {
        return clipped(words.trim_end_matches(['.', '#', '~']));
    }
    let text = String::from_utf8_lossy(after);
    let text = text.trim_start_matches([' ', ']', ')', '}', ':', ',', '-']);
    let text = text.trim_end_matches([' ', ']', ')', '}', ':', ',', '-']);
    let speaks =
        text.starts_with(|first: char| first.is_alphabetic() || first == '/') && has_word(text);
    if !speaks || text.starts_with("ETA") || text.starts_with("eta ") {
        return String::new();
    }
    clipped(&joined(text.split_whitespace()))
}

fn joined<'a>(words: impl Iterator<Item = &'a str>) -> String {
    let mut joined = String::new();
    for word in words {
        if !joined.is_empty() {
            joined.push(' ');
        }
        joined.push_str(word);
    }
    joined
}

fn has_word(text: &str) -> bool {
    let mut words = text.split(|character: char| !character.is_alphanumeric());
    words.any(|word| word.chars().nth(1).is_some() && word.contains(char::is_alphabetic))
}

/// A word that is not a figure with a unit, a time, or a bar.
fn says_something(word: &str) -> bool {
    let core = word.trim_matches(|character: char| !character.is_alphanumeric());
    match core.chars().next() {
        None => false,
        Some(first) if first.is_ascii_digit() => {
            let small = core.len() <= 5
                && core
                    .bytes()
                    .all(|byte| byte.is_ascii_digit() || byte == b'/');
            let name = after_figure(core).starts_with(char::is_alphabetic);
            small || name || is_path(word)
        }
        Some(_) => true,
    }
}

/// Something with a slash that is neither an amount nor a rate.
fn is_path(word: &str) -> bool {
    let core = word.trim_start_matches(['(', '[', '<', '"', '\'', '=']);
    let letters = core.bytes().any(|byte| byte.is_ascii_alphabetic());
    let named = !core.starts_with(|first: char| first.is_ascii_digit())
        || after_figure(core).starts_with(char::is_alphanumeric);
    core.contains('/') && letters && named
}

/// `main.c`, `big.bin:`
fn is_file(word: &str) -> bool {
    let core = word.trim_matches(|character: char| !character.is_alphanumeric());
    let (name, extension) = core.rsplit_once('.').unwrap_or_default();
    let short = !extension.is_empty() && extension.len() <= 5;
    short && name.starts_with(char::is_alphabetic) && extension.chars().all(char::is_alphanumeric)
}

/// `...F..s.`: one mark for each test.
fn is_marks(word: &str) -> bool {
    word.contains('.') && word.bytes().all(|byte| b".FEsxXp".contains(&byte))
}

fn after_figure(text: &str) -> &str {
    &text[after_figure_at(text)..]
}

/// Where the figure at the beginning of the text ends, with its unit if it has one: `1,234.5MiB/s`, `0:00:04`.
fn after_figure_at(text: &str) -> usize {
    let end = text
        .bytes()
        .position(|byte| !(byte.is_ascii_digit() || matches!(byte, b'.' | b',' | b':')))
        .unwrap_or(text.len());
    let letters = text[end..]
        .bytes()
        .take_while(u8::is_ascii_alphabetic)
        .count();
    match unit(&text.as_bytes()[end..end + letters]) {
        Some(_) => end + letters,
        None => end,
    }
}

fn clipped(text: &str) -> String {
    let end = text.char_indices().nth(LABEL);
    text[..end.map_or(text.len(), |(at, _)| at)].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn same(one: &str, other: &str, expected: &str) {
        assert_eq!(shape(one.as_bytes(), true), expected);
        assert_eq!(shape(other.as_bytes(), true), expected);
    }

    #[test]
    fn what_moves_with_the_meter_is_no_part_of_its_shape() {
        same("big.bin: ", "big.bin:", "bigbin");
        same("work  [-----]   ", "work  [##---]  ", "work");
        same("job |      | ▁▃▅ ", "job |█▎    | ▂▄▆ ", "job");
        same("   32,768   ", "  346,062,848  ", "#");
        same(
            "in:  100MiB 0:00:01 [96.5MiB/s] [==> ] ",
            "in: 1.00GiB 0:01:00 [ 101MiB/s] [====] ",
            "in # # #s",
        );
        same("  0K .....  ", " 58368K ........ ........ ", "#");
        same("at 0x0001a000... (", "at 0x00010fff... (", "at #");
        same("/srv/a   ", "/srv/b/c  ", "");
    }

    #[test]
    fn the_end_of_a_long_text_is_its_shape() {
        assert_eq!(
            shape(b"remote: Compressing objects: ", true),
            "mote Compressing objects"
        );
    }

    #[test]
    fn plain_lines_about_one_file_after_the_other_have_one_shape() {
        assert_eq!(shape(b"test_x.py ..............  [ ", false), "");
        assert_eq!(shape(b"...F..s.  [ ", false), "");
        assert_eq!(shape(b"Compiling main.c (", false), "Compiling");
    }

    #[test]
    fn two_downloads_are_two_shapes() {
        assert_ne!(shape(b"[#6cb625 ", true), shape(b")][#203c90 ", true));
    }

    #[test]
    fn a_label_is_words_without_figures_and_bars() {
        let of = |before: &str, after: &str| label(before.as_bytes(), after.as_bytes());
        assert_eq!(
            of("remote: Counting objects:   ", " (31/3090)"),
            "remote: Counting objects"
        );
        assert_eq!(
            of(
                "job:  100MiB 0:00:01 [96.6MiB/s] [====>  ] ",
                " ETA 0:00:03"
            ),
            "job"
        );
        assert_eq!(
            of("Epoch 3/10: ", "|██ | 5/200 [00:00<00:04, 48.23it/s]"),
            "Epoch 3/10"
        );
        assert_eq!(of("[download]  ", " of   95.41MiB"), "download");
        assert_eq!(
            of("[  ", "] Building C object main.c.o"),
            "Building C object main.c.o"
        );
        assert_eq!(
            of("  ", " Extracting: data/big.bin    "),
            "Extracting: data/big.bin"
        );
        assert_eq!(of("/srv/lab/o   ", "[===>   ] 13.83M"), "/srv/lab/o");
        assert_eq!(of("[#6cb625 ", "("), "#6cb625");
        assert_eq!(of("[#192d84 ", " CN:1 DL:31MiB]"), "#192d84");
    }

    #[test]
    fn where_there_are_no_words_there_is_no_label() {
        assert_eq!(label(b"  84,180,992  ", b"   79.93MB/s    0:00:04"), "");
        assert_eq!(label(b" ", b"|##4   | 5/50 [00:00<00:00, 47.92it/s]"), "");
        assert_eq!(label(b"[====>  ] ", b" ETA 0:00:03"), "");
        assert_eq!(label(b"", b""), "");
    }
}
