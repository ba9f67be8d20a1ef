//! Names of an open volume: look, list, make, remove.

use super::{File, Volume};
use crate::core::Core;
use crate::dir::{Cookie, Listed};
use crate::error::{Error, Result};
use crate::inode::Inode;
use crate::namespace::{self, Follow, Make, NewInode, Removal};
use std::ops::ControlFlow;
use std::sync::Arc;
use untorn_format::Ino;
use untorn_format::dir::FileType;
use untorn_format::inode::{FileKind, InodeCore, data_fork};

/// What is known of a file, directory or other inode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// Its inode as the volume stores it: kind and permissions, owner, links, times, size, flags.
    pub inode: InodeCore,
    /// What it is.
    pub kind: FileKind,
    /// Major and minor number of a device node.
    pub device: Option<(u32, u32)>,
}

/// One entry of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirEntry {
    /// Its name.
    pub name: Vec<u8>,
    /// The inode that it names.
    pub ino: Ino,
    /// What that is, as the entry says it.
    pub file_type: FileType,
}

/// Permissions and owner of what is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewFile {
    /// Permission bits, set-id bits included.
    pub permissions: u16,
    /// Owner.
    pub uid: u32,
    /// Group; directories with the set-group-id bit hand down their own instead.
    pub gid: u32,
}

impl Default for NewFile {
    /// `rw-r--r--`, owned by root.
    fn default() -> Self {
        Self { permissions: 0o644, uid: 0, gid: 0 }
    }
}

impl Volume {
    /// What `path` names. A slash at its end asks for a directory, also behind a link.
    pub(super) fn inode(&self, path: &[u8], follow: Follow) -> Result<Arc<Inode>> {
        if path.is_empty() {
            return Err(Error::NotFound("an empty path".to_owned()));
        }
        if !path.ends_with(b"/") {
            return namespace::resolve(&self.core, path, follow);
        }
        let found = namespace::resolve(&self.core, path, Follow::Last)?;
        match found.kind()? {
            Some(FileKind::Directory) => Ok(found),
            _ => Err(Error::NotDirectory(String::from_utf8_lossy(path).into_owned())),
        }
    }

    /// The inode that `path` names. Symbolic links are followed inside the volume.
    pub fn lookup(&self, path: impl AsRef<[u8]>) -> Result<Ino> {
        Ok(self.inode(path.as_ref(), Follow::Last)?.ino)
    }

    /// What is known of what `path` names; of a symbolic link at its end, the link.
    pub fn metadata(&self, path: impl AsRef<[u8]>) -> Result<Metadata> {
        metadata(&*self.inode(path.as_ref(), Follow::NotLast)?)
    }

    /// What is known of inode `ino`.
    pub fn metadata_of(&self, ino: Ino) -> Result<Metadata> {
        metadata(&*self.core.inode_by_number(ino)?)
    }

    /// The target of the symbolic link `path`.
    pub fn read_link(&self, path: impl AsRef<[u8]>) -> Result<Vec<u8>> {
        namespace::read_link(&self.core, &*self.inode(path.as_ref(), Follow::NotLast)?)
    }

    /// The entries of the directory `path`, `.` and `..` left out, in directory order.
    pub fn read_dir(&self, path: impl AsRef<[u8]>) -> Result<Vec<DirEntry>> {
        let inode = self.inode(path.as_ref(), Follow::Last)?;
        entries(&self.core, &inode)
    }

    /// The regular file `path`.
    pub fn open_file(&self, path: impl AsRef<[u8]>) -> Result<File> {
        let path = path.as_ref();
        let inode = self.inode(path, Follow::Last)?;
        let shown = || String::from_utf8_lossy(path).into_owned();
        match inode.core()?.kind() {
            Some(FileKind::Regular) => Ok(File::new(self.clone(), inode)),
            Some(FileKind::Directory) => Err(Error::IsDirectory(shown())),
            _ => Err(Error::NotRegular(shown())),
        }
    }

    /// Makes the regular file `path`, which must not exist; its directory must.
    pub fn create_file(&self, path: impl AsRef<[u8]>, new: NewFile) -> Result<File> {
        let inode = self.create(path.as_ref(), new, Make::File)?;
        Ok(File::new(self.clone(), inode))
    }

    /// Makes the directory `path`, which must not exist; its parent must.
    pub fn create_dir(&self, path: impl AsRef<[u8]>, new: NewFile) -> Result<Ino> {
        Ok(self.create(path.as_ref(), new, Make::Directory)?.ino)
    }

    fn create(&self, path: &[u8], new: NewFile, what: Make<'_>) -> Result<Arc<Inode>> {
        self.demand_write("create")?;
        if what != Make::Directory {
            demand_no_slash(path)?;
        }
        let (parent, name) = namespace::parent_of(&self.core, path)?;
        let NewFile { permissions, uid, gid } = new;
        namespace::create(&self.core, &parent, &name, NewInode { what, permissions, uid, gid })
    }

    /// Removes the name `path` and, with its last name, what it named: anything but a directory
    /// that has entries.
    pub fn remove(&self, path: impl AsRef<[u8]>) -> Result<()> {
        self.demand_write("remove")?;
        let path = path.as_ref();
        let (parent, name) = namespace::parent_of(&self.core, path)?;
        let what = if path.ends_with(b"/") { Removal::Directory } else { Removal::Any };
        match namespace::remove(&self.core, &parent, &name, what)? {
            Some(gone) => namespace::inactivate(&self.core, &gone),
            None => Ok(()),
        }
    }
}

/// A slash behind a name promises a directory, which is not what will have it.
pub(super) fn demand_no_slash(path: &[u8]) -> Result<()> {
    match path.ends_with(b"/") {
        true => Err(Error::NotDirectory(String::from_utf8_lossy(path).into_owned())),
        false => Ok(()),
    }
}

/// The entries of a directory, `.` and `..` left out.
pub(super) fn entries(core: &Core, inode: &Inode) -> Result<Vec<DirEntry>> {
    let mut entries = Vec::new();
    namespace::list(core, inode, Cookie::START, |entry: Listed<'_>| {
        if entry.name != b"." && entry.name != b".." {
            let Listed { name, ino, file_type, .. } = entry;
            entries.push(DirEntry { name: name.to_vec(), ino, file_type });
        }
        ControlFlow::Continue(())
    })?;
    Ok(entries)
}

fn metadata(inode: &Inode) -> Result<Metadata> {
    // In this order: what is no longer cached is in the core. Who takes a file without blocks for
    // one without bytes is never told of none.
    let cached = inode.cow.lock().cached_blocks();
    let mut core = inode.visible()?;
    core.blocks = core.blocks.saturating_add(cached);
    let kind = core.kind().ok_or_else(|| Error::NotFound(format!("inode {}", inode.ino)))?;
    let device = match kind {
        FileKind::BlockDevice | FileKind::CharDevice => device_of(inode),
        _ => None,
    };
    Ok(Metadata { inode: core, kind, device })
}

/// The numbers of a device node.
fn device_of(inode: &Inode) -> Option<(u32, u32)> {
    let image = inode.image();
    let number = data_fork(&image).ok()?.first_chunk().copied()?;
    Some(device_numbers(u32::from_be_bytes(number)))
}

/// Major and minor of a device number as XFS stores it: 14 bits and 18 bits.
fn device_numbers(raw: u32) -> (u32, u32) {
    (raw >> 18, raw & 0x3_ffff)
}
