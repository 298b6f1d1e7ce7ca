//! The words around a number: the same from record to record, they say which meter it is, and what it measures.
//!
//! Everything that moves with the meter itself is taken out: figures, bars, spinners. So are file names before the
//! number, where the meter stays the same from file to file.

use super::notation::unit;

/// How much of a name is kept, in characters, from its end, which is nearest to the number.
const NAME: usize = 40;
/// How much of a label is shown.
const LABEL: usize = 80;

/// The name of a redrawn meter: the words before its number, with the digits of names, without what moves.
pub(super) fn name(before: &[u8]) -> String {
    let text = String::from_utf8_lossy(before);
    let mut name = String::with_capacity(text.len() + 1);
    for word in text.split_whitespace() {
        let core = word.trim_matches(|character: char| {
            !(character.is_alphanumeric() || "/.~".contains(character))
        });
        if !core.contains(char::is_alphanumeric) {
            continue;
        }
        let is_figure = core.starts_with(|first: char| first.is_ascii_digit());
        let rest = if is_figure { after_figure(core) } else { core };
        if is_figure && !is_path(core) && !rest.starts_with(char::is_alphanumeric) {
            // A small whole number may be a name: `worker 2`.
            let is_name = core.len() <= 3 && core.bytes().all(|byte| byte.is_ascii_digit());
            name.push_str(if is_name { core } else { "#" });
        } else {
            name.extend(
                core.chars()
                    .filter(|character| character.is_alphanumeric() || "/._-".contains(*character)),
            );
        }
        name.push(' ');
    }
    name.truncate(name.trim_end().len());
    let start = name
        .char_indices()
        .rev()
        .nth(NAME - 1)
        .map_or(0, |(at, _)| at);
    name.drain(..start);
    name
}

/// What the names of like meters have in common: without digits, files and paths.
pub(super) fn family(before: &[u8]) -> String {
    let text = String::from_utf8_lossy(before);
    let words = text
        .split_whitespace()
        .filter(|word| !is_path(word) && !is_file(word) && !is_hash(word));
    let mut family = String::new();
    for word in words {
        family.extend(word.chars().filter(|character| character.is_alphabetic()));
        family.push(' ');
    }
    family.truncate(family.trim_end().len());
    family
}

/// What the number of a plain line is about: the words next to it. Beside a word that says that it is progress, the one
/// before it is enough.
pub(super) fn subject(before: &[u8], after: &[u8], says_done: bool) -> String {
    let (before, after) = (
        String::from_utf8_lossy(before),
        String::from_utf8_lossy(after),
    );
    let words = before.split_whitespace().rev().filter_map(core_of);
    let (near, behind) = if says_done { (1, 0) } else { (2, 1) };
    let words = words
        .take(near)
        .chain(after.split_whitespace().filter_map(core_of).take(behind));
    words.collect::<Vec<_>>().join(" ")
}

/// `...F..s.`: one mark for each test.
fn is_marks(word: &str) -> bool {
    word.contains('.') && word.bytes().all(|byte| b".FEISWRsxXp".contains(&byte))
}

/// The letters next to the number of a plain line.
pub(super) fn nearest(before: &[u8]) -> String {
    let text = String::from_utf8_lossy(before);
    let words = text.split_whitespace().filter(|word| !is_marks(word));
    let mut runs = words
        .rev()
        .flat_map(|word| word.rsplit(|it: char| !it.is_alphabetic()));
    runs.find(|run| !run.is_empty())
        .unwrap_or_default()
        .to_owned()
}

/// A word without what encloses it; none for a figure, unless it names something: `2:`
fn core_of(word: &str) -> Option<&str> {
    if is_marks(word) {
        return None;
    }
    // Of `finish=75.8min`, only the key stays the same.
    let word = word.split_once('=').map_or(word, |(key, _)| key);
    let core = word.trim_matches(|character: char| !character.is_alphanumeric());
    let is_figure = core.starts_with(|first: char| first.is_ascii_digit());
    let digits = core.bytes().filter(u8::is_ascii_digit).count();
    let is_name = !is_figure || word.ends_with(':') && digits == core.len() && digits <= 3;
    (!core.is_empty()
        && (is_name || after_figure(core).contains(char::is_alphabetic) && digits * 2 < core.len()))
    .then_some(core)
}

/// `8934d96d3f08`, `sha256:0a1b2c`
fn is_hash(word: &str) -> bool {
    let core = word.trim_matches(|character: char| !character.is_alphanumeric());
    let core = core.strip_prefix("sha256:").unwrap_or(core);
    core.len() >= 6
        && core.bytes().all(|byte| byte.is_ascii_hexdigit())
        && core.contains(|it: char| it.is_ascii_digit())
}

/// What the number is about, in words fit for a person: the words before it, else those right after it. May be empty.
pub(super) fn label(before: &[u8], after: &[u8]) -> String {
    let text = String::from_utf8_lossy(before);
    let words = joined(text.split_whitespace().filter(|word| says_something(word)));
    let words = words.trim_matches(|character: char| {
        !(character.is_alphanumeric() || "#/~.@".contains(character))
    });
    if has_word(words) && !words.split(' ').all(is_heading) {
        return clipped(words.trim_end_matches(['.', '#', '~']));
    }
    let text = String::from_utf8_lossy(after);
    let text = text.trim_start_matches([' ', ']', ')', '}', ':', ',', '-']);
    let text = text.trim_end_matches([' ', ']', ')', '}', ':', ',', '-']);
    let speaks =
        text.starts_with(|first: char| first.is_alphabetic() || first == '/') && has_word(text);
    if !speaks || text.split_whitespace().next().is_some_and(is_heading) {
        return String::new();
    }
    clipped(&joined(text.split_whitespace()))
}

