//! Keeps the output of attempts until it is shown: a little of each in memory, the rest in one file without a name.
//!
//! A slow first task of a list whose order is kept may have thousands of ended ones behind it: in memory, or in a file
//! each, they would be too many. Holes are punched in the file behind what was taken out, and it is emptied when
//! nothing is kept in it. A piece that the file has no room for is not taken in at all; the spool stays as it was. Does
//! not know whose output it is, and when it is shown.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use crate::event::Stream;
use crate::model::verdict::Verdicts;

use super::piece::{Head, Piece, Sources};

/// How much of one attempt stays in memory, in bytes.
const OF_ONE: usize = 64 * 1024;
/// How much of all attempts stays in memory.
const OF_ALL: usize = 16 * 1024 * 1024;
/// The most bytes that a piece has when it is taken out.
const PIECE: usize = 128 * 1024;
/// A smaller piece does not get a large buffer.
const SMALL: usize = PIECE / 4;
/// How much is read ahead in the file: large pieces are read without a copy, small ones many at a time.
const AHEAD: usize = 8 * 1024;
/// How large a hole is before it is punched.
const HOLE: u64 = 1024 * 1024;
/// How many buffers are kept for reuse.
const BUFFERS: usize = 16;
/// How much has to be freed before a full file is written to again: failing costs a system call each time.
const ROOM: u64 = 256 * 1024;

/// The kept output of all attempts.
pub(super) struct Spool {
    open: fn() -> io::Result<File>,
    file: Option<File>,
    /// Where the next bytes go in the file.
    end: u64,
    /// How many bytes in the file are kept.
    stored: u64,
    /// How many bytes are kept in memory.
    in_memory: usize,
    /// The part of the file that was taken out last, and is still to be freed.
    hole: Extent,
    /// The file takes no more; how much was freed since then.
    full: Option<u64>,
    /// Why, until it is told.
    fault: Option<io::Error>,
    sources: Sources,
    /// The streams whose reader is gone: what is kept of them is passed over, and no more is kept.
    closed: [bool; 2],
    /// The large buffers that were handed out, for reuse: a fresh one would cost a page fault for every 4 KiB.
    buffers: Vec<Arc<Vec<u8>>>,
}

/// The kept output of one attempt, oldest first: what is read ahead, what is in the file, what is in memory.
#[derive(Debug, Default)]
pub(super) struct Kept {
    /// Read ahead; taken out up to `at`.
    ahead: Vec<u8>,
    at: usize,
    extents: VecDeque<Extent>,
    memory: Vec<u8>,
    /// Where in the memory the head of the last piece is, if that piece can grow.
    last: Option<usize>,
    /// How many bytes there are in all, with their heads.
    size: u64,
    /// The piece that is partly taken out, and how many bytes of it are left.
    rest: Option<(Stream, usize)>,
}

/// The next output to be taken out.
enum Next {
    End,
    /// Its head is taken out.
    Piece(Stream),
    /// It is to be taken out as a whole, with its head.
    WithVerdicts(Head),
}

/// A part of the file.
#[derive(Clone, Copy, Debug, Default)]
struct Extent {
    at: u64,
    length: u64,
}

impl Extent {
    fn end(self) -> u64 {
        self.at + self.length
    }
}

impl Kept {
    pub(super) fn is_empty(&self) -> bool {
        self.size == 0
    }

    /// Waits from now on, and grows no more.
    pub(super) fn rest(&mut self) {
        self.memory.shrink_to_fit();
    }

    /// How many bytes are read ahead.
    fn is_ahead(&self) -> usize {
        self.ahead.len() - self.at
    }

    /// The last piece, if output of this stream can be added to it: then many small pieces take one head.
    fn grows(&self, stream: Stream) -> Option<(usize, Head)> {
        let at = self.last?;
        let head = Head::read(self.memory.get(at..)?)?;
        (head.stream == stream).then_some((at, head))
    }

