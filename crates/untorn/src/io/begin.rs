//! The begin step of an atomic write: which blocks will it write?
//!
//! For each part of the range the CoW fork says what is there. Nothing: blocks are claimed, and
//! exactly those of the range come into the fork as being written, those around it as idle.
//! A delayed allocation: its reservation becomes claimed blocks and the lookup starts again. Idle
//! blocks, and blocks that cached bytes wait for: exactly the part inside the range is marked as
//! being written. Then the fork is looked at again: it must say what was asked of it.
//!
//! The request is fixed; lengths of holes and pieces have names of their own and are clamped to it.

use super::Request;
use crate::ag::Claim;
use crate::core::Core;
use crate::error::Result;
use crate::inode::{Before, CowFork, CowPiece, CowSpan, CowState, Inode, WriteId};
use crate::map::{MappingState, find, published};
use smallvec::SmallVec;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tracing::debug;
use untorn_format::records::Fork;
use untorn_format::{AgExtent, FileBlock, FsBlock};

/// Blocks around a rewritten block that are claimed with it where the file has no hint of its own.
const DEFAULT_COW_HINT: u64 = 32;

/// A file grows into blocks kept behind its end from this size in bytes on.
const BEHIND_LEAST: u64 = 64 << 10;
/// Bytes that are kept behind the end of a file at most.
const BEHIND_MOST: u64 = 16 << 20;

/// Ranges of blocks of a file, in order.
pub(super) type BlockRanges = SmallVec<[Range<u64>; 2]>;

/// A run of blocks that a write has been given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    /// First block of the file.
    pub first: FileBlock,
    /// First block of the volume.
    pub start: FsBlock,
    /// Length in blocks.
    pub length: u64,
}

impl Piece {
    /// Its blocks of the file.
    pub fn range(&self) -> Range<u64> {
        self.first.0..self.first.0 + self.length
    }

    /// The blocks in their AG.
    pub fn extent(&self, core: &Core) -> Result<AgExtent> {
        core.ag_extent(self.start, self.length as u32)
    }
}

/// A write that has its blocks. Dropping it gives them back and leaves the file as it was.
pub(super) struct Begun<'a> {
    core: &'a Arc<Core>,
    inode: &'a Arc<Inode>,
    request: Request,
    id: WriteId,
    /// The blocks, in file order.
    pub pieces: SmallVec<[Piece; 2]>,
    ranges: BlockRanges,
}

impl<'a> Begun<'a> {
    /// Finds blocks for all of `ranges` (in blocks of the file, in order) for `request`.
    pub fn new(
        core: &'a Arc<Core>,
        inode: &'a Arc<Inode>,
        request: Request,
        ranges: impl Into<BlockRanges>,
    ) -> Result<Self> {
        let Request { offset, length } = request;
        let id = WriteId(core.writes.fetch_add(1, Ordering::Relaxed));
        debug!(name: "atomic_write_begin", ino = inode.ino.0, offset, length);
        let ranges = ranges.into();
        let mut begun = Self { core, inode, request, id, pieces: SmallVec::new(), ranges };
        for index in 0..begun.ranges.len() {
            let range = begun.ranges[index].clone();
            let mut at = range.start;
            while at < range.end {
                at = begun.step(at, range.end)?;
            }
        }
        let found = begun.pieces.iter().map(|piece| piece.length).sum::<u64>();
        let wanted = begun.ranges.iter().map(|range| range.end - range.start).sum::<u64>();
        assert_eq!(found, wanted, "a write has blocks for all of its range");
        Ok(begun)
    }

