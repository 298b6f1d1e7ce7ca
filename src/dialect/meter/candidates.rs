//! The numbers in a record that may be progress, and what they say together: the same twice, a count beside the
//! percentage of one item, or two things.
//!
//! Looks at one record only. Whether a number is progress shows in how it moves, which the caller sees from many records.

use memchr::{memchr, memchr_iter, memmem};

use super::notation::{Kind, Rest, Role, Stand, Value, amounts, number_at_end, percentages, total};
use super::words;

/// A percentage and an amount that differ by no more than this, in points, say the same: many programs round.
const AGREE: f64 = 1.6;

/// The values of a record: nearly always one, several if a record is about several things.
pub(super) fn values(text: &[u8]) -> Vec<Value> {
    let percentages = percentages(text);
    if let Some(whole) = whole(text, &percentages) {
        return vec![whole];
    }
    if let Some(found) = files(text, &percentages) {
        return found;
    }
    let amounts = amounts(text);
    let mut both = Vec::new();
    for percentage in &percentages {
        let agreeing = |amount: &&Value| {
            (amount.percentage - percentage.percentage).abs() <= AGREE
                || is_sum(text, amount, percentage.percentage)
        };
        // Beside files, bytes are the finer ones.
        let distance = |amount: &&Value| {
            (
                amount.kind != Kind::Bytes,
                amount.start.abs_diff(percentage.start),
            )
        };
        let amount = amounts.iter().filter(agreeing).min_by_key(distance);
        // The amount is the finer of the two.
        both.extend(amount.map(|amount| Value {
            start: amount.start.min(percentage.start),
            end: amount.end.max(percentage.end),
            stand: percentage.stand.min(amount.stand),
            rest: Rest::Agrees,
            ..*amount
        }));
    }
    // Several values that are each said twice are several meters. Beside a single one, the rest is about something
    // else.
    let apart = both.windows(2).all(|pair| pair[0].end <= pair[1].start);
    if both.len() < percentages.len() || !apart {
        both.truncate(1);
    }
    if both.is_empty() {
        both.extend(
            amounts
                .iter()
                .find(|amount| is_said_before(text, amount))
                .map(|amount| Value {
                    rest: Rest::Agrees,
                    ..*amount
                }),
        );
    }
    let own = both.first().or(percentages.first()).copied();
    if let Some((count, own)) = own.and_then(|own| Some((index(text, &amounts, &own)?, own))) {
        let item = Value {
            role: Role::Item,
            ..own
        };
        let count = Value {
            role: Role::Count(own.percentage),
            rest: Rest::Differs,
            ..count
        };
        return vec![count, item];
    }
    if both.is_empty() {
        both.extend(&percentages);
    }
    if both.is_empty() {
        let of_all = amounts
            .iter()
            .find(|amount| words::is_of_all(text, amount.start, 1));
        both.extend(of_all.or(amounts.first()));
    }
    for value in &mut both {
        let mut others =
            memchr_iter(b'%', text).filter(|at| !(value.start..value.end).contains(at));
        // Of what has not begun and of what is over nothing more is said: Hadoop's `map 40% reduce 0%`.
        let differs = |at| {
            let number = number_at_end(text[..at].trim_ascii_end());
            number.is_some_and(|(_, number)| number > 0.0 && number < 100.0)
        };
        if value.rest == Rest::Silent && others.any(differs) {
            value.rest = Rest::Differs;
        }
    }
    both
}

/// `32,768 100% 9MB/s 0:00:01 (xfr#3, to-chk=397/400)`: rsync has finished a file, and so many of all are left. It does
/// not say so before the end of a file, nor while it still finds files (`ir-chk`).
fn files(text: &[u8], percentages: &[Value]) -> Option<Vec<Value>> {
    const LEFT: &[u8] = b"to-chk=";
    let item = *percentages
        .first()
        .filter(|value| value.percentage >= 100.0)?;
    let start = memmem::find(&text[item.end..], LEFT)? + item.end + LEFT.len();
    let sign = start + memchr(b'/', &text[start..])?;
    let (_, left) = number_at_end(&text[start..sign])?;
    let (total, end) = total(text, sign + 1)?;
    let done = total - left;
    let count = Value {
        percentage: done / total * 100.0,
        amount: Some((done, total)),
        role: Role::Count(item.percentage),
        rest: Rest::Certain,
        ..Value::at(text, start, end)
    };
    let item = Value {
        role: Role::Item,
        ..item
    };
    (done >= 0.0 && total > 1.0).then(|| vec![item, count])
}

