//! Telling the device which blocks nobody needs.
//!
//! The AG stays locked while a batch of free extents is discarded, so that nobody takes one of them
//! meanwhile. Blocks that are claimed, or busy until their freeing is durable, are left alone: a
//! crash may still need what they hold.

use super::trees::{Published, Trees};
use crate::btree::{ByBlock, Find};
use crate::core::Core;
use crate::error::Result;
use std::ops::Range;
use untorn_device::Discarded;
use untorn_format::{AgBlock, AgExtent, AgNumber};

/// Free extents that are looked at while the AG is locked.
const EXTENTS: usize = 256;
/// Bytes that are discarded while it is.
const BYTES: u64 = 256 << 20;

/// How far a batch came.
#[derive(Debug)]
pub(crate) struct Trimmed {
    /// Blocks discarded.
    pub blocks: u64,
    /// Where the next batch begins; nothing at the end of the range.
    pub next: Option<AgBlock>,
    /// Whether the device could do it.
    pub device: Discarded,
}

/// Discards a batch of the free runs of at least `least` blocks inside `range` of an AG.
pub(crate) fn trim_some(
    core: &Core,
    ag: AgNumber,
    range: Range<AgBlock>,
    least: u32,
) -> Result<Trimmed> {
    let _owner = core.ag(ag).owner.lock();
    let (runs, next) = free_runs(core, ag, &range, least)?;
    let mut blocks = 0;
    for run in runs {
        match discard(core, run)? {
            Discarded::Done => blocks += u64::from(run.length),
            Discarded::Ignored => {
                return Ok(Trimmed { blocks, next: None, device: Discarded::Ignored });
            }
        }
    }
    Ok(Trimmed { blocks, next, device: Discarded::Done })
}

/// Gives `run` back to the device.
pub(crate) fn discard(core: &Core, run: AgExtent) -> Result<Discarded> {
    let offset = core.geometry.byte_of(core.geometry.addr(run.ag, run.start));
    let length = u64::from(run.length) << core.geometry.block_log;
    Ok(core.store.device().discard(offset, length)?)
}

/// A batch of free runs, and where the next batch begins.
fn free_runs(
    core: &Core,
    ag: AgNumber,
    range: &Range<AgBlock>,
    least: u32,
) -> Result<(Vec<AgExtent>, Option<AgBlock>)> {
    let end = range.end.0.min(core.geometry.blocks_of(ag));
    let most = (BYTES >> core.geometry.block_log).max(1);
    let held = core.ag(ag).held.lock_arc();
    let mut source = Published(core);
    let mut tree = source.tree(ag, ByBlock);
    let mut found = tree.seek(Find::AtMost, range.start)?;
    if found.is_none() {
        found = tree.next()?;
    }
    let (mut runs, mut blocks) = (Vec::new(), 0);
    for _ in 0..EXTENTS {
        let Some(free) = found.filter(|free| free.start.0 < end) else { return Ok((runs, None)) };
        for gap in held.gaps(free.start.0.max(range.start.0)..free.end().0.min(end)) {
            if gap.end - gap.start < least {
                continue;
            }
            let length = u64::from(gap.end - gap.start).min(most - blocks) as u32;
            runs.push(AgExtent { ag, start: AgBlock(gap.start), length });
            blocks += u64::from(length);
            if blocks == most {
                return Ok((runs, Some(AgBlock(gap.start + length))));
            }
        }
        let behind = free.end();
        found = tree.next()?;
        if runs.len() >= EXTENTS {
            return Ok((runs, Some(behind)));
        }
    }
    Ok((runs, found.map(|free| free.start)))
}
