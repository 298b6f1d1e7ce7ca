//! Words beside a number that say what it is: how far something is, or something else.
//!
//! The lists are short on purpose. They only say no to what moves like progress and is none, and lower the number of
//! lines that a plain meter needs; how a number moves decides all else.

use memchr::{memrchr, memrchr3};

/// How much of something is in use, how good something is, how it compares: the next two words on either side of the
/// number are looked at.
const MEASURES: &[&str] = &[
    "acc",
    "accepted",
    "accuracy",
    "approval",
    "apr",
    "auc",
    "available",
    "backlog",
    "bat",
    "battery",
    "brightness",
    "buf",
    "buffer",
    "busy",
    "cache",
    "cached",
    "capacity",
    "chance",
    "charge",
    "charged",
    "charging",
    "compressed",
    "compression",
    "confidence",
    "context",
    "coverage",
    "covered",
    "cpu",
    "cpus",
    "ctx",
    "deflated",
    "discount",
    "disk",
    "drop",
    "dropped",
    "efficiency",
    "err",
    "error",
    "errors",
    "fail",
    "failed",
    "failure",
    "failures",
    "fan",
    "faster",
    "fds",
    "fifo",
    "fragmentation",
    "fragmented",
    "free",
    "fuel",
    "full",
    "gpu",
    "grade",
    "growth",
    "heap",
    "hit",
    "hits",
    "humidity",
    "identity",
    "idle",
    "illuminated",
    "imb",
    "imbalance",
    "inode",
    "inodes",
    "interest",
    "iowait",
    "larger",
    "level",
    "load",
    "loss",
    "lost",
    "match",
    "mem",
    "memory",
    "miss",
    "misses",
    "occupancy",
    "off",
    "open",
    "packet",
    "passed",
    "precision",
    "probability",
    "quality",
    "queue",
    "queued",
    "quota",
    "ram",
    "rate",
    "rated",
    "rating",
    "ratio",
    "recall",
    "recovered",
    "reduction",
    "rejected",
    "saved",
    "savings",
    "score",
    "scored",
    "share",
    "signal",
    "similar",
    "similarity",
    "slower",
    "smaller",
    "sold",
    "space",
    "speakers",
    "spread",
    "steal",
    "strength",
    "swap",
    "swp",
    "tank",
    "tax",
    "temp",
    "temperature",
    "tokens",
    "top",
    "usage",
    "use",
    "used",
    "users",
    "uses",
    "util",
    "utilisation",
    "utilization",
    "vol",
    "volume",
    "vote",
    "votes",
    "watermark",
    "win",
    "zoom",
];

/// Words before an amount that is no progress: one of several things that exist at the same time, or of several
/// attempts.
const MEMBERS: &[&str] = &[
    "attempt", "core", "gpu", "member", "node", "rank", "replica", "retry", "shard", "thread",
    "try", "worker",
];

/// Words after such an amount. A count of workers is full when the work begins.
const POPULATIONS: &[&str] = &[
    "active",
    "agents",
    "alive",
    "clients",
    "connected",
    "connections",
    "containers",
    "cores",
    "healthy",
    "hosts",
    "instances",
    "nodes",
    "online",
    "pending",
    "players",
    "pods",
    "ready",
    "replicas",
    "running",
    "slots",
    "threads",
    "up",
    "users",
    "vus",
    "workers",
];

/// Words before the number of something that has begun, and is over only when the next one begins.
const STEPS: &[&str] = &["pass", "phase", "stage", "step"];

/// Words beside a number that says how much of the work is done.
const DONE: &[&str] = &[
    "analyzed",
    "archived",
    "backed",
    "building",
    "built",
    "burning",
    "calculating",
    "checked",
    "checking",
    "cleaning",
    "cloning",
    "compiled",
    "compiling",
    "complete",
    "completed",
    "completion",
    "compressing",
    "computing",
    "converted",
    "converting",
    "copied",
    "copying",
    "creating",
    "decompressing",
    "decrypting",
    "deleting",
    "done",
    "downloaded",
    "downloading",
    "encoded",
    "encoding",
    "encrypting",
    "erased",
    "erasing",
    "evaluating",
    "exported",
    "exporting",
    "extracted",
    "extracting",
    "fetching",
    "filling",
    "finished",
    "flashing",
    "flushing",
    "formatting",
    "generating",
    "hashing",
    "imported",
    "importing",
    "indexed",
    "indexing",
    "inserted",
    "installed",
    "installing",
    "loaded",
    "loading",
    "migrated",
    "migrating",
    "mirroring",
    "moved",
    "moving",
    "packing",
    "processed",
    "processing",
    "progress",
    "reading",
    "rebuilding",
    "received",
    "receiving",
    "removing",
    "rendered",
    "rendering",
    "restored",
    "restoring",
    "scanned",
    "scanning",
    "sending",
    "sent",
    "synced",
    "syncing",
    "testing",
    "training",
    "transferred",
    "transferring",
    "unpacking",
    "updating",
    "upgrading",
    "uploaded",
    "uploading",
    "verified",
    "verifying",
    "wiped",
    "writing",
    "written",
];

/// Words before a number that is about all there is to do.
const ALL: &[&str] = &["overall", "progress", "total"];

/// How many words on either side are looked at.
const NEAR: usize = 2;
/// How many words before a number can belong to it.
const PHRASE: usize = 4;
/// No word of the lists is longer.
const LONGEST: usize = 16;

