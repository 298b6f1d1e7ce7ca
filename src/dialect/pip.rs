//! pip's `--progress-bar=raw`: bytes of one file after another.
//!
//! The lines name no file: the last `Downloading` line does. Without such a line before them they are not pip's.

use crate::protocol::Progress;

use super::prefixes::Prefix;
use super::{Each, Format, Lines};

/// The entry of `--list-formats`.
pub(super) const FORMAT: Format = Format {
    name: "pip",
    about: "bytes of each file downloaded by pip 24.1 or later, on standard output",
    switch: "pip download --progress-bar=raw ..., PIP_PROGRESS_BAR=raw",
};

/// How much of a file name is kept, in bytes.
const NAME: usize = 200;

/// Reads the lines of `--progress-bar=raw`.
#[derive(Debug, Default)]
pub(super) struct Pip {
    file: Option<String>,
}

impl Lines for Pip {
    fn prefix(&self) -> Prefix {
        Prefix::Begins(&["Progress ", "Downloading "])
    }

    fn line(&mut self, line: &str, each: Each<'_>) -> bool {
        if let Some(what) = line.trim_start().strip_prefix("Downloading ") {
            let path = what.rsplit_once(" (").map_or(what, |(path, _)| path);
            let name = path.rsplit('/').next().unwrap_or(path);
            self.file = Some(name[..name.floor_char_boundary(NAME)].to_owned());
            // Other programs begin a line with this word too, and go on with a percentage.
            return false;
        }
        let (Some(file), Some((done, total))) = (&self.file, amounts(line)) else {
            return false;
        };
        let report = Progress {
            progress: Some(done),
            // The total is 0 where the server does not say it.
            total: Some(total).filter(|total| *total > 0.0),
            unit: Some("bytes".into()),
            message: Some(file.into()),
            ..Progress::default()
        };
        each(FORMAT.name, &report);
        true
    }
}

/// `Progress 262144 of 101083562`.
fn amounts(line: &str) -> Option<(f64, f64)> {
    let (done, total) = line.strip_prefix("Progress ")?.split_once(" of ")?;
    #[expect(clippy::cast_precision_loss, reason = "more bytes than there are")]
    let amount = |text: &str| text.parse::<u64>().ok().map(|amount| amount as f64);
    Some((amount(done)?, amount(total)?))
}

#[cfg(test)]
mod tests {
    use super::super::line_properties::said;
    use super::*;

    #[test]
    fn every_file_begins_at_0_and_is_named() {
        let stream = include_str!("../../tests/corpus/pip/install_raw_many.stdout");
        let numpy = "numpy-2.4.6-cp311-cp311-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl";
        let pygments = "pygments-2.21.0-py3-none-any.whl";
        let line = |done: u32, total: u32, name: &str| {
            format!(r#"{{"progress":{done},"total":{total},"unit":"bytes","message":"{name}"}}"#)
        };
        assert_eq!(
            said(&mut Pip::default(), stream),
            [
                line(0, 16_918_164, numpy),
                line(262_144, 16_918_164, numpy),
                line(16_918_164, 16_918_164, numpy),
                line(0, 1_250_147, pygments),
                line(262_144, 1_250_147, pygments),
                line(1_250_147, 1_250_147, pygments),
            ]
        );
    }

    #[test]
    fn a_long_download_rises() {
        let stream = include_str!("../../tests/corpus/pip/download_raw_slow.stdout");
        let said = said(&mut Pip::default(), stream);
        assert_eq!(said.len(), 17);
        assert!(said[2].starts_with(r#"{"progress":7602176,"total":101083562,"#));
    }

    #[test]
    fn a_size_of_0_is_unknown() {
        let lines = "Downloading https://example.invalid/a/b.zip\nProgress 5 of 0\n";
        assert_eq!(
            said(&mut Pip::default(), lines),
            [r#"{"progress":5,"unit":"bytes","message":"b.zip"}"#]
        );
    }

    #[test]
    fn what_only_looks_like_it_is_left_to_others() {
        let mut pip = Pip::default();
        assert!(!pip.line("Progress 3 of 10", &mut |_, _| panic!()));
        pip.line("  Downloading a.whl (1 kB)", &mut |_, _| panic!());
        for line in [
            "Progress -1 of 10",
            "Progress 3",
            "Progress 3 of ten",
            "Saved a.whl",
        ] {
            assert!(!pip.line(line, &mut |_, _| panic!("{line}")), "{line}");
        }
    }
}
