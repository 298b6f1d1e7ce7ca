//! The effect of a sequence on the buffer, and whether it goes on to the terminal. Does not know how lines and
//! columns are kept.

use std::borrow::Cow;

use crate::vt::lexer::{ESCAPE, Piece, Splitter, is_image, numbers};

use super::row::WIDEST;
use super::{Change, LineBuffer};

impl LineBuffer {
    pub(crate) fn csi(&mut self, parameters: &[u8], last: u8, change: &mut Change) {
        let mut given = numbers(parameters);
        let first = given.next().unwrap_or(0);
        let many = first.max(1);
        match (parameters, last) {
            (b"" | b"0", b'K') if self.is_at_end() => self.keep(b"\x1b[K"),
            (_, b'K') => {
                self.draw(change);
                let column = self.column;
                match first {
                    0 => self.cells().erase(column, usize::MAX),
                    1 => self.cells().erase(0, column + 1),
                    _ => self.cells().erase(0, usize::MAX),
                }
            }
            (b"" | b"0", b'J') if self.elsewhere != Some(0) || self.column > 0 => {
                self.erase_below(change);
            }
            (b"" | b"0" | b"2" | b"3", b'J') => self.clear(change),
            (_, b'X') => {
                self.draw(change);
                let column = self.column;
                self.cells().erase(column, column.saturating_add(many));
            }
            (_, b'G' | b'`') => self.go_to(many - 1, change),
            (_, b'C') => {
                self.draw(change);
                // Down to the end of the screen. Rows beyond it exist already, further down.
                let last = if self.column < self.width {
                    self.width - 1
                } else {
                    WIDEST
                };
                self.column = self.column.saturating_add(many).min(last);
            }
            (_, b'D') => {
                self.draw(change);
                self.column = self.column.saturating_sub(many);
            }
            (_, b'A' | b'F') => {
                self.up(many, change);
                if last == b'F' {
                    self.column = 0;
                }
            }
            (_, b'B' | b'E') => {
                self.down(many, change);
                if last == b'E' {
                    self.column = 0;
                }
            }
            (_, b'H' | b'f') => {
                self.elsewhere = Some(many - 1);
                self.column = (given.next().unwrap_or(0).max(1) - 1).min(self.width - 1);
            }
            (_, b'd') => self.elsewhere = Some(many - 1),
            // DECSTBM: a status line was reserved or released.
            (_, b'r') => self.state = None,
            (b"", b's') => self.save(),
            (b"", b'u') => self.restore(),
            // The cursor, line breaks, keys, and the window's title. A terminal answers none of these.
            (b"?1" | b"?7" | b"?12" | b"?25" | b"?2004", b'h' | b'l') => {
                change.pass_aside(parameters, last);
            }
            (shape, b'q') if shape.strip_suffix(b" ").is_some_and(is_number) => {
                change.pass_aside(parameters, last);
            }
            (_, b't') if first == 22 || first == 23 => change.pass_aside(parameters, last),
            // Everything else: questions, which the worker answers, and what would leave marks on our part of the
            // screen.
            _ => {}
        }
    }

    pub(crate) fn escape(&mut self, sequence: &[u8], change: &mut Change) {
        match sequence {
            b"7" => self.save(),
            b"8" => self.restore(),
            b"M" => self.up(1, change),
            b"D" | b"E" => self.line_feed(change),
            b"=" | b">" => change
                .aside
                .extend_from_slice(&[b"\x1b", sequence].concat()),
            _ => {}
        }
    }

    pub(crate) fn string(&mut self, content: &[u8], written: &[u8], change: &mut Change) {
        let Some(passed) = passed(content, written) else {
            return;
        };
        if is_image(content) {
            // An image has its place, and takes rows of the screen.
            self.give_as_is(&passed, change);
        } else {
            change.aside.extend_from_slice(&passed);
        }
    }

    /// Part of a string that is too long to be kept: its beginning decides, and it passes as it comes.
    pub(crate) fn long(&mut self, begins: bool, written: &[u8], change: &mut Change) {
        if !begins {
            if self.passes {
                self.give_as_is(written, change);
            }
            return;
        }
        let content = written.strip_prefix(b"\x1b").unwrap_or(written);
        let passed = passed(content, written);
        self.passes = passed.is_some();
        if let Some(passed) = passed {
            self.give_as_is(&passed, change);
        }
    }
}

