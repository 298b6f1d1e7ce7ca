//! The command line: options, environment variables, help, messages on mistakes, and the end of the process. Knows
//! nothing of how a run goes.

mod foreground;
mod formats;
mod report;
mod shell;
mod variables;

use std::error::Error;
use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::builder::{PossibleValue, TypedValueParser};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, CommandFactory, FromArgMatches, Parser, ValueEnum, ValueHint};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::child;
use crate::client::Delivery;
use crate::event::Ending;
use crate::list::{List, Specification};
use crate::run::{self, FAILED, Settings, Timeouts};
use crate::sink::{Display, JsonPlace, Patient, Progress, STDOUT, Show, Tty, escape};

use self::foreground::draws_only_in_foreground;
use self::report::Report;
use self::shell::is_interactive_bash;

/// The exit status of `progrun report` when the run is cancelled: what shells show for SIGINT.
const CANCELLED: i32 = 130;

const HELP: &str = "\
After Ctrl-C, the command's next write to descriptor 3 fails, and the command ends there.
See --help for examples and details.";

const LONG_HELP: &str = "\
Examples:
  progrun -- ./backup.sh                   a progress bar and a safe Ctrl-C
  progrun --json -- ./backup.sh | jq       the same run as a stream of events
  progrun --timeout 1h -- make -j4         stop after an hour, with exit status 124
  progrun --output on-failure -- make      show make's output only if it fails
  progrun --log build.log -- cargo build   also keep a copy of the output
  progrun -- git clone URL                 git's own progress, as a bar
  progrun --from meter -- ninja >log       read progress from output that goes to a file

To report progress, a command writes lines to descriptor 3, the channel:
  echo '3/10 copying a.jpg' >&3
  echo '{\"progress\": 3, \"total\": 10, \"message\": \"a.jpg\"}' >&3
A script can also run a program for each report:
  progrun report 3/10 \"copying a.jpg\" || exit
After Ctrl-C, the next report fails, and the command ends there. See progrun-protocol(5).

progrun also reads the progress that other programs draw or print: git, curl, restic,
ffmpeg and many more. See --list-formats and progrun-formats(7).

Exit status:
  The command's own. If a signal killed the command, progrun ends by the same signal.
  130  Ctrl-C: progrun ends by SIGINT, so that a calling script stops too
  124  timed out (137 if the command had to be killed)
  125  progrun itself failed, was called incorrectly, or could not write all output
  126  the command cannot be run
  127  the command was not found";

/// Run any command with a progress bar, a safe Ctrl-C and machine-readable results
#[derive(Debug, Default, Parser)]
#[command(
    name = "progrun",
    version,
    after_help = HELP,
    after_long_help = LONG_HELP,
    override_usage = "progrun [OPTIONS] -- COMMAND [ARG]...\n       progrun report [OPTIONS] [AMOUNT] [MESSAGE]...",
    disable_help_subcommand = true,
    subcommand_help_heading = "Subcommands",
    subcommand_negates_reqs = true,
    args_conflicts_with_subcommands = true,
    max_term_width = 110
)]
// clap would make a group of all options. Nothing uses it, and it takes time.
#[group(skip)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an option of its own"
)]
struct Arguments {
    /// The command and its arguments
    #[arg(value_name = "COMMAND", required_unless_present = "list_formats", last = true, value_hint = ValueHint::CommandWithArguments)]
    command: Vec<OsString>,

