//! The command line: options, environment, help, and the first and last words of the program.

use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, FromArgMatches, Parser, ValueEnum};

use crate::event::Ending;
use crate::run::{self, FAILED, Limits, Settings};
use crate::sink::{Display, JsonPlace, Progress, Show};

const EXAMPLES: &str = "\
Examples:
  progrun -- ./backup.sh                   a bar on the terminal, a polite Ctrl-C
  progrun --json -- ./backup.sh | jq       the same run as a stream of events
  progrun --timeout 1h -- make -j4         at most an hour, then exit status 124
  progrun --output on-failure -- make      what make prints is shown only if it fails
  progrun --log build.log -- cargo build   everything it prints is kept, too

The command says how far it is by writing lines to descriptor 3:
  echo '3/10 copying a.jpg' >&3
  echo '{\"progress\": 3, \"total\": 10, \"message\": \"a.jpg\"}' >&3
After Ctrl-C its next such write fails, and it ends there. See progrun-protocol(5).

Exit status: the command's own; the signal's if it was killed by one. After Ctrl-C progrun ends by SIGINT
(130 in a shell). 124: timed out, 137: and had to be killed, 125: progrun failed, 126: the command cannot be
run, 127: it was not found.";

/// Runs a command, shows how far it is, and stops it politely.
#[derive(Debug, Parser)]
#[command(
    name = "progrun",
    version,
    about,
    after_help = EXAMPLES,
    override_usage = "progrun [OPTIONS] -- COMMAND [ARG]...",
    disable_help_subcommand = true,
    max_term_width = 110
)]
struct Arguments {
    /// The command and its arguments
    #[arg(value_name = "COMMAND", required = true, last = true, value_hint = clap::ValueHint::CommandWithArguments)]
    command: Vec<OsString>,

