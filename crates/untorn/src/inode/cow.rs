//! The CoW fork of an inode: blocks that will replace blocks of the data fork. In memory only.
//!
//! Pieces are never taken for more than they are:
//! - `Delalloc` is a reservation without blocks under cached bytes: it cannot be handed to I/O.
//! - `Waiting` has blocks under cached bytes that are not on them yet.
//! - `Idle` has blocks that nobody is writing. What they hold on disk is not this file's data.
//! - `InFlight` means: one write is in progress on exactly these blocks. It is set for exactly the
//!   blocks that a write was given, trimmed to its range, and ends with that write.
//!
//! Invariant: pieces do not overlap; they are not merged, a claim is its piece's own.

use crate::ag::{Claim, Reserve};
use smallvec::{SmallVec, smallvec};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::Range;
use std::time::Instant;
use untorn_format::{FileBlock, FsBlock};

/// Names one write in progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct WriteId(pub u64);

/// What lies behind a piece of the CoW fork.
#[derive(Debug)]
pub(crate) enum CowState {
    /// Cached bytes wait to be written; space is reserved, blocks are not chosen. The reservation
    /// holds the blocks of the piece and some by which the map may grow.
    Delalloc(Reserve),
    /// Cached bytes wait to be written to these blocks.
    Waiting {
        /// The blocks.
        claim: Claim,
        /// Blocks by which the map may grow.
        growth: Reserve,
    },
    /// Blocks are claimed, nobody writes them.
    Idle(Claim),
    /// Blocks are claimed and `write` is writing them.
    InFlight {
        /// The blocks.
        claim: Claim,
        /// Who writes.
        write: WriteId,
        /// What the blocks were before, and are again should the write fail.
        before: Before,
    },
}

/// What blocks were before a write took them.
#[derive(Debug)]
pub(crate) enum Before {
    /// Idle: a write that fails gives them back.
    Idle,
    /// Waiting under cached bytes, with blocks by which the map may grow.
    Waiting(Reserve),
}

impl Before {
    /// What holds for the rest of a piece of `length` blocks that is cut after `count`.
    fn split(&mut self, count: u64, length: u64) -> Self {
        match self {
            Self::Idle => Self::Idle,
            Self::Waiting(growth) => Self::Waiting(share(growth, count, length)),
        }
    }
}

/// Cuts what is reserved for the map as its piece of `length` blocks is cut after `count`.
fn share(growth: &mut Reserve, count: u64, length: u64) -> Reserve {
    growth.split((growth.blocks() * count).div_ceil(length))
}

/// A piece of the CoW fork: `length` blocks of the file.
#[derive(Debug)]
pub(crate) struct CowPiece {
    /// Length in blocks.
    pub length: u64,
    /// What lies behind it.
    pub state: CowState,
}

impl CowPiece {
    /// Cuts the piece after `count` blocks; what follows is returned.
    fn split(&mut self, count: u64) -> CowPiece {
        assert!(0 < count && count < self.length, "a split leaves blocks on both sides");
        let length = self.length - count;
        let whole = self.length;
        let state = match &mut self.state {
            CowState::Delalloc(reserve) => CowState::Delalloc(reserve.split(count)),
            CowState::Waiting { claim, growth } => {
                let growth = share(growth, count, whole);
                CowState::Waiting { claim: claim.split(count), growth }
            }
            CowState::Idle(claim) => CowState::Idle(claim.split(count)),
            CowState::InFlight { claim, write, before } => {
                let (claim, before) = (claim.split(count), before.split(count, whole));
                CowState::InFlight { claim, write: *write, before }
            }
        };
        self.length = count;
        CowPiece { length, state }
    }
}

/// What stands at a block of the CoW fork.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CowSpan {
    /// Nothing up to here.
    Hole { end: u64 },
    /// A reservation up to here.
    Delalloc { end: u64 },
    /// Blocks under cached bytes up to here; the first is `start`.
    Waiting { end: u64, start: FsBlock },
    /// Idle blocks up to here; the first is `start`.
    Idle { end: u64, start: FsBlock },
    /// Blocks of a write in progress up to here; the first is `start`.
    InFlight { end: u64, start: FsBlock, write: WriteId },
}

/// The pieces of one inode's CoW fork by first file block.
#[derive(Debug, Default)]
pub(crate) struct CowFork {
    pieces: BTreeMap<u64, CowPiece>,
    /// When idle blocks were last added.
    touched: Option<Instant>,
}

