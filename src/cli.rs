//! The command line: options, environment variables, help, messages on mistakes, and the end of the process. Knows
//! nothing of how a run goes.

mod agent;
mod attach;
mod cancel;
mod cleanup;
mod demo;
mod detach;
mod each;
mod foreground;
mod formats;
mod help;
mod history;
mod known;
mod mistakes;
mod on;
mod options;
mod ps;
mod report;
mod runs;
mod shell;
mod time;
mod timeline;
mod values;
mod variables;
mod wait;

use std::error::Error;
use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use clap::error::ErrorKind;
use clap::{Arg, ArgAction, CommandFactory, FromArgMatches, Parser, ValueEnum, ValueHint};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::child;
use crate::client::Delivery;
use crate::event::{Ending, FinalState};
use crate::journal;
use crate::list::{List, Specification};
use crate::reason::{reason, reasons};
use crate::run::{self, End, FAILED, Hook, Settings};
use crate::sink::{Patient, Show, Tty, escape};
use crate::system::relay;
use crate::system::signals::Scope;

use self::agent::Agent;
use self::attach::Attach;
use self::cancel::Cancel;
use self::cleanup::Cleanup;
use self::demo::Demo;
use self::detach::Leaving;
use self::each::{Each, Form, Prepared, Tasks};
use self::foreground::draws_only_in_foreground;
use self::help::Help;
use self::history::History;
use self::options::{Options, ProgressArgument, TtyArgument};
use self::ps::Ps;
use self::report::Report;
use self::shell::is_interactive_bash;
use self::timeline::Timeline;
use self::wait::Wait;

/// The exit status of `progrun report` when the run is cancelled: what shells show for SIGINT.
const CANCELLED: i32 = 130;

const HELP: &str = "\
After Ctrl-C, the command's next write to descriptor 3 fails, and the command ends there.
See --help for all options and examples, progrun help for the manual.";

const LONG_HELP: &str = "\
Examples:
  progrun demo                             see in half a minute what progrun does
  progrun -- ./backup.sh                   a progress bar and a safe Ctrl-C
  progrun --json -- ./backup.sh | jq       the same run as a stream of events
  progrun --timeout 1h -- make -j4         stop after an hour, with exit status 124
  progrun --output on-failure -- make      show make's output only if it fails
  progrun --log build.log -- cargo build   also keep a copy of the output
  progrun --notify -- ./backup.sh          a notification at the end of a long run
  progrun --detach -- ./backup.sh          go on after a logout; print the run's number
  progrun --on build1 -- make -j4          the same on another machine: see progrun-on(7)
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

progrun help lists the pages of the manual and shows them.

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
    override_usage = "progrun [OPTIONS] -- COMMAND [ARG]...\n       progrun each [OPTIONS] -- COMMAND [ARG]... [::: VALUE...]...\n       progrun tasks [OPTIONS] [FILE]\n       progrun report [OPTIONS] [AMOUNT] [MESSAGE]...\n       progrun ps [OPTIONS]\n       progrun attach [OPTIONS] [RUN]\n       progrun cancel [OPTIONS] RUN...\n       progrun wait RUN\n       progrun cleanup\n       progrun history [OPTIONS] [NAME]\n       progrun timeline [OPTIONS] [FILE]\n       progrun demo\n       progrun help [TOPIC]",
    disable_help_subcommand = true,
    subcommand_help_heading = "Subcommands",
    subcommand_negates_reqs = true,
    args_conflicts_with_subcommands = true,
    max_term_width = 110
)]
// clap would make a group of all options. Nothing uses it, and it takes time.
#[group(skip)]
struct Arguments {
    /// The command and its arguments
    #[arg(value_name = "COMMAND", required_unless_present = "list_formats", last = true, value_hint = ValueHint::CommandWithArguments)]
    command: Vec<OsString>,

    // First, so that the help begins with the options for stopping.
    #[command(flatten)]
    options: Options,

