//! Files of the host by what they are, not by their paths: who may write in a directory above
//! cannot put something else in their place meanwhile.
//!
//! Invariants: no link is followed, except in a path that the user typed; owners, permissions,
//! attributes and times are given to what was made, never to a name.

use super::HostFile;
use crate::failure::{Code, Refusal};
use rustix::fd::{AsFd, AsRawFd, OwnedFd};
use rustix::fs::{self, AtFlags, CWD, FileType, Gid, Mode, OFlags, Stat, Timestamps, Uid};
use rustix::fs::{XattrFlags, chownat, openat, statat, utimensat};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::path::Path;

/// Permissions while something is not all there.
const PRIVATE: Mode = Mode::RUSR.union(Mode::WUSR);

/// A directory that names are looked up in.
pub(super) struct Dir(OwnedFd);

/// What was made, and is to be dressed.
pub(super) enum Made {
    /// A file or a directory.
    Open(OwnedFd),
    /// What cannot be opened without a consequence: links, devices, pipes, sockets.
    Place(OwnedFd),
}

impl Dir {
    /// The directory at a path that the user typed.
    pub fn named(path: &Path) -> anyhow::Result<Self> {
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        openat(CWD, path, flags, Mode::empty()).map(Self).map_err(of_host)
    }

    /// The directory `name`, no link to one.
    pub fn enter(&self, name: &OsStr) -> anyhow::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        openat(&self.0, name, flags, Mode::empty()).map(Self).map_err(of_host)
    }

    /// Makes the directory `name`, nobody else's until it is dressed.
    pub fn make(&self, name: &OsStr) -> anyhow::Result<Self> {
        fs::mkdirat(&self.0, name, Mode::RWXU).map_err(of_host)?;
        self.enter(name)
    }

    /// The directory itself, to be dressed.
    pub fn opened(&self) -> anyhow::Result<Made> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        openat(&self.0, ".", flags, Mode::empty()).map(Made::Open).map_err(of_host)
    }

    /// Which one it is.
    pub fn id(&self) -> anyhow::Result<HostFile> {
        fs::fstat(&self.0).map(|found| id(&found)).map_err(of_host)
    }

    /// What `name` is; nothing where there is none.
    pub fn find(&self, name: &OsStr) -> anyhow::Result<Option<Stat>> {
        match statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(found) => Ok(Some(found)),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(of_host(error)),
        }
    }

    /// A new empty file.
    pub fn create(&self, name: &OsStr) -> anyhow::Result<OwnedFd> {
        let new = OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        openat(&self.0, name, new | OFlags::WRONLY, PRIVATE).map_err(of_host)
    }

    /// A new symbolic link.
    pub fn link(&self, name: &OsStr, target: &OsStr) -> anyhow::Result<()> {
        fs::symlinkat(target, &self.0, name).map_err(of_host)
    }

    /// A new device, pipe or socket.
    pub fn node(&self, name: &OsStr, kind: FileType, device: fs::Dev) -> anyhow::Result<()> {
        fs::mknodat(&self.0, name, kind, PRIVATE, device).map_err(of_host)
    }

    /// What was just made under `name`, which is of this kind.
    pub fn placed(&self, name: &OsStr, kind: FileType) -> anyhow::Result<Made> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let place = openat(&self.0, name, flags, Mode::empty()).map_err(of_host)?;
        let found = fs::fstat(&place).map_err(of_host)?;
        match FileType::from_raw_mode(found.st_mode) == kind {
            true => Ok(Made::Place(place)),
            false => Err(changed()),
        }
    }

    /// Gives what is at `path` the new name `name`.
    pub fn hard_link(&self, path: &Path, name: &OsStr) -> anyhow::Result<()> {
        fs::linkat(CWD, path, &self.0, name, AtFlags::empty()).map_err(of_host)
    }

    /// Refuses where `name` is not a name of `file`.
    pub fn demand(&self, file: HostFile, name: &OsStr) -> anyhow::Result<()> {
        match self.find(name)?.map(|found| id(&found)) {
            Some(linked) if linked == file => Ok(()),
            _ => Err(changed()),
        }
    }

    /// Gives `name` the name `to`, in place of what has it.
    pub fn rename(&self, name: &OsStr, to: &OsStr) -> anyhow::Result<()> {
        fs::renameat(&self.0, name, &self.0, to).map_err(of_host)
    }

    /// Takes away a name of what is no directory.
    pub fn remove(&self, name: &OsStr) -> anyhow::Result<()> {
        fs::unlinkat(&self.0, name, AtFlags::empty()).map_err(of_host)
    }
}

impl Made {
    /// Which one it is.
    pub fn id(&self) -> anyhow::Result<HostFile> {
        let (Self::Open(file) | Self::Place(file)) = self;
        fs::fstat(file).map(|found| id(&found)).map_err(of_host)
    }

    /// Gives an owner.
    pub fn own(&self, uid: Uid, gid: Gid) -> anyhow::Result<()> {
        let done = match self {
            Self::Open(file) => fs::fchown(file, Some(uid), Some(gid)),
            Self::Place(file) => {
                let (uid, gid) = (Some(uid), Some(gid));
                chownat(CWD, place(file), uid, gid, AtFlags::empty())
            }
        };
        done.map_err(of_host)
    }

    /// Sets an extended attribute. A host that does not keep it, or not for this user, is told of
    /// by nobody's cp.
    pub fn set_attribute(&self, name: &[u8], value: &[u8]) {
        let _ = match self {
            Self::Open(file) => fs::fsetxattr(file, name, value, XattrFlags::empty()),
            Self::Place(file) => fs::setxattr(place(file), name, value, XattrFlags::empty()),
        };
    }

    /// Sets permissions; links have none.
    pub fn permit(&self, mode: Mode) -> anyhow::Result<()> {
        let done = match self {
            Self::Open(file) => fs::fchmod(file, mode),
            Self::Place(file) => fs::chmod(place(file), mode),
        };
        done.map_err(of_host)
    }

    /// Sets the times.
    pub fn date(&self, times: &Timestamps) -> anyhow::Result<()> {
        let done = match self {
            Self::Open(file) => fs::futimens(file, times),
            Self::Place(file) => utimensat(CWD, place(file), times, AtFlags::empty()),
        };
        done.map_err(of_host)
    }
}

/// The path that leads to what is open, and through no link there.
fn place(file: &impl AsFd) -> String {
    format!("/proc/self/fd/{}", file.as_fd().as_raw_fd())
}

/// Which file it is.
pub(super) fn id(found: &Stat) -> HostFile {
    (found.st_dev, found.st_ino)
}

fn changed() -> anyhow::Error {
    let told = "somebody else put something in its place while it was copied";
    Refusal::new(Code::Changed, told).into()
}

/// An error of the host; one that is of this name or file alone ends nothing else.
fn of_host(error: Errno) -> anyhow::Error {
    let of_one = [
        Errno::NAMETOOLONG,
        Errno::INVAL,
        Errno::EXIST,
        Errno::MLINK,
        Errno::LOOP,
        Errno::XDEV,
        Errno::OPNOTSUPP,
    ];
    let host = std::io::Error::from(error);
    match of_one.contains(&error) {
        true => Refusal::new(Code::Failed, host).into(),
        false => host.into(),
    }
}
