//! What a tree asks of the place where its blocks live.

use std::sync::Arc;
use untorn_format::Fault;

/// The bytes of a block as they are now: published, or staged by this transaction.
pub type Image = Arc<[u8]>;

/// Where a tree begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Root<'a> {
    /// The root is a block like the others; an AG header names it.
    Block {
        /// The root block.
        ptr: u64,
        /// Levels of the tree; 1 where the root is a leaf.
        levels: u32,
    },
    /// The root stands in an inode's fork: a 4-byte header, keys and pointers fill these bytes, all
    /// that the fork has. It is never a leaf.
    Fork(&'a [u8]),
}

/// The blocks of one tree and its root, seen by one transaction.
///
/// Pointers are AG blocks for the trees of an AG and filesystem blocks for file extents; the tree
/// only passes them on.
pub trait TreeBlocks {
    /// What its operations fail with.
    type Error;

    /// The root as this transaction sees it.
    fn root(&mut self) -> Result<Root<'_>, Self::Error>;

    /// Notes a new root block and number of levels. Called only where [`Root::Block`] is the root.
    fn set_root(&mut self, ptr: u64, levels: u32) -> Result<(), Self::Error>;

    /// The bytes of a [`Root::Fork`], to be changed. Their number is fixed during an operation.
    fn stage_fork(&mut self) -> Result<&mut [u8], Self::Error>;

    /// The image of a block: verified when it was read, the staged one where it is staged. A
    /// pointer that leads outside what may hold the tree is an error.
    fn read(&mut self, ptr: u64) -> Result<Image, Self::Error>;

    /// A private copy of a block, to be changed.
    fn stage(&mut self, ptr: u64) -> Result<&mut [u8], Self::Error>;

    /// A new block, close to `near` if it can be, staged and initialised
    /// (`untorn_format::btree::init`) as an empty block of `level` (0 is a leaf).
    fn allocate(&mut self, near: Option<u64>, level: u16) -> Result<u64, Self::Error>;

    /// Takes back a block that the tree no longer needs.
    fn free(&mut self, ptr: u64) -> Result<(), Self::Error>;

    /// The error for a fault found in block `ptr`, or in the root where there is no block.
    fn corrupt(&self, ptr: Option<u64>, fault: Fault) -> Self::Error;
}

impl<B: TreeBlocks + ?Sized> TreeBlocks for &mut B {
    type Error = B::Error;

    fn root(&mut self) -> Result<Root<'_>, B::Error> {
        (**self).root()
    }
    fn set_root(&mut self, ptr: u64, levels: u32) -> Result<(), B::Error> {
        (**self).set_root(ptr, levels)
    }
    fn stage_fork(&mut self) -> Result<&mut [u8], B::Error> {
        (**self).stage_fork()
    }
    fn read(&mut self, ptr: u64) -> Result<Image, B::Error> {
        (**self).read(ptr)
    }
    fn stage(&mut self, ptr: u64) -> Result<&mut [u8], B::Error> {
        (**self).stage(ptr)
    }
    fn allocate(&mut self, near: Option<u64>, level: u16) -> Result<u64, B::Error> {
        (**self).allocate(near, level)
    }
    fn free(&mut self, ptr: u64) -> Result<(), B::Error> {
        (**self).free(ptr)
    }
    fn corrupt(&self, ptr: Option<u64>, fault: Fault) -> B::Error {
        (**self).corrupt(ptr, fault)
    }
}
