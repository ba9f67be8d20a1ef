//! Looking at the map of a file whose range is owned.

use super::parts::MOST_PARTS;
use crate::core::Core;
use crate::error::Result;
use crate::inode::Inode;
use crate::map::{Mapping, MappingState, find, published};
use std::ops::Range;
use std::sync::Arc;
use untorn_format::records::{Extent, Fork};
use untorn_format::{FileBlock, FsBlock};

/// What lies in `range`, in order, holes included; not more than a plan takes at once.
pub(super) fn mappings(
    core: &Core,
    inode: &Inode,
    range: &Range<FileBlock>,
) -> Result<Vec<Mapping>> {
    let _owner = inode.owner.read();
    let image = inode.image();
    let mut extents = published(core, inode.ino, &image, Fork::Data)?;
    let mut found = Vec::new();
    let mut at = range.start;
    while at < range.end && found.len() < MOST_PARTS {
        let mapping = find(&mut extents, at, range.end)?;
        at = mapping.end();
        found.push(mapping);
    }
    Ok(found)
}

/// The extents around a block.
pub(super) struct Around {
    /// The last one that begins before it.
    pub before: Option<Extent>,
    /// The one that holds it, or the first behind it.
    pub from: Option<Extent>,
}

/// The extents around `at`.
pub(super) fn around(core: &Core, inode: &Inode, at: FileBlock) -> Result<Around> {
    let _owner = inode.owner.read();
    let image = inode.image();
    let mut extents = published(core, inode.ino, &image, Fork::Data)?;
    Ok(Around { before: extents.before(at)?, from: extents.at_or_after(at)? })
}

/// Whether blocks are used by other files too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// By this file alone.
    Own,
    /// By others too.
    Shared,
}

/// The blocks of a mapping from `start` on, cut where sharing begins and ends.
pub(super) fn by_use(
    core: &Arc<Core>,
    inode: &Inode,
    mapping: &Mapping,
    start: FsBlock,
) -> Result<Vec<(Range<FileBlock>, Use)>> {
    if !inode.core()?.is_reflink() {
        return Ok(vec![(mapping.first..mapping.end(), Use::Own)]);
    }
    let run = core.ag_extent(start, mapping.length as u32)?;
    let mut pieces = Vec::new();
    let mut at = mapping.first;
    let mut push = |to: FileBlock, piece: Use| {
        if at < to {
            pieces.push((at..to, piece));
            at = to;
        }
    };
    let into = |block: u32| FileBlock(mapping.first.0 + u64::from(block - run.start.0));
    for part in core.shared_parts(run)? {
        push(into(part.start.0), Use::Own);
        push(into(part.end().0), Use::Shared);
    }
    push(mapping.end(), Use::Own);
    Ok(pieces)
}

/// Whether a mapping has blocks that hold bytes.
pub(super) fn is_written(mapping: &Mapping) -> bool {
    matches!(mapping.state, MappingState::Written(_))
}
