//! ffmpeg: the blocks of `-progress`, and the meter that it draws on standard error.
//!
//! Neither says how long the whole is: that is the `Duration:` of the inputs, which ffmpeg prints on standard error
//! wherever it writes the blocks. So the readers of one ffmpeg's streams share what they know of it. Amounts are
//! seconds of the film.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::protocol::Progress;

use super::prefixes::Prefix;
use super::{Each, Format, Lines};

/// The entry of `--list-formats`.
pub(super) const FORMAT: Format = Format {
    name: "ffmpeg",
    about: "seconds of the film, from its meter on standard error or from -progress on the channel",
    switch: "ffmpeg -nostdin ..., ffmpeg -nostdin -progress pipe:3 ...",
};

/// Reads one stream of ffmpeg, any of its kinds of lines.
#[derive(Debug, Default)]
pub(super) struct Ffmpeg {
    /// The duration of the longest input, in hundredths of a second; 0 is unknown.
    duration: Arc<AtomicU64>,
    block: Block,
}

/// What the open block of `-progress` says so far.
#[derive(Clone, Copy, Debug, Default)]
struct Block {
    /// Whether the block has a key that only ffmpeg writes: other programs print `speed=` and `progress=` too.
    is_certain: bool,
    at: At,
}

/// The position in the film.
#[derive(Clone, Copy, Debug, Default)]
struct At {
    seconds: Option<f64>,
    frame: Option<u64>,
    speed: Option<f64>,
}

impl Ffmpeg {
    /// A reader of another stream of the same ffmpeg.
    #[must_use]
    pub(super) fn beside(&self) -> Self {
        Self {
            duration: Arc::clone(&self.duration),
            block: Block::default(),
        }
    }

    /// Learns how long the inputs are.
    fn input(&self, line: &str) {
        if line.starts_with("Input #0,") {
            // The next ffmpeg of a script, or the first.
            self.duration.store(0, Ordering::Relaxed);
        } else if let Some(rest) = line.trim_start().strip_prefix("Duration: ")
            && let Some(seconds) = rest.split(',').next().and_then(clock)
        {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "not negative, and rounded; a conversion from a float ends at the limits"
            )]
            let hundredths = (seconds * 100.0).round() as u64;
            self.duration.fetch_max(hundredths, Ordering::Relaxed);
        }
    }

    fn report(&self, at: At, each: Each<'_>) {
        #[expect(clippy::cast_precision_loss, reason = "of a film of 3 million years")]
        let duration = self.duration.load(Ordering::Relaxed) as f64 / 100.0;
        let words = [
            at.frame.map(|frame| format!("frame {frame}")),
            at.speed.map(|speed| format!("speed {speed}x")),
        ];
        let message = words.into_iter().flatten().collect::<Vec<_>>().join(", ");
        let report = Progress {
            progress: at.seconds.map(|seconds| (seconds * 100.0).round() / 100.0),
            total: Some(duration).filter(|total| *total > 0.0 && at.seconds.is_some()),
            unit: at.seconds.map(|_| "seconds".into()),
            message: Some(message.into()).filter(|_| at.frame.or(at.speed.map(|_| 0)).is_some()),
            ..Progress::default()
        };
        if !report.is_empty() {
            each(FORMAT.name, &report);
        }
    }

    /// A line of a block: `key=value`.
    fn pair(&mut self, line: &str, each: Each<'_>) -> bool {
        let Some((key, value)) = line.split_once('=') else {
            return false;
        };
        let value = value.trim();
        let at = &mut self.block.at;
        match key {
            "frame" => at.frame = value.parse().ok(),
            // Both are in microseconds, although one is called `out_time_ms`.
            "out_time_us" | "out_time_ms" => {
                let microseconds = value.parse::<i64>().ok().filter(|time| *time >= 0);
                #[expect(clippy::cast_precision_loss, reason = "rounded to hundredths later")]
                let seconds = microseconds.map(|time| time as f64 / 1e6);
                at.seconds = seconds.or(at.seconds);
            }
            "out_time" => at.seconds = at.seconds.or_else(|| clock(value)),
            "speed" => at.speed = speed(value),
            "fps" | "bitrate" | "total_size" | "dup_frames" | "drop_frames" => {}
            "progress" if matches!(value, "continue" | "end") => {
                let block = std::mem::take(&mut self.block);
                if block.is_certain {
                    self.report(block.at, each);
                }
                return block.is_certain;
            }
            _ if key.starts_with("stream_") => {}
            _ => return false,
        }
        self.block.is_certain |= key.starts_with("out_time") || key == "total_size";
        self.block.is_certain
    }

    /// A record of the meter: `frame=  942 fps= 53 q=29.0 size=    9984kB time=00:00:31.41 bitrate=...`.
    fn meter(&self, line: &str, each: Each<'_>) -> bool {
        let value = |key: &str| {
            let (_, rest) = line.split_once(key)?;
            rest.split_ascii_whitespace().next()
        };
        let (Some(time), Some(_)) = (value("time="), value("bitrate=")) else {
            return false;
        };
        let at = At {
            seconds: clock(time),
            frame: value("frame=").and_then(|frame| frame.parse().ok()),
            speed: value("speed=").and_then(speed),
        };
        self.report(at, each);
        true
    }
}