    /// Deals with what the CoW fork has at `at`; where to go on. `end` is the end of the request.
    fn step(&mut self, at: u64, end: u64) -> Result<u64> {
        let mut cow = self.inode.cow.lock();
        let span = cow.at(FileBlock(at), end);
        if let CowSpan::Idle { end: span_end, start } | CowSpan::Waiting { end: span_end, start } =
            span
        {
            let piece_end = span_end.min(end);
            self.mark(&mut cow, at..piece_end, start);
            drop(cow);
            self.note(at..piece_end, start);
            return Ok(piece_end);
        }
        drop(cow);
        match span {
            CowSpan::Hole { end: hole_end } => self.fill_hole(at..hole_end.min(end)),
            CowSpan::Delalloc { end: reserved_end } => {
                self.allocate_reserved(at..reserved_end.min(end))?;
                Ok(at)
            }
            CowSpan::Idle { .. } | CowSpan::Waiting { .. } => unreachable!("dealt with above"),
            CowSpan::InFlight { write, .. } => {
                panic!("{write:?} and {:?} hold the same block: range locks failed", self.id)
            }
        }
    }

    /// Marks exactly `range`, idle until now, as being written.
    fn mark(&self, cow: &mut CowFork, range: Range<u64>, start: FsBlock) {
        cow.begin_write(range.clone(), self.id);
        check_atomic_cow_conversion(cow, &range, start, self.id);
    }

    /// Takes note of blocks that were marked.
    fn note(&mut self, range: Range<u64>, start: FsBlock) {
        let piece = Piece { first: FileBlock(range.start), start, length: range.end - range.start };
        let Request { offset, length } = self.request;
        debug!(name: "mapping_found", ino = self.inode.ino.0, offset, length, block = start.0);
        self.pieces.push(piece);
    }

    /// Claims blocks for a hole of the CoW fork; more around it where that keeps the file together.
    /// Where to go on.
    fn fill_hole(&mut self, hole: Range<u64>) -> Result<u64> {
        let goal = self.goal(hole.start)?;
        let hole_length = hole.end - hole.start;
        let window = self.window(&hole)?;
        if window != hole
            && let Some(claim) = self.core.claim_run(goal, window.end - window.start)?
        {
            return Ok(self.stage(window, [claim], hole));
        }
        let claims = self.core.claim(goal, hole_length)?;
        Ok(self.stage(hole.clone(), claims, hole))
    }

    /// Puts claims into a hole of the CoW fork, those of `own` as being written. Where another
    /// write came first, they are given back and the lookup starts again. Where to go on.
    fn stage(
        &mut self,
        hole: Range<u64>,
        claims: impl IntoIterator<Item = Claim>,
        own: Range<u64>,
    ) -> u64 {
        let mut cow = self.inode.cow.lock();
        if cow.at(FileBlock(hole.start), hole.end) != (CowSpan::Hole { end: hole.end }) {
            return own.start;
        }
        let mut at = hole.start;
        for claim in claims {
            let length = u64::from(claim.extent().length);
            self.put(&mut cow, at, claim, &own);
            at += length;
        }
        assert_eq!(at, hole.end, "claims cover what was asked");
        // A neighbour's blocks may have come into the hole since it was looked at.
        own.end.min(hole.end)
    }

    /// Puts a claim into the CoW fork from block `at` on: its part in `own` is being written.
    fn put(&mut self, cow: &mut CowFork, at: u64, mut claim: Claim, own: &Range<u64>) {
        let end = at + u64::from(claim.extent().length);
        let (from, to) = (own.start.clamp(at, end), own.end.clamp(at, end));
        let insert = |cow: &mut CowFork, at: u64, state: CowState, length| {
            cow.insert(FileBlock(at), CowPiece { length, state });
        };
        if from == to {
            return insert(cow, at, CowState::Idle(claim), end - at);
        }
        if at < from {
            let rest = claim.split(from - at);
            insert(cow, at, CowState::Idle(claim), from - at);
            claim = rest;
        }
        if to < end {
            insert(cow, to, CowState::Idle(claim.split(to - from)), end - to);
        }
        let start = claim.block(0);
        let state = CowState::InFlight { claim, write: self.id, before: Before::Idle };
        insert(cow, from, state, to - from);
        check_atomic_cow_conversion(cow, &(from..to), start, self.id);
        self.note(from..to, start);
    }

