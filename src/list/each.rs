//! `progrun each`: the tasks of one command and many values.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::PathBuf;
use std::rc::Rc;

use super::grouping::{Group, Grouping};
use super::input::Input;
use super::records::{Columns, Read, Record, Records};
use super::template::{Syntax, Template};
use super::values::Kind;
use super::{Next, Specification, Stdin, Words};

/// The longest name of a task, in bytes: a name is for people, and is in each event of the task.
const LONGEST_NAME: usize = 1000;
const CR_WARNING: &str =
    "lines of the list end in CR LF, and the CR is part of the values (tr -d '\\r' takes it away)";

/// What the user wishes to be run.
#[derive(Clone, Debug)]
pub(crate) struct Each {
    /// The command with its placeholders.
    pub(crate) command: Vec<OsString>,
    /// `-I`: the text that stands for the value.
    pub(crate) marker: Option<OsString>,
    /// `--shell`: the shell that runs the command, which is a single word.
    pub(crate) shell: Option<OsString>,
    /// What the tasks read as their stdin.
    pub(crate) stdin: TaskStdin,
    /// Where the values come from.
    pub(crate) values: Values,
    /// The byte that ends a value (`-0`, `-d`); none: values are lines, and empty ones are none.
    pub(crate) separator: Option<u8>,
    /// What makes columns of a value.
    pub(crate) columns: Columns,
    /// `--header`: the first record names the columns. Of several groups of words, the first word of each.
    pub(crate) has_header: bool,
    /// `-N`: how many values a task gets.
    pub(crate) group: Group,
    /// `-j`: over how many slots the values of the last command line are spread.
    pub(crate) jobs: usize,
    /// `--total`: how many tasks there are, as the user says.
    pub(crate) total: Option<u64>,
}

/// Where values come from.
#[derive(Clone, Debug)]
pub(crate) enum Values {
    /// Words of the command line; one group for each `:::`.
    Words(Vec<Vec<OsString>>),
    /// This file, or `-` for stdin.
    File(PathBuf),
    /// Our stdin.
    Stdin,
}

/// What the tasks read as their stdin.
#[derive(Clone, Debug, Default)]
pub(crate) enum TaskStdin {
    /// Nothing.
    #[default]
    Null,
    /// Ours.
    Inherit,
    /// The file that this template names.
    Template(OsString),
}

/// The tasks, one after the other.
#[derive(Debug)]
pub(super) struct EachTask {
    wishes: Each,
    records: Records,
    /// None: the header is still to come.
    commands: Option<Commands>,
    grouping: Grouping,
    /// How many tasks were given.
    given: u64,
    /// No further records come.
    is_over: bool,
    /// Why not, if that is told only after the last task.
    broken: Option<String>,
    warnings: Vec<String>,
    has_warned_of_dash: bool,
    has_warned_of_cr: bool,
}

/// What each task is made of.
#[derive(Debug)]
struct Commands {
    template: Rc<Template>,
    stdin: Option<Template>,
}

impl Commands {
    fn new(wishes: &Each, names: &[Vec<u8>], width: Option<usize>) -> Result<Self, String> {
        let syntax = Syntax {
            marker: wishes.marker.as_deref(),
            names,
            width,
        };
        let mut template = Template::new(&wishes.command, wishes.shell.as_deref(), &syntax)?;
        let stdin = match &wishes.stdin {
            TaskStdin::Template(word) => {
                let stdin = Template::new(std::slice::from_ref(word), None, &syntax)?;
                if stdin.has_slot() {
                    return Err(
                        "--stdin cannot contain {%}: the file is known before the slot is"
                            .to_owned(),
                    );
                }
                if stdin.has_values() {
                    template = template.without_append();
                }
                Some(stdin)
            }
            TaskStdin::Null | TaskStdin::Inherit => None,
        };
        Ok(Self {
            template: Rc::new(template),
            stdin,
        })
    }
}

