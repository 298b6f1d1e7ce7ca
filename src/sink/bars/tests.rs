//! The bars and the output above them, as a terminal shows them.

mod many;
mod remembered;
mod several;

use std::io::{Read, Seek};
use std::sync::Arc;

use super::super::terminal::Setup;
use super::emulator::{TERMINAL, everything, screen, show};
use super::*;
use crate::event::Observed;
use crate::flow::Credit;
use crate::model::batch::Batch;
use crate::model::verdict::Verdicts;
use crate::protocol::Progress;

fn emulator() -> vt100::Parser {
    screen(10_000)
}

/// The rows that a terminal shows of this without progrun.
fn alone(bytes: &[u8]) -> Vec<String> {
    let mut parser = emulator();
    parser.process(bytes);
    everything(&mut parser)
}

/// The rows on the screen with their colors, and the colors of the next text.
fn in_colors(parser: &vt100::Parser) -> (Vec<String>, String) {
    let screen = parser.screen();
    let cell = |row, column| {
        let cell = screen.cell(row, column).unwrap();
        let blank = cell.contents().trim().is_empty() && cell.bgcolor() == vt100::Color::Default;
        (!blank).then(|| {
            let (text, bold) = (cell.contents(), cell.bold());
            format!("{text} {:?} {:?} {bold}, ", cell.fgcolor(), cell.bgcolor())
        })
    };
    let row = |row| (0..80).filter_map(|column| cell(row, column)).collect();
    let rows: Vec<String> = (0..24).map(row).collect();
    (rows, screen.attributes_formatted())
}

/// A run whose stdout is written in these pieces, a tenth of a second apart; what the terminal shows after each, and
/// at the end.
fn run(pieces: &[&[u8]]) -> (Vec<Vec<String>>, Vec<String>) {
    let (pictures, mut parser) = run_on_terminal(pieces);
    let mut all = everything(&mut parser);
    let last = all.pop().unwrap();
    assert!(last.starts_with("job: completed"), "{last:?} {all:?}");
    (pictures, all)
}

fn options() -> Options {
    Options {
        name: "job".to_owned(),
        with_color: false,
        in_ascii: false,
        shows: [true; 2],
        direct: false,
        aside: None,
        begin: Begin::Soon,
        terminal: TERMINAL,
        memory: None,
        many: None,
    }
}

fn bars(writer: Writer) -> Bars {
    Bars::new(writer, options())
}

fn run_on_terminal(pieces: &[&[u8]]) -> (Vec<Vec<String>>, vt100::Parser) {
    let named = tempfile::NamedTempFile::new().unwrap();
    let mut file = named.reopen().unwrap();
    let writer = Writer::new(named.into_file().into(), Box::new(|_| ()));
    let mut bars = bars(writer);
    let mut now = Duration::from_millis(300);
    let credit = Credit::new(1 << 20, || ());
    let mut parser = emulator();
    let mut show = |parser: &mut vt100::Parser| {
        let mut written = Vec::new();
        file.read_to_end(&mut written).unwrap();
        show(parser, &written);
    };
    bars.tick(now);
    let mut pictures = Vec::new();
    for piece in pieces {
        let what = What::Output {
            stream: Stream::Stdout,
            bytes: &Arc::new(piece.to_vec()),
            verdicts: &Verdicts::default(),
            permit: &credit.permit(piece.len()),
        };
        if !piece.is_empty() {
            bars.event(&what.at(now));
        }
        now += Duration::from_millis(100);
        bars.tick(now);
        show(&mut parser);
        pictures.push(everything(&mut parser));
    }
    let summary = Summary {
        missed: None,
        state: FinalState::Completed,
        reason: None,
        exit: None,
        error: None,
        reports: 0,
        malformed: 0,
        attempt: None,
    };
    bars.event(&What::Finished(&summary).at(now));
    show(&mut parser);
    (pictures, parser)
}

