//! What directories and attributes share: name hashes, block headers, and the nodes above the
//! hashed leaves.
//!
//! ```text
//! fork of an inode, in filesystem blocks ("da blocks", 32-bit numbers)
//!
//!        node (level 2)            hash = largest hash below, before = da block of the child
//!       /              \
//!   node (level 1)   node  <-> siblings linked by forw and back
//!    /    \            \
//!  leaf <-> leaf <->  leaf        directory index leaves or attribute leaves
//! ```
//!
//! A node whose level is 1 points at leaves. Equal hashes may span leaves: readers follow `forw`
//! while the hash continues.

pub mod edit;
mod hash;
mod info;
mod node;
pub(crate) mod part;
pub(crate) mod stamp;
#[cfg(test)]
mod tests;

pub use hash::{hash_name, hash_name_ascii_ci};
pub use info::{BlockInfo, INFO_SIZE, info, kind_of};
pub(crate) use node::check_order;
pub use node::{MAX_LEVEL, Node, NodeEntry, NodeHeader, verify_node};
pub use part::Part;
pub use stamp::Birth;

use crate::Fault;
use crate::checksum::SealAt;
use crate::kind::{BlockKind, Identity};

use std::fmt;

/// Where index blocks keep checksum and LSN.
pub(crate) const SEAL: SealAt = stamp::DA.seal;

/// A block of a fork as directory and attribute structures name it: a 32-bit number of filesystem
/// blocks from the start of the fork.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DaBlock(pub u32);

impl DaBlock {
    /// This block as a block of the fork's address space.
    pub fn file_block(self) -> crate::FileBlock {
        crate::FileBlock(u64::from(self.0))
    }
    /// The da block of a file block; `None` past the 32 bits that there are.
    pub fn of(block: crate::FileBlock) -> Option<Self> {
        u32::try_from(block.0).ok().map(Self)
    }
    /// The sibling that a link names; zero says that there is none.
    pub(crate) fn link(raw: u32) -> Option<Self> {
        (raw != 0).then_some(Self(raw))
    }
}

impl fmt::Display for DaBlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Whether an edit was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// It was.
    Done,
    /// It does not fit; nothing changed.
    NoRoom,
}

/// Checks an index block just read as a node. A root may be a leaf instead, and a reader learns it
/// only from the bytes: a leaf's bytes are checked as what they say they are ([`kind_of`]).
pub fn verify_block(bytes: &[u8], identity: &Identity<'_>) -> Result<(), Fault> {
    match kind_of(bytes) {
        Some(kind @ (BlockKind::DirLeaf1 | BlockKind::DirLeafN)) => {
            crate::dir::verify_block(kind, bytes, identity)
        }
        Some(BlockKind::AttrLeaf) => {
            crate::attr::verify_block(BlockKind::AttrLeaf, bytes, identity)
        }
        _ => verify_node(bytes, identity),
    }
}
