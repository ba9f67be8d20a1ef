//! The B+tree of a fork as the generic tree sees it: the root in the inode, blocks from any AG.

use crate::ag::{allocate_block, free_block, prepare};
use crate::btree::{Image, Root, TreeBlocks};
use crate::core::Core;
use crate::error::{Error, Result};
use crate::inode::core_of;
use crate::tx::Tx;
use untorn_format::btree::{self, BtreeKind};
use untorn_format::inode;
use untorn_format::kind::Identity;
use untorn_format::records::{ExtentState, Fork, RmapOwner, RmapRec, RmapRole};
use untorn_format::{AgBlock, AgNumber, BlockKind, Fault, FileBlock, FsBlock, Ino, Place};
use untorn_store::BlockRef;

fn slice(image: &[u8], fork: Fork) -> std::result::Result<&[u8], Fault> {
    match fork {
        Fork::Data => inode::data_fork(image),
        Fork::Attr => inode::attr_fork(image),
    }
}

fn corrupt(core: &Core, ino: Ino, ptr: Option<u64>, fault: Fault) -> Error {
    let addr = ptr.and_then(|ptr| core.geometry.addr_of(FsBlock(ptr)));
    fault.at(Place { ino: Some(ino), addr, ..Place::default() }).into()
}

fn block_ref(core: &Core, ino: Ino, ptr: u64) -> Result<BlockRef> {
    core.file_block(FsBlock(ptr), BlockKind::Bmbt, ino.0).ok_or_else(|| {
        let what = BtreeKind::Bmbt.name();
        corrupt(core, ino, None, Fault::Field { what, field: "pointer", value: ptr })
    })
}

/// The reverse mapping of a block of a fork's B+tree.
fn owner_of_block(ino: Ino, fork: Fork, block: AgBlock) -> RmapRec {
    RmapRec {
        start: block,
        length: 1,
        owner: RmapOwner::Inode(ino),
        offset: FileBlock(0),
        fork,
        role: RmapRole::BmbtBlock,
        state: ExtentState::Written,
    }
}

/// A fork's B+tree inside a transaction that has locked the inode.
pub(crate) struct ForkTree<'a, 'c> {
    pub tx: &'a mut Tx<'c>,
    pub ino: Ino,
    pub fork: Fork,
}

impl ForkTree<'_, '_> {
    fn fault(&self, fault: Fault) -> Error {
        corrupt(self.tx.core, self.ino, None, fault)
    }

    /// Adds to the inode's count of blocks.
    fn count(&mut self, change: i64) -> Result<()> {
        let mut core = core_of(self.ino, &self.tx.inode(self.ino))?;
        core.blocks = core.blocks.saturating_add_signed(change);
        core.encode(self.tx.inode_mut(self.ino));
        Ok(())
    }