/// Whether the number at this place measures something.
pub(super) fn is_measure(text: &[u8], start: usize, end: usize) -> bool {
    // A rate a word away is of something else: `rate: 0.1 kpps, 5% done`.
    let mut near = before(text, start)
        .take(NEAR)
        .enumerate()
        .filter(|(at, word)| *at == 0 || !word.eq_ignore_ascii_case(b"rate"));
    let precedes = near.any(|(_, word)| is_among(word, MEASURES));
    let follows = || {
        after(text, end)
            .take(NEAR)
            .any(|word| is_among(word, MEASURES))
    };
    // What is done to a disk or a memory is no use of it: `Writing disk image: 40%`, `64 of 900 inodes done`.
    let is_done_to = || {
        before(text, start)
            .take(PHRASE)
            .any(|word| is_among(word, DONE))
    };
    (precedes && !is_done_to() || follows()) && !follows_done(text, end)
}

/// What the words of a record say of one of its numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Speech {
    /// That it is how much is done.
    Done,
    /// That the record is about a measure, though not beside the number.
    Measure,
    /// Nothing.
    Neither,
}

impl Speech {
    /// Of the number at this place. On a redrawn line, a measure is one only where its word is beside the number.
    pub(super) fn of(text: &[u8], start: usize, end: usize, redrawn: bool) -> Self {
        // The word may stand behind a comma: `12 %, 3 done`.
        let mut near = before(text, start)
            .take(NEAR)
            .chain(words_in(&text[end..]).take(NEAR));
        if near.any(|word| is_among(word, DONE)) {
            return Self::Done;
        }
        if redrawn {
            return Self::Neither;
        }
        // A share, `5% of all requests`; a change, `by 5%`.
        let share = text[end..].trim_ascii_start().strip_prefix(b"of ");
        let is_share = share.is_some_and(|of| of.first().is_some_and(u8::is_ascii_alphabetic));
        let is_change = before(text, start).next() == Some(b"by");
        if is_share || is_change || words_in(text).any(|word| is_among(word, MEASURES)) {
            return Self::Measure;
        }
        Self::Neither
    }
}

/// Whether the amount at this place counts things that exist at the same time.
pub(super) fn is_member(text: &[u8], start: usize, end: usize) -> bool {
    let is_out_of = words_in(&text[start..end]).any(|word| word == b"out");
    let follows = || {
        after(text, end)
            .take(NEAR)
            .any(|word| is_among(word, POPULATIONS))
    };
    before(text, start)
        .take(1)
        .any(|word| is_among(word, MEMBERS))
        || !is_out_of && follows()
}

/// Whether the amount at this place names a step that has begun.
pub(super) fn is_step(text: &[u8], start: usize, end: usize) -> bool {
    let begins = before(text, start)
        .take(1)
        .any(|word| is_among(word, STEPS));
    begins && !after(text, end).take(1).any(|word| is_among(word, DONE))
}

/// Whether one of the `nearest` words before the number says that it is about everything. Of two percentages, each may be
/// a progress.
pub(super) fn is_of_all(text: &[u8], start: usize, nearest: usize) -> bool {
    let mut words = before(text, start).take(nearest);
    words.any(|word| {
        is_among(word, ALL) && (nearest == 1 || !word.eq_ignore_ascii_case(b"progress"))
    })
}

/// Whether the number is the value of a key that says how much is done: `synced=2.4%`.
pub(super) fn is_key(text: &[u8], start: usize) -> bool {
    let key = before(text, start).next();
    key.is_some_and(|key| is_among(key, ALL) || is_among(key, DONE))
}

/// Whether a word behind the number says that it is done.
pub(super) fn follows_done(text: &[u8], end: usize) -> bool {
    after(text, end).take(NEAR).any(|word| is_among(word, DONE))
}

/// The words after a place, the nearest first, up to where the text speaks of something else.
pub(super) fn after(text: &[u8], end: usize) -> impl Iterator<Item = &[u8]> {
    let text = &text[end..];
    let text = text.trim_ascii_start().strip_prefix(b")").unwrap_or(text);
    let stop = text.iter().position(|byte| b"([|,;:".contains(byte));
    words_in(&text[..stop.unwrap_or(text.len())])
}

/// The words before a place, the nearest first, back to where the text spoke of something else.
pub(super) fn before(text: &[u8], start: usize) -> impl Iterator<Item = &[u8]> {
    let text = text[..start].trim_ascii_end();
    let text = text
        .strip_suffix(b"]")
        .or(text.strip_suffix(b")"))
        .unwrap_or(text);
    let stop = memrchr3(b')', b']', b'|', text).max(memrchr(b';', text));
    text[stop.map_or(0, |at| at + 1)..]
        .rsplit(|byte| !is_letter(*byte))
        .filter(|word| !word.is_empty())
}

fn words_in(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| !is_letter(*byte))
        .filter(|word| !word.is_empty())
}

fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte >= 0x80
}

/// Whether the word is in a list, which is sorted. No word of the lists is longer than the buffer.
fn is_among(word: &[u8], words: &[&str]) -> bool {
    // Most words are units and names of a letter or two.
    if word.len() < 2 {
        return false;
    }
    let mut lower = [0; LONGEST];
    let Some(lower) = lower.get_mut(..word.len()) else {
        return false;
    };
    lower.copy_from_slice(word);
    lower.make_ascii_lowercase();
    // The first letter decides nearly every step.
    let order = |known: &&str| {
        let known = known.as_bytes();
        known[0].cmp(&lower[0]).then_with(|| known.cmp(lower))
    };
    words.binary_search_by(order).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_sorted_and_their_words_are_found() {
        for words in [MEASURES, MEMBERS, POPULATIONS, STEPS, DONE, ALL] {
            assert!(words.is_sorted());
            for word in words {
                assert!(is_among(word.to_uppercase().as_bytes(), words), "{word}");
            }
            assert!(!is_among(b"", words) && !is_among(&[b'x'; 99], words));
        }
    }
}
