//! How much of a recording is kept: enough for a page that a browser opens at once, however long the run was. What is
//! beyond a bound is counted, and the page says so.

/// How many tasks a page shows. Beyond that, only those that did not complete, and as many again of them.
pub(super) const TASKS: usize = 100_000;
/// How many tasks all runs of a recording may have together, and how many runs there are: of more, the last ones are
/// kept.
pub(super) const ALL_TASKS: usize = 2 * TASKS;
pub(super) const RUNS: usize = 500;
/// How many parts of one task are kept, and how many of a run.
pub(super) const PARTS: usize = 1000;
pub(super) const ALL_PARTS: usize = 20_000;
/// How many attempts of one task are kept, and how many warnings of a run: the last ones say no more.
pub(super) const ATTEMPTS: usize = 1000;
pub(super) const WARNINGS: usize = 100;

/// The lengths of texts, in bytes.
pub(super) const NAME: usize = 400;
pub(super) const COMMAND: usize = 1000;

/// The last lines of all attempts that did not complete, and those of one. An attempt with less than the least has
/// none.
const TAILS: usize = 1536 * 1024;
const TAIL: usize = 4096;
const LEAST_TAIL: usize = 256;

/// The points of all curves, and those of one. A curve with fewer than the least shows nothing.
const POINTS: usize = 40_000;
const CURVE: usize = 240;
const LEAST_CURVE: usize = 8;

/// The commands of all tasks, and the shortest that one is cut to.
const COMMANDS: usize = 2 * 1024 * 1024;
const LEAST_COMMAND: usize = 64;

/// The length of the last lines of each of so many attempts.
pub(super) fn tail(count: usize) -> usize {
    share(TAILS, count, TAIL, LEAST_TAIL)
}

/// The points of the curve of each of so many tasks.
pub(super) fn curve(count: usize) -> usize {
    share(POINTS, count, CURVE, LEAST_CURVE)
}

/// The length of the name of each of so many tasks, and that of its command.
pub(super) fn texts(count: usize) -> (usize, usize) {
    let command = (COMMANDS / count.max(1)).clamp(LEAST_COMMAND, COMMAND);
    (command.min(NAME), command)
}

/// What each of `count` gets of `all`: `most` if there is enough, and nothing if it would be less than `least`.
fn share(all: usize, count: usize, most: usize, least: usize) -> usize {
    let each = (all / count.max(1)).min(most);
    if each < least { 0 } else { each }
}

/// The beginning of `text`, of at most so many bytes, with an ellipsis for what is cut off.
pub(super) fn cut(text: &str, length: usize) -> String {
    if text.len() <= length {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(length);
    format!("{}…", &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_get_all_they_may_have_and_a_million_get_nothing() {
        assert_eq!((tail(0), tail(3), tail(384)), (4096, 4096, 4096));
        assert_eq!((tail(3000), tail(6144), tail(6145)), (524, 256, 0));
        assert_eq!((curve(1), curve(5000), curve(5001)), (240, 8, 0));
        assert_eq!((texts(1), texts(10_000)), ((400, 1000), (209, 209)));
    }

    #[test]
    fn a_text_is_cut_between_two_characters() {
        assert_eq!(cut("häuser", 6), "häuse…");
        assert_eq!(cut("häuser", 2), "h…");
        assert_eq!(cut("häuser", 7), "häuser");
    }
}
