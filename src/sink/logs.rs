//! The choice of the sinks that keep the output in files.

use std::os::fd::OwnedFd;
use std::path::Path;

use anyhow::bail;

use crate::model::route::Route;

use super::Sink;
use super::display::Display;
use super::folder::Folder;
use super::gone::Notifier;
use super::log::Log;
use super::raw_log::RawLog;
use super::terminal::Terminal;
use super::text::Form;
use super::writer::Writer;

/// The sinks of `--log` and `--log-raw`.
#[derive(Default)]
pub(super) struct Chosen {
    /// Those that get the output of many tasks as it is shown, and in that order.
    pub(super) shown: Vec<Box<dyn Sink>>,
    /// Those that get it as it comes.
    pub(super) apart: Vec<Box<dyn Sink>>,
}

/// Checks that the two do not write to one place, which may be no regular file.
///
/// # Errors
/// If they do.
pub(super) fn check(display: &Display) -> anyhow::Result<()> {
    if display.logs.text.is_some() && display.logs.text == display.logs.raw {
        bail!("--log and --log-raw write to the same file; give each its own");
    }
    Ok(())
}

/// Chooses those of these files: that of `--log`, and that of `--log-raw`. `in_turns`: the tasks are shown one after
/// the other.
pub(super) fn choose(
    display: &Display,
    [text, raw]: [Option<OwnedFd>; 2],
    routes: [Route; 2],
    in_turns: bool,
    notifier: &Notifier,
) -> Chosen {
    let mut chosen = Chosen::default();
    let writer = |file, path: &Option<_>| {
        let path = path.as_deref().unwrap_or(Path::new("")).display();
        let what = format!("the log {path} is incomplete");
        Writer::new(file, notifier.for_file(what))
    };
    // A log of everything is a log of what is shown, in the same order; or not, if that is not everything.
    let is_shown = display.shows_output();
    if let Some(file) = text {
        let log = Log::new(writer(file, &display.logs.text), forms(display, routes));
        // Times are those at which the lines came, and so is their order.
        if is_shown && !display.logs.timestamps {
            chosen.shown.push(Box::new(log));
        } else {
            let tagged = display.many.as_ref().is_some_and(|many| many.tagged);
            chosen.apart.push(Box::new(log.tagged(tagged)));
        }
    }
    if let Some(file) = raw {
        let log = RawLog::new(writer(file, &display.logs.raw));
        if is_shown {
            let log = if in_turns { log.in_turns() } else { log };
            chosen.shown.push(Box::new(log));
        } else {
            chosen.apart.push(Box::new(log));
        }
    }
    chosen
}

/// How stdout and stderr of the child are written down as text.
fn forms(display: &Display, routes: [Route; 2]) -> [Form; 2] {
    let (columns, rows) = (Terminal::OF_STDERR.size)();
    routes.map(|route| {
        let is_terminal = match route {
            Route::Joined => routes[0] == Route::Terminal,
            route => route == Route::Terminal,
        };
        Form {
            columns: is_terminal.then_some(columns.into()),
            rows: rows.into(),
            timestamps: display.logs.timestamps,
        }
    })
}

/// A file for each stream of each attempt of many tasks.
pub(super) fn folder(
    display: &Display,
    routes: [Route; 2],
    notifier: &Notifier,
) -> Option<Box<dyn Sink>> {
    let folder = display.many.as_ref()?.folder.clone()?;
    // What comes through a pipe may be data.
    let is_text = |form: &Form| form.columns.is_some() || form.timestamps;
    let forms = forms(display, routes).map(|form| Some(form).filter(is_text));
    Some(Box::new(Folder::new(folder, forms, notifier.clone())))
}