    /// Stop the command after this time, such as 90s or 1h30m (0 = no limit)
    #[arg(
        long,
        value_name = "TIME",
        value_parser = parse_time,
        allow_negative_numbers = true,
        env = "PROGRUN_TIMEOUT",
        help_heading = "Stopping",
        value_hint = ValueHint::Other
    )]
    timeout: Option<Time>,

    /// Time to stop voluntarily before SIGINT is sent (0 = no limit)
    ///
    /// If the stop was requested by SIGTERM or SIGHUP, that signal is sent instead; after a timeout, the one of
    /// --signal.
    #[arg(
        long,
        value_name = "TIME",
        value_parser = parse_time,
        allow_negative_numbers = true,
        default_value = "10s",
        env = "PROGRUN_GRACE",
        help_heading = "Stopping",
        value_hint = ValueHint::Other
    )]
    grace: Time,

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
        value_name = "TIME",
        value_parser = parse_time,
        allow_negative_numbers = true,
        default_value = "5s",
        env = "PROGRUN_KILL_AFTER",
        help_heading = "Stopping",
        value_hint = ValueHint::Other
    )]
    kill_after: Time,

    /// Whether --kill-after was given.
    #[arg(skip)]
    kill_after_given: bool,

    /// Signal sent on timeout to a command that does not report progress
    ///
    /// A command that does report gets this signal when --grace has passed. SIGNAL is a name with or without SIG, such
    /// as TERM or RTMIN+1, or a number from 1 to 64.
    #[arg(
        long,
        value_name = "SIGNAL",
        value_parser = SignalParser,
        hide_possible_values = true,
        default_value = "TERM",
        env = "PROGRUN_SIGNAL",
        help_heading = "Stopping"
    )]
    signal: i32,

    /// Exit with the command's own status even after Ctrl-C or a timeout
    #[arg(long, help_heading = "Stopping")]
    preserve_status: bool,

    /// How to show progress
    #[arg(
        long,
        value_name = "HOW",
        default_value = "auto",
        env = "PROGRUN_PROGRESS",
        help_heading = "Progress"
    )]
    progress: ProgressArgument,

    /// Print no progress and no messages of progrun's own
    ///
    /// Start-up errors and lost output are still reported.
    #[arg(short, long, help_heading = "Progress")]
    quiet: bool,

    /// Name shown for the run [default: the last component of COMMAND]
    #[arg(long, value_name = "NAME", help_heading = "Progress", value_hint = ValueHint::Other)]
    name: Option<String>,

    /// Whether to draw bars in color
    #[arg(
        long,
        value_name = "WHEN",
        default_value = "auto",
        env = "PROGRUN_COLOR",
        help_heading = "Progress"
    )]
    color: ColorArgument,

    /// Other programs' progress formats to read: auto, none, or a list of names
    ///
    /// auto reads the output that passes through progrun anyway: on the terminal, above the bars, or because of --json,
    /// --log or --output. With names, separated by commas, the output is read wherever it goes, and still passes
    /// through unchanged. Reports and events in progrun's own format are read only if the name progrun is given.
    /// --list-formats lists the names.
    #[arg(
        long,
        value_name = "FORMATS",
        value_delimiter = ',',
        value_parser = formats::names(),
        hide_possible_values = true,
        default_value = "auto",
        env = "PROGRUN_FROM",
        help_heading = "Progress"
    )]
    from: Vec<String>,

    /// List the formats for --from, and how to enable each in its program
    #[arg(long, exclusive = true, help_heading = "Progress")]
    list_formats: bool,

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
    json: Option<PathBuf>,

    /// How much of the command's output to show
    #[arg(
        long,
        value_name = "WHAT",
        default_value = "stream",
        env = "PROGRUN_OUTPUT",
        help_heading = "Output"
    )]
    output: OutputArgument,

    /// Also write the command's output to FILE
    ///
    /// FILE is truncated first, unless it is /dev/stdout, /dev/stderr or /dev/fd/N, which are written to as if by the
    /// command. - stands for /dev/stdout, and ./- for a file of that name.
    // No default from the environment: a progrun inside this one would write over the same file.
    #[arg(long, value_name = "FILE", help_heading = "Output", value_hint = ValueHint::FilePath)]
    log: Option<PathBuf>,

    /// Whether to run the command on a pseudo-terminal
    ///
    /// This is about output that passes through progrun. On a pseudo-terminal, the command's colors, the order of its
    /// lines and its own meters are the same as without progrun. An interactive bash as COMMAND gets a pseudo-terminal
    /// only with always, because it would expect job control there. If a script starts an interactive bash, redirect
    /// the stderr of that bash with 2>/dev/tty to keep job control.
    #[arg(
        long,
        value_name = "WHEN",
        default_value = "auto",
        env = "PROGRUN_TTY",
        help_heading = "Output"
    )]
    tty: TtyArgument,

    /// Wait until all processes have closed the command's output (as a pipeline does)
    ///
    /// Without this option, progrun does not wait for a process that the command leaves behind, such as a daemon.
    #[arg(long, help_heading = "Output")]
    wait_output: bool,

    /// Descriptor number of the channel on which the command reports, 3 to 255
    ///
    /// This is for scripts that use descriptor 3 themselves. dash and mksh support only numbers up to 9. A file that is
    /// already open under this number is not passed on to the command. Exceptions are make's jobserver and the sockets
    /// of a service (socket activation): progrun then uses the next free number for the channel, and says so.
    #[arg(
        long,
        value_name = "N",
        value_parser = parse_channel,
        default_value = "3",
        env = "PROGRUN_CHANNEL",
        help_heading = "Channel",
        value_hint = ValueHint::Other
    )]
    fd: i32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum ProgressArgument {
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
enum OutputArgument {
    /// All of it, as it comes
    #[default]
    Stream,
    /// All of it at the end, if the command did not succeed
    OnFailure,
    /// None of it
    None,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum TtyArgument {
    /// For output that is shown on a terminal
    #[default]
    Auto,
    /// Also for output that is hidden, logged or turned into events
    Always,
    /// For no output: use a pipe
    Never,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum ColorArgument {
    /// If the terminal and the environment allow it
    #[default]
    Auto,
    /// In any case
    Always,
    /// Never
    Never,
}

/// A time on the command line; none is for ever, written 0.
#[derive(Default, Clone, Copy, Debug)]
struct Time(Option<Duration>);

fn parse_time(text: &str) -> Result<Time, String> {
    let expected = "expected a time such as 90s, 1h30m or 0.5";
    // As in sleep and timeout: a number, of seconds if it is alone.
    let (number, unit) = [("s", 1.0), ("m", 60.0), ("h", 3600.0), ("d", 86400.0)]
        .into_iter()
        .find_map(|(letter, unit)| Some((text.strip_suffix(letter)?, unit)))
        .unwrap_or((text, 1.0));
    let time = match number.parse::<f64>() {
        Ok(number) if number.is_nan() => return Err(expected.to_owned()),
        Ok(number) if number.is_sign_negative() => {
            return Err("a time cannot be negative".to_owned());
        }
        Ok(value) => {
            let time = Duration::try_from_secs_f64(value * unit).unwrap_or(Duration::MAX);
            // A time so short that it is rounded to 0 must not become 0, which means for ever.
            let digits = number.split(['e', 'E']).next().unwrap_or(number);
            let some = digits.contains(|digit| matches!(digit, '1'..='9'));
            time.max(Duration::from_nanos(some.into()))
        }
        Err(_) => humantime::parse_duration(text).map_err(|_| expected.to_owned())?,
    };
    Ok(Time(Some(time).filter(|time| !time.is_zero())))
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

/// The command line as clap knows it, for the man page and the completions.
#[must_use]
pub fn command() -> clap::Command {
    let version = Arg::new("version")
        .short('V')
        .long("version")
        .help("Print the version")
        .help_heading("Other")
        .action(ArgAction::Version);
    let report = Report::command().disable_help_flag(true).arg(help_flag());
    // In place of clap's own --help and --version, which would come before all other options.
    Arguments::command()
        .disable_help_flag(true)
        .disable_version_flag(true)
        .arg(help_flag().help_heading("Other"))
        .arg(version)
        .subcommand(report)
}

fn help_flag() -> Arg {
    Arg::new("help")
        .short('h')
        .long("help")
        .help("Print a summary (-h) or the full help (--help)")
        .action(ArgAction::Help)
}

/// Runs the program and ends the process.
pub fn main() -> ! {
    let words: Vec<OsString> = std::env::args_os().collect();
    let variables = std::env::vars_os().map(|(name, _)| name);
    let parsed = without_options(&words, variables).map_or_else(
        || parse(&words),
        |arguments| Ok(Parsed::Run(Box::new(arguments))),
    );
    let arguments = match parsed {
        Ok(Parsed::Run(arguments)) => arguments,
        Ok(Parsed::Report(report)) => answered(report.send()),
        Err(error) => refuse(&error, &words),
    };
    if arguments.list_formats {
        let mut stdout = io::BufWriter::new(Patient(io::stdout()));
        end_written(formats::list(&mut stdout).and_then(|()| stdout.flush()));
    }
    let (settings, list) = settings(*arguments);
    match run::run(&settings, list) {
        Ok(outcome) => {
            for error in outcome.errors {
                if !outcome.unread || takes_words() {
                    complain(&error);
                }
            }
            run::end_all(outcome.ending, outcome.scope)
        }
        Err(error) => {
            let mut causes = error.chain().filter_map(<dyn Error>::downcast_ref);
            let advice = causes.next_back().map_or("", child::advice);
            complain(&format!("{error:#}{advice}"));
            run::end(Ending::Status(FAILED))
        }
    }
}

/// What the command line asks for.
#[derive(Debug)]
enum Parsed {
    Run(Box<Arguments>),
    Report(Report),
}

/// The arguments of `progrun -- COMMAND`, for which clap could only find the defaults: building the definition of all
/// options takes a tenth of a short run.
fn without_options(
    words: &[OsString],
    mut variables: impl Iterator<Item = OsString>,
) -> Option<Arguments> {
    let [_, dashes, command @ ..] = words else {
        return None;
    };
    let is_ours = |name: OsString| name.as_encoded_bytes().starts_with(b"PROGRUN_");
    (dashes == "--" && !command.is_empty() && !variables.any(is_ours)).then(|| Arguments {
        command: command.to_vec(),
        grace: Time(Some(Duration::from_secs(10))),
        kill_after: Time(Some(Duration::from_secs(5))),
        signal: libc::SIGTERM,
        from: vec!["auto".to_owned()],
        fd: 3,
        ..Arguments::default()
    })
}

fn parse(words: &[OsString]) -> Result<Parsed, clap::Error> {
    let matches = command()
        .mut_args(variables::without_empty)
        .try_get_matches_from(words)
        .map_err(|error| variables::blame(error, words))?;
    if let Some((_, report)) = matches.subcommand() {
        return Report::from_arg_matches(report).map(Parsed::Report);
    }
    let mut arguments = Arguments::from_arg_matches(&matches)?;
    arguments.kill_after_given =
        matches.value_source("kill_after") != Some(ValueSource::DefaultValue);
    formats::check(&arguments.from, matches.value_source("from"))?;
    Ok(Parsed::Run(Box::new(arguments)))
}

/// Ends `progrun report` as the answer says. An invalid report is only a warning: a script must not die of an amount
/// that it computed.
fn answered(sent: Result<Delivery, String>) -> ! {
    let delivery = sent.unwrap_or_else(|sentence| {
        complain(&format!("report: {sentence}"));
        report::only_ask()
    });
    run::end(Ending::Status(match delivery {
        Delivery::Done => 0,
        Delivery::Late => {
            complain("report: not delivered: progrun is not reading");
            0
        }
        Delivery::Cancelled => CANCELLED,
    }))
}

/// Help and version go to stdout with success; everything else is progrun's own failure.
fn refuse(error: &clap::Error, words: &[OsString]) -> ! {
    if let Some(word) = bare_command(error, words) {
        complain(&format!(
            "put `--` before the command, so that its options are not taken for progrun's: progrun -- {word} ..."
        ));
    } else if let Some(file) = json_file(error, words) {
        complain(&format!(
            "--json takes its file after an equals sign: --json={file}"
        ));
    } else if let Some(word) = unknown(error).and_then(|word| report::negative_amount(word, words))
    {
        answered(Err(format!("{word}: an amount cannot be negative")));
    } else {
        if !error.use_stderr() {
            end_written(error.print());
        }
        let text = error.to_string();
        let safe: Vec<_> = text.lines().map(escape).collect();
        // The message quotes arguments and variables as they came. If any has control characters, they are made
        // visible, and the message loses its colors with them.
        let _ = if text.lines().eq(safe.iter()) {
            error.print()
        } else {
            writeln!(io::stderr(), "{}", safe.join("\n"))
        };
    }
    run::end(Ending::Status(FAILED))
}

/// Ends the process after writing to stdout. If the reader went away, progrun dies by SIGPIPE without a message, as
/// other tools do.
fn end_written(written: io::Result<()>) -> ! {
    run::end(match written.and_then(|()| io::stdout().flush()) {
        Ok(()) => Ending::Status(0),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ending::Signal(libc::SIGPIPE),
        Err(error) => {
            complain(&format!("cannot write to stdout: {error}"));
            Ending::Status(FAILED)
        }
    })
}

/// The command, if the mistake is that `--` is missing before it.
fn bare_command<'a>(error: &'a clap::Error, words: &[OsString]) -> Option<&'a str> {
    misplaced(error).filter(|_| !words.contains(&"--".into()))
}

/// The word after `--json`, if it is the mistake.
fn json_file<'a>(error: &'a clap::Error, words: &[OsString]) -> Option<&'a str> {
    let is_it = |word: &&str| words.windows(2).any(|pair| pair == ["--json", word]);
    misplaced(error).filter(is_it)
}

