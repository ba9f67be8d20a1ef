//! More names for what has one, and the first for what has none.

use super::entries::{
    Entry, add_name, demand_room_for_links, demand_usable, note_change, note_renamed,
};
use super::unlinked::unlink_from_chain;
use crate::core::Core;
use crate::error::{Error, Result};
use crate::inode::{Change, Inode, Sharing, core_of, demand_open};
use std::sync::Arc;
use untorn_format::inode::{FileKind, InodeCore, InodeFlags};

/// What the inode is expected to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Linked {
    /// Something with a name.
    Named,
    /// A file that was made without one.
    Unnamed,
}

/// Calls `inode` also `name` in `parent`.
pub(crate) fn link(
    core: &Arc<Core>,
    inode: &Arc<Inode>,
    parent: &Arc<Inode>,
    name: &[u8],
    what: Linked,
) -> Result<()> {
    let at = Entry { dir: parent.ino, name };
    // Nobody frees it meanwhile.
    let _free = match what {
        Linked::Unnamed => Some(inode.ranges.lock(0..u64::MAX, Sharing::Exclusive)),
        Linked::Named => None,
    };
    core.transact(64 * 1024, &[Arc::clone(inode), Arc::clone(parent)], |tx| {
        let ino = inode.ino;
        let directory = demand_usable(tx, parent.ino)?;
        demand_open(parent.ino, directory.flags, Change::Append)?;
        if at.find(tx)?.is_some() {
            return Err(Error::Exists(at.shown()));
        }
        let dinode = core_of(ino, tx.inode_bytes(ino))?;
        let kind = demand_linkable(inode, &dinode, what)?;
        demand_same_project(&directory, &dinode, at)?;
        if what == Linked::Unnamed {
            unlink_from_chain(tx, inode)?;
        }
        add_name(tx, at, ino, kind)?;
        note_change(tx, parent.ino, 0)?;
        note_renamed(tx, ino, 1)
    })?;
    Ok(())
}

fn demand_linkable(inode: &Inode, core: &InodeCore, what: Linked) -> Result<FileKind> {
    let gone = || Error::NotFound(format!("inode {}: its last name was removed", inode.ino));
    let kind = core.kind().ok_or_else(gone)?;
    if kind == FileKind::Directory {
        return Err(Error::IsDirectory(format!("inode {}", inode.ino)));
    }
    if (core.nlink == 0) != (what == Linked::Unnamed) {
        return Err(gone());
    }
    demand_open(inode.ino, core.flags, Change::Rewrite)?;
    demand_room_for_links(inode.ino, core)?;
    Ok(kind)
}

/// Refuses to bring `inode` into a directory that keeps its files in one project, another one, as
/// Linux does: special files without a project may come.
pub(super) fn demand_same_project(
    directory: &InodeCore,
    inode: &InodeCore,
    at: Entry<'_>,
) -> Result<()> {
    let kept = directory.flags.has(InodeFlags::PROJINHERIT);
    let special = inode.kind().is_some_and(FileKind::is_special);
    if !kept || directory.project == inode.project || special && inode.project == 0 {
        return Ok(());
    }
    let (name, from, to) = (at.shown(), inode.project, directory.project);
    Err(Error::CrossProject { name, from, to })
}