impl Change {
    fn pass_aside(&mut self, parameters: &[u8], last: u8) {
        self.aside
            .extend_from_slice(&[b"\x1b[", parameters, &[last]].concat());
    }
}

fn is_number(text: &[u8]) -> bool {
    text.iter().all(u8::is_ascii_digit)
}

/// The part of a string that goes to the terminal; none if nothing does. The child cannot read the terminal's answer,
/// which would be typed into the next program that reads. So only those strings pass that no terminal is known to
/// answer.
fn passed<'a>(content: &[u8], written: &'a [u8]) -> Option<Cow<'a, [u8]>> {
    let passes = match content.split_first()? {
        (b']', command) => command_passes(command),
        (b'_', [b'G', ..]) => return graphics(written),
        (b'P', string) if string.starts_with(b"tmux;") => wrapped_passes(&string[5..]),
        // Sixels, and a frame that is held back until it is complete (synchronized output).
        (b'P', string) => {
            is_image(content) || string.starts_with(b"=1s") || string.starts_with(b"=2s")
        }
        // No terminal knows another string of these kinds.
        _ => true,
    };
    passes.then_some(Cow::Borrowed(written))
}

/// Whether an operating system command (OSC) passes.
fn command_passes(command: &[u8]) -> bool {
    let mut words = command.splitn(2, |byte| *byte == b';');
    let number = words.next().unwrap_or_default();
    let rest = words.next().unwrap_or_default();
    let Some(number) = std::str::from_utf8(number)
        .ok()
        .and_then(|number| number.parse().ok())
    else {
        return false;
    };
    // A question mark instead of a value, or after the name of one.
    let asks = || {
        let mut values = rest.split(|byte| matches!(byte, b';' | b'=' | b','));
        values.any(|value| value == b"?")
    };
    match number {
        // Titles, the folder, links, and marks of a shell.
        0..=2 | 7 | 8 | 133 | 633 | 777 => true,
        // Progress (OSC 9;4), for which two writers would fight, or a notification.
        9 => !rest.starts_with(b"4;") && rest != b"4",
        // Colors, the pointer, fonts, and the clipboard.
        4 | 5 | 10..=19 | 21 | 22 | 50 | 52 | 104..=119 => !asks(),
        // A notification that is only shown.
        99 => {
            let how = rest.split(|byte| *byte == b';').next().unwrap_or_default();
            let mut how = how.split(|byte| *byte == b':');
            how.all(|word| {
                matches!(
                    word,
                    b"" | [
                        b'i' | b'd' | b'e' | b'u' | b'o' | b'f' | b't' | b'n' | b's' | b'w',
                        b'=',
                        ..
                    ] | b"p=title"
                        | b"p=body"
                        | b"p=close"
                        | b"p=icon"
                        | b"p=buttons"
                )
            })
        }
        1337 => {
            let known = [
                "File=",
                "MultipartFile=",
                "FilePart=",
                "FileEnd",
                "SetMark",
                "CurrentDir=",
                "RemoteHost=",
                "SetBadgeFormat=",
                "SetUserVar=",
                "ShellIntegrationVersion=",
                "RequestAttention=",
                "CursorShape=",
                "SetColors=",
                "SetProfile=",
                "HighlightCursorLine=",
                "ClearScrollback",
                "Copy=",
                "CopyToClipboard=",
                "EndCopy",
            ];
            known.iter().any(|known| rest.starts_with(known.as_bytes()))
        }
        _ => false,
    }
}

/// A string for the terminal around tmux passes if each of its sequences would.
fn wrapped_passes(string: &[u8]) -> bool {
    let mut inner = Vec::with_capacity(string.len());
    let mut rest = string.iter().copied().peekable();
    while let Some(byte) = rest.next() {
        inner.push(byte);
        if byte == ESCAPE {
            rest.next_if_eq(&ESCAPE);
        }
    }
    let (mut splitter, mut rest) = (Splitter::default(), &inner[..]);
    while let Some(piece) = splitter.next(&mut rest) {
        let passes = match piece {
            Piece::String { content, written } => {
                !content.starts_with(b"Ptmux;")
                    && matches!(passed(content, written), Some(Cow::Borrowed(_)))
            }
            Piece::Long { .. } | Piece::Csi { last: b'm', .. } | Piece::Escape(b"\\") => true,
            _ => false,
        };
        if !passes {
            return false;
        }
    }
    true
}