    /// How progress is shown: bars on a terminal, else plain lines
    #[arg(
        long,
        value_name = "HOW",
        default_value = "auto",
        env = "PROGRUN_PROGRESS"
    )]
    progress: ProgressArgument,

    /// Show no progress and no messages
    #[arg(short, long)]
    quiet: bool,

    /// What is shown of what the command prints
    #[arg(
        long,
        value_name = "WHAT",
        default_value = "stream",
        env = "PROGRUN_OUTPUT"
    )]
    output: OutputArgument,

    /// Keep everything that the command prints in FILE
    #[arg(long, value_name = "FILE", env = "PROGRUN_LOG", value_hint = clap::ValueHint::FilePath)]
    log: Option<PathBuf>,

    /// Print events as JSON lines, on stdout or into FILE
    #[arg(
        long,
        value_name = "FILE",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "-",
        value_hint = clap::ValueHint::FilePath
    )]
    json: Option<PathBuf>,

    /// The run's name in bars, messages and events [default: the command's]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,

    /// Whether colors are used
    #[arg(
        long,
        value_name = "WHEN",
        default_value = "auto",
        env = "PROGRUN_COLOR"
    )]
    color: ColorArgument,

    /// Stop the command after this time, such as 90s or 1h30m
    #[arg(long, value_name = "TIME", value_parser = parse_time, env = "PROGRUN_TIMEOUT")]
    timeout: Option<Time>,

    /// How long a command that was asked to stop has until SIGTERM; 0: for ever
    #[arg(long, value_name = "TIME", value_parser = parse_time, default_value = "10s", env = "PROGRUN_GRACE")]
    grace: Time,

    /// How long it has from there until SIGKILL; 0: for ever
    #[arg(long, value_name = "TIME", value_parser = parse_time, default_value = "5s", env = "PROGRUN_KILL_AFTER")]
    kill_after: Time,

    /// What a timeout sends to a command that cannot be asked
    #[arg(long, value_name = "SIGNAL", value_parser = parse_signal, default_value = "TERM", env = "PROGRUN_SIGNAL")]
    signal: i32,

    /// End with the command's own status even after a timeout or Ctrl-C
    #[arg(long)]
    preserve_status: bool,

    /// Read the command's output until nobody holds it any more, as a pipeline would
    #[arg(long)]
    wait_output: bool,

    /// The descriptor on which the command reports
    #[arg(
        long,
        value_name = "N",
        value_parser = clap::value_parser!(i32).range(3..=255),
        default_value = "3",
        env = "PROGRUN_CHANNEL"
    )]
    fd: i32,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ProgressArgument {
    /// Bars on a terminal, else plain lines
    Auto,
    /// Bars
    Bars,
    /// A line when something changed
    Plain,
    /// Nothing
    None,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum OutputArgument {
    /// Everything as it comes
    Stream,
    /// Everything at the end, if the command failed
    OnFailure,
    /// Nothing
    None,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ColorArgument {
    /// As the terminal and the environment say
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// A time on the command line; none is for ever, written 0.
#[derive(Clone, Copy, Debug)]
struct Time(Option<Duration>);

fn parse_time(text: &str) -> Result<Time, String> {
    let time = match text.parse::<f64>() {
        // A bare number is seconds, as in sleep and timeout.
        Ok(seconds) if seconds.is_sign_negative() || seconds.is_nan() => {
            return Err("a time cannot be negative".to_owned());
        }
        Ok(seconds) => Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX),
        Err(_) => humantime::parse_duration(text)
            .map_err(|_| "expected a time such as 90s, 1h30m or 0.5".to_owned())?,
    };
    Ok(Time(Some(time).filter(|time| !time.is_zero())))
}

fn parse_signal(text: &str) -> Result<i32, String> {
    let upper = text.to_uppercase();
    let name = if upper.starts_with("SIG") {
        upper
    } else {
        format!("SIG{upper}")
    };
    let known = |signal: &i32| signal_hook::low_level::signal_name(*signal).is_some();
    let by_name = |signal: &i32| signal_hook::low_level::signal_name(*signal) == Some(&name);
    text.parse()
        .ok()
        .filter(known)
        .or_else(|| (1..32).find(by_name))
        .ok_or_else(|| "expected a signal such as TERM, INT or 15".to_owned())
}

/// The command line as clap knows it, for the man page and the completions.
#[must_use]
pub fn command() -> clap::Command {
    Arguments::command()
}

/// Runs the program and ends the process.
pub fn main() -> ! {
    let arguments = match parse(std::env::args_os()) {
        Ok(arguments) => arguments,
        Err(error) => refuse(&error),
    };
    match run::run(&settings(arguments)) {
        Ok(outcome) => {
            if let Some(error) = outcome.error {
                complain(&error);
            }
            run::end(outcome.ending)
        }
        Err(error) => {
            complain(&format!("{error:#}"));
            run::end(Ending::Status(FAILED))
        }
    }
}

fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Arguments, clap::Error> {
    let matches = command().try_get_matches_from(arguments)?;
    Arguments::from_arg_matches(&matches)
}

/// Help and version go to stdout with success; everything else is progrun's own failure.
fn refuse(error: &clap::Error) -> ! {
    if let (ErrorKind::UnknownArgument, Some(ContextValue::String(word))) =
        (error.kind(), error.get(ContextKind::InvalidArg))
        && !word.starts_with('-')
    {
        complain(&format!(
            "put `--` before the command, so that its options are not taken for progrun's: progrun -- {word} ..."
        ));
    } else {
        let _ = error.print();
    }
    let status = if error.use_stderr() { FAILED } else { 0 };
    run::end(Ending::Status(status))
}

/// The program's own last words. Nobody is left to tell if stderr is gone.
fn complain(sentence: &str) {
    let _ = writeln!(std::io::stderr(), "progrun: {sentence}");
}

fn settings(arguments: Arguments) -> Settings {
    let name = arguments
        .name
        .unwrap_or_else(|| name_of(&arguments.command));
    Settings {
        channel: arguments.fd,
        limits: Limits {
            timeout: arguments.timeout.and_then(|time| time.0),
            grace: arguments.grace.0,
            kill_after: arguments.kill_after.0,
            timeout_signal: arguments.signal,
        },
        preserve_status: arguments.preserve_status,
        wait_output: arguments.wait_output,
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
            log: arguments.log,
            output: match arguments.output {
                OutputArgument::Stream => Show::Stream,
                OutputArgument::OnFailure => Show::OnFailure,
                OutputArgument::None => Show::None,
            },
        },
        command: arguments.command,
    }
}

/// The last part of the program's path.
fn name_of(command: &[OsString]) -> String {
    let program = command.first().map_or(Path::new(""), Path::new);
    let name = program.file_name().unwrap_or(program.as_os_str());
    name.to_string_lossy().into_owned()
}
