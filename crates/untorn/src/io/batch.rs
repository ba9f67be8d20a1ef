//! Batches: several ranges of several files, written and cut to length by one transaction.
//!
//! Steps apply in order; where they overlap, the later ones win. What the batch writes is locked,
//! file by file in order of their numbers, from before the first byte is written until the
//! transaction is published: readers see all of the batch or nothing of it. A file that changes its
//! size is locked whole. Whatever fails before leaves every file as it was.

use super::atomic::{Tail, clear_cache, write_pieces_of};
use super::begin::Begun;
use super::blocks::read_raw_block;
use super::commit::{Beside, FileChange, Hidden, commit_beside, demand_fits};
use super::compose::{Composed, Span};
use super::own::own_range;
use super::{Request, Sync, demand_change, demand_regular, demand_size, settle};
use crate::core::Core;
use crate::error::{Error, Result};
use crate::inode::{Inode, RangeGuard, Sharing};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use untorn_format::Ino;
use untorn_format::inode::Timestamp;

/// One step of a batch.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step<'b> {
    /// These bytes at this byte.
    Write(u64, &'b [u8]),
    /// So many bytes long.
    Truncate(u64),
    /// As it is, but nobody else at it, and nothing of it cached.
    Hold,
}

/// What a batch does to one file, all steps taken together.
struct FilePlan<'b> {
    inode: Arc<Inode>,
    spans: Vec<Span<'b>>,
    /// Bytes of the old file that stay: what lies behind is cut off.
    kept: u64,
    /// Smallest size afterwards.
    end: u64,
    held: Held,
}

/// What of a file is locked that keeps its size.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Held {
    /// What is written of it.
    Written,
    /// All of it.
    Whole,
}

impl<'b> FilePlan<'b> {
    fn new(inode: Arc<Inode>) -> Self {
        Self { inode, spans: Vec::new(), kept: u64::MAX, end: 0, held: Held::Written }
    }

    fn add(&mut self, core: &Core, step: Step<'b>) -> Result<()> {
        match step {
            Step::Hold => self.held = Held::Whole,
            Step::Write(_, []) => {}
            Step::Write(offset, bytes) => {
                self.end = self.end.max(Request::new(core, offset, bytes.len())?.end());
                self.spans.push(Span { offset, bytes });
            }
            Step::Truncate(size) => {
                demand_size(core, size)?;
                self.kept = self.kept.min(size);
                self.end = size;
                self.spans.retain(|span| span.offset < size);
                for span in self.spans.iter_mut().filter(|span| span.end() > size) {
                    span.bytes = &span.bytes[..(size - span.offset) as usize];
                }
            }
        }
        Ok(())
    }

    /// Whether the file, which has `size` bytes, only gets other bytes.
    fn keeps_size(&self, size: u64) -> bool {
        self.kept == u64::MAX && self.end <= size
    }

    /// The bytes of the blocks that are written, in order.
    fn written(&self, core: &Core) -> Vec<Range<u64>> {
        let block = core.geometry.block_size() as u64;
        let whole = |span: &Span<'_>| {
            span.offset / block * block
                ..span.end().checked_next_multiple_of(block).unwrap_or(span.end())
        };
        let mut ranges: Vec<Range<u64>> = self.spans.iter().map(whole).collect();
        ranges.sort_unstable_by_key(|range| range.start);
        let mut merged: Vec<Range<u64>> = Vec::with_capacity(ranges.len());
        for range in ranges {
            match merged.last_mut().filter(|last| range.start <= last.end) {
                Some(last) => last.end = last.end.max(range.end),
                None => merged.push(range),
            }
        }
        merged
    }

    /// Locks what the batch writes of the file, nothing of it cached.
    fn lock(&self, core: &Arc<Core>) -> Result<RangeGuard<'_>> {
        if self.held == Held::Written && self.keeps_size(self.inode.size()?) {
            let ranges = self.written(core);
            let guard = self.inode.ranges.lock_all(ranges.clone(), Sharing::Exclusive);
            // It may have become shorter, or have been removed, while this waited.
            demand_regular(&self.inode)?;
            if self.keeps_size(self.inode.size()?) {
                for range in ranges {
                    clear_cache(core, &self.inode, range)?;
                }
                return Ok(guard);
            }
        }
        own_range(core, &self.inode, 0..u64::MAX)
    }

    /// Smallest size of the file afterwards, which has `size` bytes. What cached writes behind the
    /// batch gave it is not the batch's to commit.
    fn new_size(&self, size: u64) -> u64 {
        match self.kept {
            u64::MAX => self.end,
            kept => self.end.max(size.min(kept)),
        }
    }
}

/// A file of a batch with its blocks found.
struct Ready<'p, 'b> {
    plan: &'p FilePlan<'b>,
    composed: Composed<'b>,
    begun: Begun<'p>,
    cleared: Vec<Range<u64>>,
    size: u64,
    time: Timestamp,
}

