//! The properties of any output above the bars, for `fuzz/` and the tests.
#![expect(
    clippy::unwrap_used,
    reason = "a property that does not hold is a panic"
)]
#![cfg_attr(
    not(fuzzing),
    expect(unreachable_pub, reason = "only the targets in fuzz/ reach it")
)]

use std::io::Read;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::emulator::{COLUMNS, TERMINAL, everything, screen, show};
use super::output::Output;
use super::{Bars, Begin, Options};
use crate::dialect::{Dialects, Place, Selection};
use crate::event::{FinalState, Stream, Summary, What};
use crate::flow::Credit;
use crate::model::batch::Collector;
use crate::model::verdict::Verdicts;
use crate::protocol::Status;
use crate::sink::Sink;
use crate::sink::writer::Writer;

/// Output of any kind, in any pieces, with any pauses between them, is all written in the end. The first two bytes say
/// how wide the screen is, in which format the child reports, and whether the terminal's character set is UTF-8. After
/// them, each step is a byte that says what happens and how many of the bytes behind it are written.
///
/// # Panics
///
/// If it does not hold.
pub fn line_buffer(data: &[u8]) {
    let Some((&[width, source], mut script)) = data.split_first_chunk() else {
        return;
    };
    let eight_bits = source & 4 != 0;
    let source = [None, Some("progrun"), Some("nix"), Some("meter")][usize::from(source & 3)];
    let selection = source.map_or(Selection::Auto, |source| Selection::Only(vec![source]));
    let mut dialects = Dialects::new(selection, false);
    let mut output = Output::new(1 + usize::from(width));
    output.eight_bits(eight_bits);
    let (begin, mut now) = (Instant::now(), Duration::ZERO);
    while let Some((&step, rest)) = script.split_first() {
        let (written, rest) = rest.split_at(rest.len().min(1 + usize::from(step >> 3)));
        script = rest;
        let place = [Place::Stdout, Place::Stderr][usize::from(step & 1)];
        let verdicts = dialects.feed(place, written, begin + now);
        output.add(usize::from(step & 1), source, written, &verdicts, now);
        match step >> 1 & 3 {
            0 => {
                now += Duration::from_millis(200);
                output.open_old_lines(now);
            }
            1 => {
                output.take();
                output.decide(true, now);
            }
            2 => {
                output.end_line();
                output.resize(1 + usize::from(step));
            }
            _ => {
                now += Duration::from_millis(1100);
                output.open_old_lines(now);
                let _ = output.message();
            }
        }
    }
    output.end(now);
    output.take();
    assert!(!output.has_something());
}

/// Lines stand on the screen in their order, each whole and once, whatever is reported meanwhile and whenever frames
/// are drawn; and the bars leave nothing behind. Each byte is a step, with its length.
///
/// # Panics
///
/// If it does not hold.
pub fn bars(script: &[u8]) {
    let named = tempfile::NamedTempFile::new().unwrap();
    let mut written = named.reopen().unwrap();
    let writer = Writer::new(named.into_file().into(), Box::new(|_| ()));
    let options = Options {
        name: "job".to_owned(),
        with_color: true,
        in_ascii: false,
        shows: [true; 2],
        direct: false,
        aside: None,
        begin: Begin::Soon,
        terminal: TERMINAL,
        memory: None,
        many: None,
    };
    let mut job = Job {
        bars: Bars::new(writer, options),
        now: Duration::from_millis(300),
        reports: Collector::new(false),
        credit: Credit::new(1 << 20, || ()),
        lines: Vec::new(),
    };
    job.bars.tick(job.now);
    job.run(script);
    let mut bytes = Vec::new();
    written.read_to_end(&mut bytes).unwrap();
    let mut parser = screen(100_000);
    show(&mut parser, &bytes);
    let seen = everything(&mut parser);
    let seen: Vec<_> = seen
        .iter()
        .filter(|row| !row.starts_with("job: "))
        .collect();
    let expected: Vec<_> = job.lines.iter().flat_map(|line| rows(line)).collect();
    let expected: Vec<_> = expected.iter().collect();
    assert_eq!(seen, expected, "{:?}", String::from_utf8_lossy(&bytes));
}

struct Job {
    bars: Bars,
    now: Duration,
    reports: Collector,
    credit: Credit,
    /// The lines that were printed.
    lines: Vec<String>,
}