    /// Turns (a part of) a reservation into claimed blocks.
    fn allocate_reserved(&mut self, range: Range<u64>) -> Result<()> {
        let goal = self.goal(range.start)?;
        // The reservation stays where it is until there are blocks to put in its place.
        let claims = self.core.claim_reserved(goal, range.end - range.start)?;
        // What the map may grow stays reserved with the blocks, until the write has ended.
        let mut growth = self.core.nothing_reserved();
        let mut cow = self.inode.cow.lock();
        for (_, piece) in cow.remove(range.clone()) {
            if let CowState::Delalloc(mut reserve) = piece.state {
                growth.join(reserve.split(piece.length));
            }
        }
        let (mut at, mut behind) = (range.start, None);
        for claim in claims {
            let length = u64::from(claim.extent().length);
            behind = Some(claim.block(length));
            let state = CowState::Waiting { claim, growth };
            growth = self.core.nothing_reserved();
            cow.insert(FileBlock(at), CowPiece { length, state });
            at += length;
        }
        drop(cow);
        match behind {
            Some(next) if at == self.core.geometry.blocks_for(self.inode.size()?) => {
                self.keep_behind(at, next)
            }
            _ => Ok(()),
        }
    }

    /// Keeps blocks from `next` on, where they are free, for the file to grow from block `end`, its
    /// end: as many as it has, so that what is appended bit by bit lies together however many files
    /// grow at once. They are idle: nothing on disk knows them.
    fn keep_behind(&mut self, end: u64, next: FsBlock) -> Result<()> {
        let most = self.wanted_behind(end)?;
        for count in [most, most / 4, most / 16] {
            let limit = end + count;
            let span = self.inode.cow.lock().at(FileBlock(end), limit);
            if count == 0 || span != (CowSpan::Hole { end: limit }) {
                return Ok(());
            }
            let claim = self.core.claim_run(Some(next), count)?;
            if let Some(claim) = claim.filter(|claim| claim.block(0) == next) {
                self.stage(end..end + count, [claim], end..end);
                return Ok(());
            }
        }
        Ok(())
    }

    /// How many blocks to keep behind block `end`, the end of the file.
    fn wanted_behind(&self, end: u64) -> Result<u64> {
        let log = self.core.geometry.block_log;
        let room = (self.core.available()? / 32).min(self.inode_blocks_most().saturating_sub(end));
        let wanted = match u64::from(self.inode.core()?.extent_size) {
            0 | 1 if end << log < BEHIND_LEAST => 0,
            0 | 1 => end.min(BEHIND_MOST >> log),
            hint => end.next_multiple_of(hint) - end,
        };
        Ok(wanted.min(room))
    }

    /// The hole of the CoW fork and its surroundings up to a hint's borders, but not into
    /// neighbouring pieces.
    fn window(&self, hole: &Range<u64>) -> Result<Range<u64>> {
        let (hint, limits) = match self.new_space(hole)? {
            Some(asked) => asked,
            None => self.replaced_space(hole)?,
        };
        if hint <= 1 {
            return Ok(hole.clone());
        }
        let cow = self.inode.cow.lock();
        let wanted = hole.end.next_multiple_of(hint).min(limits.end).max(hole.end);
        let CowSpan::Hole { end } = cow.at(FileBlock(hole.start), wanted) else {
            // Somebody's hint was faster: the lookup starts again.
            return Ok(hole.clone());
        };
        let start = (hole.start / hint * hint).max(cow.end_before(FileBlock(hole.start)));
        Ok(start.max(limits.start).min(hole.start)..end)
    }

    /// The hint for blocks that replace others, and how far it goes: not past the end of the file,
    /// and not at all where there is nothing to replace.
    fn replaced_space(&self, hole: &Range<u64>) -> Result<(u64, Range<u64>)> {
        let inode = self.inode.core()?;
        let hint = match inode.cow_extent_size {
            0 => DEFAULT_COW_HINT,
            blocks => u64::from(blocks),
        };
        let file_end = self.core.geometry.blocks_for(inode.size);
        match hole.end > file_end || inode.extents == 0 {
            true => Ok((1, hole.clone())),
            false => Ok((hint, 0..file_end)),
        }
    }

