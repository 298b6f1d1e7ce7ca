//! The template of the commands of a list: words with placeholders, replaced once and from left to right.
//!
//! What a value contains is never looked at again, so a `{}` in it stays as it is.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};

use super::context::{Context, Refusal, is_boundary};
use super::{path, shell};

/// A command with placeholders.
#[derive(Debug)]
pub(crate) struct Template {
    words: Vec<Word>,
    /// The shell that runs it; then it is a single word.
    shell: Option<OsString>,
    /// It has no placeholder, so the values come last.
    appends: bool,
}

/// What counts as a placeholder.
#[derive(Clone, Debug, Default)]
pub(super) struct Syntax<'a> {
    /// The text that alone is one: `-I`.
    pub(super) marker: Option<&'a OsStr>,
    /// The names of the columns.
    pub(super) names: &'a [Vec<u8>],
    /// How many values each task has at most, if that is known.
    pub(super) width: Option<usize>,
}

/// A word of the template.
#[derive(Debug)]
struct Word {
    source: OsString,
    parts: Vec<Part>,
}

/// A piece of a word.
#[derive(Debug, PartialEq, Eq)]
enum Part {
    Text(Vec<u8>),
    Value {
        column: Column,
        form: Form,
        /// It is the whole word, so several values become several words.
        is_whole: bool,
    },
    /// The number of the task.
    Number,
    /// The slot.
    Slot,
}

/// Which of the values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Column {
    All,
    /// From 0.
    One(usize),
}

/// What of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Whole,
    Name,
    Folder,
    Stem,
    NameStem,
}

/// How much a value adds to the command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Growth {
    /// An argument of this length.
    Argument(usize),
    /// At most so many bytes to the word with this index.
    Word(usize, usize),
}

impl Form {
    /// A form that does not end with another one comes after it.
    const ALL: [(&'static [u8], Self); 5] = [
        (b"//", Self::Folder),
        (b"/.", Self::NameStem),
        (b"/", Self::Name),
        (b".", Self::Stem),
        (b"", Self::Whole),
    ];

    fn of(self, value: &[u8]) -> &[u8] {
        match self {
            Self::Whole => value,
            Self::Name => path::name(value),
            Self::Folder => path::folder(value),
            Self::Stem => path::without_extension(value),
            Self::NameStem => path::without_extension(path::name(value)),
        }
    }
}

impl Template {
    /// Reads a command.
    ///
    /// # Errors
    /// A sentence, if a placeholder can never be replaced.
    pub(super) fn new(
        command: &[OsString],
        shell: Option<&OsStr>,
        syntax: &Syntax<'_>,
    ) -> Result<Self, String> {
        if command.is_empty() {
            return Err("there is no command: it comes after --".to_owned());
        }
        if syntax.marker.is_some_and(OsStr::is_empty) {
            return Err("-I needs a text that stands for the value".to_owned());
        }
        let words = command.iter().map(|word| Word::new(word, syntax));
        let words = words.collect::<Result<Vec<_>, _>>()?;
        let is_fixed = |word: &Word| matches!(word.parts[..], [] | [Part::Text(_)]);
        let mut template = Self {
            appends: words.iter().all(is_fixed),
            words,
            shell: shell.map(OsStr::to_owned),
        };
        if let Some(shell) = shell {
            shell::check(shell)?;
            template.check_shell_line()?;
        }
        Ok(template)
    }

    /// The same without values at its end: a placeholder elsewhere says where they go.
    pub(super) fn without_append(mut self) -> Self {
        self.appends = false;
        self
    }

    /// The program, if it is the same for all values.
    pub(crate) fn fixed_program(&self) -> Option<&OsStr> {
        let first = self.words.first()?;
        self.shell
            .as_deref()
            .or_else(|| first.is_fixed().then_some(&*first.source))
    }

    /// Whether it contains a value.
    pub(super) fn has_values(&self) -> bool {
        let mut parts = self.words.iter().flat_map(|word| &word.parts);
        parts.any(|part| matches!(part, Part::Value { .. }))
    }

    /// Whether it contains the slot.
    pub(super) fn has_slot(&self) -> bool {
        let mut parts = self.words.iter().flat_map(|word| &word.parts);
        parts.any(|part| *part == Part::Slot)
    }

