//! The blocks of a directory inside a transaction that has locked it: data, index, free index.

#[cfg(test)]
mod tests;

use super::evict::take_run;
use super::forks::DirTx;
use crate::ag::{Users, release};
use crate::da::{ForkBlocks, IndexFork};
use crate::dir::NodeFork;
use crate::error::{Error, Result};
use crate::map;
use std::sync::Arc;
use untorn_format::da::{Birth, DaBlock};
use untorn_format::dir::Space;
use untorn_format::records::{Extent, ExtentState, Fork};
use untorn_format::{BlockKind, Fault, FileBlock, Geometry, Place};
use untorn_store::BlockRef;

impl DirTx<'_, '_> {
    /// Blocks of the volume in one block of the directory.
    fn span(&self) -> u32 {
        1 << self.tx.core.geometry.dir_block_log
    }

    /// The extent in which the block at `at` begins, if it is mapped.
    fn extent_at(&mut self, at: DaBlock) -> Result<Option<Extent>> {
        let wanted = at.file_block();
        let found = map::next_extent(self.tx, self.ino, Fork::Data, wanted)?;
        Ok(found.filter(|extent| extent.file <= wanted))
    }

    /// The buffer of the block at `at`, if it is mapped. Blocks that Linux laid down in pieces are
    /// not changed here.
    fn buffer(&mut self, at: DaBlock, kind: BlockKind) -> Result<Option<BlockRef>> {
        let Some(extent) = self.extent_at(at)? else { return Ok(None) };
        let skip = at.file_block().0 - extent.file.0;
        if extent.file_end().0 < at.file_block().0 + u64::from(self.span()) {
            return Err(Error::Unsupported {
                what: format!("a directory block in several pieces, of inode {},", self.ino),
                remedy: "copy the directory to a new one on Linux".to_owned(),
            });
        }
        let run = self.tx.core.ag_extent(extent.start, extent.length)?;
        let geometry = &self.tx.core.geometry;
        let start = untorn_format::AgBlock(run.start.0 + skip as u32);
        Ok(Some(BlockRef {
            addr: geometry.addr(run.ag, start),
            length: geometry.dir_block_size() as u32,
            kind,
            owner: Some(self.ino.0),
        }))
    }

    fn mapped_buffer(&mut self, at: DaBlock, kind: BlockKind) -> Result<BlockRef> {
        let hole = Fault::Field { what: "directory", field: "hole", value: at.0.into() };
        let found = self.buffer(at, kind)?;
        found.ok_or_else(|| ForkBlocks::corrupt(self, Some(at), hole))
    }

    /// The first place of the index where nothing is mapped, and behind which nothing is; where
    /// there is none, the first hole.
    fn unused_index_block(&mut self) -> Result<DaBlock> {
        let geometry = &self.tx.core.geometry;
        let (first, limit) = (geometry.dir_space(Space::Leaf), geometry.dir_space(Space::Free));
        let last = map::extent_before(self.tx, self.ino, Fork::Data, limit)?;
        let end = last.map_or(first, |extent| extent.file_end().max(first));
        if end < limit
            && let Some(at) = DaBlock::of(end)
        {
            return Ok(at);
        }
        let mut at = first;
        while let Some(extent) = map::next_extent(self.tx, self.ino, Fork::Data, at)? {
            if extent.file > at {
                break;
            }
            at = extent.file_end();
        }
        DaBlock::of(at).filter(|_| at < limit).ok_or_else(|| self.too_high())
    }
}

impl ForkBlocks for DirTx<'_, '_> {
    type Error = Error;

    fn geometry(&self) -> &Geometry {
        &self.tx.core.geometry
    }

    fn read(&mut self, at: DaBlock, kind: BlockKind) -> Result<Option<Arc<[u8]>>> {
        match self.buffer(at, kind)? {
            Some(block) => self.tx.read(&block).map(Some),
            None => Ok(None),
        }
    }

