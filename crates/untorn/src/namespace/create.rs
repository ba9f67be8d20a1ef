//! Making inodes, with a name or without.

use super::dir_fork::DirTx;
use super::entries::{Entry, add_name, demand_room_for_links, demand_usable, note_change};
use super::forks::lookup_locked;
use super::inherit::{FirstCore, hand_down_acls};
use super::target::set_target;
use super::unlinked::link_to_chain;
use crate::ag::allocate_inode;
use crate::core::Core;
use crate::dir;
use crate::error::{Error, Result};
use crate::inode::{Change, Inode, core_of, demand_open};
use crate::tx::Tx;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use untorn_format::inode::{FileKind, InodeCore, InodeFlags, data_fork_mut, init_free};
use untorn_format::{AgNumber, Ino, Place, symlink};

/// Largest major and minor number that both Linux and an inode can hold.
const DEVICE_LIMITS: (u32, u32) = (0xfff, 0x3_ffff);

/// What is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Make<'a> {
    /// An empty regular file.
    File,
    /// An empty directory.
    Directory,
    /// A symbolic link to this target of 1 to 1023 bytes.
    Symlink(&'a [u8]),
    /// A named pipe.
    Fifo,
    /// A socket.
    Socket,
    /// A character device of this major and minor number.
    CharDevice(u32, u32),
    /// A block device of this major and minor number.
    BlockDevice(u32, u32),
}

impl Make<'_> {
    /// What that will be.
    pub fn kind(&self) -> FileKind {
        match self {
            Self::File => FileKind::Regular,
            Self::Directory => FileKind::Directory,
            Self::Symlink(_) => FileKind::Symlink,
            Self::Fifo => FileKind::Fifo,
            Self::Socket => FileKind::Socket,
            Self::CharDevice(..) => FileKind::CharDevice,
            Self::BlockDevice(..) => FileKind::BlockDevice,
        }
    }

    /// The number in the data fork of a special file; `None` for the others.
    fn device(&self) -> Option<u32> {
        match *self {
            Self::CharDevice(major, minor) | Self::BlockDevice(major, minor) => {
                Some(major << 18 | minor)
            }
            Self::Fifo | Self::Socket => Some(0),
            Self::File | Self::Directory | Self::Symlink(_) => None,
        }
    }

    fn demand_legal(&self) -> Result<()> {
        match *self {
            Self::Symlink(target) => symlink::verify_target(target).map_err(|_| {
                Error::Invalid(format!(
                    "a symbolic link's target has 1 to {} bytes and no zero byte, this one has {}",
                    symlink::MAX_TARGET,
                    target.len()
                ))
            }),
            Self::CharDevice(major, minor) | Self::BlockDevice(major, minor)
                if major > DEVICE_LIMITS.0 || minor > DEVICE_LIMITS.1 =>
            {
                let (most_major, most_minor) = DEVICE_LIMITS;
                Err(Error::Invalid(format!(
                    "device {major}:{minor}: numbers go up to {most_major}:{most_minor}"
                )))
            }
            _ => Ok(()),
        }
    }
}

/// What a new inode is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewInode<'a> {
    pub what: Make<'a>,
    /// Permission bits.
    pub permissions: u16,
    /// Owner.
    pub uid: u32,
    /// Group, unless the directory hands down its own.
    pub gid: u32,
}

/// Makes what is called `name` in `parent`.
pub(crate) fn create(
    core: &Arc<Core>,
    parent: &Arc<Inode>,
    name: &[u8],
    new: NewInode<'_>,
) -> Result<Arc<Inode>> {
    new.what.demand_legal()?;
    let parents = std::slice::from_ref(parent);
    let (inode, _) = core.transact(64 * 1024, parents, |tx| create_in(tx, parent, name, new))?;
    Ok(inode)
}

