//! The forms of a notification, and which of them the terminal understands, as far as the environment tells. Knows
//! nothing of runs.
//!
//! There are three: OSC 9 of iTerm2, with a text; OSC 777 of urxvt, with a title and a text; OSC 99 of kitty, likewise.
//! None can be asked for without a dialogue with the terminal, whose answer would arrive as typed text if progrun was
//! gone by then. A terminal that knows none of them gets the bell (BEL), and so does, besides, one that may not know it:
//! most ignore an OSC that they do not know, and the user is to notice something.
//!
//! Multiplexers keep these sequences to themselves unless they are wrapped (DCS). tmux passes on what is wrapped only if
//! the user has set `allow-passthrough`, so the bell, which marks the window there, is always part of it.

use std::ffi::OsString;

/// The most bytes of a text: GNU screen takes no more than 256 for all of a sequence.
const TEXT: usize = 180;

/// How this terminal is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Form {
    osc: Option<Osc>,
    /// Whether the bell rings, too.
    bell: bool,
    through: Through,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Osc {
    /// `OSC 9 ; text`.
    Text,
    /// `OSC 777 ; notify ; title ; text`.
    Notify,
    /// `OSC 99 ; metadata ; text`.
    Kitty,
}

/// What is between us and the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Through {
    Nothing,
    Tmux,
    Screen,
}

/// A terminal that is known, and how sure it is that it shows the notification.
type Known = (Osc, Sure);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sure {
    Yes,
    /// Only a new version, one with an extension, or one that a distribution has patched.
    No,
}

/// By the beginning of TERM, which ssh passes on.
const TERMS: [(&str, Option<Known>); 9] = [
    ("xterm-kitty", Some((Osc::Kitty, Sure::Yes))),
    ("foot", Some((Osc::Notify, Sure::Yes))),
    ("xterm-ghostty", Some((Osc::Notify, Sure::Yes))),
    ("ghostty", Some((Osc::Notify, Sure::Yes))),
    ("wezterm", Some((Osc::Notify, Sure::Yes))),
    ("contour", Some((Osc::Notify, Sure::Yes))),
    ("rxvt-unicode", Some((Osc::Notify, Sure::No))),
    ("alacritty", None),
    ("linux", None),
];

/// By `TERM_PROGRAM`, which the terminals set that are called TERM=xterm-256color like many others.
const PROGRAMS: [(&str, Option<Known>); 9] = [
    ("iTerm.app", Some((Osc::Text, Sure::Yes))),
    ("WarpTerminal", Some((Osc::Text, Sure::Yes))),
    ("WezTerm", Some((Osc::Notify, Sure::Yes))),
    ("ghostty", Some((Osc::Notify, Sure::Yes))),
    ("kitty", Some((Osc::Kitty, Sure::Yes))),
    ("contour", Some((Osc::Notify, Sure::Yes))),
    ("zed", Some((Osc::Text, Sure::No))),
    ("vscode", None),
    ("Apple_Terminal", None),
];

/// By a variable that only this terminal sets. A terminal that was started from another one has that one's, too, and
/// kitty, which has a TERM of its own, is the most likely other one.
const VARIABLES: [(&str, Known); 6] = [
    ("KONSOLE_VERSION", (Osc::Notify, Sure::Yes)),
    ("WEZTERM_PANE", (Osc::Notify, Sure::Yes)),
    ("GHOSTTY_RESOURCES_DIR", (Osc::Notify, Sure::Yes)),
    ("WT_SESSION", (Osc::Notify, Sure::No)),
    ("VTE_VERSION", (Osc::Notify, Sure::No)),
    ("KITTY_WINDOW_ID", (Osc::Kitty, Sure::Yes)),
];

impl Form {
    /// The form that the terminal of this process understands.
    pub(super) fn of_terminal() -> Self {
        Self::of(|name| std::env::var_os(name))
    }