    /// Checks that values stand where they can be quoted.
    fn check_shell_line(&mut self) -> Result<(), String> {
        let [word] = &mut self.words[..] else {
            return Err(
                "--shell takes the command as one word: put it in quotes, as in --shell -- 'zcat {} | wc -l'"
                    .to_owned(),
            );
        };
        let refused = |refusal| {
            Err(match refusal {
                Refusal::Quotes => {
                    "a placeholder is inside quotes in the command of --shell: take the quotes away, progrun sets them"
                }
                Refusal::Backquotes => {
                    "a placeholder is inside backquotes in the command of --shell: write $(...) in place of them"
                }
                Refusal::Unsure => {
                    "a placeholder in the command of --shell is where progrun cannot quote it for sure, such as in a \
                     comment, a here-document, ${...} or $((...)): begin with x={}; and use \"$x\" there"
                }
            }
            .to_owned())
        };
        if self.appends
            && let Some(Part::Text(text)) = word.parts.last_mut()
        {
            text.truncate(text.trim_ascii_end().len());
        }
        let mut context = Context::default();
        for index in 0..word.parts.len() {
            match &word.parts[index] {
                Part::Text(text) => context.text(text),
                Part::Number | Part::Slot => context.letter(),
                Part::Value { .. } => {
                    if let Err(refusal) = context.value() {
                        return refused(refusal);
                    }
                    let is_whole = stands_alone(&word.parts, index);
                    if let Part::Value { is_whole: is, .. } = &mut word.parts[index] {
                        *is = is_whole;
                    }
                }
            }
        }
        if !self.appends {
            return Ok(());
        }
        let text = match word.parts.last() {
            Some(Part::Text(text)) => &text[..],
            _ => b"",
        };
        context.text(b" ");
        let is_open =
            text.ends_with(b"\\") || text.last().is_none_or(|last| b";&|(".contains(last));
        match context.value() {
            Ok(()) if is_open => refused(Refusal::Unsure),
            Ok(()) => Ok(()),
            Err(refusal) => refused(refusal),
        }
        .map_err(|_| {
            "the command of --shell has no placeholder, and no value can be added to its end: write {} where the \
             value goes"
                .to_owned()
        })
    }

    /// The command for these values, for the task with this number in this slot.
    pub(super) fn fill(&self, values: &[OsString], number: u32, slot: u32) -> Vec<OsString> {
        if let Some(shell) = &self.shell {
            let line = self.shell_line(values, number, slot);
            return vec![shell.clone(), "-c".into(), OsString::from_vec(line)];
        }
        let mut words = Vec::with_capacity(self.words.len() + values.len());
        for word in &self.words {
            if let [
                Part::Value {
                    column: Column::All,
                    form,
                    ..
                },
            ] = word.parts[..]
            {
                words.extend(values.iter().map(|value| {
                    let value = form.of(value.as_bytes());
                    OsStr::from_bytes(value).to_owned()
                }));
            } else {
                words.push(word.fill(values, number, slot));
            }
        }
        if self.appends {
            words.extend_from_slice(values);
        }
        words
    }

    /// The first word for these values, as one word.
    pub(super) fn fill_one(&self, values: &[OsString], number: u32) -> OsString {
        let word = self.words.first();
        word.map(|word| word.fill(values, number, 0))
            .unwrap_or_default()
    }

    fn shell_line(&self, values: &[OsString], number: u32, slot: u32) -> Vec<u8> {
        let mut line = Vec::new();
        for part in self.words.iter().flat_map(|word| &word.parts) {
            match part {
                Part::Value {
                    column: Column::All,
                    form,
                    is_whole: true,
                } => quote_each(values, *form, &mut line),
                Part::Value { .. } => {
                    let mut value = Vec::new();
                    part.fill(values, number, slot, &mut value);
                    shell::quote_always(&value, &mut line);
                }
                part => part.fill(values, number, slot, &mut line),
            }
        }
        if self.appends {
            line.push(b' ');
            quote_each(values, Form::Whole, &mut line);
        }
        line
    }

