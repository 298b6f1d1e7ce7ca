//! The output of one attempt that is not shown yet. Does not know when it is.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use crate::event::{Stream, Summary, TaskId};
use crate::flow::{Credit, Permit};
use crate::model::verdict::Verdicts;

use super::piece::Piece;
use super::spool::{Kept, Spool};
use super::stage::Stage;
use super::tag::Tag;

/// The weight of a piece besides its bytes.
const PIECE: usize = 256;

/// The output of one attempt.
pub(super) struct Group {
    pub(super) task: TaskId,
    /// First comes what the spool keeps of it, then what is held with its permits, so that the worker reads no further.
    kept: Kept,
    held: VecDeque<Held>,
    /// How many bytes are held.
    holds: usize,
    tag: Option<Tag>,
    /// How the attempt ended, if it has.
    end: Option<Summary>,
    /// The screen was told that it is shown.
    pub(super) is_announced: bool,
    /// Some of it was dropped.
    pub(super) is_cut: bool,
}

/// A piece of output that is held.
struct Held {
    piece: Piece,
    permit: Permit,
}

/// How far a group was shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// All that there is.
    All,
    /// The sinks take no more at the moment.
    Waits,
    /// Enough for one turn of the run loop.
    Enough,
}

impl Group {
    pub(super) fn new(task: TaskId, tag: Option<Tag>) -> Self {
        Self {
            task,
            kept: Kept::default(),
            held: VecDeque::new(),
            holds: 0,
            tag,
            end: None,
            is_announced: false,
            is_cut: false,
        }
    }

    /// Whether nothing of it waits to be shown.
    pub(super) fn is_empty(&self) -> bool {
        self.kept.is_empty() && self.held.is_empty()
    }

    pub(super) fn is_tagged(&self) -> bool {
        self.tag.is_some()
    }

    pub(super) fn is_held(&self) -> bool {
        !self.held.is_empty()
    }

    /// How many bytes are held.
    pub(super) fn holds(&self) -> usize {
        self.holds
    }

    /// How the attempt ended, if it has.
    pub(super) fn end(&self) -> Option<&Summary> {
        self.end.as_ref()
    }

    /// The attempt is over.
    pub(super) fn ends(&mut self, summary: Summary) {
        self.end = Some(summary);
    }

    /// Waits to be shown, and grows no more.
    pub(super) fn rests(&mut self) {
        self.kept.rest();
    }

    /// Keeps output. False: there is no room for it.
    pub(super) fn keep(
        &mut self,
        spool: &mut Spool,
        stream: Stream,
        bytes: &[u8],
        verdicts: &Verdicts,
    ) -> bool {
        self.held.is_empty() && spool.keep(&mut self.kept, stream, bytes, verdicts)
    }

    /// Moves what is kept in memory to the file.
    pub(super) fn make_room(&mut self, spool: &mut Spool) {
        spool.make_room(&mut self.kept);
    }

    /// Holds output with its permit.
    pub(super) fn hold(&mut self, piece: Piece, permit: Permit) {
        self.holds += piece.bytes.len();
        self.held.push_back(Held { piece, permit });
    }

    /// Keeps what is held, as far as there is room. False: there is none.
    pub(super) fn keep_held(&mut self, spool: &mut Spool) -> bool {
        while let Some(Held { piece, .. }) = self.held.front() {
            let (bytes, verdicts) = (&piece.bytes, &piece.verdicts);
            if !spool.keep(&mut self.kept, piece.stream, bytes, verdicts) {
                return false;
            }
            self.holds -= bytes.len();
            self.held.pop_front();
        }
        true
    }

    /// Drops all that is not shown.
    pub(super) fn clear(&mut self, spool: &mut Spool) {
        spool.forget(&mut self.kept);
        self.held.clear();
        self.holds = 0;
    }

    /// Shows what there is, as long as the sinks take it, and about `budget` bytes at most.
    ///
    /// # Errors
    /// If the file cannot be read: what was kept there is lost.
    pub(super) fn show(
        &mut self,
        spool: &mut Spool,
        stage: &mut Stage,
        credit: &Credit,
        budget: &mut usize,
    ) -> io::Result<Progress> {
        while !self.kept.is_empty() {
            if credit.exhausted() {
                return Ok(Progress::Waits);
            }
            if *budget == 0 {
                return Ok(Progress::Enough);
            }
            let piece = spool.next(&mut self.kept);
            let piece = piece.inspect_err(|_| spool.forget(&mut self.kept))?;
            let Some(piece) = piece else { break };
            *budget = budget.saturating_sub(piece.bytes.len() + PIECE);
            if !piece.bytes.is_empty() {
                self.put(stage, credit, piece, None);
            }
        }
        while let Some(held) = self.held.front() {
            // The worker's permit bounds the bytes, but not what tags make of them.
            if self.tag.is_some() && credit.exhausted() {
                return Ok(Progress::Waits);
            }
            if *budget == 0 {
                return Ok(Progress::Enough);
            }
            let length = held.piece.bytes.len();
            *budget = budget.saturating_sub(length + PIECE);
            self.holds -= length;
            if let Some(Held { piece, permit }) = self.held.pop_front() {
                self.put(stage, credit, piece, Some(permit));
            }
        }
        Ok(Progress::All)
    }

    /// Shows this piece, with this permit or one of ours.
    pub(super) fn put(
        &mut self,
        stage: &mut Stage,
        credit: &Credit,
        piece: Piece,
        permit: Option<Permit>,
    ) {
        let Piece {
            stream,
            mut bytes,
            mut verdicts,
        } = piece;
        let mut permit = permit;
        if let Some(tag) = &mut self.tag {
            let tagged;
            (tagged, verdicts) = tag.add(stream, &bytes, &verdicts);
            if tagged.is_empty() {
                return;
            }
            bytes = Arc::new(tagged);
            permit = None;
        }
        let permit = permit.unwrap_or_else(|| credit.permit(bytes.len() + PIECE));
        stage.output(self.task, stream, (&bytes, &verdicts), &permit);
    }

    /// Shows the begun lines that waited for their ends.
    pub(super) fn show_last_lines(&mut self, stage: &mut Stage, credit: &Credit) {
        for stream in [Stream::Stdout, Stream::Stderr] {
            let line = self.tag.as_mut().map_or(Vec::new(), |tag| tag.end(stream));
            if !line.is_empty() {
                let permit = credit.permit(line.len() + PIECE);
                let line = (&Arc::new(line), &Verdicts::default());
                stage.output(self.task, stream, line, &permit);
            }
        }
    }
}
