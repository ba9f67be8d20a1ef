//! Making files and directories.

use super::forks::{DirTx, lookup_locked};
use crate::ag::allocate_inode;
use crate::clock::now;
use crate::core::Core;
use crate::dir;
use crate::error::{Error, Result};
use crate::inode::{Change, Inode, core_of, demand_open};
use crate::tx::Tx;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use untorn_format::dir::{FileType, NewEntry};
use untorn_format::inode::{
    FileKind, ForkFormat, InodeCore, InodeFlags, InodeFlags2, Timestamp, init_free,
};
use untorn_format::{AgNumber, Ino, Lsn};

const SET_GROUP: u16 = 0o2000;

/// What a new file or directory is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewInode {
    /// Regular file or directory.
    pub kind: FileKind,
    /// Permission bits.
    pub permissions: u16,
    /// Owner.
    pub uid: u32,
    /// Group, unless the directory hands down its own.
    pub gid: u32,
}

/// Makes a regular file or a directory called `name` in `parent`.
pub(crate) fn create(
    core: &Arc<Core>,
    parent: &Arc<Inode>,
    name: &[u8],
    new: NewInode,
) -> Result<Arc<Inode>> {
    let parents = std::slice::from_ref(parent);
    let (inode, _) = core.transact(64 * 1024, parents, |tx| create_in(tx, parent, name, new))?;
    Ok(inode)
}

/// The same as a part of a transaction that has locked `parent`.
pub(crate) fn create_in(
    tx: &mut Tx<'_>,
    parent: &Arc<Inode>,
    name: &[u8],
    new: NewInode,
) -> Result<Arc<Inode>> {
    refuse_parent_pointers(tx.core)?;
    let directory = core_of(parent.ino, tx.inode_bytes(parent.ino))?;
    if directory.nlink == 0 {
        return Err(Error::NotFound("the directory was removed".to_owned()));
    }
    demand_open(parent.ino, &directory, Change::Append)?;
    if lookup_locked(tx, parent.ino, name)?.is_some() {
        return Err(Error::Exists(String::from_utf8_lossy(name).into_owned()));
    }
    let ino = allocate_anywhere(tx, parent.ino, new.kind)?;
    let inode = begin_inode(tx, parent.ino, ino, new)?;
    if new.kind == FileKind::Directory {
        dir::init(&mut DirTx { tx, ino }, parent.ino)?;
    }
    let file_type = FileType::of_mode(new.kind.mode_bits());
    dir::add(&mut DirTx { tx, ino: parent.ino }, NewEntry { name, ino, file_type })?;
    note_change(tx, parent.ino, if new.kind == FileKind::Directory { 1 } else { 0 })?;
    Ok(inode)
}

/// Volumes whose files name their parents need an attribute with each name.
pub(super) fn refuse_parent_pointers(core: &Core) -> Result<()> {
    match core.features.has_parent() {
        false => Ok(()),
        true => Err(Error::Unsupported {
            what: "changing names on a volume with parent pointers".to_owned(),
            remedy: "change names on Linux; data of existing files can be written here".to_owned(),
        }),
    }
}

/// Times and links of a directory whose entries changed.
pub(super) fn note_change(tx: &mut Tx<'_>, ino: Ino, links: i32) -> Result<()> {
    let mut core = core_of(ino, tx.inode_bytes(ino))?;
    core.nlink = core.nlink.saturating_add_signed(links);
    (core.mtime, core.ctime) = (now(), now());
    core.change_count += 1;
    core.encode(tx.inode_mut(ino));
    Ok(())
}