    /// The first of these values that becomes a whole argument, begins with a dash, and has no `--` before it.
    pub(super) fn like_an_option<'a>(&self, values: &'a [OsString]) -> Option<&'a OsStr> {
        if values.iter().all(|value| !value.as_bytes().contains(&b'-')) {
            return None;
        }
        let mut parts = self.words.iter().map(|word| &word.parts[..]);
        if self.shell.is_none() {
            // The first word is the program.
            parts.next();
        }
        for parts in parts {
            for part in parts {
                match part {
                    Part::Text(text) if self.ends_options(text) => return None,
                    Part::Value {
                        column,
                        form,
                        is_whole,
                    } if *is_whole => {
                        let found = column.of(values).iter();
                        let mut found =
                            found.filter(|value| form.of(value.as_bytes()).starts_with(b"-"));
                        if let Some(value) = found.next() {
                            return Some(value);
                        }
                    }
                    _ => {}
                }
            }
        }
        let mut last = values.iter().filter(|_| self.appends);
        let found = last.find(|value| value.as_bytes().starts_with(b"-"));
        found.map(OsString::as_os_str)
    }

    fn ends_options(&self, text: &[u8]) -> bool {
        match self.shell {
            Some(_) => text
                .split(u8::is_ascii_whitespace)
                .any(|word| word == b"--"),
            None => text == b"--",
        }
    }

    /// The lengths of the arguments without any value.
    pub(super) fn lengths(&self) -> Vec<usize> {
        let length = |part: &Part| match part {
            Part::Text(text) => text.len(),
            Part::Value { .. } => 2 * usize::from(self.shell.is_some()),
            Part::Number | Part::Slot => 10,
        };
        let words = self.words.iter();
        let lengths = words.map(|word| word.parts.iter().map(length).sum());
        lengths
            .chain(self.shell.iter().flat_map(|shell| [shell.len(), 2]))
            .collect()
    }

    /// How much the value with this index, from 0, adds to them.
    pub(super) fn growth(&self, index: usize, value: &OsStr) -> impl Iterator<Item = Growth> {
        let value = value.as_bytes();
        let is_quoted = self.shell.is_some();
        // No form makes a value longer, but the folder of an empty one is a dot.
        let length = if is_quoted {
            shell::quoted_length(value) + 1
        } else {
            value.len().max(1)
        };
        let of_part = move |(word, part): (usize, &Part)| match part {
            Part::Value { column, .. } if column.has(index) => Some(Growth::Word(word, length + 1)),
            _ => None,
        };
        let words = self.words.iter().enumerate();
        let in_words = words.flat_map(move |(at, word)| {
            let is_spread = !is_quoted && word.is_all();
            let whole = is_spread.then_some(Growth::Argument(length));
            let parts = word.parts.iter().filter(move |_| !is_spread);
            whole
                .into_iter()
                .chain(parts.filter_map(move |part| of_part((at, part))))
        });
        let last = self.appends.then_some(if is_quoted {
            Growth::Word(0, length + 1)
        } else {
            Growth::Argument(length)
        });
        in_words.chain(last)
    }
}

impl Column {
    fn of(self, values: &[OsString]) -> &[OsString] {
        match self {
            Self::All => values,
            Self::One(index) => values.get(index..=index).unwrap_or_default(),
        }
    }

    fn has(self, index: usize) -> bool {
        match self {
            Self::All => true,
            Self::One(own) => own == index,
        }
    }
}

impl Word {
    fn new(source: &OsStr, syntax: &Syntax<'_>) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut text = Vec::new();
        let mut rest = source.as_bytes();
        while let Some(byte) = rest.first() {
            let Some((part, length)) = placeholder(rest, syntax)? else {
                text.push(*byte);
                rest = &rest[1..];
                continue;
            };
            if !text.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut text)));
            }
            parts.push(part);
            rest = &rest[length..];
        }
        if !text.is_empty() {
            parts.push(Part::Text(text));
        }
        if let [Part::Value { is_whole, .. }] = &mut parts[..] {
            *is_whole = true;
        }
        Ok(Self {
            source: source.to_owned(),
            parts,
        })
    }

    fn is_fixed(&self) -> bool {
        matches!(self.parts[..], [] | [Part::Text(_)])
    }

    /// Whether the word is all values, each as an argument.
    fn is_all(&self) -> bool {
        let all = |part: &Part| {
            matches!(
                part,
                Part::Value {
                    column: Column::All,
                    ..
                }
            )
        };
        self.parts.len() == 1 && all(&self.parts[0])
    }

    fn fill(&self, values: &[OsString], number: u32, slot: u32) -> OsString {
        let mut text = Vec::new();
        for part in &self.parts {
            part.fill(values, number, slot, &mut text);
        }
        OsString::from_vec(text)
    }
}

