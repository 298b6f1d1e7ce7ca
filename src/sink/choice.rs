//! The choice of a run's sinks: which there are, and where each writes.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use rustix::stdio::{stderr, stdout};
use rustix::termios::isatty;

use crate::client;
use crate::dialect::Selection;
use crate::event::Stream;
use crate::model::route::Route;

use super::Sink;
use super::agent::Agent;
use super::bars::{Bars, Begin, Options};
use super::beginning::Beginning;
use super::course::Course;
use super::display::{Display, JsonPlace, Progress, Show, Tells, Tty};
use super::files::{self, copy};
use super::floor::{Floor, Ground, Rule};
use super::gone::{Gone, Notifier, ignore};
use super::guard::Guard;
use super::job_log::JobLog;
use super::journal::Journal;
use super::json::Json;
use super::logs;
use super::notification::Notification;
use super::parent::{Parent, ParentOfMany};
use super::pipeline::ends_on_our_terminal;
use super::plain::Plain;
use super::routes::{goes_through, routes};
use super::spool::Spool;
use super::standard::{SharedFile, has_reader, is_pipe, is_same_place, is_same_terminal};
use super::stream::Streams;
use super::terminal::{Terminal, has_color, is_dumb, is_utf_8};
use super::writer::Writer;

/// The sinks of a run, and what follows from them for the child.
#[expect(clippy::struct_excessive_bools, reason = "independent wishes")]
pub(crate) struct Chosen {
    /// All of them.
    pub sinks: Vec<Box<dyn Sink>>,
    /// How stdout and stderr of the child are connected.
    pub routes: [Route; 2],
    /// Whether the child is to have the terminal itself, from its start to its end.
    pub direct: bool,
    /// Whether every line of the channel is wanted.
    pub every_report: bool,
    /// Whether any sink shows progress.
    pub shows_progress: bool,
    /// Whether the activity of a child that reports nothing is shown.
    pub observe: bool,
    /// Whether warnings are shown on stderr.
    pub tells_user: bool,
    /// How long a file waited for its reader.
    pub waited: Duration,
    /// The way to the progrun that we run under, if we report to it: when it breaks, we are cancelled.
    pub parent: Option<OwnedFd>,
    /// Where the events are written, if their reader is our link to our caller.
    pub reader: Option<OwnedFd>,
    /// Where the tasks of a list write, if a reader takes it: when it is gone, no further task is to begin, whether
    /// that task would write or not.
    pub output: Option<OwnedFd>,
}

/// The sink on stderr.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OnStderr {
    Bars,
    Lines(Tells),
    Nothing,
}

