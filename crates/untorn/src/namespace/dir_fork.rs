//! The blocks of a directory inside a transaction that has locked it: data, index, free index.

#[cfg(test)]
pub(super) mod tests;

use super::evict::take_run;
use super::forks::inline;
use super::pieces::{Lies, read_pieces};
use crate::da::{ForkBlocks, IndexFork};
use crate::dir::{DirFork, NodeFork};
use crate::error::{Error, Result};
use crate::inode::core_of;
use crate::map;
use crate::tx::Tx;
use std::sync::Arc;
use untorn_format::da::{Birth, DaBlock};
use untorn_format::dir::Space;
use untorn_format::inode::{self, ForkFormat, InodeCore};
use untorn_format::records::{Extent, ExtentState, Fork};
use untorn_format::{BlockKind, Fault, FileBlock, Geometry, Ino, Place};

/// The data fork of a directory inside a transaction that has locked it.
pub(super) struct DirTx<'a, 'c> {
    pub tx: &'a mut Tx<'c>,
    pub ino: Ino,
}

/// A directory's first block.
const FIRST: DaBlock = DaBlock(0);

impl DirTx<'_, '_> {
    pub(super) fn core(&self) -> Result<InodeCore> {
        core_of(self.ino, self.tx.inode_bytes(self.ino))
    }

    pub(super) fn set(&mut self, change: impl FnOnce(&mut InodeCore)) -> Result<()> {
        let mut core = self.core()?;
        change(&mut core);
        core.encode(self.tx.inode_mut(self.ino));
        Ok(())
    }

    /// Blocks of the volume in one block of the directory.
    pub(super) fn span(&self) -> u32 {
        1 << self.tx.core.geometry.dir_block_log
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
        match self.lies(at, kind)? {
            Lies::Nowhere => Ok(None),
            Lies::Whole(block) => self.tx.read(&block).map(Some),
            Lies::InPieces(pieces) => read_pieces(self.tx.core, self.ino, &pieces, kind).map(Some),
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
        let block = self.in_one_run(at, kind)?;
        let birth = Birth { uuid: self.tx.core.meta_uuid(), addr: block.addr, owner: self.ino };
        Ok((birth, self.tx.buffers_mut().create(&block)))
    }

    fn stage(&mut self, at: DaBlock, kind: BlockKind) -> Result<&mut [u8]> {
        let block = self.gathered(at, kind)?;
        self.tx.stage(&block)
    }

    fn free(&mut self, at: DaBlock, count: u32) -> Result<()> {
        (0..count).try_for_each(|index| self.free_block(DaBlock(at.0 + index * self.span())))
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

impl DirFork for DirTx<'_, '_> {
    type Error = Error;

    fn geometry(&self) -> &Geometry {
        &self.tx.core.geometry
    }

    fn is_one_block(&mut self) -> Result<bool> {
        let blocks = 1u64 << self.tx.core.geometry.dir_block_log;
        let size = self.tx.core.geometry.dir_block_size() as u64;
        let core = self.core()?;
        if core.size != size {
            return Ok(false);
        }
        let behind = match core.format {
            ForkFormat::Extents | ForkFormat::Btree => {
                map::next_extent(self.tx, self.ino, Fork::Data, FileBlock(blocks))?
            }
            _ => return Ok(false),
        };
        Ok(behind.is_none())
    }

    fn room(&self) -> usize {
        inode::data_fork(self.tx.inode_bytes(self.ino)).map_or(0, <[u8]>::len)
    }

    fn inline(&self) -> Option<&[u8]> {
        let core = self.core().ok()?;
        inline(self.ino, &core, self.tx.inode_bytes(self.ino)).ok().flatten()
    }

    fn set_inline(&mut self, bytes: &[u8]) -> Result<()> {
        self.set(|core| {
            core.format = ForkFormat::Local;
            core.size = bytes.len() as u64;
        })?;
        let place = Place::inode(self.ino);
        let fork = inode::data_fork_mut(self.tx.inode_mut(self.ino));
        let fork = fork.map_err(|fault| fault.at(place))?;
        fork.fill(0);
        fork[..bytes.len()].copy_from_slice(bytes);
        Ok(())
    }

    fn read(&mut self) -> Result<Arc<[u8]>> {
        let read = ForkBlocks::read(self, FIRST, BlockKind::DirBlock)?;
        read.ok_or_else(|| self.hole(FIRST))
    }

    fn stage(&mut self) -> Result<&mut [u8]> {
        IndexFork::stage(self, FIRST, BlockKind::DirBlock)
    }

    fn grow(&mut self) -> Result<(Birth, &mut [u8])> {
        let size = self.tx.core.geometry.dir_block_size();
        self.set(|core| {
            core.format = ForkFormat::Extents;
            (core.extents, core.size) = (0, size as u64);
        })?;
        let place = Place::inode(self.ino);
        let fork = inode::data_fork_mut(self.tx.inode_mut(self.ino));
        fork.map_err(|fault| fault.at(place))?.fill(0);
        self.map_block(FIRST)?;
        IndexFork::create(self, FIRST, BlockKind::DirBlock)
    }

    fn shrink(&mut self) -> Result<()> {
        self.free(FIRST, 1)
    }

    fn corrupt(&self, fault: Fault) -> Error {
        fault.at(Place::inode(self.ino)).into()
    }
}
