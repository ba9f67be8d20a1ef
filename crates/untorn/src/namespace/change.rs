//! Owner, permissions, times and access lists of inodes.

use super::access::{AclKind, acl_in, read_acl, store_acl};
use super::attr_fork::AttrTx;
use super::forks::ForkReader;
use super::inherit::{SET_GROUP, SET_USER};
use crate::attr::{self, Key};
use crate::core::Core;
use crate::error::{Error, Result};
use crate::inode::{Change, Inode, core_of, demand_open};
use crate::io::own_range;
use crate::tx::Tx;
use std::sync::Arc;
use untorn_format::Ino;
use untorn_format::acl::Acl;
use untorn_format::attr::Namespace;
use untorn_format::inode::{FileKind, InodeCore, Timestamp};
use untorn_format::records::Fork;

const GROUP_EXECUTE: u16 = 0o010;
const PERMISSIONS: u16 = 0o7777;
/// Journal bytes that a change of metadata is expected to take.
const METADATA_BYTES: u64 = 16 * 1024;

/// A time that an inode gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetTime {
    /// The time of the call.
    Now,
    /// This one.
    To(Timestamp),
}

impl SetTime {
    fn time(self, now: Timestamp) -> Timestamp {
        match self {
            Self::Now => now,
            Self::To(time) => time,
        }
    }
}

/// What changes of an inode; nothing stands for "as it is".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NewMetadata {
    /// Permissions with set-id and sticky bits; an access list follows.
    pub permissions: Option<u16>,
    /// Owner. Files lose their set-id bits with it, where the permissions do not say otherwise.
    pub uid: Option<u32>,
    /// Group; as the owner.
    pub gid: Option<u32>,
    /// Last read.
    pub atime: Option<SetTime>,
    /// Last change of contents.
    pub mtime: Option<SetTime>,
    /// When it was made. No system call changes this; who copies files may want to.
    pub crtime: Option<SetTime>,
    /// What becomes of a program's capabilities. Linux drops them with a change of owner or bytes.
    pub capabilities: Capabilities,
}

/// What a program may do beyond its caller (`security.capability`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Capabilities {
    /// They stay as they are.
    #[default]
    Kept,
    /// They go, if there are any.
    Dropped,
}

impl NewMetadata {
    /// What a protected inode may refuse.
    fn change(&self) -> Change {
        let Self { permissions, uid, gid, atime, mtime, crtime, .. } = self;
        let touches =
            [atime, mtime, crtime].into_iter().flatten().all(|time| *time == SetTime::Now);
        match permissions.is_none() && uid.is_none() && gid.is_none() && touches {
            true => Change::Append,
            false => Change::Rewrite,
        }
    }

    fn apply(&self, core: &mut InodeCore, now: Timestamp) {
        let time = |time: Option<SetTime>, old| time.map_or(old, |time| time.time(now));
        let owned = self.uid.is_some() || self.gid.is_some();
        if owned && core.kind() != Some(FileKind::Directory) {
            core.mode &= !set_ids(core.mode);
        }
        if let Some(permissions) = self.permissions {
            core.mode = core.mode & !PERMISSIONS | permissions & PERMISSIONS;
        }
        core.uid = self.uid.unwrap_or(core.uid);
        core.gid = self.gid.unwrap_or(core.gid);
        core.atime = time(self.atime, core.atime);
        core.mtime = time(self.mtime, core.mtime);
        core.crtime = time(self.crtime, core.crtime);
        core.ctime = now;
        core.count_change();
    }
}

/// The set-id bits that a file loses with its owner: without the group's right to execute, the
/// second means something else.
fn set_ids(mode: u16) -> u16 {
    if mode & GROUP_EXECUTE != 0 { SET_USER | SET_GROUP } else { SET_USER }
}

/// Makes the change, all of it in one transaction.
pub(crate) fn change_metadata(
    core: &Arc<Core>,
    inode: &Arc<Inode>,
    change: &NewMetadata,
) -> Result<()> {
    let regular = inode.core()?.kind() == Some(FileKind::Regular);
    // Bytes that are not written back yet would bring their own time later.
    let _range = match change.mtime.filter(|_| regular) {
        Some(_) => Some(own_range(core, inode, 0..u64::MAX)?),
        None => None,
    };
    let one = std::slice::from_ref(inode);
    core.transact(METADATA_BYTES, one, |tx| change_metadata_in(tx, inode, change))?;
    if change.mtime.is_some() {
        inode.forget_lazy();
    }
    Ok(())
}