/// `1.23 (1230000 / 100000000)`: the percentage has no sign.
fn is_said_before(text: &[u8], amount: &Value) -> bool {
    let Some(before) = text[..amount.start].strip_suffix(b"(") else {
        return false;
    };
    let number = number_at_end(before.trim_ascii_end());
    number.is_some_and(|(start, number)| {
        text[start..amount.start].contains(&b'.') && (number - amount.percentage).abs() <= 0.1
    })
}

/// `40% (47 succeeded + 1 failed) / 119`: the percentage may be that of the sum.
fn is_sum(text: &[u8], amount: &Value, percentage: f64) -> bool {
    let (done, total) = amount.amount.unwrap_or_default();
    let begins = text.get(amount.start) == Some(&b'(');
    begins && (percentage / 100.0 * total - done).abs() < total / 10.0
}

/// The count of items of which `own` is about one: `[1/9] name 100%`, `file 3/10: 55%`.
fn index(text: &[u8], amounts: &[Value], own: &Value) -> Option<Value> {
    let counts = amounts.iter().filter(|amount| {
        let (done, _) = amount.amount.unwrap_or_default();
        let is_formal = matches!(amount.stand, Stand::Brackets | Stand::Parentheses);
        let leads = amount.stand == Stand::Leads || {
            let after = &text[amount.end..];
            [":", "...", "…"]
                .iter()
                .any(|sign| after.starts_with(sign.as_bytes()))
        };
        // Files and bytes of all are no item: `[3/40 files][1.2 MiB/4 GiB] 53%`.
        let counts_things =
            matches!(text[amount.end..], [b' ', first, ..] if first.is_ascii_alphabetic());
        let is_index = is_formal || leads && !(own.rest == Rest::Agrees && counts_things);
        amount.kind == Kind::Count && done >= 1.0 && is_index && amount.end <= own.start
    });
    let disagrees = |amount: &&Value| {
        (amount.percentage - own.percentage).abs() > AGREE
            || amount.amount != own.amount && own.amount.is_some()
    };
    let mut counts = counts.filter(disagrees);
    counts.next().copied()
}

/// `20% [1 name 379 kB/1516 kB 25%]`, of apt: the brackets are about one of the files. `[ 20%] name: 34%`, of adb.
/// `Stage: 13%; Total: 2%`, of chkdsk.
fn whole(text: &[u8], percentages: &[Value]) -> Option<Value> {
    let first = percentages.first()?;
    if percentages.len() > 1 {
        let of_all = percentages
            .iter()
            .find(|value| words::is_of_all(text, value.start, 2));
        let in_brackets =
            first.stand == Stand::Brackets && text.trim_ascii_start().starts_with(b"[");
        if of_all.is_some() || in_brackets {
            return of_all.or(Some(first)).copied();
        }
    }
    let leads = text[..first.start].trim_ascii().is_empty();
    let rest = text[first.end..].trim_ascii_start();
    (leads && rest.starts_with(b"[") && memchr(b'%', rest).is_some()).then_some(*first)
}

#[cfg(test)]
mod tests {
    use super::super::notation::worth;
    use super::*;

    /// The values of a record, as text.
    fn found(record: &str) -> Vec<String> {
        let show = |value: &Value| match value.amount {
            Some((done, total)) => format!("{:?} {done}/{total}", value.kind),
            None => format!("{:?} {}", value.kind, value.percentage),
        };
        let values = values(record.as_bytes());
        assert!(values.is_empty() || worth(record.as_bytes()), "{record}");
        values.iter().map(show).collect()
    }

    #[track_caller]
    fn one(record: &str, value: &str) {
        assert_eq!(found(record), [value], "{record}");
    }

    #[track_caller]
    fn none(record: &str) {
        assert_eq!(found(record), [""; 0], "{record}");
    }

