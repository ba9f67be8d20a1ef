//! Directories in every form.
//!
//! ```text
//! short form   in the inode: header, then (name, offset it would have in a block, inode, type)
//! block form   one block:    [header | entries and free space ... | hashed index | tail]
//! leaf form    data blocks:  [header | entries and free space ...]           from byte 0
//!              one leaf:     [header | hashed index ... | bests | tail]      at 32 GiB
//! node form    data blocks, a tree of nodes and leaves at 32 GiB, free index at 64 GiB
//! ```
//!
//! Readers ([`Short`], [`Block`], [`Data`], [`Leaf`], [`Free`]) borrow a block's bytes. Editors are
//! functions on bytes that the caller owns ([`short_edit`], [`block_edit`], [`data_block`],
//! [`leaf_edit`], [`free_edit`]); each leaves the bytes
//! as they were when it says that something does not fit. Nothing here decides between forms.

pub mod block;
pub mod block_edit;
pub mod data;
pub mod data_block;
mod data_edit;
pub mod entry;
pub mod free;
pub mod free_edit;
pub mod leaf;
pub mod leaf_edit;
pub mod short;
pub mod short_edit;
pub mod space;
#[cfg(test)]
mod tests;

pub use block::Block;
pub use data::Data;
pub use entry::{Entry, FileType, MAX_NAME, NewEntry, entry_size, is_name};
pub use free::Free;
pub(crate) use leaf::{LEAF1_MAGIC, LEAFN_MAGIC};
pub use leaf::{Leaf, LeafEntry};
pub use short::Short;
pub use space::{DataPtr, DirBlock, Space};

use crate::checksum::SealAt;
use crate::da::stamp;
use crate::kind::{BlockKind, Identity};
use crate::{DiskAddr, Fault};

/// Where blocks of the data and free spaces keep checksum and LSN.
pub(crate) const SEAL: SealAt = stamp::DIR.seal;

/// Writes into a block of a directory that it lies at `addr`; `kind` is one of the directory kinds
/// or a node of the index.
pub fn move_block(kind: BlockKind, bytes: &mut [u8], addr: DiskAddr) -> Result<(), Fault> {
    match kind {
        BlockKind::DirBlock | BlockKind::DirData | BlockKind::DirFree => &stamp::DIR,
        BlockKind::DirLeaf1 | BlockKind::DirLeafN | BlockKind::DaNode => &stamp::DA,
        _ => panic!("{kind:?} is not a directory block"),
    }
    .set_addr(kind.name(), bytes, addr)
}

/// Checks a directory block just read; `kind` is one of the directory kinds.
pub fn verify_block(kind: BlockKind, bytes: &[u8], identity: &Identity<'_>) -> Result<(), Fault> {
    match kind {
        BlockKind::DirBlock => block::verify(bytes, identity),
        BlockKind::DirData => data::verify(bytes, identity),
        BlockKind::DirLeaf1 => leaf::verify(leaf::Role::Single, bytes, identity),
        BlockKind::DirLeafN => leaf::verify(leaf::Role::BelowNode, bytes, identity),
        BlockKind::DirFree => free::verify(bytes, identity),
        _ => panic!("{kind:?} is not a directory block"),
    }
}
