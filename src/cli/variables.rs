//! Environment variables that stand for options. Corrects two mistakes of clap: it takes an empty variable for a value,
//! and its message about a wrong value in a variable blames the option.

use std::ffi::OsString;

use clap::builder::Resettable;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Command};

use super::command;

/// An empty variable means unset to its user; clap would read it as an empty value.
pub(super) fn without_empty(argument: Arg) -> Arg {
    let value = argument.get_env().and_then(std::env::var_os);
    if value.is_some_and(|value| value.is_empty()) {
        argument.env(Resettable::Reset)
    } else {
        argument
    }
}

/// The definition of a command line to which no variable adds.
pub(super) fn without_any(command: Command) -> Command {
    command
        .mut_args(without)
        .mut_subcommands(|form| form.mut_args(without))
}

/// The option, for which no variable stands.
pub(super) fn without(argument: Arg) -> Arg {
    argument.env(Resettable::Reset)
}

/// Blames the environment variable, not the option: the user never typed the option.
pub(super) fn blame(mut error: clap::Error, words: &[OsString]) -> clap::Error {
    if without_any(command()).try_get_matches_from(words).is_err() {
        return error;
    }
    let is_it = |argument: &&Arg| match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(option)) => argument.to_string() == *option,
        // clap names no argument if the value is not UTF-8.
        _ => argument
            .get_env()
            .and_then(std::env::var_os)
            .is_some_and(|value| value.to_str().is_none()),
    };
    let mut command = command();
    command.build();
    let form = words.get(1).and_then(|word| command.find_subcommand(word));
    let arguments = form.unwrap_or(&command).get_arguments();
    let variable = arguments
        .into_iter()
        .find(|it| is_it(it))
        .and_then(Arg::get_env);
    let Some(variable) = variable.map(|name| name.to_string_lossy().into_owned()) else {
        return error;
    };
    if error.kind() == ErrorKind::InvalidUtf8 {
        return command.error(
            error.kind(),
            format!("the value of {variable} is not UTF-8"),
        );
    }
    error.insert(ContextKind::InvalidArg, ContextValue::String(variable));
    error
}
