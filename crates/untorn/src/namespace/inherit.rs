//! What a new inode gets from its directory: group, project, flags, hints and access lists, as
//! Linux hands them down (`inode_init_owner`, `xfs_inode_inherit_flags`, `posix_acl_create`).

use super::access::{AclKind, read_acl, store_acl};
use super::create::NewInode;
use crate::core::Core;
use crate::error::Result;
use crate::inode::core_of;
use crate::tx::Tx;
use untorn_format::inode::{FileKind, ForkFormat, InodeCore, InodeFlags, InodeFlags2};
use untorn_format::{Ino, Lsn};

pub(super) const SET_USER: u16 = 0o4000;
pub(super) const SET_GROUP: u16 = 0o2000;

/// A new inode and the directory that it is made in.
pub(super) struct FirstCore<'a> {
    pub parent: &'a InodeCore,
    pub new: &'a NewInode<'a>,
}

impl FirstCore<'_> {
    /// The core of the new inode, made of that of the free one.
    pub fn of(&self, core: &Core, free: InodeCore) -> InodeCore {
        let Self { parent, new } = self;
        let kind = new.what.kind();
        let directory = kind == FileKind::Directory;
        let hands_down = parent.mode & SET_GROUP != 0;
        let set_group = if hands_down && directory { SET_GROUP } else { 0 };
        let time = core.clock.now();
        let mut inode = InodeCore {
            mode: kind.mode_bits() | new.permissions & 0o7777 | set_group,
            format: first_format(kind),
            attr_format: ForkFormat::Extents,
            uid: new.uid,
            gid: if hands_down { parent.gid } else { new.gid },
            nlink: if directory { 2 } else { 1 },
            flags2: first_flags(core),
            atime: time,
            mtime: time,
            ctime: time,
            crtime: time,
            change_count: 1,
            lsn: Lsn::default(),
            ..free
        };
        if parent.flags.has(InodeFlags::PROJINHERIT) {
            inode.project = parent.project;
        }
        if matches!(kind, FileKind::Regular | FileKind::Directory) {
            inherit(parent, &mut inode, directory);
        }
        inode
    }
}

fn first_format(kind: FileKind) -> ForkFormat {
    match kind {
        FileKind::Directory => ForkFormat::Local,
        _ if kind.is_special() => ForkFormat::Dev,
        _ => ForkFormat::Extents,
    }
}

fn first_flags(core: &Core) -> InodeFlags2 {
    let flag = |on: bool, flag| if on { flag } else { InodeFlags2::default() };
    flag(core.features.has_bigtime(), InodeFlags2::BIGTIME)
        .with(flag(core.features.has_nrext64(), InodeFlags2::NREXT64))
}

/// Flags that files and directories get from their directory.
const HANDED_DOWN: [InodeFlags; 5] = [
    InodeFlags::SYNC,
    InodeFlags::NOATIME,
    InodeFlags::NODUMP,
    InodeFlags::NODEFRAG,
    InodeFlags::FILESTREAM,
];

/// Flags and hints that directories hand down to files and directories.
fn inherit(parent: &InodeCore, inode: &mut InodeCore, directory: bool) {
    for flag in HANDED_DOWN.into_iter().filter(|&flag| parent.flags.has(flag)) {
        inode.flags = inode.flags.with(flag);
    }
    if directory && parent.flags.has(InodeFlags::PROJINHERIT) {
        inode.flags = inode.flags.with(InodeFlags::PROJINHERIT);
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
    if parent.flags2.has(InodeFlags2::DAX) {
        inode.flags2 = inode.flags2.with(InodeFlags2::DAX);
    }
}

/// Gives a new inode the access list that the default list of `parent` makes of its permissions,
/// and a new directory that default list as well.
pub(super) fn hand_down_acls(tx: &mut Tx<'_>, parent: Ino, ino: Ino) -> Result<()> {
    let mut core = core_of(ino, tx.inode_bytes(ino))?;
    if core.kind() == Some(FileKind::Symlink) {
        return Ok(());
    }
    let Some(default) = read_acl(tx, parent, AclKind::Default)? else { return Ok(()) };
    let (access, permissions) = default.restricted_to(core.mode & 0o777);
    core.mode = core.mode & !0o777 | permissions;
    let directory = core.kind() == Some(FileKind::Directory);
    core.encode(tx.inode_mut(ino));
    if access.is_extended() {
        store_acl(tx, ino, AclKind::Access, Some(&access))?;
    }
    if directory {
        store_acl(tx, ino, AclKind::Default, Some(&default))?;
    }
    Ok(())
}
