//! Extended attributes of what is in an open volume.

use super::Volume;
use crate::attr::{Attributes, Listed};
use crate::error::Result;
use crate::inode::core_of;
use crate::namespace::{self, ForkReader};
use untorn_format::inode::{ForkFormat, attr_fork};
use untorn_format::records::Fork;
use untorn_format::{Ino, Place};

impl Volume {
    /// Every extended attribute of inode `ino` with its value, in the order of the disk.
    pub fn attributes(&self, ino: Ino) -> Result<Vec<Listed>> {
        let inode = self.core.inodes.load(&self.core, ino)?;
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
        let inode = self.core.inodes.load(&self.core, ino)?;
        super::names::entries(&self.core, &inode)
    }

    /// The target of the symbolic link `ino`.
    pub fn link_target(&self, ino: Ino) -> Result<Vec<u8>> {
        namespace::read_link(&self.core, &*self.core.inodes.load(&self.core, ino)?)
    }
}
