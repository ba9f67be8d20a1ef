//! What the blocks of a write will hold: the caller's bytes where they cover a block whole, a
//! merged copy where they do not.
//!
//! Writes apply in order: where they overlap, the later ones win. What a block held before comes
//! from the data fork alone.

use super::begin::{BlockRanges, Piece};
use super::blocks::read_block;
use crate::core::Core;
use crate::error::Result;
use crate::inode::Inode;
use smallvec::SmallVec;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use untorn_device::{AlignedBuffer, WriteRequest};

/// Writes to the device.
pub(super) type Requests<'b> = SmallVec<[WriteRequest<'b>; 2]>;

/// Bytes and where they go in the file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span<'b> {
    pub offset: u64,
    pub bytes: &'b [u8],
}

impl Span<'_> {
    /// The byte after the last.
    pub fn end(&self) -> u64 {
        self.offset + self.bytes.len() as u64
    }

    /// The blocks that it touches.
    fn blocks(&self, log: u8) -> Range<u64> {
        self.offset >> log..self.end().div_ceil(1 << log)
    }
}

/// The contents of the blocks that some spans touch.
pub(super) struct Composed<'b> {
    log: u8,
    /// Bytes of the old file that count.
    kept: u64,
    /// Runs of blocks that are one span's bytes, by their first: the block behind, the bytes.
    direct: BTreeMap<u64, (u64, &'b [u8])>,
    /// Blocks that are not.
    merged: BTreeMap<u64, AlignedBuffer>,
}

impl<'b> Composed<'b> {
    /// Merges `spans`, none of them empty, with what the file has.
    pub fn new(core: &Core, inode: &Inode, spans: &[Span<'b>]) -> Result<Self> {
        Self::keeping(core, inode, spans, u64::MAX)
    }

    /// Merges `spans` with the first `kept` bytes of what the file has.
    pub fn keeping(core: &Core, inode: &Inode, spans: &[Span<'b>], kept: u64) -> Result<Self> {
        let log = core.geometry.block_log;
        let mut composed = Self { log, kept, direct: BTreeMap::new(), merged: BTreeMap::new() };
        let partial = partial(spans, log);
        for span in spans {
            let blocks = span.blocks(log);
            let mut at = blocks.start;
            for &block in partial.range(blocks.clone()) {
                composed.put(span, at..block);
                composed.merge(core, inode, block, span)?;
                at = block + 1;
            }
            composed.put(span, at..blocks.end);
        }
        Ok(composed)
    }

    /// Rewrites block `block` as `bytes`, unless a span touches it: then it is rewritten anyway.
    pub fn keep(&mut self, block: u64, bytes: AlignedBuffer) {
        let before = self.direct.range(..=block).next_back();
        if before.is_none_or(|(_, &(end, _))| end <= block) {
            self.merged.entry(block).or_insert(bytes);
        }
    }

    /// The blocks of `run` are bytes of `span` alone.
    fn put(&mut self, span: &Span<'b>, run: Range<u64>) {
        if run.start < run.end {
            let from = ((run.start << self.log) - span.offset) as usize;
            let length = ((run.end - run.start) << self.log) as usize;
            self.direct.insert(run.start, (run.end, &span.bytes[from..from + length]));
        }
    }

    /// Puts the bytes of `span` into block `block`, over what it has so far.
    fn merge(&mut self, core: &Core, inode: &Inode, block: u64, span: &Span<'b>) -> Result<()> {
        let start = block << self.log;
        let bytes = match self.merged.entry(block) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                let mut bytes = read_block(core, inode, block)?;
                let valid = self.kept.saturating_sub(start).min(bytes.len() as u64) as usize;
                bytes[valid..].fill(0);
                entry.insert(bytes)
            }
        };
        let (from, to) = (span.offset.max(start), span.end().min(start + bytes.len() as u64));
        let source = (from - span.offset) as usize..(to - span.offset) as usize;
        let target = (from - start) as usize..(to - start) as usize;
        bytes[target].copy_from_slice(&span.bytes[source]);
        Ok(())
    }

    /// The runs of blocks that the spans touch, in order.
    pub fn blocks(&self) -> BlockRanges {
        let mut all: BlockRanges =
            self.direct.iter().map(|(&start, &(end, _))| start..end).collect();
        all.extend(self.merged.keys().map(|&block| block..block + 1));
        all.sort_unstable_by_key(|range| range.start);
        let mut runs = BlockRanges::with_capacity(all.len());
        for range in all {
            match runs.last_mut().filter(|last| last.end == range.start) {
                Some(last) => last.end = range.end,
                None => runs.push(range),
            }
        }
        runs
    }

    /// The device writes of one piece, which begins at byte `at` of the device.
    pub fn requests<'s>(&'s self, piece: &Piece, at: u64, out: &mut Requests<'s>) {
        let blocks = piece.range();
        let mut block = blocks.start;
        while block < blocks.end {
            let offset = at + ((block - blocks.start) << self.log);
            let (bytes, end) = self.from(block, blocks.end);
            out.push(WriteRequest { offset, bytes });
            block = end;
        }
    }

    /// The bytes from `block` on, up to `limit` at most, and the block behind them.
    fn from(&self, block: u64, limit: u64) -> (&[u8], u64) {
        if let Some(bytes) = self.merged.get(&block) {
            return (bytes, block + 1);
        }
        let before = self.direct.range(..=block).next_back();
        let Some((&start, &(end, bytes))) = before.filter(|(_, run)| run.0 > block) else {
            panic!("block {block} is neither merged nor written");
        };
        let end = end.min(limit);
        let byte = |block: u64| ((block - start) << self.log) as usize;
        (&bytes[byte(block)..byte(end)], end)
    }
}

/// Blocks that no span covers alone and whole.
fn partial(spans: &[Span<'_>], log: u8) -> BTreeSet<u64> {
    let inside = |byte: u64| byte & ((1 << log) - 1) != 0;
    let mut partial = BTreeSet::new();
    for span in spans {
        let blocks = span.blocks(log);
        partial.extend(inside(span.offset).then_some(blocks.start));
        partial.extend(inside(span.end()).then_some(blocks.end - 1));
    }
    let mut sorted: Vec<Range<u64>> = spans.iter().map(|span| span.blocks(log)).collect();
    sorted.sort_unstable_by_key(|blocks| blocks.start);
    let mut end = 0;
    for blocks in sorted {
        partial.extend(blocks.start..blocks.end.min(end));
        end = end.max(blocks.end);
    }
    partial
}
