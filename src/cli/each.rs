//! `progrun each` and `progrun tasks`: their options, and what these make of a run. How a list is read, and when which
//! task runs, is not known here.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::Write;
use std::num::NonZeroUsize;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use clap::builder::Resettable;
use clap::error::ErrorKind;
use clap::{ArgMatches, Args, FromArgMatches, Parser, ValueEnum, ValueHint};

use crate::child;
use crate::joblog::{self, Past, Resume};
use crate::journal::{self, Memory};
use crate::list::{self, Columns, Group, List, News, Next, TaskStdin, Values};
use crate::reason::reason;
use crate::run::{self, Limits, Many, OrderRules, RetryOn, Settings};
use crate::sink::{self, Ends, Show};
use crate::system::closed;

use super::options::Options;
use super::time::{Time, parse_time};
use super::values::{
    Count, HaltParser, Halting, Jobs, parse_count, parse_delays, parse_delimiter, parse_jobs,
    parse_load, parse_retry_on, parse_size, processors,
};
use super::{Refusal, end_written, name_of};

const EACH_HELP: &str = "\
Examples:
  progrun each -- gzip -9 {} ::: *.log
  find . -name '*.wav' -print0 | progrun each -0 -j4 -- flac -s {}
  progrun each --shell -- 'zcat {} | sort -u >out/{/.}' ::: *.gz
  progrun each --csv --header -a hosts.csv -- ssh {host} uptime
  progrun each --job-log flac.job --resume -- flac -s {} ::: *.wav

Values come from the words after :::, else from -a FILE, else from stdin, one a line. Several
::: give all combinations. There is no shell: a value is one argument, whatever it contains.