/// An image of kitty's protocol, with the request not to answer it.
fn graphics(written: &[u8]) -> Option<Cow<'_, [u8]>> {
    let begin = b"\x1b_G".len();
    let all = written.get(begin..)?;
    let end = all.iter().position(|byte| matches!(*byte, b';' | ESCAPE));
    let (control, rest) = all.split_at(end.unwrap_or(all.len()));
    let keys = || control.split(|byte| *byte == b',');
    if keys().any(|key| key == b"a=q") {
        return None;
    }
    // kitty answers only images that have a number.
    if !keys().any(|key| matches!(key, [b'i' | b'I', b'=', ..])) || keys().any(|key| key == b"q=2")
    {
        return Some(Cow::Borrowed(written));
    }
    let others: Vec<_> = keys().filter(|key| !key.starts_with(b"q=")).collect();
    let quiet = [&written[..begin], &others.join(&b','), b",q=2", rest].concat();
    Some(Cow::Owned(quiet))
}

#[cfg(test)]
mod tests {
    use super::super::*;

    /// The part of these pieces that goes to the terminal.
    fn given(written: &[u8]) -> Vec<u8> {
        let (mut page, mut change) = (LineBuffer::default(), Change::default());
        page.write(written, &mut change);
        page.flush(&mut change);
        [change.aside, change.done].concat()
    }

    #[test]
    fn what_a_terminal_answers_does_not_reach_it() {
        for asked in [
            "\x1b[6n",
            "\x1b[5n",
            "\x1b[?6n",
            "\x1b[?996n",
            "\x1b[c",
            "\x1b[>c",
            "\x1b[=c",
            "\x1b[>q",
            "\x1b[>0q",
            "\x1b[?2026$p",
            "\x1b[4$p",
            "\x1b[14t",
            "\x1b[18t",
            "\x1b[19t",
            "\x1b[21t",
            "\x1b[11t",
            "\x1b[x",
            "\x1b[?u",
            "\x1b[?4m",
            "\x1b[1$w",
            "\x1b[?1;1;0S",
            "\x1b[1;1;1;1;1;1*y",
            "\x1b[&u",
            "\x1bZ",
            "\x05",
            "\x1b[?1004h",
            "\u{9b}6n",
            "\u{9b}c",
            "\u{9a}",
            "\u{9d}11;?\u{9c}",
            "\u{90}$qm\u{9c}",
            "\u{90}+q544e\x1b\\",
            "\x1bP$qm\x1b\\",
            "\x1bP+q544e\x1b\\",
            "\x1bP>|\x1b\\",
            "\x1bPpR(P)\x1b\\",
            "\x1b]4;1;?\x07",
            "\x1b]4;1;red;2;?\x1b\\",
            "\x1b]10;?\x07",
            "\x1b]11;?\x07",
            "\x1b]12;?\x1b\\",
            "\x1b]21;foreground=?\x07",
            "\x1b]52;c;?\x07",
            "\x1b]60\x07",
            "\x1b]60;allowWindowOps\x07",
            "\x1b]50;?\x07",
            "\x1b]99;i=1:p=?;\x1b\\",
            "\x1b]99;i=1:a=report;text\x1b\\",
            "\x1b]99;i=1:c=1;text\x1b\\",
            "\x1b]99;i=1:p=alive;\x1b\\",
            "\x1b]1337;ReportCellSize\x07",
            "\x1b]1337;ReportVariable=abc\x07",
            "\x1b]1337;RequestUpload=format=tgz\x07",
            "\x1b]1337;Capabilities\x07",
            "\x1b]5522;type=read;\x1b\\",
            "\x1b]9999;?\x07",
            "\x1b_Ga=q,i=1;AAAA\x1b\\",
            "\x1bPtmux;\x1b\x1b[6n\x1b\\",
            "\x1bPtmux;\x1b\x1b]11;?\x07\x1b\\",
        ] {
            assert_eq!(given(asked.as_bytes()), b"", "{asked:?}");
        }
        let long = format!("\x1b]4;{}?\x07", "1;?;".repeat(10_000));
        assert_eq!(given(long.as_bytes()), b"");
    }