impl EachTask {
    /// Begins to read the values.
    ///
    /// # Errors
    /// A sentence, if no list can be made of these wishes.
    pub(super) fn new(mut wishes: Each, wake: Box<dyn Fn() + Send>) -> Result<Self, String> {
        check(&wishes)?;
        let kind = wishes.separator.map_or(Kind::Lines, Kind::EndedBy);
        let values = std::mem::replace(&mut wishes.values, Values::Stdin);
        let mut commands = None;
        let records = match values {
            Values::Words(mut groups) => {
                let names = take_names(&mut groups, &wishes)?;
                let records = Records::of_words(groups, &wishes.columns)?;
                let width = match (&records, wishes.group) {
                    (Records::Words(words), Group::One) if words.total() > 0 => Some(words.width()),
                    (_, Group::Count(count)) => Some(count.get()),
                    _ => None,
                };
                commands = Some(Commands::new(&wishes, &names, width)?);
                records
            }
            Values::File(_) | Values::Stdin => {
                let width = match (&wishes.columns, wishes.group) {
                    (_, Group::Count(count)) => Some(count.get()),
                    (Columns::One, Group::One) => Some(1),
                    _ => None,
                };
                if wishes.has_header {
                    // What is wrong with it whatever the header says, is told before anything is read. Where a shell
                    // line has its placeholders, only the header says.
                    let without_shell = Each {
                        shell: None,
                        ..wishes.clone()
                    };
                    Commands::new(&without_shell, &[], width)?;
                } else {
                    commands = Some(Commands::new(&wishes, &[], width)?);
                }
                let input = match &values {
                    Values::File(path) if path.as_os_str() != "-" => Input::file(path)?,
                    _ => Input::stdin(
                        "put ::: and the values behind the command, name a file with -a FILE, or pipe the values in",
                    )?,
                };
                Records::of_input(input, kind, wishes.columns.clone(), wake)?
            }
        };
        Ok(Self {
            grouping: Grouping::new(wishes.group, wishes.jobs),
            wishes,
            records,
            commands,
            given: 0,
            is_over: false,
            broken: None,
            warnings: Vec::new(),
            has_warned_of_dash: false,
            has_warned_of_cr: false,
        })
    }

    /// The program, if it is the same for all tasks and that is known already.
    pub(super) fn fixed_program(&self) -> Option<&OsStr> {
        match &self.commands {
            Some(commands) => commands.template.fixed_program(),
            None if self.wishes.shell.is_some() => self.wishes.shell.as_deref(),
            None => {
                let first = self.wishes.command.first()?;
                // Which names are placeholders, the header says.
                (!first.as_bytes().contains(&b'{')).then_some(first)
            }
        }
    }

    /// The next task.
    pub(super) fn next(&mut self) -> Next {
        while !self.is_over {
            match self.records.next() {
                Read::NotYet => return Next::NotYet,
                Read::Broken(sentence) => {
                    self.is_over = true;
                    self.broken = Some(sentence);
                }
                Read::End => self.is_over = true,
                Read::Some(record) => {
                    self.warn_of_cr();
                    let Some(commands) = &self.commands else {
                        if let Err(sentence) = self.take_header(record) {
                            self.is_over = true;
                            return Next::Broken(sentence);
                        }
                        continue;
                    };
                    if let Some(record) = self.grouping.add(&commands.template, record) {
                        return self.task(record);
                    }
                }
            }
        }
        match self.grouping.finish() {
            Some(record) => self.task(record),
            None => self.broken.take().map_or(Next::End, Next::Broken),
        }
    }

    /// How many tasks are known, and whether that is final.
    pub(super) fn total(&self) -> (u64, bool) {
        if self.is_over {
            return (self.given + self.grouping.left().unwrap_or(0), true);
        }
        let (values, is_final) = self.records.known();
        let is_read = matches!(self.records, Records::Stream(_));
        let header = u64::from(self.wishes.has_header && is_read);
        let known = self.grouping.tasks(values.saturating_sub(header), is_final);
        // The tasks are at least as many as were given, also if the file has changed since it was counted.
        let known = known.map(|tasks| tasks.max(self.given));
        match (known, self.wishes.total) {
            (Some(tasks), _) if is_final => (tasks, true),
            (known, Some(said)) if said >= known.unwrap_or(self.given) => (said, true),
            (known, _) => (known.unwrap_or(self.given), false),
        }
    }

    pub(super) fn warnings(&mut self) -> Vec<String> {
        std::mem::take(&mut self.warnings)
    }

    pub(super) fn stop(&self) {
        self.records.stop();
    }

    fn take_header(&mut self, record: Record) -> Result<(), String> {
        if let Some(fault) = record.fault {
            return Err(format!("the header cannot be read: {fault}"));
        }
        let names: Vec<_> = record.values.into_iter().map(OsString::into_vec).collect();
        let width = match self.wishes.group {
            Group::One => Some(names.len()),
            Group::Count(count) => Some(count.get()),
            Group::Max => None,
        };
        self.commands = Some(Commands::new(&self.wishes, &names, width)?);
        Ok(())
    }