#[test]
fn bars_that_fail_leave_what_the_child_prints_on_the_terminal() {
    let mut file = tempfile::tempfile().unwrap();
    let writer = Writer::new(file.try_clone().unwrap().into(), Box::new(|_| ()));
    let mut bars = bars(writer);
    let credit = Credit::new(1 << 20, || ());
    let output = |text: &str| Arc::new(text.as_bytes().to_vec());
    let tell = |sink: &mut dyn Sink, text| {
        let what = What::Output {
            stream: Stream::Stdout,
            bytes: &output(text),
            verdicts: &Verdicts::default(),
            permit: &credit.permit(1),
        };
        sink.event(&what.at(SHOW_AFTER));
    };
    bars.tick(SHOW_AFTER);
    tell(&mut bars, "before\nopen");
    let mut sink: Box<dyn Sink> = Box::new(bars).fall_back().unwrap();
    tell(sink.as_mut(), "after\n");
    file.rewind().unwrap();
    let mut written = String::new();
    file.read_to_string(&mut written).unwrap();
    let end = "before\nopen\r\njob: internal error in progrun (see above): no more bars; the command continues\r\nafter\n";
    assert!(written.ends_with(end), "{written:?}");
}

#[test]
fn a_redrawn_line_is_the_bars_message_and_scrolls_above_when_it_is_done() {
    let (pictures, end) = run(&[b"\r 10% of a", b"\r 50% of a", b"\r100% of a\n", b"next\n"]);
    assert!(
        pictures[1][0].ends_with("0:00  50% of a"),
        "{:?}",
        pictures[1]
    );
    assert_eq!(pictures[3][..2], ["100% of a", "next"]);
    assert!(pictures[3][2].ends_with("0:00"), "{:?}", pictures[3]);
    assert_eq!(end, ["100% of a", "next"]);
}

#[test]
fn a_sequence_that_the_child_has_not_ended_does_not_swallow_our_last_words() {
    for begun in [&b"hello\x1b]0;title"[..], b"hello\x1bPq", b"hello\x1b["] {
        assert_eq!(run(&[begun]).1, ["hello"]);
    }
}

#[test]
fn bars_are_below_a_line_that_stays_open_and_its_rest_is_put_at_its_end() {
    let wide = "w".repeat(79);
    for begin in [
        "big.iso:",
        "\x1b[32mgreen \u{65e5}",
        &wide,
        &"x".repeat(200),
        "a\tb",
    ] {
        for (rest, more) in [
            (".", "."),
            ("yz", "\x1b[31mred"),
            ("\u{672c}", "!"),
            ("\tt", "-"),
        ] {
            let mut pieces = vec![b"before\n".to_vec(), begin.as_bytes().to_vec()];
            pieces.extend(vec![Vec::new(); 14]);
            for piece in [rest, more, "\nafter\nopen ", "again"] {
                pieces.push(piece.as_bytes().to_vec());
                pieces.extend(vec![Vec::new(); 3]);
            }
            let pieces: Vec<_> = pieces.iter().map(|piece| &piece[..]).collect();
            let (pictures, end) = run(&pieces);
            let shown = alone(format!("before\r\n{begin}").as_bytes());
            // Not at first, for it may be a question.
            assert_eq!(pictures[5], shown, "{begin:?}");
            let mut below = pictures[15].clone();
            assert!(below.pop().unwrap().starts_with("job "), "{begin:?}");
            assert_eq!(below, shown, "{begin:?}");
            let shown = alone(format!("before\r\n{begin}{rest}{more}").as_bytes());
            let mut below = pictures[23].clone();
            assert!(
                below.pop().unwrap().starts_with("job "),
                "{begin:?}{rest:?}"
            );
            assert_eq!(below, shown, "{begin:?}{rest:?}");
            let all = format!("before\r\n{begin}{rest}{more}\r\nafter\r\nopen again");
            assert_eq!(end, alone(all.as_bytes()));
        }
    }
}