    /// The form for a terminal with these variables.
    pub(super) fn of(variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let text = |name| {
            let value = variable(name).filter(|value| !value.is_empty());
            value.map(|value| value.to_string_lossy().into_owned())
        };
        let has = |name| text(name).is_some();
        let term = text("TERM").unwrap_or_default();
        let is_inside = term.starts_with("tmux") || term.starts_with("screen");
        let through = if has("TMUX") || term.starts_with("tmux") {
            Through::Tmux
        } else if has("STY") {
            Through::Screen
        } else {
            Through::Nothing
        };
        if is_inside && through == Through::Nothing {
            // At the other end of an ssh: tmux or screen, each of which would show the other's wrapping as text.
            return Self::BELL;
        }
        let by_term = || TERMS.iter().find(|(begin, _)| term.starts_with(begin));
        let program = text("TERM_PROGRAM").unwrap_or_default();
        let by_program = || PROGRAMS.iter().find(|(name, _)| program == *name);
        let by_variable = || VARIABLES.iter().find(|(name, _)| has(name));
        let known = if let Some((_, known)) = by_term().or_else(by_program) {
            *known
        } else if text("LC_TERMINAL").is_some_and(|name| name == "iTerm2") {
            // It is made to be passed on by ssh, as all that begins with LC_ is.
            Some((Osc::Text, Sure::Yes))
        } else if let Some((_, known)) = by_variable() {
            Some(*known)
        } else {
            // Here the variables would tell. Elsewhere only TERM does, which may stand for any terminal.
            let is_elsewhere = has("SSH_CONNECTION") || has("SSH_TTY") || is_inside;
            let may_be_any = term.starts_with("xterm") || is_inside;
            (is_elsewhere && may_be_any).then_some((Osc::Notify, Sure::No))
        };
        Self {
            osc: known.map(|(osc, _)| osc),
            bell: through != Through::Nothing || !matches!(known, Some((_, Sure::Yes))),
            through,
        }
    }

    /// For a terminal that knows no other.
    const BELL: Self = Self {
        osc: None,
        bell: true,
        through: Through::Nothing,
    };

    /// The bytes that make the terminal show these texts, which have no control characters.
    pub(super) fn sequence(self, title: &str, text: &str) -> String {
        let mut sequence = self.osc.map_or(String::new(), |osc| match self.through {
            Through::Nothing => osc.sequence(title, text),
            Through::Tmux => {
                let sequence = osc.sequence(title, text).replace('\x1b', "\x1b\x1b");
                format!("\x1bPtmux;{sequence}\x1b\\")
            }
            Through::Screen => {
                // An inner ST would end the wrapping.
                let sequence = osc.sequence(title, text).replace("\x1b\\", "\x07");
                format!("\x1bP{sequence}\x1b\\")
            }
        });
        if self.bell {
            sequence.push('\x07');
        }
        sequence
    }
}

impl Osc {
    fn sequence(self, title: &str, text: &str) -> String {
        // Cut by bytes after a cut by columns, because a character without a width may be followed by thousands.
        match self {
            Self::Text => {
                let text = format!("{title}: {text}");
                // ConEmu and its heirs take a number here for a command of theirs: `9;4;` is progress.
                let before = if text.starts_with(|first: char| first.is_ascii_digit()) {
                    "progrun: "
                } else {
                    ""
                };
                format!("\x1b]9;{before}{}\x07", cut(&text, TEXT))
            }
            Self::Notify => {
                let [title, text] = [title, text].map(|text| cut(text, TEXT / 2).replace(';', ","));
                format!("\x1b]777;notify;{title};{text}\x07")
            }
            Self::Kitty => {
                // Of two parts with one identifier, the first says that it is not all (d=0).
                let [title, text] = [title, text].map(|text| cut(text, TEXT / 2));
                format!(
                    "\x1b]99;i=progrun:d=0;{title}\x1b\\\x1b]99;i=progrun:d=1:p=body;{text}\x1b\\"
                )
            }
        }
    }
}