In COMMAND, these stand for the value or for a part of it:
  {}   the value                       {/}   its last component, as b.txt of a/b.txt
  {.}  the value without its extension {//}  its directory
  {/.} the last component without its extension
  {1}, {2/.}, {name//}                 the same for a column, or for one value of several
  {#}  the number of the task          {%}   its slot, from 1 to -j
Without any of them, the value is the last argument.

After Ctrl-C, no task starts any more. Tasks that report stop at their next report, and the
others may come to their end. Ctrl-C again: SIGTERM.

Exit status:
  0    all tasks completed, or there were none
  1    some failed, timed out or were skipped
  130  Ctrl-C: progrun ends by SIGINT, so that a calling script stops too
  124  --deadline has passed (137 if a task had to be killed)
  125  progrun itself failed, was called incorrectly, or could not read or write everything
  126  COMMAND cannot be run, so nothing ran
  127  COMMAND was not found, so nothing ran

See progrun-each(1) for recipes.";

const TASKS_HELP: &str = "\
Examples:
  progrun tasks -j4 commands.txt
  progrun tasks --job-log ci.job --resume ci.jsonl
  ./make-list | progrun tasks --json-lines

Each line of FILE is a command for sh; a line that begins with # is a comment. If the name of FILE
ends in .jsonl or .json, or with --json-lines, each line is a JSON object:
  {\"command\": [\"make\", \"-C\", \"lib\"], \"name\": \"lib\"}
  {\"command\": \"make test | tee log\", \"name\": \"test\", \"after\": [\"lib\"], \"retries\": 2}

The keys are command, name, cwd, stdin, env, after, after_any, timeout, retries, retry_delay,
slots, priority, and any that begins with x-.

The exit status and Ctrl-C are as with progrun each. See progrun-each(1).";

/// Run a command once for each value of a list
#[derive(Debug, Parser)]
#[command(
    name = "each",
    after_help = "See --help for all options and examples, and progrun-each(1) for recipes.",
    after_long_help = EACH_HELP,
    override_usage = "progrun each [OPTIONS] -- COMMAND [ARG]... [::: VALUE...]...",
    max_term_width = 110
)]
#[group(skip)]
pub(super) struct Each {
    /// The command, with {} for the value, and after ::: the values
    #[arg(value_name = "COMMAND", required = true, last = true, value_hint = ValueHint::CommandWithArguments)]
    pub(super) words: Vec<OsString>,

    /// Read the values from FILE, one a line (- = stdin)
    #[arg(short, long, value_name = "FILE", help_heading = "Values", value_hint = ValueHint::FilePath)]
    pub(super) arg_file: Option<PathBuf>,

    /// Values end with a NUL byte, as from find -print0
    #[arg(short = '0', long, help_heading = "Values")]
    pub(super) null: bool,

    /// Values end with the byte C
    ///
    /// \t stands for a tab, \n for a newline, and \0 for NUL.
    #[arg(short, long, value_name = "C", value_parser = parse_delimiter, allow_hyphen_values = true, conflicts_with = "null", help_heading = "Values", value_hint = ValueHint::Other)]
    pub(super) delimiter: Option<u8>,

    /// The values are records of CSV, with the fields {1}, {2}...
    ///
    /// A field in double quotes may contain commas, newlines, and doubled quotes (RFC 4180).
    #[arg(long, conflicts_with_all = ["null", "delimiter"], help_heading = "Values")]
    pub(super) csv: bool,

    /// Values are split at STRING, into the columns {1}, {2}...
    ///
    /// STRING is no pattern: it is taken literally. With --csv, it is the byte that stands for the comma.
    #[arg(long, value_name = "STRING", allow_hyphen_values = true, help_heading = "Values", value_hint = ValueHint::Other)]
    pub(super) colsep: Option<OsString>,

    /// The first record names the columns, so that {name} stands for one
    ///
    /// Of the words after :::, the first of each group is a name.
    #[arg(long, help_heading = "Values")]
    pub(super) header: bool,

    /// How many values each task gets: a number, or as many as fit (max)
    ///
    /// They are {1}, {2}... and, together, {}. With a number, the last task may get fewer; {1}, {2}... without a value
    /// are then empty. With max, each task gets as many values as fit on its command line, and the last ones are spread
    /// evenly over the slots.
    #[arg(short = 'N', long = "values", value_name = "COUNT", value_parser = parse_count, help_heading = "Values", value_hint = ValueHint::Other)]
    pub(super) count: Option<Count>,

    /// STRING stands for the value, in place of {}; nothing else is replaced
    #[arg(short = 'I', long, value_name = "STRING", allow_hyphen_values = true, help_heading = "Values", value_hint = ValueHint::Other)]
    pub(super) replace: Option<OsString>,

    /// COMMAND is one line for SHELL (sh), and values are inserted quoted
    ///
    /// A placeholder inside quotes is refused: progrun itself sets the quotes.
    #[arg(long, value_name = "SHELL", num_args = 0..=1, require_equals = true, default_missing_value = "sh", help_heading = "Values", value_hint = ValueHint::CommandName)]
    pub(super) shell: Option<OsString>,

    /// File that a task reads as its stdin, with {} for the value
    ///
    /// Without this option, the stdin of a task is /dev/null. With -j1, and with values from ::: or -a, TEMPLATE can be
    /// inherit: the tasks then read progrun's own stdin.
    #[arg(long, value_name = "TEMPLATE", help_heading = "Values", value_hint = ValueHint::FilePath)]
    pub(super) stdin: Option<OsString>,

    /// How many values there are, if they come from a pipe
    #[arg(long, value_name = "N", help_heading = "Values", value_hint = ValueHint::Other)]
    pub(super) total: Option<u64>,

    #[command(flatten)]
    pub(super) many: ManyOptions,

    #[command(flatten)]
    pub(super) options: Options,
}

/// Run a list of commands, one a line
#[derive(Debug, Parser)]
#[command(
    name = "tasks",
    after_help = "See --help for all options and the format of the lines, and progrun-each(1).",
    after_long_help = TASKS_HELP,
    override_usage = "progrun tasks [OPTIONS] [FILE]",
    max_term_width = 110
)]
#[group(skip)]
pub(super) struct Tasks {
    /// The list; without FILE, or with -, stdin
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(super) file: Option<PathBuf>,

    /// The lines are JSON objects, whatever the name of FILE
    #[arg(long, help_heading = "Values")]
    pub(super) json_lines: bool,

    /// How many tasks there are, if they come from a pipe
    #[arg(long, value_name = "N", help_heading = "Values", value_hint = ValueHint::Other)]
    pub(super) total: Option<u64>,

    #[command(flatten)]
    pub(super) many: ManyOptions,

    #[command(flatten)]
    pub(super) options: Options,
}

/// The options of both.
#[derive(Clone, Debug, Args)]
#[group(skip)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an option of its own"
)]
pub(super) struct ManyOptions {
    /// Print the commands, quoted for a shell, and run none
    #[arg(long, help_heading = "Running")]
    pub(super) dry_run: bool,