    #[test]
    fn a_percentage_is_a_number_up_to_100_with_its_sign() {
        one("42%", "Percentage 42");
        one("[  2%] Building C object main.c.o", "Percentage 2");
        one("big.bin: 3.5 % done", "Percentage 3.5");
        one("work  [#####----]   16%", "Percentage 16");
        one("|████|100%", "Percentage 100");
        one("desc:7%", "Percentage 7");
        one(
            "[download]  21.0% of   95.41MiB at   19.85MiB/s",
            "Percentage 21",
        );
        one(
            "84,180,992  20%   79.93MB/s    0:00:04 (xfr#1, to-chk=0/1)",
            "Percentage 20",
        );
        none("150%");
        none("1.2.3%");
        one("1,5%", "Percentage 1.5");
        one("12,5 % fertig", "Percentage 12.5");
        one("42.52 percent completed", "Percentage 42.52");
        one("[00:01|%   5|+   1|-   0]: test", "Percentage 5");
        one("[===36.4%===     ]", "Percentage 36.4");
        none("the 95 percentile");
        none("25% { left: 10px }");
        none("-5%");
    }

    #[test]
    fn a_percentage_of_a_hundred_is_not_read_as_100() {
        one("    (12.13/100%)", "Percentage 12.13");
    }

    #[test]
    fn an_amount_is_finer_than_the_percentage_beside_it() {
        one("Updating files:  36% (11/30)", "Count 11/30");
        one(
            " 52%|█████▎    | 105/200 [00:02<00:01, 49.18it/s, acc=59%]",
            "Count 105/200",
        );
        one(
            "[#192d84 67MiB/400MiB(16%) CN:1 DL:31MiB ETA:10s]",
            "Bytes 70254592/419430400",
        );
        one(
            "Transferred:   75.335 MiB / 908.806 MiB, 8%, 0 B/s, ETA -",
            "Bytes 78994473/952952160",
        );
    }

    #[test]
    fn a_percentage_is_believed_before_an_amount_that_says_something_else() {
        one(" *  text.txt: 16% /296.898Mi, 0/s, -", "Percentage 16");
    }

    #[test]
    fn a_count_of_items_stands_beside_the_items_own_percentage() {
        for record in [
            "file 3/10: 55%",
            "(3/10) installing name  [####---]  55%",
            "[ 3/10] name-1.2  55% |  1.2 MiB/s |  12 MiB",
        ] {
            let values = values(record.as_bytes());
            let [count, item] = &values[..] else {
                panic!("{record}: {values:?}");
            };
            assert_eq!(count.amount, Some((3.0, 10.0)));
            assert_eq!(count.role, Role::Count(55.0));
            assert_eq!((item.role, item.percentage.round()), (Role::Item, 55.0));
        }
    }

    #[test]
    fn rsync_counts_what_is_left_when_a_file_is_over() {
        let text = b"  20,300 100%   21.93MB/s    0:00:00 (xfr#3, to-chk=397/401)";
        let values = values(text);
        assert_eq!(values[1].amount, Some((4.0, 401.0)));
        assert_eq!(values[0].role, Role::Item);
        one(
            "  20,300  99%  21.93MB/s  0:00:00 (xfr#3, to-chk=397/401)",
            "Percentage 99",
        );
        one(
            "  20,300 100%  21.93MB/s  0:00:00 (xfr#3, ir-chk=397/401)",
            "Percentage 100",
        );
    }

    #[test]
    fn what_is_beside_a_count_is_not_taken_for_it() {
        one(
            "Track 01:    3 of  345 MB written (fifo 100%) [buf  98%]   4.1x.",
            "Bytes 3000000/345000000",
        );
        one("  3 of 10 images (12% saved)", "Count 3/10");
        one(
            "Progress: 1464 of 146432 done; Stage: 31%; Total:  2%",
            "Percentage 2",
        );
        one("[  2%] /sdcard/name.mp4:  34%", "Percentage 2");
    }

    #[test]
    fn an_amount_is_written_in_many_ways() {
        for (record, value) in [
            ("3 out of 12 done", "Count 3/12"),
            ("[Stage 0:====>   (3 + 2) / 10]", "Count 3/10"),
            (
                "40% [==>  ] (47 succeeded + 1 failed) / 119",
                "Count 47/119",
            ),
            (
                "downloading, progress: 1.23 (1230000 / 100000000)",
                "Count 1230000/100000000",
            ),
            (
                "Completed 256.0 KiB/~1.0 MiB (100.0 KiB/s)",
                "Bytes 262144/1048576",
            ),
        ] {
            one(record, value);
        }
    }