impl Job {
    fn run(&mut self, mut script: &[u8]) {
        while let Some((&step, rest)) = script.split_first() {
            let length = (usize::from(step >> 3) * 4).min(rest.len());
            script = rest;
            match step & 7 {
                0 => self.print(Stream::Stdout, step, rest),
                1 => self.print(Stream::Stderr, step, rest),
                2..=4 => {
                    let (line, rest) = rest.split_at(length);
                    script = rest;
                    self.report(line);
                }
                5 => self.wait(u64::from(step) * 3),
                6 => self.event(What::Paused(step >= 0x80)),
                _ => {
                    self.event(What::Terminal { ours: false });
                    self.event(What::Terminal { ours: true });
                }
            }
            self.now += Duration::from_millis(7);
        }
        self.wait(400);
        self.event(What::Finished(&Summary {
            missed: None,
            state: FinalState::Completed,
            reason: None,
            exit: None,
            error: None,
            reports: 0,
            malformed: 0,
            attempt: None,
        }));
    }

    fn event(&mut self, what: What<'_>) {
        self.bars.event(&what.at(self.now));
    }

    fn wait(&mut self, milliseconds: u64) {
        self.now += Duration::from_millis(milliseconds);
        self.bars.tick(self.now);
    }

    /// Prints a line in two pieces.
    fn print(&mut self, stream: Stream, step: u8, rest: &[u8]) {
        let number = self.lines.len();
        let line = format!("L{number} {}", "x".repeat(usize::from(step >> 3) * 2));
        let bytes = [line.as_bytes(), b"\n"].concat();
        self.lines.push(line);
        let cut = rest
            .first()
            .map_or(0, |byte| usize::from(*byte) % bytes.len());
        for piece in [&bytes[..cut], &bytes[cut..]] {
            if piece.is_empty() {
                continue;
            }
            let what = What::Output {
                stream,
                bytes: &Arc::new(piece.to_vec()),
                verdicts: &Verdicts::default(),
                permit: &self.credit.permit(piece.len()),
            };
            self.bars.event(&what.at(self.now));
            if step >= 0x80 {
                self.wait(60 * (1 + u64::from(step >> 3 & 3)));
            }
        }
    }

    fn report(&mut self, line: &[u8]) {
        self.reports.feed(line);
        self.reports.feed(b"\n");
        let mut reports = self.reports.take();
        // The bars write a line for each malformed report and each failed part; this test expects none.
        reports.first_malformed = None;
        for part in &mut reports.parts {
            if part.status == Some(Status::Failed) {
                part.status = Some(Status::Ok);
            }
        }
        self.event(What::Progress(&reports));
    }
}

/// A line as rows of the screen.
fn rows(line: &str) -> Vec<String> {
    let characters: Vec<_> = line.chars().collect();
    let rows = characters.chunks(usize::from(COLUMNS));
    rows.map(|row| row.iter().collect::<String>().trim_end().to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    fn output() -> impl Strategy<Value = Vec<u8>> {
        let token = prop_oneof![
            vec(any::<u8>(), 0..6),
            prop::sample::select(vec![
                "\r",
                "\n",
                "\x1b[A",
                "\x1b[2A",
                "\x1b[K",
                "\x1b[2K",
                "\x1b[J",
                "\x1b[31m",
                "\x1b[m",
                "\x1b[1G",
                "\x1b[9C",
                "\x1b[18446744073709551615C",
                "\x1b[99999;99999H",
                "\x1b7",
                "\x1b8",
                "\x08",
                "\t",
                "\x1b]0;x\x07",
                "\x1bPq",
                "\x1b\\",
                "\x1b(0",
                "\x0e",
                "日本",
                "a",
                "10%",
                "{\"progress\":1}",
                "{",
            ])
            .prop_map(|token| token.as_bytes().to_vec()),
        ];
        vec(token, 0..60).prop_map(|tokens| tokens.concat())
    }

    fn script() -> impl Strategy<Value = Vec<u8>> {
        let step = prop_oneof![
            vec(any::<u8>(), 1..8),
            prop::sample::select(vec![
                b"\x32{\"progress\":1,\"total\":3}".to_vec(),
                b"\x22{\"id\":1,\"total\":3}".to_vec(),
                b"\x32{\"id\":1,\"status\":\"ok\"}  ".to_vec(),
                b"\x0d".to_vec(),
                b"\xf8".to_vec(),
            ]),
        ];
        vec(step, 0..40).prop_map(|steps| steps.concat())
    }

    #[test]
    fn what_once_ended_progrun_is_written_in_the_end() {
        for input in crate::regressions("line_buffer") {
            line_buffer(&input);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn output_of_any_kind_is_all_written_in_the_end(header: [u8; 2], output in output()) {
            line_buffer(&[&header, &output[..]].concat());
        }

        #[test]
        fn lines_stand_on_the_screen_in_their_order_each_whole_and_once(script in script()) {
            bars(&script);
        }
    }
}