#[test]
fn no_bar_is_drawn_in_the_middle_of_a_sequence_and_one_that_does_not_end_is_ended() {
    for (half, other_half) in [
        ("\x1b[3", "1mred"),
        ("\x1b]0;ti", "tle\x07red"),
        ("\x1bPq#0", "~~\x1b\\red"),
        ("\x1b", "[mred"),
    ] {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let writer = Writer::new(file.reopen().unwrap().into(), Box::new(|_| ()));
        let mut bars = Bars::new(
            writer,
            Options {
                begin: Begin::WithReport,
                ..options()
            },
        );
        let credit = Credit::new(1 << 20, || ());
        let print = |bars: &mut Bars, text: &str, now| {
            let what = What::Output {
                stream: Stream::Stderr,
                bytes: &Arc::new(text.as_bytes().to_vec()),
                verdicts: &Verdicts::default(),
                permit: &credit.permit(1),
            };
            bars.event(&what.at(now));
            bars.tick(now);
        };
        let mut written = |since: &mut usize| {
            let mut all = String::new();
            file.rewind().unwrap();
            file.read_to_string(&mut all).unwrap();
            let new = all[*since..].to_owned();
            *since = all.len();
            new
        };
        let at = Duration::from_millis;
        let mut since = 0;
        print(&mut bars, half, at(300));
        let report = Progress {
            percentage: Some(50.0),
            ..Progress::default()
        };
        let reports = Batch {
            parts: vec![report],
            ..Batch::default()
        };
        bars.event(&What::Progress(&reports).at(at(400)));
        bars.tick(at(500));
        bars.tick(at(2000));
        assert_eq!(written(&mut since), half);
        bars.tick(at(2500));
        let ended = written(&mut since);
        assert!(ended.starts_with("\x18\x1b\\"), "{ended:?}");
        assert!(ended.contains("job "), "{ended:?}");
        // The rest of the sequence comes too late, and is left out.
        print(&mut bars, other_half, at(3000));
        print(&mut bars, "\n", at(3100));
        let late = written(&mut since);
        assert!(
            late.contains("red\n") && !late.contains("1m") && !late.contains("tle"),
            "{half:?} {late:?}"
        );
    }
}

#[test]
fn a_line_that_is_redrawn_late_is_taken_back_from_the_screen() {
    let first =
        b" 10% of a: a first line that is not yet known to be redrawn, and longer than the screen";
    let (pictures, end) = run(&[b"before\n", first, b"", b"\r 50%\x1b[K", b"\r100%\n"]);
    assert_eq!(pictures[2].len(), 3);
    assert_eq!(pictures[3][0], "before");
    assert!(pictures[3][1].ends_with("50%"), "{:?}", pictures[3]);
    assert_eq!(end, ["before", "100%"]);
}

#[test]
fn several_lines_that_are_redrawn_leave_no_trail() {
    let mut pieces: Vec<Vec<u8>> = vec![b"before\na 0\nb 0\n".to_vec()];
    for step in 1..40 {
        pieces.push(format!("\x1b[2Aa {step}\x1b[K\nb {step}\x1b[K\n").into_bytes());
    }
    let pieces: Vec<_> = pieces.iter().map(|piece| &piece[..]).collect();
    let (pictures, end) = run(&pieces);
    assert_eq!(pictures[0][..3], ["before", "a 0", "b 0"]);
    assert_eq!(pictures[1][0], "before");
    assert!(pictures[39][1].ends_with("b 39"), "{:?}", pictures[39]);
    assert_eq!(pictures[39].len(), 2);
    assert_eq!(end, ["before", "a 39", "b 39"]);
}

#[test]
fn complete_lines_that_are_not_redrawn_any_more_are_shown() {
    let mut pieces: Vec<&[u8]> = vec![b"a 0\n", b"\x1b[Aa 1\n", b"after\n"];
    pieces.extend([&b""[..]; 12]);
    let (pictures, end) = run(&pieces);
    assert!(pictures[2][0].starts_with("a 1"), "{:?}", pictures[2]);
    assert_eq!(pictures[2].len(), 2);
    assert_eq!(pictures.last().unwrap()[..2], ["a 1", "after"]);
    assert_eq!(end, ["a 1", "after"]);
}

#[test]
fn a_line_of_state_at_the_bottom_is_a_message_and_wrecks_nothing() {
    let (pictures, end) = run(&[
        b"Unpacking a\n\n\x1b7\x1b[0;23r\x1b8\x1b[1A",
        b"\x1b7\x1b[24;0f\x1b[42mProgress: [ 50%]\x1b[49m [##..]\x1b8",
        b"\n\x1b7\x1b[0;24r\x1b8\x1b[1A\x1b[JUnpacking b\n",
    ]);
    assert!(
        pictures[1]
            .last()
            .unwrap()
            .ends_with("Progress: [ 50%] [##..]")
    );
    assert_eq!(end, ["Unpacking a", "Unpacking b"]);
}

