//! `progrun help`: what there is to read, the pages of the manual on the screen, and where they are installed.

mod install;
mod page;
mod topics;

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use clap::{Parser, ValueHint};
use rustix::stdio::stdout;
use rustix::termios::tcgetwinsize;

use crate::sink::{Patient, unnamed};

use self::page::{fill, text};
use self::topics::{PAGES, Page, parser};

const HELP: &str = "\
Examples:
  progrun help                 the topics
  progrun help each            the page progrun-each(1), shown by man if there is one
  progrun help ssh             the page that tells of it
  progrun help each | grep -A3 retries
  progrun help --install       the pages for man, and completions; after cargo install
  progrun help --uninstall     removes them";

/// The widest text that reads well.
const WIDEST: usize = 78;

/// Show a page of the manual, or install the manual and the completions
#[derive(Debug, Parser)]
#[command(
    name = "help",
    after_help = HELP,
    override_usage = "progrun help [TOPIC]\n       progrun help --install [PREFIX]\n       progrun help --uninstall [PREFIX]",
    max_term_width = 110
)]
#[group(skip)]
#[expect(clippy::option_option, reason = "an option whose value may be missing")]
pub(super) struct Help {
    /// What to read about; without it, the topics are listed
    #[arg(
        value_name = "TOPIC",
        value_parser = parser(),
        ignore_case = true,
        conflicts_with_all = ["install", "uninstall"]
    )]
    topic: Option<&'static Page>,

    /// Install man pages and completions below PREFIX/share
    ///
    /// They are those of this progrun. Without PREFIX, it is the folder that has the bin in which progrun is, such as
    /// ~/.cargo, where man looks for pages if ~/.cargo/bin is in PATH. PREFIX can also be ~/.local or /usr/local.
    #[arg(
        long,
        value_name = "PREFIX",
        num_args = 0..=1,
        conflicts_with = "uninstall",
        value_hint = ValueHint::DirPath
    )]
    install: Option<Option<PathBuf>>,

    /// Remove what --install has written there, and folders that this leaves empty
    #[arg(long, value_name = "PREFIX", num_args = 0..=1, value_hint = ValueHint::DirPath)]
    uninstall: Option<Option<PathBuf>>,
}

/// Why there is no help.
pub(super) enum Error {
    Sentence(String),
    /// Stdout cannot be written to.
    Stdout(io::Error),
}

impl Help {
    /// Does what the user asks for. A page on a terminal is shown by another program, and then there is no return.
    ///
    /// # Errors
    /// If a file or stdout cannot be written to.
    pub(super) fn run(self) -> Result<(), Error> {
        let text = match (self.topic, self.install, self.uninstall) {
            (Some(page), ..) if io::stdout().is_terminal() => shown(page),
            (Some(page), ..) => text(page.source, WIDEST),
            (None, Some(prefix), _) => install::install(prefix).map_err(Error::Sentence)?,
            (None, None, Some(prefix)) => install::uninstall(prefix).map_err(Error::Sentence)?,
            (None, None, None) => overview(width()),
        };
        let mut stdout = Patient(io::stdout());
        stdout.write_all(text.as_bytes()).map_err(Error::Stdout)
    }
}

/// How wide text is for this terminal.
fn width() -> usize {
    let size = tcgetwinsize(stdout()).map_or(0, |size| usize::from(size.ws_col));
    match size {
        0 => WIDEST,
        columns => WIDEST.min(columns),
    }
}

/// Has man show the page, or else a pager its text. Returns the text if neither is there.
fn shown(page: &Page) -> String {
    // Where the programs that lay out a page were removed, as in small containers, man may still be there as a script
    // that only says so.
    if ["groff", "nroff", "mandoc"].into_iter().any(is_there) {
        become_reader(Command::new("man").arg("/dev/stdin"), page.source);
    }
    let text = text(page.source, width());
    match std::env::var_os("PAGER").filter(|pager| !pager.is_empty()) {
        Some(pager) => become_reader(Command::new("sh").arg("-c").arg(pager), &text),
        None => {
            for pager in ["less", "more"] {
                become_reader(&mut Command::new(pager), &text);
            }
        }
    }
    text
}

/// Replaces this process by a program that reads the text from stdin. Returns if that is not possible.
///
/// Not a child: Ctrl-C, which a pager takes for itself, would end its parent and leave it alone with the terminal.
fn become_reader(program: &mut Command, text: &str) {
    // A file, as all kinds of man open /dev/stdin by its name.
    let written = unnamed().ok().and_then(|mut file| {
        file.write_all(text.as_bytes()).ok()?;
        io::Seek::rewind(&mut file).ok()?;
        Some(file)
    });
    if let Some(file) = written {
        // It does not return if it succeeds.
        let _ = program.stdin(file).exec();
    }
}

/// Whether there is a program of this name.
fn is_there(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// What there is to read.
fn overview(width: usize) -> String {
    let mut text = String::from(
        "\
progrun -- COMMAND    runs a command
progrun demo          shows it in half a minute
progrun --help        lists the options
progrun help TOPIC    shows a page:

",
    );
    let column = 2 + PAGES.iter().map(|page| page.topic.len()).max().unwrap_or(0);
    for page in &PAGES {
        let mut topic = page.topic;
        for line in fill(&page.about(), width.saturating_sub(column + 2)) {
            let _ = writeln!(text, "  {topic:column$}{line}");
            topic = "";
        }
    }
    text
}