    #[test]
    fn a_lone_byte_asks_only_a_terminal_whose_character_set_is_not_utf_8() {
        for asked in [
            &b"\x9b6n"[..],
            b"\x9d11;?\x07",
            b"\x9d11;?\x9c",
            b"\x90$qm\x9c",
            b"\x9a",
        ] {
            let (mut page, mut change) = (LineBuffer::default(), Change::default());
            page.eight_bits(true);
            page.write(asked, &mut change);
            page.flush(&mut change);
            assert_eq!([change.aside, change.done].concat(), b"", "{asked:?}");
        }
        // Text in another encoding, here "Ä1" in code page 437 and the like.
        for text in [
            &b"\x9b6n and \x9d, \x90\x9a\n"[..],
            b"\x9b31m\r\n",
            b"a\x9b\rb\x9b\n",
        ] {
            let (mut page, mut change) = (LineBuffer::default(), Change::default());
            page.write(text, &mut change);
            page.flush(&mut change);
            let shown = [change.aside, change.done].concat();
            let count = |bytes: &[u8]| bytes.iter().filter(|byte| **byte >= 0x80).count();
            assert!(count(&shown) > 0 && !shown.contains(&0x1b), "{shown:?}");
        }
        assert_eq!(
            given(b"\x9b6n and \x9d, \x90\x9a\n"),
            b"\x9b6n and \x9d, \x90\x9a\n"
        );
    }

    #[test]
    fn what_it_only_does_or_shows_reaches_it_whole_however_long_it_is_and_however_it_is_cut() {
        let long = "QUJD\n".repeat(20_000);
        let strings = |text: &str| {
            [
                format!("\x1bP0;1q\"1;1;9;9#0{text}\x1b\\"),
                format!("\x1b_Ga=T,f=100,i=7,q=2;{text}\x1b\\"),
                format!("\x1b_Gm=1;{text}\x1b\\"),
                format!("\x1b]1337;File=inline=1:{text}\x07"),
                format!("\x1b]52;c;{text}\x07"),
                format!("\x1bPtmux;\x1b\x1b]52;c;{text}\x07\x1b\\"),
            ]
        };
        let one_line = long.replace('\n', "");
        let lines = [
            format!("\x1b]8;;http://{}\x1b\\", &one_line[..5_000]),
            format!("\x1b]8;;http://{one_line}\x1b\\"),
            format!("\x1b]0;{one_line}\x07"),
            format!("\x1b_app {one_line}\x1b\\"),
            format!("\x1b^{one_line}\x1b\\"),
            format!("\x1bX{one_line}\x1b\\"),
            "\x1b]4;1;rgb:11/22/33\x07".to_owned(),
            "\x1b]99;i=1:d=0;Done?\x1b\\".to_owned(),
            "\x1b[4 q".to_owned(),
        ];
        for string in strings("QUJD").iter().chain(&strings(&long)).chain(&lines) {
            let name: String = string.chars().take(30).collect();
            assert!(given(string.as_bytes()) == string.as_bytes(), "{name:?}");
            for size in [1, 4096] {
                let (mut page, mut all) = (LineBuffer::default(), Vec::new());
                for piece in string.as_bytes().chunks(size) {
                    let mut change = Change::default();
                    page.write(piece, &mut change);
                    all.extend([change.aside, change.done].concat());
                }
                let mut last = Change::default();
                page.flush(&mut last);
                all.append(&mut last.done);
                assert!(all == string.as_bytes(), "{name:?} by {size}");
            }
        }
    }

    #[test]
    fn an_image_that_would_be_answered_is_told_not_to_be() {
        let image = |control: &str| given(format!("\x1b_G{control};AAAA\x1b\\").as_bytes());
        assert_eq!(image("a=T,i=7"), b"\x1b_Ga=T,i=7,q=2;AAAA\x1b\\");
        assert_eq!(image("q=1,i=7,f=24"), b"\x1b_Gi=7,f=24,q=2;AAAA\x1b\\");
        assert_eq!(image("a=T"), b"\x1b_Ga=T;AAAA\x1b\\");
    }

    #[test]
    fn an_image_beside_a_line_that_is_redrawn_is_shown_after_it() {
        let image = "\x1bPq#0~~\x1b\\";
        let written = format!("\r 10%\r 20%{image}\nafter\n");
        assert_eq!(
            given(written.as_bytes()),
            format!(" 20%{image}\nafter\n").as_bytes()
        );
    }
}
