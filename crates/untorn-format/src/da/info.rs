//! The header of index blocks: sibling links, magic number, identity (`xfs_da3_blkinfo`).

use super::DaBlock;
use crate::bytes::view;
use crate::wire::{U16, U32, U64};
use crate::{BlockKind, Fault, attr, dir};
use zerocopy::byteorder::little_endian;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Bytes of [`BlockInfo`].
pub const INFO_SIZE: usize = 56;

/// The first bytes of nodes, directory index leaves and attribute leaves.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct BlockInfo {
    /// Next block of this level, in da blocks; zero at the end.
    pub forw: U32,
    /// Previous block of this level, in da blocks; zero at the start.
    pub back: U32,
    /// Which kind of block this is.
    pub magic: U16,
    /// Zero.
    pub pad: U16,
    /// CRC-32C of the block, this field taken as zero.
    pub crc: little_endian::U32,
    /// Address of the block in 512-byte units.
    pub addr: U64,
    /// Log position of the last change.
    pub lsn: U64,
    /// UUID of the volume.
    pub uuid: [u8; 16],
    /// Inode that the block belongs to.
    pub owner: U64,
}
const _: () = assert!(size_of::<BlockInfo>() == INFO_SIZE);

impl BlockInfo {
    /// The next block of this level.
    pub fn next(&self) -> Option<DaBlock> {
        DaBlock::link(self.forw.get())
    }
    /// The previous block of this level.
    pub fn previous(&self) -> Option<DaBlock> {
        DaBlock::link(self.back.get())
    }
    /// Checks the magic number.
    pub(crate) fn expect(&self, what: &'static str, magic: u16) -> Result<(), Fault> {
        let found = self.magic.get();
        if found == magic { Ok(()) } else { Err(Fault::Magic { what, found: found.into() }) }
    }
}

/// The header of an index block. Faults: cut short.
pub fn info(bytes: &[u8]) -> Result<&BlockInfo, Fault> {
    view("index block", bytes, 0)
}

/// The kind that the magic number of an index block names: a root is a node or a leaf, and only
/// its own bytes tell which.
pub fn kind_of(bytes: &[u8]) -> Option<BlockKind> {
    match info(bytes).ok()?.magic.get() {
        super::node::MAGIC => Some(BlockKind::DaNode),
        dir::LEAF1_MAGIC => Some(BlockKind::DirLeaf1),
        dir::LEAFN_MAGIC => Some(BlockKind::DirLeafN),
        attr::LEAF_MAGIC => Some(BlockKind::AttrLeaf),
        _ => None,
    }
}
