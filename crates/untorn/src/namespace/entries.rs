//! Names of directories inside transactions, with all that hangs on them: parent pointers, links,
//! times.
//!
//! The caller has locked the directory and the inodes that are named.

use super::dir_fork::DirTx;
use super::forks::lookup_locked;
use super::unlinked::link_to_chain;
use crate::attr::{self, Key, NewValue, Outcome, SetMode};
use crate::dir::{self, Found};
use crate::error::{Error, Result};
use crate::inode::{Inode, core_of};
use crate::tx::Tx;
use std::sync::Arc;
use untorn_format::attr::Namespace;
use untorn_format::dir::{FileType, NewEntry};
use untorn_format::inode::{FileKind, InodeCore};
use untorn_format::{Fault, Ino, Place, parent};

/// Most links of an inode (`XFS_MAXLINK`).
const MAX_LINKS: u32 = i32::MAX as u32;

/// A name in a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry<'a> {
    pub dir: Ino,
    pub name: &'a [u8],
}

impl Entry<'_> {
    /// The name as errors show it.
    pub fn shown(&self) -> String {
        String::from_utf8_lossy(self.name).into_owned()
    }

    /// What it names.
    pub fn find(&self, tx: &mut Tx<'_>) -> Result<Option<Found>> {
        lookup_locked(tx, self.dir, self.name)
    }
}

/// The core of a locked directory that can get and lose names: one that is still there.
pub(super) fn demand_usable(tx: &Tx<'_>, dir: Ino) -> Result<InodeCore> {
    let core = core_of(dir, tx.inode_bytes(dir))?;
    match core.kind() {
        Some(FileKind::Directory) if core.nlink > 0 => Ok(core),
        None | Some(FileKind::Directory) => {
            Err(Error::NotFound(format!("directory {dir} was removed")))
        }
        _ => Err(Error::NotDirectory(format!("inode {dir}"))),
    }
}

/// Refuses another link to an inode that has as many as can be counted.
pub(super) fn demand_room_for_links(ino: Ino, core: &InodeCore) -> Result<()> {
    match core.nlink < MAX_LINKS {
        true => Ok(()),
        false => Err(Error::TooManyLinks(format!("inode {ino}"))),
    }
}

/// Adds a name that is not there.
pub(super) fn add_name(tx: &mut Tx<'_>, at: Entry<'_>, ino: Ino, kind: FileKind) -> Result<()> {
    let file_type = FileType::of_mode(kind.mode_bits());
    let Entry { dir, name } = at;
    dir::add(&mut DirTx { tx, ino: dir }, NewEntry { name, ino, file_type })?;
    tx.note_name(dir, name, Found { ino, file_type });
    point_up(tx, at, ino)
}

/// Takes away a name of `ino`.
pub(super) fn take_name(tx: &mut Tx<'_>, at: Entry<'_>, ino: Ino) -> Result<()> {
    tx.forget_name(at.dir, at.name);
    let removed = dir::remove(&mut DirTx { tx, ino: at.dir }, at.name)?;
    demand_was(at, removed, ino)?;
    point_up_no_more(tx, at, ino)
}

/// Makes a name of `from` one of `to`.
pub(super) fn turn_name(
    tx: &mut Tx<'_>,
    at: Entry<'_>,
    from: Ino,
    (to, kind): (Ino, FileKind),
) -> Result<()> {
    let file_type = FileType::of_mode(kind.mode_bits());
    tx.forget_name(at.dir, at.name);
    let was = dir::replace(&mut DirTx { tx, ino: at.dir }, at.name, to, file_type)?;
    tx.note_name(at.dir, at.name, Found { ino: to, file_type });
    demand_was(at, was, from)?;
    point_up_no_more(tx, at, from)?;
    point_up(tx, at, to)
}

/// Makes `..` of the directory `ino` name `parent`.
pub(super) fn set_parent(tx: &mut Tx<'_>, ino: Ino, parent: Ino) -> Result<()> {
    let was = dir::replace(&mut DirTx { tx, ino }, b"..", parent, FileType::Directory)?;
    match was {
        Some(_) => Ok(()),
        None => Err(corrupt(ino, "directory without ..", ino.0)),
    }
}

