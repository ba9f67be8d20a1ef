//! Linux doing what the model does, on a mounted volume.

use super::model::{as_acl, list, made_mode};
use super::op::{How, Op, Spot, What};
use super::world::{name, target, value};
use super::{Model, NodeId, Refusal};
use crate::kernel::xfs_project;
use crate::tree::{Kind, diff};
use crate::volume_tree::as_stored;
use rustix::fs::{
    AtFlags, CWD, FileType, Mode, OFlags, RenameFlags, Timespec, Timestamps, XattrFlags, chmod,
    chownat, linkat, lremovexattr, lsetxattr, makedev, mkdirat, mknodat, open, renameat_with,
    symlinkat, unlinkat, utimensat,
};
use rustix::io::Errno;
use rustix::process::{Gid, Uid};
use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// A mounted volume and the model of it.
pub struct Linux<'m> {
    root: PathBuf,
    /// What the volume must hold.
    pub model: &'m mut Model,
    unnamed: Option<OwnedFd>,
}

const BEYOND: usize = 3500;

impl<'m> Linux<'m> {
    /// Linux on the volume mounted at `root`, which holds what `model` says.
    ///
    /// Takes the permissions that this process withholds from what it makes to be none.
    pub fn new(root: &Path, model: &'m mut Model) -> Self {
        rustix::process::umask(Mode::empty());
        Self { root: root.to_owned(), model, unnamed: None }
    }

    fn path(&self, below: Vec<u8>) -> PathBuf {
        let bytes = [self.root.as_os_str().as_bytes(), b"/", &below].concat();
        PathBuf::from(OsStr::from_bytes(&bytes))
    }

    fn spot(&self, before: &Model, at: Spot) -> PathBuf {
        self.path([before.path_of(before.directory(at.dir)), name(at.name)].join(&b'/'))
    }

    fn node(&self, before: &Model, id: NodeId) -> PathBuf {
        self.path(before.a_path_of(id))
    }

    /// Does `op` to both, which must answer alike.
    pub fn step(&mut self, op: Op) {
        let before = self.model.clone();
        let longest = before.ids().into_iter().map(|id| before.a_path_of(id).len()).max();
        if longest.is_some_and(|length| length > BEYOND) {
            return;
        }
        let wanted = self.model.apply(op);
        if wanted == Err(Refusal::Nothing) {
            return;
        }
        let done = self.perform(&before, op).err().map(|errno| refusal(errno, op));
        // Linux looks at what lies above first, and calls all of this one thing.
        let full = |refusal| match (op, refusal) {
            (Op::Rename { .. }, Some(Refusal::IsDirectory)) => Some(Refusal::NotEmpty),
            (_, refusal) => refusal,
        };
        assert_eq!(full(done), full(wanted.err()), "{op:?}");
    }

    fn perform(&mut self, before: &Model, op: Op) -> Result<(), Errno> {
        match op {
            Op::Make { at, what, mode } => make(&self.spot(before, at), what, mode),
            Op::Link { node, at } => {
                let from = self.node(before, before.any(node));
                linkat(CWD, from, CWD, self.spot(before, at), AtFlags::empty())
            }
            Op::Rename { from, to, how } => {
                let flags = match how {
                    How::Replace => RenameFlags::empty(),
                    How::NoReplace => RenameFlags::NOREPLACE,
                    How::Exchange => RenameFlags::EXCHANGE,
                    How::Whiteout => RenameFlags::WHITEOUT,
                };
                renameat_with(CWD, self.spot(before, from), CWD, self.spot(before, to), flags)
            }
            Op::Remove { at } => {
                let directory = before.named(at).map(|id| before.kind(id)) == Some(Kind::Directory);
                remove(&self.spot(before, at), directory)
            }
            Op::RemoveKind { at, directory } => remove(&self.spot(before, at), directory),
            Op::MakeUnnamed { dir, mode } => {
                let dir = self.path(before.path_of(before.directory(dir)));
                let flags = OFlags::TMPFILE | OFlags::RDWR;
                self.unnamed = Some(open(dir, flags, Mode::from_raw_mode(mode.into()))?);
                Ok(())
            }
            Op::LinkUnnamed { at } => {
                let to = self.spot(before, at);
                let Some(file) = &self.unnamed else { panic!("the model has one") };
                linkat(file, "", CWD, to, AtFlags::EMPTY_PATH)?;
                self.unnamed = None;
                Ok(())
            }
            Op::DropUnnamed => {
                self.unnamed = None;
                Ok(())
            }
            other => self.change(before, other),
        }
    }