/// A free inode: files beside their directory, directories spread over the AGs.
fn allocate_anywhere(tx: &mut Tx<'_>, parent: Ino, kind: FileKind) -> Result<Ino> {
    let count = tx.core.geometry.ag_count;
    let home = tx.core.geometry.split_ino(parent).map_or(0, |(ag, _)| ag.0);
    let first = match kind {
        FileKind::Directory => tx.core.next_ag.fetch_add(1, Ordering::Relaxed) as u32 % count,
        _ => home,
    };
    for ag in (0..count).map(|i| AgNumber((first + i) % count)) {
        match allocate_inode(tx, ag) {
            Err(Error::NoSpace { .. }) => {}
            other => return other,
        }
    }
    Err(Error::NoSpace { needed: tx.core.layout.chunk_blocks.into(), available: 0 })
}

/// Takes the new inode into the transaction with its first contents.
fn begin_inode(tx: &mut Tx<'_>, parent: Ino, ino: Ino, new: NewInode) -> Result<Arc<Inode>> {
    let parent = core_of(parent, tx.inode_bytes(parent))?;
    let home = tx.core.inode_home(ino)?;
    let mut bytes = vec![0; tx.core.geometry.inode_size()];
    let generation = now().nanos ^ (ino.0 as u32).rotate_left(16);
    init_free(&mut bytes, ino, tx.core.meta_uuid(), generation);
    let first = core_of(ino, &bytes)?;
    first_core(tx.core, &parent, first, new).encode(&mut bytes);
    let inode = Arc::new(Inode::new(ino, home, bytes.into()));
    // An earlier use of the number may have left a pointer at home.
    inode.note_unlinked();
    tx.adopt_inode(&inode)?;
    Ok(inode)
}

fn first_core(core: &Core, parent: &InodeCore, free: InodeCore, new: NewInode) -> InodeCore {
    let directory = new.kind == FileKind::Directory;
    let hands_down = parent.mode & SET_GROUP != 0;
    let set_group = if hands_down && directory { SET_GROUP } else { 0 };
    let time: Timestamp = now();
    let mut flags2 = InodeFlags2::default();
    if core.features.has_bigtime() {
        flags2 = flags2.with(InodeFlags2::BIGTIME);
    }
    if core.features.has_nrext64() {
        flags2 = flags2.with(InodeFlags2::NREXT64);
    }
    let mut inode = InodeCore {
        mode: new.kind.mode_bits() | new.permissions & 0o7777 | set_group,
        format: if directory { ForkFormat::Local } else { ForkFormat::Extents },
        attr_format: ForkFormat::Extents,
        uid: new.uid,
        gid: if hands_down { parent.gid } else { new.gid },
        nlink: if directory { 2 } else { 1 },
        flags2,
        atime: time,
        mtime: time,
        ctime: time,
        crtime: time,
        change_count: 1,
        lsn: Lsn::default(),
        ..free
    };
    inherit(parent, &mut inode, directory);
    inode
}

/// Flags that everything in a directory gets from it.
const HANDED_DOWN: [InodeFlags; 5] = [
    InodeFlags::SYNC,
    InodeFlags::NOATIME,
    InodeFlags::NODUMP,
    InodeFlags::NODEFRAG,
    InodeFlags::FILESTREAM,
];

/// Flags, hints and projects that directories hand down.
fn inherit(parent: &InodeCore, inode: &mut InodeCore, directory: bool) {
    for flag in HANDED_DOWN.into_iter().filter(|&flag| parent.flags.has(flag)) {
        inode.flags = inode.flags.with(flag);
    }
    if parent.flags.has(InodeFlags::PROJINHERIT) {
        inode.project = parent.project;
        if directory {
            inode.flags = inode.flags.with(InodeFlags::PROJINHERIT);
        }
    }
    if parent.flags.has(InodeFlags::EXTSZINHERIT) {
        let flag = if directory { InodeFlags::EXTSZINHERIT } else { InodeFlags::EXTSIZE };
        inode.flags = inode.flags.with(flag);
        inode.extent_size = parent.extent_size;
    }
    if parent.flags2.has(InodeFlags2::COWEXTSIZE) {
        inode.flags2 = inode.flags2.with(InodeFlags2::COWEXTSIZE);
        inode.cow_extent_size = parent.cow_extent_size;
    }
}
