//! The choice between sinks: who shows what, and which of the child's streams have to go through us for that.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use rustix::fs::{FileType, fstat};
use rustix::stdio::{stderr, stdout};
use rustix::termios::isatty;

use crate::client;
use crate::dialect::Selection;
use crate::event::Stream;
use crate::model::route::Route;
use crate::system::closed;

use super::bars::{Begin, Options};
use super::files::{self, copy};
use super::parent::Parent;
use super::terminal::{Terminal, has_color, is_dumb, is_utf_8};
use super::{Bars, Guard, Json, Log, OnGone, Plain, Sink, Spool, Streams, Writer};

/// What the user wants to see.
#[derive(Clone, Debug)]
pub(crate) struct Display {
    /// What the run is called.
    pub name: String,
    /// How progress is shown.
    pub progress: Progress,
    /// Whether colors are used; none: as the terminal and the environment say.
    pub color: Option<bool>,
    /// Where events go as JSON lines.
    pub json: Option<JsonPlace>,
    /// Where everything that the child prints is kept.
    pub log: Option<PathBuf>,
    /// What is shown of what the child prints.
    pub output: Show,
    /// Whether what goes through us is a terminal for the child.
    pub tty: Tty,
}

/// How progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// As part of the progrun that we run under, if we do; else bars on a terminal, else plain lines; nothing beside
    /// `--json` on stdout.
    Auto,
    /// Bars.
    Bars,
    /// Plain lines.
    Plain,
    /// Not at all.
    None,
}

/// Where the events go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum JsonPlace {
    /// To stdout; what the child prints becomes events too.
    Stdout,
    /// To this file; the child keeps its streams.
    File(PathBuf),
}

/// What is shown of what the child prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Show {
    /// Everything, as it comes.
    Stream,
    /// Everything at the end, if the child failed.
    OnFailure,
    /// Nothing.
    None,
}

/// Where what goes through us is a terminal for the child, and not a pipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tty {
    /// Where it is shown on one.
    Auto,
    /// Everywhere.
    Always,
    /// Nowhere.
    Never,
    /// Nothing goes through us where it is shown on a terminal: that is the child's own from its start to its end.
    Own,
}

/// Something that can be written to no more, and matters to somebody else than the sink.
#[derive(Debug)]
pub(crate) struct Gone {
    /// The child's stream that is to be closed too, if it is our own stdout or stderr.
    pub stream: Option<Stream>,
    /// The sentence that tells of it, if anything is to be said.
    pub sentence: Option<String>,
    /// Whether something is lost. Nothing is to a reader who left.
    pub lost: bool,
}

/// The sinks of a run.
#[expect(clippy::struct_excessive_bools, reason = "independent wishes")]
pub(crate) struct Chosen {
    /// All of them.
    pub sinks: Vec<Box<dyn Sink>>,
    /// How stdout and stderr of the child are connected.
    pub routes: [Route; 2],
    /// Whether the child is to have the terminal itself, from its start to its end.
    pub direct: bool,
    /// Whether every line of the channel is wanted.
    pub verbatim: bool,
    /// Whether somebody is shown or told how far the child is.
    pub shows_progress: bool,
    /// Whether what can be seen of a child that reports nothing is shown.
    pub observe: bool,
    /// Whether somebody is told on stderr of what the user should know.
    pub narrates: bool,
    /// How long a file waited for its reader.
    pub waited: Duration,
    /// The way to the progrun that we run under, if we report to it: when it breaks, we are cancelled.
    pub parent: Option<OwnedFd>,
    /// Where the events are written, if their reader is our link to our caller.
    pub reader: Option<OwnedFd>,
}

