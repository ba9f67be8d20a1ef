//! Making, linking, renaming and removing in an open volume, by path or by directory.

use super::names::demand_no_slash;
use super::{File, NewFile, Volume};
use crate::error::{Error, Result};
use crate::inode::Inode;
use crate::namespace::{self, Linked, Make, NewInode, Removal, Rename, Spot};
use std::sync::Arc;
use untorn_format::Ino;
use untorn_format::inode::FileKind;

/// Where a name stands, or shall stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name<'a> {
    /// At the end of this path from the root. Symbolic links before its last part are followed.
    Path(&'a [u8]),
    /// In the directory of this number.
    In(Ino, &'a [u8]),
}

impl<'a, T: AsRef<[u8]> + ?Sized> From<&'a T> for Name<'a> {
    fn from(path: &'a T) -> Self {
        Self::Path(path.as_ref())
    }
}

impl Name<'_> {
    /// Refuses a path that promises a directory.
    fn demand_no_slash(self) -> Result<()> {
        match self {
            Self::Path(path) => demand_no_slash(path),
            Self::In(..) => Ok(()),
        }
    }
}

impl Volume {
    /// The directory of a name that comes or goes, and the name.
    pub(super) fn spot(&self, name: Name<'_>) -> Result<(Arc<Inode>, Vec<u8>)> {
        match name {
            Name::Path(path) => namespace::parent_of(&self.core, path),
            Name::In(dir, name) => {
                namespace::check_entry(name)?;
                Ok((self.directory(dir)?, name.to_vec()))
            }
        }
    }

    fn directory(&self, ino: Ino) -> Result<Arc<Inode>> {
        let inode = self.core.inode_by_number(ino)?;
        match inode.core()?.kind() {
            Some(FileKind::Directory) => Ok(inode),
            Some(_) => Err(Error::NotDirectory(format!("inode {ino}"))),
            None => Err(Error::NotFound(format!("inode {ino}"))),
        }
    }

    /// What `name` names in the directory `dir`, `.` and `..` included.
    pub fn find_in(&self, dir: Ino, name: impl AsRef<[u8]>) -> Result<Ino> {
        let dir = self.directory(dir)?;
        Ok(namespace::find_in(&self.core, &dir, name.as_ref())?.ino)
    }