/// Chooses. A file that opens only with a reader, such as a FIFO, is waited for no longer than `patience`. `from` says
/// which formats are looked for in the child's streams; `gone` is told, by any thread, of a place that can be written
/// to no more. `wake` has the sinks ticked soon; any thread may call it.
///
/// # Errors
/// If a file that was asked for cannot be opened.
pub(crate) fn choose(
    display: &Display,
    from: &Selection,
    patience: Option<Duration>,
    gone: impl Fn(Gone) + Send + Sync + 'static,
    wake: impl Fn() + Send + Sync + 'static,
) -> anyhow::Result<Chosen> {
    let notifier = Notifier::new(gone);
    let parent = match display.progress {
        Progress::Auto => client::parent(),
        _ => None,
    };
    let on_stderr = on_stderr(display, parent.is_some());
    let all = OnStderr::Lines(Tells::Everything);
    let shows_progress =
        [OnStderr::Bars, all].contains(&on_stderr) || parent.is_some() || display.json.is_some();

    let shared = shared(on_stderr);
    // Output that is not shown may still report progress.
    let hidden = display.output == Show::None && shows_progress && *from == Selection::Auto;
    let reads = from.reads_streams() || hidden || display.caller.is_some();
    let beside_lines = matches!(on_stderr, OnStderr::Lines(_)) && is_pipe(stderr());
    // In a run of many, the floor shows the output of failures; in any other the spool does.
    let many = display
        .many
        .as_ref()
        .filter(|_| !display.has_json_on_stdout());
    let visible = display.shows_output() || many.is_some() && display.output == Show::OnFailure;
    let aside = on_stderr == OnStderr::Bars && visible && is_pipe(stdout());
    let aside = aside && ends_on_our_terminal();
    let carried = [aside || beside_lines && is_same_place(), beside_lines];
    let routes = routes(display, shared, carried, reads);
    let direct = display.tty == Tty::Own && routes == [Route::Inherit; 2];
    let ours = [0, 1].map(|stream| visible && goes_through(routes[stream]) && !shared[stream]);

    let files = open_files(display, patience)?;
    let begin = if is_pipe(stdout()) {
        Begin::WithReport
    } else {
        Begin::Soon
    };
    let events = json(display, files.events, &notifier)?;
    let in_turns = keeps_apart(display);
    let logs = logs::choose(display, files.logs, routes, in_turns, &notifier);
    let places = places(ours, &notifier)?;
    let streams = streams(display, &places);
    let screen = match on_stderr {
        OnStderr::Bars => {
            let shows = shared.map(|shared| shared && visible);
            let aside = places[0].clone().filter(|_| aside);
            Some(bars(display, (shows, aside), direct, begin)?)
        }
        OnStderr::Lines(tells) => Some(plain(display, tells, ours, places)?),
        OnStderr::Nothing => None,
    };
    let mut sinks = vec![
        job_log(display, &notifier),
        events,
        logs::folder(display, routes, &notifier),
    ];
    sinks.extend(logs.apart.into_iter().map(Some));
    if many.is_some() {
        let shown = logs.shown.into_iter().chain(streams).collect();
        sinks.push(Some(floor(display, screen, shown, &notifier, wake)));
    } else {
        // What the bars erase is gone before a stream that reaches the terminal by another way is written.
        let streams_and_screen = if aside {
            [screen, streams]
        } else {
            [streams, screen]
        };
        sinks.extend(logs.shown.into_iter().map(Some));
        sinks.push(spool(display, &notifier)?);
        sinks.extend(streams_and_screen);
    }
    sinks.push(parent_sink(display, parent.as_ref())?);
    sinks.push(notification(display)?);
    sinks.push(beginning(display));
    // A part of another run is remembered with that. Last, for the user waits for the last line, not for the journal.
    let remembers = parent.is_none() && !display.elsewhere;
    sinks.push(journal(display, &notifier).filter(|_| remembers));
    Ok(Chosen {
        sinks: sinks.into_iter().flatten().map(guarded).collect(),
        routes,
        direct,
        every_report: display.json.is_some(),
        shows_progress,
        observe: on_stderr == OnStderr::Bars && begin == Begin::Soon,
        tells_user: on_stderr != OnStderr::Nothing,
        waited: files.waited,
        parent,
        reader: reader(display)?,
        output: output_reader(display)?,
    })
}

/// What the progrun that has started an agent wants of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ForAgent {
    /// How stdout and stderr of the child are connected.
    pub routes: [Route; 2],
    /// Whether every report is wanted.
    pub every_report: bool,
    /// Whether the activity of a child that reports nothing is wanted.
    pub observe: bool,
}

/// The only sink of an agent, on stdout. `gone` is told if nothing can be written there.
///
/// # Errors
/// If there is no descriptor for it.
pub(crate) fn for_agent(
    wishes: ForAgent,
    gone: impl Fn(Gone) + Send + Sync + 'static,
) -> anyhow::Result<Chosen> {
    let on_gone = Notifier::new(gone).for_reader("the connection is gone".to_owned());
    let agent = Agent::new(Writer::new(copy(stdout())?, on_gone));
    let reader = has_reader(stdout()).then(|| copy(stdout()));
    Ok(Chosen {
        sinks: vec![Box::new(agent)],
        routes: wishes.routes,
        direct: false,
        every_report: wishes.every_report,
        shows_progress: true,
        observe: wishes.observe,
        tells_user: false,
        waited: Duration::ZERO,
        parent: None,
        reader: reader.transpose()?,
        output: None,
    })
}

