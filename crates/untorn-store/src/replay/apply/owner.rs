//! Blocks of a fork's B+tree that change hands.
//!
//! Kernels before 6.10 exchanged the extents of two files by swapping the forks and logging that
//! every block of the tree is to be given the number of its new inode.

use super::Replay;
use crate::replay::error::RecoverError;
use std::sync::Arc;
use untorn_format::btree::{BtreeKind, LongHeader, root::Root};
use untorn_format::inode::{self, ForkFormat, InodeCore};
use untorn_format::log::InodeItem;
use untorn_format::wire::{be64, view_mut};
use untorn_format::{BlockKind, Fault, Fork, FsBlock, Ino, Lsn, Place};

/// A block of a tree and its level.
type TreeBlock = (FsBlock, u16);

impl Replay {
    /// Makes every block of the fork's tree the inode's own. An inode that is free, or whose fork
    /// is no tree any more, has none.
    pub(super) fn change_owner(
        &mut self,
        item: &InodeItem<'_>,
        fork: Fork,
    ) -> Result<(), RecoverError> {
        let at = |fault: Fault| fault.at(Place::inode(item.ino));
        let (root, blocks) = match self.tree(item, fork).map_err(|error| match error {
            Ok(fault) => RecoverError::from(at(fault)),
            Err(error) => error,
        })? {
            Some(tree) => tree,
            None => return Ok(()),
        };
        let below = root.level - 1;
        let mut queue: Vec<TreeBlock> = root.children.iter().map(|&(_, b)| (b, below)).collect();
        let mut left = blocks;
        while let Some(block) = queue.pop() {
            let rule = "the tree has more blocks than its inode";
            let looped = Fault::Order { what: "bmbt", rule, index: 0 };
            left = left.checked_sub(1).ok_or_else(|| at(looped))?;
            queue.extend(self.own_block(item.ino, block)?);
        }
        Ok(())
    }
    /// The root of the fork's tree and the blocks that the inode has in all.
    fn tree(
        &mut self,
        item: &InodeItem<'_>,
        fork: Fork,
    ) -> Result<Option<(Root, u64)>, Result<Fault, RecoverError>> {
        let sb = Arc::clone(&self.sb);
        let identity = sb.inode_identity(item.ino, None);
        let size = self.sb.geometry().inode_size();
        let held = self.blocks.read(item.cluster, item.cluster_blocks).map_err(Err)?;
        let inode = held.bytes.get(item.offset as usize..).and_then(|rest| rest.get(..size));
        let inode = inode.unwrap_or_default();
        let core = InodeCore::decode(inode, &identity).map_err(Ok)?;
        if core.mode == 0 || core.fork_format(fork) != ForkFormat::Btree {
            return Ok(None);
        }
        let bytes = match fork {
            Fork::Data => inode::data_fork(inode),
            Fork::Attr => inode::attr_fork(inode),
        };
        let root = bytes.and_then(Root::decode).map_err(Ok)?;
        Ok(Some((root, core.blocks)))
    }
    /// Makes one block of a tree the inode's own and returns its children. A block that is none yet
    /// (the inode may be newer than the transaction) will be replayed with its owner.
    fn own_block(
        &mut self,
        ino: Ino,
        (block, level): TreeBlock,
    ) -> Result<Vec<TreeBlock>, RecoverError> {
        const TREE: BtreeKind = BtreeKind::Bmbt;
        let geometry = self.sb.geometry();
        let outside = || Fault::Position { what: "bmbt block", found: block.0 };
        let addr = geometry.addr_of(block).ok_or_else(|| outside().at(Place::inode(ino)))?;
        let held = self.blocks.read(addr, geometry.sectors_per_block() as u32)?;
        let size = held.bytes.len();
        let header = view_mut::<LongHeader>(TREE.name(), &mut held.bytes)
            .map_err(|fault| fault.at(Place::at(addr)))?;
        if header.magic.get() != TREE.magic() || header.level.get() != level {
            return Ok(Vec::new());
        }
        let (count, lsn) = (usize::from(header.numrecs.get()), Lsn(header.lsn.get()));
        if header.owner.get() != ino.0 {
            header.owner.set(ino.0);
            held.change(Some(BlockKind::Bmbt), held.changed().unwrap_or(lsn));
        }
        let count = if level == 0 { 0 } else { count.min(TREE.max_records(size, level)) };
        let child = |index| be64(&held.bytes, TREE.pointer_offset(size, index)).map(FsBlock);
        Ok((0..count).filter_map(child).map(|block| (block, level - 1)).collect())
    }
}
