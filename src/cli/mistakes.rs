//! Mistakes on the command line: what is wrong, in few lines, and what was probably meant. clap finds most of them; its
//! own messages have the usage of all subcommands, which hides the one line that matters. Which mistakes there are in
//! values is known to the files that read these.

use std::error::Error as _;
use std::ffi::OsString;
use std::io::{self, Write};

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Command};

use crate::child;
use crate::event::Ending;
use crate::run::{self, FAILED};
use crate::sink::{Patient, escape};

use super::{answered, command, end_written, report};

/// What `progrun` alone prints.
const SUMMARY: &str = "\
progrun runs a command with a progress bar and a safe Ctrl-C. Put `progrun --` before it:

  progrun -- ./backup.sh                 your own script, or any program: git, rsync, cargo, ...
  progrun each -- gzip -9 {} ::: *.log   a command for each of many files, several at once
  progrun demo                           half a minute that shows it

See progrun -h for the options, and progrun help for the manual.";

/// How alike two words must be, from 0 to 1, to take one for a misspelling of the other.
const ALIKE: f64 = 0.8;

/// The subcommands that run no command, so that nothing is to be put after `--`.
const WITHOUT_COMMAND: [&str; 12] = [
    "tasks", "report", "history", "timeline", "ps", "attach", "cancel", "wait", "agent", "cleanup",
    "demo", "help",
];

/// What the options are for that make sense only together with another one.
const COMPANIONS: [(&str, &[&str]); 3] = [
    ("--on", &["--chdir", "--env", "--slurm", "--agent"]),
    ("--job-log", &["--resume"]),
    ("--resume", &["--resume-anyway"]),
];

/// Options of programs that do the same as `progrun each`, and what is typed here.
const HABITS: [(&str, &str); 3] = [
    (
        "-n",
        "-N COUNT is how many values each task gets, and --name names the run",
    ),
    ("-P", "-j N is how many tasks run at once"),
    ("-L", "-N COUNT is how many values each task gets"),
];

/// Ends the process. Help and version go to stdout with success; everything else is progrun's own failure.
pub(super) fn refuse(error: &clap::Error, words: &[OsString]) -> ! {
    if !error.use_stderr() {
        end_written(error.print());
    }
    if let Some(word) = unknown(error).and_then(|word| report::negative_amount(word, words)) {
        answered(Err(format!("{word}: an amount cannot be negative")));
    }
    let text = if words.len() < 2 {
        SUMMARY.to_owned()
    } else {
        format!("progrun: {}", message(error, words))
    };
    // The message quotes arguments and variables as they came.
    let lines: String = text.lines().map(|line| escape(line) + "\n").collect();
    let _ = Patient(io::stderr()).write_all(lines.as_bytes());
    run::end(Ending::Status(FAILED))
}

/// What is wrong, and what to do about it.
fn message(error: &clap::Error, words: &[OsString]) -> String {
    let form = form(words);
    let (sentence, says_all) = match misplaced(error) {
        Some(word) => (of_word(word, form, words), true),
        None => sentence(error, form, words),
    };
    if says_all {
        return sentence;
    }
    let form = form.map_or(String::new(), |form| format!(" {form}"));
    format!("{sentence}\nFor more information, try 'progrun{form} --help'.")
}

/// The subcommand that was asked for.
fn form(words: &[OsString]) -> Option<&str> {
    let word = words.get(1)?.to_str()?;
    command().find_subcommand(word).is_some().then_some(word)
}

