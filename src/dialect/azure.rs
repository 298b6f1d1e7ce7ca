//! The logging command of Azure Pipelines that sets the progress of a task. Other text may stand before it on its line.

use crate::protocol::Progress;

use super::prefixes::Prefix;
use super::{Each, Format, Lines};

/// The entry of `--list-formats`.
pub(super) const FORMAT: Format = Format {
    name: "azure",
    about: "the percentage in logging commands for Azure Pipelines, on either stream",
    switch: "echo '##vso[task.setprogress value=42;]copying'",
};

/// Reads `##vso[task.setprogress]`.
#[derive(Debug, Default)]
pub(super) struct Azure;

impl Lines for Azure {
    fn prefix(&self) -> Prefix {
        Prefix::Hashes
    }

    fn line(&mut self, line: &str, each: Each<'_>) -> bool {
        let Some(report) = parse(line) else {
            return false;
        };
        each(FORMAT.name, &report);
        true
    }
}

fn parse(line: &str) -> Option<Progress<'static>> {
    // The search runs over every line that is printed. Most lines have no such character, and memchr skips them
    // quickly.
    let begin = memchr::memchr(b'#', line.as_bytes())?;
    let (_, command) = line[begin..].split_once("##vso[task.setprogress ")?;
    let (properties, text) = command.split_once(']')?;
    let value = properties
        .split(';')
        .find_map(|property| property.trim().strip_prefix("value="))?;
    let percentage: f64 = value.trim().parse().ok()?;
    (0.0..=100.0).contains(&percentage).then(|| Progress {
        percentage: Some(percentage),
        message: Some(unescape(text.trim()).into()).filter(|_| !text.trim().is_empty()),
        ..Progress::default()
    })
}

/// Characters that the command escapes.
fn unescape(text: &str) -> String {
    text.replace("%0D", "\r")
        .replace("%0A", "\n")
        .replace("%AZP25", "%")
}

#[cfg(test)]
mod tests {
    use super::super::line_properties::said;
    use super::*;

    #[test]
    fn a_percentage_with_and_without_words() {
        let lines = "##vso[task.setprogress value=75;]Upload Progress\n\
            step 2 ##vso[task.setprogress value=80]\n\
            ##vso[task.setprogress value=81;]100%AZP25 sure\n";
        assert_eq!(
            said(&mut Azure, lines),
            [
                r#"{"percentage":75,"message":"Upload Progress"}"#,
                r#"{"percentage":80}"#,
                r#"{"percentage":81,"message":"100% sure"}"#,
            ]
        );
    }

    #[test]
    fn other_commands_are_left_to_others() {
        for line in [
            "##vso[task.logissue type=warning;]x",
            "##vso[task.setprogress value=;]",
            "##vso[task.setprogress value=101;]",
            "##vso[task.setprogress value=NaN;]",
            "##vso[task.setprogress value=5",
        ] {
            assert!(!Azure.line(line, &mut |_, _| panic!("{line}")), "{line}");
        }
    }
}
