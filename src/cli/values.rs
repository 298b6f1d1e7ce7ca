//! The values of the options of lists: how they are written, and what is wrong with others.

use std::ffi::OsStr;
use std::time::Duration;

use clap::builder::{PossibleValue, TypedValueParser};

use crate::event::{HaltWhen, HaltWhy};
use crate::run::{Halt, RetryOn};

use super::time::{Time, parse_time};

/// How many values a task gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Count {
    Exactly(usize),
    Max,
}

/// How many tasks run at once.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Jobs {
    Exactly(u32),
    Percent(f64),
    More(u32),
    Fewer(u32),
    Max,
}

/// When a run halts; none: never.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Halting(pub(super) Option<Halt>);

/// More tasks at once than any machine has processes for: the limits of the system decide.
const MANY_JOBS: u32 = 4096;

impl Jobs {
    /// As a number, on a machine with this many processors.
    pub(super) fn count(self, processors: u32) -> u32 {
        match self {
            Self::Exactly(count) => count,
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "saturates, and is not negative"
            )]
            Self::Percent(percent) => (f64::from(processors) * percent / 100.0).round() as u32,
            Self::More(count) => processors.saturating_add(count),
            Self::Fewer(count) => processors.saturating_sub(count),
            Self::Max => MANY_JOBS,
        }
        .max(1)
    }
}

/// The usable processors: by affinity, and by the quota of the cgroup.
pub(super) fn processors() -> u32 {
    let count = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    u32::try_from(count).unwrap_or(u32::MAX)
}

pub(super) fn parse_jobs(text: &str) -> Result<Jobs, String> {
    let wrong = || "expected a number such as 4, 50%, +1 or -1, or max".to_owned();
    let number = |digits: &str| {
        let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| digits.parse().unwrap_or(u32::MAX))
    };
    if text == "max" {
        return Ok(Jobs::Max);
    }
    if let Some(percent) = text.strip_suffix('%') {
        let percent: f64 = percent.parse().map_err(|_| wrong())?;
        let is_share = percent.is_finite() && percent > 0.0;
        return is_share.then_some(Jobs::Percent(percent)).ok_or_else(wrong);
    }
    if let Some(more) = text.strip_prefix('+') {
        return number(more).map(Jobs::More).ok_or_else(wrong);
    }
    if let Some(fewer) = text.strip_prefix('-') {
        return number(fewer).map(Jobs::Fewer).ok_or_else(wrong);
    }
    match number(text) {
        Some(0) => Err("no task would ever run; for as many as possible: -j max".to_owned()),
        Some(count) => Ok(Jobs::Exactly(count)),
        None => Err(wrong()),
    }
}

pub(super) fn parse_count(text: &str) -> Result<Count, &'static str> {
    match (text, text.parse()) {
        ("max", _) => Ok(Count::Max),
        (_, Ok(count)) if count > 0 => Ok(Count::Exactly(count)),
        _ => Err("expected a number from 1 on, or max"),
    }
}

pub(super) fn parse_delimiter(text: &str) -> Result<u8, &'static str> {
    match (text, text.as_bytes()) {
        ("\\t", _) => Ok(b'\t'),
        ("\\n", _) => Ok(b'\n'),
        ("\\0", _) => Ok(0),
        (_, [byte]) => Ok(*byte),
        _ => Err("expected one byte, such as , or \\t"),
    }
}

pub(super) fn parse_load(text: &str) -> Result<f64, &'static str> {
    let (number, scale) = match text.strip_suffix('%') {
        Some(percent) => (percent, f64::from(processors()) / 100.0),
        None => (text, 1.0),
    };
    let load = number.parse().ok().map(|number: f64| number * scale);
    load.filter(|load| load.is_finite() && *load > 0.0)
        .ok_or("expected a number such as 4 or 80%")
}

pub(super) fn parse_size(text: &str) -> Result<u64, &'static str> {
    let text = text.trim_end_matches(['b', 'B']).trim_end_matches('i');
    let units = [("K", 10), ("M", 20), ("G", 30), ("T", 40)];
    let upper = text.to_uppercase();
    let unit = units
        .iter()
        .find_map(|(unit, shift)| Some((upper.strip_suffix(unit)?, *shift)));
    let (number, shift) = unit.unwrap_or((&upper, 0));
    let number: f64 = number
        .parse()
        .map_err(|_| "expected a size such as 2G or 500M")?;
    if !number.is_finite() || number < 0.0 {
        return Err("expected a size such as 2G or 500M");
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "saturates, and is not negative"
    )]
    Ok((number * (1_u64 << shift) as f64) as u64)
}

/// One time, or two with `..` between them.
pub(super) fn parse_delays(text: &str) -> Result<(Duration, Duration), String> {
    let time = |text| parse_time(text).map(|time: Time| time.0.unwrap_or_default());
    let Some((least, most)) = text.split_once("..") else {
        let delay = time(text)?;
        return Ok((delay, delay));
    };
    let (least, most) = (time(least)?, time(most)?);
    if least > most {
        return Err("the first time is longer than the second".to_owned());
    }
    if least.is_zero() && !most.is_zero() {
        return Err("a delay of 0 does not double".to_owned());
    }
    Ok((least, most))
}

pub(super) fn parse_retry_on(text: &str) -> Result<RetryOn, String> {
    let mut on = RetryOn::default();
    for word in text.split(',') {
        match (word, word.parse::<u8>()) {
            ("timeout", _) => on.timeout = true,
            ("signal", _) => on.signal = true,
            ("lost", _) => on.lost = true,
            (_, Ok(status)) if status > 0 => on.statuses.push(status.into()),
            _ => {
                return Err(format!(
                    "{word}: expected exit statuses from 1 to 255, timeout, signal or lost"
                ));
            }
        }
    }
    Ok(on)
}

pub(super) fn parse_halt(text: &str) -> Result<Halting, String> {
    let wrong =
        || "expected never, soon or now, and after a comma fail=N, success=N or done=N".to_owned();
    let (when, why) = match text.split_once(',') {
        Some((when, why)) => (when, Some(why)),
        None => (text, None),
    };
    let when = match when {
        "never" if why.is_none() => return Ok(Halting(None)),
        "soon" => HaltWhen::Soon,
        "now" => HaltWhen::Now,
        _ => return Err(wrong()),
    };
    let (why, count) = why.unwrap_or("fail=1").split_once('=').ok_or_else(wrong)?;
    let why = match why {
        "fail" => HaltWhy::Fail,
        "success" => HaltWhy::Success,
        "done" => HaltWhy::Done,
        _ => return Err(wrong()),
    };
    let count = count.parse().ok().filter(|count| *count > 0);
    let count = count.ok_or_else(wrong)?;
    Ok(Halting(Some(Halt { when, why, count })))
}

/// Takes any form of --halt, and tells completions the usual ones.
#[derive(Clone)]
pub(super) struct HaltParser;

impl TypedValueParser for HaltParser {
    type Value = Halting;

    fn parse_ref(
        &self,
        command: &clap::Command,
        argument: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<Halting, clap::Error> {
        parse_halt.parse_ref(command, argument, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let usual = [
            "never",
            "soon",
            "now",
            "soon,fail=1",
            "now,fail=1",
            "now,success=1",
        ];
        Some(Box::new(usual.into_iter().map(PossibleValue::new)))
    }
}