impl CowFork {
    /// What stands at `block`; holes end at `limit` at the latest.
    pub fn at(&self, block: FileBlock, limit: u64) -> CowSpan {
        let before = self.pieces.range(..=block.0).next_back();
        if let Some((&first, piece)) = before.filter(|(first, p)| *first + p.length > block.0) {
            let (end, skip) = (first + piece.length, block.0 - first);
            return match &piece.state {
                CowState::Delalloc(_) => CowSpan::Delalloc { end },
                CowState::Waiting { claim, .. } => {
                    CowSpan::Waiting { end, start: claim.block(skip) }
                }
                CowState::Idle(claim) => CowSpan::Idle { end, start: claim.block(skip) },
                CowState::InFlight { claim, write, .. } => {
                    CowSpan::InFlight { end, start: claim.block(skip), write: *write }
                }
            };
        }
        let next = self.pieces.range(block.0..).next().map_or(limit, |(&first, _)| first);
        CowSpan::Hole { end: next.min(limit) }
    }

    /// Whether a block of `range` has neither blocks nor a reservation.
    pub fn has_hole(&self, range: Range<u64>) -> bool {
        let mut at = range.start;
        while at < range.end {
            at = match self.at(FileBlock(at), range.end) {
                CowSpan::Hole { .. } => return true,
                CowSpan::Delalloc { end }
                | CowSpan::Waiting { end, .. }
                | CowSpan::Idle { end, .. }
                | CowSpan::InFlight { end, .. } => end,
            };
        }
        false
    }

    /// The pieces, in file order.
    #[cfg(test)]
    pub fn pieces(&self) -> impl Iterator<Item = &CowPiece> {
        self.pieces.values()
    }

    /// Where the nearest piece before `block` ends (zero without one).
    pub fn end_before(&self, block: FileBlock) -> u64 {
        self.pieces.range(..block.0).next_back().map_or(0, |(&first, p)| first + p.length)
    }

    /// Adds a piece where there is none.
    pub fn insert(&mut self, first: FileBlock, piece: CowPiece) {
        let end = first.0 + piece.length;
        assert_eq!(self.at(first, end), CowSpan::Hole { end }, "CoW pieces never overlap");
        if matches!(piece.state, CowState::Idle(_)) {
            self.touched = Some(Instant::now());
        }
        self.pieces.insert(first.0, piece);
    }

    /// Adds a reservation for cached bytes where there is nothing, one with the one before it:
    /// `growth` says what a piece of so many blocks needs beyond them.
    pub fn reserve(&mut self, range: Range<u64>, reserve: Reserve, growth: impl Fn(u64) -> u64) {
        let length = range.end - range.start;
        assert!(reserve.blocks() >= length, "a reservation covers its piece");
        let before = self.pieces.range_mut(..range.start).next_back();
        if let Some((&first, piece)) = before
            && first + piece.length == range.start
            && let CowState::Delalloc(held) = &mut piece.state
        {
            held.join(reserve);
            piece.length += length;
            let needed = piece.length + growth(piece.length);
            drop(held.split(needed.min(held.blocks())));
            return;
        }
        let piece = CowPiece { length, state: CowState::Delalloc(reserve) };
        self.insert(FileBlock(range.start), piece);
    }

    /// The idle parts of `range`.
    pub fn idle_in(&self, range: Range<u64>) -> Vec<Range<u64>> {
        let mut idle = Vec::new();
        let mut at = range.start;
        while at < range.end {
            at = match self.at(FileBlock(at), range.end) {
                CowSpan::Idle { end, .. } => {
                    idle.push(at..end.min(range.end));
                    end
                }
                CowSpan::Hole { end }
                | CowSpan::Delalloc { end }
                | CowSpan::Waiting { end, .. }
                | CowSpan::InFlight { end, .. } => end,
            };
        }
        idle
    }

    /// Cached bytes wait for the idle blocks of `range` from now on; what the map may grow for each
    /// piece, as `growth` says, is taken from `spare` as far as that has it. The parts of the range
    /// that have neither blocks nor a reservation.
    pub fn wait_in(
        &mut self,
        range: Range<u64>,
        spare: &mut Reserve,
        growth: impl Fn(u64) -> u64,
    ) -> Vec<Range<u64>> {
        let mut bare = Vec::new();
        let mut at = range.start;
        while at < range.end {
            at = match self.at(FileBlock(at), range.end) {
                CowSpan::Hole { end } => {
                    bare.push(at..end);
                    end
                }
                CowSpan::Idle { end, .. } => {
                    self.wait_on(at..end.min(range.end), spare, &growth);
                    end
                }
                CowSpan::Delalloc { end } | CowSpan::Waiting { end, .. } => end,
                CowSpan::InFlight { write, .. } => {
                    panic!("{write:?} holds a block that is being cached: range locks failed")
                }
            };
        }
        bare
    }