#[test]
fn what_a_recorded_program_leaves_is_what_a_terminal_would_hold() {
    // cargo, npm, ninja, tqdm with two bars, pnpm, e2fsck and mke2fs, each in short.
    let recorded: [&str; 7] = [
        "\x1b[1m\x1b[92m   Compiling\x1b[0m a v0.1.0\r\n\x1b[1m\x1b[96m    Building\x1b[0m [=> ] 1/3: a\r\x1b[K\
         \x1b[1m\x1b[92m   Compiling\x1b[0m b v0.1.0\r\n\x1b[1m\x1b[96m    Building\x1b[0m [==>] 2/3: b\r\x1b[K\
         \x1b[1m\x1b[92m    Finished\x1b[0m in 1s\r\n",
        "⠙\x1b[1G\x1b[0K⠹\x1b[1G\x1b[0K⠸\x1b[1G\x1b[0K\r\nadded 1 package\r\n⠸\x1b[1G\x1b[0K",
        "\r[0/3] Building a\x1b[K\r[1/3] Building a.longer\x1b[K\r\n\x1b[31mFAILED: \x1b[0ma \r\n",
        "\rone:   0%|  |\r\n\rtwo:   0%|  |\x1b[A\rone:  50%|# |\r\n\rtwo:  50%|# |\x1b[A\rone: 100%|##|\r\n\
         \rtwo: 100%|##|\x1b[A\r\n\n",
        "Progress: resolved \x1b[96m1\x1b[39m\r\n\x1b[1AProgress: resolved \x1b[96m22\x1b[39m, done\r\n\
         + left-pad\r\n",
        "Pass 1\r\next.img: |=    |  2.2%   \r                         \rPass 2\r\n",
        "Writing tables:   0/120\x08\x08\x08\x08\x08\x08\x08 64/120\x08\x08\x08\x08\x08\x08\x08done   \r\n",
    ];
    for bytes in recorded {
        for size in [1, 5, 64] {
            let pieces: Vec<_> = bytes.as_bytes().chunks(size).collect();
            assert_eq!(
                run(&pieces).1,
                alone(bytes.as_bytes()),
                "{bytes:?} by {size}"
            );
        }
    }
}

#[test]
fn colors_go_on_beyond_the_bars_and_are_not_theirs() {
    for written in [
        "\x1b[31mred\r\nstill red\r\n\x1b[1;44mbold on blue\r\n\x1b[39;49mbold\r\n\x1b[0mplain\r\n",
        "a\r\n\x1b[31mleft red\r\n",
        "\x1b[31mleft red\r\n\r 10%\r\x1b[32m20%\x1b[K",
        "\x1b[31mred\r\n\r\x1b[0mplain\r\n\x1b[32mgreen\r\n\r\x1b[1mbold\r\nalso bold\r\n",
        "\x1b[96mone\r\ntwo\r\n\x1b[1A\x1b[39mTWO\r\nthree\r\n",
        "\x1b[96mone\r\n\x1b[0m\x1b[H\x1b[Jplain\r\n\x1b[33m\x1b[H\x1b[2Jyellow\r\n",
        "\x1b[35mpink\r\n\x1b7\x1b[24;1H\x1b[42mstate\x1b8still pink\r\n",
    ] {
        let mut alone = emulator();
        alone.process(written.as_bytes());
        // Neither the line of state nor the colors stay.
        let (mut expected, _) = in_colors(&alone);
        expected[23].clear();
        for size in [1, 3, 7, 1000] {
            let pieces: Vec<_> = written.as_bytes().chunks(size).collect();
            let (_, parser) = run_on_terminal(&pieces);
            let (mut rows, last) = in_colors(&parser);
            let ours = rows.iter_mut().rfind(|row| !row.is_empty()).unwrap();
            let plain = "j Default Default false, o Default Default false, ";
            assert!(ours.starts_with(plain), "{ours} of {written:?} by {size}");
            ours.clear();
            assert_eq!(
                (rows, last.as_str()),
                (expected.clone(), "\x1b[m"),
                "{written:?} by {size}"
            );
        }
    }
}

