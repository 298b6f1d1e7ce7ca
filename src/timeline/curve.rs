//! How far a task was, and when: a limited number of points, whatever the number of reports. Knows no task.

use std::time::Duration;

/// What is known at one time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Point {
    pub(super) at: Duration,
    pub(super) done: Done,
    /// The amount that is done.
    pub(super) amount: Option<f64>,
}

/// How much of the whole is done.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Done {
    Unknown,
    /// From 0 to 1.
    Share(f64),
    /// So many of its parts. How many there are is known at the end.
    Parts(f64),
}

impl Point {
    /// How much of the whole is done, from 0 to 1.
    pub(super) fn share(&self) -> Option<f64> {
        match self.done {
            Done::Share(share) => Some(share),
            Done::Unknown | Done::Parts(_) => None,
        }
    }
}

/// The points, at least a step apart. The step doubles when there are too many of them.
#[derive(Debug, Default)]
pub(super) struct Curve {
    points: Vec<Point>,
    step: Duration,
}

impl Curve {
    /// Takes in a point that is not before the last one, and keeps at most so many.
    pub(super) fn push(&mut self, point: Point, most: usize) {
        // The last point is always there, so that the curve ends where the task was.
        if let [.., before, last] = &mut self.points[..]
            && point.at < before.at.saturating_add(self.step)
        {
            *last = point;
            return;
        }
        self.points.push(point);
        self.shorten(most);
    }

    /// Leaves at most so many points.
    pub(super) fn shorten(&mut self, most: usize) {
        if most < 2 {
            self.points.clear();
        }
        while self.points.len() > most {
            let last = self.points.len() - 1;
            let mut index = 0;
            self.points.retain(|_| {
                index += 1;
                (index - 1) % 2 == 0 || index - 1 == last
            });
            let span = self.points.last().zip(self.points.first());
            let span = span.map_or(Duration::ZERO, |(last, first)| {
                last.at.saturating_sub(first.at)
            });
            let parts = u32::try_from(self.points.len()).unwrap_or(u32::MAX);
            self.step = self.step.saturating_mul(2).max(span / parts.max(1));
        }
    }

    /// The task has completed: all of it is done, whatever it said last.
    pub(super) fn complete(&mut self, at: Duration) {
        if let Some(last) = self.points.last().copied()
            && last.done != Done::Unknown
        {
            let done = Done::Share(1.0);
            self.points.push(Point { at, done, ..last });
        }
    }

    /// There are so many parts: so the line does not go back where one of them began. None: the task has said how much
    /// of the whole is done, which its parts say only roughly.
    pub(super) fn settle(&mut self, parts: Option<u32>) {
        for point in &mut self.points {
            if let Done::Parts(done) = point.done {
                point.done = parts.map_or(Done::Unknown, |parts| {
                    Done::Share((done / f64::from(parts.max(1))).clamp(0.0, 1.0))
                });
            }
        }
    }

    pub(super) fn points(&self) -> &[Point] {
        &self.points
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(millis: u64) -> Point {
        Point {
            at: Duration::from_millis(millis),
            done: Done::Share(0.5),
            amount: None,
        }
    }

    #[test]
    fn a_million_reports_leave_few_points_from_the_first_to_the_last() {
        let mut curve = Curve::default();
        for millis in 0..1_000_000 {
            curve.push(point(millis), 240);
        }
        let points = curve.points();
        assert!((100..=240).contains(&points.len()), "{}", points.len());
        assert_eq!(points.first(), Some(&point(0)));
        assert_eq!(points.last(), Some(&point(999_999)));
        assert!(points.is_sorted_by_key(|point| point.at));
    }

    #[test]
    fn a_few_reports_are_all_kept_and_none_if_there_is_no_room() {
        let mut curve = Curve::default();
        (0..100).for_each(|millis| curve.push(point(millis), 240));
        assert_eq!(curve.points().len(), 100);
        curve.shorten(0);
        assert_eq!(curve.points(), &[]);
    }
}
