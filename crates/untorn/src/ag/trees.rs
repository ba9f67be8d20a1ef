//! The AG's btrees as the generic tree sees them: roots in the AG headers, blocks from the free
//! list (free space and reverse mappings) or from free space (the rest).

use super::{freelist, space};
use crate::btree::{Image, Root, Tree, TreeBlocks, TreeKind};
use crate::core::Core;
use crate::error::{Error, Result};
use crate::tx::Tx;
use untorn_format::ag::{AgfDisk, AgiDisk};
use untorn_format::btree::{self, BtreeKind};
use untorn_format::kind::Identity;
use untorn_format::records::{RmapOwner, RmapRec};
use untorn_format::{AgBlock, AgNumber, BlockKind, Fault, Place};
use untorn_store::BlockRef;

/// Where trees of an AG can be read.
pub(crate) trait Trees {
    /// The blocks of one tree.
    type Blocks<'a>: TreeBlocks<Error = Error>
    where
        Self: 'a;
    /// The blocks of tree `kind` of `ag`.
    fn blocks(&mut self, ag: AgNumber, kind: BtreeKind) -> Self::Blocks<'_>;

    /// The tree of `kind` of `ag`.
    fn tree<K: TreeKind>(&mut self, ag: AgNumber, kind: K) -> Tree<K, Self::Blocks<'_>> {
        Tree::new(kind, self.blocks(ag, K::KIND))
    }
}

impl<'c> Trees for Tx<'c> {
    type Blocks<'a>
        = AgTree<'a, 'c>
    where
        Self: 'a;
    fn blocks(&mut self, ag: AgNumber, kind: BtreeKind) -> AgTree<'_, 'c> {
        AgTree { tx: self, ag, kind }
    }
}

/// The published trees of an AG whose owner lock the caller holds. They cannot be changed.
pub(crate) struct Published<'c>(pub &'c Core);

impl<'c> Trees for Published<'c> {
    type Blocks<'a>
        = PublishedTree<'a>
    where
        Self: 'a;
    fn blocks(&mut self, ag: AgNumber, kind: BtreeKind) -> PublishedTree<'_> {
        PublishedTree { core: self.0, ag, kind }
    }
}

/// Root pointer and levels of a tree, as its header has them.
fn root_of(kind: BtreeKind, header: &[u8]) -> std::result::Result<(u32, u32), Fault> {
    let agf = || AgfDisk::of(header);
    let agi = || AgiDisk::of(header);
    let (root, levels) = match kind {
        BtreeKind::Bnobt => agf().map(|h| (h.bno_root, h.bno_level))?,
        BtreeKind::Cntbt => agf().map(|h| (h.cnt_root, h.cnt_level))?,
        BtreeKind::Rmapbt => agf().map(|h| (h.rmap_root, h.rmap_level))?,
        BtreeKind::Refcountbt => agf().map(|h| (h.refcount_root, h.refcount_level))?,
        BtreeKind::Inobt => agi().map(|h| (h.root, h.level))?,
        BtreeKind::Finobt => agi().map(|h| (h.free_root, h.free_level))?,
        BtreeKind::Bmbt => unreachable!("file extents have no root in an AG"),
    };
    Ok((root.get(), levels.get()))
}

fn header_kind(kind: BtreeKind) -> BlockKind {
    match kind {
        BtreeKind::Inobt | BtreeKind::Finobt => BlockKind::Agi,
        _ => BlockKind::Agf,
    }
}

/// The buffer of block `ptr` of an AG tree; a pointer outside the AG is corruption.
fn block_ref(core: &Core, ag: AgNumber, kind: BtreeKind, ptr: u64) -> Result<BlockRef> {
    let block = u32::try_from(ptr).ok().filter(|&b| b < core.geometry.blocks_of(ag));
    let block = block.ok_or_else(|| {
        let fault = Fault::Field { what: kind.name(), field: "pointer", value: ptr };
        corrupt(core, ag, None, fault)
    })?;
    Ok(core.ag_block(ag, AgBlock(block), kind.block_kind()))
}

fn corrupt(core: &Core, ag: AgNumber, ptr: Option<u64>, fault: Fault) -> Error {
    let addr = ptr.map(|ptr| core.geometry.addr(ag, AgBlock(ptr as u32)));
    fault.at(Place { ag: Some(ag), addr, ..Place::default() }).into()
}

/// A tree of an AG inside a transaction that has locked the AG.
pub(crate) struct AgTree<'a, 'c> {
    tx: &'a mut Tx<'c>,
    ag: AgNumber,
    kind: BtreeKind,
}

impl AgTree<'_, '_> {
    /// Blocks on the free list of the AG.
    pub fn free_list(&self) -> Result<u32> {
        freelist::length(self.tx, self.ag)
    }