    fn add(&mut self, stream: Stream, bytes: &[u8], verdicts: &[u8]) {
        let grows = self.grows(stream).filter(|_| verdicts.is_empty());
        if let Some((at, mut head)) = grows {
            head.length += bytes.len();
            self.memory[at..at + Head::SIZE].copy_from_slice(&head.write());
        } else {
            self.last = verdicts.is_empty().then_some(self.memory.len());
            self.add_head(stream, bytes, verdicts);
        }
        self.memory.extend_from_slice(bytes);
    }

    fn add_head(&mut self, stream: Stream, bytes: &[u8], verdicts: &[u8]) {
        let head = Head {
            stream,
            length: bytes.len(),
            verdicts: verdicts.len(),
        };
        self.memory.extend_from_slice(&head.write());
        self.memory.extend_from_slice(verdicts);
    }
}

impl Spool {
    /// A spool whose file is opened when it is needed.
    pub(super) fn new(open: fn() -> io::Result<File>) -> Self {
        Self {
            open,
            file: None,
            end: 0,
            stored: 0,
            in_memory: 0,
            hole: Extent::default(),
            full: None,
            fault: None,
            sources: Sources::default(),
            closed: [false; 2],
            buffers: Vec::new(),
        }
    }

    /// Keeps this output. False: there is no room for it.
    pub(super) fn keep(
        &mut self,
        kept: &mut Kept,
        stream: Stream,
        bytes: &[u8],
        verdicts: &Verdicts,
    ) -> bool {
        if bytes.is_empty() || self.closed[stream as usize] {
            return true;
        }
        let mut meanings = Vec::new();
        self.sources.write(verdicts, &mut meanings);
        let before = kept.memory.len();
        let at_most = Head::SIZE + meanings.len() + bytes.len();
        if before + at_most <= OF_ONE && self.in_memory + at_most <= OF_ALL {
            kept.add(stream, bytes, &meanings);
            let added = kept.memory.len() - before;
            self.in_memory += added;
            kept.size += added as u64;
            return true;
        }
        if self.full.is_some() {
            return false;
        }
        kept.add_head(stream, bytes, &meanings);
        let Some(extent) = self.append([&kept.memory, bytes]) else {
            kept.memory.truncate(before);
            return false;
        };
        kept.size += extent.length - before as u64;
        self.is_stored(kept, extent, before);
        true
    }

    /// Moves what is in memory to the file, if it has room.
    pub(super) fn make_room(&mut self, kept: &mut Kept) {
        let length = kept.memory.len();
        if length > 0
            && self.full.is_none()
            && let Some(extent) = self.append([&kept.memory, &[]])
        {
            self.is_stored(kept, extent, length);
            kept.memory = Vec::new();
        }
    }

    /// The memory of an attempt, of which `counted` bytes counted as kept there, is in this extent now.
    fn is_stored(&mut self, kept: &mut Kept, extent: Extent, counted: usize) {
        self.in_memory -= counted;
        kept.memory.clear();
        kept.last = None;
        match kept.extents.back_mut() {
            Some(last) if last.end() == extent.at => last.length += extent.length,
            _ => kept.extents.push_back(extent),
        }
    }

    /// Whether the memory is almost used up, so that it is time to make room.
    pub(super) fn is_crowded(&self) -> bool {
        self.in_memory + OF_ONE > OF_ALL && self.full.is_none()
    }

    /// Whether at least half of the memory is free.
    pub(super) fn has_memory(&self) -> bool {
        self.in_memory <= OF_ALL / 2
    }

    /// Whether the file takes no more.
    pub(super) fn is_full(&self) -> bool {
        self.full.is_some()
    }

    /// Why the file takes no more; told once each time.
    pub(super) fn take_fault(&mut self) -> Option<io::Error> {
        self.fault.take()
    }

    /// Whether it is worth trying to keep more, for room was made in a full file.
    pub(super) fn may_have_room(&mut self) -> bool {
        let Some(freed) = self.full else {
            return false;
        };
        if freed < ROOM && self.stored > 0 {
            return false;
        }
        self.punch();
        self.full = None;
        true
    }

    /// The reader of this stream is gone.
    pub(super) fn close(&mut self, stream: Stream) {
        self.closed[stream as usize] = true;
    }

