//! The attribute fork of an inode inside a transaction that has locked it.
//!
//! Where the fork begins is decided as Linux does (`xfs_attr_shortform_bytesfit`,
//! `xfs_default_attroffset`), so that both find room where the other left it.

use super::evict::{evict_inline, take_run};
use crate::ag::{Claim, Users, release};
use crate::attr::{AttrFork, Form};
use crate::da::{ForkBlocks, IndexFork};
use crate::error::{Error, Result};
use crate::inode::core_of;
use crate::map;
use crate::tx::Tx;
use std::sync::Arc;
use untorn_format::attr::{Short, short_edit};
use untorn_format::btree::root;
use untorn_format::da::{Birth, DaBlock, Fit};
use untorn_format::inode::{self, FileKind, ForkFormat, InodeCore};
use untorn_format::records::{Extent, ExtentState, Fork};
use untorn_format::superblock::SuperblockDisk;
use untorn_format::{
    AgExtent, AgNumber, BlockKind, Fault, FileBlock, FsBlock, Geometry, Ino, Place,
};
use untorn_store::BlockRef;

/// Entries that the root of a data fork's B+tree must have room for.
const DATA_ROOT: usize = 3;
/// Entries that the root of an attribute fork's B+tree must have room for.
const ATTR_ROOT: usize = 2;
/// Bytes of the data fork where nothing else decides: a root of twelve entries.
const DEFAULT_DATA: usize = 196;
/// `XFS_SB_VERSION_ATTRBIT`: there are, or were, attributes.
const ATTRIBUTES: u16 = 0x10;

/// See the module. `claims` hold the value that is being set.
pub(super) struct AttrTx<'a, 'c> {
    tx: &'a mut Tx<'c>,
    ino: Ino,
    claims: &'a [Claim],
}

impl<'a, 'c> AttrTx<'a, 'c> {
    pub fn new(tx: &'a mut Tx<'c>, ino: Ino, claims: &'a [Claim]) -> Self {
        Self { tx, ino, claims }
    }

    fn core(&self) -> Result<InodeCore> {
        core_of(self.ino, self.tx.inode_bytes(self.ino))
    }

    fn set(&mut self, change: impl FnOnce(&mut InodeCore)) -> Result<()> {
        let mut core = self.core()?;
        change(&mut core);
        core.encode(self.tx.inode_mut(self.ino));
        Ok(())
    }

    fn place(&self) -> Place {
        Place::inode(self.ino)
    }

    /// The mapped block of the volume behind `at`.
    fn block(&mut self, at: DaBlock) -> Result<Option<FsBlock>> {
        if self.form_of_blocks()?.is_none() {
            return Ok(None);
        }
        let wanted = at.file_block();
        let found = map::next_extent(self.tx, self.ino, Fork::Attr, wanted)?;
        let extent = found.filter(|extent| extent.file <= wanted);
        Ok(extent.map(|extent| FsBlock(extent.start.0 + (wanted.0 - extent.file.0))))
    }

    /// The form of a fork that has its attributes in blocks.
    fn form_of_blocks(&self) -> Result<Option<ForkFormat>> {
        let core = self.core()?;
        let mapped = matches!(core.attr_format, ForkFormat::Extents | ForkFormat::Btree);
        Ok((core.has_attr_fork() && mapped && core.attr_extents > 0).then_some(core.attr_format))
    }

    fn block_ref(&mut self, at: DaBlock, kind: BlockKind) -> Result<BlockRef> {
        let missing = Fault::Field { what: "attribute fork", field: "hole", value: at.0.into() };
        let block = self.block(at)?.ok_or_else(|| ForkBlocks::corrupt(self, Some(at), missing))?;
        self.block_at(at, block, kind)
    }

    fn block_at(&self, at: DaBlock, block: FsBlock, kind: BlockKind) -> Result<BlockRef> {
        let outside = Fault::Field { what: "extent", field: "br_startblock", value: block.0 };
        let found = self.tx.core.file_block(block, kind, self.ino.0);
        found.ok_or_else(|| ForkBlocks::corrupt(self, Some(at), outside))
    }