/// Chooses. A file that waits for its reader, a FIFO, is waited for no longer than `patience`. `from` says which formats are looked for in the child's streams; `gone` is told, by any thread, of what cannot
/// be written to any more.
///
/// # Errors
/// If a file that was asked for cannot be opened.
pub(crate) fn choose(
    display: &Display,
    from: &Selection,
    patience: Option<Duration>,
    gone: impl Fn(Gone) + Send + Sync + 'static,
) -> anyhow::Result<Chosen> {
    let gone: Arc<dyn Fn(Gone) + Send + Sync> = Arc::new(gone);
    let mut sinks: Vec<Box<dyn Sink>> = Vec::new();
    let json_on_stdout = display.json == Some(JsonPlace::Stdout);
    let parent = match display.progress {
        Progress::Auto => client::parent(),
        _ => None,
    };
    let bars = parent.is_none() && draws_bars(display.progress, json_on_stdout);
    let plain = !bars
        && match display.progress {
            Progress::Auto => parent.is_none() && !json_on_stdout,
            other => other == Progress::Plain,
        };

    let visible = is_visible(display);
    let awaits_report = is_pipe(stdout());
    let shared = [bars && same_terminal(), bars && isatty(stderr())];
    // Whoever presses Ctrl-C wants to know what it does; the reader of the events may be gone by then.
    let words = json_on_stdout && display.progress == Progress::Auto && isatty(stderr());
    let shows_progress = bars || plain || parent.is_some() || display.json.is_some();
    // What nobody sees may still say how far the child is.
    let hidden = display.output == Show::None && shows_progress && *from == Selection::Auto;
    let routes = routes(display, shared, from.reads_streams() || hidden);
    let direct = display.tty == Tty::Own && routes == [Route::Inherit; 2];
    let through = |route: Route| matches!(route, Route::Piped | Route::Terminal);

    let events = match &display.json {
        Some(JsonPlace::File(path)) => Some(path.as_path()),
        _ => None,
    };
    let log = display.log.as_deref();
    if json_on_stdout && log == Some(Path::new(files::STDOUT)) {
        bail!("--log and --json both write to stdout; each needs its own place");
    }
    let opened = files::open([("--json", events), ("--log", log)], patience)?;
    let waited = opened.waited;
    let [events_file, log_file] = opened.files;
    let incomplete = |what: &str, path: Option<&Path>| {
        let path = path.unwrap_or(Path::new("")).display();
        told(format!("{what} {path} is incomplete"), None, true, &gone)
    };
    let events = if json_on_stdout {
        let what = "the stream of events is incomplete".to_owned();
        Some((copy(stdout())?, told(what, None, false, &gone)))
    } else {
        events_file.map(|file| (file, incomplete("the file of events", events)))
    };
    if let Some((place, on_gone)) = events {
        let writer = Writer::new(place, on_gone);
        let name = display.name.clone();
        let json = Json::new(writer, name, json_on_stdout);
        sinks.push(Box::new(
            json.on_terminal(json_on_stdout && isatty(stdout())),
        ));
    }
    if let Some(file) = log_file {
        let writer = Writer::new(file, incomplete("the log", log));
        sinks.push(Box::new(Log::new(writer)));
    }
    if display.output == Show::OnFailure && !json_on_stdout {
        let what = "not all of what the command printed could be shown".to_owned();
        let on_gone = told(what, None, false, &gone);
        let places = [copy(stdout())?, copy(stderr())?];
        sinks.push(Box::new(Spool::new(files::unnamed()?, places, on_gone)));
    }
    let ours = [0, 1].map(|stream| visible && through(routes[stream]) && !shared[stream]);
    if ours.contains(&true) {
        sinks.push(Box::new(streams(ours, &gone)?));
    }
    if bars {
        let shows = shared.map(|shared| shared && visible);
        let begin = if awaits_report {
            Begin::WithReport
        } else {
            Begin::Soon
        };
        let bars = bars_on_stderr(display, shows, direct, begin)?;
        sinks.push(Box::new(bars));
    } else if plain {
        let writer = Writer::new(copy(stderr())?, ignore());
        let plain = Plain::new(writer, display.name.clone());
        sinks.push(Box::new(plain.beside([ours[0] && same_place(), ours[1]])));
    } else if words {
        let writer = Writer::new(copy(stderr())?, ignore());
        let words = Plain::new(writer, display.name.clone()).only_messages();
        sinks.push(Box::new(words));
    }
    if let Some(channel) = &parent {
        let writer = Writer::new(copy(channel)?, ignore());
        sinks.push(Box::new(Parent::new(writer, &display.name)));
    }
    // A file has no reader, and of a terminal that is gone SIGHUP tells.
    let reader = (json_on_stdout && is_read(stdout()))
        .then(|| copy(stdout()))
        .transpose()?;
    let guarded = |sink| Box::new(Guard::new(sink)) as Box<dyn Sink>;
    Ok(Chosen {
        sinks: sinks.into_iter().map(guarded).collect(),
        reader,
        routes,
        shows_progress,
        narrates: bars || plain || words,
        parent,
        verbatim: display.json.is_some(),
        direct,
        waited,
        observe: bars && !awaits_report,
    })
}

/// The bars on our terminal, above which these of the child's streams are shown.
fn bars_on_stderr(
    display: &Display,
    shows: [bool; 2],
    direct: bool,
    begin: Begin,
) -> anyhow::Result<Bars> {
    let writer = Writer::new(copy(stderr())?, ignore());
    let options = Options {
        name: display.name.clone(),
        with_color: display.color.unwrap_or_else(has_color),
        in_ascii: !is_utf_8(),
        shows,
        direct,
        begin,
        terminal: Terminal::OF_STDERR,
    };
    Ok(Bars::new(writer, options))
}