    fn task(&mut self, record: Record) -> Next {
        let Some(commands) = &self.commands else {
            return Next::End;
        };
        self.given += 1;
        let values = record.values;
        if !self.has_warned_of_dash
            && let Some(value) = commands.template.like_an_option(&values)
        {
            self.has_warned_of_dash = true;
            let warning = warning_of_dash(value, &self.wishes);
            self.warnings.push(warning);
        }
        let stdin = match (&self.wishes.stdin, &commands.stdin) {
            (TaskStdin::Inherit, _) => Stdin::Inherit,
            (_, Some(stdin)) => {
                let number = u32::try_from(self.given).unwrap_or(u32::MAX);
                Stdin::File(stdin.fill_one(&values, number).into())
            }
            (_, None) => Stdin::Null,
        };
        Next::Task(Box::new(Specification {
            name: name(&values),
            command: Words::Template(Rc::clone(&commands.template)),
            values: Some(values),
            stdin,
            fault: record.fault,
            ..Specification::default()
        }))
    }

    fn warn_of_cr(&mut self) {
        if !self.has_warned_of_cr && self.records.has_cr() {
            self.has_warned_of_cr = true;
            self.warnings.push(CR_WARNING.to_owned());
        }
    }
}

/// Checks what does not go together.
fn check(wishes: &Each) -> Result<(), String> {
    let has_columns = wishes.columns != Columns::One;
    if wishes.columns == Columns::SeparatedBy(Vec::new()) {
        return Err("--colsep needs a text that stands between the columns".to_owned());
    }
    if matches!(wishes.columns, Columns::Csv(_)) && wishes.separator.is_some() {
        return Err(
            "--csv cannot be used with -0 or -d: the records of CSV end with their lines"
                .to_owned(),
        );
    }
    if matches!(wishes.stdin, TaskStdin::Inherit) {
        let is_stdin = match &wishes.values {
            Values::Words(_) => false,
            Values::File(path) => path.as_os_str() == "-",
            Values::Stdin => true,
        };
        if is_stdin {
            return Err(
                "--stdin inherit needs values from ::: or -a FILE: stdin is the list".to_owned(),
            );
        }
        if wishes.jobs > 1 {
            return Err(
                "--stdin inherit needs -j1: of several tasks at once, each would read a part of stdin".to_owned(),
            );
        }
    }
    if wishes.group == Group::One {
        return Ok(());
    }
    if has_columns {
        return Err("-N cannot be used with --csv or --colsep: each record is one task".to_owned());
    }
    match &wishes.values {
        Values::Words(groups) if groups.len() > 1 => {
            Err("-N cannot be used with several :::, as each combination is one task".to_owned())
        }
        _ => Ok(()),
    }
}

/// Takes the names of the columns out of groups of words.
fn take_names(groups: &mut Vec<Vec<OsString>>, wishes: &Each) -> Result<Vec<Vec<u8>>, String> {
    if !wishes.has_header {
        return Ok(Vec::new());
    }
    let mut names = Vec::new();
    for group in groups {
        if group.is_empty() {
            continue;
        }
        let first = vec![vec![group.remove(0)]];
        let Read::Some(record) = Records::of_words(first, &wishes.columns)?.next() else {
            continue;
        };
        names.extend(record.values.into_iter().map(OsString::into_vec));
    }
    Ok(names)
}

/// The values as people see them.
fn name(values: &[OsString]) -> String {
    let mut name = String::new();
    for (index, value) in values.iter().enumerate() {
        if index > 0 {
            name.push(' ');
        }
        // No more than can be shown is looked at: there may be megabytes.
        let bytes = value.as_bytes();
        name.push_str(&String::from_utf8_lossy(
            &bytes[..bytes.len().min(LONGEST_NAME + 1)],
        ));
        if name.len() > LONGEST_NAME {
            name.truncate(name.floor_char_boundary(LONGEST_NAME));
            name.push('…');
            break;
        }
    }
    name
}