    /// The first of `count` da blocks in a row that are not mapped.
    fn first_unused(&mut self, count: u64) -> Result<DaBlock> {
        let mut at = FileBlock(0);
        if self.form_of_blocks()?.is_some() {
            while let Some(extent) = map::next_extent(self.tx, self.ino, Fork::Attr, at)? {
                if extent.file.0 >= at.0 + count {
                    break;
                }
                at = extent.file_end();
            }
        }
        let end = DaBlock::of(FileBlock(at.0 + count));
        let first = DaBlock::of(at).filter(|_| end.is_some());
        first.ok_or_else(|| self.too_high())
    }

    fn map(&mut self, at: DaBlock, run: AgExtent) -> Result<()> {
        let start = self.tx.core.geometry.fs_block(run.ag, run.start);
        let (file, state) = (at.file_block(), ExtentState::Written);
        let extent = Extent { file, start, length: run.length, state };
        map::map(self.tx, self.ino, Fork::Attr, extent)
    }

    /// Unmaps and frees all that is mapped of a range; how many blocks that was.
    fn free_range(&mut self, range: std::ops::Range<FileBlock>) -> Result<u64> {
        if self.form_of_blocks()?.is_none() {
            return Ok(0);
        }
        let core = Arc::clone(self.tx.core);
        let pieces = map::unmap(self.tx, self.ino, Fork::Attr, range)?;
        for piece in &pieces {
            let run = core.ag_extent(piece.start, piece.length)?;
            for block in 0..u64::from(piece.length) {
                let start = FsBlock(piece.start.0 + block);
                let block = self.block_at(DaBlock(0), start, BlockKind::AttrLeaf)?;
                self.tx.buffers_mut().cancel(&block);
            }
            release(self.tx, run, Users::One)?;
        }
        Ok(pieces.iter().map(|piece| u64::from(piece.length)).sum())
    }

    fn free_all(&mut self) -> Result<()> {
        self.free_range(FileBlock(0)..FileBlock(u64::MAX)).map(drop)
    }

    /// Where the fork may begin for short-form attributes of `bytes` bytes.
    fn short_offset(&self, bytes: usize) -> Result<Option<u8>> {
        let core = self.core()?;
        let image = self.tx.inode_bytes(self.ino);
        let fork = |found: std::result::Result<&[u8], Fault>| found.map_or(0, <[u8]>::len);
        let room = fork(inode::attr_fork(image));
        let inside = image.len() - core.core_size();
        let Some(offset) = inside.checked_sub(bytes).map(|left| left / 8) else { return Ok(None) };
        if core.has_attr_fork() && bytes <= room {
            return Ok(Some(core.fork_offset));
        }
        let default = !core.has_attr_fork() && core.extents * 16 > DEFAULT_DATA as u64 / 8 * 8;
        let data = match core.format {
            ForkFormat::Dev => return Ok((offset >= 1).then_some(1)),
            ForkFormat::Btree if core.has_attr_fork() => return Ok(None),
            ForkFormat::Btree => {
                let shape = root::shape(inode::data_fork(image).unwrap_or_default());
                let (_, entries) = shape.map_err(|fault| fault.at(self.place()))?;
                root::size_for(entries.into())
            }
            ForkFormat::Extents if default => 0,
            ForkFormat::Extents => usize::try_from(core.extents * 16).unwrap_or(usize::MAX),
            _ => usize::try_from(core.size).unwrap_or(usize::MAX),
        };
        let least = data.max(root::size_for(DATA_ROOT)).div_ceil(8);
        let most = (inside - root::size_for(ATTR_ROOT)) / 8;
        let offset = offset.min(most);
        Ok(u8::try_from(offset).ok().filter(|_| offset >= least))
    }