/// Hands on those of the child's streams that are shown and nobody else shows.
fn streams(ours: [bool; 2], gone: &Arc<dyn Fn(Gone) + Send + Sync>) -> anyhow::Result<Streams> {
    let place = |stream: Stream, descriptor: BorrowedFd<'_>| -> anyhow::Result<_> {
        if !ours[stream as usize] {
            return Ok(None);
        }
        let what = format!("cannot write the command's {stream}");
        let on_gone = told(what, Some(stream), false, gone);
        Ok(Some(Writer::new(copy(descriptor)?, on_gone)))
    };
    let places = [
        place(Stream::Stdout, stdout())?,
        place(Stream::Stderr, stderr())?,
    ];
    Ok(Streams::new(places, [isatty(stdout()), isatty(stderr())]))
}

/// How stdout and stderr are connected; `shared` says which of them is the terminal of the bars, and `reads` whether they
/// are read in any case.
fn routes(display: &Display, shared: [bool; 2], reads: bool) -> [Route; 2] {
    let routes = routes_apart(display, shared, reads);
    let together = match display.output {
        // Its events say which of the two it was.
        _ if display.json == Some(JsonPlace::Stdout) => false,
        Show::Stream | Show::OnFailure => same_place(),
        Show::None => display.log.is_some(),
    };
    match routes {
        // What ends in one place comes by one way, or the order in which it was written would be anybody's guess.
        [Route::Piped, Route::Piped] | [Route::Terminal, Route::Terminal] if together => {
            [routes[0], Route::Joined]
        }
        routes => routes,
    }
}

/// The same, as if each were alone.
fn routes_apart(display: &Display, shared: [bool; 2], reads: bool) -> [Route; 2] {
    let json_on_stdout = display.json == Some(JsonPlace::Stdout);
    let visible = is_visible(display);
    let needed =
        display.log.is_some() || display.output == Show::OnFailure || json_on_stdout || reads;
    let route = |shared: bool, terminal: bool| match (display.output, display.tty) {
        (Show::None, Tty::Auto | Tty::Never | Tty::Own) if !needed => Route::Discard,
        (Show::Stream, tty) if !needed && (!shared || tty == Tty::Own) => Route::Inherit,
        (_, Tty::Always) => Route::Terminal,
        (_, Tty::Auto | Tty::Own) if visible && terminal => Route::Terminal,
        (_, Tty::Auto | Tty::Never | Tty::Own) => Route::Piped,
    };
    let routes = [
        route(shared[0], isatty(stdout())),
        route(shared[1], isatty(stderr())),
    ];
    // A stream that is closed for us is closed for the command, whatever else is wanted of it: it has to see that.
    [(1, routes[0]), (2, routes[1])].map(|(number, route)| {
        if closed::was_closed(number) {
            Route::Inherit
        } else {
            route
        }
    })
}

/// Whether a terminal shows what the child prints.
#[must_use]
pub(crate) fn is_on_screen(display: &Display) -> bool {
    is_visible(display) && (isatty(stdout()) || isatty(stderr()))
}

/// Whether what the child prints is shown as it comes.
fn is_visible(display: &Display) -> bool {
    display.json != Some(JsonPlace::Stdout) && display.output == Show::Stream
}

fn draws_bars(progress: Progress, json_on_stdout: bool) -> bool {
    match progress {
        Progress::Bars => true,
        Progress::Plain | Progress::None => false,
        Progress::Auto => !json_on_stdout && isatty(stderr()) && !is_dumb(),
    }
}

/// Whether our stdout is the terminal that the bars are on.
fn same_terminal() -> bool {
    isatty(stdout()) && same_place()
}

/// Whether our stdout and stderr go to the same place.
fn same_place() -> bool {
    let (Ok(out), Ok(err)) = (fstat(stdout()), fstat(stderr())) else {
        return false;
    };
    // A terminal has several names.
    (out.st_dev, out.st_ino) == (err.st_dev, err.st_ino)
        || isatty(stdout()) && out.st_rdev == err.st_rdev
}

/// Whether somebody else reads this, and may be writing to the terminal.
fn is_pipe(descriptor: impl AsFd) -> bool {
    fstat(descriptor).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Fifo)
}

/// Whether what is written here goes to a process that may go away: a pipe or a socket.
fn is_read(descriptor: impl AsFd) -> bool {
    fstat(descriptor).is_ok_and(|stat| {
        let kind = FileType::from_raw_mode(stat.st_mode);
        matches!(kind, FileType::Fifo | FileType::Socket)
    })
}

/// For a place that somebody will miss something in: `what` says it, with the error behind it. Of a reader who left,
/// only if `says_left`.
fn told(
    what: String,
    stream: Option<Stream>,
    says_left: bool,
    gone: &Arc<dyn Fn(Gone) + Send + Sync>,
) -> OnGone {
    let gone = Arc::clone(gone);
    Box::new(move |error| {
        let lost = error.kind() != io::ErrorKind::BrokenPipe;
        let sentence = (lost || says_left).then(|| format!("{what}: {error}"));
        gone(Gone {
            stream,
            sentence,
            lost,
        });
    })
}

/// For what nobody else depends on.
fn ignore() -> OnGone {
    Box::new(|_| ())
}