/// What is wrong with a word that is neither an option nor behind `--`. What is said of it needs no more information.
fn of_word(word: &str, form: Option<&str>, words: &[OsString]) -> String {
    if let Some((option, kind)) = detached(word, words) {
        return format!("{option} takes its {kind} after an equals sign: {option}={word}");
    }
    let is_first = form.is_none() && words.get(1).is_some_and(|first| first == word);
    if let Some(meant) = subcommand_like(word).filter(|_| is_first) {
        return format!(
            "there is no subcommand '{word}'; did you mean '{meant}'? To run a command of that name: progrun -- {word} ..."
        );
    }
    let before = form.map_or("progrun".to_owned(), |form| format!("progrun {form}"));
    if form.is_some_and(|form| WITHOUT_COMMAND.contains(&form)) {
        return format!("'{word}' is one word too many; see {before} --help");
    }
    if word == ":::" {
        return format!("the command is missing: {before} -- COMMAND ::: VALUE ...");
    }
    if words.contains(&"--".into()) {
        return format!(
            "'{word}' is in the wrong place: before `--`, there are only options; see {before} --help"
        );
    }
    format!(
        "put `--` before the command, so that its options are not taken for progrun's: {before} -- {word} ..."
    )
}

/// The option that takes its value only after an equals sign, and what that is, if `word` is such a value behind it.
fn detached(word: &str, words: &[OsString]) -> Option<(&'static str, &'static str)> {
    let follows = |option: &str| words.windows(2).any(|pair| pair == [option, word]);
    match word {
        "new" | "failed" if follows("--resume") => Some(("--resume", "value")),
        _ if follows("--shell") => Some(("--shell", "shell")),
        _ if follows("--json") => Some(("--json", "file")),
        _ if follows("--notify") => Some(("--notify", "time")),
        _ => None,
    }
}

/// The subcommand that `word` is most like; none if it is like none, or if there is a program of this name.
fn subcommand_like(word: &str) -> Option<String> {
    child::missing(word.as_ref())?;
    let command = command();
    let names = command.get_subcommands().map(Command::get_name);
    nearest(word, names).map(str::to_owned)
}

/// The name that `word` is most like, if it is like any.
pub(super) fn nearest<'a>(word: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    names
        .map(|name| (strsim::jaro(word, name), name))
        .filter(|(alike, _)| *alike >= ALIKE)
        .max_by(|one, other| one.0.total_cmp(&other.0))
        .map(|(_, name)| name)
}

/// What is wrong, and whether that says all that there is to say.
fn sentence(error: &clap::Error, form: Option<&str>, words: &[OsString]) -> (String, bool) {
    let context = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        Some(ContextValue::Strings(texts)) => texts.first().map(String::as_str),
        _ => None,
    };
    let argument = context(ContextKind::InvalidArg).unwrap_or_default();
    let value = context(ContextKind::InvalidValue).unwrap_or_default();
    let option = bare(argument);
    match error.kind() {
        ErrorKind::UnknownArgument => of_option(argument, context(ContextKind::SuggestedArg), form),
        ErrorKind::MissingRequiredArgument => (missing(argument, form, words), false),
        ErrorKind::InvalidValue if value.is_empty() && option == "--json" => (
            "--json= needs a file: --json=FILE; for stdout, --json alone".to_owned(),
            true,
        ),
        ErrorKind::InvalidValue if value.is_empty() => {
            (format!("a value is missing after {argument}"), false)
        }
        ErrorKind::InvalidValue => {
            let possible = match error.get(ContextKind::ValidValue) {
                Some(ContextValue::Strings(possible)) => format!(": expected {}", listed(possible)),
                _ => String::new(),
            };
            let meant = context(ContextKind::SuggestedValue)
                .map_or(String::new(), |meant| format!("; did you mean '{meant}'?"));
            (
                format!("invalid value '{value}' for {option}{possible}{meant}"),
                false,
            )
        }
        ErrorKind::ValueValidation => {
            let reason = error
                .source()
                .map_or(String::new(), |reason| format!(": {reason}"));
            // A reason of several lines says where there is more.
            let says_all = reason.contains('\n');
            (
                format!("invalid value '{value}' for {option}{reason}"),
                says_all,
            )
        }
        _ => {
            // clap's own text, or ours: one paragraph, and then the usage.
            let text = error.to_string();
            let text = text.strip_prefix("error: ").unwrap_or(&text);
            let end = text.find("\n\n").unwrap_or(text.len());
            (text[..end].trim_end().to_owned(), false)
        }
    }
}

