//! Telling the journal of freed blocks that it carried: a replay must not put their old contents
//! over what comes to live there.
//!
//! A cancel counts for exactly the buffer that was journaled: the part of a directory block in one
//! extent, one block of an attribute fork, the whole extent of a symbolic link's target. Blocks of
//! B+trees are cancelled by the tree that frees them.

use crate::tx::Tx;
use untorn_format::inode::{FileKind, InodeCore};
use untorn_format::records::{Extent, Fork};
use untorn_format::{AgBlock, BlockKind, FileBlock, Ino};
use untorn_store::BlockRef;

/// Blocks that one transaction cancels of one extent: a multiple of every directory block.
const WINDOW: u64 = 64;

/// What the journal carries of a fork's blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Journaled {
    /// Nothing: file data.
    No,
    /// Buffers of this many blocks, a power of two.
    Buffers(u64),
    /// Extents as they are.
    Extents,
}

impl Journaled {
    /// What is journaled of `fork` of the inode `core`.
    pub fn of(tx: &Tx<'_>, core: &InodeCore, fork: Fork) -> Self {
        match (fork, core.kind()) {
            (Fork::Attr, _) => Self::Buffers(1),
            (Fork::Data, Some(FileKind::Directory)) => {
                Self::Buffers(1 << tx.core.geometry.dir_block_log)
            }
            (Fork::Data, Some(FileKind::Symlink)) => Self::Extents,
            (Fork::Data, _) => Self::No,
        }
    }

    /// The end of `extent` that one step frees.
    pub fn last_part(self, extent: Extent) -> Extent {
        let Self::Buffers(_) = self else { return extent };
        let end = extent.file_end().0;
        let from = extent.file.0.max((end - 1) / WINDOW * WINDOW);
        let skip = from - extent.file.0;
        Extent {
            file: FileBlock(from),
            start: untorn_format::FsBlock(extent.start.0 + skip),
            length: (end - from) as u32,
            ..extent
        }
    }

    /// Cancels the buffers in `extent`, whose blocks lie in one run.
    pub fn cancel(self, tx: &mut Tx<'_>, ino: Ino, extent: Extent) -> crate::Result<()> {
        let unit = match self {
            Self::No => return Ok(()),
            Self::Buffers(unit) => unit,
            Self::Extents => u64::MAX,
        };
        let run = tx.core.ag_extent(extent.start, extent.length)?;
        let mut at = extent.file.0;
        while at < extent.file_end().0 {
            let end = (at / unit + 1).saturating_mul(unit).min(extent.file_end().0);
            let start = AgBlock(run.start.0 + (at - extent.file.0) as u32);
            let block = BlockRef {
                addr: tx.core.geometry.addr(run.ag, start),
                length: ((end - at) as u32) << tx.core.geometry.block_log,
                kind: BlockKind::DaNode,
                owner: Some(ino.0),
            };
            tx.buffers_mut().cancel(&block);
            at = end;
        }
        Ok(())
    }
}
