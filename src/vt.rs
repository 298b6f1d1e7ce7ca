//! What escape sequences mean: where text ends and they begin, colors, modes to undo, requests to a terminal, and what
//! a terminal would have on the lines that are drawn and drawn again. Knows no descriptor, and draws nothing.

#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod lexer;
pub(crate) mod line_buffer;
pub(crate) mod modes;
pub(crate) mod requests;
pub(crate) mod sgr;
pub(crate) mod transcript;

pub(crate) use self::lexer::{END_ANY, ESCAPE, Piece, Splitter, is_image};
