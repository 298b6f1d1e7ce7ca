//! Where in a shell line a value can be inserted in quotes of ours, and where it would be read as something else.
//!
//! Follows the line as far as quotes and nesting go. Whatever the shells do not agree on, or this file does not know,
//! ends its knowledge for the rest of the line: a value there is refused, as a wrong guess would let the value run
//! commands.

/// Reads a shell line piece by piece.
#[derive(Debug)]
pub(super) struct Context {
    nesting: Vec<Inside>,
    /// The byte before, as the shell counts it: a byte with a backslash is a letter.
    previous: u8,
    /// A backslash ends the last piece.
    is_escaped: bool,
    /// The letters of the word so far, as far as they can become `case`.
    word: Vec<u8>,
    /// A here-document begins with the next line.
    here_document: bool,
    is_lost: bool,
}

/// What surrounds the place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Inside {
    /// `( )`, `$( )`: commands, as on the outside.
    Commands,
    Single,
    /// `$' '`, whose backslashes not all shells know.
    Dollar,
    Double,
    Backquotes,
    /// `${ }`.
    Parameter,
    /// `$(( ))`, with this many parentheses open.
    Arithmetic(u32),
    Comment,
}

/// Why a value cannot stand here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    Quotes,
    Backquotes,
    Unsure,
}

impl Default for Context {
    fn default() -> Self {
        Self {
            nesting: Vec::new(),
            previous: b'\n',
            is_escaped: false,
            word: Vec::new(),
            here_document: false,
            is_lost: false,
        }
    }
}

impl Context {
    /// Takes in a value, which is in quotes: a piece of a word.
    pub(super) fn value(&mut self) -> Result<(), Refusal> {
        let nested = |inside| self.nesting.contains(&inside);
        let is_unsure = |inside: &Inside| {
            matches!(
                inside,
                Inside::Parameter | Inside::Arithmetic(_) | Inside::Comment
            )
        };
        // A quote after a dollar begins other quotes, and after a backslash none.
        let is_joined = self.is_escaped || self.previous == b'$';
        if self.is_lost || self.here_document || is_joined || self.nesting.iter().any(is_unsure) {
            return Err(Refusal::Unsure);
        }
        if nested(Inside::Backquotes) {
            // They take backslashes away, also those in single quotes.
            return Err(Refusal::Backquotes);
        }
        if !matches!(self.nesting.last(), None | Some(Inside::Commands)) {
            return Err(Refusal::Quotes);
        }
        self.letter();
        Ok(())
    }

    /// Takes in something that is a piece of a word wherever it stands: digits.
    pub(super) fn letter(&mut self) {
        self.is_escaped = false;
        self.previous = b'x';
        self.word.clear();
        self.word.push(b'x');
    }

    /// Takes in a piece of the line.
    pub(super) fn text(&mut self, text: &[u8]) {
        let mut rest = text;
        while let Some(byte) = rest.first().copied() {
            if self.is_lost {
                return;
            }
            if self.is_escaped {
                self.is_escaped = false;
                self.escaped(byte);
                rest = &rest[1..];
                continue;
            }
            let taken = match self.nesting.last().copied() {
                None | Some(Inside::Commands) => self.command(rest),
                Some(Inside::Double) => self.in_double(rest),
                Some(Inside::Parameter) => self.in_parameter(rest),
                Some(Inside::Single) => self.until(byte, b'\''),
                Some(Inside::Dollar) => {
                    self.is_lost = byte == b'\\';
                    self.until(byte, b'\'')
                }
                Some(Inside::Backquotes) => {
                    self.is_escaped = byte == b'\\';
                    self.until(byte, b'`')
                }
                Some(Inside::Comment) => self.in_comment(byte),
                Some(Inside::Arithmetic(open)) => self.in_arithmetic(byte, open),
            };
            rest = &rest[taken..];
        }
    }

    /// A byte behind a backslash.
    fn escaped(&mut self, byte: u8) {
        if byte != b'\n' {
            self.previous = b'x';
            self.word.push(b'x');
        } else if matches!(self.previous, b'$' | b'<' | b'(') {
            // The line goes on, and the two halves of an operator come together.
            self.is_lost = true;
        }
    }

    fn until(&mut self, byte: u8, end: u8) -> usize {
        if byte == end {
            self.leave();
        }
        1
    }

    fn enter(&mut self, inside: Inside, taken: usize) -> usize {
        self.nesting.push(inside);
        self.word.clear();
        self.previous = if inside == Inside::Commands {
            b'('
        } else {
            b'x'
        };
        taken
    }

    fn leave(&mut self) {
        self.nesting.pop();
        self.previous = b'x';
        self.word.push(b'x');
    }

    /// What a dollar or a backquote begins, outside and in double quotes alike.
    fn expansion(&mut self, rest: &[u8]) -> Option<usize> {
        match rest {
            [b'`', ..] => Some(self.enter(Inside::Backquotes, 1)),
            [b'$', b'(', b'(', ..] => Some(self.enter(Inside::Arithmetic(2), 3)),
            [b'$', b'(', ..] => Some(self.enter(Inside::Commands, 2)),
            [b'$', b'{', ..] => Some(self.enter(Inside::Parameter, 2)),
            [b'$', b'[', ..] => {
                self.is_lost = true;
                Some(2)
            }
            _ => None,
        }
    }

