//! Removing names. What loses its last name goes onto an unlinked chain in the same transaction and
//! is freed afterwards.

use super::create::{note_change, refuse_parent_pointers};
use super::forks::{DirTx, lookup_locked};
use super::unlinked::{inactivate, link_to_chain};
use crate::clock::now;
use crate::core::Core;
use crate::dir;
use crate::error::{Error, Result};
use crate::inode::{Change, Inode, core_of, demand_open};
use crate::tx::Tx;
use std::sync::Arc;
use untorn_format::inode::FileKind;

/// Removes the entry `name` of `parent`: anything but a directory that has entries.
pub(crate) fn remove(core: &Arc<Core>, parent: &Arc<Inode>, name: &[u8]) -> Result<()> {
    refuse_parent_pointers(core)?;
    let (victim, _) = core.transact(64 * 1024, std::slice::from_ref(parent), |tx| {
        let shown = || String::from_utf8_lossy(name).into_owned();
        let found = lookup_locked(tx, parent.ino, name)?;
        let ino = found.ok_or_else(|| Error::NotFound(shown()))?.ino;
        let victim = core.inodes.load(core, ino)?;
        tx.lock_inode(&victim)?;
        let of = |tx: &Tx<'_>, ino| core_of(ino, tx.inode_bytes(ino));
        demand_open(parent.ino, &of(tx, parent.ino)?, Change::Rewrite)?;
        let core = of(tx, ino)?;
        demand_open(ino, &core, Change::Rewrite)?;
        let directory = core.kind() == Some(FileKind::Directory);
        if directory && !dir::is_empty(&mut DirTx { tx, ino })? {
            return Err(Error::NotEmpty(shown()));
        }
        dir::remove(&mut DirTx { tx, ino: parent.ino }, name)?;
        note_change(tx, parent.ino, if directory { -1 } else { 0 })?;
        let last = drop_link(tx, &victim, directory)?;
        Ok(last.then_some(victim))
    })?;
    victim.map_or(Ok(()), |victim| inactivate(core, &victim))
}

/// One name fewer for an inode; a directory loses its own `.` with it. Whether that was the last.
fn drop_link(tx: &mut Tx<'_>, inode: &Arc<Inode>, directory: bool) -> Result<bool> {
    let ino = inode.ino;
    let mut core = core_of(ino, tx.inode_bytes(ino))?;
    core.nlink = if directory { 0 } else { core.nlink.saturating_sub(1) };
    core.ctime = now();
    core.change_count += 1;
    core.encode(tx.inode_mut(ino));
    if core.nlink == 0 {
        link_to_chain(tx, inode)?;
    }
    Ok(core.nlink == 0)
}