/// The option without its value, such as `--timeout` of `--timeout <TIME>`.
fn bare(argument: &str) -> &str {
    let end = argument.find([' ', '[']).filter(|end| *end > 0);
    &argument[..end.unwrap_or(argument.len())]
}

/// `a, b or c`.
fn listed(words: &[String]) -> String {
    match words {
        [words @ .., last] if !words.is_empty() => format!("{} or {last}", words.join(", ")),
        words => words.concat(),
    }
}

/// What is wrong with an option that there is not.
fn of_option(option: &str, meant: Option<&str>, form: Option<&str>) -> (String, bool) {
    let habit = HABITS.iter().find(|(habit, _)| *habit == option);
    let is_each = form == Some("each");
    if let Some((_, advice)) = habit.filter(|_| is_each) {
        return (format!("there is no option {option}: {advice}"), false);
    }
    if form.is_none()
        && command()
            .find_subcommand("each")
            .is_some_and(|each| has(each, option))
    {
        let sentence = format!(
            "{option} is an option of progrun each, which runs many commands; to give it to the command itself: \
             progrun -- COMMAND {option}"
        );
        return (sentence, false);
    }
    let sentence = match meant {
        Some(meant) => format!("there is no option {option}; did you mean {meant}?"),
        None => format!("there is no option {option}"),
    };
    (sentence, false)
}

/// Whether the subcommand has this option.
fn has(command: &Command, option: &str) -> bool {
    let is_it = |argument: &Arg| match option.strip_prefix("--") {
        Some(long) => argument.get_long() == Some(long),
        None => argument.get_short() == option.chars().nth(1),
    };
    command.get_arguments().any(is_it)
}