/// The same as a part of a transaction that has locked `parent`.
pub(crate) fn create_in(
    tx: &mut Tx<'_>,
    parent: &Arc<Inode>,
    name: &[u8],
    new: NewInode<'_>,
) -> Result<Arc<Inode>> {
    let directory = demand_usable(tx, parent.ino)?;
    demand_open(parent.ino, directory.flags, Change::Append)?;
    if lookup_locked(tx, parent.ino, name)?.is_some() {
        return Err(Error::Exists(String::from_utf8_lossy(name).into_owned()));
    }
    if matches!(new.what, Make::Symlink(_)) && directory.flags.has(InodeFlags::NOSYMLINKS) {
        let told = format!("no symbolic links are made in directory {}", parent.ino);
        return Err(Error::Protected(told));
    }
    let is_directory = new.what == Make::Directory;
    if is_directory {
        demand_room_for_links(parent.ino, &directory)?;
    }
    let inode = make_inode(tx, parent.ino, new)?;
    hand_down_acls(tx, parent.ino, inode.ino)?;
    add_name(tx, Entry { dir: parent.ino, name }, inode.ino, new.what.kind())?;
    note_change(tx, parent.ino, if is_directory { 1 } else { 0 })?;
    Ok(inode)
}

/// Makes a regular file without a name in the AG of `parent`: a crash, or nobody using it any more,
/// takes it away.
pub(crate) fn create_unnamed(
    core: &Arc<Core>,
    parent: &Arc<Inode>,
    new: NewInode<'_>,
) -> Result<Arc<Inode>> {
    let parents = std::slice::from_ref(parent);
    let (inode, _) = core.transact(64 * 1024, parents, |tx| {
        demand_usable(tx, parent.ino)?;
        let inode = make_inode(tx, parent.ino, new)?;
        hand_down_acls(tx, parent.ino, inode.ino)?;
        let mut core = core_of(inode.ino, tx.inode_bytes(inode.ino))?;
        core.nlink = 0;
        core.encode(tx.inode_mut(inode.ino));
        link_to_chain(tx, &inode)?;
        Ok(inode)
    })?;
    Ok(inode)
}

/// Allocates an inode and gives it its first contents; no name leads to it yet.
pub(super) fn make_inode(tx: &mut Tx<'_>, parent: Ino, new: NewInode<'_>) -> Result<Arc<Inode>> {
    let ino = allocate_near(tx, parent, new.what.kind())?;
    let directory = core_of(parent, tx.inode_bytes(parent))?;
    let inode = begin_inode(tx, &directory, ino, new)?;
    match new.what {
        Make::Directory => dir::init(&mut DirTx { tx, ino }, parent)?,
        Make::Symlink(target) => set_target(tx, ino, target)?,
        _ => {}
    }
    Ok(inode)
}

/// A free inode: files beside their directory, directories spread over the AGs.
fn allocate_near(tx: &mut Tx<'_>, parent: Ino, kind: FileKind) -> Result<Ino> {
    let count = tx.core.geometry.ag_count;
    let (home, beside) = tx.core.geometry.split_ino(parent).unwrap_or_default();
    let first = match kind {
        FileKind::Directory => tx.core.next_ag.fetch_add(1, Ordering::Relaxed) as u32 % count,
        _ => home.0,
    };
    for ag in (0..count).map(|i| AgNumber((first + i) % count)) {
        let near = (ag == home).then_some(beside);
        match allocate_inode(tx, ag, near) {
            Err(Error::NoSpace { .. }) => {}
            other => return other,
        }
    }
    Err(Error::NoSpace { needed: tx.core.layout.chunk_blocks.into(), available: 0 })
}

/// Takes the new inode into the transaction with its first core.
fn begin_inode(
    tx: &mut Tx<'_>,
    parent: &InodeCore,
    ino: Ino,
    new: NewInode<'_>,
) -> Result<Arc<Inode>> {
    let home = tx.core.inode_home(ino)?;
    let mut bytes = vec![0; tx.core.geometry.inode_size()];
    let generation = tx.core.clock.now().nanos ^ (ino.0 as u32).rotate_left(16);
    init_free(&mut bytes, ino, tx.core.meta_uuid(), generation);
    let free = core_of(ino, &bytes)?;
    FirstCore { parent, new: &new }.of(tx.core, free).encode(&mut bytes);
    if let Some(number) = new.what.device() {
        let fork = data_fork_mut(&mut bytes).map_err(|fault| fault.at(Place::inode(ino)))?;
        if let Some(place) = fork.first_chunk_mut() {
            *place = number.to_be_bytes();
        }
    }
    let inode = Arc::new(Inode::new(ino, home, bytes.into()));
    // An earlier use of the number may have left a pointer at home.
    inode.note_unlinked();
    tx.adopt_inode(&inode)?;
    Ok(inode)
}