/// The change as a part of a transaction; the times of bytes that wait for their own are the
/// caller's to forget.
pub(crate) fn change_metadata_in(
    tx: &mut Tx<'_>,
    inode: &Inode,
    change: &NewMetadata,
) -> Result<()> {
    let mut dinode = in_use(tx, inode)?;
    demand_open(inode.ino, dinode.flags, change.change())?;
    if change.permissions.is_some() && dinode.kind() == Some(FileKind::Symlink) {
        let told = format!("inode {}: a symbolic link has no permissions", inode.ino);
        return Err(Error::Invalid(told));
    }
    change.apply(&mut dinode, tx.core.clock.now());
    let mode = dinode.mode;
    dinode.encode(tx.inode_mut(inode.ino));
    if change.capabilities == Capabilities::Dropped && dinode.kind() != Some(FileKind::Directory) {
        drop_capabilities(tx, inode.ino, &dinode)?;
    }
    match change.permissions {
        Some(_) => follow(tx, inode, mode),
        None => Ok(()),
    }
}

fn drop_capabilities(tx: &mut Tx<'_>, ino: Ino, dinode: &InodeCore) -> Result<()> {
    if !dinode.has_attr_fork() {
        return Ok(());
    }
    let key = Key { namespace: Namespace::Security, name: b"capability", pointer: &[] };
    attr::remove(&mut AttrTx::new(tx, ino, &[]), key).map(drop)
}

fn in_use(tx: &Tx<'_>, inode: &Inode) -> Result<InodeCore> {
    let core = core_of(inode.ino, tx.inode_bytes(inode.ino))?;
    match core.mode {
        0 => Err(Error::NotFound(format!("inode {}", inode.ino))),
        _ => Ok(core),
    }
}

/// The access list shows the permissions.
fn follow(tx: &mut Tx<'_>, inode: &Inode, mode: u16) -> Result<()> {
    match read_acl(tx, inode.ino, AclKind::Access)? {
        Some(acl) => store_acl(tx, inode.ino, AclKind::Access, Some(&acl.with_mode(mode))),
        None => Ok(()),
    }
}

/// An access list of an inode.
pub(crate) fn acl(core: &Core, inode: &Inode, kind: AclKind) -> Result<Option<Acl>> {
    let _owner = inode.owner.read();
    let image = inode.image();
    let blocks = ForkReader::new(core, inode.ino, &image, Fork::Attr);
    acl_in(inode.ino, &image, blocks, kind)
}

/// Gives an inode an access list or takes it away; its permissions show it.
pub(crate) fn set_acl(
    core: &Arc<Core>,
    inode: &Arc<Inode>,
    kind: AclKind,
    acl: Option<&Acl>,
) -> Result<()> {
    core.transact(48 * 1024, std::slice::from_ref(inode), |tx| {
        let mut dinode = in_use(tx, inode)?;
        demand_open(inode.ino, dinode.flags, Change::Rewrite)?;
        if acl.is_some() {
            demand_may_have(inode, &dinode, kind)?;
        }
        if let Some(acl) = acl.filter(|_| kind == AclKind::Access) {
            dinode.mode = dinode.mode & !0o777 | acl.mode();
        }
        dinode.ctime = core.clock.now();
        dinode.count_change();
        dinode.encode(tx.inode_mut(inode.ino));
        // What permissions can say is said there.
        let kept = acl.filter(|acl| kind == AclKind::Default || acl.is_extended());
        store_acl(tx, inode.ino, kind, kept)
    })?;
    Ok(())
}

fn demand_may_have(inode: &Inode, core: &InodeCore, kind: AclKind) -> Result<()> {
    let refuse = |why: &str| Err(Error::Invalid(format!("inode {}: {why}", inode.ino)));
    match (core.kind(), kind) {
        (Some(FileKind::Symlink), _) => refuse("symbolic links have no access lists"),
        (Some(FileKind::Directory), _) | (_, AclKind::Access) => Ok(()),
        _ => refuse("only directories hand down access lists"),
    }
}