    fn header(&self) -> BlockRef {
        self.tx.core.header(self.ag, header_kind(self.kind))
    }

    fn fault(&self, fault: Fault) -> Error {
        corrupt(self.tx.core, self.ag, None, fault)
    }

    fn edit_agf(&mut self, edit: impl FnOnce(&mut AgfDisk)) -> Result<()> {
        edit_agf(self.tx, self.ag, edit)
    }

    /// Counts a block that the tree gained (1) or lost (-1) where the headers count them.
    fn count(&mut self, change: i32) -> Result<()> {
        let add = |n: u32| n.wrapping_add_signed(change);
        match self.kind {
            BtreeKind::Bnobt | BtreeKind::Cntbt => {
                self.edit_agf(|agf| agf.btreeblks.set(add(agf.btreeblks.get())))
            }
            BtreeKind::Rmapbt => self.edit_agf(|agf| {
                agf.btreeblks.set(add(agf.btreeblks.get()));
                agf.rmap_blocks.set(add(agf.rmap_blocks.get()));
            }),
            BtreeKind::Refcountbt => {
                self.edit_agf(|agf| agf.refcount_blocks.set(add(agf.refcount_blocks.get())))
            }
            BtreeKind::Inobt | BtreeKind::Finobt => self.count_inode_tree(add),
            BtreeKind::Bmbt => unreachable!("file extents are no tree of an AG"),
        }
    }

    fn count_inode_tree(&mut self, add: impl Fn(u32) -> u32) -> Result<()> {
        if !self.tx.core.features.has_inobtcount() {
            return Ok(());
        }
        let kind = self.kind;
        edit_agi(self.tx, self.ag, |agi| match kind {
            BtreeKind::Inobt => agi.iblocks.set(add(agi.iblocks.get())),
            _ => agi.fblocks.set(add(agi.fblocks.get())),
        })
    }

    /// Who owns the blocks of the trees that take theirs from free space.
    fn owner(&self) -> Option<RmapOwner> {
        match self.kind {
            BtreeKind::Refcountbt => Some(RmapOwner::Refcount),
            BtreeKind::Inobt | BtreeKind::Finobt => Some(RmapOwner::Inobt),
            _ => None,
        }
    }
}

/// Looks at the AGF of an AG as the transaction sees it.
pub(super) fn look_agf<R>(
    tx: &Tx<'_>,
    ag: AgNumber,
    look: impl FnOnce(&AgfDisk) -> R,
) -> Result<R> {
    let header = tx.core.header(ag, BlockKind::Agf);
    agf_of(&header, &tx.read(&header)?, look)
}

/// The same as it is published.
pub(super) fn look_published_agf<R>(
    core: &Core,
    ag: AgNumber,
    look: impl FnOnce(&AgfDisk) -> R,
) -> Result<R> {
    let header = core.header(ag, BlockKind::Agf);
    agf_of(&header, &core.store.cache().read(&header)?, look)
}

fn agf_of<R>(header: &BlockRef, image: &[u8], look: impl FnOnce(&AgfDisk) -> R) -> Result<R> {
    let agf = AgfDisk::of(image).map_err(|fault| fault.at(Place::at(header.addr)))?;
    Ok(look(agf))
}

/// Edits the AGF of a locked AG.
pub(crate) fn edit_agf<R>(
    tx: &mut Tx<'_>,
    ag: AgNumber,
    edit: impl FnOnce(&mut AgfDisk) -> R,
) -> Result<R> {
    let header = tx.core.header(ag, BlockKind::Agf);
    let bytes = tx.stage(&header)?;
    let agf = AgfDisk::of_mut(bytes).map_err(|fault| fault.at(Place::at(header.addr)))?;
    Ok(edit(agf))
}

/// Edits the AGI of a locked AG.
pub(crate) fn edit_agi<R>(
    tx: &mut Tx<'_>,
    ag: AgNumber,
    edit: impl FnOnce(&mut AgiDisk) -> R,
) -> Result<R> {
    let header = tx.core.header(ag, BlockKind::Agi);
    let bytes = tx.stage(&header)?;
    let agi = AgiDisk::of_mut(bytes).map_err(|fault| fault.at(Place::at(header.addr)))?;
    Ok(edit(agi))
}

impl TreeBlocks for AgTree<'_, '_> {
    type Error = Error;