fn on_stderr(display: &Display, has_parent: bool) -> OnStderr {
    let fails_aloud = display.output == Show::OnFailure && !display.has_json_on_stdout();
    match display.progress {
        Progress::Bars => OnStderr::Bars,
        Progress::Plain => OnStderr::Lines(Tells::Everything),
        Progress::None if fails_aloud => OnStderr::Lines(Tells::Failures),
        Progress::None => OnStderr::Nothing,
        Progress::Auto => by_itself(display, has_parent),
    }
}

/// The sink on stderr if the user has not said. The progress of a run under another progrun is shown by that one.
fn by_itself(display: &Display, has_parent: bool) -> OnStderr {
    let on_terminal = isatty(stderr());
    if display.has_json_on_stdout() {
        if on_terminal {
            OnStderr::Lines(Tells::Messages)
        } else {
            OnStderr::Nothing
        }
    } else if has_parent {
        OnStderr::Nothing
    } else if on_terminal && !is_dumb() {
        OnStderr::Bars
    } else if display.output == Show::OnFailure && !on_terminal {
        // So that a job of cron mails exactly when something went wrong.
        OnStderr::Lines(Tells::Failures)
    } else {
        OnStderr::Lines(Tells::Everything)
    }
}

/// Which of our streams, stdout first, is the terminal that the bars are on.
fn shared(on_stderr: OnStderr) -> [bool; 2] {
    let bars = on_stderr == OnStderr::Bars;
    [bars && is_same_terminal(), bars && isatty(stderr())]
}

/// The files that the user has named.
struct Files {
    events: Option<OwnedFd>,
    /// The text, and the bytes.
    logs: [Option<OwnedFd>; 2],
    waited: Duration,
}

fn open_files(display: &Display, patience: Option<Duration>) -> anyhow::Result<Files> {
    logs::check(display)?;
    let wanted = [
        ("--json", events_path(display)),
        ("--log", display.logs.text.as_deref()),
        ("--log-raw", display.logs.raw.as_deref()),
    ];
    let is_on_stdout = |log: &&(&str, Option<&Path>)| log.1 == Some(Path::new(files::STDOUT));
    if display.has_json_on_stdout()
        && let Some((log, _)) = wanted.iter().find(is_on_stdout)
    {
        bail!("{log} and --json cannot both write to stdout");
    }
    let job_log = display.many.as_ref().and_then(|many| many.job_log.as_ref());
    let opened = files::open(wanted, job_log.map(|(_, file)| &**file), patience)?;
    let [events, text, raw] = opened.files;
    Ok(Files {
        events,
        logs: [text, raw],
        waited: opened.waited,
    })
}

fn events_path(display: &Display) -> Option<&Path> {
    match &display.json {
        Some(JsonPlace::File(path)) => Some(path),
        _ => None,
    }
}

fn json(
    display: &Display,
    file: Option<OwnedFd>,
    notifier: &Notifier,
) -> anyhow::Result<Option<Box<dyn Sink>>> {
    let on_stdout = display.has_json_on_stdout();
    let (place, on_gone) = if on_stdout {
        let what = "the event stream is incomplete".to_owned();
        (copy(stdout())?, notifier.for_reader(what))
    } else if let Some(file) = file {
        let what = incomplete("the event file", events_path(display));
        (file, notifier.for_file(what))
    } else {
        return Ok(None);
    };
    let json = Json::new(Writer::new(place, on_gone), on_stdout);
    let json = json.on_terminal(on_stdout && isatty(stdout()));
    Ok(Some(Box::new(json)))
}

fn job_log(display: &Display, notifier: &Notifier) -> Option<Box<dyn Sink>> {
    let (path, file) = display.many.as_ref()?.job_log.as_ref()?;
    let what = incomplete("the job log", Some(path));
    let log = JobLog::new(Arc::clone(file), notifier.for_file(what));
    Some(Box::new(log))
}