/// The word that clap does not know, if it is no option.
fn misplaced(error: &clap::Error) -> Option<&str> {
    unknown(error).filter(|word| !word.starts_with('-'))
}

/// The word that clap does not know.
fn unknown(error: &clap::Error) -> Option<&str> {
    let word = match error.kind() {
        ErrorKind::UnknownArgument => error.get(ContextKind::InvalidArg)?,
        ErrorKind::InvalidSubcommand => error.get(ContextKind::InvalidSubcommand)?,
        _ => return None,
    };
    match word {
        ContextValue::String(word) => Some(word),
        _ => None,
    }
}

/// Writes progrun's last message to stderr. If stderr is gone, there is no place left for it.
fn complain(sentence: &str) {
    let line = format!("progrun: {}\n", escape(sentence));
    let _ = Patient(io::stderr()).write_all(line.as_bytes());
}

/// Whether stderr takes text at once. It may be the place that was not read, such as a terminal that Ctrl-S has
/// stopped.
fn takes_words() -> bool {
    let stderr = io::stderr();
    let mut ready = [PollFd::new(&stderr, PollFlags::OUT)];
    poll(&mut ready, Some(&Timespec::default())).is_ok_and(|ready| ready > 0)
}

fn settings(arguments: Arguments) -> (Settings, List) {
    let tty = tty(&arguments);
    let name = arguments
        .name
        .unwrap_or_else(|| name_of(&arguments.command));
    let list = List::one(Specification::of_command(name.clone(), arguments.command));
    let settings = Settings {
        slots: 1,
        many: None,
        channel: arguments.fd,
        timeouts: Timeouts {
            timeout: arguments.timeout.and_then(|time| time.0),
            grace: arguments.grace.0,
            kill_after: arguments.kill_after.0,
            kills_after_interrupt: arguments.kill_after_given,
            timeout_signal: arguments.signal,
        },
        preserve_status: arguments.preserve_status,
        wait_output: arguments.wait_output,
        from: formats::selection(&arguments.from),
        display: Display {
            name,
            progress: match arguments.progress {
                _ if arguments.quiet => Progress::None,
                ProgressArgument::Auto => Progress::Auto,
                ProgressArgument::Bars => Progress::Bars,
                ProgressArgument::Plain => Progress::Plain,
                ProgressArgument::None => Progress::None,
            },
            color: match arguments.color {
                ColorArgument::Auto => None,
                ColorArgument::Always => Some(true),
                ColorArgument::Never => Some(false),
            },
            json: arguments.json.map(|path| {
                if path.as_os_str() == "-" {
                    JsonPlace::Stdout
                } else {
                    JsonPlace::File(path)
                }
            }),
            log: arguments.log.map(|path| {
                if path.as_os_str() == "-" {
                    PathBuf::from(STDOUT)
                } else {
                    path
                }
            }),
            output: match arguments.output {
                OutputArgument::Stream => Show::Stream,
                OutputArgument::OnFailure => Show::OnFailure,
                OutputArgument::None => Show::None,
            },
            tty,
            many: None,
        },
    };
    (settings, list)
}