    fn root(&mut self) -> Result<Root<'_>> {
        let image = self.tx.read(&self.header())?;
        let (ptr, levels) = root_of(self.kind, &image).map_err(|fault| self.fault(fault))?;
        Ok(Root::Block { ptr: u64::from(ptr), levels })
    }

    fn set_root(&mut self, ptr: u64, levels: u32) -> Result<()> {
        let ptr = ptr as u32;
        let kind = self.kind;
        match header_kind(kind) {
            BlockKind::Agi => edit_agi(self.tx, self.ag, |agi| match kind {
                BtreeKind::Inobt => (agi.root.set(ptr), agi.level.set(levels)),
                _ => (agi.free_root.set(ptr), agi.free_level.set(levels)),
            }),
            _ => edit_agf(self.tx, self.ag, |agf| match kind {
                BtreeKind::Bnobt => (agf.bno_root.set(ptr), agf.bno_level.set(levels)),
                BtreeKind::Cntbt => (agf.cnt_root.set(ptr), agf.cnt_level.set(levels)),
                BtreeKind::Rmapbt => (agf.rmap_root.set(ptr), agf.rmap_level.set(levels)),
                _ => (agf.refcount_root.set(ptr), agf.refcount_level.set(levels)),
            }),
        }
        .map(|_| ())
    }

    fn stage_fork(&mut self) -> Result<&mut [u8]> {
        unreachable!("trees of an AG have their root in a block")
    }

    fn read(&mut self, ptr: u64) -> Result<Image> {
        self.tx.read(&block_ref(self.tx.core, self.ag, self.kind, ptr)?)
    }

    fn stage(&mut self, ptr: u64) -> Result<&mut [u8]> {
        let block = block_ref(self.tx.core, self.ag, self.kind, ptr)?;
        self.tx.stage(&block)
    }

    fn allocate(&mut self, near: Option<u64>, level: u16) -> Result<u64> {
        let block = match self.owner() {
            Some(owner) => {
                let near = near.map(|near| AgBlock(near as u32));
                let owner = |start| RmapRec::special(start, 1, owner);
                space::allocate_block(self.tx, self.ag, near, owner)?
            }
            None => freelist::pop(self.tx, self.ag)?,
        };
        self.count(1)?;
        let core = self.tx.core;
        let block_ref = core.ag_block(self.ag, block, self.kind.block_kind());
        let identity = Identity {
            geometry: &core.geometry,
            uuid: core.meta_uuid(),
            addr: block_ref.addr,
            owner: block_ref.owner,
            newest: None,
        };
        let bytes = self.tx.buffers_mut().create(&block_ref);
        btree::init(self.kind, bytes, level, &identity, u64::from(self.ag.0));
        Ok(u64::from(block.0))
    }

    fn free(&mut self, ptr: u64) -> Result<()> {
        let block_ref = block_ref(self.tx.core, self.ag, self.kind, ptr)?;
        self.tx.buffers_mut().cancel(&block_ref);
        self.count(-1)?;
        let block = AgBlock(ptr as u32);
        match self.owner() {
            Some(owner) => space::free_block(self.tx, self.ag, RmapRec::special(block, 1, owner)),
            None => freelist::push(self.tx, self.ag, block),
        }
    }

    fn corrupt(&self, ptr: Option<u64>, fault: Fault) -> Error {
        corrupt(self.tx.core, self.ag, ptr, fault)
    }
}

/// A published tree of an AG.
pub(crate) struct PublishedTree<'c> {
    core: &'c Core,
    ag: AgNumber,
    kind: BtreeKind,
}

impl TreeBlocks for PublishedTree<'_> {
    type Error = Error;

    fn root(&mut self) -> Result<Root<'_>> {
        let header = self.core.header(self.ag, header_kind(self.kind));
        let image = self.core.store.cache().read(&header)?;
        let root = root_of(self.kind, &image);
        let (ptr, levels) = root.map_err(|fault| corrupt(self.core, self.ag, None, fault))?;
        Ok(Root::Block { ptr: u64::from(ptr), levels })
    }

    fn set_root(&mut self, _ptr: u64, _levels: u32) -> Result<()> {
        unreachable!("published trees are not changed")
    }

    fn stage_fork(&mut self) -> Result<&mut [u8]> {
        unreachable!("published trees are not changed")
    }

    fn read(&mut self, ptr: u64) -> Result<Image> {
        let block = block_ref(self.core, self.ag, self.kind, ptr)?;
        Ok(self.core.store.cache().read(&block)?)
    }

    fn stage(&mut self, _ptr: u64) -> Result<&mut [u8]> {
        unreachable!("published trees are not changed")
    }

    fn allocate(&mut self, _near: Option<u64>, _level: u16) -> Result<u64> {
        unreachable!("published trees are not changed")
    }

    fn free(&mut self, _ptr: u64) -> Result<()> {
        unreachable!("published trees are not changed")
    }

    fn corrupt(&self, ptr: Option<u64>, fault: Fault) -> Error {
        corrupt(self.core, self.ag, ptr, fault)
    }
}
