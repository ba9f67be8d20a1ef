//! Extended attributes of what is in an open volume.

use super::Volume;
use crate::attr::{Attributes, Listed, SetMode};
use crate::error::Result;
use crate::inode::core_of;
use crate::namespace::{self, ForkReader};
use untorn_format::attr::Namespace;
use untorn_format::inode::{ForkFormat, attr_fork};
use untorn_format::records::Fork;
use untorn_format::{Ino, Place};

impl Volume {
    /// Sets the attribute `name` (without the prefix that its namespace stands for) of inode `ino`
    /// as `mode` says: all of it or nothing, whatever happens; durable with the next sync. Names
    /// have 1 to 255 bytes, values at most 64 KiB.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use untorn::{NewFile, OpenOptions, Volume, mkfs};
    /// use untorn::attr::{Namespace, SetMode};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let device = Arc::new(untorn_device::MemoryDevice::new(64 << 20));
    /// # mkfs::make(&*device, &mkfs::Options::default())?;
    /// # let volume = Volume::open(device, OpenOptions::default())?;
    /// let ino = volume.create_file("/photo", NewFile::default())?.ino();
    /// // What Linux calls user.origin:
    /// let key = (Namespace::User, &b"origin"[..]);
    /// volume.set_attribute(ino, key, b"https://example.org/1.jpg", SetMode::Create)?;
    /// volume.set_attribute(ino, key, b"https://example.org/2.jpg", SetMode::Replace)?;
    /// assert_eq!(volume.attributes(ino)?[0].value, b"https://example.org/2.jpg");
    /// volume.remove_attribute(ino, key)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn set_attribute(
        &self,
        ino: Ino,
        (namespace, name): (Namespace, &[u8]),
        value: &[u8],
        mode: SetMode,
    ) -> Result<()> {
        self.demand_write("set an attribute")?;
        let inode = self.core.inode_by_number(ino)?;
        namespace::set_attribute(&self.core, &inode, (namespace, name), value, mode).map(drop)
    }

    /// Removes the attribute `name` of inode `ino`.
    pub fn remove_attribute(&self, ino: Ino, (namespace, name): (Namespace, &[u8])) -> Result<()> {
        self.demand_write("remove an attribute")?;
        let inode = self.core.inode_by_number(ino)?;
        namespace::remove_attribute(&self.core, &inode, (namespace, name)).map(drop)
    }

    /// Every extended attribute of inode `ino` with its value, in the order of the disk.
    pub fn attributes(&self, ino: Ino) -> Result<Vec<Listed>> {
        let inode = self.core.inode_by_number(ino)?;
        let _owner = inode.owner.read();
        let image = inode.image();
        let core = core_of(ino, &image)?;
        if !core.has_attr_fork() {
            return Ok(Vec::new());
        }
        let fork = attr_fork(&image).map_err(|fault| fault.at(Place::inode(ino)))?;
        let inline = (core.attr_format == ForkFormat::Local).then_some(fork);
        let blocks = ForkReader::new(&self.core, ino, &image, Fork::Attr);
        Attributes { inline, blocks }.list()
    }

    /// What inode `ino`, a directory, lists; `.` and `..` left out.
    pub fn entries_of(&self, ino: Ino) -> Result<Vec<super::DirEntry>> {
        let inode = self.core.inode_by_number(ino)?;
        super::names::entries(&self.core, &inode)
    }

    /// The target of the symbolic link `ino`.
    pub fn link_target(&self, ino: Ino) -> Result<Vec<u8>> {
        namespace::read_link(&self.core, &*self.core.inode_by_number(ino)?)
    }
}