impl Part {
    /// Appends what it stands for. Several values are joined by a space.
    fn fill(&self, values: &[OsString], number: u32, slot: u32, to: &mut Vec<u8>) {
        match self {
            Self::Text(text) => to.extend(text),
            Self::Number => to.extend(number.to_string().as_bytes()),
            Self::Slot => to.extend(slot.to_string().as_bytes()),
            Self::Value { column, form, .. } => {
                for (index, value) in column.of(values).iter().enumerate() {
                    if index > 0 {
                        to.push(b' ');
                    }
                    to.extend(form.of(value.as_bytes()));
                }
            }
        }
    }
}

/// Whether the part of a shell line is a word of its own.
fn stands_alone(parts: &[Part], index: usize) -> bool {
    let before = match index.checked_sub(1).map(|before| &parts[before]) {
        None => true,
        // Behind `<` and `>` only the first of several words is meant.
        Some(Part::Text(text)) => text
            .last()
            .is_some_and(|byte| is_boundary(*byte) && !b"<>".contains(byte)),
        Some(_) => false,
    };
    let after = match parts.get(index + 1) {
        None => true,
        Some(Part::Text(text)) => text.first().is_some_and(|byte| is_boundary(*byte)),
        Some(_) => false,
    };
    before && after
}

fn quote_each(values: &[OsString], form: Form, to: &mut Vec<u8>) {
    for (index, value) in values.iter().enumerate() {
        if index > 0 {
            to.push(b' ');
        }
        shell::quote_always(form.of(value.as_bytes()), to);
    }
}

/// The placeholder at the beginning of `text`, and its length.
fn placeholder(text: &[u8], syntax: &Syntax<'_>) -> Result<Option<(Part, usize)>, String> {
    let value = |column, form| Part::Value {
        column,
        form,
        is_whole: false,
    };
    if let Some(marker) = syntax.marker {
        let is_here = text.starts_with(marker.as_bytes());
        return Ok(is_here.then(|| (value(Column::All, Form::Whole), marker.len())));
    }
    let Some(inside) = text.strip_prefix(b"{") else {
        return Ok(None);
    };
    if inside.starts_with(b"#}") {
        return Ok(Some((Part::Number, 3)));
    }
    if inside.starts_with(b"%}") {
        return Ok(Some((Part::Slot, 3)));
    }
    let digits = inside
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    if digits > 0
        && inside[0] != b'0'
        && let Some((form, length)) = form(&inside[digits..])
    {
        let length = 1 + digits + length;
        let source = String::from_utf8_lossy(&text[..length]);
        let number = String::from_utf8_lossy(&inside[..digits])
            .parse()
            .unwrap_or(usize::MAX);
        check_width(number, &source, syntax.width)?;
        return Ok(Some((value(Column::One(number - 1), form), length)));
    }
    if let Some((form, length)) = form(inside) {
        return Ok(Some((value(Column::All, form), 1 + length)));
    }
    let names = syntax.names.iter().enumerate();
    let found = names.filter_map(|(index, name)| {
        let rest = inside
            .strip_prefix(&name[..])
            .filter(|_| !name.is_empty())?;
        let (form, length) = form(rest)?;
        Some((index, form, name.len(), length))
    });
    // `{a.}` is the column `a.` rather than the column `a` without its extension.
    let Some((index, form, name, length)) =
        found.max_by_key(|(index, _, name, _)| (*name, usize::MAX - index))
    else {
        return Ok(None);
    };
    let twice = syntax.names[index + 1..]
        .iter()
        .position(|other| *other == syntax.names[index]);
    if let Some(other) = twice {
        return Err(format!(
            "the header names two columns {name}, so {{{name}}} could be either: write {{{first}}} or {{{second}}}",
            name = String::from_utf8_lossy(&syntax.names[index]),
            first = index + 1,
            second = index + other + 2,
        ));
    }
    Ok(Some((value(Column::One(index), form), 1 + name + length)))
}

/// The form that ends a placeholder, and its length with the brace.
fn form(text: &[u8]) -> Option<(Form, usize)> {
    Form::ALL.into_iter().find_map(|(suffix, form)| {
        let rest = text.strip_prefix(suffix)?;
        rest.starts_with(b"}").then_some((form, suffix.len() + 1))
    })
}

