//! What readers of directories and attributes ask of an inode's fork.

use std::sync::Arc;
use untorn_format::da::DaBlock;
use untorn_format::{BlockKind, Fault, Geometry};

/// One fork of one inode that has its directory or attributes in blocks.
pub trait ForkBlocks {
    /// What its operations fail with.
    type Error;

    /// The volume's numbers.
    fn geometry(&self) -> &Geometry;

    /// The block at da block `at`, verified as `kind` with the inode as owner: the published image,
    /// or the staged one for the transaction that staged it. A data fork's block is a directory
    /// block (it may lie in several extents), an attribute fork's a filesystem block. `None` in a
    /// hole. With [`BlockKind::DaNode`] the bytes may be those of a leaf
    /// ([`untorn_format::da::kind_of`] tells): roots are read so.
    fn read(&mut self, at: DaBlock, kind: BlockKind) -> Result<Option<Arc<[u8]>>, Self::Error>;

    /// The first da block at or after `from` that is mapped.
    fn next_mapped(&mut self, from: DaBlock) -> Result<Option<DaBlock>, Self::Error>;

    /// The error for a fault found in the block at `at`, or in the inode where there is no block.
    fn corrupt(&self, at: Option<DaBlock>, fault: Fault) -> Self::Error;
}

impl<B: ForkBlocks + ?Sized> ForkBlocks for &mut B {
    type Error = B::Error;

    fn geometry(&self) -> &Geometry {
        (**self).geometry()
    }
    fn read(&mut self, at: DaBlock, kind: BlockKind) -> Result<Option<Arc<[u8]>>, B::Error> {
        (**self).read(at, kind)
    }
    fn next_mapped(&mut self, from: DaBlock) -> Result<Option<DaBlock>, B::Error> {
        (**self).next_mapped(from)
    }
    fn corrupt(&self, at: Option<DaBlock>, fault: Fault) -> B::Error {
        (**self).corrupt(at, fault)
    }
}
