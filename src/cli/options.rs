//! The options that each form of a run has, and how their values are read: times, signals, numbers.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{PossibleValue, TypedValueParser};
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgMatches, Args, ValueEnum, ValueHint};

use crate::client;
use crate::journal::{Form, Journal, Memory, Work};
use crate::run::{Hook, Settings, Timeouts};
use crate::sink::{Display, JsonPlace, Logs, Progress, STDOUT, Show, Tty};

use super::detach::Leaving;
use super::formats;
use super::on::OnOptions;
use super::time::{Time, parse_time};

const ON_END: &str = "\
Run COMMAND with sh when the run is over, however it ended

COMMAND finds PROGRUN_NAME, PROGRUN_STATE, PROGRUN_EXIT_STATUS, PROGRUN_SIGNAL, PROGRUN_ELAPSED and PROGRUN_LOG in its \
environment; see ENVIRONMENT in progrun(1). Its stdin is /dev/null, and what it prints goes to stderr. \
progrun waits for it, and then ends as it would have without it. Ctrl-C goes to COMMAND, and a second one kills it and \
all that it has started.";

/// The options that each form of a run has.
#[derive(Clone, Debug, Default, Args)]
// clap would make a group of all options. Nothing uses it, and it takes time.
#[group(skip)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an option of its own"
)]
pub(super) struct Options {
    /// Stop the command after this time, such as 90s or 1h30m (0 = no limit)
    #[arg(
        short,
        long,
        value_name = "TIME",
        value_parser = parse_time,
        allow_negative_numbers = true,
        env = "PROGRUN_TIMEOUT",
        help_heading = "Stopping",
        value_hint = ValueHint::Other
    )]
    pub(super) timeout: Option<Time>,

    /// Time to stop voluntarily before SIGINT is sent (0 = no limit)
    ///
    /// If the stop was requested by SIGTERM or SIGHUP, that signal is sent instead; after a timeout, the one of
    /// --signal.
    #[arg(
        long,
        hide_short_help = true,
        value_name = "TIME",
        value_parser = parse_time,
        allow_negative_numbers = true,
        default_value = "10s",
        env = "PROGRUN_GRACE",
        help_heading = "Stopping",
        value_hint = ValueHint::Other
    )]
    pub(super) grace: Time,

    /// Delay between one signal and the next, stronger one (0 = never send it)
    ///
    /// By default, this applies only if no user can press Ctrl-C again: after a timeout, SIGTERM, SIGHUP, or a
    /// cancellation by an outer progrun. If --kill-after is given, it applies after Ctrl-C too. If progrun itself is
    /// killed, it is also how long the command and its process group survive (Linux).
    ///
    /// Once a run that was asked to stop has ended, the readers of its output have the same time, but at least a
    /// second, to read the rest. What they have not read by then is discarded, with a message.
    #[arg(
        long,
        hide_short_help = true,
        value_name = "TIME",
        value_parser = parse_time,
        allow_negative_numbers = true,
        default_value = "5s",
        env = "PROGRUN_KILL_AFTER",
        help_heading = "Stopping",
        value_hint = ValueHint::Other
    )]
    pub(super) kill_after: Time,

    /// Whether --kill-after was given.
    #[arg(skip)]
    pub(super) kill_after_given: bool,

    /// Signal sent on timeout to a command that does not report progress
    ///
    /// A command that does report gets this signal when --grace has passed. SIGNAL is a name with or without SIG, such
    /// as TERM or RTMIN+1, or a number from 1 to 64.
    #[arg(
        long,
        hide_short_help = true,
        value_name = "SIGNAL",
        value_parser = SignalParser,
        hide_possible_values = true,
        default_value = "TERM",
        env = "PROGRUN_SIGNAL",
        help_heading = "Stopping"
    )]
    pub(super) signal: i32,

    /// Exit with the command's own status even after Ctrl-C or a timeout
    #[arg(long, hide_short_help = true, help_heading = "Stopping")]
    pub(super) preserve_status: bool,

    /// How to show progress
    #[arg(
        long,
        value_name = "HOW",
        default_value = "auto",
        env = "PROGRUN_PROGRESS",
        help_heading = "Progress"
    )]
    pub(super) progress: ProgressArgument,

    /// Print no progress and no messages of progrun's own
    ///
    /// Start-up errors and lost output are still reported, and so is the reason why hidden output is shown (--output
    /// on-failure).
    #[arg(short, long, help_heading = "Progress")]
    pub(super) quiet: bool,

    /// Name shown for the run [default: the last component of COMMAND]
    #[arg(short, long, value_name = "NAME", help_heading = "Progress", value_hint = ValueHint::Other)]
    pub(super) name: Option<String>,

    /// Whether to use color
    #[arg(
        long,
        hide_short_help = true,
        value_name = "WHEN",
        default_value = "auto",
        env = "PROGRUN_COLOR",
        help_heading = "Progress"
    )]
    pub(super) color: ColorArgument,

    /// Whose progress to read: auto, none, or names of programs or formats
    ///
    /// auto reads the output that passes through progrun anyway: on the terminal, above the bars, or because of --json,
    /// --log or --output. With names, separated by commas, such as git or meter, the output is read wherever it goes,
    /// and still passes through unchanged. Reports and events in progrun's own format are read only if the name progrun
    /// is given. --list-formats lists the names.
    #[arg(
        long,
        value_name = "FORMATS",
        value_delimiter = ',',
        value_parser = formats::NameParser,
        hide_possible_values = true,
        default_value = "auto",
        env = "PROGRUN_FROM",
        help_heading = "Progress"
    )]
    pub(super) from: Vec<String>,

    /// Write events as JSON, one per line, to stdout or to FILE
    ///
    /// On stdout, the command's output becomes events too, and no progress is shown unless --progress asks for it. With
    /// FILE, which is truncated first, the command keeps its own stdout and stderr. If FILE is a FIFO, progrun waits
    /// for a reader, but no longer than --timeout. progrun-protocol(5) describes the events.
    #[arg(
        long,
        value_name = "FILE",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "-",
        help_heading = "Output",
        value_hint = ValueHint::FilePath
    )]
    pub(super) json: Option<PathBuf>,

    /// Also write the command's output to FILE, as text
    ///
    /// Each line is kept as a terminal shows it at its end: once, however often it was redrawn, without colors, links
    /// and other escape sequences. See LOGS in progrun(1).
    ///
    /// FILE is truncated first, unless it is /dev/stdout, /dev/stderr or /dev/fd/N, which are written to as if by the
    /// command. - stands for /dev/stdout, and ./- for a file of that name.
    // No default from the environment: a progrun inside this one would write over the same file.
    #[arg(short, long, value_name = "FILE", help_heading = "Output", value_hint = ValueHint::FilePath)]
    pub(super) log: Option<PathBuf>,

    /// Also write the command's output to FILE, byte for byte
    ///
    /// FILE is as for --log, and another one.
    #[arg(long, value_name = "FILE", help_heading = "Output", value_hint = ValueHint::FilePath)]
    pub(super) log_raw: Option<PathBuf>,

    /// Begin each line of the --log file with the time
    ///
    /// It is the time at which the line was complete, in UTC, such as 2026-11-28T07:05:09.250Z.
    #[arg(long, help_heading = "Output")]
    pub(super) timestamps: bool,

    /// Whether to run the command on a pseudo-terminal
    ///
    /// This is about output that passes through progrun. On a pseudo-terminal, the command's colors, the order of its
    /// lines and its own meters are the same as without progrun. An interactive bash as COMMAND gets a pseudo-terminal
    /// only with always, because it would expect job control there. If a script starts an interactive bash, redirect
    /// the stderr of that bash with 2>/dev/tty to keep job control.
    #[arg(
        long,
        hide_short_help = true,
        value_name = "WHEN",
        default_value = "auto",
        env = "PROGRUN_TTY",
        help_heading = "Output"
    )]
    pub(super) tty: TtyArgument,

    /// Run away from the terminal, and print the process number of the run
    ///
    /// The run survives a closed terminal and a logout, and progrun itself ends as soon as the run has begun: through
    /// ssh, too. progrun attach shows the run, progrun cancel stops it, and progrun wait waits for its end. What it
    /// prints is kept, whatever --output says: the first mebibyte and the last eight. stdin is /dev/null, unless it is
    /// a file or a pipe. There is no terminal for --notify; --on-end works.
    ///
    /// If the number cannot be written, the status is 125, and stderr names the run, which goes on.
    #[arg(long, help_heading = "Running")]
    pub(super) detach: bool,

    /// Wait until all processes have closed the command's output (as a pipeline does)
    ///
    /// Without this option, progrun does not wait for a process that the command leaves behind, such as a daemon.
    #[arg(long, hide_short_help = true, help_heading = "Output")]
    pub(super) wait_output: bool,

    /// Do not remember this run, and show no estimate from earlier ones
    ///
    /// By default, a run of a second or more adds a line to progrun's history, with its command, its duration and how it
    /// ended, and the time left is estimated from earlier runs of the same command in the same directory, or with the
    /// same --name. The environment variable has the same effect with the value 0. See progrun-history(1).
    #[arg(long, hide_short_help = true, env = "PROGRUN_HISTORY", value_parser = is_switched_off, help_heading = "Progress")]
    pub(super) no_history: bool,
    /// Notify at the end of a run that took TIME or longer [default TIME: 30s]
    ///
    /// A terminal that can shows a notification on the desktop, also through ssh, and through tmux with
    /// allow-passthrough; any other rings its bell. The time counts from the last Ctrl-C, if there was one. Nothing
    /// happens if stderr is no terminal, as under cron, or in CI: if CI is
    /// set to anything but false.
    #[arg(
        long,
        value_name = "TIME",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "30s",
        value_parser = parse_time,
        allow_negative_numbers = true,
        env = "PROGRUN_NOTIFY",
        help_heading = "At the end",
        value_hint = ValueHint::Other
    )]
    pub(super) notify: Option<Time>,

    /// Run COMMAND with sh when the run is over, however it ended
    #[arg(
        long,
        hide_short_help = true,
        value_name = "COMMAND",
        long_help = ON_END,
        env = "PROGRUN_ON_END",
        help_heading = "At the end",
        value_hint = ValueHint::CommandString
    )]
    pub(super) on_end: Option<OsString>,

    #[command(flatten)]
    pub(super) on: OnOptions,

    /// Descriptor number of the channel on which the command reports, 3 to 255
    ///
    /// This is for scripts that use descriptor 3 themselves. dash and mksh support only numbers up to 9. A file that is
    /// already open under this number is not passed on to the command. Exceptions are make's jobserver and the sockets
    /// of a service (socket activation): progrun then uses the next free number for the channel, and says so.
    #[arg(
        long,
        hide_short_help = true,
        value_name = "N",
        value_parser = parse_channel,
        default_value = "3",
        env = "PROGRUN_CHANNEL",
        help_heading = "Channel",
        value_hint = ValueHint::Other
    )]
    pub(super) fd: i32,
}

