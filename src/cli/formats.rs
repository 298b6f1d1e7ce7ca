//! `--from` and `--list-formats`: the names of other programs' formats on the command line.

use std::io::{self, Write};

use clap::builder::PossibleValuesParser;
use clap::error::ErrorKind;
use clap::parser::ValueSource;

use crate::dialect::{Selection, formats};

/// The values that `--from` takes.
pub(super) fn names() -> PossibleValuesParser {
    let names = formats().map(|format| format.name);
    PossibleValuesParser::new(["auto", "none"].into_iter().chain(names))
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
                .filter(|name| names.iter().any(|wanted| wanted == name))
                .collect(),
        ),
    }
}

/// Writes the table of `--list-formats`.
pub(super) fn list(out: &mut impl Write) -> io::Result<()> {
    let width = formats().map(|format| format.name.len()).max();
    let width = width.unwrap_or(0);
    for format in formats() {
        writeln!(out, "{:width$}  {}", format.name, format.about)?;
        if !format.switch.is_empty() {
            writeln!(out, "{:width$}  with: {}", "", format.switch)?;
        }
    }
    Ok(())
}
