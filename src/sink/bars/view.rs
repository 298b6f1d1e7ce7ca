//! The view of one task: its picture, its output on the way to the screen, and the modes that it has on in the
//! terminal.
//!
//! Knows neither the other tasks nor when a frame is due.

use std::borrow::Cow;
use std::time::Duration;

use crate::dialect::{draws_a_meter, redraws_words};
use crate::eta::Forecast;
use crate::event::{Observed, Stream, Summary, TaskId, What};
use crate::flow::Permit;
use crate::model::batch::Batch;
use crate::model::parts::Parts;
use crate::model::verdict::Verdicts;
use crate::protocol::Status;
use crate::vt::modes::Modes;

use super::super::messages::{self, Stop};
use super::SHOW_AFTER;
use super::activity::Activity;
use super::layout::Picture;
use super::open_line::Cursor;
use super::outlook::Outlook;
use super::output::Output;
use super::screen::Screen;

/// Which view it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    /// That of a task.
    Task(TaskId),
    /// That of the output of an ended attempt, which is shown later. The next attempt may run meanwhile. Its number is
    /// that of the attempts that were shown before it.
    Shown(u64),
}

/// One task.
#[derive(Debug)]
pub(super) struct View {
    pub(super) name: String,
    /// When the task began; its own times count from then.
    began: Duration,
    parts: Parts,
    /// In which format the child reports, if it is not ours, and since when.
    source: Option<&'static str>,
    since: Duration,
    /// Shown as long as there is no report, and when the meters of another program are over; none: the child reports
    /// in our own protocol, which says all there is to say.
    activity: Option<Activity>,
    /// What earlier runs say, once they were looked at.
    forecast: Option<Forecast>,
    pub(super) output: Output,
    /// The modes that the child has switched on in the terminal.
    modes: Modes,
    colors: Colors,
    /// For the child's output; held until it is written or known to be redrawn.
    pub(super) permits: Vec<Permit>,
    /// Lines about parts that failed, and when the first of them did. The output that tells of it comes before.
    failures: Vec<String>,
    failed: Duration,
    /// A malformed line was shown: once is enough.
    warned: bool,
    /// The child is stopped, and not by us.
    paused: bool,
    /// There was a frame, or the terminal was lent, since the task began: its end is told, however it ends.
    pub(super) seen: bool,
    stop: Option<Stop>,
}

/// The colors, links (OSC 8) and character sets that a child has on (SGR and others).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Colors {
    On,
    /// Off for the time being, for our own text.
    Off,
}

impl View {
    /// A task that begins now, for a screen of this many columns; `in_ascii` if its character set is not UTF-8.
    pub(super) fn new(name: String, began: Duration, width: u16, in_ascii: bool) -> Self {
        let mut output = Output::new(usize::from(width));
        output.eight_bits(in_ascii);
        Self {
            name,
            began,
            parts: Parts::default(),
            source: None,
            since: Duration::ZERO,
            activity: Some(Activity::default()),
            forecast: None,
            output,
            modes: Modes::default(),
            colors: Colors::On,
            permits: Vec::new(),
            failures: Vec::new(),
            failed: Duration::ZERO,
            warned: false,
            paused: false,
            seen: false,
            stop: None,
        }
    }

