//! Lists of random percentages, one a line: what no form of a line can tell from a meter, and chance must not.
//!
//! With `PROGRUN_TEST_ALL=1` there are five hundred lists of each kind.
//!
//! A list is no progress unless it rises to its end with the same words on each line, and never if the words say that
//! it is of something else.

use std::fmt::Write as _;
use std::time::Duration;

use progrun::internals::Place;

use crate::harness::everything;
use crate::playback::Playback;
use crate::random::Random;

/// How many lists there are of each kind.
fn lists() -> usize {
    if everything() { 500 } else { 100 }
}

const LINES: usize = 30;
/// The time from line to line.
const LINE: Duration = Duration::from_millis(100);

/// The greatest percentage of a list.
const TOPS: [usize; 3] = [8, 30, 100];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    /// By random steps.
    Rising,
    Falling,
    /// Each number is independent of the others.
    Noisy,
    /// Noisy, and sorted.
    Sorted,
}

impl Order {
    const ALL: [Self; 4] = [Self::Rising, Self::Falling, Self::Noisy, Self::Sorted];

    /// Whether the list never falls.
    fn rises(self) -> bool {
        matches!(self, Self::Rising | Self::Sorted)
    }
}

/// Lines that say nothing of what the number is; `@` stands for the name, and `#` for the number with its sign.
const NEUTRAL: &[&str] = &[
    "@: #",
    "@ #",
    "@ (#)",
    "saved @ #",
    "# @",
    "item @: #, ok",
    "@ .... #",
];

/// Lines whose words say that the number is no progress.
const NAMED: [(&str, &[&str]); 9] = [
    (
        "capacity",
        &[
            "disk @ # full",
            "@: # of quota used",
            "volume @: # of capacity",
        ],
    ),
    (
        "usage",
        &["cpu @ #", "@: memory usage #", "worker @: # busy"],
    ),
    (
        "share",
        &["share of @: #", "@ # of all requests", "@: # of total time"],
    ),
    (
        "rate",
        &["error rate @ #", "@: hit rate #", "@: # packet loss"],
    ),
    ("score", &["score @: #", "@: rating #", "@: accuracy #"]),
    (
        "coverage",
        &["coverage @: #", "@ # covered", "@: # of lines covered"],
    ),
    (
        "temperature",
        &["temperature @: # of limit", "temp @ #", "humidity @: #"],
    ),
    (
        "battery",
        &[
            "battery @: #",
            "Battery @: #, discharging",
            "@ battery level #",
        ],
    ),
    (
        "discount",
        &["discount @: #", "@ # off", "@: price reduced by #"],
    ),
];

/// The numbers of a list, in tenths.
fn numbers(order: Order, top: usize, random: &mut Random) -> Vec<usize> {
    let top = top * 10;
    let mut numbers: Vec<_> = (0..LINES).map(|_| random.below(top + 1)).collect();
    match order {
        Order::Noisy => {}
        Order::Sorted => numbers.sort_unstable(),
        Order::Rising | Order::Falling => {
            // Twice the mean step of a list that ends near the top.
            let step = 2 * top / LINES;
            let mut last = 0;
            for number in &mut numbers {
                last = top.min(last + random.below(step + 1));
                *number = last;
            }
        }
    }
    if order == Order::Falling {
        numbers.reverse();
    }
    numbers
}

/// A word of letters, some with an extension, as files, hosts and packages are called.
fn name(random: &mut Random) -> String {
    const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyz";
    let length = 3 + random.below(7);
    let mut name: String = (0..length)
        .map(|_| char::from(*random.one_of(LETTERS)))
        .collect();
    let end: &&str = random.one_of(&["", "", ".png", ".rs", "-lib", "2"]);
    name.push_str(end);
    name
}

/// A list as text; `names` if each line has a name of its own.
fn list(form: &str, order: Order, top: usize, names: bool, random: &mut Random) -> Vec<String> {
    let is_whole = random.below(2) == 0;
    let mut called = name(random);
    numbers(order, top, random)
        .into_iter()
        .map(|tenths| {
            if names {
                called = name(random);
            }
            let number = if is_whole {
                format!("{}%", tenths / 10)
            } else {
                format!("{}.{}%", tenths / 10, tenths % 10)
            };
            form.replace('@', &called).replace('#', &number)
        })
        .collect()
}

/// Whether progrun takes the list for progress.
fn gives_a_bar(list: &[String]) -> bool {
    let mut playback = Playback::new();
    for line in list {
        playback.write(Place::Stdout, format!("{line}\n").as_bytes());
        playback.wait(LINE);
    }
    playback.finish(Place::Stdout);
    !playback.found().reports.is_empty()
}

/// Adds to the complaints if more than `most` of the lists give a bar, with the first that does.
fn check(complaints: &mut String, kind: &str, most: usize, mut next: impl FnMut() -> Vec<String>) {
    let mut bars = (0..lists())
        .map(|_| next())
        .filter(|list| gives_a_bar(list));
    let first = bars.next();
    let count = usize::from(first.is_some()) + bars.count();
    if count > most {
        let _ = writeln!(
            complaints,
            "{kind}: {count} of {}, at most {most} expected, such as\n  {}",
            lists(),
            first.unwrap_or_default().join("\n  "),
        );
    }
}

#[test]
fn a_list_of_random_percentages_gives_a_bar_only_if_it_rises_with_the_same_words() {
    let mut complaints = String::new();
    for (seed, order) in (1..).zip(Order::ALL) {
        for names in [false, true] {
            if order.rises() && !names {
                continue;
            }
            for top in TOPS {
                let mut random = Random(seed);
                let kind = format!("{order:?}, up to {top} %, other names: {names}");
                // Noise may happen to rise. What falls, and what rises with another name each time, has no such excuse.
                let most = usize::from(order == Order::Noisy);
                check(&mut complaints, &kind, most, || {
                    let form = random.one_of(NEUTRAL);
                    list(form, order, top, names, &mut random)
                });
            }
        }
    }
    assert!(complaints.is_empty(), "{complaints}");
}

#[test]
fn a_list_whose_words_say_that_it_is_no_progress_gives_no_bar_however_it_rises() {
    let mut complaints = String::new();
    for (seed, (word, forms)) in (1..).zip(NAMED) {
        for order in Order::ALL {
            let mut random = Random(seed);
            let kind = format!("{word}, {order:?}");
            check(&mut complaints, &kind, 0, || {
                let form = random.one_of(forms);
                let (top, names) = (*random.one_of(&TOPS), random.below(2) == 0);
                list(form, order, top, names, &mut random)
            });
        }
    }
    assert!(complaints.is_empty(), "{complaints}");
}