fn journal(display: &Display, notifier: &Notifier) -> Option<Box<dyn Sink>> {
    let (memory, name) = (display.memory.clone()?, display.name.clone());
    Some(Box::new(Journal::new(memory, name, notifier.clone())))
}

fn incomplete(what: &str, path: Option<&Path>) -> String {
    let path = path.unwrap_or(Path::new("")).display();
    format!("{what} {path} is incomplete")
}

/// Output that is hidden until the child has failed.
fn spool(display: &Display, notifier: &Notifier) -> anyhow::Result<Option<Box<dyn Sink>>> {
    let is_for_many = display.many.is_some();
    if display.output != Show::OnFailure || display.has_json_on_stdout() || is_for_many {
        return Ok(None);
    }
    let what = "some of the command's output could not be shown".to_owned();
    let on_gone = notifier.for_reader(what);
    let places = [copy(stdout())?, copy(stderr())?];
    let spool = Spool::new(files::unnamed()?, places, on_gone);
    Ok(Some(Box::new(spool)))
}

/// Our stdout and stderr, if this stream of the child is shown there, and by no other sink.
fn places(ours: [bool; 2], notifier: &Notifier) -> anyhow::Result<[Option<Writer>; 2]> {
    let place = |stream: Stream, descriptor: BorrowedFd<'_>| -> anyhow::Result<_> {
        if !ours[stream as usize] {
            return Ok(None);
        }
        let what = format!("cannot write the command's {stream}");
        let on_gone = notifier.for_stream(stream, what);
        Ok(Some(Writer::new(copy(descriptor)?, on_gone)))
    };
    Ok([
        place(Stream::Stdout, stdout())?,
        place(Stream::Stderr, stderr())?,
    ])
}

/// Hands on the child's streams to these places.
fn streams(display: &Display, places: &[Option<Writer>; 2]) -> Option<Box<dyn Sink>> {
    if places.iter().all(Option::is_none) {
        return None;
    }
    let streams = Streams::new(places.clone(), [isatty(stdout()), isatty(stderr())]);
    let streams = if keeps_apart(display) {
        streams.in_turns(display.many.as_ref().is_some_and(|many| many.tagged))
    } else {
        streams
    };
    Some(Box::new(streams))
}

fn rule(display: &Display) -> Rule {
    let in_order = display.many.as_ref().is_some_and(|many| many.in_order);
    Rule::new(display.output, in_order)
}

/// Whether a floor lets one task after the other show its output.
fn keeps_apart(display: &Display) -> bool {
    display.many.is_some() && !display.has_json_on_stdout() && rule(display).keeps()
}

/// The right to show output on this screen and in these places, in a run of many tasks.
fn floor(
    display: &Display,
    screen: Option<Box<dyn Sink>>,
    places: Vec<Box<dyn Sink>>,
    notifier: &Notifier,
    wake: impl Fn() + Send + Sync + 'static,
) -> Box<dyn Sink> {
    let tagged = display.many.as_ref().is_some_and(|many| many.tagged);
    let with_color = |on_terminal| display.color.unwrap_or_else(|| on_terminal && has_color());
    let lost = "some of the tasks' output could not be shown".to_owned();
    let warnings = notifier.clone();
    Box::new(Floor::new(Ground {
        screen: screen.map(guarded),
        places: places.into_iter().map(guarded).collect(),
        rule: rule(display),
        tags: tagged.then(|| [isatty(stdout()), isatty(stderr())].map(with_color)),
        open: || files::unnamed().map_err(io::Error::other),
        wake: Arc::new(wake),
        on_lost: notifier.for_reader(lost),
        warn: Box::new(move |sentence| warnings.warn(sentence)),
    }))
}