    /// The format in which the child reports, if its lines need not be shown, because a bar has shown what they say.
    pub(super) fn shown_source(&self) -> Option<&'static str> {
        self.source.filter(|_| self.output.is_decided())
    }

    /// This is the output of a child whose lines in this format need not be shown.
    pub(super) fn hide(&mut self, source: &'static str, at: Duration) {
        (self.source, self.since) = (Some(source), at);
        self.output.decide(true, at);
    }

    /// From when on the task has a row beside others.
    pub(super) fn row_from(&self) -> Duration {
        self.began + SHOW_AFTER
    }

    /// What earlier runs of the same work say, as far as there are any.
    pub(super) fn expect(&mut self, forecast: Option<Forecast>, at: Duration) {
        self.forecast = forecast;
        for (time, done, left) in self.parts.course() {
            if let Some(forecast) = &mut self.forecast {
                forecast.record(*time, *done, *left);
            }
        }
        self.compare(at.saturating_sub(self.began));
    }

    /// Has the forecast see how far the task is.
    fn compare(&mut self, time: Duration) {
        let task = &self.parts.task;
        if let (Some(forecast), Some(done)) = (&mut self.forecast, task.fraction(time)) {
            forecast.record(time, done, task.remaining(time));
        }
    }

    /// What earlier runs say of now.
    fn outlook(&self, at: Duration) -> Outlook {
        let time = at.saturating_sub(self.began);
        let Some(forecast) = self.forecast.as_ref().filter(|_| self.stop.is_none()) else {
            return Outlook::default();
        };
        match &self.activity {
            // A child that has reported once is not silent: its time alone says nothing of it.
            Some(activity) if !activity.has_meter => {
                let is_measured = activity.file.fraction(time).is_some();
                let by_time = forecast.by_time(time).filter(|_| !is_measured);
                by_time.map_or(Outlook::default(), Outlook::by_time)
            }
            _ => Outlook {
                left: self.parts.task.forecast(forecast, time),
                ..Outlook::default()
            },
        }
    }

    /// Takes in reports. Gives the warning for the first line that is none.
    pub(super) fn reports(&mut self, reports: &Batch, at: Duration) -> Option<String> {
        if reports.source.is_none() {
            self.activity = None;
        } else if let Some(activity) = &mut self.activity {
            activity.begin_anew();
        }
        if self.source != reports.source {
            (self.source, self.since) = (reports.source, at);
            self.output.decide(false, at);
        }
        for report in &reports.parts {
            let time = at.saturating_sub(self.began);
            if let Some(part) = self.parts.apply(report, reports.source, time)
                && part.known.status == Some(Status::Failed)
                && self.failures.len() < messages::FAILURES
            {
                if self.failures.is_empty() {
                    self.failed = at;
                }
                self.failures
                    .push(messages::part_failed(&part, &self.parts));
            }
        }
        self.compare(at.saturating_sub(self.began));
        let bad = reports.first_malformed.as_ref()?;
        (!std::mem::replace(&mut self.warned, true)).then(|| messages::malformed(bad))
    }

    /// Takes over what was reported before this view was there.
    pub(super) fn know(&mut self, parts: &Parts, at: Duration) {
        self.parts = parts.clone();
        if parts.have_own() {
            self.activity = None;
        } else if let Some(source) = parts.task.source {
            (self.source, self.since) = (Some(source), at);
            self.activity.iter_mut().for_each(Activity::begin_anew);
        }
    }

    /// Takes in an observation of the child; says whether it is shown.
    pub(super) fn observed(&mut self, observed: &Observed, at: Duration) -> bool {
        let time = at.saturating_sub(self.began);
        if let Some(activity) = &mut self.activity {
            activity.observed(observed, time);
        }
        self.activity(at).is_some()
    }

    /// Takes in output that is not shown above the bars; says whether its last line is shown in them.
    pub(super) fn printed_elsewhere(&mut self, stream: Stream, bytes: &[u8], at: Duration) -> bool {
        if let Some(activity) = &mut self.activity {
            activity.printed(stream, bytes);
        }
        self.activity(at).is_some()
    }

    /// The activity of the child, if the picture is of that.
    fn activity(&self, at: Duration) -> Option<&Activity> {
        let time = at.saturating_sub(self.began);
        let activity = self.activity.as_ref();
        activity.filter(|activity| !activity.has_meter || self.parts.are_over(time))
    }

    /// Takes in output, which goes to the screen when it is known not to be redrawn.
    pub(super) fn printed(
        &mut self,
        stream: Stream,
        bytes: &[u8],
        verdicts: &Verdicts,
        at: Duration,
    ) {
        self.output
            .add(stream as usize, self.source, bytes, verdicts, at);
    }

    pub(super) fn pause(&mut self, paused: bool) {
        self.paused = paused;
    }

    /// Takes in that a stop was requested, or has taken its next step.
    pub(super) fn stopping(&mut self, what: &What<'_>, at: Duration) {
        self.stop = Stop::after(self.stop, what, at.saturating_sub(self.began));
    }

    pub(super) fn stop(&self) -> Option<&Stop> {
        self.stop.as_ref()
    }

    /// How far the task is, of 1.
    pub(super) fn fraction(&self, at: Duration) -> Option<f64> {
        let activity = self.activity(at);
        let task = activity.map_or(&self.parts.task, |activity| &activity.file);
        let reported = task.fraction(at.saturating_sub(self.began));
        reported.or_else(|| self.outlook(at).done)
    }

    /// Whether the next frame has output to write or to decide about.
    pub(super) fn is_waiting(&self) -> bool {
        self.output.is_waiting() || !self.failures.is_empty()
    }

    /// Decides how much of the output is ready for a frame; `draws` if the frame has bars.
    pub(super) fn settle(&mut self, draws: bool, at: Duration) {
        // A bar that is over at once has shown nothing, as after the answer of a server that looks like a report.
        if draws && at >= self.since + SHOW_AFTER {
            self.output.decide(true, at);
        } else if !draws && self.output.keeps() {
            self.output.decide(false, at);
        }
        self.output.open_old_lines(at);
    }

    /// The lines about parts that failed, to be told now: not before `delay`, for the child's own lines about it come
    /// first.
    pub(super) fn take_failures(&mut self, at: Duration, delay: Duration) -> Vec<String> {
        if at < self.failed + delay {
            return Vec::new();
        }
        std::mem::take(&mut self.failures)
    }

    /// The picture of the task.
    pub(super) fn picture(&self, at: Duration) -> Picture<'_> {
        let message = self.output.message();
        let elapsed = at.saturating_sub(self.began);
        Picture {
            name: if self.paused {
                Cow::Owned(format!("{} (stopped)", self.name))
            } else {
                Cow::Borrowed(self.name.as_str())
            },
            parts: &self.parts,
            activity: self.activity(at),
            // Beside a bar of ours, the child's own meter says nothing new.
            message: message.filter(|text| {
                let source = self.source;
                source.is_none_or(|source| redraws_words(source) && !draws_a_meter(text.as_bytes()))
            }),
            outlook: self.outlook(at),
            elapsed,
            stop: self.stop.map(|stop| stop.state(elapsed)),
        }
    }

    /// The picture of the task in a list of many, where its row keeps its name, and has its state beside it.
    pub(super) fn picture_in_list(&self, at: Duration) -> Picture<'_> {
        let picture = self.picture(at);
        let stop = self.stop.map(|stop| stop.state_of_task(picture.elapsed));
        Picture {
            name: Cow::Borrowed(&self.name),
            stop: stop.or_else(|| self.paused.then(|| "stopped".to_owned())),
            ..picture
        }
    }

    /// How long the task has left, if its own progress says so.
    pub(super) fn remaining(&self, at: Duration) -> Option<Duration> {
        let time = at.saturating_sub(self.began);
        let activity = self.activity(at);
        let task = activity.map_or(&self.parts.task, |activity| &activity.file);
        task.remaining(time)
    }

    /// Writes the output that is ready, in the child's own colors; `as_is` if the terminal is the child's. Else a
    /// newline has to return the cursor: apt switches that off in the terminal's settings, and goes on beside the bars.
    pub(super) fn write_output(&mut self, screen: &mut Screen, as_is: bool) {
        let output = self.output.take();
        if output.is_empty() {
            return;
        }
        self.colors_on(screen);
        self.modes.note(&output);
        if as_is || screen.newline_returns() {
            screen.write(&output);
            return;
        }
        for line in output.split_inclusive(|byte| *byte == b'\n') {
            match line.strip_suffix(b"\n") {
                Some(line) => {
                    screen.write(line);
                    screen.write(b"\r\n");
                }
                None => screen.write(line),
            }
        }
    }

    /// Switches the child's colors on again that [`colors_off`](Self::colors_off) has switched off.
    pub(super) fn colors_on(&mut self, screen: &mut Screen) {
        self.switch(Colors::On, screen);
    }

    /// Switches the child's colors off, for our own text.
    pub(super) fn colors_off(&mut self, screen: &mut Screen) {
        self.switch(Colors::Off, screen);
    }

    fn switch(&mut self, colors: Colors, screen: &mut Screen) {
        let style = self.modes.style();
        if self.colors != colors && !style.is_usual() {
            screen.write(&match colors {
                Colors::On => style.on(),
                Colors::Off => style.off(),
            });
            self.colors = colors;
        }
    }

    /// Ends the line, and the sequence, that the child has left open on the screen. Says whether a line was open.
    pub(super) fn end_line(&mut self, screen: &mut Screen, as_is: bool) -> bool {
        self.output.cut_sequence();
        self.write_output(screen, as_is);
        self.colors_off(screen);
        self.output.end_line()
    }

    /// Moves the cursor from the line below to where the child has left it.
    pub(super) fn go_back(&mut self, cursor: &Cursor, screen: &mut Screen) {
        screen.write(b"\x1b[A");
        screen.write(&cursor.forward());
        if let Some(last) = &cursor.last {
            self.colors_on(screen);
            screen.write(last.as_bytes());
        }
    }

    /// The sequences that leave the terminal as it was before the child, which has ended well or not, for the next
    /// lines and for the next program.
    pub(super) fn undo(&mut self, ended_well: bool) -> Vec<u8> {
        if self.modes.is_elsewhere() {
            // The open line is on the alternate screen, which is left.
            self.output.end_line();
        }
        self.modes.undo(ended_well)
    }

    /// The task's last line, if it has one.
    pub(super) fn last_line(
        &self,
        summary: &Summary,
        with_color: bool,
        at: Duration,
    ) -> Option<String> {
        let elapsed = at.saturating_sub(self.began);
        messages::finished(summary, &self.parts, (self.seen, with_color), elapsed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Progress;

    #[test]
    fn what_failed_is_told_of_a_frame_later_when_the_lines_that_say_so_are_there() {
        let mut view = View::new("job".to_owned(), Duration::ZERO, 80, false);
        let part = Progress {
            id: Some("1".into()),
            status: Some(Status::Failed),
            ..Progress::default()
        };
        let reports = Batch {
            parts: vec![part],
            source: Some("tap"),
            ..Batch::default()
        };
        assert_eq!(view.reports(&reports, SHOW_AFTER), None);
        let delay = Duration::from_millis(50);
        assert!(view.take_failures(SHOW_AFTER, delay).is_empty());
        assert_eq!(view.take_failures(SHOW_AFTER + delay, delay).len(), 1);
        assert!(!view.is_waiting());
    }

    #[test]
    fn the_times_of_a_task_count_from_its_own_beginning() {
        let at = Duration::from_secs;
        let mut view = View::new("job".to_owned(), at(100), 80, false);
        for second in [100_u32, 110] {
            let report = Progress {
                progress: Some(f64::from(second - 100)),
                total: Some(100.0),
                ..Progress::default()
            };
            let reports = Batch {
                parts: vec![report],
                ..Batch::default()
            };
            view.reports(&reports, at(second.into()));
        }
        let picture = view.picture(at(110));
        assert_eq!(picture.elapsed, at(10));
        assert_eq!(picture.parts.task.remaining(at(10)), Some(at(90)));
    }
}