    fn next_mapped(&mut self, from: DaBlock) -> Result<Option<DaBlock>> {
        let from = from.file_block();
        let next = map::next_extent(self.tx, self.ino, Fork::Data, from)?;
        Ok(next.and_then(|extent| DaBlock::of(extent.file.max(from))))
    }

    fn corrupt(&self, at: Option<DaBlock>, fault: Fault) -> Error {
        let offset = at.map(|at| u64::from(at.0) << self.tx.core.geometry.block_log);
        fault.at(Place { ino: Some(self.ino), offset, ..Place::default() }).into()
    }
}

impl IndexFork for DirTx<'_, '_> {
    fn root(&self) -> DaBlock {
        let first = self.tx.core.geometry.dir_space(Space::Leaf);
        DaBlock::of(first).unwrap_or_else(|| unreachable!("the index begins below 2^32 blocks"))
    }

    fn leaf_kind(&self) -> BlockKind {
        BlockKind::DirLeafN
    }

    fn index_block_size(&self) -> usize {
        self.tx.core.geometry.dir_block_size()
    }

    fn grow(&mut self) -> Result<DaBlock> {
        let at = self.unused_index_block()?;
        self.map_block(at)?;
        Ok(at)
    }

    fn create(&mut self, at: DaBlock, kind: BlockKind) -> Result<(Birth, &mut [u8])> {
        let block = self.mapped_buffer(at, kind)?;
        let birth = Birth { uuid: self.tx.core.meta_uuid(), addr: block.addr, owner: self.ino };
        Ok((birth, self.tx.buffers_mut().create(&block)))
    }

    fn stage(&mut self, at: DaBlock, kind: BlockKind) -> Result<&mut [u8]> {
        let block = self.mapped_buffer(at, kind)?;
        self.tx.stage(&block)
    }

    fn free(&mut self, at: DaBlock, count: u32) -> Result<()> {
        for index in 0..count {
            let at = DaBlock(at.0 + index * self.span());
            let block = self.mapped_buffer(at, BlockKind::DaNode)?;
            self.tx.buffers_mut().cancel(&block);
            let first = at.file_block();
            let range = first..FileBlock(first.0 + u64::from(self.span()));
            for piece in map::unmap(self.tx, self.ino, Fork::Data, range)? {
                let run = self.tx.core.ag_extent(piece.start, piece.length)?;
                release(self.tx, run, Users::One)?;
            }
        }
        Ok(())
    }

    fn make_empty_leaf(&mut self) -> Result<()> {
        let at = IndexFork::root(self);
        let (birth, bytes) = IndexFork::create(self, at, BlockKind::DirLeafN)?;
        untorn_format::dir::leaf_edit::init(bytes, &birth, &[]);
        Ok(())
    }

    fn too_high(&self) -> Error {
        Error::Unsupported {
            what: format!("directory {} has as many names as one can have; one more", self.ino),
            remedy: "spread the files over more directories".to_owned(),
        }
    }
}

impl NodeFork for DirTx<'_, '_> {
    fn map_block(&mut self, at: DaBlock) -> Result<()> {
        let behind = u64::from(at.0) + u64::from(self.span());
        let next = ForkBlocks::next_mapped(self, at)?;
        if next.is_some_and(|next| u64::from(next.0) < behind) {
            let fault = Fault::Field { what: "directory", field: "hole", value: at.0.into() };
            return Err(ForkBlocks::corrupt(self, Some(at), fault));
        }
        let run = take_run(self.tx, self.ino, self.span())?;
        let start = self.tx.core.geometry.fs_block(run.ag, run.start);
        let (file, length, state) = (at.file_block(), run.length, ExtentState::Written);
        map::map(self.tx, self.ino, Fork::Data, Extent { file, start, length, state })
    }

    fn size(&self) -> Result<u64> {
        Ok(self.core()?.size)
    }

    fn set_size(&mut self, bytes: u64) -> Result<()> {
        self.set(|core| core.size = bytes)
    }
}
