//! `progrun timeline`: where the recording comes from, and where the page goes. What they say belongs to `timeline`.

use std::fs::{File, Metadata};
use std::io::{self, BufRead, BufReader, BufWriter, IsTerminal, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use clap::{Parser, ValueHint};

use crate::reason::{reason, reason_at};
use crate::sink::Patient;
use crate::timeline::{self, Recording, Unread};

const HELP: &str = "\
Examples:
  progrun each --json -- ./convert.sh ::: *.wav >run.jsonl     keeps the output, too
  progrun each --json=run.jsonl -- ./convert.sh ::: *.wav      keeps only the events
  progrun timeline run.jsonl -o run.html
  progrun timeline jobs.log >run.html                          a job log, with all of its runs

The page needs nothing but a browser: it loads nothing, and can be sent to others. It
contains the names and commands of the tasks, and the last lines of those that failed.

Exit status:
    0  the page is written, also if lines of the recording are damaged or missing
  125  there is no such recording, or the page cannot be written";

/// Turn a recorded run into a page to look at
#[derive(Debug, Parser)]
#[command(
    name = "timeline",
    after_help = HELP,
    override_usage = "progrun timeline [OPTIONS] [FILE]",
    max_term_width = 110
)]
#[group(skip)]
pub(super) struct Timeline {
    /// The recording: events of --json, or a job log (- = stdin)
    #[arg(value_name = "FILE", default_value = "-", value_hint = ValueHint::FilePath)]
    file: PathBuf,

    /// Write the page to FILE instead of stdout
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    output: Option<PathBuf>,
}

impl Timeline {
    /// Writes the page. Gives what the user should know.
    ///
    /// # Errors
    /// The sentence for the user, if there is no recording, or the page cannot be written.
    pub(super) fn write(&self) -> Result<Option<String>, Error> {
        // A page on the terminal would be of no use, and take all that is above it away.
        let to_stdout = self.output.as_deref().is_none_or(is_dash);
        if to_stdout && io::stdout().is_terminal() {
            let sentence =
                "stdout is a terminal: name a file for the page with --output, or redirect stdout";
            return Err(sentence.into());
        }
        let recording = self.read()?;
        if let Some(output) = self.output.as_deref().filter(|output| !is_dash(output)) {
            self.write_to(output, &recording)?;
        } else {
            let mut stdout = BufWriter::new(Patient(io::stdout()));
            timeline::write(&recording, &self.name(), &mut stdout)
                .and_then(|()| stdout.flush())
                .map_err(Error::Stdout)?;
        }
        let damaged = recording.damaged();
        let (lines, are) = match damaged.count {
            0 => return Ok(None),
            1 => ("line", "is"),
            _ => ("lines", "are"),
        };
        Ok(Some(format!(
            "{} {lines} of {} could not be read and {are} not on the page; the first is line {}",
            damaged.count,
            self.name(),
            damaged.first
        )))
    }

    /// What the recording is called.
    fn name(&self) -> String {
        if is_dash(&self.file) {
            "stdin".to_owned()
        } else {
            self.file.display().to_string()
        }
    }

    /// What the recording is read from: of stdin the shell knows the name, and we only the file.
    fn source(&self) -> io::Result<Metadata> {
        if is_dash(&self.file) {
            io::stdin()
                .as_fd()
                .try_clone_to_owned()
                .and_then(|stdin| File::from(stdin).metadata())
        } else {
            self.file.metadata()
        }
    }

    fn read(&self) -> Result<Recording, String> {
        if !is_dash(&self.file) {
            let file = File::open(&self.file)
                .map_err(|error| format!("cannot open {}: {}", self.name(), reason(&error)))?;
            return self.parse(&mut BufReader::with_capacity(128 * 1024, file));
        }
        let stdin = io::stdin();
        if stdin.is_terminal() {
            return Err(
                "name a recording, such as the FILE of --json=FILE or --job-log".to_owned(),
            );
        }
        self.parse(&mut stdin.lock())
    }

    fn parse(&self, input: &mut dyn BufRead) -> Result<Recording, String> {
        let name = self.name();
        timeline::read(input).map_err(|unread| match unread {
            Unread::Error(error) => format!("cannot read {name}: {}", reason(&error)),
            Unread::Empty => format!("{name} is empty: there is no event of progrun in it"),
            Unread::NotARecording(line) => format!(
                "line {line} of {name} is no event of progrun: a recording is what --json or --job-log writes"
            ),
            Unread::Newer(line) => {
                format!("line {line} of {name} was written by a newer progrun")
            }
        })
    }

    fn write_to(&self, output: &Path, recording: &Recording) -> Result<(), String> {
        if is_file(output, self.source()) {
            return Err(format!(
                "{} is the recording: name another file for the page",
                output.display()
            ));
        }
        let cannot = |error: io::Error| {
            format!(
                "cannot write {}: {}",
                output.display(),
                reason_at(output, &error)
            )
        };
        let mut file = BufWriter::new(private(output).map_err(cannot)?);
        let written = timeline::write(recording, &self.name(), &mut file);
        written.and_then(|()| file.flush()).map_err(cannot)
    }
}

/// A file for a page, which holds what the recording holds: so it is for the user alone, as that is, unless it is there
/// already.
fn private(path: &Path) -> io::Result<File> {
    File::options()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
}

/// Why there is no page.
pub(super) enum Error {
    Sentence(String),
    /// Stdout cannot be written to.
    Stdout(io::Error),
}

impl From<String> for Error {
    fn from(sentence: String) -> Self {
        Self::Sentence(sentence)
    }
}

impl From<&str> for Error {
    fn from(sentence: &str) -> Self {
        sentence.to_owned().into()
    }
}

fn is_dash(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// Whether the path leads to this regular file.
fn is_file(path: &Path, file: io::Result<Metadata>) -> bool {
    let inode = |meta: io::Result<Metadata>| {
        let meta = meta.ok()?;
        meta.is_file().then_some((meta.dev(), meta.ino()))
    };
    inode(file).is_some_and(|file| Some(file) == inode(path.metadata()))
}
