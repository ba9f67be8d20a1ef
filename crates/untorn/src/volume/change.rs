//! Owner, permissions, times and access lists of what is in an open volume.

use super::Volume;
use crate::error::Result;
use crate::namespace::{self, AclKind, NewMetadata};
use untorn_format::Ino;
use untorn_format::acl::Acl;

impl Volume {
    /// Changes owner, permissions and times of inode `ino`, all of what is given or nothing.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use untorn::{NewFile, OpenOptions, Volume, mkfs};
    /// use untorn::{NewMetadata, SetTime};
    ///
    /// # let device = Arc::new(untorn_device::MemoryDevice::new(64 << 20));
    /// # mkfs::make(&*device, &mkfs::Options::default()).unwrap();
    /// # let volume = Volume::open(device, OpenOptions::default())?;
    /// # let ino = volume.create_file("/tool", NewFile::default())?.ino();
    /// let change = NewMetadata {
    ///     permissions: Some(0o4755),
    ///     uid: Some(1000),
    ///     mtime: Some(SetTime::Now),
    ///     ..NewMetadata::default()
    /// };
    /// volume.set_metadata_of(ino, &change)?;
    /// # Ok::<(), untorn::Error>(())
    /// ```
    pub fn set_metadata_of(&self, ino: Ino, change: &NewMetadata) -> Result<()> {
        self.demand_write("change owner, permissions or times")?;
        let inode = self.core.inode_by_number(ino)?;
        namespace::change_metadata(&self.core, &inode, change)
    }

    /// The access list of inode `ino`, or the one that it hands down as a directory; nothing where
    /// its permissions say all.
    pub fn acl_of(&self, ino: Ino, kind: AclKind) -> Result<Option<Acl>> {
        let inode = self.core.inode_by_number(ino)?;
        namespace::acl(&self.core, &inode, kind)
    }

    /// Gives inode `ino` an access list, or takes it away. Its permissions follow the list.
    pub fn set_acl_of(&self, ino: Ino, kind: AclKind, acl: Option<&Acl>) -> Result<()> {
        self.demand_write("set an access list")?;
        let inode = self.core.inode_by_number(ino)?;
        namespace::set_acl(&self.core, &inode, kind, acl)
    }
}