fn demand_was(at: Entry<'_>, was: Option<Ino>, ino: Ino) -> Result<()> {
    match was == Some(ino) {
        true => Ok(()),
        false => Err(corrupt(at.dir, "name that leads elsewhere", was.map_or(0, |was| was.0))),
    }
}

fn corrupt(ino: Ino, field: &'static str, value: u64) -> Error {
    Fault::Field { what: "directory", field, value }.at(Place::inode(ino)).into()
}

/// The value of a pointer to the directory of `at`.
fn pointer(tx: &Tx<'_>, at: Entry<'_>) -> Result<[u8; parent::VALUE_SIZE]> {
    let generation = core_of(at.dir, tx.inode_bytes(at.dir))?.generation;
    Ok(parent::encode_value(at.dir, generation))
}

/// Notes with `ino` that `at` names it, on volumes that keep that.
fn point_up(tx: &mut Tx<'_>, at: Entry<'_>, ino: Ino) -> Result<()> {
    use super::attr_fork::AttrTx;
    if !tx.core.features.has_parent() {
        return Ok(());
    }
    let value = pointer(tx, at)?;
    let key = Key { namespace: Namespace::Parent, name: at.name, pointer: &value };
    let mut fork = AttrTx::new(tx, ino, &[]);
    match attr::set(&mut fork, key, NewValue::Local(&value), SetMode::Create)? {
        Outcome::Done => Ok(()),
        _ => Err(corrupt(ino, "parent pointer of a name that was not there", at.dir.0)),
    }
}

/// Forgets that `at` names `ino`.
fn point_up_no_more(tx: &mut Tx<'_>, at: Entry<'_>, ino: Ino) -> Result<()> {
    use super::attr_fork::AttrTx;
    if !tx.core.features.has_parent() {
        return Ok(());
    }
    let value = pointer(tx, at)?;
    let key = Key { namespace: Namespace::Parent, name: at.name, pointer: &value };
    match attr::remove(&mut AttrTx::new(tx, ino, &[]), key)? {
        Outcome::Done => Ok(()),
        _ => Err(corrupt(ino, "name without its parent pointer", at.dir.0)),
    }
}

/// Times and links of a directory whose entries changed.
pub(super) fn note_change(tx: &mut Tx<'_>, ino: Ino, links: i32) -> Result<()> {
    let mut core = core_of(ino, tx.inode_bytes(ino))?;
    core.nlink = core.nlink.saturating_add_signed(links);
    core.mtime = tx.core.clock.now();
    core.ctime = core.mtime;
    core.count_change();
    core.encode(tx.inode_mut(ino));
    Ok(())
}

/// Gives an inode whose names changed `links` more and the time.
pub(super) fn note_renamed(tx: &mut Tx<'_>, ino: Ino, links: i32) -> Result<()> {
    let mut core = core_of(ino, tx.inode_bytes(ino))?;
    core.nlink = core.nlink.saturating_add_signed(links);
    core.ctime = tx.core.clock.now();
    core.count_change();
    core.encode(tx.inode_mut(ino));
    Ok(())
}

/// What became of an inode that lost a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Left {
    /// Others lead to it.
    Names,
    /// None: it stands on its unlinked chain.
    Nothing,
}

/// One name fewer for an inode; a directory loses its own `.` with it.
pub(super) fn drop_link(tx: &mut Tx<'_>, inode: &Arc<Inode>) -> Result<Left> {
    let ino = inode.ino;
    let mut core = core_of(ino, tx.inode_bytes(ino))?;
    let directory = core.kind() == Some(FileKind::Directory);
    core.nlink = if directory { 0 } else { core.nlink.saturating_sub(1) };
    core.ctime = tx.core.clock.now();
    core.count_change();
    core.encode(tx.inode_mut(ino));
    if core.nlink > 0 {
        return Ok(Left::Names);
    }
    link_to_chain(tx, inode)?;
    Ok(Left::Nothing)
}