/// For which output the command gets a pseudo-terminal. With --tty auto, an interactive bash gets none, and a program
/// that draws only in the foreground gets the terminal itself.
fn tty(arguments: &Arguments) -> Tty {
    let is_usual = arguments.progress == ProgressArgument::Auto && arguments.json.is_none();
    match arguments.tty {
        TtyArgument::Auto if is_interactive_bash(&arguments.command) => Tty::Never,
        TtyArgument::Auto
            if is_usual
                && draws_only_in_foreground(&arguments.command)
                && child::is_ours_alone() =>
        {
            Tty::Own
        }
        TtyArgument::Auto => Tty::Auto,
        TtyArgument::Always => Tty::Always,
        TtyArgument::Never => Tty::Never,
    }
}

/// The last part of the program's path.
fn name_of(command: &[OsString]) -> String {
    let program = command.first().map_or(Path::new(""), Path::new);
    let name = program.file_name().unwrap_or(program.as_os_str());
    name.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_options_the_arguments_are_what_clap_makes_of_them() {
        let none = std::iter::empty;
        for command in [
            &["true"][..],
            &["a", "--", "-b"],
            &["--json", "x"],
            &["--", "x"],
        ] {
            let words: Vec<_> = ["progrun", "--"]
                .iter()
                .chain(command)
                .map(OsString::from)
                .collect();
            let by_clap = format!("{:?}", arguments(&[&["--"], command].concat()).unwrap());
            assert_eq!(
                format!("{:?}", without_options(&words, none()).unwrap()),
                by_clap
            );
        }
        for words in [
            &["progrun"][..],
            &["progrun", "--"],
            &["progrun", "--quiet", "--", "x"],
        ] {
            let words: Vec<_> = words.iter().map(OsString::from).collect();
            assert!(without_options(&words, none()).is_none(), "{words:?}");
        }
        let words = ["progrun", "--", "x"].map(OsString::from);
        let variable = std::iter::once(OsString::from("PROGRUN_GRACE"));
        assert!(without_options(&words, variable).is_none());
    }

    fn arguments(words: &[&str]) -> Result<Arguments, clap::Error> {
        let words: Vec<_> = ["progrun"]
            .iter()
            .chain(words)
            .map(OsString::from)
            .collect();
        match parse(&words)? {
            Parsed::Run(arguments) => Ok(*arguments),
            Parsed::Report(report) => panic!("{report:?}"),
        }
    }

    /// The command in `words` that lacks `--` before it, if that is why clap refuses `words`.
    fn bare(words: &[&str]) -> Option<String> {
        let words: Vec<_> = ["progrun"]
            .iter()
            .chain(words)
            .map(OsString::from)
            .collect();
        let error = parse(&words).unwrap_err();
        bare_command(&error, &words).map(str::to_owned)
    }

    #[test]
    fn clap_finds_nothing_wrong_with_the_definition() {
        command().debug_assert();
    }

    #[test]
    fn every_option_is_in_a_group_and_begins_with_one_line_of_help() {
        for argument in command().get_opts() {
            let name = argument.get_id();
            assert!(argument.get_help_heading().is_some(), "{name}");
            let help = argument.get_help().unwrap().to_string();
            assert!(!help.contains('\n') && help.len() < 80, "{name}: {help}");
        }
    }

    #[test]
    fn a_time_has_units_or_is_seconds_and_0_is_for_ever() {
        let time = |text| parse_time(text).map(|time| time.0);
        let seconds = |seconds| Ok(Some(Duration::from_secs_f64(seconds)));
        assert_eq!(time("1h30m"), seconds(5400.0));
        assert_eq!(time("0.5"), seconds(0.5));
        assert_eq!(time("90"), seconds(90.0));
        assert_eq!(time("0"), Ok(None));
        assert_eq!(time("0s"), Ok(None));
        assert_eq!(time("1.5h"), seconds(5400.0));
        assert_eq!(time(".5d"), seconds(43200.0));
        assert_eq!(time("1e300"), Ok(Some(Duration::MAX)));
        assert_eq!(time("1e300d"), Ok(Some(Duration::MAX)));
        assert_eq!(time("1e-10000"), Ok(Some(Duration::from_nanos(1))));
        assert_eq!(time("0e10"), Ok(None));
        for wrong in ["-1", "-0.5", "nan", "soon", ""] {
            assert!(time(wrong).is_err(), "{wrong}");
        }
    }

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

    #[test]
    fn json_takes_its_file_with_an_equals_sign_only() {
        assert_eq!(arguments(&["--", "ls"]).unwrap().json, None);
        let stdout = arguments(&["--json", "--", "ls"]).unwrap();
        assert_eq!(stdout.json, Some(PathBuf::from("-")));
        let file = arguments(&["--json=events", "--", "ls"]).unwrap();
        assert_eq!(file.json, Some(PathBuf::from("events")));
        assert!(arguments(&["--json", "events", "--", "ls"]).is_err());
    }

    #[test]
    fn a_command_without_the_dashes_before_it_is_recognised() {
        assert_eq!(bare(&["ls", "-l"]).as_deref(), Some("ls"));
        assert_eq!(bare(&["--quiet", "ls"]).as_deref(), Some("ls"));
        // Here `--` is there, and the unknown word is no command.
        assert_eq!(bare(&["--json", "events", "--", "ls"]), None);
        assert_eq!(bare(&["--no-such-option", "--", "ls"]), None);
        assert_eq!(bare(&[]), None);
    }

    #[test]
    fn a_run_is_called_what_the_program_is_called() {
        let name = |program: &str| name_of(&[program.into()]);
        assert_eq!(name("/usr/bin/make"), "make");
        assert_eq!(name("./backup.sh"), "backup.sh");
        assert_eq!(name(".."), "..");
    }
}