    /// How many tasks run at once: N, N%, +N, -N or max [default: processors]
    ///
    /// N% is that share of the usable processors, and +N and -N are that many more or fewer than there are. max is as
    /// many as the limits on open files and processes allow. During the run, SIGUSR1 adds a slot, and SIGUSR2 removes
    /// one.
    #[arg(short, long, value_name = "N", value_parser = parse_jobs, allow_hyphen_values = true, env = "PROGRUN_JOBS", help_heading = "Running", value_hint = ValueHint::Other)]
    pub(super) jobs: Option<Jobs>,

    /// Least time between two starts
    #[arg(long, value_name = "TIME", value_parser = parse_time, allow_negative_numbers = true, help_heading = "Running", value_hint = ValueHint::Other)]
    pub(super) delay: Option<Time>,

    /// Start no task while the load is N or more (N% = of the processors)
    ///
    /// One task runs in any case, and no running task is ever stopped for this. progrun looks once a second; near the
    /// limit, it starts one task a second.
    #[arg(long, value_name = "N", value_parser = parse_load, help_heading = "Running", value_hint = ValueHint::Other)]
    pub(super) max_load: Option<f64>,

    /// Start no task while less memory than SIZE is available, such as 2G
    ///
    /// As with --max-load, one task runs in any case.
    #[arg(long, value_name = "SIZE", value_parser = parse_size, help_heading = "Running", value_hint = ValueHint::Other)]
    pub(super) min_memory: Option<u64>,