/// The beginning of `text`, of at most this many bytes.
fn cut(text: &str, at_most: usize) -> &str {
    &text[..text.floor_char_boundary(at_most)]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The sequence for a terminal with these variables.
    fn sent(variables: &[(&str, &str)]) -> String {
        let variable = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| OsString::from(value))
        };
        Form::of(variable).sequence("make", "completed in 31s")
    }

    const NOTIFY: &str = "\x1b]777;notify;make;completed in 31s\x07";
    const TEXT: &str = "\x1b]9;make: completed in 31s\x07";
    const KITTY: &str =
        "\x1b]99;i=progrun:d=0;make\x1b\\\x1b]99;i=progrun:d=1:p=body;completed in 31s\x1b\\";

    #[test]
    fn each_known_terminal_gets_its_own_form() {
        for (variables, expected) in [
            (&[("TERM", "xterm-kitty")][..], KITTY),
            (
                &[("TERM", "xterm-256color"), ("KITTY_WINDOW_ID", "1")],
                KITTY,
            ),
            (&[("TERM", "foot-extra")], NOTIFY),
            (&[("TERM", "xterm-ghostty")], NOTIFY),
            (
                &[("TERM", "xterm-256color"), ("TERM_PROGRAM", "WezTerm")],
                NOTIFY,
            ),
            (
                &[("TERM", "xterm-256color"), ("KONSOLE_VERSION", "230804")],
                NOTIFY,
            ),
            (
                &[("TERM", "xterm-256color"), ("TERM_PROGRAM", "iTerm.app")],
                TEXT,
            ),
            // Over ssh.
            (
                &[
                    ("TERM", "xterm-256color"),
                    ("SSH_TTY", "/dev/pts/1"),
                    ("LC_TERMINAL", "iTerm2"),
                ],
                TEXT,
            ),
        ] {
            assert_eq!(sent(variables), expected, "{variables:?}");
        }
    }

    #[test]
    fn a_terminal_that_may_know_it_is_rung_too_and_one_that_does_not_is_only_rung() {
        let both = format!("{NOTIFY}\x07");
        for (variables, expected) in [
            (
                &[("TERM", "xterm-256color"), ("VTE_VERSION", "7600")][..],
                &*both,
            ),
            (&[("TERM", "xterm-256color"), ("WT_SESSION", "1-2")], &both),
            (&[("TERM", "rxvt-unicode-256color")], &both),
            // Over ssh, this may be any terminal.
            (
                &[("TERM", "xterm-256color"), ("SSH_CONNECTION", "1 2 3 4")],
                &both,
            ),
            (&[("TERM", "xterm-256color")], "\x07"),
            (
                &[("TERM", "xterm-256color"), ("TERM_PROGRAM", "vscode")],
                "\x07",
            ),
            (&[("TERM", "alacritty"), ("VTE_VERSION", "7600")], "\x07"),
            (&[("TERM", "linux"), ("SSH_CONNECTION", "1 2 3 4")], "\x07"),
            (&[("TERM", "dumb")], "\x07"),
            (&[], "\x07"),
        ] {
            assert_eq!(sent(variables), expected, "{variables:?}");
        }
    }

    #[test]
    fn a_multiplexer_gets_it_wrapped_with_the_bell_for_itself() {
        let tmux = [("TERM", "tmux-256color"), ("TMUX", "/tmp/x,1,0")];
        let in_kitty = [&tmux[..], &[("KITTY_WINDOW_ID", "1")]].concat();
        assert_eq!(
            sent(&tmux),
            "\x1bPtmux;\x1b\x1b]777;notify;make;completed in 31s\x07\x1b\\\x07"
        );
        assert_eq!(
            sent(&in_kitty),
            "\x1bPtmux;\x1b\x1b]99;i=progrun:d=0;make\x1b\x1b\\\
             \x1b\x1b]99;i=progrun:d=1:p=body;completed in 31s\x1b\x1b\\\x1b\\\x07"
        );
        let screen = [
            ("TERM", "screen.xterm-256color"),
            ("STY", "1.pts"),
            ("KITTY_WINDOW_ID", "1"),
        ];
        assert_eq!(
            sent(&screen),
            "\x1bP\x1b]99;i=progrun:d=0;make\x07\x1b]99;i=progrun:d=1:p=body;completed in 31s\x07\x1b\\\x07"
        );
        assert_eq!(sent(&[("TERM", "screen-256color")]), "\x07");
    }

    #[test]
    fn a_text_is_never_taken_for_a_command_of_conemu() {
        let form = Form::of(|name| (name == "TERM_PROGRAM").then(|| "iTerm.app".into()));
        let expected = "\x1b]9;progrun: 4;3;50: completed in 31s\x07";
        assert_eq!(form.sequence("4;3;50", "completed in 31s"), expected);
    }

    #[test]
    fn a_sequence_is_short_enough_for_gnu_screen_whatever_the_name_is() {
        let name = format!("e{}", "\u{301}".repeat(5000));
        for (term, program) in [("xterm-kitty", ""), ("foot", ""), ("", "iTerm.app")] {
            let variable = |name: &str| match name {
                "STY" => Some("1.pts".into()),
                "TERM" => Some(term.into()),
                "TERM_PROGRAM" => Some(program.into()),
                _ => None,
            };
            let sequence = Form::of(variable).sequence(&name, &name);
            assert!(sequence.len() <= 256, "{}", sequence.len());
        }
    }
}
