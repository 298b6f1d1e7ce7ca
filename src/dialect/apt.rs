//! The status descriptor of apt: what is fetched, then what dpkg does with it, each from 0 to 100 percent.
//!
//! A phase begins at 0 again, and need not reach 100. The lines say when a package failed, but not how apt ended: that
//! is its exit status.

use crate::protocol::{Progress, Status};

use super::prefixes::Prefix;
use super::{Each, Format, Lines};

/// The entry of `--list-formats`.
pub(super) const FORMAT: Format = Format {
    name: "apt",
    about: "downloads by apt, then the steps of dpkg, on the channel",
    switch: "apt-get -o APT::Status-Fd=3 install PACKAGE",
};

/// Reads the lines of `APT::Status-Fd`.
#[derive(Debug, Default)]
pub(super) struct Apt;

impl Lines for Apt {
    fn prefix(&self) -> Prefix {
        Prefix::Begins(&["dlstatus:", "pm", "media-change:"])
    }

    fn line(&mut self, line: &str, each: Each<'_>) -> bool {
        if let Some(text) = media_change(line) {
            let report = Progress {
                message: Some(text.into()),
                ..Progress::default()
            };
            each(FORMAT.name, &report);
            return true;
        }
        let Some(status) = parse(line) else {
            return false;
        };
        let report = match status.kind {
            "pmerror" => Progress {
                id: Some(status.about.into()),
                status: Some(Status::Failed),
                message: Some(status.text.into()),
                ..Progress::default()
            },
            "pmconffile" => Progress {
                percentage: Some(status.percentage),
                message: Some(format!("waiting for an answer about {}", status.about).into()),
                ..Progress::default()
            },
            _ => Progress {
                percentage: Some(status.percentage),
                message: Some(status.text.into()),
                ..Progress::default()
            },
        };
        each(FORMAT.name, &report);
        true
    }
}

/// Whether the line is one of apt's, and one that a script would not write as a report.
pub(super) fn is_first_line(line: &str) -> bool {
    media_change(line).is_some() || parse(line).is_some()
}

struct Line<'a> {
    kind: &'static str,
    about: &'a str,
    percentage: f64,
    text: &'a str,
}

fn parse(line: &str) -> Option<Line<'_>> {
    let kinds = ["dlstatus", "pmstatus", "pmerror", "pmconffile"];
    let kind = kinds.into_iter().find(|kind| line.starts_with(kind))?;
    let rest = line[kind.len()..].strip_prefix(':')?;
    // The name of a package may hold a colon itself, `libc6:i386`, and the text any number of them.
    for (colon, _) in rest.match_indices(':') {
        let (percentage, text) = rest[colon + 1..].split_once(':')?;
        if let Some(percentage) = percent(percentage) {
            return Some(Line {
                kind,
                about: &rest[..colon],
                percentage,
                text,
            });
        }
    }
    None
}

fn percent(text: &str) -> Option<f64> {
    let (whole, decimals) = text.split_once('.')?;
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !(digits(whole) && digits(decimals)) {
        return None;
    }
    let value: f64 = text.parse().ok()?;
    (value <= 100.0).then_some(value)
}

/// `media-change: medium:drive:text`.
fn media_change(line: &str) -> Option<&str> {
    line.strip_prefix("media-change:")?.splitn(3, ':').nth(2)
}

#[cfg(test)]
mod tests {
    use super::super::line_properties::said;
    use super::*;

    #[test]
    fn the_download_and_the_installation_are_two_phases() {
        let lines = "dlstatus:2:39.4979:Retrieving file 2 of 4\n\
            dlstatus:4:100.0000:Retrieving file 4 of 4\n\
            pmstatus:dpkg-exec:0.0000:Running dpkg\n\
            pmstatus:libc6:i386:5.8824:Unpacking libc6: the C library (i386)\n";
        assert_eq!(
            said(&mut Apt, lines),
            [
                r#"{"percentage":39.4979,"message":"Retrieving file 2 of 4"}"#,
                r#"{"percentage":100,"message":"Retrieving file 4 of 4"}"#,
                r#"{"percentage":0,"message":"Running dpkg"}"#,
                r#"{"percentage":5.8824,"message":"Unpacking libc6: the C library (i386)"}"#,
            ]
        );
    }

    #[test]
    fn a_package_that_fails_is_a_part_that_failed() {
        let stream = include_str!("../../tests/corpus/apt-get/install_fail_status-fd3.fd3");
        let said = said(&mut Apt, stream);
        assert_eq!(said.len(), 10);
        assert_eq!(
            said[8..],
            [
                r#"{"percentage":60,"message":"Configuring pr-bad (amd64)"}"#,
                concat!(
                    r#"{"message":"installed pr-bad package post-installation script subprocess returned error "#,
                    r#"exit status 1","id":"pr-bad","status":"failed"}"#
                ),
            ]
        );
    }

    #[test]
    fn a_question_about_a_configuration_file_is_told() {
        let stream = include_str!("../../tests/corpus/apt-get/conffile_status-fd3.fd3");
        assert_eq!(
            said(&mut Apt, stream)[8],
            r#"{"percentage":40,"message":"waiting for an answer about /etc/pr-conf.conf"}"#
        );
    }

    #[test]
    fn a_disc_that_is_wanted_is_told() {
        assert_eq!(
            said(
                &mut Apt,
                "media-change: Disc 2:/media/cdrom/:Insert the disc: Disc 2\n"
            ),
            [r#"{"message":"Insert the disc: Disc 2"}"#]
        );
    }

    #[test]
    fn every_line_of_an_installation_is_read() {
        let stream = include_str!("../../tests/corpus/apt-get/install_status-fd3.fd3");
        let said = said(&mut Apt, stream);
        assert_eq!(said.len(), 38);
        assert_eq!(
            [&said[0], &said[11], &said[12], &said[37]],
            [
                r#"{"percentage":0,"message":"Retrieving file 1 of 4"}"#,
                r#"{"percentage":100,"message":"Retrieving file 4 of 4"}"#,
                r#"{"percentage":0,"message":"Running dpkg"}"#,
                r#"{"percentage":94.1176,"message":"Installed squashfs-tools (amd64)"}"#,
            ]
        );
    }

    #[test]
    fn what_only_looks_like_it_is_left_to_others() {
        for line in [
            "pmstatus",
            "pmstatus:a:b",
            "pmstatus:a:-1.0:text",
            "pmstatus:a:100.5:text",
            "pmstatus:a:1e1:text",
            "dlstatus:1:42:text",
            "a:42",
        ] {
            assert!(!Apt.line(line, &mut |_, _| panic!("{line}")), "{line}");
        }
    }
}
