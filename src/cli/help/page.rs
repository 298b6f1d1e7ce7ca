//! A manual page as plain text, where no man is there to show it, or a program reads it. Knows the macros of man(7) and
//! tbl(1) that our own pages use, and no others.

use std::fmt::Write as _;

/// How far the text of a section stands from the left edge, and a paragraph from its tag.
const INDENT: usize = 7;
/// The same of the title of a subsection.
const SUBSECTION: usize = 3;
/// What stands between two columns of a table.
const GAP: usize = 3;
/// A blank at which no line is broken.
const TIED: char = '\u{a0}';

/// The text of the page, in lines of at most so many columns where words allow it.
pub(super) fn text(page: &str, width: usize) -> String {
    let mut text = Text {
        width,
        margin: INDENT,
        ..Text::default()
    };
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        if line == ".TS" {
            text.flush();
            let rows = rows(lines.by_ref().take_while(|line| *line != ".TE"));
            text.table(&rows);
        } else {
            text.take(line);
        }
    }
    text.flush();
    text.out
}

/// The words of a text in lines of at most so many columns.
pub(super) fn fill(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let is_blank = |character: char| character.is_whitespace() && character != TIED;
    for word in text.split(is_blank).filter(|word| !word.is_empty()) {
        match lines.last_mut() {
            Some(line) if columns(line) + 1 + columns(word) <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    for line in &mut lines {
        *line = line.replace(TIED, " ");
    }
    lines
}

/// The characters of our pages have a column each.
fn columns(text: &str) -> usize {
    text.chars().count()
}

#[derive(Default)]
struct Text {
    out: String,
    width: usize,
    /// Where paragraphs begin, and those around that of .RS.
    margin: usize,
    outer: Vec<usize>,
    /// How much further in the paragraph stands than its tag.
    hang: usize,
    tag: Option<String>,
    /// The next line is a tag.
    before_tag: bool,
    paragraph: String,
    verbatim: bool,
}

impl Text {
    fn take(&mut self, line: &str) {
        let (request, rest) = line.split_once(' ').unwrap_or((line, ""));
        match request {
            // Comments, and a definition for old versions of troff.
            ".\\\"" | "'\\\"" | ".ie" | ".el" | ".TH" => {}
            ".SH" => self.title(rest, 0),
            ".SS" => self.title(rest, SUBSECTION),
            ".PP" => self.begin(0),
            ".sp" => self.gap(),
            ".br" => self.flush(),
            ".TP" => {
                self.begin(INDENT);
                self.before_tag = true;
            }
            ".IP" => {
                let words = arguments(rest);
                let hang = words.get(1).and_then(|hang| hang.parse().ok());
                self.begin(hang.unwrap_or(INDENT));
                self.tag = words.first().map(|tag| plain(tag));
            }
            ".RS" => {
                self.flush();
                self.outer.push(self.margin);
                self.margin += rest.parse().unwrap_or(INDENT);
                self.hang = 0;
            }
            ".RE" => {
                self.flush();
                self.margin = self.outer.pop().unwrap_or(INDENT);
                self.hang = 0;
            }
            ".EX" | ".EE" => {
                self.flush();
                self.verbatim = request == ".EX";
            }
            ".B" | ".I" => self.words(&plain(&arguments(rest).join(" "))),
            ".BR" | ".BI" | ".RB" | ".RI" | ".IR" => {
                self.words(&plain(&arguments(rest).concat()));
            }
            _ => self.words(&plain(line)),
        }
    }

    fn words(&mut self, words: &str) {
        if self.verbatim {
            self.line(self.margin + self.hang, &words.replace(TIED, " "));
        } else if std::mem::take(&mut self.before_tag) {
            self.tag = Some(words.to_owned());
        } else {
            self.paragraph.push_str(words);
            self.paragraph.push('\n');
        }
    }

    fn title(&mut self, title: &str, column: usize) {
        self.margin = INDENT;
        self.begin(0);
        self.line(column, &plain(&arguments(title).join(" ")));
    }

    /// Begins a paragraph.
    fn begin(&mut self, hang: usize) {
        self.gap();
        self.hang = hang;
    }

    /// Leaves a line free, but none below a title, nor two.
    fn gap(&mut self) {
        self.flush();
        let last = self.out.lines().next_back().unwrap_or("");
        let is_title = last.starts_with(|character| character != ' ')
            || last.starts_with("   ") && !last.starts_with("    ");
        if !last.is_empty() && !is_title {
            self.out.push('\n');
        }
    }

    /// Writes what is there of the paragraph.
    fn flush(&mut self) {
        let column = self.margin + self.hang;
        let paragraph = std::mem::take(&mut self.paragraph);
        let mut lines = fill(&paragraph, self.width.saturating_sub(column)).into_iter();
        if let Some(tag) = self.tag.take() {
            // A tag that leaves room for it stands in the line of the first words.
            let room = self.hang.saturating_sub(columns(&tag) + 1);
            let first = if room > 0 || columns(&tag) < self.hang {
                lines.next()
            } else {
                None
            };
            let line = format!("{tag:hang$}{}", first.unwrap_or_default(), hang = self.hang);
            self.line(self.margin, line.trim_end());
        }
        for line in lines {
            self.line(column, &line);
        }
    }

    fn line(&mut self, column: usize, line: &str) {
        if !line.is_empty() {
            self.out.extend(std::iter::repeat_n(' ', column));
            self.out.push_str(line);
        }
        self.out.push('\n');
    }

    /// Writes a table: the widest columns give way until it fits.
    fn table(&mut self, rows: &[Vec<String>]) {
        let count = rows.iter().map(Vec::len).max().unwrap_or(0);
        let widest = |column: usize| {
            let cells = rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| columns(cell)).max().unwrap_or(0)
        };
        let mut widths: Vec<_> = (0..count).map(widest).collect();
        let margin = self.margin + self.hang;
        while margin + widths.iter().sum::<usize>() + GAP * (count - 1) > self.width {
            match widths.iter_mut().max() {
                Some(width) if *width > 1 => *width -= 1,
                _ => break,
            }
        }
        self.gap();
        for row in rows {
            let cells = row.iter().zip(&widths);
            let cells: Vec<_> = cells.map(|(cell, width)| fill(cell, *width)).collect();
            for index in 0..cells.iter().map(Vec::len).max().unwrap_or(0) {
                let mut line = String::new();
                for (cell, width) in cells.iter().zip(&widths) {
                    let text = cell.get(index).map_or("", String::as_str);
                    let _ = write!(line, "{text:width$}{:GAP$}", "");
                }
                self.line(margin, line.trim_end());
            }
        }
    }
}

/// The cells of a table, whose format comes before them and ends with a full stop.
fn rows<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<Vec<String>> {
    let mut rows = vec![vec![String::new()]];
    // Between T{ and T}, a cell has several lines.
    let mut is_open = false;
    for line in lines.skip_while(|line| !line.ends_with('.')).skip(1) {
        for (index, part) in line.split('\t').enumerate() {
            let row = rows.last_mut().expect("the table begins with a row");
            if index > 0 {
                row.push(String::new());
            }
            let cell = row.last_mut().expect("a row begins with a cell");
            match part {
                "T{" => is_open = true,
                "T}" => is_open = false,
                part => {
                    cell.push_str(if cell.is_empty() { "" } else { " " });
                    cell.push_str(&plain(part));
                }
            }
        }
        if !is_open {
            rows.push(vec![String::new()]);
        }
    }
    rows.pop();
    rows
}

/// The arguments of a macro: words, or what stands between quotes.
fn arguments(line: &str) -> Vec<String> {
    let mut arguments = Vec::new();
    let mut rest = line.trim_start();
    while !rest.is_empty() {
        let (argument, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => word(rest),
        };
        arguments.push(argument.to_owned());
        rest = after.trim_start();
    }
    arguments
}

/// The first word of a line, in which `\ ` is no end.
fn word(line: &str) -> (&str, &str) {
    let mut is_escaped = false;
    let end = line.find(|character| {
        let is_end = character == ' ' && !is_escaped;
        is_escaped = character == '\\' && !is_escaped;
        is_end
    });
    line.split_at(end.unwrap_or(line.len()))
}

/// A line without its escape sequences.
fn plain(line: &str) -> String {
    let mut text = String::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once('\\') {
        text.push_str(before);
        let name = |length| after.get(..length).unwrap_or("");
        let (replacement, length) = match name(1) {
            "(" => (character(after.get(1..).unwrap_or("")), 3),
            // A string.
            "*" => (character(after.get(2..).unwrap_or("")), 4),
            "f" => ("", 2),
            "&" => ("", 1),
            "e" | "\\" => ("\\", 1),
            "~" | " " => ("\u{a0}", 1),
            // A hyphen or anything else that stands for itself.
            other => (other, other.len()),
        };
        text.push_str(replacement);
        rest = after.get(length..).unwrap_or("");
    }
    text.push_str(rest);
    text
}

/// The character that the first two letters name.
fn character(name: &str) -> &'static str {
    match name.get(..2) {
        Some("dq" | "lq" | "rq") => "\"",
        Some("aq" | "Aq") => "'",
        Some("bu") => "*",
        _ => "?",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_becomes_text_with_its_paragraphs_lists_and_examples() {
        let page = r#"'\" t
.\" A comment.
.ie \n(.g .ds Aq \(aq
.el .ds Aq '
.TH X 1
.SH NAME
x \- says \(dqx\(dq
.SH THE OPTIONS
.SS In short
Words that
.B go on
and
.BR on ,
.RI [ ARG ]...
.PP
A second paragraph.
.TP
\fB\-a\fR
A short tag.
.TP
.BR \-\-long " " NAME
A long tag
.sp
and two paragraphs.
.RS 14
.IP \(bu 2
a point of a list
.IP \(bu 2
another
.RE
.PP
.EX
echo \(aq  a\enb\(aq    # \*(Aqc\*(Aq

done
.EE"#;
        assert_eq!(
            text(page, 32),
            "\
NAME
       x - says \"x\"

THE OPTIONS
   In short
       Words that go on and on,
       [ARG]...

       A second paragraph.

       -a     A short tag.

       --long NAME
              A long tag

              and two
              paragraphs.

                     * a point
                       of a list

                     * another

       echo '  a\\nb'    # 'c'

       done
"
        );
    }

    #[test]
    fn a_table_fits_if_its_widest_columns_give_way() {
        let page = "\
.SH STATUS
.TS
lb lx.
0\tall is well
130, 143\tT{
The run was stopped by
\\fBCtrl\\-C\\fP.
T}
T{
any other
T}\tT{
wrong
T}
.TE
The end.";
        assert_eq!(
            text(page, 34),
            "\
STATUS
       0           all is well
       130, 143    The run was
                   stopped by
                   Ctrl-C.
       any other   wrong
       The end.
"
        );
    }
}