    /// How many further attempts a failed task has
    ///
    /// A task that cannot be started, or that was cancelled, is not tried again.
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "Failing", value_hint = ValueHint::Other)]
    pub(super) retries: u32,

    /// Delay before a further attempt; A..B, such as 1s..60s, doubles it from A to B
    ///
    /// By default there is none. A delay that doubles differs by up to a tenth, at random, so that tasks that failed
    /// together are not tried again together.
    #[arg(long, value_name = "TIME", value_parser = parse_delays, allow_negative_numbers = true, help_heading = "Failing", value_hint = ValueHint::Other)]
    pub(super) retry_delay: Option<(Duration, Duration)>,

    /// Which failures allow a further attempt, such as 75,timeout,signal
    ///
    /// LIST has exit statuses, timeout for --timeout, and signal for a death by a signal. By default, any failure does.
    #[arg(long, value_name = "LIST", value_parser = parse_retry_on, help_heading = "Failing", value_hint = ValueHint::Other)]
    pub(super) retry_on: Option<RetryOn>,

    /// When to start no more tasks: never, soon or now[,fail=N|success=N|done=N]
    ///
    /// That is after N failures, N completed tasks, or N tasks of either kind; by default after the first failure
    /// (fail=1). With soon, running tasks come to their end. With now, they are stopped as by a SIGTERM to progrun.
    #[arg(long, value_name = "WHEN", value_parser = HaltParser, hide_possible_values = true, default_value = "never", help_heading = "Failing")]
    pub(super) halt: Halting,

    /// Stop the run after this time, such as 4h (0 = no limit)
    ///
    /// The tasks are stopped as by a SIGTERM to progrun. The exit status is then 124.
    #[arg(long, value_name = "TIME", value_parser = parse_time, allow_negative_numbers = true, help_heading = "Stopping", value_hint = ValueHint::Other)]
    pub(super) deadline: Option<Time>,

    /// How to show the output of the tasks [default: group; with -j1: stream]
    #[arg(
        short,
        long,
        value_name = "HOW",
        env = "PROGRUN_OUTPUT",
        help_heading = "Output"
    )]
    pub(super) output: Option<OutputArgument>,

    /// Show the output in the order of the list
    #[arg(short, long, help_heading = "Output")]
    pub(super) keep_order: bool,

    /// Begin each line with the name of its task and a tab
    #[arg(long, help_heading = "Output")]
    pub(super) tag: bool,

    /// Keep the output of each task in a file of its own in DIR
    ///
    /// The files are NUMBER-NAME.out and NUMBER-NAME.err, and exist only if there is output. Output that a task has
    /// written to a terminal is kept as text, as in the file of --log, and all other output byte for byte. DIR must be
    /// new or empty, or the one of the run that --resume continues.
    #[arg(long, value_name = "DIR", help_heading = "Output", value_hint = ValueHint::DirPath)]
    pub(super) log_dir: Option<PathBuf>,

    /// Which ends of tasks to print [default: all of a short list, else failures]
    ///
    /// A short list is one of at most 30 tasks, if that is known.
    #[arg(long, value_name = "WHICH", help_heading = "Progress")]
    pub(super) ends: Option<EndsArgument>,

    /// Keep a job log in FILE: one JSON line for each start and each end
    ///
    /// With --resume, a later run continues where this one ended, whatever ended it. Without --resume, a FILE that is
    /// not empty is refused.
    #[arg(long, value_name = "FILE", help_heading = "Resuming", value_hint = ValueHint::FilePath)]
    pub(super) job_log: Option<PathBuf>,

    /// Run only what, by the job log, has not completed [possible values: new, failed]
    ///
    /// With new, failed tasks do not run again either. With failed, only failed tasks run.
    #[arg(long, value_name = "WHICH", num_args = 0..=1, require_equals = true, default_missing_value = "all", hide_possible_values = true, requires = "job_log", help_heading = "Resuming")]
    pub(super) resume: Option<ResumeArgument>,

    /// Resume even if COMMAND differs from that in the job log
    #[arg(long, requires = "resume", help_heading = "Resuming")]
    pub(super) resume_anyway: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum OutputArgument {
    /// The output of each task in one piece, when the task ends
    Group,
    /// Whole lines of all tasks, as they come
    Lines,
    /// All output, as it comes
    Stream,
    /// As group, but only of attempts that did not succeed; if all do, nothing is printed off a terminal
    OnFailure,
    /// No output
    None,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum EndsArgument {
    /// Of all tasks
    All,
    /// Of tasks that failed
    Failed,
    /// Of no tasks
    None,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ResumeArgument {
    /// All tasks that have not completed
    All,
    /// Those that have neither completed nor failed
    New,
    /// Those that have failed
    Failed,
}

impl ManyOptions {
    fn jobs(&self) -> u32 {
        let processors = processors();
        self.jobs.map_or(processors, |jobs| jobs.count(processors))
    }

    fn show(&self, jobs: u32, detached: bool) -> Show {
        match self.output {
            // An order of whole outputs.
            Some(OutputArgument::Lines | OutputArgument::Stream) if self.keep_order => Show::Group,
            Some(OutputArgument::OnFailure | OutputArgument::None) if detached => Show::Group,
            Some(OutputArgument::Lines) => Show::Lines,
            Some(OutputArgument::Stream) => Show::Stream,
            Some(OutputArgument::OnFailure) => Show::OnFailure,
            Some(OutputArgument::None) => Show::None,
            None if jobs == 1 => Show::Stream,
            Some(OutputArgument::Group) | None => Show::Group,
        }
    }

    /// The settings of a run called `name`, whose commands are made of `command`.
    fn settings(
        &self,
        options: Options,
        name: String,
        command: Vec<OsString>,
        job_log: Option<(PathBuf, Arc<File>)>,
    ) -> Settings {
        let jobs = self.jobs();
        let tty = options.tty.into();
        let again = self.job_log.as_ref().map(|path| {
            let form = if command.is_empty() { "tasks" } else { "each" };
            let path = list::command_line(&[path.clone().into()]);
            let path = String::from_utf8_lossy(&path);
            format!("progrun {form} --job-log {path} --resume ...")
        });
        let show = self.show(jobs, options.detach);
        let is_here = !options.on.is_elsewhere();
        let mut starts = Duration::ZERO;
        let mut settings = options.settings(name, show, tty, self.jobs.map(|_| jobs));
        if is_here {
            settings.slots = jobs;
        }
        if let Some(reach) = &settings.elsewhere {
            let engines = reach.targets.iter().map(|(target, _)| target.engine);
            starts = engines
                .map(|engine| engine.starts.apart)
                .max()
                .unwrap_or_default();
        }
        settings.many = Some(Many {
            rules: OrderRules {
                delay: self
                    .delay
                    .and_then(|time| time.0)
                    .unwrap_or_default()
                    .max(starts),
                retries: self.retries,
                retry_delay: self.retry_delay.unwrap_or_default(),
                retry_on: self.retry_on.clone(),
                halt: self.halt.0,
            },
            limits: Limits {
                load: self.max_load,
                memory: self.min_memory,
            },
            deadline: self.deadline.and_then(|time| time.0),
            // The jobs of make are on this machine.
            jobserver: self.jobs.is_none() && is_here,
            command,
            warnings: Vec::new(),
            news: News::default(),
        });
        settings.display.many = Some(sink::Many {
            in_order: self.keep_order,
            tagged: self.tag,
            ends: self.ends.map(|ends| match ends {
                EndsArgument::All => Ends::All,
                EndsArgument::Failed => Ends::Failed,
                EndsArgument::None => Ends::None,
            }),
            folder: self.log_dir.clone(),
            job_log,
            again,
        });
        settings
    }
}

/// A run that is ready to begin: with what earlier runs have done of its list, if that is asked.
pub(super) type Prepared = (Settings, List, Option<Past>);

/// Makes the folder of --log-dir, or checks that it may be used.
fn prepare_folder(folder: &Path, resumes: bool) -> Result<(), String> {
    let shown = folder.display();
    match fs::create_dir(folder) {
        Ok(()) => return Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(format!("cannot make {shown}: {}", reason(&error))),
    }
    let mut entries =
        fs::read_dir(folder).map_err(|error| format!("{shown}: {}", reason(&error)))?;
    if !resumes && entries.next().is_some() {
        return Err(format!(
            "{shown} is not empty: give --log-dir a new folder, or continue an earlier run with --job-log and --resume"
        ));
    }
    Ok(())
}

/// A form of a run of many, as clap is to know it.
pub(super) trait Form: FromArgMatches + clap::CommandFactory {
    fn parts(&mut self) -> (&ManyOptions, &mut Options);

    /// The name of the run.
    fn name(&self) -> String;

    /// What it runs, as it is recorded.
    fn recorded(&self) -> Vec<OsString>;

    /// Opens the list and makes the settings of its run. With --dry-run, prints the commands and ends the process.
    fn run(self) -> Result<Prepared, Refusal>;

    /// Reads it from the matches.
    fn read(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut form = Self::from_arg_matches(matches)?;
        let (_, options) = form.parts();
        options.complete(matches)?;
        let wrong = |sentence| Self::command().error(ErrorKind::ArgumentConflict, sentence);
        options.on.check(false).map_err(wrong)?;
        if options.preserve_status {
            return Err(Self::command().error(
                ErrorKind::ArgumentConflict,
                "--preserve-status is for one command: many tasks have no single status",
            ));
        }
        Ok(form)
    }
}

/// Shared options whose texts are about one command, and the texts for many. Where there is no second text, the first is
/// the whole help.
const TEXTS: [(&str, &str, &str); 8] = [
    (
        "timeout",
        "Stop an attempt of a task after this time, such as 90s (0 = no limit)",
        "",
    ),
    (
        "grace",
        "Time for running tasks to end or stop voluntarily (0 = no limit)",
        "After Ctrl-C, tasks that report stop at their next report, and the others may come to their end. Those that \
         still run after this time get SIGINT. After a timeout, --deadline, --halt now, SIGTERM or SIGHUP, only tasks \
         that report have this time.",
    ),
    (
        "kill_after",
        "Delay between one signal and the next, stronger one (0 = never send it)",
        "By default, this applies only if no user can press Ctrl-C again: after a timeout, --deadline, --halt now, \
         SIGTERM, SIGHUP, or a cancellation by an outer progrun. If --kill-after is given, it applies after Ctrl-C \
         too. If progrun itself is killed, it is also how long the tasks and their process groups survive (Linux).\n\n\
         Once a run that was asked to stop has ended, the readers of its output have the same time, but at least a \
         second, to read the rest. What they have not read by then is discarded, with a message.",
    ),
    (
        "signal",
        "Signal sent on timeout to a task that does not report progress",
        "A task that does report gets this signal when --grace has passed. SIGNAL is a name with or without SIG, such \
         as TERM or RTMIN+1, or a number from 1 to 64.",
    ),
    (
        "log",
        "Also write the output of all tasks to FILE, as text, in the order shown",
        "Each line is kept as a terminal shows it at its end: once, however often it was redrawn, without colors, \
         links and other escape sequences. A line without control characters is kept byte for byte. The alternate \
         screen, which editors and pagers use, is left out.\n\n\
         FILE is truncated first, unless it is /dev/stdout, /dev/stderr or /dev/fd/N, which are written to as if by \
         the tasks. - stands for /dev/stdout, and ./- for a file of that name.",
    ),
    (
        "log_raw",
        "Also write the output of all tasks to FILE, byte for byte",
        "The order is that in which the output is shown. FILE is as for --log, and another one.",
    ),
    (
        "timestamps",
        "Begin each line in the files of --log and --log-dir with the time",
        "It is the time at which the line was complete, in UTC, such as 2026-11-28T07:05:09.250Z. The lines of --log \
         are then in the order of these times, whatever --output says. All files of --log-dir are then text.",
    ),
    ("name", "Name shown for the run", ""),
];

/// The form as a subcommand.
pub(super) fn as_subcommand<F: Form>() -> clap::Command {
    let with_texts = |command: clap::Command,
                      (id, text, more): (&'static str, &'static str, &str)| {
        command.mut_arg(id, |argument| match more {
            "" => argument.help(text),
            more => argument.help(text).long_help(format!("{text}\n\n{more}")),
        })
    };
    let command = F::command().disable_help_flag(true);
    let is_each = command.get_name() == "each";
    TEXTS
        .into_iter()
        .fold(command, with_texts)
        .mut_arg("preserve_status", |argument| argument.hide(true))
        // To users of xargs and GNU parallel, -n 2 means two values for each task: a run called 2 would surprise them.
        .mut_arg("name", |argument| {
            if is_each {
                argument.short(Resettable::Reset)
            } else {
                argument
            }
        })
        .arg(super::help_flag().help_heading("Other"))
}

impl Form for Each {
    fn parts(&mut self) -> (&ManyOptions, &mut Options) {
        (&self.many, &mut self.options)
    }

    fn name(&self) -> String {
        let first = self.words.first().map(OsString::as_os_str);
        let first = first.unwrap_or_default();
        let given = self.options.name.clone();
        given.unwrap_or_else(|| match &self.shell {
            Some(_) => first_word(first),
            None => name_of(&[first.to_owned()]),
        })
    }

    fn recorded(&self) -> Vec<OsString> {
        self.words.clone()
    }

    fn run(self) -> Result<Prepared, Refusal> {
        let jobs = self.many.jobs();
        let (command, groups) = split(&self.words);
        if command.is_empty() {
            return Err("there is no command before `:::`".to_owned().into());
        }
        let name = self.name();
        let values = match (groups, self.arg_file) {
            (Some(_), Some(file)) => {
                return Err(format!(
                    "values come from `:::` or from -a {}, not from both",
                    file.display()
                )
                .into());
            }
            (Some(groups), None) => Values::Words(groups),
            (None, Some(file)) => Values::File(file),
            (None, None) if closed::was_closed(0) => {
                return Err("there are no values: stdin is closed (put them after `:::`, or name a file with -a)"
                    .to_owned()
                    .into());
            }
            (None, None) => Values::Stdin,
        };
        let stdin = task_stdin(self.stdin, &values, jobs)?;
        let columns = match (self.csv, self.colsep.as_deref().map(OsStr::as_bytes)) {
            (true, None) => Columns::Csv(b','),
            (true, Some([comma])) => Columns::Csv(*comma),
            (true, Some(_)) => {
                return Err("with --csv, --colsep takes one byte, such as ;"
                    .to_owned()
                    .into());
            }
            (false, Some(separator)) => Columns::SeparatedBy(separator.to_vec()),
            (false, None) => Columns::One,
        };
        let group = match self.count {
            None => Group::One,
            Some(Count::Exactly(count)) => {
                NonZeroUsize::new(count).map_or(Group::One, Group::Count)
            }
            Some(Count::Max) => Group::Max,
        };
        let news = News::default();
        let list = List::each(
            crate::list::Each {
                command: command.clone(),
                marker: self.replace,
                shell: self.shell,
                stdin,
                values,
                separator: if self.null { Some(0) } else { self.delimiter },
                columns,
                has_header: self.header,
                group,
                jobs: usize::try_from(jobs).unwrap_or(usize::MAX),
                total: self.total,
            },
            news.clone(),
        )?;
        if self.many.dry_run {
            print_commands(list, &news);
        }
        let is_here = !self.options.on.is_elsewhere();
        let program = list.fixed_program().filter(|_| is_here);
        if let Some(error) = program.and_then(child::missing) {
            return Err(Refusal {
                sentence: error.to_string(),
                ending: run::of_launch(&error),
            });
        }
        let memory = self.options.memory(journal::Form::Each, &command);
        self.many
            .prepare(self.options, (name, memory), command, list, news)
    }
}

impl Form for Tasks {
    fn parts(&mut self) -> (&ManyOptions, &mut Options) {
        (&self.many, &mut self.options)
    }

    fn name(&self) -> String {
        let file = self.file.as_deref().filter(|file| *file != "-");
        let stem = file.and_then(Path::file_stem);
        let stem = stem.map_or("tasks".into(), OsStr::to_string_lossy);
        let given = self.options.name.clone();
        given.unwrap_or_else(|| stem.into_owned())
    }

    fn recorded(&self) -> Vec<OsString> {
        self.file.iter().map(OsString::from).collect()
    }

    fn run(self) -> Result<Prepared, Refusal> {
        let name = self.name();
        let file = self.file.as_deref().unwrap_or(Path::new("-")).into();
        let memory = self.options.memory(journal::Form::Tasks, &[file]);
        let news = News::default();
        let list = List::tasks(
            crate::list::Tasks {
                file: self.file,
                is_json: self.json_lines,
                jobs: self.many.jobs(),
                total: self.total,
                read_time: |text| parse_time(text).map(|time| time.0),
            },
            news.clone(),
        )?;
        if self.many.dry_run {
            print_commands(list, &news);
        }
        self.many
            .prepare(self.options, (name, memory), Vec::new(), list, news)
    }
}

impl Each {
    /// The command without its values.
    pub(super) fn template(&self) -> Vec<OsString> {
        split(&self.words).0
    }
}

/// The command, and after each `:::` a group of values; none where there is no `:::`.
fn split(words: &[OsString]) -> (Vec<OsString>, Option<Vec<Vec<OsString>>>) {
    let mut groups = words.split(|word| word == ":::").map(<[_]>::to_vec);
    let command = groups.next().unwrap_or_default();
    let groups: Vec<_> = groups.collect();
    (command, Some(groups).filter(|groups| !groups.is_empty()))
}

/// The first word of a shell line, without its folder.
fn first_word(line: &OsStr) -> String {
    let line = line.to_string_lossy();
    let word = line.split_whitespace().next().unwrap_or("sh");
    name_of(&[word.into()])
}

fn task_stdin(wish: Option<OsString>, values: &Values, jobs: u32) -> Result<TaskStdin, String> {
    match wish {
        None => Ok(TaskStdin::Null),
        Some(word) if word == "inherit" => {
            let reads_it = match values {
                Values::Stdin => true,
                Values::File(path) => path.as_os_str() == "-",
                Values::Words(_) => false,
            };
            if reads_it || jobs != 1 {
                return Err(
                    "--stdin inherit needs -j1, and values from `:::` or -a FILE".to_owned(),
                );
            }
            Ok(TaskStdin::Inherit)
        }
        Some(template) => Ok(TaskStdin::Template(template)),
    }
}

/// Prints the commands of the list, quoted for a shell, one a line, and ends the process.
fn print_commands(mut list: List, news: &News) -> ! {
    let (sender, more) = mpsc::channel();
    news.to(move || {
        let _ = sender.send(());
    });
    let mut stdout = std::io::BufWriter::new(sink::Patient(std::io::stdout()));
    let mut number = 0;
    let mut broken = None;
    let written = loop {
        match list.next() {
            Next::Task(task) => {
                number += 1;
                let line = match &task.fault {
                    Some(fault) => [b"# ", fault.as_bytes()].concat(),
                    None => task.command_line(number, 1),
                };
                if let Err(error) = stdout.write_all(&[&line[..], b"\n"].concat()) {
                    break Err(error);
                }
            }
            Next::NotYet => {
                // What there is so far is of use to a reader that waits for it.
                if let Err(error) = stdout.flush() {
                    break Err(error);
                }
                let _ = more.recv();
            }
            Next::End => break stdout.flush(),
            Next::Broken(sentence) => broken = Some(sentence),
        }
    };
    if let (Ok(()), Some(sentence)) = (&written, broken) {
        super::complain(&sentence);
        run::end(crate::event::Ending::Status(run::FAILED));
    }
    end_written(written)
}

impl ManyOptions {
    /// Prepares what the run writes to, and makes its settings.
    fn prepare(
        self,
        options: Options,
        (name, memory): (String, Option<Memory>),
        command: Vec<OsString>,
        list: List,
        news: News,
    ) -> Result<Prepared, Refusal> {
        if self
            .job_log
            .as_ref()
            .is_some_and(|path| path.as_os_str() == "-")
        {
            return Err(
                "the job log has to be a file (for one that is called -: ./-)"
                    .to_owned()
                    .into(),
            );
        }
        let opened = self.job_log.as_ref().map(|path| {
            joblog::open(joblog::Wanted {
                path,
                resume: self.resume.map(|resume| match resume {
                    ResumeArgument::All => Resume::All,
                    ResumeArgument::New => Resume::New,
                    ResumeArgument::Failed => Resume::Failed,
                }),
                anyway: self.resume_anyway,
                template: &command,
            })
        });
        let opened = opened.transpose()?;
        if let Some(folder) = &self.log_dir {
            prepare_folder(folder, self.resume.is_some())?;
        }
        let (job_log, past, warnings) = match (self.job_log.clone(), opened) {
            (Some(path), Some(opened)) => (
                Some((path, Arc::new(opened.file))),
                Some(opened.past),
                opened.warnings,
            ),
            _ => (None, None, Vec::new()),
        };
        let mut settings = self.settings(options, name, command, job_log);
        settings.display.memory = memory;
        if let Some(many) = &mut settings.many {
            many.news = news;
            many.warnings = warnings;
        }
        Ok((settings, list, past))
    }
}
