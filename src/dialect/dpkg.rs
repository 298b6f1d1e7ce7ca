//! The status descriptor of dpkg: every change of a package's state.
//!
//! dpkg does not say how many changes there will be, and their number differs from package to package. So the changes
//! are counted, without a percentage.

use crate::protocol::{Progress, Status};

use super::prefixes::Prefix;
use super::{Each, Format, Lines};

/// The entry of `--list-formats`.
pub(super) const FORMAT: Format = Format {
    name: "dpkg",
    about: "package changes, counted, on the channel",
    switch: "dpkg --status-fd 3 -i FILE",
};

/// The actions and the states of dpkg(1).
const ACTIONS: [&str; 8] = [
    "install",
    "upgrade",
    "configure",
    "trigproc",
    "disappear",
    "remove",
    "purge",
    "deconfigure",
];
const STATES: [&str; 8] = [
    "not-installed",
    "config-files",
    "half-installed",
    "unpacked",
    "half-configured",
    "triggers-awaited",
    "triggers-pending",
    "installed",
];

/// Reads the lines of `--status-fd`.
#[derive(Debug, Default)]
pub(super) struct Dpkg {
    states: u32,
}

impl Lines for Dpkg {
    fn prefix(&self) -> Prefix {
        Prefix::Begins(&["status: ", "processing: "])
    }

    fn line(&mut self, line: &str, each: Each<'_>) -> bool {
        let Some(line) = parse(line) else {
            return false;
        };
        let report = match line {
            Line::Processing { action, package } => Progress {
                message: Some(format!("{action} {package}").into()),
                ..Progress::default()
            },
            Line::State { package, state } => {
                self.states = self.states.saturating_add(1);
                Progress {
                    progress: Some(self.states.into()),
                    unit: Some("steps".into()),
                    message: Some(format!("{package}: {state}").into()),
                    ..Progress::default()
                }
            }
            Line::Error { package, text } => Progress {
                id: Some(package.into()),
                status: Some(Status::Failed),
                message: Some(text.into()),
                ..Progress::default()
            },
            Line::Question { file } => Progress {
                message: Some(format!("waiting for an answer about {file}").into()),
                ..Progress::default()
            },
        };
        each(FORMAT.name, &report);
        true
    }
}

/// Whether the line is one of dpkg's, and one that a script would not write as a report.
pub(super) fn is_first_line(line: &str) -> bool {
    parse(line).is_some()
}

enum Line<'a> {
    Processing { action: &'a str, package: &'a str },
    State { package: &'a str, state: &'a str },
    Error { package: &'a str, text: &'a str },
    Question { file: &'a str },
}

fn parse(line: &str) -> Option<Line<'_>> {
    if let Some(rest) = line.strip_prefix("processing: ") {
        let (action, package) = rest.split_once(": ")?;
        let is_read = ACTIONS.contains(&action) && is_name(package);
        return is_read.then_some(Line::Processing { action, package });
    }
    let rest = line.strip_prefix("status: ")?;
    // These have a blank before the colon, and any text after it.
    if let Some((name, (word, text))) = rest
        .split_once(" : ")
        .and_then(|(name, rest)| Some((name, rest.split_once(" : ")?)))
    {
        return match word {
            "error" => Some(Line::Error {
                package: name,
                text,
            }),
            "conffile-prompt" => Some(Line::Question { file: name }),
            _ => None,
        };
    }
    // Read from the right: the name may hold a colon, as in `libc6:i386`.
    let (package, state) = rest.rsplit_once(": ")?;
    let is_read = STATES.contains(&state) && is_name(package);
    is_read.then_some(Line::State { package, state })
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && !text.contains(' ')
}

#[cfg(test)]
mod tests {
    use super::super::line_properties::said;
    use super::*;

    #[test]
    fn changes_of_state_are_counted() {
        let stream = include_str!("../../tests/corpus/dpkg/install_ok.fd3");
        assert_eq!(
            said(&mut Dpkg::default(), stream),
            [
                r#"{"message":"install pr-ok"}"#,
                r#"{"progress":1,"unit":"steps","message":"pr-ok: half-installed"}"#,
                r#"{"progress":2,"unit":"steps","message":"pr-ok: unpacked"}"#,
                r#"{"message":"configure pr-ok"}"#,
                r#"{"progress":3,"unit":"steps","message":"pr-ok: half-configured"}"#,
                r#"{"progress":4,"unit":"steps","message":"pr-ok: installed"}"#,
            ]
        );
    }

    #[test]
    fn questions_are_told_and_errors_are_parts_that_failed() {
        let stream = include_str!("../../tests/corpus/dpkg/conffile_prompt.fd3");
        assert_eq!(
            said(&mut Dpkg::default(), stream)[5..],
            [
                r#"{"message":"configure pr-conf"}"#,
                r#"{"message":"waiting for an answer about /etc/pr-conf.conf"}"#,
                r#"{"message":"end of file on stdin at conffile prompt","id":"pr-conf","status":"failed"}"#,
            ]
        );
    }

    #[test]
    fn a_package_of_another_architecture_keeps_its_name() {
        assert_eq!(
            said(&mut Dpkg::default(), "status: libc6:i386: unpacked\n"),
            [r#"{"progress":1,"unit":"steps","message":"libc6:i386: unpacked"}"#]
        );
    }

    #[test]
    fn what_only_looks_like_it_is_left_to_others() {
        for line in [
            "processing images",
            "processing: images",
            "processing: install: two words",
            "status: fine",
            "status: pkg: fine",
            "status: a b: unpacked",
            "status: a : note : b",
        ] {
            let is_read = Dpkg::default().line(line, &mut |_, _| panic!("{line}"));
            assert!(!is_read, "{line}");
        }
    }
}
