//! Where the blocks of a directory lie. Linux lays one that is larger than a block of the volume
//! down in several pieces where free space is in pieces.
//!
//! Such a block is read piece by piece, past the cache: its pieces are no buffers here. What
//! changes it gives it one run first, in the same transaction: it is written there as a new block,
//! the pieces are let go of. So a crash finds it in the old place or in the new one.

#[cfg(test)]
mod tests;

use super::dir_fork::DirTx;
use crate::ag::{Users, release};
use crate::core::Core;
use crate::da::ForkBlocks;
use crate::dir::NodeFork;
use crate::error::{Error, Result};
use crate::map;
use untorn_format::da::DaBlock;
use untorn_format::records::{Extent, Fork};
use untorn_format::{AgExtent, BlockKind, DiskAddr, Fault, FileBlock, Ino, Place, dir, kind};
use untorn_store::{BlockRef, Image};

/// Where a block of a directory lies.
pub(super) enum Lies {
    /// Nothing is mapped.
    Nowhere,
    /// In one run.
    Whole(BlockRef),
    /// In these, in the order of its bytes.
    InPieces(Vec<AgExtent>),
}

/// A block of the directory `ino` that lies in pieces, from the device.
pub(super) fn read_pieces(
    core: &Core,
    ino: Ino,
    pieces: &[AgExtent],
    kind: BlockKind,
) -> Result<Image> {
    let geometry = &core.geometry;
    let addr = |piece: &AgExtent| geometry.addr(piece.ag, piece.start);
    let bytes = |piece: &AgExtent| (piece.length as usize) << geometry.block_log;
    let mut whole = vec![0; pieces.iter().map(bytes).sum()];
    let mut rest = &mut whole[..];
    for piece in pieces {
        let (part, behind) = rest.split_at_mut(bytes(piece));
        core.store.device().read_at(geometry.byte_of(addr(piece)), part)?;
        rest = behind;
    }
    let addr = pieces.first().map_or(DiskAddr(0), addr);
    let (uuid, newest) = (core.meta_uuid(), core.store.cache().newest());
    let identity = kind::Identity { geometry, uuid, addr, owner: Some(ino.0), newest };
    kind::verify(kind, &whole, &identity).map_err(|fault| fault.at(Place::at(addr)))?;
    Ok(whole.into())
}

impl DirTx<'_, '_> {
    /// Where the block at `at` lies.
    pub(super) fn lies(&mut self, at: DaBlock, kind: BlockKind) -> Result<Lies> {
        let first = at.file_block();
        let end = FileBlock(first.0 + u64::from(self.span()));
        let found = map::next_extent(self.tx, self.ino, Fork::Data, first)?;
        let Some(extent) = found.filter(|extent| extent.file <= first) else {
            return Ok(Lies::Nowhere);
        };
        match extent.file_end() >= end {
            true => Ok(Lies::Whole(self.buffer(self.run(extent, first..end)?, kind))),
            false => self.pieces(first..end).map(Lies::InPieces),
        }
    }

    /// The runs of the volume under a range that is mapped from end to end.
    fn pieces(&mut self, range: std::ops::Range<FileBlock>) -> Result<Vec<AgExtent>> {
        let (mut pieces, mut at) = (Vec::new(), range.start);
        while at < range.end {
            let found = map::next_extent(self.tx, self.ino, Fork::Data, at)?;
            let extent = found.filter(|extent| extent.file <= at);
            let extent = extent.ok_or_else(|| self.hole_at(at))?;
            pieces.push(self.run(extent, at..range.end)?);
            at = extent.file_end();
        }
        Ok(pieces)
    }

    /// What an extent has of a range.
    fn run(&self, extent: Extent, range: std::ops::Range<FileBlock>) -> Result<AgExtent> {
        let part = map::trim(extent, &range);
        self.tx.core.ag_extent(part.start, part.length)
    }

    fn buffer(&self, run: AgExtent, kind: BlockKind) -> BlockRef {
        let geometry = &self.tx.core.geometry;
        let length = run.length << geometry.block_log;
        let addr = geometry.addr(run.ag, run.start);
        BlockRef { addr, length, kind, owner: Some(self.ino.0) }
    }

    /// The error for a hole where a block was needed.
    pub(super) fn hole(&self, at: DaBlock) -> Error {
        self.hole_at(at.file_block())
    }

    fn hole_at(&self, at: FileBlock) -> Error {
        let fault = Fault::Field { what: "directory", field: "hole", value: at.0 };
        ForkBlocks::corrupt(self, DaBlock::of(at), fault)
    }

    /// The buffer of a mapped block whose bytes are of no matter any more, in one run.
    pub(super) fn in_one_run(&mut self, at: DaBlock, kind: BlockKind) -> Result<BlockRef> {
        match self.lies(at, kind)? {
            Lies::Nowhere => Err(self.hole(at)),
            Lies::Whole(block) => Ok(block),
            Lies::InPieces(_) => self.move_to_run(at, kind),
        }
    }

    /// The buffer of a mapped block, in one run.
    pub(super) fn gathered(&mut self, at: DaBlock, kind: BlockKind) -> Result<BlockRef> {
        let pieces = match self.lies(at, kind)? {
            Lies::Nowhere => return Err(self.hole(at)),
            Lies::Whole(block) => return Ok(block),
            Lies::InPieces(pieces) => pieces,
        };
        let bytes = read_pieces(self.tx.core, self.ino, &pieces, kind)?;
        let block = self.move_to_run(at, kind)?;
        let new = self.tx.buffers_mut().create(&block);
        new.copy_from_slice(&bytes);
        let moved = dir::move_block(kind, new, block.addr);
        moved.map_err(|fault| ForkBlocks::corrupt(self, Some(at), fault))?;
        Ok(block)
    }

    /// Gives a block that lies in pieces one run, without its bytes.
    fn move_to_run(&mut self, at: DaBlock, kind: BlockKind) -> Result<BlockRef> {
        self.free_block(at)?;
        self.map_block(at)?;
        match self.lies(at, kind)? {
            Lies::Whole(block) => Ok(block),
            _ => unreachable!("a block is mapped in one run"),
        }
    }

    /// Unmaps and frees a block.
    pub(super) fn free_block(&mut self, at: DaBlock) -> Result<()> {
        // A journal of Linux may still hold each piece as a buffer of its own.
        match self.lies(at, BlockKind::DaNode)? {
            Lies::Nowhere => return Err(self.hole(at)),
            Lies::Whole(block) => self.tx.buffers_mut().cancel(&block),
            Lies::InPieces(pieces) => {
                for piece in pieces {
                    let block = self.buffer(piece, BlockKind::DaNode);
                    self.tx.buffers_mut().cancel(&block);
                }
            }
        }
        let first = at.file_block();
        let range = first..FileBlock(first.0 + u64::from(self.span()));
        for piece in map::unmap(self.tx, self.ino, Fork::Data, range)? {
            let run = self.tx.core.ag_extent(piece.start, piece.length)?;
            release(self.tx, run, Users::One)?;
        }
        Ok(())
    }
}