    /// Takes out the next piece; none if there is no more. One whose reader is gone is empty.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub(super) fn next(&mut self, kept: &mut Kept) -> io::Result<Option<Piece>> {
        let stream = match self.begin_next(kept)? {
            Next::End => return Ok(None),
            Next::Piece(stream) => stream,
            Next::WithVerdicts(head) if self.closed[head.stream as usize] => {
                let size = Head::SIZE + head.verdicts + head.length;
                kept.rest = Some((head.stream, size));
                head.stream
            }
            Next::WithVerdicts(head) => return self.next_with_verdicts(kept, head).map(Some),
        };
        if self.closed[stream as usize] {
            self.skip(kept)?;
            return Ok(Some(Piece {
                stream,
                bytes: Arc::default(),
                verdicts: Verdicts::default(),
            }));
        }
        let left = usize::try_from(kept.size).unwrap_or(usize::MAX);
        let is_small = left < SMALL;
        let mut buffer = if is_small {
            vec![0; left]
        } else {
            self.buffer()
        };
        let mut filled = 0;
        while let Some((of, left)) = kept.rest
            && of == stream
            && filled < buffer.len()
        {
            let room = &mut buffer[filled..];
            let wanted = left.min(room.len());
            let taken = self.read(kept, &mut room[..wanted])?;
            filled += taken;
            kept.rest = (taken < left).then_some((of, left - taken));
            if kept.rest.is_none() {
                self.begin_next(kept)?;
            }
        }
        let bytes = if is_small || filled >= SMALL {
            buffer.truncate(filled);
            Arc::new(buffer)
        } else {
            let small = Arc::new(buffer[..filled].to_vec());
            self.reuse(&Arc::new(buffer));
            small
        };
        if !is_small && bytes.len() >= SMALL {
            self.reuse(&bytes);
        }
        Ok(Some(Piece {
            stream,
            bytes,
            verdicts: Verdicts::default(),
        }))
    }

    /// Passes over the rest of the begun piece. What is in the file is not read.
    fn skip(&mut self, kept: &mut Kept) -> io::Result<()> {
        let mut left = kept.rest.take().map_or(0, |(_, left)| left);
        while left > 0 {
            let count = if kept.is_ahead() > 0 {
                let count = kept.is_ahead().min(left);
                kept.at += count;
                count
            } else if let Some(first) = kept.extents.front() {
                let count = usize::try_from(first.length).unwrap_or(usize::MAX);
                let count = count.min(left);
                self.take_out(kept, count as u64);
                count
            } else {
                self.read_ahead(kept, 1)?;
                0
            };
            kept.size -= count as u64;
            left -= count;
        }
        Ok(())
    }

    /// Begins with the next piece, unless one is begun.
    fn begin_next(&mut self, kept: &mut Kept) -> io::Result<Next> {
        if let Some((stream, _)) = kept.rest {
            return Ok(Next::Piece(stream));
        }
        if kept.is_empty() {
            return Ok(Next::End);
        }
        self.read_ahead(kept, Head::SIZE)?;
        let head = Head::read(&kept.ahead[kept.at..]).ok_or_else(unreadable)?;
        if head.verdicts > 0 {
            return Ok(Next::WithVerdicts(head));
        }
        kept.at += Head::SIZE;
        kept.size -= Head::SIZE as u64;
        kept.rest = Some((head.stream, head.length));
        Ok(Next::Piece(head.stream))
    }

    fn next_with_verdicts(&mut self, kept: &mut Kept, head: Head) -> io::Result<Piece> {
        let size = Head::SIZE + head.verdicts + head.length;
        self.read_ahead(kept, size)?;
        let record = &kept.ahead[kept.at..kept.at + size];
        let (meanings, bytes) = record[Head::SIZE..].split_at(head.verdicts);
        let piece = Piece {
            stream: head.stream,
            bytes: Arc::new(bytes.to_vec()),
            verdicts: self.sources.read(meanings).ok_or_else(unreadable)?,
        };
        kept.at += size;
        kept.size -= size as u64;
        Ok(piece)
    }

    /// Takes out bytes of the begun piece; gives how many.
    fn read(&mut self, kept: &mut Kept, to: &mut [u8]) -> io::Result<usize> {
        if kept.is_ahead() == 0
            && to.len() >= AHEAD
            && let Some(extent) = kept.extents.front().copied()
        {
            let count = usize::try_from(extent.length).unwrap_or(usize::MAX);
            let count = count.min(to.len());
            self.read_file(kept, extent.at, &mut to[..count])?;
            kept.size -= count as u64;
            return Ok(count);
        }
        if kept.is_ahead() == 0 {
            self.read_ahead(kept, 1)?;
        }
        let count = kept.is_ahead().min(to.len());
        to[..count].copy_from_slice(&kept.ahead[kept.at..kept.at + count]);
        kept.at += count;
        kept.size -= count as u64;
        Ok(count)
    }

    /// Has at least so many bytes read ahead.
    fn read_ahead(&mut self, kept: &mut Kept, wanted: usize) -> io::Result<()> {
        while kept.is_ahead() < wanted {
            kept.ahead.drain(..kept.at);
            kept.at = 0;
            if let Some(extent) = kept.extents.front().copied() {
                let have = kept.ahead.len();
                let count = usize::try_from(extent.length).unwrap_or(usize::MAX);
                let count = count.min(AHEAD.max(wanted - have));
                let mut ahead = std::mem::take(&mut kept.ahead);
                ahead.resize(have + count, 0);
                let result = self.read_file(kept, extent.at, &mut ahead[have..]);
                kept.ahead = ahead;
                result?;
            } else if kept.memory.is_empty() {
                return Err(unreadable());
            } else {
                self.in_memory -= kept.memory.len();
                kept.last = None;
                if kept.ahead.is_empty() {
                    kept.ahead = std::mem::take(&mut kept.memory);
                } else {
                    kept.ahead.append(&mut kept.memory);
                }
            }
        }
        Ok(())
    }

    /// Reads from the begin of the first extent, and frees what was read.
    fn read_file(&mut self, kept: &mut Kept, at: u64, to: &mut [u8]) -> io::Result<()> {
        let file = self.file.as_ref().ok_or_else(unreadable)?;
        file.read_exact_at(to, at)?;
        self.take_out(kept, to.len() as u64);
        Ok(())
    }

    /// The begin of the first extent is not needed any more.
    fn take_out(&mut self, kept: &mut Kept, length: u64) {
        let Some(first) = kept.extents.front_mut() else {
            return;
        };
        let at = first.at;
        first.at += length;
        first.length -= length;
        if first.length == 0 {
            kept.extents.pop_front();
        }
        self.free(Extent { at, length });
    }

    /// Drops what is left of this output.
    pub(super) fn forget(&mut self, kept: &mut Kept) {
        self.in_memory -= kept.memory.len();
        for extent in std::mem::take(&mut kept.extents) {
            self.free(extent);
        }
        *kept = Kept::default();
    }

    /// Writes these bytes behind all others. None: the file takes no more, and what it took of them is no part of it.
    fn append(&mut self, parts: [&[u8]; 2]) -> Option<Extent> {
        let at = self.end;
        let written = self.file().and_then(|file| {
            file.write_all_at(parts[0], at)?;
            file.write_all_at(parts[1], at + parts[0].len() as u64)
        });
        if let Err(error) = written {
            // Gives back the room that a part of them has taken.
            let _ = self.file.as_ref().map(|file| file.set_len(at));
            self.full = Some(0);
            self.fault = Some(error);
            return None;
        }
        let length = (parts[0].len() + parts[1].len()) as u64;
        self.end += length;
        self.stored += length;
        Some(Extent { at, length })
    }

    fn file(&mut self) -> io::Result<&File> {
        if self.file.is_none() {
            self.file = Some((self.open)()?);
        }
        self.file.as_ref().ok_or_else(unreadable)
    }

    /// This part of the file is not needed any more.
    fn free(&mut self, extent: Extent) {
        self.stored -= extent.length;
        if let Some(freed) = &mut self.full {
            *freed += extent.length;
        }
        if self.stored == 0 {
            self.end = 0;
            self.hole = Extent::default();
            let _ = self.file.as_ref().map(|file| file.set_len(0));
            return;
        }
        // Soon all of it is passed over, and the file empty: to punch takes a second for each GB.
        if self.closed.contains(&true) {
            return;
        }
        if self.hole.end() == extent.at {
            self.hole.length += extent.length;
        } else {
            self.punch();
            self.hole = extent;
        }
        if self.hole.length >= HOLE {
            self.punch();
        }
    }

    /// Gives the room of the hole back. Where that does not work, the file is larger than it need be, and nothing else.
    fn punch(&mut self) {
        let hole = std::mem::take(&mut self.hole);
        #[cfg(target_os = "linux")]
        if let Some(file) = self.file.as_ref().filter(|_| hole.length > 0) {
            use rustix::fs::{FallocateFlags, fallocate};
            let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
            let _ = fallocate(file, flags, hole.at, hole.length);
        }
        self.hole.at = hole.end();
    }

    /// A large buffer that all sinks have released, of its full length.
    fn buffer(&mut self) -> Vec<u8> {
        let mut buffers = self.buffers.iter_mut();
        let free = buffers.position(|buffer| Arc::get_mut(buffer).is_some());
        let free = free.and_then(|free| Arc::into_inner(self.buffers.swap_remove(free)));
        let mut buffer = free.unwrap_or_default();
        buffer.resize(PIECE, 0);
        buffer
    }

    fn reuse(&mut self, buffer: &Arc<Vec<u8>>) {
        if self.buffers.len() < BUFFERS {
            self.buffers.push(Arc::clone(buffer));
        }
    }
}