    /// How much of the command's output to show
    #[arg(
        short,
        long,
        value_name = "WHAT",
        default_value = "stream",
        env = "PROGRUN_OUTPUT",
        help_heading = "Output"
    )]
    output: OutputArgument,

    /// List the formats for --from, and how to enable each in its program
    #[arg(long, exclusive = true, help_heading = "Progress")]
    list_formats: bool,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum OutputArgument {
    /// All of it, as it comes
    #[default]
    // PROGRUN_OUTPUT may be meant for many tasks: of one, these are the same.
    #[value(aliases = ["group", "lines"])]
    Stream,
    /// All of it at the end, with the reason, if the command did not succeed; else nothing, and off a terminal no
    /// progress either
    OnFailure,
    /// None of it
    None,
}

/// The command line as clap knows it, for the man page and the completions.
#[must_use]
pub fn command() -> clap::Command {
    let version = Arg::new("version")
        .short('V')
        .long("version")
        .help("Print the version")
        .help_heading("Other")
        .action(ArgAction::Version);
    let report = with_help(Report::command());
    // In place of clap's own --help and --version, which would come before all other options.
    Arguments::command()
        .disable_help_flag(true)
        .disable_version_flag(true)
        .arg(help_flag().help_heading("Other"))
        .arg(version)
        .subcommand(each::as_subcommand::<Each>())
        .subcommand(each::as_subcommand::<Tasks>())
        .subcommand(report)
        .subcommand(with_help(Ps::command()))
        .subcommand(with_help(Attach::command()))
        .subcommand(with_help(Cancel::command()))
        .subcommand(with_help(Wait::command()))
        .subcommand(with_help(Cleanup::command()))
        .subcommand(with_help(History::command()))
        .subcommand(with_help(Timeline::command()))
        .subcommand(with_help(Demo::command()))
        .subcommand(with_help(Help::command()))
}

/// With our own --help, the last of the options.
fn with_help(command: clap::Command) -> clap::Command {
    command.disable_help_flag(true).arg(help_flag())
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
    if relay::is_one(words.first().map(OsString::as_os_str)) {
        relay::run();
        run::end(Ending::Status(0));
    }
    let variables = std::env::vars_os().map(|(name, _)| name);
    let parsed = without_options(&words, variables).map_or_else(
        || parse(&words),
        |arguments| Ok(Parsed::Run(Box::new(arguments))),
    );
    let arguments = match parsed {
        Ok(Parsed::Run(arguments)) => arguments,
        Ok(Parsed::Report(report)) => answered(report.send()),
        Ok(Parsed::Timeline(timeline)) => page_written(timeline.write()),
        Ok(Parsed::Demo(demo)) => demo.run(),
        Ok(Parsed::Help(help)) => helped(help.run()),
        Ok(Parsed::History(history)) => history.run(),
        Ok(Parsed::Agent(agent)) => run::end(agent.run()),
        Ok(Parsed::Ps(ps)) => end_written(ps.run()),
        Ok(Parsed::Attach(attach)) => end_as(attach.run()),
        Ok(Parsed::Cleanup(cleanup)) => run::end(cleanup.run()),
        Ok(Parsed::Cancel(cancel)) => run::end(cancel.run()),
        Ok(Parsed::Wait(wait)) => end_as(wait.run()),
        Ok(Parsed::Each(each)) => run_form(*each),
        Ok(Parsed::Tasks(tasks)) => run_form(*tasks),
        Err(error) => mistakes::refuse(&error, &words),
    };
    if arguments.list_formats {
        let mut stdout = io::BufWriter::new(Patient(io::stdout()));
        end_written(formats::list(&mut stdout).and_then(|()| stdout.flush()));
    }
    let options = &arguments.options;
    let hook = options.hook(arguments.name());
    let leaving = options.leaving(arguments.name(), arguments.command.clone());
    run_list(hook.as_ref(), leaving, || {
        let (settings, list) = settings(*arguments);
        Ok((settings, list, None))
    })
}

