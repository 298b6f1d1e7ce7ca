//! Lengths of time on the command line.

use std::time::Duration;

/// A time on the command line; none is for ever, written 0.
#[derive(Default, Clone, Copy, Debug)]
pub(super) struct Time(pub(super) Option<Duration>);

pub(super) fn parse_time(text: &str) -> Result<Time, String> {
    let expected = "expected a time such as 90s, 1h30m or 0.5";
    // As in sleep and timeout: a number, of seconds if it is alone.
    let (number, unit) = [("s", 1.0), ("m", 60.0), ("h", 3600.0), ("d", 86400.0)]
        .into_iter()
        .find_map(|(letter, unit)| Some((text.strip_suffix(letter)?, unit)))
        .unwrap_or((text, 1.0));
    let time = match number.parse::<f64>() {
        Ok(number) if number.is_nan() => return Err(expected.to_owned()),
        Ok(number) if number.is_sign_negative() => {
            return Err("a time cannot be negative".to_owned());
        }
        Ok(value) => {
            let time = Duration::try_from_secs_f64(value * unit).unwrap_or(Duration::MAX);
            // A time so short that it is rounded to 0 must not become 0, which means for ever.
            let digits = number.split(['e', 'E']).next().unwrap_or(number);
            let some = digits.contains(|digit| matches!(digit, '1'..='9'));
            time.max(Duration::from_nanos(some.into()))
        }
        Err(_) => humantime::parse_duration(text).map_err(|_| expected.to_owned())?,
    };
    Ok(Time(Some(time).filter(|time| !time.is_zero())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_units_or_is_seconds_and_0_is_for_ever() {
        let time = |text| parse_time(text).map(|time| time.0);
        let seconds = |seconds| Ok(Some(Duration::from_secs_f64(seconds)));
        assert_eq!(time("1h30m"), seconds(5400.0));
        assert_eq!(time("0.5"), seconds(0.5));
        assert_eq!(time("90"), seconds(90.0));
        assert_eq!(time("0"), Ok(None));
        assert_eq!(time("0s"), Ok(None));
        assert_eq!(time("1.5h"), seconds(5400.0));
        assert_eq!(time(".5d"), seconds(43200.0));
        assert_eq!(time("1e300"), Ok(Some(Duration::MAX)));
        assert_eq!(time("1e300d"), Ok(Some(Duration::MAX)));
        assert_eq!(time("1e-10000"), Ok(Some(Duration::from_nanos(1))));
        assert_eq!(time("0e10"), Ok(None));
        for wrong in ["-1", "-0.5", "nan", "soon", ""] {
            assert!(time(wrong).is_err(), "{wrong}");
        }
    }
}