    /// The hint for blocks where the file has none, if it has one, and how far it goes: as far as
    /// the file has none.
    fn new_space(&self, hole: &Range<u64>) -> Result<Option<(u64, Range<u64>)>> {
        let hint = u64::from(self.inode.core()?.extent_size);
        if hint <= 1 {
            return Ok(None);
        }
        let most = self.inode_blocks_most();
        let _owner = self.inode.owner.read();
        let image = self.inode.image();
        let mut extents = published(self.core, self.inode.ino, &image, Fork::Data)?;
        let mapping = find(&mut extents, FileBlock(hole.start), FileBlock(most.max(hole.end)))?;
        if mapping.state != MappingState::Hole || mapping.end().0 < hole.end {
            return Ok(None);
        }
        let start = extents.before(FileBlock(hole.start))?.map_or(0, |before| before.file_end().0);
        Ok(Some((hint, start..mapping.end().0)))
    }

    /// Blocks of the largest file.
    fn inode_blocks_most(&self) -> u64 {
        super::largest_file(self.core) >> self.core.geometry.block_log
    }

    /// Where new blocks for `block` would lie best: behind the last ones, or beside the old ones.
    fn goal(&self, block: u64) -> Result<Option<FsBlock>> {
        if let Some(last) = self.pieces.last() {
            return Ok(Some(FsBlock(last.start.0 + last.length)));
        }
        goal_for(self.core, self.inode, block)
    }

    /// The write's blocks are the file's now: ends their claims.
    pub fn finish(mut self) {
        let mut cow = self.inode.cow.lock();
        for piece in std::mem::take(&mut self.pieces) {
            for (_, piece) in cow.remove(piece.range()) {
                if let CowState::InFlight { claim, .. } = piece.state {
                    claim.settle();
                }
            }
        }
        drop(cow);
        let Request { offset, length } = self.request;
        debug!(name: "atomic_write_commit", ino = self.inode.ino.0, offset, length);
    }
}

/// Where new blocks for `block` of the file would lie best: beside the old ones, behind those
/// before, or beside the inode.
pub(super) fn goal_for(core: &Core, inode: &Inode, block: u64) -> Result<Option<FsBlock>> {
    let _owner = inode.owner.read();
    let image = inode.image();
    let mut extents = published(core, inode.ino, &image, Fork::Data)?;
    let mapping = find(&mut extents, FileBlock(block), FileBlock(block + 1))?;
    if let MappingState::Written(start) | MappingState::Unwritten(start) = mapping.state {
        return Ok(Some(start));
    }
    if let Some(before) = extents.before(FileBlock(block))? {
        return Ok(Some(FsBlock(before.start.0 + u64::from(before.length))));
    }
    let geometry = &core.geometry;
    Ok(geometry.split_ino(inode.ino).map(|(ag, ino)| {
        let (block, _) = geometry.inode_block(ino);
        geometry.fs_block(ag, block)
    }))
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        if !self.pieces.is_empty() {
            let mut cow = self.inode.cow.lock();
            self.pieces.iter().for_each(|piece| cow.end_write(piece.range()));
            drop(cow);
            let Request { offset, length } = self.request;
            debug!(name: "atomic_write_abort", ino = self.inode.ino.0, offset, length);
        }
    }
}

/// The fork must really hold what was just asked of it: these blocks, all of them, in flight for
/// this write.
fn check_atomic_cow_conversion(cow: &CowFork, range: &Range<u64>, start: FsBlock, id: WriteId) {
    let found = cow.at(FileBlock(range.start), range.end);
    let exact = CowSpan::InFlight { end: range.end, start, write: id };
    assert_eq!(found, exact, "the CoW fork does not hold what was marked");
    assert!(cow.is_in_flight(range.clone(), id));
}
