//! Letting go of a file's blocks.

use super::cancel::Journaled;
use super::space::first_batch;
use crate::ag::{Users, is_any_free, prepare_contents, release};
use crate::core::Core;
use crate::error::{Error, Result};
use crate::inode::{Inode, core_of};
use crate::map;
use crate::tx::Tx;
use std::sync::Arc;
use untorn_format::attr::leaf_edit;
use untorn_format::da::{Birth, kind_of};
use untorn_format::records::{Extent, Fork};
use untorn_format::{BlockKind, Fault, FileBlock, Place};
use untorn_store::BlockRef;

/// Extents that a transaction lets go of at most; fewer where the journal is too small for them.
const MOST: usize = 512;

/// Frees all blocks of both forks of an inode that nobody can reach any more, from the end, in
/// transactions of bounded size. A crash between them leaves a shorter file on its unlinked list.
pub(crate) fn discard_contents(core: &Arc<Core>, inode: &Arc<Inode>) -> Result<()> {
    let mut most = MOST.min(first_batch(core));
    for fork in [Fork::Data, Fork::Attr] {
        loop {
            match discard_some(core, inode, fork, most) {
                Ok(true) => {}
                Ok(false) => break,
                Err(Error::TooLarge { .. }) if most > 1 => most = most.div_ceil(4),
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}

/// Frees up to `most` extents of a fork; whether there may be more.
fn discard_some(core: &Arc<Core>, inode: &Arc<Inode>, fork: Fork, most: usize) -> Result<bool> {
    use untorn_format::inode::ForkFormat;
    let extents = inode.core()?.fork_extents(fork).min(most as u64);
    let bytes = 16 * 1024 + 512 * extents;
    let (more, _) = core.transact(bytes, std::slice::from_ref(inode), |tx| {
        let before = core_of(inode.ino, tx.inode_bytes(inode.ino))?;
        let mapped = matches!(before.fork_format(fork), ForkFormat::Extents | ForkFormat::Btree);
        if !mapped || (fork == Fork::Attr && !before.has_attr_fork()) {
            return Ok(false);
        }
        let users = match fork {
            Fork::Data if before.is_reflink() => Users::Several,
            _ => Users::One,
        };
        let journaled = Journaled::of(tx, &before, fork);
        let mut freed = 0;
        while freed < most {
            let Some(last) = map::last_extent(tx, inode.ino, fork)? else { return Ok(false) };
            let last = journaled.last_part(last);
            journaled.cancel(tx, inode.ino, last)?;
            discard_extent(tx, inode, fork, last, users)?;
            freed += 1;
        }
        if fork == Fork::Attr {
            empty_the_index(tx, inode)?;
        }
        Ok(true)
    })?;
    Ok(more)
}

/// Puts an empty leaf in place of the root of the attributes: what frees the rest of the fork after
/// a crash may be Linux, which goes through the index and stops where a block of it is gone.
///
/// On a damaged volume a block that does not say that it is this root may be anybody's, and stays
/// as it is. One that is free may become anybody's before what the journal has of it is home.
fn empty_the_index(tx: &mut Tx<'_>, inode: &Inode) -> Result<()> {
    let first = map::next_extent(tx, inode.ino, Fork::Attr, FileBlock(0))?;
    let Some(first) = first.filter(|extent| extent.file == FileBlock(0)) else { return Ok(()) };
    let damage = |field| {
        let fault = Fault::Field { what: "extent", field, value: first.start.0 };
        Error::from(fault.at(Place::inode(inode.ino)))
    };
    let run = tx.core.ag_extent(first.start, 1)?;
    let root = tx.core.file_block(first.start, BlockKind::DaNode, inode.ino.0);
    let root = root.ok_or_else(|| damage("br_startblock"))?;
    match tx.core.store.cache().read(&root).map_err(Error::from) {
        Ok(image) if matches!(kind_of(&image), Some(BlockKind::DaNode | BlockKind::AttrLeaf)) => {}
        Ok(_) | Err(Error::Corrupt(_)) => return Ok(()),
        Err(error) => return Err(error),
    }
    prepare_contents(tx, run.ag)?;
    if is_any_free(tx, run)? {
        return Err(damage("block that is free"));
    }
    let leaf = BlockRef { kind: BlockKind::AttrLeaf, ..root };
    let birth = Birth { uuid: tx.core.meta_uuid(), addr: leaf.addr, owner: inode.ino };
    leaf_edit::init(tx.stage(&leaf)?, &birth);
    Ok(())
}

fn discard_extent(
    tx: &mut Tx<'_>,
    inode: &Inode,
    fork: Fork,
    extent: Extent,
    users: Users,
) -> Result<()> {
    let run = tx.core.ag_extent(extent.start, extent.length)?;
    map::unmap(tx, inode.ino, fork, extent.file..FileBlock(extent.file_end().0))?;
    release(tx, run, users)
}