/// Does all of `steps` and what is `beside` them, to inodes that steps name, or nothing.
pub(crate) fn commit_batch(
    core: &Arc<Core>,
    steps: Vec<(Arc<Inode>, Step<'_>)>,
    beside: &Beside<'_>,
    sync: Sync,
) -> Result<()> {
    let mut plans: BTreeMap<Ino, FilePlan<'_>> = BTreeMap::new();
    for (inode, step) in steps {
        // A file that was removed has a number that another file may have by now.
        demand_regular(&inode)?;
        let plan = plans.entry(inode.ino).or_insert_with(|| FilePlan::new(Arc::clone(&inode)));
        if !Arc::ptr_eq(&plan.inode, &inode) {
            return Err(Error::NotRegular(format!("inode {}", inode.ino)));
        }
        plan.add(core, step)?;
    }
    let plans: Vec<FilePlan<'_>> = plans.into_values().collect();
    if plans.is_empty() {
        return Ok(());
    }
    let mut locks: Vec<RangeGuard<'_>> = Vec::with_capacity(plans.len());
    for plan in &plans {
        locks.push(plan.lock(core)?);
        demand_change(&plan.inode, super::Change::Rewrite)?;
    }
    let mut ready = Vec::with_capacity(plans.len());
    for plan in &plans {
        ready.push(prepare(core, plan)?);
    }
    let changes: Vec<FileChange<'_>> = ready.iter().map(Ready::change).collect();
    demand_fits(core, &changes, beside)?;
    write_pieces_of(core, ready.iter().map(|ready| (&ready.composed, &*ready.begun.pieces)))?;
    let sequence = commit_beside(core, &changes, beside)?;
    drop(changes);
    for done in ready {
        // The commit may have set the time of the bytes to what it was before a lazy one.
        if done.plan.held == Held::Whole {
            done.plan.inode.forget_lazy();
        }
        done.begun.finish();
    }
    drop(locks);
    settle(core, sequence, sync)
}

fn prepare<'p, 'b>(core: &'p Arc<Core>, plan: &'p FilePlan<'b>) -> Result<Ready<'p, 'b>> {
    let old = plan.inode.size()?;
    let kept = plan.kept.min(old);
    let size = plan.new_size(old);
    let mut composed = Composed::keeping(core, &plan.inode, &plan.spans, kept)?;
    if let Some(tail) = old_end(core, plan, old, kept, size)? {
        composed.keep(tail.block, tail.bytes);
    }
    let blocks = composed.blocks();
    let first = blocks.first().map_or(0, |run| run.start);
    let last = blocks.last().map_or(0, |run| run.end);
    let log = core.geometry.block_log;
    let request = Request { offset: first << log, length: (last - first) << log };
    let begun = Begun::new(core, &plan.inode, request, blocks.clone())?;
    let cut = core.geometry.blocks_for(kept)..core.geometry.blocks_for(u64::MAX >> 1);
    let cleared = if kept < old { outside(cut, &blocks) } else { Vec::new() };
    Ok(Ready { plan, composed, begun, cleared, size, time: core.clock.now() })
}

/// The block in which the kept part of the file ends, when what follows there must become zero: a
/// file that is cut, or one that grows over bytes that nobody could see.
fn old_end(
    core: &Core,
    plan: &FilePlan<'_>,
    old: u64,
    kept: u64,
    size: u64,
) -> Result<Option<Tail>> {
    let (block, used) = core.geometry.file_block(kept);
    if used == 0 || (kept == old && size <= old) {
        return Ok(None);
    }
    let raw = read_raw_block(core, &plan.inode, block.0)?;
    Ok(raw.filter(|bytes| bytes[used..].iter().any(|&byte| byte != 0)).map(|mut bytes| {
        bytes[used..].fill(0);
        Tail { block: block.0, bytes }
    }))
}

/// The parts of `range` outside the runs `inside`, which are in order.
fn outside(range: Range<u64>, inside: &[Range<u64>]) -> Vec<Range<u64>> {
    let mut parts = Vec::new();
    let mut at = range.start;
    for run in inside {
        if at < run.start.min(range.end) {
            parts.push(at..run.start.min(range.end));
        }
        at = at.max(run.end);
    }
    if at < range.end {
        parts.push(at..range.end);
    }
    parts
}

impl Ready<'_, '_> {
    fn change(&self) -> FileChange<'_> {
        FileChange {
            inode: &self.plan.inode,
            pieces: &self.begun.pieces,
            converted: &[],
            cleared: &self.cleared,
            size: self.size,
            cut: self.plan.kept,
            hidden: if self.cleared.is_empty() { Hidden::Cleared } else { Hidden::Gone },
            time: self.time,
        }
    }
}
