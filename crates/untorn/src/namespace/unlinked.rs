//! Inodes without names: onto their chain, off it, and free at last.

use crate::ag::{free_inode, unlinked};
use crate::core::Core;
use crate::error::{Error, Result};
use crate::inode::{Inode, Sharing, core_of};
use crate::io::{discard_contents, give_up};
use crate::tx::Tx;
use std::collections::HashSet;
use std::sync::Arc;
use untorn_format::ag::Agi;
use untorn_format::inode::{ForkFormat, InodeFlags, InodeFlags2};
use untorn_format::{AgIno, AgNumber, Fault, Ino, Place};

/// Puts a locked inode at the head of its chain.
pub(super) fn link_to_chain(tx: &mut Tx<'_>, inode: &Arc<Inode>) -> Result<()> {
    let (_, in_ag) = split(tx.core, inode.ino)?;
    let next = unlinked::set_first(tx, inode.ino, Some(in_ag))?;
    set_next(tx, inode.ino, next)
}

fn split(core: &Core, ino: Ino) -> Result<(AgNumber, AgIno)> {
    core.geometry.split_ino(ino).ok_or_else(|| {
        Fault::Field { what: "inode", field: "di_ino", value: ino.0 }.at(Place::inode(ino)).into()
    })
}

fn set_next(tx: &mut Tx<'_>, ino: Ino, next: Option<AgIno>) -> Result<()> {
    let mut core = core_of(ino, tx.inode_bytes(ino))?;
    core.next_unlinked = next;
    core.encode(tx.inode_mut(ino));
    tx.handle(ino).note_unlinked();
    Ok(())
}

/// Takes a locked inode off its chain, wherever it stands there.
pub(super) fn unlink_from_chain(tx: &mut Tx<'_>, inode: &Arc<Inode>) -> Result<()> {
    let (ag, in_ag) = split(tx.core, inode.ino)?;
    let next = core_of(inode.ino, tx.inode_bytes(inode.ino))?.next_unlinked;
    crate::ag::prepare(tx, ag)?;
    let first = unlinked::first(tx, ag, Agi::bucket_of(in_ag))?;
    if first == Some(in_ag) {
        unlinked::set_first(tx, inode.ino, next)?;
    } else {
        let before = before(tx, ag, in_ag, first)?;
        let handle = tx.core.inodes.load(tx.core, before)?;
        tx.lock_inode(&handle)?;
        set_next(tx, before, next)?;
    }
    set_next(tx, inode.ino, None)
}

/// The inode that stands before `wanted` on a chain.
fn before(tx: &mut Tx<'_>, ag: AgNumber, wanted: AgIno, first: Option<AgIno>) -> Result<Ino> {
    let broken = |value: u32| {
        let fault = Fault::Field { what: "unlinked chain", field: "next", value: value.into() };
        Error::from(fault.at(Place { ag: Some(ag), ..Place::default() }))
    };
    let mut at = first;
    let mut seen = HashSet::new();
    while at.is_some_and(|at| seen.insert(at)) {
        let ino = tx.core.geometry.ino(ag, at.ok_or_else(|| broken(wanted.0))?);
        let handle = tx.core.inodes.load(tx.core, ino)?;
        // Only inodes on chains of this AG are looked at, and chains change under its lock.
        let next = handle.core()?.next_unlinked;
        if next == Some(wanted) {
            return Ok(ino);
        }
        at = next;
    }
    Err(broken(wanted.0))
}

/// Frees an inode that is on an unlinked chain, and all that it has. One that got a name, or that
/// is free already, stays as it is.
pub(crate) fn inactivate(core: &Arc<Core>, inode: &Arc<Inode>) -> Result<()> {
    // Whoever reads or writes the file ends first; afterwards it is no file any more.
    let _all = inode.ranges.lock(0..u64::MAX, Sharing::Exclusive);
    let dinode = inode.core()?;
    if dinode.nlink > 0 || dinode.mode == 0 {
        return Ok(());
    }
    give_up(core, inode);
    discard_contents(core, inode)?;
    core.transact(32 * 1024, std::slice::from_ref(inode), |tx| {
        unlink_from_chain(tx, inode)?;
        make_free(tx, inode.ino)?;
        free_inode(tx, inode.ino)
    })?;
    Ok(())
}

/// The bytes of an inode that nobody uses.
fn make_free(tx: &mut Tx<'_>, ino: Ino) -> Result<()> {
    let mut core = core_of(ino, tx.inode_bytes(ino))?;
    if core.blocks != 0 {
        let fault = Fault::Field { what: "inode", field: "di_nblocks", value: core.blocks };
        return Err(fault.at(Place::inode(ino)).into());
    }
    core.mode = 0;
    core.nlink = 0;
    core.size = 0;
    core.flags = InodeFlags::default();
    let kept = InodeFlags2::BIGTIME.with(InodeFlags2::NREXT64);
    core.flags2 = InodeFlags2(core.flags2.0 & kept.0);
    (core.extent_size, core.cow_extent_size) = (0, 0);
    (core.format, core.attr_format) = (ForkFormat::Extents, ForkFormat::Extents);
    (core.extents, core.attr_extents) = (0, 0);
    core.fork_offset = 0;
    core.generation = core.generation.wrapping_add(1);
    core.count_change();
    let bytes = tx.inode_mut(ino);
    core.encode(bytes);
    bytes[untorn_format::inode::CORE_SIZE..].fill(0);
    Ok(())
}
