//! Punching holes.

use super::super::{Change, demand_change};
use super::ends::zero_ends;
use super::look::mappings;
use super::parts::{Mark, Size, commit};
use super::truncate::holes;
use super::{covered, demand_range, own_range};
use crate::core::Core;
use crate::error::Result;
use crate::inode::Inode;
use std::ops::Range;
use std::sync::Arc;

/// The bytes of `range` become zeroes and the blocks that lie in it whole are freed; the size
/// stays. In one transaction where the journal can carry it; else a crash leaves zeroes in a first
/// part of the range and the old bytes in the rest.
pub(crate) fn punch_hole(core: &Arc<Core>, inode: &Arc<Inode>, range: Range<u64>) -> Result<()> {
    demand_range(core, &range)?;
    let _range = own_range(core, inode, range.clone())?;
    demand_change(inode, Change::Rewrite)?;
    let mut parts = zero_ends(core, inode, &range, inode.size()?)?;
    let mut inner = covered(core, &range);
    loop {
        let found = mappings(core, inode, &inner)?;
        inner.start = found.last().map_or(inner.end, |mapping| mapping.end());
        parts.extend(holes(&found));
        parts.sort_by_key(|part| part.range.start);
        commit(core, inode, std::mem::take(&mut parts), Size::Keep, Mark::Times)?;
        if inner.start >= inner.end {
            return Ok(());
        }
    }
}
