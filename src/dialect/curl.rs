//! The two meters of curl that have columns instead of a percent sign.
//!
//! ```text
//!   % Total    % Received % Xferd  Average Speed   Time    Time     Time  Current
//!  14  400M   14 59.1M    0     0  59.9M      0  0:00:06 --:--:--  0:00:06 59.9M
//! DL% UL%  Dled  Uled  Xfers  Live Total     Current  Left    Speed
//!  58 --   409M     0     2     1   0:00:11  0:00:06  0:00:04 58.2M
//! ```
//!
//! The first column is 100 also where the length is not known, and then means nothing. The form of a row is evidence
//! enough: so many columns, three of them times, the rest sizes and percentages. So a single row is believed.

use std::borrow::Cow;

use super::record::Record;
use super::{Each, Format, SHOWN};
use crate::protocol::Progress;

/// The entry of `--list-formats`.
pub(super) const FORMAT: Format = Format {
    name: "curl",
    about: "the columns of curl's meters, on standard error",
    switch: "curl -o FILE URL, curl -Z ...",
};

/// Gives whether the record is a row of one of the meters.
pub(super) fn read(record: Record<'_>, each: Each<'_>) -> bool {
    // A row has no letters but those of sizes, so the first character rules out nearly every other record.
    let first = || record.text.iter().find(|byte| **byte != b' ');
    if !record.redrawn || !first().is_some_and(|byte| byte.is_ascii_digit() || *byte == b'-') {
        return false;
    }
    let Ok(text) = std::str::from_utf8(record.text) else {
        return false;
    };
    let mut columns = [""; 13];
    let mut count = 0;
    for column in text.split_ascii_whitespace().take(columns.len()) {
        columns[count] = column;
        count += 1;
    }
    let progress = match columns[..count] {
        [
            all,
            total,
            received_percent,
            received,
            sent_percent,
            sent,
            down,
            up,
            t1,
            t2,
            t3,
            speed,
        ] if [t1, t2, t3].into_iter().all(is_time)
            && [down, up, speed].iter().all(|size| bytes(size).is_some()) =>
        {
            let percents = [all, received_percent, sent_percent].map(percent);
            let sizes = [total, received, sent].map(bytes);
            one_by_one(percents, sizes)
        }
        [down, up, received, sent, count, live, t1, t2, t3, speed]
            if [t1, t2, t3].into_iter().all(is_time)
                && [count, live]
                    .iter()
                    .all(|count| count.parse::<u32>().is_ok())
                && bytes(speed).is_some() =>
        {
            parallel([down, up], [received, sent].map(bytes))
        }
        _ => None,
    };
    let Some(progress) = progress else {
        return false;
    };
    if !record.again && !progress.is_empty() {
        each(FORMAT.name, &progress);
    }
    true
}

/// One transfer after the other. The sizes are the total, what was received, and what was sent.
fn one_by_one(percents: [Option<f64>; 3], sizes: [Option<f64>; 3]) -> Option<Progress<'static>> {
    let [all, received_percent, sent_percent] = percents;
    let [total, received, sent] = sizes;
    let (all, total, done) = (all?, total?, received? + sent?);
    let known = received_percent? > 0.0 || sent_percent? > 0.0 || all < 100.0;
    Some(match known {
        // Before the first byte, nothing is known: the total is 0.
        _ if total <= 0.0 => Progress::default(),
        // Without a length, the total is what has come so far.
        false => amount(done, None),
        true if done < total => amount(done, Some(total)),
        true => percentage(all),
    })
}

/// Several transfers at once, of which there is no total in bytes.
fn parallel(percents: [&str; 2], sizes: [Option<f64>; 2]) -> Option<Progress<'static>> {
    let [received, sent] = sizes;
    let done = received? + sent?;
    let mut known = Vec::new();
    for column in percents.into_iter().filter(|column| *column != "--") {
        known.push(percent(column)?);
    }
    Some(match known.as_slice() {
        [] if done > 0.0 => amount(done, None),
        &[known] => percentage(known),
        // Nothing has come yet; or both directions are known, and curl does not say which of them takes longer.
        _ => Progress::default(),
    })
}

fn percentage(percent: f64) -> Progress<'static> {
    Progress {
        percentage: Some(percent.min(SHOWN)),
        ..Progress::default()
    }
}

fn amount(done: f64, total: Option<f64>) -> Progress<'static> {
    Progress {
        progress: Some(done.round()),
        total: total.map(f64::round),
        unit: Some(Cow::Borrowed("bytes")),
        ..Progress::default()
    }
}

