//! Where a file has data and where it has holes.

use super::super::{demand_regular, pages};
use super::WHOLE;
use crate::core::Core;
use crate::error::Result;
use crate::inode::{Inode, Sharing};
use crate::map::{MappingState, find, published};
use std::sync::Arc;
use untorn_format::FileBlock;
use untorn_format::records::Fork;

/// What is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seek {
    /// Blocks that were written.
    Data,
    /// Anything else; the end of the file counts as a hole.
    Hole,
}

/// The first byte at or behind `offset` that is what is looked for; nothing where there is none
/// before the end of the file, or `offset` is not before it.
pub(crate) fn seek(
    core: &Arc<Core>,
    inode: &Arc<Inode>,
    offset: u64,
    what: Seek,
) -> Result<Option<u64>> {
    demand_regular(inode)?;
    // Bytes that are cached and not on the device yet are data: they get their blocks now.
    let _range = inode.ranges.lock(WHOLE, Sharing::Exclusive);
    demand_regular(inode)?;
    pages::write_back(core, inode, WHOLE)?;
    let size = inode.size()?;
    if offset >= size {
        return Ok(None);
    }
    let _owner = inode.owner.read();
    let image = inode.image();
    let mut extents = published(core, inode.ino, &image, Fork::Data)?;
    let (mut at, end) =
        (core.geometry.file_block(offset).0, FileBlock(core.geometry.blocks_for(size)));
    while at < end {
        let mapping = find(&mut extents, at, end)?;
        let found = match mapping.state {
            MappingState::Written(_) => Seek::Data,
            MappingState::Hole | MappingState::Unwritten(_) => Seek::Hole,
        };
        if found == what {
            return Ok(Some(offset.max(mapping.first.0 << core.geometry.block_log)));
        }
        at = mapping.end();
    }
    Ok((what == Seek::Hole).then_some(size))
}
