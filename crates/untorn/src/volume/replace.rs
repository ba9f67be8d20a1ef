//! Whole files replaced in one commit.

use super::names::demand_no_slash;
use super::{File, NewFile, Volume};
use crate::error::{Error, Result};
use crate::io::Sync;

impl File {
    /// Makes `bytes` all that the file holds, in one commit: after a crash at any time it holds
    /// all of the old bytes or all of the new ones, and nobody ever sees anything else. The inode
    /// stays, with owner, permissions, attributes and links.
    pub fn replace(&self, bytes: &[u8], sync: Sync) -> Result<()> {
        let volume = self.volume.clone();
        volume.atomic().truncate(self, 0).write(self, 0, bytes).commit(sync)
    }
}

impl Volume {
    /// Makes `bytes` all that the file `path` holds, in one commit: what programs do with a
    /// temporary file, a sync and a rename. A file that is there keeps owner, permissions,
    /// attributes and its other names; one that is not is made as `new` says.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use untorn::{NewFile, OpenOptions, Sync, Volume, mkfs};
    /// # let device = Arc::new(untorn_device::MemoryDevice::new(64 << 20));
    /// # mkfs::make(&*device, &mkfs::Options::default()).unwrap();
    /// # let volume = Volume::open(device, OpenOptions::default())?;
    /// volume.replace_file("/settings", b"colour = red", NewFile::default(), Sync::Durable)?;
    /// volume.replace_file("/settings", b"taste = sour", NewFile::default(), Sync::Durable)?;
    /// assert_eq!(volume.metadata("/settings")?.inode.size, 12);
    /// # Ok::<(), untorn::Error>(())
    /// ```
    pub fn replace_file(
        &self,
        path: impl AsRef<[u8]>,
        bytes: &[u8],
        new: NewFile,
        sync: Sync,
    ) -> Result<File> {
        let path = path.as_ref();
        loop {
            match self.open_file(path) {
                Err(Error::NotFound(_)) => demand_no_slash(path)?,
                file => {
                    let file = file?;
                    file.replace(bytes, sync)?;
                    return Ok(file);
                }
            }
            match self.make_whole(path, bytes, new, sync) {
                // Somebody else made it meanwhile.
                Err(Error::Exists(_)) if self.open_file(path).is_ok() => {}
                made => return made,
            }
        }
    }

    /// Makes the file `path` with its contents: it gets its name once they are there.
    fn make_whole(&self, path: &[u8], bytes: &[u8], new: NewFile, sync: Sync) -> Result<File> {
        self.demand_write("create")?;
        let (dir, name) = self.spot(path.into())?;
        let orphan = self.make_unnamed(dir.ino, new)?;
        let file = orphan.file()?;
        if !bytes.is_empty() {
            file.write_atomic(0, bytes, Sync::Visible)?;
        }
        orphan.link(super::Name::In(dir.ino, &name))?;
        if file.at_least(sync)? != Sync::Visible {
            file.sync()?;
        }
        Ok(file)
    }
}