    /// Whether the inode is a symbolic link whose target lies in blocks though it would fit the
    /// inode without attributes. Linux before 6.10 and xfs_repair take such an inode for damaged
    /// once the fork is gone: it stays.
    fn target_would_fit(&self, core: &InodeCore) -> bool {
        let inside = self.tx.inode_bytes(self.ino).len() - core.core_size();
        let remote = core.kind() == Some(FileKind::Symlink) && core.format != ForkFormat::Local;
        remote && core.has_attr_fork() && core.size <= inside as u64
    }

    /// Gives the inode an attribute fork at `offset`, or moves the one that it has.
    fn move_border(&mut self, offset: u8) -> Result<()> {
        if !self.core()?.has_attr_fork() {
            self.note_attributes()?;
        }
        evict_inline(self.tx, self.ino, usize::from(offset) * 8)?;
        map::set_fork_offset(self.tx, self.ino, offset)
    }

    /// Says in the superblock that the volume has attributes, where it does not say so yet.
    fn note_attributes(&mut self) -> Result<()> {
        let header = self.tx.core.header(AgNumber(0), BlockKind::Superblock);
        let place = Place::at(header.addr);
        let has = |bytes: &[u8]| {
            let raw = SuperblockDisk::of(bytes).map_err(|fault| fault.at(place))?;
            Ok::<_, Error>(raw.versionnum.get() & ATTRIBUTES != 0)
        };
        if has(&self.tx.read(&header)?)? {
            return Ok(());
        }
        self.tx.lock_ag(AgNumber(0))?;
        let bytes = self.tx.stage(&header)?;
        let raw = SuperblockDisk::of_mut(bytes).map_err(|fault| fault.at(place))?;
        raw.versionnum.set(raw.versionnum.get() | ATTRIBUTES);
        Ok(())
    }

    /// Fills the attribute fork with `bytes`, zeroes behind.
    fn fill(&mut self, bytes: &[u8]) -> Result<()> {
        let place = self.place();
        let fork = inode::attr_fork_mut(self.tx.inode_mut(self.ino));
        let fork = fork.map_err(|fault| fault.at(place))?;
        fork.fill(0);
        let (front, _) = fork.split_at_mut(bytes.len());
        front.copy_from_slice(bytes);
        Ok(())
    }
}

impl ForkBlocks for AttrTx<'_, '_> {
    type Error = Error;

    fn geometry(&self) -> &Geometry {
        &self.tx.core.geometry
    }

    fn read(&mut self, at: DaBlock, kind: BlockKind) -> Result<Option<Arc<[u8]>>> {
        let Some(block) = self.block(at)? else { return Ok(None) };
        let block = self.block_at(at, block, kind)?;
        self.tx.read(&block).map(Some)
    }

    fn next_mapped(&mut self, from: DaBlock) -> Result<Option<DaBlock>> {
        if self.form_of_blocks()?.is_none() {
            return Ok(None);
        }
        let from = from.file_block();
        let next = map::next_extent(self.tx, self.ino, Fork::Attr, from)?;
        Ok(next.and_then(|extent| DaBlock::of(extent.file.max(from))))
    }

    fn corrupt(&self, at: Option<DaBlock>, fault: Fault) -> Error {
        let offset = at.map(|at| u64::from(at.0) << self.tx.core.geometry.block_log);
        fault.at(Place { offset, ..self.place() }).into()
    }
}

impl IndexFork for AttrTx<'_, '_> {
    fn root(&self) -> DaBlock {
        DaBlock(0)
    }

    fn leaf_kind(&self) -> BlockKind {
        BlockKind::AttrLeaf
    }

    fn index_block_size(&self) -> usize {
        self.tx.core.geometry.block_size()
    }

    fn grow(&mut self) -> Result<DaBlock> {
        let at = self.first_unused(1)?;
        let run = take_run(self.tx, self.ino, 1)?;
        self.map(at, run)?;
        Ok(at)
    }

    fn create(&mut self, at: DaBlock, kind: BlockKind) -> Result<(Birth, &mut [u8])> {
        let block = self.block_ref(at, kind)?;
        let birth = Birth { uuid: self.tx.core.meta_uuid(), addr: block.addr, owner: self.ino };
        Ok((birth, self.tx.buffers_mut().create(&block)))
    }