/// Ends the process as a run ended; or says why there is none.
fn end_as(ended: Result<Ending, String>) -> ! {
    run::end(ended.unwrap_or_else(|sentence| {
        complain(&sentence);
        Ending::Status(FAILED)
    }))
}

/// Runs a list of a form of many tasks and ends the process.
fn run_form<F: Form>(mut form: F) -> ! {
    let (name, command) = (form.name(), form.recorded());
    let (many, options) = form.parts();
    let hook = options.hook(name.clone());
    // To print the commands is no run.
    let leaving = options.leaving(name, command).filter(|_| !many.dry_run);
    run_list(hook.as_ref(), leaving, || form.run())
}

/// Runs a list and ends the process; or says what is wrong with it. Either way, the hook has the last word.
fn run_list(
    hook: Option<&Hook>,
    leaving: Option<Leaving>,
    prepare: impl FnOnce() -> Result<Prepared, Refusal>,
) -> ! {
    // First of all: neither threads nor locks on files come along.
    let detached = leaving.map(|leaving| leaving.leave());
    let caller = detached.as_ref().map(|detached| &detached.caller);
    let (end, scope, sentences) = list_end(|| {
        let (mut settings, list, past) = prepare()?;
        settings.display.caller = caller.map(Arc::clone);
        Ok((settings, list, past))
    });
    for sentence in &sentences {
        complain(sentence);
    }
    // Neither the caller nor those who wait for the run are to wait for the hook.
    let detached = detached.and_then(|detached| detached.end(&end, &sentences));
    if let Some(failure) = hook.and_then(|hook| hook.run(&end)) {
        complain(&failure);
    }
    if let Some(detached) = detached {
        detached.close();
    }
    run::end_all(end.ending, scope)
}

/// Runs a list to its end. Gives that, and what is to be said of it.
fn list_end(prepare: impl FnOnce() -> Result<Prepared, Refusal>) -> (End, Scope, Vec<String>) {
    let begun = Instant::now();
    let failed = |ending, sentence| {
        let end = End {
            state: FinalState::Failed,
            ending,
            elapsed: begun.elapsed(),
        };
        (end, Scope::Process, vec![sentence])
    };
    let (settings, list, past) = match prepare() {
        Ok(prepared) => prepared,
        Err(refusal) => return failed(refusal.ending, refusal.sentence),
    };
    match run::run(&settings, list, past) {
        Ok(outcome) => {
            let mut sentences = outcome.errors;
            if outcome.unread && !takes_words() {
                sentences.clear();
            }
            let end = End {
                state: outcome.state,
                ending: outcome.ending,
                elapsed: outcome.elapsed,
            };
            (end, outcome.scope, sentences)
        }
        Err(error) => {
            let mut causes = error.chain().filter_map(<dyn Error>::downcast_ref);
            let advice = causes.next_back().map_or("", child::advice);
            failed(
                Ending::Status(FAILED),
                format!("{}{advice}", reasons(&error)),
            )
        }
    }
}

/// Why nothing runs.
struct Refusal {
    sentence: String,
    ending: Ending,
}

impl From<String> for Refusal {
    fn from(sentence: String) -> Self {
        Self {
            sentence,
            ending: Ending::Status(FAILED),
        }
    }
}

/// What the command line asks for.
#[derive(Debug)]
enum Parsed {
    Run(Box<Arguments>),
    Each(Box<Each>),
    Tasks(Box<Tasks>),
    Report(Report),
    Agent(Agent),
    Ps(Ps),
    Attach(Attach),
    Cancel(Cancel),
    Cleanup(Cleanup),
    Wait(Wait),
    Timeline(Timeline),
    History(History),
    Demo(Demo),
    Help(Help),
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
        options: Options::usual(),
        ..Arguments::default()
    })
}