    /// Makes a file, directory, link, device, pipe or socket; nothing may have the name yet.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use untorn::{OpenOptions, Volume, mkfs};
    /// use untorn::{Make, Name, NewFile};
    ///
    /// # let device = Arc::new(untorn_device::MemoryDevice::new(64 << 20));
    /// # mkfs::make(&*device, &mkfs::Options::default()).unwrap();
    /// # let volume = Volume::open(device, OpenOptions::default())?;
    /// let dir = volume.make("/dev", Make::Directory, NewFile::default())?;
    /// volume.make(Name::In(dir, b"null"), Make::CharDevice(1, 3), NewFile::default())?;
    /// volume.make("/dev/zip", Make::Symlink(b"null"), NewFile::default())?;
    /// assert_eq!(volume.read_link("/dev/zip")?, b"null");
    /// # Ok::<(), untorn::Error>(())
    /// ```
    pub fn make<'n>(&self, name: impl Into<Name<'n>>, what: Make<'_>, new: NewFile) -> Result<Ino> {
        self.demand_write("create")?;
        let name = name.into();
        if what != Make::Directory {
            name.demand_no_slash()?;
        }
        let (dir, name) = self.spot(name)?;
        let NewFile { permissions, uid, gid } = new;
        let new = NewInode { what, permissions, uid, gid };
        Ok(namespace::create(&self.core, &dir, &name, new)?.ino)
    }

    /// Makes a regular file without a name, near the directory `dir`, whose group, project and
    /// access list it gets. It goes with the value, or with a crash, unless it is given a name.
    pub fn make_unnamed(&self, dir: Ino, new: NewFile) -> Result<Orphan> {
        self.demand_write("create")?;
        let dir = self.directory(dir)?;
        let NewFile { permissions, uid, gid } = new;
        let new = NewInode { what: Make::File, permissions, uid, gid };
        Ok(Orphan::new(self, namespace::create_unnamed(&self.core, &dir, new)?))
    }

    /// Gives inode `ino`, anything but a directory, another name, which must not be there yet.
    pub fn link<'n>(&self, ino: Ino, name: impl Into<Name<'n>>) -> Result<()> {
        self.demand_write("link")?;
        let inode = self.core.inode_by_number(ino)?;
        let name = name.into();
        name.demand_no_slash()?;
        let (dir, name) = self.spot(name)?;
        namespace::link(&self.core, &inode, &dir, &name, Linked::Named)
    }

    /// Gives what is called `from` the name `to` instead, in one commit. What lost its last name
    /// goes when the value that is returned does.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use untorn::{OpenOptions, Volume, mkfs};
    /// use untorn::{Make, NewFile, Rename};
    ///
    /// # let device = Arc::new(untorn_device::MemoryDevice::new(64 << 20));
    /// # mkfs::make(&*device, &mkfs::Options::default()).unwrap();
    /// # let volume = Volume::open(device, OpenOptions::default())?;
    /// volume.make("/old", Make::File, NewFile::default())?;
    /// volume.make("/dir", Make::Directory, NewFile::default())?;
    /// volume.rename("/old", "/dir/new", Rename::NoReplace)?;
    /// volume.rename("/dir", "/moved", Rename::Replace)?;
    /// assert!(volume.lookup("/moved/new").is_ok());
    /// # Ok::<(), untorn::Error>(())
    /// ```
    pub fn rename<'f, 't>(
        &self,
        from: impl Into<Name<'f>>,
        to: impl Into<Name<'t>>,
        how: Rename,
    ) -> Result<Option<Orphan>> {
        self.demand_write("rename")?;
        let (from_dir, from) = self.spot(from.into())?;
        let (to_dir, to) = self.spot(to.into())?;
        let from = Spot { dir: &from_dir, name: &from };
        let to = Spot { dir: &to_dir, name: &to };
        let gone = namespace::rename(&self.core, from, to, how)?;
        Ok(gone.map(|inode| Orphan::new(self, inode)))
    }

    /// Removes a name. What lost its last one can still be read and written through the value that
    /// is returned, and goes with it.
    pub fn detach<'n>(&self, name: impl Into<Name<'n>>, what: Removal) -> Result<Option<Orphan>> {
        self.demand_write("remove")?;
        let (dir, name) = self.spot(name.into())?;
        let gone = namespace::remove(&self.core, &dir, &name, what)?;
        Ok(gone.map(|inode| Orphan::new(self, inode)))
    }
}

/// An inode that no name leads to. Dropping this frees it and all that it has; so does the next
/// opening of the volume after a crash.
pub struct Orphan {
    volume: Volume,
    inode: Arc<Inode>,
}

impl Orphan {
    fn new(volume: &Volume, inode: Arc<Inode>) -> Self {
        Self { volume: volume.clone(), inode }
    }

    /// Its number.
    pub fn ino(&self) -> Ino {
        self.inode.ino
    }

    /// The regular file that it is, to be read and written.
    pub fn file(&self) -> Result<File> {
        self.volume.file(self.inode.ino)
    }

    /// Gives it a name, which must not be there yet: from then on it stays.
    pub fn link<'n>(&self, name: impl Into<Name<'n>>) -> Result<()> {
        self.volume.demand_write("link")?;
        let (dir, name) = self.volume.spot(name.into())?;
        namespace::link(&self.volume.core, &self.inode, &dir, &name, Linked::Unnamed)
    }
}

impl Drop for Orphan {
    fn drop(&mut self) {
        if let Err(error) = namespace::inactivate(&self.volume.core, &self.inode) {
            tracing::warn!(ino = %self.inode.ino, %error, "freed when the volume is closed");
        }
    }
}
