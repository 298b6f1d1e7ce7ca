//! `--from` and `--list-formats`: the names of formats and of programs on the command line.

use std::ffi::OsStr;
use std::io::{self, Write};

use clap::builder::{PossibleValue, TypedValueParser};
use clap::error::ErrorKind;
use clap::parser::ValueSource;

use crate::dialect::{Selection, formats, programs, programs_of, stands_for};

use super::mistakes::nearest;

/// The names that are no program's.
fn format_names() -> impl Iterator<Item = &'static str> {
    let names = formats().map(|format| format.name);
    ["auto", "none"].into_iter().chain(names)
}

fn names() -> impl Iterator<Item = &'static str> {
    format_names().chain(programs())
}

fn parse_name(text: &str) -> Result<String, String> {
    if names().any(|name| name == text) {
        return Ok(text.to_owned());
    }
    let meant =
        nearest(text, names()).map_or(String::new(), |name| format!("; did you mean '{name}'?"));
    Err(format!(
        "no format or program of this name is known{meant}\nFormats: {}\nThe names of programs, such as git, are in progrun --list-formats.",
        format_names().collect::<Vec<_>>().join(", ")
    ))
}

/// Takes one name of `--from`, and tells completions all of them.
#[derive(Clone)]
pub(super) struct NameParser;

impl TypedValueParser for NameParser {
    type Value = String;

    fn parse_ref(
        &self,
        command: &clap::Command,
        argument: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<String, clap::Error> {
        parse_name.parse_ref(command, argument, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        // One that is both a format and a program is offered once.
        let programs = programs().filter(|name| !format_names().any(|format| format == *name));
        let names = format_names().chain(programs);
        Some(Box::new(names.map(PossibleValue::new)))
    }
}

/// Checks that `auto` and `none` stand alone.
pub(super) fn check(from: &[String], source: Option<ValueSource>) -> Result<(), clap::Error> {
    let place = match source {
        Some(ValueSource::EnvVariable) => "PROGRUN_FROM=",
        _ => "--from ",
    };
    let alone = |name: &String| name == "auto" || name == "none";
    match from.iter().find(|name| alone(name)) {
        Some(name) if from.len() > 1 => Err(super::command().error(
            ErrorKind::ArgumentConflict,
            format!(
                "'{name}' in '{place}{}' cannot be combined with other names",
                from.join(",")
            ),
        )),
        _ => Ok(()),
    }
}

/// The selection that these names, which were checked, stand for.
pub(super) fn selection(from: &[String]) -> Selection {
    match from {
        [name] if name == "auto" => Selection::Auto,
        [name] if name == "none" => Selection::None,
        names => Selection::Only(
            formats()
                .map(|format| format.name)
                .filter(|format| names.iter().any(|name| stands_for(name, format)))
                .collect(),
        ),
    }
}

/// How long a line of programs can be, in bytes, so that the table fits a hundred columns.
const WIDEST: usize = 78;
/// What is before the first program.
const LABEL: &str = "for:  ";

/// Writes the table of `--list-formats`.
pub(super) fn list(out: &mut impl Write) -> io::Result<()> {
    let width = formats().map(|format| format.name.len()).max();
    let width = width.unwrap_or(0);
    for format in formats() {
        writeln!(out, "{:width$}  {}", format.name, format.about)?;
        if !format.switch.is_empty() {
            writeln!(out, "{:width$}  with: {}", "", format.switch)?;
        }
        // One of the same name goes without saying.
        let programs = programs_of(format.name).filter(|program| *program != format.name);
        let mut line = String::new();
        for program in programs {
            if line.len() + program.len() > WIDEST {
                writeln!(out, "{:width$}  {line},", "")?;
                " ".repeat(LABEL.len()).clone_into(&mut line);
            } else {
                line += if line.is_empty() { LABEL } else { ", " };
            }
            line += program;
        }
        if !line.is_empty() {
            writeln!(out, "{:width$}  {line}", "")?;
        }
    }
    writeln!(
        out,
        "\nFor --from, the name of a program after `for:` stands for the formats that read it."
    )?;
    Ok(())
}