impl Lines for Ffmpeg {
    fn prefix(&self) -> Prefix {
        Prefix::Begins(&[
            "frame=",
            "size=",
            "Lsize=",
            "Input #0,",
            "Duration: ",
            "fps=",
            "stream_",
            "bitrate=",
            "total_size=",
            "out_time",
            "dup_frames=",
            "drop_frames=",
            "speed=",
            "progress=",
        ])
    }

    fn line(&mut self, line: &str, each: Each<'_>) -> bool {
        let is_meter = ["frame=", "size=", "Lsize="]
            .iter()
            .any(|begin| line.starts_with(begin));
        if is_meter && self.meter(line, each) {
            return true;
        }
        self.input(line);
        self.pair(line, each)
    }
}

/// Whether the line begins a block of ffmpeg, and is one that a script would not write as a report.
pub(super) fn is_first_line(line: &str) -> bool {
    line.split_once('=').is_some_and(|(key, value)| match key {
        "frame" => value.trim().parse::<u64>().is_ok(),
        // A block without a film.
        "bitrate" => value == "N/A" || value.ends_with("bits/s"),
        "out_time_us" | "out_time_ms" | "out_time" => true,
        _ => false,
    })
}

/// `00:01:04.78` in seconds. Not `N/A`, and nothing before the beginning.
fn clock(text: &str) -> Option<f64> {
    let mut parts = text.trim().splitn(3, ':');
    let mut part = || {
        let part = parts.next()?;
        let is_number = part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'.'));
        part.parse::<f64>().ok().filter(|_| is_number)
    };
    let seconds = part()? * 3600.0 + part()? * 60.0 + part()?;
    (seconds < 1e12).then_some(seconds)
}

/// `4.73x`.
fn speed(text: &str) -> Option<f64> {
    let speed: f64 = text.strip_suffix('x')?.parse().ok()?;
    (speed.is_finite() && speed >= 0.0).then_some(speed)
}

#[cfg(test)]
mod tests {
    use super::super::line_properties::said;
    use super::*;

    #[test]
    fn blocks_are_read_against_the_duration_that_another_stream_gives() {
        let stderr = include_str!("../../tests/corpus/ffmpeg/progress_pipe3_period.stderr");
        let blocks = include_str!("../../tests/corpus/ffmpeg/progress_pipe3_period.fd3");
        let mut on_stderr = Ffmpeg::default();
        let mut on_the_channel = on_stderr.beside();
        let meter = said(&mut on_stderr, &stderr.replace('\r', "\n"));
        let said = said(&mut on_the_channel, blocks);
        let last = r#"{"progress":40.03,"total":40.02,"unit":"seconds","message":"frame 1201, speed 4.7x"}"#;
        assert_eq!(said.len(), 6);
        assert_eq!(
            [&said[0], &said[1], &said[5]],
            [
                r#"{"progress":0.05,"total":40.02,"unit":"seconds","message":"frame 2, speed 8.1x"}"#,
                r#"{"progress":8.71,"total":40.02,"unit":"seconds","message":"frame 261, speed 4.34x"}"#,
                last,
            ]
        );
        assert_eq!(meter.last().unwrap(), last);
    }

    #[test]
    fn without_a_film_there_are_no_frames_and_without_a_duration_no_total() {
        let blocks = include_str!("../../tests/corpus/ffmpeg/audio_progress.fd3");
        assert_eq!(
            said(&mut Ffmpeg::default(), blocks),
            [
                r#"{"progress":0,"unit":"seconds"}"#,
                r#"{"progress":40.03,"unit":"seconds","message":"speed 154x"}"#,
            ]
        );
    }

    #[test]
    fn the_longest_input_counts_until_the_next_ffmpeg_begins() {
        let record = "size=       8kB time=00:00:05.00 bitrate=N/A speed=N/A";
        let lines = format!(
            "Input #0, wav, from 'a.wav':\n  Duration: 00:00:10.00, bitrate: 8 kb/s\n\
             Input #1, wav, from 'b.wav':\n  Duration: 00:01:20.50, bitrate: 8 kb/s\n{record}\n\
             Input #0, wav, from 'c.wav':\n  Duration: N/A, bitrate: 8 kb/s\n{record}\n"
        );
        assert_eq!(
            said(&mut Ffmpeg::default(), &lines),
            [
                r#"{"progress":5,"total":80.5,"unit":"seconds"}"#,
                r#"{"progress":5,"unit":"seconds"}"#,
            ]
        );
    }

    #[test]
    fn a_time_before_the_beginning_or_none_at_all_is_no_progress() {
        let lines = "frame=3\nout_time_us=-23220\nout_time=-00:00:00.023220\nspeed=N/A\nprogress=continue\n\
            frame=4\nout_time_us=N/A\nout_time_ms=N/A\nout_time=N/A\nspeed=   2x\nprogress=end\n";
        assert_eq!(
            said(&mut Ffmpeg::default(), lines),
            [
                r#"{"message":"frame 3"}"#,
                r#"{"message":"frame 4, speed 2x"}"#
            ]
        );
    }

    #[test]
    fn pairs_of_other_programs_are_no_block() {
        let lines = "speed=3x\nframe=7\nprogress=continue\nprogress=50%\nsize=5 time=now\n";
        assert!(said(&mut Ffmpeg::default(), lines).is_empty());
    }
}