    fn wait_on(&mut self, range: Range<u64>, spare: &mut Reserve, growth: &impl Fn(u64) -> u64) {
        for (first, piece) in self.remove(range) {
            let CowPiece { length, state: CowState::Idle(claim) } = piece else {
                panic!("only idle blocks can be waited for");
            };
            let rest = spare.split(growth(length).min(spare.blocks()));
            let state = CowState::Waiting { claim, growth: std::mem::replace(spare, rest) };
            self.pieces.insert(first.0, CowPiece { length, state });
        }
    }

    /// Makes piece borders at `block`.
    fn cut(&mut self, block: u64) {
        let before = self.pieces.range_mut(..block).next_back();
        if let Some((&first, piece)) = before.filter(|(first, p)| *first + p.length > block) {
            let rest = piece.split(block - first);
            self.pieces.insert(block, rest);
        }
    }

    /// Takes exactly `range` out of the fork, piece by piece.
    pub fn remove(&mut self, range: Range<u64>) -> SmallVec<[(FileBlock, CowPiece); 1]> {
        if let Entry::Occupied(piece) = self.pieces.entry(range.start)
            && piece.get().length == range.end - range.start
        {
            return smallvec![(FileBlock(range.start), piece.remove())];
        }
        self.cut(range.start);
        self.cut(range.end);
        let inside: Vec<u64> = self.pieces.range(range).map(|(&first, _)| first).collect();
        let taken = inside.into_iter();
        taken.filter_map(|first| Some((FileBlock(first), self.pieces.remove(&first)?))).collect()
    }

    /// Marks exactly `range`, all of it idle or waiting, as being written by `write`.
    pub fn begin_write(&mut self, range: Range<u64>, write: WriteId) {
        for (first, piece) in self.remove(range) {
            let (claim, before) = match piece.state {
                CowState::Idle(claim) => (claim, Before::Idle),
                CowState::Waiting { claim, growth } => (claim, Before::Waiting(growth)),
                other => panic!("{other:?} cannot be taken for a write"),
            };
            let state = CowState::InFlight { claim, write, before };
            self.pieces.insert(first.0, CowPiece { length: piece.length, state });
        }
    }

    /// Whether `range` holds nothing but blocks in flight for `write`.
    pub fn is_in_flight(&self, range: Range<u64>, write: WriteId) -> bool {
        let mut at = range.start;
        while at < range.end {
            match self.at(FileBlock(at), range.end) {
                CowSpan::InFlight { end, write: w, .. } if w == write => at = end,
                _ => return false,
            }
        }
        true
    }

    /// A write of `range` has failed: blocks that cached bytes wait for wait again, others are
    /// free.
    pub fn end_write(&mut self, range: Range<u64>) {
        for (first, piece) in self.remove(range) {
            if let CowState::InFlight { claim, before: Before::Waiting(growth), .. } = piece.state {
                let state = CowState::Waiting { claim, growth };
                self.pieces.insert(first.0, CowPiece { length: piece.length, state });
            }
        }
    }

    /// Drops every idle piece; their blocks are free again.
    pub fn drop_idle(&mut self) {
        self.pieces.retain(|_, piece| !matches!(piece.state, CowState::Idle(_)));
    }

    /// Drops every idle piece if none was added since `moment`.
    pub fn drop_idle_since(&mut self, moment: Instant) {
        if self.touched.is_some_and(|touched| touched <= moment) {
            self.drop_idle();
            self.touched = None;
        }
    }

    /// Drops every piece but those of writes in progress, which end them; blocks and reservations
    /// are free again.
    pub fn give_up(&mut self) {
        self.pieces.retain(|_, piece| matches!(piece.state, CowState::InFlight { .. }));
    }

    /// Blocks that cached bytes have or will get, and no map says so yet.
    pub fn cached_blocks(&self) -> u64 {
        let cached = self.pieces.values().filter(|piece| match &piece.state {
            CowState::Delalloc(_) | CowState::Waiting { .. } => true,
            CowState::InFlight { before, .. } => matches!(before, Before::Waiting(_)),
            CowState::Idle(_) => false,
        });
        cached.map(|piece| piece.length).sum()
    }

    /// Blocks that idle pieces hold.
    #[cfg(test)]
    pub fn idle_blocks(&self) -> u64 {
        let idle = self.pieces.values().filter(|p| matches!(p.state, CowState::Idle(_)));
        idle.map(|p| p.length).sum()
    }
}