    fn change(&self, before: &Model, op: Op) -> Result<(), Errno> {
        match op {
            Op::Chmod { node, mode } => {
                let path = self.node(before, before.no_symlink(node));
                chmod(path, Mode::from_raw_mode(mode.into()))
            }
            Op::Chown { node, uid, gid } => {
                let (uid, gid) = (Uid::from_raw(uid.into()), Gid::from_raw(gid.into()));
                let path = self.node(before, before.any(node));
                chownat(CWD, path, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)
            }
            Op::SetTimes { node, seconds } => {
                let (tv_sec, tv_nsec) = (i64::from(seconds) * 1000, i64::from(seconds) * 7);
                let time = Timespec { tv_sec, tv_nsec };
                let times = Timestamps { last_access: time, last_modification: time };
                let path = self.node(before, before.any(node));
                utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW)
            }
            Op::SetList { node, default, of, bits } => {
                let path = self.node(before, before.no_symlink(node));
                let kind = if default { "default" } else { "access" };
                let key = format!("system.posix_acl_{kind}");
                match list(of, bits) {
                    Some(list) => {
                        let value = as_acl(&list).encode_carried();
                        lsetxattr(path, key.as_str(), &value, XattrFlags::empty())
                    }
                    None => match lremovexattr(path, key.as_str()) {
                        Err(Errno::NODATA) => Ok(()),
                        done => done,
                    },
                }
            }
            Op::SetProject { node, project, inherit } => {
                let id = before.plain(node);
                let inherit = inherit && before.kind(id) == Kind::Directory;
                xfs_project(&self.node(before, id), project.into(), inherit)
                    .unwrap_or_else(|error| panic!("a project: {error}"));
                Ok(())
            }
            Op::SetAttribute { node, name, length } => {
                let path = self.node(before, before.plain(node));
                lsetxattr(path, format!("user.a{name}"), &value(length), XattrFlags::empty())
            }
            Op::Write { node, length, byte } => {
                let Some(id) = before.regular(node) else { return Ok(()) };
                self.write(&self.node(before, id), OFlags::empty(), length, byte)
            }
            Op::ReplaceContents { node, length, byte } => {
                let Some(id) = before.regular(node) else { return Ok(()) };
                self.write(&self.node(before, id), OFlags::TRUNC, length, byte)
            }
            other => unreachable!("{other:?} changes names"),
        }
    }

    fn write(&self, path: &Path, flags: OFlags, length: u16, byte: u8) -> Result<(), Errno> {
        let file = open(path, OFlags::WRONLY | flags, Mode::empty())?;
        let bytes = vec![byte; length.into()];
        let count = rustix::io::pwrite(&file, &bytes, 0)?;
        assert_eq!(count, bytes.len());
        Ok(())
    }

    /// Compares all that Linux shows with the model.
    #[track_caller]
    pub fn compare(&self) {
        let found = as_stored(
            crate::kernel::tree(&self.root).unwrap_or_else(|error| panic!("a tree: {error}")),
        );
        diff(&found, &self.model.tree(&found)).assert_none("Linux", "the model");
    }

    /// Lets go of the file without a name.
    pub fn let_go(&mut self) {
        self.unnamed = None;
        let _ = self.model.apply(Op::DropUnnamed);
    }
}

fn make(path: &Path, what: What, mode: u16) -> Result<(), Errno> {
    let mode = Mode::from_raw_mode(made_mode(what, mode).into());
    let node = |kind, major, minor| mknodat(CWD, path, kind, mode, makedev(major, minor));
    match what {
        What::File => node(FileType::RegularFile, 0, 0),
        What::Directory => mkdirat(CWD, path, mode),
        What::Symlink(length) => symlinkat(OsStr::from_bytes(&target(length)), CWD, path),
        What::Fifo => node(FileType::Fifo, 0, 0),
        What::Socket => node(FileType::Socket, 0, 0),
        What::CharDevice => node(FileType::CharacterDevice, 5, 300),
        What::BlockDevice => node(FileType::BlockDevice, 259, 7),
    }
}

fn remove(path: &Path, directory: bool) -> Result<(), Errno> {
    unlinkat(CWD, path, if directory { AtFlags::REMOVEDIR } else { AtFlags::empty() })
}

fn refusal(errno: Errno, op: Op) -> Refusal {
    match (errno, op) {
        (Errno::EXIST, Op::Rename { how: How::Replace | How::Whiteout, .. }) => Refusal::NotEmpty,
        (Errno::EXIST, _) => Refusal::Exists,
        (Errno::NOENT, _) => Refusal::NotFound,
        (Errno::NOTEMPTY, _) => Refusal::NotEmpty,
        (Errno::NOTDIR, _) => Refusal::NotDirectory,
        (Errno::ISDIR, _) | (Errno::PERM, Op::Link { .. }) => Refusal::IsDirectory,
        (Errno::INVAL, _) | (Errno::ACCESS, Op::SetList { .. }) => Refusal::Invalid,
        (Errno::XDEV, _) => Refusal::CrossProject,
        (other, op) => panic!("{op:?}: {other}"),
    }
}