/// What is wrong if an argument is missing.
fn missing(argument: &str, form: Option<&str>, words: &[OsString]) -> String {
    match (bare(argument), form) {
        ("<COMMAND>...", Some(form)) => {
            format!("the command is missing: progrun {form} -- COMMAND ::: VALUE ...")
        }
        ("<COMMAND>...", None) => "the command is missing: progrun -- COMMAND".to_owned(),
        ("<RUN>..." | "<RUN>", _) => {
            "which run? Give its name or its number; progrun ps lists the runs".to_owned()
        }
        (option, _) => {
            let companions = COMPANIONS.iter().find(|(of, _)| *of == option);
            let is_given = |word: &str| {
                let begins = |given: &OsString| {
                    let given = given.to_string_lossy();
                    given.split('=').next() == Some(word)
                };
                words.iter().any(begins)
            };
            let given = companions.and_then(|(_, given)| given.iter().find(|it| is_given(it)));
            let given = given.copied().unwrap_or("this");
            format!("{given} needs {argument}")
        }
    }
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

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    /// What is said of these words.
    fn said(words: &[&str]) -> String {
        let words: Vec<_> = ["progrun"]
            .iter()
            .chain(words)
            .map(OsString::from)
            .collect();
        message(&parse(&words).unwrap_err(), &words)
    }

    #[test]
    fn a_command_without_the_dashes_before_it_is_recognised() {
        let sentence =
            "put `--` before the command, so that its options are not taken for progrun's: ";
        for (words, command) in [
            (&["true", "-l"][..], "progrun -- true ..."),
            (&["make", "-j4"], "progrun -- make ..."),
            (&["--quiet", "true"], "progrun -- true ..."),
            (&["no-such-command-1"], "progrun -- no-such-command-1 ..."),
            (&["each", "gzip", ":::", "a"], "progrun each -- gzip ..."),
        ] {
            assert_eq!(said(words), format!("{sentence}{command}"), "{words:?}");
        }
    }

    #[test]
    fn a_misspelled_subcommand_is_recognised_unless_it_is_a_program() {
        for (words, meant) in [
            (&["reprot", "3/10"][..], "report"),
            (&["eahc", "--", "true"], "each"),
            (&["attatch"], "attach"),
            (&["timline", "x"], "timeline"),
        ] {
            let word = words[0];
            assert_eq!(
                said(words),
                format!(
                    "there is no subcommand '{word}'; did you mean '{meant}'? To run a command of that name: progrun \
                     -- {word} ..."
                )
            );
        }
        // As `cancel`; but there is one.
        assert!(nearest("cancell", ["cancel"].into_iter()).is_some());
        assert_eq!(subcommand_like("sh"), None);
        assert_eq!(subcommand_like("frobnicate"), None);
    }

    #[test]
    fn a_word_in_the_wrong_place_gets_the_form_in_which_it_would_be_right() {
        for (words, sentence) in [
            (
                &["--json", "events", "--", "ls"][..],
                "--json takes its file after an equals sign: --json=events",
            ),
            (
                &["--quiet", "x", "--", "ls"],
                "'x' is in the wrong place: before `--`, there are only options; see progrun --help",
            ),
            (
                &["each", ":::", "a"],
                "the command is missing: progrun each -- COMMAND ::: VALUE ...",
            ),
            (
                &["wait", "a", "b"],
                "'b' is one word too many; see progrun wait --help",
            ),
        ] {
            assert_eq!(said(words), sentence, "{words:?}");
        }
    }

    #[test]
    fn of_an_option_that_there_is_not_the_likely_one_is_named() {
        for (words, sentence, form) in [
            (
                &["--tiemout", "5", "--", "x"][..],
                "there is no option --tiemout; did you mean --timeout?",
                "",
            ),
            (&["-x", "--", "x"], "there is no option -x", ""),
            (
                &["ps", "--al"],
                "there is no option --al; did you mean --all?",
                " ps",
            ),
            (
                &["-j4", "--", "make"],
                "-j is an option of progrun each, which runs many commands; to give it to the command itself: progrun \
                 -- COMMAND -j",
                "",
            ),
            (
                &["each", "-n", "2", "--", "x", ":::", "a"],
                "there is no option -n: -N COUNT is how many values each task gets, and --name names the run",
                " each",
            ),
        ] {
            assert_eq!(
                said(words),
                format!("{sentence}\nFor more information, try 'progrun{form} --help'."),
                "{words:?}"
            );
        }
    }

    #[test]
    fn of_a_wrong_value_the_possible_ones_are_named_and_of_a_missing_one_its_option() {
        for (words, sentence) in [
            (
                &["--progress", "bar", "--", "x"][..],
                "invalid value 'bar' for --progress: expected auto, bars, plain or none; did you mean 'bars'?",
            ),
            (
                &["--timeout", "1:30", "--", "x"],
                "invalid value '1:30' for --timeout: expected a time such as 90s, 1h30m or 0.5",
            ),
            (
                &["--timeout", "--", "x"],
                "a value is missing after --timeout <TIME>",
            ),
            (&["--quiet"], "the command is missing: progrun -- COMMAND"),
            (&["--chdir", "/", "--", "x"], "--chdir needs --on <WHERE>"),
            (
                &["--detach", "--json", "--", "x"],
                "--detach leaves stdout: give --json a file, as in --json=FILE",
            ),
        ] {
            assert_eq!(
                said(words),
                format!("{sentence}\nFor more information, try 'progrun --help'."),
                "{words:?}"
            );
        }
        assert_eq!(
            said(&["--json=", "--", "x"]),
            "--json= needs a file: --json=FILE; for stdout, --json alone"
        );
        assert!(said(&["cancel"]).starts_with("which run? Give its name or its number"));
    }

    #[test]
    fn the_words_about_companions_and_habits_are_about_options_that_there_are() {
        let command = command();
        let each = command.find_subcommand("each").unwrap();
        for (option, companions) in COMPANIONS {
            for option in companions.iter().chain([&option]) {
                assert!(has(each, option), "{option}");
            }
        }
        for (habit, _) in HABITS {
            assert!(!has(each, habit), "{habit}");
        }
        for form in command.get_subcommands().map(Command::get_name) {
            assert!(
                ["each"].contains(&form) || WITHOUT_COMMAND.contains(&form),
                "{form}"
            );
        }
    }
}