fn percent(column: &str) -> Option<f64> {
    column
        .parse::<u8>()
        .ok()
        .filter(|value| *value <= 100)
        .map(f64::from)
}

/// A size of curl's: at most five characters, counted in 1024.
fn bytes(column: &str) -> Option<f64> {
    let last = column.bytes().last()?;
    let power = match last {
        b'0'..=b'9' => return number(column),
        b'k' | b'K' => 1,
        b'M' => 2,
        b'G' => 3,
        b'T' => 4,
        b'P' => 5,
        _ => return None,
    };
    Some(number(&column[..column.len() - 1])? * 1024_f64.powi(power))
}

fn number(text: &str) -> Option<f64> {
    let plain = text
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.');
    text.parse().ok().filter(|_| plain)
}

/// `0:00:06` or `--:--:--`.
fn is_time(column: &str) -> bool {
    let mut fields = column.split(':');
    let unknown = column == "--:--:--";
    let digits = |field: &str| !field.is_empty() && field.bytes().all(|byte| byte.is_ascii_digit());
    unknown
        || fields
            .by_ref()
            .take(3)
            .filter(|field| digits(field))
            .count()
            == 3
            && fields.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_row(row: &str) -> Option<String> {
        let record = Record {
            text: row.as_bytes(),
            redrawn: true,
            stays: false,
            again: false,
            row: 0,
            top: 0,
        };
        let mut seen = String::new();
        read(record, &mut |_, progress| seen = progress.to_json()).then_some(seen)
    }

    #[track_caller]
    fn row(row: &str, json: &str) {
        assert_eq!(read_row(row).as_deref(), Some(json), "{row}");
    }

    #[test]
    fn a_download_is_so_many_bytes_of_so_many() {
        row(
            " 14  400M   14 59.1M    0     0  59.9M      0  0:00:06 --:--:--  0:00:06 59.9M",
            r#"{"progress":61970842,"total":419430400,"unit":"bytes"}"#,
        );
    }

    #[test]
    fn an_upload_is_counted_by_what_was_sent() {
        row(
            "  8  400M    0     0    8 35.8M      0  99.7M  0:00:04 --:--:--  0:00:04 99.7M",
            r#"{"progress":37539021,"total":419430400,"unit":"bytes"}"#,
        );
    }

    #[test]
    fn the_end_of_a_file_is_not_shown_as_100() {
        row(
            "100  400M  100  400M    0     0  60.4M      0  0:00:06  0:00:06 --:--:-- 60.6M",
            r#"{"percentage":99.9}"#,
        );
    }

    #[test]
    fn a_first_column_of_100_means_nothing_where_the_length_is_not_known() {
        row(
            "100 28.8M    0 28.8M    0     0  39.9M      0 --:--:-- --:--:-- --:--:-- 39.9M",
            r#"{"progress":30198989,"unit":"bytes"}"#,
        );
    }

    #[test]
    fn the_first_row_is_one_and_says_nothing() {
        row(
            "  0     0    0     0    0     0      0      0 --:--:-- --:--:-- --:--:--     0",
            "",
        );
        row(
            "--  --      0     0     2     2  --:--:-- --:--:-- --:--:--     0      ",
            "",
        );
    }

    #[test]
    fn parallel_transfers_are_bytes_until_the_percentage_is_known() {
        row(
            "--  --  39.3M     0     2     2  --:--:-- --:--:-- --:--:-- 78.1M      ",
            r#"{"progress":41209037,"unit":"bytes"}"#,
        );
        row(
            " 58 --   409M     0     2     1   0:00:11  0:00:06  0:00:04 58.2M      ",
            r#"{"percentage":58}"#,
        );
    }

    #[test]
    fn other_rows_of_numbers_are_none() {
        for other in [
            " 4  0      0 23824716    844 641332    0    0  3644  3286 1756 12119",
            "  0   330    0     0    0     0      0      0 a:bb:cc --:--:-- --:--:--     0",
            " 14  400X   14 59.1M    0     0  59.9M      0  0:00:06 --:--:--  0:00:06 59.9M",
            "140  400M   14 59.1M    0     0  59.9M      0  0:00:06 --:--:--  0:00:06 59.9M",
            "1 2 3 4 5 6 7 8 9 10",
            "nan  400M   14 59.1M    0     0  59.9M      0  0:00:06 --:--:--  0:00:06 59.9M",
        ] {
            assert_eq!(read_row(other), None, "{other}");
        }
    }
}