/// The file does not have what was written to it.
fn unreadable() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the stored output is damaged")
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;
    use crate::model::verdict::{Meaning, Verdict};

    /// A file that takes no more than 300 KiB.
    fn small_file() -> io::Result<File> {
        use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, ftruncate, memfd_create};
        let file = memfd_create("spool", MemfdFlags::ALLOW_SEALING)?;
        ftruncate(&file, 300 * 1024)?;
        fcntl_add_seals(&file, SealFlags::GROW | SealFlags::SHRINK)?;
        Ok(file.into())
    }

    fn keep(spool: &mut Spool, kept: &mut Kept, stream: Stream, bytes: &[u8]) -> bool {
        spool.keep(kept, stream, bytes, &Verdicts::default())
    }

    /// All that is kept, stdout and stderr apart.
    fn taken(spool: &mut Spool, kept: &mut Kept) -> [Vec<u8>; 2] {
        let mut all = [Vec::new(), Vec::new()];
        while let Some(piece) = spool.next(kept).unwrap() {
            assert!(!piece.bytes.is_empty() && piece.bytes.len() <= PIECE);
            all[piece.stream as usize].extend_from_slice(&piece.bytes);
        }
        assert!(kept.is_empty());
        all
    }

    /// Bytes that differ from place to place.
    fn bytes(length: usize, seed: usize) -> Vec<u8> {
        (seed..seed + length)
            .map(|n| (n * 31 / 8).to_le_bytes()[0])
            .collect()
    }

    #[test]
    fn what_is_kept_comes_out_in_order_whatever_its_size() {
        let mut spool = Spool::new(tempfile::tempfile);
        let mut kept = [Kept::default(), Kept::default()];
        let mut expected = [(); 2].map(|()| [Vec::new(), Vec::new()]);
        let sizes = [1, 200_000, 5, 70_000, 9, 131_072, 10, 3, 40_000];
        for round in 0..30 {
            let stream = [Stream::Stdout, Stream::Stderr][round % 4 / 2];
            let which = round % 3 % 2;
            let piece = bytes(sizes[round % sizes.len()], round);
            assert!(keep(&mut spool, &mut kept[which], stream, &piece));
            expected[which][stream as usize].extend_from_slice(&piece);
        }
        assert!(spool.stored > 0);
        for (kept, expected) in kept.iter_mut().zip(expected) {
            assert!(taken(&mut spool, kept) == expected);
        }
        assert_eq!((spool.stored, spool.end, spool.in_memory), (0, 0, 0));
        assert_eq!(spool.file.unwrap().metadata().unwrap().len(), 0);
    }

    #[test]
    fn many_small_pieces_of_both_streams_come_out_in_order_of_arrival() {
        let mut spool = Spool::new(tempfile::tempfile);
        let mut kept = Kept::default();
        let streams = [Stream::Stdout, Stream::Stderr];
        for number in 0..100_000 {
            let line = format!("{number}\n");
            assert!(keep(
                &mut spool,
                &mut kept,
                streams[number % 2],
                line.as_bytes()
            ));
        }
        assert!(spool.stored > 0);
        let mut all = Vec::new();
        while let Some(piece) = spool.next(&mut kept).unwrap() {
            all.extend_from_slice(&piece.bytes);
        }
        let lines = (0..100_000).flat_map(|number| format!("{number}\n").into_bytes());
        assert!(lines.eq(all));
    }

    #[test]
    fn little_output_needs_no_file() {
        let mut spool = Spool::new(|| panic!("no file is needed"));
        let mut kept = Kept::default();
        for _ in 0..1000 {
            assert!(keep(&mut spool, &mut kept, Stream::Stdout, b"one line\n"));
        }
        assert_eq!(spool.in_memory, 9 * 1000 + Head::SIZE);
        assert_eq!(taken(&mut spool, &mut kept)[0], b"one line\n".repeat(1000));
        assert_eq!(spool.in_memory, 0);
    }

    #[test]
    fn the_meaning_of_lines_is_kept_in_memory_and_in_the_file() {
        let mut spool = Spool::new(tempfile::tempfile);
        let mut kept = Kept::default();
        let verdicts = |end| Verdicts {
            lines: vec![Verdict {
                end,
                source: "restic",
                meaning: Meaning::Progress,
            }],
            is_begun: false,
        };
        let large = b"{}\n".repeat(30_000);
        for piece in [b"{}\n".as_slice(), &large] {
            let verdicts = verdicts(piece.len());
            assert!(keep(&mut spool, &mut kept, Stream::Stdout, b"text\n"));
            assert!(spool.keep(&mut kept, Stream::Stdout, piece, &verdicts));
        }
        assert!(keep(&mut spool, &mut kept, Stream::Stdout, b"text\n"));
        let mut pieces = Vec::new();
        while let Some(piece) = spool.next(&mut kept).unwrap() {
            pieces.push((piece.bytes.to_vec(), piece.verdicts));
        }
        let plain = (b"text\n".to_vec(), Verdicts::default());
        let expected = [
            plain.clone(),
            (b"{}\n".to_vec(), verdicts(3)),
            plain.clone(),
            (large, verdicts(90_000)),
            plain,
        ];
        assert!(pieces == expected);
    }

    #[test]
    fn what_has_no_reader_any_more_is_passed_over_and_the_rest_comes_out() {
        let mut spool = Spool::new(tempfile::tempfile);
        let mut kept = Kept::default();
        let large = bytes(300_000, 1);
        let verdicts = Verdicts {
            lines: vec![Verdict {
                end: 3,
                source: "restic",
                meaning: Meaning::Progress,
            }],
            is_begun: false,
        };
        for _ in 0..20 {
            assert!(keep(&mut spool, &mut kept, Stream::Stdout, &large));
            assert!(keep(&mut spool, &mut kept, Stream::Stderr, b"one\n"));
            assert!(spool.keep(&mut kept, Stream::Stdout, b"{}\n", &verdicts));
            assert!(keep(&mut spool, &mut kept, Stream::Stdout, b"small\n"));
        }
        // In the middle of a piece.
        assert_eq!(spool.next(&mut kept).unwrap().unwrap().bytes.len(), PIECE);
        spool.close(Stream::Stdout);
        assert!(keep(&mut spool, &mut kept, Stream::Stdout, &large));
        let mut errors = Vec::new();
        while let Some(piece) = spool.next(&mut kept).unwrap() {
            assert!(piece.stream == Stream::Stderr || piece.bytes.is_empty());
            errors.extend_from_slice(&piece.bytes);
        }
        assert_eq!(errors, b"one\n".repeat(20));
        assert_eq!((spool.stored, spool.end, spool.in_memory), (0, 0, 0));
    }

    #[test]
    fn what_a_full_file_has_no_room_for_leaves_the_rest_as_it_was() {
        let mut spool = Spool::new(small_file);
        let (mut one, mut two) = (Kept::default(), Kept::default());
        let (large, small) = (bytes(100_000, 1), bytes(30_000, 2));
        assert!(keep(&mut spool, &mut one, Stream::Stdout, &large));
        assert!(keep(&mut spool, &mut two, Stream::Stdout, &large));
        assert!(keep(&mut spool, &mut two, Stream::Stderr, &small));
        assert!(keep(&mut spool, &mut two, Stream::Stderr, &small));
        assert!(!keep(&mut spool, &mut two, Stream::Stdout, &large));
        let fault = spool.take_fault().unwrap();
        assert_eq!(fault.to_string(), "Operation not permitted (os error 1)");
        assert!(spool.is_full() && !spool.may_have_room());
        assert!(!keep(&mut spool, &mut one, Stream::Stdout, &large));
        assert!(spool.take_fault().is_none());
        assert!(taken(&mut spool, &mut two) == [large.clone(), small.repeat(2)]);
        // The room behind what is kept is not used before all is taken out.
        assert!(taken(&mut spool, &mut one) == [large.clone(), Vec::new()]);
        assert!(spool.may_have_room() && !spool.is_full());
        assert!(keep(&mut spool, &mut one, Stream::Stdout, &large));
        assert!(taken(&mut spool, &mut one) == [large, Vec::new()]);
    }

    #[test]
    fn what_was_taken_out_or_dropped_takes_no_room_on_the_disk() {
        use std::os::unix::fs::MetadataExt;
        let mut spool = Spool::new(files_in_memory);
        let mut kept = [(); 3].map(|()| Kept::default());
        let large = bytes(PIECE, 0);
        for _ in 0..64 {
            for kept in &mut kept {
                assert!(keep(&mut spool, kept, Stream::Stdout, &large));
            }
        }
        let blocks = |spool: &Spool| spool.file.as_ref().unwrap().metadata().unwrap().blocks();
        assert!(blocks(&spool) >= 3 * 64 * 256);
        spool.forget(&mut kept[0]);
        let [out, _] = taken(&mut spool, &mut kept[1]);
        assert!(out == large.repeat(64));
        assert!(blocks(&spool) <= 64 * 256 + 64 * 32, "{}", blocks(&spool));
        let [out, _] = taken(&mut spool, &mut kept[2]);
        assert!(out == large.repeat(64));
        assert_eq!(blocks(&spool), 0);
    }

    fn files_in_memory() -> io::Result<File> {
        let flags = rustix::fs::MemfdFlags::CLOEXEC;
        Ok(rustix::fs::memfd_create("spool", flags)?.into())
    }

    #[test]
    fn what_is_in_memory_can_be_moved_to_the_file() {
        let mut spool = Spool::new(tempfile::tempfile);
        let mut all: Vec<_> = (0..300).map(|_| Kept::default()).collect();
        for kept in &mut all {
            if spool.is_crowded() {
                break;
            }
            assert!(keep(&mut spool, kept, Stream::Stdout, &bytes(60_000, 3)));
        }
        assert!(spool.is_crowded() && spool.stored == 0);
        for kept in &mut all {
            spool.make_room(kept);
        }
        assert!(spool.has_memory() && spool.in_memory == 0);
        assert!(keep(&mut spool, &mut all[0], Stream::Stdout, b"end"));
        let [out, _] = taken(&mut spool, &mut all[0]);
        assert!(out == [bytes(60_000, 3), b"end".to_vec()].concat());
    }
}
