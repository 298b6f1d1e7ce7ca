//! A report without any field that progrun knows. It is valid, and other readers of the events may know its fields; but
//! most likely a name is misspelled, and its author waits for a bar that never moves.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use crate::protocol::FIELDS;

/// How alike two names must be, from 0 to 1, to take one for a misspelling of the other.
const ALIKE: f64 = 0.8;
/// How many characters of the report its warning quotes.
const EXCERPT: usize = 60;

/// The warning for this object, on line `number` of the channel. None if one of its fields is known, even with the value
/// null, or if it has none: `{}` asks whether the run is cancelled.
#[cold]
pub(crate) fn warning(number: u64, object: &str) -> Option<String> {
    let fields: BTreeMap<String, &RawValue> = serde_json::from_str(object).ok()?;
    if fields.is_empty() || fields.keys().any(|name| FIELDS.contains(&name.as_str())) {
        return None;
    }
    let pairs = fields
        .keys()
        .flat_map(|name| FIELDS.map(|field| (strsim::jaro_winkler(name, field), name, field)));
    let advice = match pairs.max_by(|one, other| one.0.total_cmp(&other.0)) {
        Some((alike, name, field)) if alike >= ALIKE => {
            format!("{name:?} is no field; did you mean {field:?}?")
        }
        _ => format!("the fields are {}", FIELDS[..10].join(", ")),
    };
    let mut excerpt: String = object.chars().take(EXCERPT).collect();
    if excerpt.len() < object.len() {
        excerpt.push('…');
    }
    Some(format!(
        "progress line {number} has no known field: {excerpt} ({advice})"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_field_that_was_meant_is_named() {
        for (object, meant) in [
            (
                r#"{"progess":5}"#,
                r#""progess" is no field; did you mean "progress"?"#,
            ),
            (
                r#"{"x":1,"Total":5}"#,
                r#""Total" is no field; did you mean "total"?"#,
            ),
            (
                r#"{"percentge":5}"#,
                r#""percentge" is no field; did you mean "percentage"?"#,
            ),
        ] {
            assert_eq!(
                warning(3, object).unwrap(),
                format!("progress line 3 has no known field: {object} ({meant})")
            );
        }
    }

    #[test]
    fn where_no_name_is_near_the_fields_are_listed() {
        assert_eq!(
            warning(1, r#"{"level":"info"}"#).unwrap(),
            "progress line 1 has no known field: {\"level\":\"info\"} (the fields are progress, total, message, \
             percentage, unit, id, parent, title, status, eta)"
        );
    }

    #[test]
    fn a_report_with_a_known_field_or_with_none_at_all_is_not_warned_of() {
        for object in ["{}", " { } ", r#"{"message":null}"#, r#"{"x":1,"eta":2}"#] {
            assert_eq!(warning(1, object), None, "{object}");
        }
        for field in FIELDS {
            let object = format!("{{\"{field}\":null}}");
            assert_eq!(warning(1, &object), None);
            let wrong = format!("{{\"{field}\":[]}}");
            assert!(crate::protocol::read_object(&wrong).is_err(), "{field}");
        }
    }

    #[test]
    fn a_long_report_is_cut() {
        let object = format!(r#"{{"é":"{}"}}"#, "x".repeat(99));
        let warning = warning(1, &object).unwrap();
        let excerpt = format!(r#": {{"é":"{}… ("#, "x".repeat(54));
        assert!(warning.contains(&excerpt), "{warning}");
    }
}