/// The program's own figures behind the number: `loss=0.8, acc=0.91`. May be empty.
pub(super) fn postfix(after: &[u8]) -> String {
    // Nearly no meter has any.
    let mut signs = memchr::memchr2_iter(b'=', b':', after);
    if !signs.any(|at| after[at] == b'=' || after.get(at + 1) == Some(&b' ')) {
        return String::new();
    }
    let text = String::from_utf8_lossy(after);
    let pairs = text
        .split([',', ']', '['])
        .flat_map(|piece| piece.split(" - "));
    let pairs = pairs.map(str::trim).filter(|pair| {
        let (name, value) = pair
            .split_once('=')
            .or_else(|| pair.split_once(": "))
            .unwrap_or_default();
        let is_name = name.starts_with(char::is_alphabetic)
            && name
                .chars()
                .all(|character| character.is_alphanumeric() || "_-./@".contains(character));
        let value = value.trim_start_matches('-');
        is_name
            && value.starts_with(|first: char| first.is_ascii_digit())
            && !value.contains([' ', ':', '/'])
            && !matches!(name, "ETA" | "eta" | "CN" | "DL" | "UL" | "Rate")
    });
    let pairs: Vec<_> = pairs.collect();
    clipped(&pairs.join(", "))
}

/// A word that stands before a figure of any meter, and says nothing of this one: `Progress: 5%`.
fn is_heading(word: &str) -> bool {
    const HEADINGS: &[&str] = &[
        "about",
        "complete",
        "completed",
        "done",
        "elapsed",
        "eta",
        "progress",
        "rate",
        "remaining",
        "status",
        "total",
    ];
    let word = word.trim_matches(|character: char| !character.is_alphanumeric());
    word.is_empty()
        || HEADINGS
            .iter()
            .any(|heading| heading.eq_ignore_ascii_case(word))
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
        assert_eq!(name(one.as_bytes()), expected);
        assert_eq!(name(other.as_bytes()), expected);
    }

    #[test]
    fn what_moves_with_the_meter_is_no_part_of_its_name() {
        same("big.bin: ", "big.bin:", "big.bin");
        same("work  [-----]   ", "work  [##---]  ", "work");
        same("job |      | ▁▃▅ ", "job |█▎    | ▂▄▆ ", "job");
        same("   32,768   ", "  346,062,848  ", "#");
        same(
            "in:  100MiB 0:00:01 [96.5MiB/s] [==> ] ",
            "in: 1.00GiB 0:01:00 [ 101MiB/s] [====] ",
            "in # # #",
        );
    }

    #[test]
    fn the_digits_and_the_path_of_a_name_tell_two_bars_apart_and_they_are_of_one_family() {
        for (one, other, of_both) in [
            ("worker 1: ", "worker 2: ", "worker"),
            ("w2d/f400.dat   ", "w2d/f399.dat   ", ""),
            ("[#6cb625 ", ")][#203c90 ", ""),
            (
                "8934d96d3f08: Downloading ",
                "0a1b2c3d4e5f: Downloading ",
                "Downloading",
            ),
        ] {
            assert_ne!(name(one.as_bytes()), name(other.as_bytes()));
            assert_eq!(family(one.as_bytes()), of_both);
            assert_eq!(family(other.as_bytes()), of_both);
        }
        assert_ne!(family(b"epoch: "), family(b"batch: "));
    }

    #[test]
    fn the_end_of_a_long_text_is_its_name() {
        assert_eq!(
            name(b"remote: Compressing many, many objects in the far away"),
            "mpressing many many objects in the far away"[3..].to_owned(),
        );
    }

    #[test]
    fn the_subject_of_a_plain_line_is_what_stands_next_to_its_number() {
        let of = |before: &str, after: &str, says_done| {
            subject(before.as_bytes(), after.as_bytes(), says_done)
        };
        assert_eq!(of("user1 uses ", " GB", false), "uses user1 GB");
        assert_eq!(
            of("12:00:01 [f00d] migrated ", " tables (a)", true),
            "migrated"
        );
        assert_eq!(of("..F..s.  ", "", false), "");
        assert_eq!(of("pool 2: ", " in use", false), "2 pool in");
    }

    #[test]
    fn the_programs_own_figures_are_the_postfix() {
        for (after, expected) in [
            (
                "|█▎| 105/200 [00:02<00:01, 49.18it/s, loss=0.8, acc=59%]",
                "loss=0.8, acc=59%",
            ),
            (
                " [>....] - ETA: 29s - loss: 2.0000 - accuracy: 0.51",
                "loss: 2.0000, accuracy: 0.51",
            ),
            (" 12.3MB/s eta 0:00:01", ""),
            (" CN:1 DL:31MiB ETA:10s]", ""),
        ] {
            assert_eq!(postfix(after.as_bytes()), expected);
        }
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