#[test]
fn titles_pass_and_questions_and_progress_of_the_terminal_do_not() {
    let mut output = output::Output::new(80);
    let written = b"\x1b]0;title\x07\x1b]9;4;1;50\x1b\\a\x1b[6n\x1b]11;?\x07\x1b]8;;x\x07b\n";
    output.add(0, None, written, &Verdicts::default(), Duration::ZERO);
    assert_eq!(output.take(), b"\x1b]0;title\x07a\x1b]8;;x\x07b\n");
}

/// A scene in which the time, the screen and the child are what the test says.
struct Scene {
    bars: Bars,
    file: std::fs::File,
    credit: Credit,
    parser: vt100::Parser,
    /// Everything that was written.
    written: Vec<u8>,
}

impl Scene {
    fn on(terminal: Terminal) -> Self {
        let named = tempfile::NamedTempFile::new().unwrap();
        let file = named.reopen().unwrap();
        let writer = Writer::new(named.into_file().into(), Box::new(|_| ()));
        let options = Options {
            terminal,
            ..options()
        };
        Self {
            bars: Bars::new(writer, options),
            file,
            credit: Credit::new(1 << 20, || ()),
            parser: emulator(),
            written: Vec::new(),
        }
    }

    /// The rows after this event, and a moment for a frame.
    fn after(&mut self, milliseconds: u64, what: Option<&What<'_>>) -> Vec<String> {
        let at = Duration::from_millis(milliseconds);
        if let Some(what) = what {
            let task = Some(TaskId::FIRST);
            let what = match what {
                What::Progress(reports) => What::Progress(reports),
                What::Observed(observed) => What::Observed(observed),
                _ => panic!("{what:?}"),
            };
            self.bars.event(&Event { task, at, what });
        }
        self.bars.tick(at);
        self.look()
    }

    fn prints(&mut self, milliseconds: u64, text: &str) -> Vec<String> {
        let what = What::Output {
            stream: Stream::Stdout,
            bytes: &Arc::new(text.as_bytes().to_vec()),
            verdicts: &Verdicts::default(),
            permit: &self.credit.permit(text.len()),
        };
        self.bars
            .event(&what.at(Duration::from_millis(milliseconds)));
        self.after(milliseconds + 50, None)
    }

    fn look(&mut self) -> Vec<String> {
        let mut new = Vec::new();
        self.file.read_to_end(&mut new).unwrap();
        show(&mut self.parser, &new);
        self.written.extend(new);
        everything(&mut self.parser)
    }
}

#[test]
fn a_meter_that_is_over_gives_way_to_what_the_child_uses_and_comes_back_when_it_moves() {
    let meter = |percentage| {
        let report = Progress {
            percentage: Some(percentage),
            ..Progress::default()
        };
        Batch::of("meter", &report)
    };
    let mut scene = Scene::on(TERMINAL);
    let rows = scene.after(300, Some(&What::Progress(&meter(50.0))));
    assert_eq!(rows, ["job ━━━━━━━╸───────  50%  0:00"]);
    scene.after(1000, Some(&What::Progress(&meter(99.9))));
    let rows = scene.after(2900, None);
    assert_eq!(rows, ["job ━━━━━━━━━━━━━━╸  99%  0:02"]);
    let observed = Observed {
        cpu: 0.98,
        read: 0.0,
        written: 0.0,
        file: None,
    };
    let rows = scene.after(3100, Some(&What::Observed(&observed)));
    assert_eq!(rows, ["job ⣾                     0:03  98% cpu"]);
    let rows = scene.after(9000, Some(&What::Progress(&meter(20.0))));
    assert_eq!(rows, ["job ━━━╸───────────  20%  0:09"]);
    // The use of the processor was that of another time.
    let over = Batch::of(
        "meter",
        &Progress {
            status: Some(crate::protocol::Status::Ok),
            ..Progress::default()
        },
    );
    let rows = scene.after(9100, Some(&What::Progress(&over)));
    assert_eq!(rows, ["job ⣾                     0:09"]);
}