fn warning_of_dash(value: &OsStr, wishes: &Each) -> String {
    let program = match &wishes.shell {
        Some(_) => "the command".to_owned(),
        None => wishes.command[0].to_string_lossy().into_owned(),
    };
    format!(
        "the value {} begins with a dash, so {program} may take it for an option (with -- before the placeholder, most \
         programs do not)",
        name(&[value.to_owned()])
    )
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::num::NonZeroUsize;
    use std::sync::mpsc::{Receiver, channel};

    use super::super::input::fifo;
    use super::*;

    fn os(words: &[&str]) -> Vec<OsString> {
        words.iter().map(OsString::from).collect()
    }

    fn wishes(command: &[&str], values: Values) -> Each {
        Each {
            command: os(command),
            marker: None,
            shell: None,
            stdin: TaskStdin::Null,
            values,
            separator: None,
            columns: Columns::One,
            has_header: false,
            group: Group::One,
            jobs: 2,
            total: None,
        }
    }

    fn words(groups: &[&[&str]]) -> Values {
        Values::Words(groups.iter().map(|group| os(group)).collect())
    }

    /// A list in a file, which lives as long as the test.
    fn file(list: &[u8]) -> (tempfile::NamedTempFile, Values) {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(list).unwrap();
        let values = Values::File(file.path().to_owned());
        (file, values)
    }

    fn start(wishes: Each) -> Result<(EachTask, Receiver<()>), String> {
        let (sender, woken) = channel();
        let wake = move || {
            let _ = sender.send(());
        };
        Ok((EachTask::new(wishes, Box::new(wake))?, woken))
    }

    fn next(tasks: &mut EachTask, woken: &Receiver<()>) -> Next {
        loop {
            match tasks.next() {
                Next::NotYet => woken.recv().unwrap(),
                other => return other,
            }
        }
    }

    /// All tasks, the warnings, and the sentence with which the list breaks.
    fn all(wishes: Each) -> (Vec<Specification>, Vec<String>, Option<String>) {
        let (mut tasks, woken) = start(wishes).unwrap();
        let mut found = Vec::new();
        let broken = loop {
            match next(&mut tasks, &woken) {
                Next::Task(task) => found.push(*task),
                Next::Broken(sentence) => break Some(sentence),
                _ => break None,
            }
        };
        assert_eq!(tasks.total(), (found.len() as u64, true));
        assert!(matches!(tasks.next(), Next::End));
        (found, tasks.warnings(), broken)
    }

    /// The commands without their first words.
    fn commands(wishes: Each) -> Vec<Vec<String>> {
        let (found, _, broken) = all(wishes);
        assert_eq!(broken, None);
        let command = |(index, task): (usize, Specification)| {
            let words = task.words(u32::try_from(index).unwrap() + 1, 1);
            words
                .into_iter()
                .skip(1)
                .map(|word| word.into_string().unwrap())
                .collect()
        };
        found.into_iter().enumerate().map(command).collect()
    }

    #[test]
    fn each_word_is_one_argument_whatever_is_in_it() {
        let values = ["a b", "it's", "q\"q", "$(id)", "*", "x;y"];
        let found = commands(wishes(&["printf", "[%s]", "{}"], words(&[&values])));
        assert_eq!(
            found.iter().map(|words| &words[1][..]).collect::<Vec<_>>(),
            values
        );
    }

    #[test]
    fn combinations_come_with_the_last_group_changing_fastest() {
        let found = commands(wishes(
            &["echo", "{1}{2}"],
            words(&[&["a", "b"], &["1", "2"]]),
        ));
        assert_eq!(found, [["a1"], ["a2"], ["b1"], ["b2"]]);
    }

    #[test]
    fn no_values_are_no_tasks() {
        assert_eq!(commands(wishes(&["echo", "x"], words(&[&[]]))).len(), 0);
        let (_file, values) = file(b"\n");
        assert_eq!(commands(wishes(&["echo", "x"], values)).len(), 0);
    }

    #[test]
    fn lines_and_pieces_become_tasks_named_by_their_values() {
        let (_file, values) = file(b"b/0017.wav\n\n\xff");
        let (found, warnings, _) = all(wishes(&["flac", "{}"], values));
        assert_eq!(
            found.iter().map(|task| &task.name[..]).collect::<Vec<_>>(),
            ["b/0017.wav", "\u{fffd}"]
        );
        assert_eq!(found[1].words(2, 1)[1].as_bytes(), b"\xff");
        assert_eq!(warnings, [""; 0]);
        let (_file, values) = file(b"a\0\0b\r\n");
        let zero = Each {
            separator: Some(0),
            ..wishes(&["echo", "[{}]"], values)
        };
        assert_eq!(commands(zero), [["[a]"], ["[]"], ["[b\r\n]"]]);
    }

    #[test]
    fn several_values_make_one_task_and_missing_ones_are_empty() {
        let (_file, values) = file(b"1\n2\n3\n4\n5\n");
        let grouped = Each {
            group: Group::Count(NonZeroUsize::new(2).unwrap()),
            ..wishes(&["echo", "{1}-{2}"], values)
        };
        let (found, _, _) = all(grouped.clone());
        assert_eq!(found[1].name, "3 4");
        assert_eq!(commands(grouped), [["1-2"], ["3-4"], ["5-"]]);
    }

    #[test]
    fn as_many_as_fit_are_spread_over_the_slots() {
        let numbers: Vec<_> = (1..=60_000).map(|number| number.to_string()).collect();
        let list = numbers.join("\n");
        let (_file, values) = file(list.as_bytes());
        let most = Each {
            group: Group::Max,
            ..wishes(&["sh", "-c", "echo $#", "_"], values)
        };
        let (found, _, _) = all(most);
        let counts = found.iter().map(|task| task.values.as_ref().unwrap().len());
        assert_eq!(counts.collect::<Vec<_>>(), [30_000, 30_000]);
        assert_eq!(found[0].name.chars().count(), LONGEST_NAME + 1);
        let status = std::process::Command::new("true")
            .args(&found[1].words(2, 1)[1..])
            .status();
        assert!(status.unwrap().success());
    }

    #[test]
    fn the_header_names_the_columns() {
        let (_file, values) = file(b"n,\"a, b\"\r\n\"x \"\"y\"\"\",\"1\n2\"\r\n");
        let csv = Each {
            columns: Columns::Csv(b','),
            has_header: true,
            ..wishes(&["echo", "{n}", "{a, b}", "{2}"], values.clone())
        };
        assert_eq!(
            start(csv.clone()).unwrap().0.fixed_program(),
            Some(OsStr::new("echo"))
        );
        assert_eq!(commands(csv.clone()), [["x \"y\"", "1\n2", "1\n2"]]);
        let wide = Each {
            command: os(&["{n}", "{3}"]),
            ..csv
        };
        assert_eq!(start(wide.clone()).unwrap().0.fixed_program(), None);
        let (found, _, broken) = all(wide);
        assert_eq!(found.len(), 0);
        assert!(
            broken
                .unwrap()
                .starts_with("{3} stands for a value that no task has: each has 2 ")
        );
        let named = Each {
            has_header: true,
            ..wishes(&["echo", "{x}{y}"], words(&[&["x", "1", "2"], &["y", "3"]]))
        };
        assert_eq!(commands(named), [["13"], ["23"]]);
    }

    #[test]
    fn a_text_between_columns_is_taken_as_it_is() {
        let (_file, values) = file(b"a.*b.*c\nd\n");
        let columns = Each {
            columns: Columns::SeparatedBy(b".*".to_vec()),
            ..wishes(&["echo", "{3}{1}", "{}"], values)
        };
        assert_eq!(
            commands(columns),
            [vec!["ca", "a", "b", "c"], vec!["d", "d"]]
        );
    }

    #[test]
    fn an_open_quote_breaks_the_list_after_what_was_read_before() {
        let (_file, values) = file(b"a\n\"b\n");
        let name = match &values {
            Values::File(path) => path.display().to_string(),
            _ => String::new(),
        };
        let csv = Each {
            columns: Columns::Csv(b','),
            ..wishes(&["echo"], values)
        };
        let (found, _, broken) = all(csv);
        assert_eq!(found.len(), 1);
        let expected =
            format!("the list {name}, line 2: the quote that is opened there is never closed");
        assert_eq!(broken, Some(expected));
    }

    #[test]
    fn a_leading_dash_and_a_carriage_return_are_warned_of_once() {
        let dash = wishes(&["cat", "{}"], words(&[&["-n", "-e"]]));
        let (_, warnings, _) = all(dash);
        assert_eq!(
            warnings,
            [
                "the value -n begins with a dash, so cat may take it for an option (with -- before the placeholder, \
                 most programs do not)"
            ]
        );
        let (_, warnings, _) = all(wishes(&["cat", "--", "{}"], words(&[&["-n", "-e"]])));
        assert_eq!(warnings, [""; 0]);
        let (_file, values) = file(b"a\r\nb\r\n");
        let (found, warnings, _) = all(wishes(&["cat", "{}"], values));
        assert_eq!(found[0].words(1, 1)[1], "a\r");
        assert_eq!(
            warnings,
            [
                "lines of the list end in CR LF, and the CR is part of the values (tr -d '\\r' takes it away)"
            ]
        );
    }

    #[test]
    fn a_value_with_a_nul_byte_is_a_fault_of_its_task_alone() {
        let (_file, values) = file(b"a\n\nb\0c\nd\n");
        let (found, _, _) = all(wishes(&["echo", "{}"], values));
        let faults: Vec<_> = found.iter().map(|task| task.fault.as_deref()).collect();
        let fault = "line 3 has a NUL byte, which no argument can hold (use -0 if NUL separates the values)";
        assert_eq!(faults, [None, Some(fault), None]);
    }

    #[test]
    fn the_file_for_stdin_is_made_of_the_value_which_is_then_no_argument() {
        let stdin = Each {
            stdin: TaskStdin::Template("in/{/}".into()),
            ..wishes(&["wc", "-l"], words(&[&["a/b", "c"]]))
        };
        let (found, _, _) = all(stdin.clone());
        assert_eq!(found[0].words(1, 1), ["wc", "-l"]);
        assert_eq!(found[0].stdin, Stdin::File("in/b".into()));
        let constant = Each {
            stdin: TaskStdin::Template("same".into()),
            ..stdin.clone()
        };
        assert_eq!(all(constant).0[0].words(1, 1), ["wc", "-l", "a/b"]);
        let slot = Each {
            stdin: TaskStdin::Template("{%}".into()),
            ..stdin
        };
        assert_eq!(
            start(slot).unwrap_err(),
            "--stdin cannot contain {%}: the file is known before the slot is"
        );
    }

    #[test]
    fn the_total_is_what_the_user_says_until_more_is_known() {
        let (_folder, path) = fifo();
        let said = Each {
            total: Some(2),
            ..wishes(&["echo"], Values::File(path.clone()))
        };
        let (mut tasks, woken) = start(said).unwrap();
        let mut writer = std::fs::File::options().write(true).open(&path).unwrap();
        assert_eq!(tasks.total(), (2, true));
        writer.write_all(b"a\nb\nc\n").unwrap();
        assert!(matches!(next(&mut tasks, &woken), Next::Task(_)));
        assert_eq!(tasks.total(), (3, false));
        drop(writer);
        while !matches!(next(&mut tasks, &woken), Next::End) {}
        assert_eq!(tasks.total(), (3, true));
    }

    #[test]
    fn what_does_not_go_together_is_refused() {
        let two = Group::Count(NonZeroUsize::new(2).unwrap());
        let refused = |wishes: Each| start(wishes).unwrap_err();
        let simple = || wishes(&["echo"], words(&[&["a"], &["b"]]));
        assert_eq!(
            refused(Each {
                group: two,
                ..simple()
            }),
            "-N cannot be used with several :::, as each combination is one task"
        );
        assert_eq!(
            refused(Each {
                group: two,
                columns: Columns::Csv(b','),
                ..simple()
            }),
            "-N cannot be used with --csv or --colsep: each record is one task"
        );
        assert_eq!(
            refused(Each {
                columns: Columns::Csv(b','),
                separator: Some(0),
                ..simple()
            }),
            "--csv cannot be used with -0 or -d: the records of CSV end with their lines"
        );
        assert_eq!(
            refused(Each {
                columns: Columns::SeparatedBy(Vec::new()),
                ..simple()
            }),
            "--colsep needs a text that stands between the columns"
        );
        let inherit = |wishes: Each| Each {
            stdin: TaskStdin::Inherit,
            ..wishes
        };
        assert_eq!(
            refused(inherit(wishes(&["cat"], Values::Stdin))),
            "--stdin inherit needs values from ::: or -a FILE: stdin is the list"
        );
        assert_eq!(
            refused(inherit(simple())),
            "--stdin inherit needs -j1: of several tasks at once, each would read a part of stdin"
        );
        assert_eq!(
            refused(wishes(&[], words(&[]))),
            "there is no command: it comes after --"
        );
        assert!(
            refused(wishes(&["echo", "{3}"], words(&[&["a"], &["b"]])))
                .starts_with("{3} stands for")
        );
        assert!(
            refused(wishes(&["echo"], Values::File("/no/such".into())))
                .starts_with("cannot read the list")
        );
    }
}
