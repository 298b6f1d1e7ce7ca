//! A task that is written as a JSON object.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use super::{Specification, Stdin, Words, words};

/// Reads a time as the command line writes it; none: 0, which means no limit.
pub(crate) type ReadTime = fn(&str) -> Result<Option<Duration>, String>;

const KEYS: [&str; 12] = [
    "command",
    "name",
    "cwd",
    "stdin",
    "env",
    "after",
    "after_any",
    "timeout",
    "retries",
    "retry_delay",
    "slots",
    "priority",
];

/// The members of an object in their order. A `HashMap` would keep the last of two equal keys without a word.
struct Members(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OfObject;

        impl<'de> Visitor<'de> for OfObject {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Members, M::Error> {
                let mut members: Vec<(String, Box<RawValue>)> = Vec::new();
                while let Some((key, value)) = map.next_entry::<String, Box<RawValue>>()? {
                    if members.iter().any(|(other, _)| *other == key) {
                        return Err(M::Error::custom(format!("the key {key} is there twice")));
                    }
                    members.push((key, value));
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(OfObject)
    }
}

/// Reads the task with this number, of which at most `jobs` run at once.
///
/// # Errors
/// A sentence, if the line is not a task.
pub(super) fn read(
    line: &[u8],
    number: u64,
    jobs: u32,
    read_time: ReadTime,
) -> Result<Specification, String> {
    let line = str::from_utf8(line).map_err(|_| "the JSON object is not UTF-8".to_owned())?;
    let Members(members) = serde_json::from_str(line).map_err(|error| problem(&error))?;
    let mut task = Specification {
        stdin: Stdin::Null,
        ..Specification::default()
    };
    let mut command = None;
    let mut extra = String::new();
    for (key, raw) in members {
        if key.starts_with("x-") {
            extra.push(if extra.is_empty() { '{' } else { ',' });
            extra.push_str(&Value::from(key).to_string());
            extra.push(':');
            extra.push_str(raw.get());
            continue;
        }
        let value: Value = serde_json::from_str(raw.get()).map_err(|error| problem(&error))?;
        let expected = |what: &str| format!("{key} is to be {what}");
        match key.as_str() {
            "command" => command = Some(read_command(value)?),
            "name" => {
                let name = text(value).filter(|name| !name.is_empty());
                task.name = name.ok_or_else(|| expected("a text"))?;
                task.named = true;
            }
            "cwd" => task.folder = Some(path(value).ok_or_else(|| expected("a path"))?),
            "stdin" => task.stdin = Stdin::File(path(value).ok_or_else(|| expected("a path"))?),
            "env" => task.variables = variables(value)?,
            "after" => {
                task.after = names(value).ok_or_else(|| expected("a name or an array of names"))?;
            }
            "after_any" => {
                let names = names(value);
                task.after_any = names.ok_or_else(|| expected("a name or an array of names"))?;
            }
            "timeout" => {
                let time = time(&value, read_time).map_err(|error| format!("timeout: {error}"))?;
                task.timeout = Some(time.unwrap_or(Duration::MAX));
            }
            "retries" => {
                let count = value.as_u64().and_then(|count| u32::try_from(count).ok());
                task.retries = Some(count.ok_or_else(|| expected("a whole number"))?);
            }
            "retry_delay" => {
                let delay =
                    delay(&value, read_time).map_err(|error| format!("retry_delay: {error}"))?;
                task.retry_delay = Some(delay);
            }
            "slots" => {
                let slots = value.as_u64().and_then(|slots| u32::try_from(slots).ok());
                let slots = slots.filter(|slots| (1..=jobs).contains(slots));
                task.slots = slots.ok_or_else(|| {
                    format!(
                        "slots is to be a whole number from 1 to {jobs}, as many as there are (-j)"
                    )
                })?;
            }
            "priority" => {
                task.priority = value.as_i64().ok_or_else(|| expected("a whole number"))?;
            }
            _ => {
                return Err(format!(
                    "there is no key {key}; the keys are {}, and x-...",
                    KEYS.join(", ")
                ));
            }
        }
    }
    if !extra.is_empty() {
        extra.push('}');
        task.extra = Some(extra.into_boxed_str());
    }
    // All paths of a task are seen from its folder, as after `cd`.
    if let (Some(folder), Stdin::File(path)) = (&task.folder, &task.stdin) {
        task.stdin = Stdin::File(folder.join(path));
    }
    let command = command.ok_or("there is no key command, which is what to run")?;
    if task.name.is_empty() {
        task.name = words::name(&command, number);
    }
    task.command = Words::Fixed(command.into());
    Ok(task)
}

/// The text of an error of the parser, for a single line.
fn problem(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let what = text.split(" at line ").next().unwrap_or_default();
    match error.classify() {
        serde_json::error::Category::Data if what.starts_with("the key") => what.to_owned(),
        _ => format!("not a JSON object: {what} (column {})", error.column()),
    }
}

fn read_command(value: Value) -> Result<Vec<OsString>, String> {
    let expected = "command is to be an array of words or a text for a shell";
    match value {
        Value::String(line) if line.contains('\0') => Err("command has a NUL byte".to_owned()),
        Value::String(line) if line.trim().is_empty() => Err("command is empty".to_owned()),
        Value::String(line) => Ok(words::of_line(line.into())),
        Value::Array(words) if words.is_empty() => Err("command is empty".to_owned()),
        Value::Array(words) => {
            let words = words.into_iter().map(|word| match word {
                Value::String(word) if word.contains('\0') => Err("command has a NUL byte"),
                Value::String(word) => Ok(word.into()),
                _ => Err(expected),
            });
            Ok(words.collect::<Result<_, _>>()?)
        }
        _ => Err(expected.to_owned()),
    }
}

fn text(value: Value) -> Option<String> {
    match value {
        Value::String(text) if !text.contains('\0') => Some(text),
        _ => None,
    }
}

fn path(value: Value) -> Option<PathBuf> {
    text(value)
        .filter(|path| !path.is_empty())
        .map(PathBuf::from)
}

fn names(value: Value) -> Option<Vec<String>> {
    match value {
        Value::Array(names) => names.into_iter().map(text).collect(),
        name => Some(vec![text(name)?]),
    }
}

fn variables(value: Value) -> Result<Vec<(String, Option<OsString>)>, String> {
    let Value::Object(members) = value else {
        return Err("env is to be an object".to_owned());
    };
    let variable = |(name, value): (String, Value)| {
        if name.is_empty() || name.contains(['=', '\0']) {
            return Err(format!("env: {name:?} cannot be the name of a variable"));
        }
        match value {
            Value::Null => Ok((name, None)),
            value => match text(value) {
                Some(value) => Ok((name, Some(value.into()))),
                None => Err(format!("env: {name} is to be a text, or null to remove it")),
            },
        }
    };
    members.into_iter().map(variable).collect()
}

fn time(value: &Value, read_time: ReadTime) -> Result<Option<Duration>, String> {
    match value {
        Value::Number(number) => read_time(&number.to_string()),
        Value::String(text) => read_time(text),
        _ => Err("expected a number of seconds, or a text such as \"90s\"".to_owned()),
    }
}

/// One delay, or the first and the longest.
fn delay(value: &Value, read_time: ReadTime) -> Result<(Duration, Duration), String> {
    if let Value::String(text) = value
        && let Some((first, last)) = text.split_once("..")
    {
        let (first, last) = (
            read_time(first)?.unwrap_or_default(),
            read_time(last)?.unwrap_or_default(),
        );
        if first > last {
            return Err("the first time is longer than the last".to_owned());
        }
        return Ok((first, last));
    }
    let time = time(value, read_time)?.unwrap_or_default();
    Ok((time, time))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_time(text: &str) -> Result<Option<Duration>, String> {
        let seconds = text
            .trim_end_matches('s')
            .parse()
            .map_err(|_| "expected a time".to_owned())?;
        Ok(Some(Duration::from_secs(seconds)).filter(|time| !time.is_zero()))
    }

    fn task(line: &str) -> Result<Specification, String> {
        read(line.as_bytes(), 3, 4, read_time)
    }

    #[test]
    fn a_task_has_all_that_is_said_of_it() {
        let task = task(
            r#"{"command":["make","a b"],"name":"build","cwd":"d","stdin":"in","env":{"A":"1","B":null},
            "after":"x","after_any":["y","z"],"timeout":90,"retries":2,"retry_delay":"1s..60s","slots":4,"priority":-5,
            "x-id":{"a":1.50},"x-\"":[]}"#,
        )
        .unwrap();
        assert_eq!(task.words(1, 1), ["make", "a b"]);
        assert_eq!(task.name, "build");
        assert_eq!(task.folder, Some("d".into()));
        assert_eq!(task.stdin, Stdin::File("d/in".into()));
        assert_eq!(
            task.variables,
            [("A".to_owned(), Some("1".into())), ("B".to_owned(), None)]
        );
        assert_eq!(
            (task.after.join(" "), task.after_any.join(" ")),
            ("x".to_owned(), "y z".to_owned())
        );
        assert_eq!(task.timeout, Some(Duration::from_secs(90)));
        assert_eq!((task.retries, task.slots, task.priority), (Some(2), 4, -5));
        assert_eq!(
            task.retry_delay,
            Some((Duration::from_secs(1), Duration::from_mins(1)))
        );
        assert_eq!(
            task.extra.as_deref(),
            Some(r#"{"x-id":{"a":1.50},"x-\"":[]}"#)
        );
    }

    #[test]
    fn a_text_is_a_shell_line_and_names_are_made_of_the_program() {
        let line = task(r#"{"command":"/usr/bin/flac -s a"}"#).unwrap();
        assert_eq!(line.words(1, 1), ["sh", "-c", "/usr/bin/flac -s a"]);
        assert_eq!((line.name, line.stdin), ("flac 3".to_owned(), Stdin::Null));
        assert_eq!(task(r#"{"command":["/bin/flac"]}"#).unwrap().name, "flac 3");
    }

    #[test]
    fn no_time_limit_is_not_the_same_as_none_of_its_own() {
        let limit = |line| task(line).unwrap().timeout;
        assert_eq!(limit(r#"{"command":"a"}"#), None);
        assert_eq!(limit(r#"{"command":"a","timeout":0}"#), Some(Duration::MAX));
        let delay = task(r#"{"command":"a","retry_delay":"2s"}"#)
            .unwrap()
            .retry_delay;
        assert_eq!(
            delay,
            Some((Duration::from_secs(2), Duration::from_secs(2)))
        );
    }

    #[test]
    fn what_is_wrong_is_said_in_a_sentence() {
        let cases = [
            (
                r#"{"command":"a","afetr":"b"}"#,
                "there is no key afetr; the keys are command, name, cwd, stdin, env, after, after_any, timeout, \
                 retries, retry_delay, slots, priority, and x-...",
            ),
            ("make", "not a JSON object: expected value (column 1)"),
            (
                "[1]",
                "not a JSON object: invalid type: sequence, expected an object (column 0)",
            ),
            (
                r#"{"command":"a","command":"b"}"#,
                "the key command is there twice",
            ),
            (
                r#"{"name":"a"}"#,
                "there is no key command, which is what to run",
            ),
            (r#"{"command":[]}"#, "command is empty"),
            (r#"{"command":" "}"#, "command is empty"),
            (
                r#"{"command":["a",1]}"#,
                "command is to be an array of words or a text for a shell",
            ),
            (r#"{"command":["a\u0000"]}"#, "command has a NUL byte"),
            (r#"{"command":"a","name":""}"#, "name is to be a text"),
            (
                r#"{"command":"a","env":{"A":1}}"#,
                "env: A is to be a text, or null to remove it",
            ),
            (
                r#"{"command":"a","env":{"A=":"1"}}"#,
                "env: \"A=\" cannot be the name of a variable",
            ),
            (
                r#"{"command":"a","after":[1]}"#,
                "after is to be a name or an array of names",
            ),
            (
                r#"{"command":"a","timeout":"x"}"#,
                "timeout: expected a time",
            ),
            (
                r#"{"command":"a","retry_delay":"9s..1s"}"#,
                "retry_delay: the first time is longer than the last",
            ),
            (
                r#"{"command":"a","retries":-1}"#,
                "retries is to be a whole number",
            ),
            (
                r#"{"command":"a","slots":5}"#,
                "slots is to be a whole number from 1 to 4, as many as there are (-j)",
            ),
        ];
        for (line, expected) in cases {
            assert_eq!(task(line).unwrap_err(), expected, "{line}");
        }
        assert_eq!(
            read(b"\xff", 1, 1, read_time).unwrap_err(),
            "the JSON object is not UTF-8"
        );
    }
}
