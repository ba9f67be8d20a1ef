//! Removing names. What loses its last name goes onto an unlinked chain in the same transaction and
//! is freed afterwards.

use super::dir_fork::DirTx;
use super::entries::{Entry, Left, demand_usable, drop_link, note_change, take_name};
use crate::core::Core;
use crate::dir;
use crate::error::{Error, Result};
use crate::inode::{Change, Inode, core_of, demand_open};
use std::sync::Arc;
use untorn_format::inode::FileKind;

/// What a caller means to remove.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    /// Whatever it is.
    Any,
    /// A directory.
    Directory,
    /// Anything else.
    NoDirectory,
}

/// Removes the entry `name` of `parent`: anything but a directory that has entries. What no name
/// leads to any more, for the caller to free.
pub(crate) fn remove(
    core: &Arc<Core>,
    parent: &Arc<Inode>,
    name: &[u8],
    what: Removal,
) -> Result<Option<Arc<Inode>>> {
    let at = Entry { dir: parent.ino, name };
    let (victim, _) = core.transact(64 * 1024, std::slice::from_ref(parent), |tx| {
        let directory = demand_usable(tx, parent.ino)?;
        let ino = at.find(tx)?.ok_or_else(|| Error::NotFound(at.shown()))?.ino;
        let victim = core.inodes.load(core, ino)?;
        tx.lock_inode(&victim)?;
        demand_open(parent.ino, directory.flags, Change::Rewrite)?;
        let dinode = core_of(ino, tx.inode_bytes(ino))?;
        demand_open(ino, dinode.flags, Change::Rewrite)?;
        let is_directory = dinode.kind() == Some(FileKind::Directory);
        match (is_directory, what) {
            (true, Removal::NoDirectory) => return Err(Error::IsDirectory(at.shown())),
            (false, Removal::Directory) => return Err(Error::NotDirectory(at.shown())),
            (true, _) if !dir::is_empty(&mut DirTx { tx, ino })? => {
                return Err(Error::NotEmpty(at.shown()));
            }
            _ => {}
        }
        take_name(tx, at, ino)?;
        note_change(tx, parent.ino, if is_directory { -1 } else { 0 })?;
        let left = drop_link(tx, &victim)?;
        Ok((left == Left::Nothing).then_some(victim))
    })?;
    Ok(victim)
}
