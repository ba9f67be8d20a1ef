//! Nodes of hashed indexes (`xfs_da3_intnode`): reading and checking.

use super::stamp;
use super::{BlockInfo, DaBlock};
use crate::Fault;
use crate::bytes::{array, view};
use crate::kind::Identity;
use crate::wire::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// `XFS_DA3_NODE_MAGIC`.
pub(crate) const MAGIC: u16 = 0x3ebe;
/// Highest level that a node may say it has (`XFS_DA_NODE_MAXDEPTH`).
pub const MAX_LEVEL: u16 = 5;

pub(crate) const WHAT: &str = "index node";

/// Header of a node.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct NodeHeader {
    /// Links and identity.
    pub info: BlockInfo,
    /// Entries.
    pub count: U16,
    /// Levels above the leaves.
    pub level: U16,
    /// Zero.
    pub pad: U32,
}
const _: () = assert!(size_of::<NodeHeader>() == 64);

/// One child of a node.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct NodeEntry {
    /// Largest hash below the child.
    pub hash: U32,
    /// The child's da block.
    pub before: U32,
}
const _: () = assert!(size_of::<NodeEntry>() == 8);

impl NodeEntry {
    /// The child.
    pub fn child(&self) -> DaBlock {
        DaBlock(self.before.get())
    }
}

/// A node, its header checked and its entries in reach.
#[derive(Clone, Copy, Debug)]
pub struct Node<'a> {
    header: &'a NodeHeader,
    entries: &'a [NodeEntry],
}

impl<'a> Node<'a> {
    /// Reads a node. Faults: another magic number, no entries, more than fit, a level that a tree
    /// cannot have.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Fault> {
        let header: &NodeHeader = view(WHAT, bytes, 0)?;
        header.info.expect(WHAT, MAGIC)?;
        let (level, count) = (header.level.get(), header.count.get());
        if level == 0 || level > MAX_LEVEL {
            return Err(Fault::Field { what: WHAT, field: "level", value: level.into() });
        }
        if count == 0 {
            return Err(Fault::Field { what: WHAT, field: "count", value: 0 });
        }
        let entries = array(WHAT, bytes, size_of::<NodeHeader>(), count.into())?;
        Ok(Self { header, entries })
    }
    /// Links and identity.
    pub fn info(&self) -> &'a BlockInfo {
        &self.header.info
    }
    /// Levels above the leaves; 1 points at leaves.
    pub fn level(&self) -> u16 {
        self.header.level.get()
    }
    /// The children in order of hash; never empty.
    pub fn entries(&self) -> &'a [NodeEntry] {
        self.entries
    }
    /// The first child that may hold `hash`: the first whose largest hash is not below it. `None`
    /// when every hash of this node is smaller.
    pub fn child_for(&self, hash: u32) -> Option<DaBlock> {
        let index = self.entries.partition_point(|entry| entry.hash.get() < hash);
        self.entries.get(index).map(NodeEntry::child)
    }
    /// The leftmost child.
    pub fn first_child(&self) -> Option<DaBlock> {
        self.entries.first().map(NodeEntry::child)
    }
}

/// Checks a node just read: identity, bounds, hashes in order.
pub fn verify_node(bytes: &[u8], identity: &Identity<'_>) -> Result<(), Fault> {
    let node = Node::parse(bytes)?;
    stamp::DA.verify(WHAT, bytes, identity)?;
    check_order(WHAT, node.entries.iter().map(|entry| entry.hash.get()))
}

/// Checks that hashes never fall.
pub(crate) fn check_order(
    what: &'static str,
    hashes: impl Iterator<Item = u32>,
) -> Result<(), Fault> {
    let mut last = 0;
    for (index, hash) in hashes.enumerate() {
        if hash < last {
            return Err(Fault::Order { what, rule: "hashes fall", index });
        }
        last = hash;
    }
    Ok(())
}