#[test]
fn a_line_that_was_redrawn_was_no_question_and_the_next_open_line_has_bars_below_it() {
    let mut scene = Scene::on(TERMINAL);
    scene.prints(300, "a.t ..");
    let rows = scene.after(500, None);
    assert_eq!(rows, ["a.t .."]);
    let rows = scene.prints(600, "\ra.t .. ok\n");
    assert_eq!(rows[0], "a.t .. ok");
    assert!(rows[1].starts_with("job "), "{rows:?}");
    scene.prints(700, "b.t ..");
    let rows = scene.after(1000, None);
    assert_eq!(rows[..2], ["a.t .. ok", "b.t .."]);
    assert!(rows[2].starts_with("job "), "{rows:?}");
}

thread_local! {
    static WIDTH: std::cell::Cell<u16> = const { std::cell::Cell::new(80) };
    static BY_LINES: std::cell::Cell<bool> = const { std::cell::Cell::new(true) };
}

#[test]
fn bars_below_a_line_that_a_narrower_screen_breaks_anew_go_and_its_rest_is_put_at_its_end() {
    let mut scene = Scene::on(Terminal {
        size: || (WIDTH.get(), 24),
        ..TERMINAL
    });
    let line = "l".repeat(50);
    scene.prints(300, &line);
    scene.after(500, None);
    let rows = scene.after(2000, None);
    assert!(rows[1].starts_with("job "), "{rows:?}");
    WIDTH.set(40);
    // The terminal of the test does not break it; the cursor stays at its end.
    let rows = scene.after(2150, None);
    assert_eq!(rows, [line.as_str()]);
    let rows = scene.prints(2200, "more");
    assert_eq!(rows, [format!("{line}more")]);
    let rows = scene.prints(2300, "\nnext\n");
    assert_eq!(rows[..2], [format!("{line}more").as_str(), "next"]);
    assert!(rows[2].starts_with("job "), "{rows:?}");
    // A line that the new width does not break keeps its bars.
    scene.prints(2400, "short");
    scene.after(2600, None);
    let rows = scene.after(4000, None);
    assert!(rows[3].starts_with("job "), "{rows:?}");
    WIDTH.set(30);
    let rows = scene.after(4150, None);
    assert_eq!(rows[2], "short");
    assert!(rows[3].starts_with("job "), "{rows:?}");
    // Of a row that is full nothing is lost.
    WIDTH.set(80);
    let line = "f".repeat(80);
    scene.prints(5000, &format!("\n{line}"));
    scene.after(5200, None);
    let rows = scene.after(7000, None);
    assert_eq!(rows[3], line);
    assert!(rows[4].starts_with("job "), "{rows:?}");
    WIDTH.set(60);
    let rows = scene.after(7150, None);
    assert_eq!(rows[3..], [line.as_str()]);
    let rows = scene.prints(7200, "more");
    assert_eq!(rows[3..], [line.as_str(), "more"]);
}

#[test]
fn the_keyboard_may_be_set_up_for_single_keys_by_a_child_that_goes_on_printing_here() {
    let mut scene = Scene::on(Terminal {
        setup: || Setup {
            by_lines: BY_LINES.get(),
            ..Setup::USUAL
        },
        ..TERMINAL
    });
    let has_bar = |rows: &[String]| rows.last().is_some_and(|row| row.starts_with("job "));
    assert!(has_bar(&scene.prints(300, "one\n")));
    BY_LINES.set(false);
    // It may be another program that draws now.
    let written = scene.written.len();
    scene.after(2000, None);
    assert_eq!(scene.written.len(), written);
    assert!(!has_bar(&scene.prints(3000, "two\n")));
    assert!(has_bar(&scene.prints(3200, "three\n")));
    assert!(has_bar(&scene.after(9000, None)));
    BY_LINES.set(true);
    assert!(has_bar(&scene.prints(9100, "four\n")));
    BY_LINES.set(false);
    let written = scene.written.len();
    scene.after(9300, None);
    assert_eq!(scene.written.len(), written);
}

#[test]
fn nothing_erases_the_screen_from_its_first_column_on() {
    // tmux would keep what was there in its history, bars and all.
    let mut scene = Scene::on(TERMINAL);
    scene.after(300, None);
    scene.prints(400, "one\n");
    scene.prints(500, "open");
    scene.prints(700, "\rredrawn");
    scene.after(900, None);
    let text = String::from_utf8(scene.written).unwrap();
    assert!(text.contains("\r\x1b[K\x1b[C\x1b[J\r"), "{text:?}");
    assert!(!text.contains("\r\x1b[J"), "{text:?}");
}