fn check_width(number: usize, source: &str, width: Option<usize>) -> Result<(), String> {
    match width {
        Some(width) if number > width => Err(format!(
            "{source} stands for a value that no task has: each has {width} (--colsep and --csv make columns, -N 2 \
             gives a task several values; with -I STRING, {source} stays as it is)"
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn os(words: &[&str]) -> Vec<OsString> {
        words.iter().map(OsString::from).collect()
    }

    fn new(words: &[&str]) -> Template {
        Template::new(&os(words), None, &Syntax::default()).unwrap()
    }

    fn filled(words: &[&str], values: &[&str]) -> Vec<String> {
        strings(new(words).fill(&os(values), 7, 2))
    }

    fn strings(words: Vec<OsString>) -> Vec<String> {
        words
            .into_iter()
            .map(|word| word.into_string().unwrap())
            .collect()
    }

    fn shell(line: &str, values: &[&str]) -> String {
        let template =
            Template::new(&os(&[line]), Some("sh".as_ref()), &Syntax::default()).unwrap();
        let words = strings(template.fill(&os(values), 7, 2));
        assert_eq!(words[..2], ["sh", "-c"]);
        words[2].clone()
    }

    fn refused(line: &str) -> String {
        Template::new(&os(&[line]), Some("sh".as_ref()), &Syntax::default()).unwrap_err()
    }

    #[test]
    fn a_placeholder_becomes_the_value_and_is_replaced_once() {
        assert_eq!(
            filled(&["echo", "{}"], &["x{}y{#}{1}"]),
            ["echo", "x{}y{#}{1}"]
        );
        assert_eq!(
            filled(&["printf", "[%s]", "a{}b{}"], &["$(id)"]),
            ["printf", "[%s]", "a$(id)b$(id)"]
        );
    }

    #[test]
    fn paths_number_and_slot_have_placeholders_of_their_own() {
        assert_eq!(
            filled(&["e", "{.} {/} {//} {/.}", "{#}-{%}"], &["a/b.c/d.tar.gz"]),
            ["e", "a/b.c/d.tar d.tar.gz a/b.c d.tar", "7-2"]
        );
        assert_eq!(filled(&["e", "{2/.}{1//}"], &["a/b", "c/d.e"]), ["e", "da"]);
    }

    #[test]
    fn a_command_without_a_placeholder_gets_all_values_at_its_end() {
        assert_eq!(
            filled(&["awk", "BEGIN{print \"${x}\"}"], &["1"]),
            ["awk", "BEGIN{print \"${x}\"}", "1"]
        );
        assert_eq!(
            filled(&["rm", "{0}{-1}{x", "{"], &["a", "b"]),
            ["rm", "{0}{-1}{x", "{", "a", "b"]
        );
        assert_eq!(filled(&["echo", "{#}"], &["a"]), ["echo", "7"]);
    }

    #[test]
    fn several_values_are_arguments_of_their_own_if_the_placeholder_is_a_whole_word() {
        assert_eq!(
            filled(&["e", "{}", "<{}>"], &["a b", "c"]),
            ["e", "a b", "c", "<a b c>"]
        );
        assert_eq!(filled(&["e", "{/}"], &["a/b", "c/d"]), ["e", "b", "d"]);
        assert_eq!(filled(&["e", "{1}-{2}", "{3}"], &["5"]), ["e", "5-", ""]);
    }

    #[test]
    fn the_first_word_can_be_a_placeholder() {
        assert_eq!(filled(&["./{}"], &["yes"]), ["./yes"]);
        assert_eq!(new(&["./{}"]).fixed_program(), None);
        assert_eq!(
            new(&["nosuch", "{}"]).fixed_program(),
            Some(OsStr::new("nosuch"))
        );
        assert_eq!(new(&[""]).fixed_program(), Some(OsStr::new("")));
    }

    #[test]
    fn with_a_text_of_its_own_nothing_else_is_replaced() {
        let syntax = Syntax {
            marker: Some("@".as_ref()),
            ..Syntax::default()
        };
        let template = Template::new(&os(&["e", "{}", "<@>", "{#}"]), None, &syntax).unwrap();
        assert_eq!(
            strings(template.fill(&os(&["a"]), 7, 2)),
            ["e", "{}", "<a>", "{#}"]
        );
        let empty = Syntax {
            marker: Some("".as_ref()),
            ..Syntax::default()
        };
        assert_eq!(
            Template::new(&os(&["e"]), None, &empty).unwrap_err(),
            "-I needs a text that stands for the value"
        );
    }

    #[test]
    fn columns_have_the_names_of_the_header() {
        let names = ["n", "a, b", "n.", "", "twice", "twice"].map(|name| name.as_bytes().to_vec());
        let syntax = Syntax {
            names: &names,
            width: Some(6),
            ..Syntax::default()
        };
        let fill = |word| {
            Template::new(&os(&["e", word]), None, &syntax).map(|template| {
                strings(template.fill(&os(&["x.1", "y/z", "dot"]), 1, 1))
                    .pop()
                    .unwrap()
            })
        };
        assert_eq!(fill("{n}+{a, b}+{a, b//}"), Ok("x.1+y/z+y".to_owned()));
        assert_eq!(fill("{n.}"), Ok("dot".to_owned()));
        assert_eq!(fill("{3}{print}"), Ok("dot{print}".to_owned()));
        assert_eq!(
            fill("{twice/}").unwrap_err(),
            "the header names two columns twice, so {twice} could be either: write {5} or {6}"
        );
    }

    #[test]
    fn a_column_beyond_what_tasks_are_known_to_have_is_an_error() {
        let syntax = Syntax {
            width: Some(2),
            ..Syntax::default()
        };
        assert_eq!(
            Template::new(&os(&["e", "x{5/}"]), None, &syntax).unwrap_err(),
            "{5/} stands for a value that no task has: each has 2 (--colsep and --csv make columns, -N 2 gives a task \
             several values; with -I STRING, {5/} stays as it is)"
        );
        assert_eq!(filled(&["e", "x{5}"], &["a", "b"]), ["e", "x"]);
    }

    #[test]
    fn values_in_a_shell_line_are_quoted_for_the_shell() {
        assert_eq!(
            shell("echo {} | tr a-z A-Z", &["it's"]),
            r"echo 'it'\''s' | tr a-z A-Z"
        );
        assert_eq!(
            shell("zcat {} | sort -u >out/{/.}", &["a/b.gz"]),
            "zcat 'a/b.gz' | sort -u >out/'b'"
        );
        assert_eq!(shell("a {1}{2}{3} {#}", &["b c", ""]), "a 'b c''''' 7");
        assert_eq!(
            shell("rm {} >{}; x-{}", &["a b", "c"]),
            "rm 'a b' 'c' >'a b c'; x-'a b c'"
        );
        assert_eq!(shell("cat -n ", &["a", "b"]), "cat -n 'a' 'b'");
        assert_eq!(shell("echo \"{#}\"", &["a"]), "echo \"7\"");
    }

    #[test]
    fn a_value_that_cannot_be_quoted_is_refused() {
        let quotes = "a placeholder is inside quotes in the command of --shell: take the quotes away, progrun sets \
 them";
        assert_eq!(refused("echo \"{}\""), quotes);
        assert_eq!(refused("echo '{1}'"), quotes);
        assert_eq!(
            refused("echo `cat {}`"),
            "a placeholder is inside backquotes in the command of --shell: write $(...) in place of them"
        );
        let unsure = "a placeholder in the command of --shell is where progrun cannot quote it for sure, such as in a \
                      comment, a here-document, ${...} or $((...)): begin with x={}; and use \"$x\" there";
        for line in [
            "echo # {}",
            "echo ${x:-{}}",
            "echo $((1+{}))",
            "cat <<E\n{}\nE",
        ] {
            assert_eq!(refused(line), unsure, "{line}");
        }
        let last = "the command of --shell has no placeholder, and no value can be added to its end: write {} where \
                    the value goes";
        for line in [
            "echo 'a",
            "echo a;",
            "echo # a",
            "a |",
            "echo \\",
            "",
            "cat <<E\nE\n",
        ] {
            assert_eq!(refused(line), last, "{line}");
        }
    }

    #[test]
    fn a_shell_line_is_one_word() {
        assert_eq!(
            Template::new(
                &os(&["echo", "{}"]),
                Some("sh".as_ref()),
                &Syntax::default()
            )
            .unwrap_err(),
            "--shell takes the command as one word: put it in quotes, as in --shell -- 'zcat {} | wc -l'"
        );
    }

    #[test]
    fn a_value_that_may_be_taken_for_an_option_is_found() {
        let found =
            |words: &[&str], value: &str| new(words).like_an_option(&os(&[value])).is_some();
        assert!(found(&["cat", "{}"], "-n"));
        assert!(found(&["cat"], "-n"));
        assert!(found(&["cat", "{/}"], "a/-n"));
        assert!(!found(&["cat", "--", "{}"], "-n"));
        assert!(!found(&["cat", "--"], "-n"));
        assert!(!found(&["cat", "./{}"], "-n"));
        assert!(!found(&["{}"], "-n"));
        assert!(!found(&["cat", "{}"], "a-n"));
        assert!(found(&["cat", "{}", "--"], "-n"));
        let found = |line: &str| {
            let template =
                Template::new(&os(&[line]), Some("sh".as_ref()), &Syntax::default()).unwrap();
            template.like_an_option(&os(&["-n"])).is_some()
        };
        assert!(found("cat {} | wc"));
        assert!(found("cat"));
        assert!(!found("cat -- {} | wc"));
        assert!(!found("cat ./{}"));
    }

    /// What the growths of the values add up to.
    fn size(template: &Template, values: &[OsString]) -> (usize, usize) {
        let mut lengths = template.lengths();
        let mut arguments = Vec::new();
        for (index, value) in values.iter().enumerate() {
            for growth in template.growth(index, value) {
                match growth {
                    Growth::Argument(length) => arguments.push(length),
                    Growth::Word(word, length) => lengths[word] += length,
                }
            }
        }
        lengths.extend(arguments);
        (lengths.len(), lengths.iter().sum())
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn the_size_of_a_command_is_never_underestimated(
            words in vec(prop::sample::select(vec![
                "a", "{}", "{//}", "-{}", "{}{1}", "{2}", "{#}", "{%}x", "{1/}", "{/.} {3}",
            ]), 1..5),
            values in vec("[a'/.\u{e4}]{0,6}", 1..5),
            in_shell: bool,
        ) {
            let line = [OsString::from(words.join(" "))];
            let words = os(&words);
            let words = if in_shell { &line[..] } else { &words[..] };
            let values: Vec<OsString> = values.iter().map(OsString::from).collect();
            let shell = in_shell.then_some(OsStr::new("sh"));
            let template = Template::new(words, shell, &Syntax::default()).unwrap();
            let (count, bytes) = size(&template, &values);
            let filled = template.fill(&values, u32::MAX, u32::MAX);
            prop_assert!(filled.len() <= count);
            prop_assert!(filled.iter().map(|word| word.len()).sum::<usize>() <= bytes);
        }

        #[test]
        fn what_is_no_placeholder_stays_as_it_is(word in "[a{}#%/.1x$ ]{0,10}") {
            let syntax = Syntax { marker: Some("@".as_ref()), ..Syntax::default() };
            let template = Template::new(&[OsString::from(&word)], None, &syntax).unwrap();
            prop_assert_eq!(template.fill(&[], 1, 1), [OsString::from(&word)]);
        }

        /// Runs shells, so the values are few: each runs a command wherever it is not in quotes of ours.
        #[test]
        fn no_value_is_read_as_a_command_wherever_the_shell_line_has_it(
            tokens in vec(prop::sample::select(vec![
                "echo ", "{}", "{}", "{}", " ", "'", "\"", "\"", "$(", "$(", ")", ")", "`", "\\", "#", " #", "\n",
                "${x:-", "}", "$((", "))", "<<E", "<<<", "(", "; ", "$", "$'", "case x in x) ", " ;; esac", "\nE\n",
                "a", "\\\n", "((", "$\"", "x=", "&&", "|", ">", "{ ", "; }\n", "${", "if :; then ", "; fi",
            ]), 1..14),
            value in prop::sample::select(vec![
                "$(: >mark)", "`: >mark`", "\n: >mark\n", "';: >mark;'", "\";: >mark;\"", "\nE\n: >mark\n",
                ");: >mark;(", "}\";: >mark\n", "\\';: >mark;\\'", "\\\";: >mark;\\\"",
            ]),
        ) {
            let line = tokens.concat();
            let Ok(template) = Template::new(&os(&[&line]), Some("sh".as_ref()), &Syntax::default()) else {
                return Ok(());
            };
            let folder = tempfile::tempdir().unwrap();
            for shell in ["sh", "bash"] {
                let words = template.fill(&os(&[value]), 1, 1);
                let _ = std::process::Command::new(shell)
                    .args(&words[1..])
                    .current_dir(folder.path())
                    .stdin(std::process::Stdio::null())
                    .output()
                    .unwrap();
                prop_assert!(!folder.path().join("mark").exists(), "{} {:?}", shell, words);
            }
        }
    }
}