impl Options {
    /// What clap makes of them if none is given.
    pub(super) fn usual() -> Self {
        Self {
            grace: Time(Some(Duration::from_secs(10))),
            kill_after: Time(Some(Duration::from_secs(5))),
            signal: libc::SIGTERM,
            from: vec!["auto".to_owned()],
            fd: 3,
            on: OnOptions::usual(),
            ..Self::default()
        }
    }

    /// Takes in what only the matches know, and checks what one value alone does not tell.
    ///
    /// What the environment asks for the end of a run is for the run that the user has started, and not for each progrun
    /// in it, nor for one that is to be quiet.
    ///
    /// # Errors
    /// If a value of --from cannot be.
    pub(super) fn complete(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.kill_after_given =
            matches.value_source("kill_after") != Some(ValueSource::DefaultValue);
        let is_given = |id| matches.value_source(id) == Some(ValueSource::CommandLine);
        if self.detach {
            self.check_detach(is_given("progress"))?;
        }
        self.check_timestamps(matches)?;
        let by_default = |id| matches.value_source(id) == Some(ValueSource::EnvVariable);
        let (notify, on_end) = (by_default("notify"), by_default("on_end"));
        // A run that leaves is no part of the one that it leaves.
        if (notify || on_end) && !self.detach && client::parent().is_some() {
            self.notify = self.notify.filter(|_| !notify);
            self.on_end = self.on_end.take().filter(|_| !on_end);
        }
        self.notify = self.notify.filter(|_| !(notify && self.quiet));
        formats::check(&self.from, matches.value_source("from"))
    }