fn parse(words: &[OsString]) -> Result<Parsed, clap::Error> {
    // Not for people: neither pages nor completions have it.
    let all = command().subcommand(with_help(Agent::command()));
    let first = words.get(1);
    let is_run = first.is_none_or(|word| all.find_subcommand(word).is_none());
    let of_run = if is_run {
        variables::without_empty
    } else {
        // clap would refuse a subcommand because of a variable that stands for an option of a run.
        variables::without
    };
    let mut options = words.iter().take_while(|word| *word != "--");
    // In a summary, each option is to have one line.
    let is_brief = options.any(|word| word == "-h");
    let shown = |argument: Arg| argument.hide_env(is_brief);
    let matches = all
        .mut_args(|argument| shown(of_run(argument)))
        .mut_subcommands(|form| form.mut_args(|argument| shown(variables::without_empty(argument))))
        .try_get_matches_from(words)
        .map_err(|error| variables::blame(error, words))?;
    match matches.subcommand() {
        Some(("each", each)) => {
            return Each::read(each).map(|each| Parsed::Each(Box::new(each)));
        }
        Some(("tasks", tasks)) => {
            return Tasks::read(tasks).map(|tasks| Parsed::Tasks(Box::new(tasks)));
        }
        Some(("agent", agent)) => return Agent::from_arg_matches(agent).map(Parsed::Agent),
        Some(("ps", ps)) => return Ps::from_arg_matches(ps).map(Parsed::Ps),
        Some(("attach", attach)) => {
            return Attach::from_arg_matches(attach).map(Parsed::Attach);
        }
        Some(("cancel", cancel)) => {
            return Cancel::from_arg_matches(cancel).map(Parsed::Cancel);
        }
        Some(("cleanup", cleanup)) => {
            return Cleanup::from_arg_matches(cleanup).map(Parsed::Cleanup);
        }
        Some(("wait", wait)) => return Wait::from_arg_matches(wait).map(Parsed::Wait),
        Some(("history", history)) => {
            return History::from_arg_matches(history).map(Parsed::History);
        }
        Some(("timeline", timeline)) => {
            return Timeline::from_arg_matches(timeline).map(Parsed::Timeline);
        }
        Some(("demo", demo)) => return Demo::from_arg_matches(demo).map(Parsed::Demo),
        Some(("help", help)) => return Help::from_arg_matches(help).map(Parsed::Help),
        Some((_, report)) => return Report::from_arg_matches(report).map(Parsed::Report),
        None => {}
    }
    let mut arguments = Arguments::from_arg_matches(&matches)?;
    arguments.options.complete(&matches)?;
    let wrong = |sentence| command().error(ErrorKind::ArgumentConflict, sentence);
    arguments.options.on.check(true).map_err(wrong)?;
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

/// Ends `progrun timeline`.
fn page_written(written: Result<Option<String>, timeline::Error>) -> ! {
    match written {
        Ok(warning) => {
            if let Some(warning) = warning {
                complain(&format!("timeline: {warning}"));
            }
            run::end(Ending::Status(0))
        }
        Err(timeline::Error::Stdout(error)) => end_written(Err(error)),
        Err(timeline::Error::Sentence(sentence)) => {
            complain(&format!("timeline: {sentence}"));
            run::end(Ending::Status(FAILED))
        }
    }
}

/// Ends `progrun help`.
fn helped(done: Result<(), help::Error>) -> ! {
    match done {
        Ok(()) => end_written(Ok(())),
        Err(help::Error::Stdout(error)) => end_written(Err(error)),
        Err(help::Error::Sentence(sentence)) => {
            complain(&format!("help: {sentence}"));
            run::end(Ending::Status(FAILED))
        }
    }
}

/// Ends the process after writing to stdout. If the reader went away, progrun dies by SIGPIPE without a message, as
/// other tools do.
fn end_written(written: io::Result<()>) -> ! {
    run::end(match written.and_then(|()| io::stdout().flush()) {
        Ok(()) => Ending::Status(0),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ending::Signal(libc::SIGPIPE),
        Err(error) => {
            complain(&format!("cannot write to stdout: {}", reason(&error)));
            Ending::Status(FAILED)
        }
    })
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
    let name = arguments.name();
    let options = arguments.options;
    let memory = options.memory(journal::Form::Run, &arguments.command);
    let list = List::one(Specification::of_command(name.clone(), arguments.command));
    let output = match arguments.output {
        OutputArgument::Stream => Show::Stream,
        OutputArgument::OnFailure => Show::OnFailure,
        OutputArgument::None => Show::None,
    };
    let mut settings = options.settings(name, output, tty, None);
    settings.slots = 1;
    settings.display.memory = memory;
    (settings, list)
}

impl Arguments {
    /// The name of the run.
    fn name(&self) -> String {
        let given = self.options.name.clone();
        given.unwrap_or_else(|| name_of(&self.command))
    }
}

/// For which output the command gets a pseudo-terminal. With --tty auto, an interactive bash gets none, and a program
/// that draws only in the foreground gets the terminal itself.
fn tty(arguments: &Arguments) -> Tty {
    let options = &arguments.options;
    let is_usual = options.progress == ProgressArgument::Auto && options.json.is_none();
    match options.tty {
        TtyArgument::Auto if options.on.is_elsewhere() => Tty::Auto,
        TtyArgument::Auto if is_interactive_bash(&arguments.command) => Tty::Never,
        TtyArgument::Auto
            if is_usual
                && draws_only_in_foreground(&arguments.command)
                && child::is_ours_alone() =>
        {
            Tty::Own
        }
        tty => tty.into(),
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
            other => panic!("{other:?}"),
        }
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
    fn json_takes_its_file_with_an_equals_sign_only() {
        assert_eq!(arguments(&["--", "ls"]).unwrap().options.json, None);
        let stdout = arguments(&["--json", "--", "ls"]).unwrap();
        assert_eq!(stdout.options.json, Some("-".into()));
        let file = arguments(&["--json=events", "--", "ls"]).unwrap();
        assert_eq!(file.options.json, Some("events".into()));
        assert!(arguments(&["--json", "events", "--", "ls"]).is_err());
    }

    #[test]
    fn the_usual_options_have_a_letter_that_means_the_same_everywhere() {
        let words = [
            "-t5", "-o", "none", "-n", "a", "-l", "log", "-q", "--", "ls",
        ];
        let read = arguments(&words).unwrap();
        assert_eq!(read.options.timeout.unwrap().0.unwrap().as_secs(), 5);
        assert!(matches!(read.output, OutputArgument::None));
        assert_eq!(read.options.name.as_deref(), Some("a"));
        assert_eq!(read.options.log.as_deref(), Some(Path::new("log")));
        // Of the forms of a run.
        let command = command();
        let forms = ["each", "tasks"].map(|form| command.find_subcommand(form).unwrap());
        let letters = |form: &clap::Command| -> Vec<_> {
            let options = form.get_opts();
            options
                .filter_map(|option| Some((option.get_short()?, option.get_long()?.to_owned())))
                .collect()
        };
        let own = letters(&command);
        assert_eq!(own.len(), 7, "{own:?}");
        for (letter, name) in forms.into_iter().flat_map(letters) {
            let meant = own.iter().find(|(own, _)| *own == letter);
            assert!(
                meant.is_none_or(|(_, meant)| *meant == name),
                "-{letter} {name}"
            );
        }
    }

    #[test]
    fn a_run_is_called_what_the_program_is_called() {
        let name = |program: &str| name_of(&[program.into()]);
        assert_eq!(name("/usr/bin/make"), "make");
        assert_eq!(name("./backup.sh"), "backup.sh");
        assert_eq!(name(".."), "..");
    }
}