    /// A block near `near`, in another AG if there is none.
    fn allocate_anywhere(&mut self, near: Option<u64>) -> Result<FsBlock> {
        let core = self.tx.core;
        let (ino, fork) = (self.ino, self.fork);
        let near = near.map(FsBlock).and_then(|near| core.geometry.split(near));
        let home = core.geometry.split_ino(ino).map_or(AgNumber(0), |(ag, _)| ag);
        let first = near.map_or(home, |(ag, _)| ag);
        let count = core.geometry.ag_count;
        let held = self.tx.held_ags();
        let others = (0..count).map(|i| AgNumber((first.0 + i) % count));
        for ag in std::iter::once(first).chain(held).chain(others) {
            prepare(self.tx, ag)?;
            let goal = near.filter(|&(a, _)| a == ag).map(|(_, block)| block);
            match allocate_block(self.tx, ag, goal, |block| owner_of_block(ino, fork, block)) {
                Ok(block) => return Ok(core.geometry.fs_block(ag, block)),
                Err(Error::NoSpace { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Err(Error::NoSpace { needed: 1, available: 0 })
    }
}

impl TreeBlocks for ForkTree<'_, '_> {
    type Error = Error;

    fn root(&mut self) -> Result<Root<'_>> {
        let core = self.tx.core;
        let bytes = slice(self.tx.inode_bytes(self.ino), self.fork);
        Ok(Root::Fork(bytes.map_err(|fault| corrupt(core, self.ino, None, fault))?))
    }

    fn set_root(&mut self, _ptr: u64, _levels: u32) -> Result<()> {
        unreachable!("the root of a fork's tree stays in the inode")
    }

    fn stage_fork(&mut self) -> Result<&mut [u8]> {
        self.tx.met.forget(self.ino, self.fork);
        let core = self.tx.core;
        let (ino, fork) = (self.ino, self.fork);
        let bytes = self.tx.inode_mut(ino);
        let bytes = match fork {
            Fork::Data => inode::data_fork_mut(bytes),
            Fork::Attr => inode::attr_fork_mut(bytes),
        };
        bytes.map_err(|fault| corrupt(core, ino, None, fault))
    }

    fn read(&mut self, ptr: u64) -> Result<Image> {
        self.tx.read(&block_ref(self.tx.core, self.ino, ptr)?)
    }

    fn stage(&mut self, ptr: u64) -> Result<&mut [u8]> {
        self.tx.met.forget(self.ino, self.fork);
        let block = block_ref(self.tx.core, self.ino, ptr)?;
        self.tx.stage(&block)
    }

    fn allocate(&mut self, near: Option<u64>, level: u16) -> Result<u64> {
        self.tx.met.forget(self.ino, self.fork);
        let block = self.allocate_anywhere(near)?;
        self.count(1)?;
        let core = self.tx.core;
        let block_ref = block_ref(core, self.ino, block.0)?;
        let identity = Identity {
            geometry: &core.geometry,
            uuid: core.meta_uuid(),
            addr: block_ref.addr,
            owner: block_ref.owner,
            newest: None,
        };
        let bytes = self.tx.buffers_mut().create(&block_ref);
        btree::init(BtreeKind::Bmbt, bytes, level, &identity, self.ino.0);
        Ok(block.0)
    }

    fn free(&mut self, ptr: u64) -> Result<()> {
        self.tx.met.forget(self.ino, self.fork);
        let block_ref = block_ref(self.tx.core, self.ino, ptr)?;
        let outside = Fault::Field { what: "bmbt", field: "pointer", value: ptr };
        let (ag, block) =
            self.tx.core.geometry.split(FsBlock(ptr)).ok_or_else(|| self.fault(outside))?;
        self.tx.buffers_mut().cancel(&block_ref);
        prepare(self.tx, ag)?;
        free_block(self.tx, ag, owner_of_block(self.ino, self.fork, block))?;
        self.count(-1)
    }

    fn corrupt(&self, ptr: Option<u64>, fault: Fault) -> Error {
        corrupt(self.tx.core, self.ino, ptr, fault)
    }
}

/// The published B+tree of a fork, for a reader that holds the inode's owner lock.
pub(crate) struct PublishedFork<'c> {
    pub core: &'c Core,
    pub ino: Ino,
    pub fork: Fork,
    pub image: Image,
}

impl TreeBlocks for PublishedFork<'_> {
    type Error = Error;

    fn root(&mut self) -> Result<Root<'_>> {
        let bytes = slice(&self.image, self.fork);
        Ok(Root::Fork(bytes.map_err(|fault| corrupt(self.core, self.ino, None, fault))?))
    }

    fn set_root(&mut self, _ptr: u64, _levels: u32) -> Result<()> {
        unreachable!("published trees are not changed")
    }

    fn stage_fork(&mut self) -> Result<&mut [u8]> {
        unreachable!("published trees are not changed")
    }

    fn read(&mut self, ptr: u64) -> Result<Image> {
        let block = block_ref(self.core, self.ino, ptr)?;
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
        corrupt(self.core, self.ino, ptr, fault)
    }
}
