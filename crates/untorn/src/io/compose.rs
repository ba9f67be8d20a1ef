//! What the blocks of a write will hold: the caller's bytes where they cover a block whole, a
//! merged copy where they do not.
//!
//! Writes apply in order: where they overlap, the later ones win. What a block held before comes
//! from the data fork alone.

use super::begin::Piece;
use super::blocks::read_block;
use crate::core::Core;
use crate::error::Result;
use crate::inode::Inode;
use std::collections::BTreeMap;
use std::ops::Range;
use untorn_device::{AlignedBuffer, WriteRequest};

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
    spans: Vec<Span<'b>>,
    /// Blocks that are not one span's bytes.
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
        let mut composed = Self { log, kept, spans: spans.to_vec(), merged: BTreeMap::new() };
        for (index, span) in spans.iter().enumerate() {
            for block in composed.partial(index) {
                composed.merge(core, inode, block)?;
            }
            debug_assert!(!span.bytes.is_empty(), "spans have bytes");
        }
        Ok(composed)
    }

    /// Rewrites block `block` as `bytes`, unless a span touches it: then it is rewritten anyway.
    pub fn keep(&mut self, block: u64, bytes: AlignedBuffer) {
        if !self.spans.iter().any(|span| span.blocks(self.log).contains(&block)) {
            self.merged.insert(block, bytes);
        }
    }

    /// Blocks of span `index` that are not its bytes alone.
    fn partial(&self, index: usize) -> Vec<u64> {
        let span = &self.spans[index];
        let blocks = span.blocks(self.log);
        let mut partial: Vec<u64> = Vec::new();
        if span.offset & ((1 << self.log) - 1) != 0 {
            partial.push(blocks.start);
        }
        if span.end() & ((1 << self.log) - 1) != 0 {
            partial.push(blocks.end - 1);
        }
        for other in &self.spans[index + 1..] {
            let other = other.blocks(self.log);
            partial.extend(other.start.max(blocks.start)..other.end.min(blocks.end));
        }
        partial
    }

    fn merge(&mut self, core: &Core, inode: &Inode, block: u64) -> Result<()> {
        if self.merged.contains_key(&block) {
            return Ok(());
        }
        let mut bytes = read_block(core, inode, block)?;
        let start = block << self.log;
        let end = start + bytes.len() as u64;
        let valid = self.kept.saturating_sub(start).min(bytes.len() as u64) as usize;
        bytes[valid..].fill(0);
        for span in &self.spans {
            let (from, to) = (span.offset.max(start), span.end().min(end));
            if from < to {
                let source = (from - span.offset) as usize..(to - span.offset) as usize;
                let target = (from - start) as usize..(to - start) as usize;
                bytes[target].copy_from_slice(&span.bytes[source]);
            }
        }
        self.merged.insert(block, bytes);
        Ok(())
    }

    /// The runs of blocks that the spans touch, in order.
    pub fn blocks(&self) -> Vec<Range<u64>> {
        let mut all: Vec<Range<u64>> = self.spans.iter().map(|s| s.blocks(self.log)).collect();
        all.extend(self.merged.keys().map(|&block| block..block + 1));
        all.sort_unstable_by_key(|range| range.start);
        let mut runs: Vec<Range<u64>> = Vec::with_capacity(all.len());
        for range in all {
            match runs.last_mut().filter(|last| last.end >= range.start) {
                Some(last) => last.end = last.end.max(range.end),
                None => runs.push(range),
            }
        }
        runs
    }

    /// The device writes of one piece, which begins at byte `at` of the device.
    pub fn requests<'s>(&'s self, piece: &Piece, at: u64, out: &mut Vec<WriteRequest<'s>>) {
        let blocks = piece.range();
        let mut block = blocks.start;
        while block < blocks.end {
            let offset = at + ((block - blocks.start) << self.log);
            if let Some(bytes) = self.merged.get(&block) {
                out.push(WriteRequest { offset, bytes });
                block += 1;
                continue;
            }
            let next = self.merged.range(block..).next().map_or(blocks.end, |(&next, _)| next);
            let (bytes, end) = self.direct(block, next.min(blocks.end));
            out.push(WriteRequest { offset, bytes });
            block = end;
        }
    }

    /// The caller's bytes from `block` on, up to `limit` at most, and the block behind them.
    fn direct(&self, block: u64, limit: u64) -> (&'b [u8], u64) {
        let start = block << self.log;
        let inside = |span: &&Span<'b>| span.offset <= start && start < span.end();
        let Some(span) = self.spans.iter().find(inside) else {
            panic!("block {block} is neither merged nor written");
        };
        let end = limit.min(span.end() >> self.log);
        let from = (start - span.offset) as usize;
        (&span.bytes[from..from + ((end - block) << self.log) as usize], end)
    }
}