    fn stage(&mut self, at: DaBlock, kind: BlockKind) -> Result<&mut [u8]> {
        let block = self.block_ref(at, kind)?;
        self.tx.stage(&block)
    }

    fn free(&mut self, at: DaBlock, count: u32) -> Result<()> {
        let first = at.file_block();
        let freed = self.free_range(first..FileBlock(first.0 + u64::from(count)))?;
        if freed == u64::from(count) {
            return Ok(());
        }
        let value = at.0.into();
        let fault = Fault::Field { what: "attribute fork", field: "blocks to free", value };
        Err(ForkBlocks::corrupt(self, Some(at), fault))
    }

    fn make_empty_leaf(&mut self) -> Result<()> {
        crate::attr::make_empty_leaf(self)
    }

    fn too_high(&self) -> Error {
        Error::Unsupported {
            what: format!(
                "inode {} has more attributes than an index can hold; one more",
                self.ino
            ),
            remedy: "remove some of them".to_owned(),
        }
    }
}

impl AttrFork for AttrTx<'_, '_> {
    fn form(&mut self) -> Result<Form> {
        let core = self.core()?;
        if self.form_of_blocks()?.is_some() {
            return Ok(Form::Indexed);
        }
        if !core.has_attr_fork() || core.attr_format != ForkFormat::Local {
            return Ok(Form::Short(short_edit::init()));
        }
        let fork = inode::attr_fork(self.tx.inode_bytes(self.ino));
        let fork = fork.map_err(|fault| fault.at(self.place()))?;
        let short = Short::parse(fork).map_err(|fault| fault.at(self.place()))?;
        Ok(Form::Short(fork.get(..short.size()).unwrap_or(fork).to_vec()))
    }

    fn set_short(&mut self, bytes: &[u8]) -> Result<Fit> {
        let Some(offset) = self.short_offset(bytes.len())? else { return Ok(Fit::NoRoom) };
        self.free_all()?;
        self.move_border(offset)?;
        self.set(|core| {
            core.attr_format = ForkFormat::Local;
            core.attr_extents = 0;
        })?;
        self.fill(bytes)?;
        Ok(Fit::Done)
    }

    fn set_indexed(&mut self, wanted: usize) -> Result<()> {
        let core = self.core()?;
        if !core.has_attr_fork() {
            let default = if core.format == ForkFormat::Dev { 1 } else { (DEFAULT_DATA / 8) as u8 };
            let offset = self.short_offset(wanted)?.unwrap_or(default);
            self.move_border(offset)?;
        }
        self.set(|core| {
            core.attr_format = ForkFormat::Extents;
            core.attr_extents = 0;
        })?;
        self.fill(&[])
    }

    fn clear(&mut self) -> Result<()> {
        let core = self.core()?;
        if core.format == ForkFormat::Btree
            || self.tx.core.features.has_parent()
            || self.target_would_fit(&core)
        {
            let fit = self.set_short(&short_edit::init())?;
            assert!(fit == Fit::Done, "no attributes fit every fork");
            return Ok(());
        }
        self.free_all()?;
        if core.has_attr_fork() {
            self.set(|core| {
                core.attr_format = ForkFormat::Extents;
                core.attr_extents = 0;
            })?;
            self.fill(&[])?;
            map::set_fork_offset(self.tx, self.ino, 0)?;
        }
        Ok(())
    }

    fn place_value(&mut self) -> Result<DaBlock> {
        let claims = self.claims;
        let runs = || claims.iter().map(Claim::extent);
        let count = runs().map(|run| u64::from(run.length)).sum();
        let first = self.first_unused(count)?;
        let mut at = first;
        for run in runs() {
            self.tx.take_claimed(run)?;
            self.map(at, run)?;
            at = DaBlock(at.0 + run.length);
        }
        Ok(first)
    }
}