/// The bars on our terminal, above which these of the child's streams are shown.
fn bars(
    display: &Display,
    (shows, aside): ([bool; 2], Option<Writer>),
    direct: bool,
    begin: Begin,
) -> anyhow::Result<Box<dyn Sink>> {
    let writer = stderr_writer()?;
    if let Some(pipe) = &aside {
        pipe.write_after(&writer);
    }
    let options = Options {
        name: display.name.clone(),
        with_color: display.color.unwrap_or_else(has_color),
        in_ascii: !is_utf_8(),
        shows,
        direct,
        aside,
        begin,
        terminal: Terminal::OF_STDERR,
        memory: display.memory.clone(),
        many: display.many.clone().map(|many| {
            let is_mixed = matches!(display.output, Show::Stream | Show::Lines);
            let is_mixed = is_mixed && !many.in_order;
            (many, is_mixed)
        }),
    };
    Ok(Box::new(Bars::new(writer, options)))
}

/// Plain lines on stderr, beside these of the child's streams. Where one of them goes to the same place, its writer
/// writes the lines, too: by one of their own, a line could come before the output that it is to follow, or in the
/// middle of it.
fn plain(
    display: &Display,
    tells: Tells,
    ours: [bool; 2],
    places: [Option<Writer>; 2],
) -> anyhow::Result<Box<dyn Sink>> {
    // Output that was kept is shown in the same places, before the last line.
    let is_kept = tells == Tells::Failures && display.many.is_none();
    let beside = [(is_kept || ours[0]) && is_same_place(), is_kept || ours[1]];
    let [on_stdout, on_stderr] = places;
    let writer = match on_stdout.filter(|_| beside[0]).or(on_stderr) {
        Some(writer) => writer,
        None => stderr_writer()?,
    };
    let file = SharedFile::new(copy(stderr())?);
    let (name, memory) = (display.name.clone(), display.memory.clone());
    Ok(if let Some(many) = &display.many {
        let course = Course::new(writer, name, many).beside(beside, file);
        Box::new(course.telling(tells).remembering(memory))
    } else {
        let plain = Plain::new(writer, name).beside(beside, file);
        Box::new(plain.telling(tells).remembering(memory))
    })
}

/// The channel of the progrun that we run under.
fn parent_sink(
    display: &Display,
    parent: Option<&OwnedFd>,
) -> anyhow::Result<Option<Box<dyn Sink>>> {
    let Some(channel) = parent else {
        return Ok(None);
    };
    let writer = Writer::new(copy(channel)?, ignore());
    Ok(Some(match &display.many {
        Some(_) => Box::new(ParentOfMany::new(writer, &display.name)),
        None => Box::new(Parent::new(writer, &display.name)),
    }))
}

/// Word of the beginning, if a process waits for it.
fn beginning(display: &Display) -> Option<Box<dyn Sink>> {
    let caller = display.caller.as_ref()?;
    Some(Box::new(Beginning::new(Arc::clone(caller))))
}

/// The notification at the end, if a user is there to be notified: at a terminal, and not that of a CI system.
fn notification(display: &Display) -> anyhow::Result<Option<Box<dyn Sink>>> {
    let Some(least) = display.notify else {
        return Ok(None);
    };
    let is_ci = std::env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false");
    if is_ci || !isatty(stderr()) {
        return Ok(None);
    }
    let notification = Notification::new(stderr_writer()?, display.name.clone(), least);
    Ok(Some(Box::new(notification)))
}

fn stderr_writer() -> anyhow::Result<Writer> {
    Ok(Writer::new(copy(stderr())?, ignore()))
}

/// A descriptor to watch for the end of the events' reader. None for a file, which has no reader, and for a terminal,
/// whose end SIGHUP tells.
fn reader(display: &Display) -> anyhow::Result<Option<OwnedFd>> {
    (display.has_json_on_stdout() && has_reader(stdout()))
        .then(|| copy(stdout()))
        .transpose()
}

/// A descriptor to watch for the end of the reader of what the tasks of a list print.
fn output_reader(display: &Display) -> anyhow::Result<Option<OwnedFd>> {
    let is_read = display.many.is_some() && display.output != Show::None;
    (is_read && !display.has_json_on_stdout() && has_reader(stdout()))
        .then(|| copy(stdout()))
        .transpose()
}

fn guarded(sink: Box<dyn Sink>) -> Box<dyn Sink> {
    Box::new(Guard::new(sink))
}
