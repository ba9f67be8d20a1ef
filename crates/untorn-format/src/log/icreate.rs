//! Inode creation items: a run of blocks becomes inodes that are free.

use super::bytes::{Reader, Writer};
use super::item::ItemKind;
use crate::fault::Fault;
use crate::units::{AgBlock, AgNumber};

const NAME: &str = "inode creation item";

/// Blocks that become free inodes. The one item whose fields are big-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InodeCreate {
    /// Allocation group.
    pub ag: AgNumber,
    /// First block.
    pub start: AgBlock,
    /// Inodes.
    pub count: u32,
    /// Size of an inode in bytes.
    pub inode_size: u32,
    /// Blocks.
    pub length: u32,
    /// Generation number of each.
    pub generation: u32,
}

impl InodeCreate {
    /// Reads an item.
    pub fn decode(regions: &[&[u8]]) -> Result<Self, Fault> {
        let format = regions.first().copied().unwrap_or_default();
        let mut reader = Reader::new(NAME, format);
        reader.skip(4)?;
        Ok(Self {
            ag: AgNumber(reader.be32()?),
            start: AgBlock(reader.be32()?),
            count: reader.be32()?,
            inode_size: reader.be32()?,
            length: reader.be32()?,
            generation: reader.be32()?,
        })
    }
    /// The item's region.
    pub fn encode(&self) -> Vec<Vec<u8>> {
        let format = Writer::item(ItemKind::InodeCreate.code(), 1)
            .be32(self.ag.0)
            .be32(self.start.0)
            .be32(self.count)
            .be32(self.inode_size)
            .be32(self.length)
            .be32(self.generation);
        vec![format.done()]
    }
}