    fn command(&mut self, rest: &[u8]) -> usize {
        if let Some(taken) = self.expansion(rest) {
            return taken;
        }
        let byte = rest[0];
        match byte {
            b'\\' => {
                self.is_escaped = true;
                return 1;
            }
            b'\'' if self.previous == b'$' => return self.enter(Inside::Dollar, 1),
            b'\'' => return self.enter(Inside::Single, 1),
            b'"' => return self.enter(Inside::Double, 1),
            // Behind `( )` it begins a comment, and behind `$( )` it is a piece of a word.
            b'#' if self.previous == b')' => {
                self.is_lost = true;
                return 1;
            }
            b'#' if is_boundary(self.previous) => return self.enter(Inside::Comment, 1),
            _ => {}
        }
        if !is_boundary(byte) {
            self.previous = byte;
            if self.word.len() < 8 {
                self.word.push(byte);
            }
            return 1;
        }
        // The parentheses of its patterns have no partner.
        self.is_lost |= self.word == b"case" && !self.nesting.is_empty();
        self.word.clear();
        self.previous = byte;
        match rest {
            [b'(', b'(', ..] => return self.enter(Inside::Arithmetic(2), 2),
            [b'(', ..] => return self.enter(Inside::Commands, 1),
            [b')', ..] => {
                self.nesting.pop();
            }
            [b'<', b'<', b'<', ..] => return 3,
            [b'<', b'<', ..] => {
                self.here_document = true;
                return 2;
            }
            [b'\n', ..] => self.is_lost |= self.here_document,
            _ => {}
        }
        1
    }

    fn in_double(&mut self, rest: &[u8]) -> usize {
        if let Some(taken) = self.expansion(rest) {
            return taken;
        }
        match rest[0] {
            b'\\' => self.is_escaped = true,
            b'"' => self.leave(),
            _ => {}
        }
        1
    }

    fn in_parameter(&mut self, rest: &[u8]) -> usize {
        if let Some(taken) = self.expansion(rest) {
            return taken;
        }
        let is_quoted = self.nesting.contains(&Inside::Double);
        match rest[0] {
            b'\\' => self.is_escaped = true,
            b'}' => self.leave(),
            b'"' if !is_quoted => return self.enter(Inside::Double, 1),
            // Whether these are quotes depends on the shell and on the operator.
            b'"' | b'\'' => self.is_lost = true,
            _ => {}
        }
        1
    }

    fn in_comment(&mut self, byte: u8) -> usize {
        if byte == b'\n' {
            self.nesting.pop();
            self.previous = b'\n';
            self.is_lost |= self.here_document;
        }
        1
    }

    fn in_arithmetic(&mut self, byte: u8, open: u32) -> usize {
        let open = match byte {
            b'(' => open + 1,
            b')' => open - 1,
            b'"' | b'\'' | b'`' | b'\\' | b'#' => {
                self.is_lost = true;
                open
            }
            _ => open,
        };
        if open == 0 {
            self.leave();
        } else if let Some(inside) = self.nesting.last_mut() {
            *inside = Inside::Arithmetic(open);
        }
        1
    }
}

/// Whether a word ends before this byte, and one can begin after it.
pub(super) fn is_boundary(byte: u8) -> bool {
    matches!(
        byte,
        b' ' | b'\t' | b'\n' | b';' | b'&' | b'|' | b'<' | b'>' | b'(' | b')'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said of the value at `@`.
    fn at(line: &str) -> Result<(), Refusal> {
        let (before, _) = line.split_once('@').unwrap();
        let mut context = Context::default();
        context.text(before.as_bytes());
        context.value()
    }

    #[test]
    fn a_value_can_stand_wherever_a_word_can() {
        for line in [
            "@",
            "echo @",
            "x=@",
            "'a'@",
            "\"a\"@",
            r#""a\"b" @"#,
            r"'a\' @",
            r"a\'b @",
            "$(echo @)",
            r#""$(echo @)""#,
            r#""$(echo "$(cat @)")""#,
            r#"echo "$(echo ")" )" @"#,
            "(cd @)",
            "${x} @",
            r#"${x:-"}"} @"#,
            "$((1 + (2))) @",
            "`date` @",
            "echo a#@",
            "cat <<<@",
            "case x in a) echo @",
            "$'a' @",
            "# c\necho @",
            "a; # it's\n b @",
            "$# @",
            "x >@",
        ] {
            assert_eq!(at(line), Ok(()), "{line}");
        }
    }

    #[test]
    fn a_value_inside_quotes_is_refused() {
        for line in [
            "\"@\"",
            "'@'",
            "'a @",
            r#""\"@"#,
            r#""$(echo "@")""#,
            r#""$(echo) @""#,
            r#"'a'"'@"#,
            "$'@'",
        ] {
            assert_eq!(at(line), Err(Refusal::Quotes), "{line}");
        }
        assert_eq!(at("`echo @`"), Err(Refusal::Backquotes));
        assert_eq!(at("`echo $(cat @)`"), Err(Refusal::Backquotes));
    }

    #[test]
    fn where_shells_do_not_agree_a_value_is_refused() {
        for line in [
            r"\@",
            "$@",
            "echo # @",
            "# @",
            "(:)#@",
            "$(:)#\"\n@",
            "cat <<EOF\n@\nEOF",
            "cat <<EOF\nEOF\necho @",
            "cat <<@",
            "cat <<-@",
            "${x:-@}",
            "${x:-$(echo @)}",
            r#""${x:-'} @"#,
            r#""${x:-"a"}" @"#,
            "$((1 + @))",
            "((@))",
            "$[@]",
            r"$'a\' @",
            r#""$(case x in a) echo "@" ;; esac)""#,
            "echo \\\n# @",
            "echo $\\\n{x:-@}",
        ] {
            assert_eq!(at(line), Err(Refusal::Unsure), "{line}");
        }
    }
}