    /// Checks that there is text for --timestamps.
    fn check_timestamps(&self, matches: &ArgMatches) -> Result<(), clap::Error> {
        // Only the forms for lists have the option.
        let folder = matches.try_contains_id("log_dir");
        if !self.timestamps || self.log.is_some() || matches!(folder, Ok(true)) {
            return Ok(());
        }
        let more = if folder.is_ok() {
            " or --log-dir DIR"
        } else {
            ""
        };
        let sentence =
            format!("--timestamps is for the lines of a log: also give --log FILE{more}");
        Err(super::command().error(ErrorKind::ArgumentConflict, sentence))
    }

    /// Checks that nothing is to be shown here of a run that leaves; `progress_given`: in the way that the command line
    /// says.
    fn check_detach(&mut self, progress_given: bool) -> Result<(), clap::Error> {
        let sentence = if self
            .json
            .as_ref()
            .is_some_and(|path| path.as_os_str() == "-")
        {
            "--detach leaves stdout: give --json a file, as in --json=FILE"
        } else if self.progress == ProgressArgument::Bars && progress_given {
            "--detach leaves the terminal, so there is no place for --progress bars"
        } else {
            if self.progress == ProgressArgument::Bars {
                self.progress = ProgressArgument::Auto;
            }
            return Ok(());
        };
        Err(super::command().error(ErrorKind::ArgumentConflict, sentence))
    }