    #[test]
    fn what_is_in_brackets_behind_a_percentage_is_of_a_part() {
        one(
            "20% [1 pr-one 379 kB/1516 kB 25%]       633 kB/s 2s",
            "Percentage 20",
        );
        one("0% [1 pr-one 0 B/1516 kB 0%]", "Percentage 0");
    }

    #[test]
    fn an_amount_alone_counts_things_or_bytes() {
        one(
            "   Building [===>     ] 6/41: proc-macro2, memchr",
            "Count 6/41",
        );
        one("[11/34] Building C object", "Count 11/34");
        one("Progress 262144 of 101083562", "Count 262144/101083562");
        one(
            "━━━━━╸━━━━ 74.4/101.1 MB 389.4 MB/s eta 0:00:01",
            "Bytes 74400000/101100000",
        );
        one(
            "Read: 10.0 MiB / 297 MiB ==> 37%",
            "Bytes 10485760/311427072",
        );
        one("Read:     0   B /   297 MiB ==>  0%", "Bytes 0/311427072");
        one("2001 of 2002 files", "Count 2001/2002");
    }

    #[test]
    fn meters_that_were_not_recorded_are_read_by_the_same_rule() {
        for (record, value) in [
            (
                "[1,234 / 5,678] Compiling src/main.cc; 3s remote-cache",
                "Count 1234/5678",
            ),
            ("Progress (1): 1.2/3.4 MB", "Bytes 1200000/3400000"),
            ("<=====-------> 45% EXECUTING [3s]", "Percentage 45"),
            (
                "12.3 MiB /  45.6 MiB ( 27 %)   5.1 MiB/s in  2s ETA:  3s",
                "Bytes 12897485/47815066",
            ),
            (
                "abc123: Downloading [==>     ]  1.2MB/3.4MB",
                "Bytes 1200000/3400000",
            ),
            (
                "pulling 8934d96d3f08...  45% |##   | 2.1 GB/4.7 GB   9 MB/s",
                "Bytes 2100000000/4700000000",
            ),
            ("Progress.........: 123/456 (27.0%)", "Count 123/456"),
            (
                "[==>..]  resync = 12.6% (37043392/292945152) finish=9.4min",
                "Count 37043392/292945152",
            ),
            ("Writing at 0x0001a000... (45 %)", "Percentage 45"),
            (
                "Progress: 45% (Rate: 3M/s, Estimated time remaining: 0:00:10)",
                "Percentage 45",
            ),
            ("  Moved: 12.5%", "Percentage 12.5"),
            ("Copied 3 of 7.", "Count 3/7"),
        ] {
            one(record, value);
        }
    }

    #[test]
    fn a_record_may_be_about_several_things() {
        let record = "[DL:77MiB][#6cb625 108MiB/400MiB(27%)][#203c90 108MiB/296MiB(36%)]";
        let expected = ["Bytes 113246208/419430400", "Bytes 113246208/310378496"];
        assert_eq!(found(record), expected);
    }

    #[test]
    fn what_only_looks_like_progress_is_none() {
        for record in [
            "Read:  8.50 MiB  ==> 37%",
            "7.7 MiB / 19.9 MiB = 0.389",
            "(Reading database ... 55%",
            "22/11/2026 17:44:26 started",
            "2026/11/22 16:28:28 NOTICE: no config",
            "http://x/a%20b/3/10",
            "usr/1/2 and 3/4/5",
            "GET /12/30 HTTP/1.1",
            "[1/1]",
            "5/3",
            "9.5/10",
            "rated at 30/100",
            "mem 44% used",
            "0% packet loss",
            "worker 3/7 started, mem 41% used, disk 21%",
            "67% tests passed, 1 tests failed out of 3",
            "files (about 0.0%)",
            "TOTAL coverage: 93%",
            "ratio = 3/10",
            "1/2x",
            "v1.2/3",
            "printf 100%d",
        ] {
            none(record);
        }
    }
}