    /// How a run called `name`, of this command, leaves; none: it stays.
    pub(super) fn leaving(&self, name: String, command: Vec<OsString>) -> Option<Leaving> {
        self.detach.then_some(Leaving {
            name,
            command,
            quiet: self.quiet,
        })
    }

    /// What is to run after a run that is called `name`.
    pub(super) fn hook(&self, name: String) -> Option<Hook> {
        let is_file = |path: &&PathBuf| *path != "-" && !path.starts_with("/dev");
        self.on_end.clone().map(|command| Hook {
            command,
            name,
            log: self
                .log
                .as_ref()
                .or(self.log_raw.as_ref())
                .filter(is_file)
                .cloned(),
        })
    }

    /// What a run of this work remembers; none: nothing.
    pub(super) fn memory(&self, form: Form, command: &[OsString]) -> Option<Memory> {
        if self.no_history {
            return None;
        }
        let work = Work::new(form, command.to_vec(), self.name.clone());
        Some(Memory::new(Journal::of_user()?, work))
    }

    /// The settings of a run, which is called `name`. `jobs` is how many of many tasks run at once, if the user has said
    /// so.
    pub(super) fn settings(
        self,
        name: String,
        output: Show,
        tty: Tty,
        jobs: Option<u32>,
    ) -> Settings {
        let reach = self.on.reach(jobs, (self.grace.0, self.kill_after.0));
        let (elsewhere, slots) = reach.map_or((None, 1), |(reach, slots)| (Some(reach), slots));
        Settings {
            slots,
            many: None,
            channel: self.fd,
            timeouts: Timeouts {
                timeout: self.timeout.and_then(|time| time.0),
                grace: self.grace.0,
                kill_after: self.kill_after.0,
                kills_after_interrupt: self.kill_after_given,
                timeout_signal: self.signal,
            },
            preserve_status: self.preserve_status,
            wait_output: self.wait_output,
            from: formats::selection(&self.from),
            display: Display {
                name,
                progress: if self.quiet {
                    Progress::None
                } else {
                    self.progress.into()
                },
                color: self.color.into(),
                json: self.json.map(|path| {
                    if path.as_os_str() == "-" {
                        JsonPlace::Stdout
                    } else {
                        JsonPlace::File(path)
                    }
                }),
                logs: Logs {
                    text: self.log.map(log_file),
                    raw: self.log_raw.map(log_file),
                    timestamps: self.timestamps,
                },
                output: match output {
                    // Nothing of it is shown now, and all of it is kept to be looked at.
                    Show::OnFailure | Show::None if self.detach => Show::Stream,
                    output => output,
                },
                caller: None,
                tty,
                notify: self.notify.map(|time| time.0.unwrap_or_default()),
                many: None,
                elsewhere: false,
                remote: elsewhere.is_some(),
                memory: None,
            },
            elsewhere,
            agent: None,
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum ProgressArgument {
    /// Bars on a terminal, otherwise plain lines; nothing with --json on stdout or under another progrun
    #[default]
    Auto,
    /// Bars
    Bars,
    /// A line every 10 % or every 10 seconds
    Plain,
    /// Nothing
    None,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(super) enum TtyArgument {
    /// For output that is shown on a terminal
    #[default]
    Auto,
    /// Also for output that is hidden, logged or turned into events
    Always,
    /// For no output: use a pipe
    Never,
}

impl From<ProgressArgument> for Progress {
    fn from(progress: ProgressArgument) -> Self {
        match progress {
            ProgressArgument::Auto => Self::Auto,
            ProgressArgument::Bars => Self::Bars,
            ProgressArgument::Plain => Self::Plain,
            ProgressArgument::None => Self::None,
        }
    }
}

/// Whether colors are used; none: as the terminal and the environment say.
impl From<ColorArgument> for Option<bool> {
    fn from(color: ColorArgument) -> Self {
        match color {
            ColorArgument::Auto => None,
            ColorArgument::Always => Some(true),
            ColorArgument::Never => Some(false),
        }
    }
}

impl From<TtyArgument> for Tty {
    fn from(tty: TtyArgument) -> Self {
        match tty {
            TtyArgument::Auto => Self::Auto,
            TtyArgument::Always => Self::Always,
            TtyArgument::Never => Self::Never,
        }
    }
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(super) enum ColorArgument {
    /// If the terminal and the environment allow it
    #[default]
    Auto,
    /// In any case
    Always,
    /// Never
    Never,
}

/// The file that a log option names.
fn log_file(path: PathBuf) -> PathBuf {
    if path.as_os_str() == "-" {
        PathBuf::from(STDOUT)
    } else {
        path
    }
}

/// Reads `PROGRUN_HISTORY`, and the values that clap itself has for the option.
fn is_switched_off(text: &str) -> Result<bool, &'static str> {
    match text {
        // The option gives true, and the variable says whether there is a history.
        "0" | "true" | "no" | "off" => Ok(true),
        "1" | "false" | "yes" | "on" => Ok(false),
        _ => Err("expected 0 or 1"),
    }
}

fn parse_channel(text: &str) -> Result<i32, &'static str> {
    let number = text.parse().ok();
    number
        .filter(|number| (3..=255).contains(number))
        .ok_or("expected a number from 3 to 255")
}

/// The last signal there is.
#[cfg(target_os = "linux")]
const LAST_SIGNAL: i32 = 64;
#[cfg(not(target_os = "linux"))]
const LAST_SIGNAL: i32 = 31;

/// A name with SIG before it or without, or a number.
fn parse_signal(text: &str) -> Result<i32, String> {
    let upper = text.to_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    let full = format!("SIG{name}");
    let by_name = |signal: &i32| signal_hook::low_level::signal_name(*signal) == Some(&full);
    let number = name.parse().ok();
    number
        .filter(|number| (1..=LAST_SIGNAL).contains(number))
        .or_else(|| (1..32).find(by_name))
        .or_else(|| system_signal(name))
        .ok_or_else(|| match number {
            Some(0) => {
                "signal 0 sends nothing; to run without a time limit, omit --timeout".to_owned()
            }
            _ => format!(
                "expected a name such as TERM or RTMIN+1, or a number from 1 to {LAST_SIGNAL}"
            ),
        })
}

/// The signals that only Linux has, or that have a second name there.
#[cfg(target_os = "linux")]
fn system_signal(name: &str) -> Option<i32> {
    let (first, last) = (libc::SIGRTMIN(), libc::SIGRTMAX());
    let by = |text: &str, sign: char| match text {
        "" => Some(0),
        text => text.strip_prefix(sign)?.parse::<u8>().ok().map(i32::from),
    };
    let signal = match name {
        "POLL" => libc::SIGPOLL,
        "PWR" => libc::SIGPWR,
        "STKFLT" => libc::SIGSTKFLT,
        "IOT" => libc::SIGIOT,
        "CLD" => libc::SIGCHLD,
        name => match name.strip_prefix("RTMIN") {
            Some(rest) => first + by(rest, '+')?,
            None => last - by(name.strip_prefix("RTMAX")?, '-')?,
        },
    };
    (1..32).chain(first..=last).find(|known| *known == signal)
}

/// There are none on this system.
#[cfg(not(target_os = "linux"))]
fn system_signal(_name: &str) -> Option<i32> {
    None
}

/// Takes a signal in any form, and tells completions the usual names.
#[derive(Clone)]
struct SignalParser;

impl TypedValueParser for SignalParser {
    type Value = i32;

    fn parse_ref(
        &self,
        command: &clap::Command,
        argument: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<i32, clap::Error> {
        parse_signal.parse_ref(command, argument, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(USUAL_SIGNALS.into_iter().map(PossibleValue::new)))
    }
}

/// The names that completions offer for --signal.
const USUAL_SIGNALS: [&str; 9] = [
    "TERM", "INT", "HUP", "QUIT", "KILL", "USR1", "USR2", "ABRT", "ALRM",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_is_a_name_in_any_form_or_a_number() {
        for text in ["TERM", "SIGTERM", "term", "sigterm", "15"] {
            assert_eq!(parse_signal(text), Ok(15), "{text}");
        }
        for text in USUAL_SIGNALS {
            assert!(parse_signal(text).is_ok(), "{text}");
        }
        #[cfg(target_os = "linux")]
        for (text, number) in [
            ("40", 40),
            ("64", 64),
            ("SIG42", 42),
            ("RTMIN", 34),
            ("sigrtmin+1", 35),
            ("RTMAX-2", 62),
            ("RTMAX", 64),
            ("PWR", 30),
            ("POLL", 29),
        ] {
            assert_eq!(parse_signal(text), Ok(number), "{text}");
        }
        let zero = "signal 0 sends nothing; to run without a time limit, omit --timeout";
        assert_eq!(parse_signal("0"), Err(zero.to_owned()));
        for wrong in [
            "", "-9", "BOOM", "65", "999", "RTMIN+31", "RTMAX-31", "RTMIN-1",
        ] {
            assert!(parse_signal(wrong).is_err(), "{wrong}");
        }
    }
}
