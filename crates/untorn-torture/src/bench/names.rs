//! Who has directories: untorn through its library, Linux through system calls.
//!
//! Both begin with volumes that our `mkfs` made alike, on images in one folder.

use super::peer::{format_and_open, rewrite, sparse_image};
use crate::kernel::{Caching, MountOptions, Mounted, demand};
use anyhow::Result;
use std::fs::{File, OpenOptions as HostOptions};
use std::path::Path;
use tempfile::TempPath;
use untorn::dir::Cookie;
use untorn::{NewFile, OpenOptions, Rename, Volume};

/// Somebody with a tree of names. Paths are absolute inside the volume.
pub(super) trait Names: std::marker::Sync {
    /// Who it is, in one word.
    fn name(&self) -> &'static str;

    /// Makes a directory.
    fn make_dir(&self, path: &str) -> Result<()>;

    /// Removes an empty directory.
    fn remove_dir(&self, path: &str) -> Result<()>;

    /// Makes an empty file and closes it.
    fn create(&self, path: &str) -> Result<()>;

    /// Looks what a name names.
    fn stat(&self, path: &str) -> Result<()>;

    /// Reads a whole directory; how many entries it has.
    fn list(&self, path: &str) -> Result<usize>;

    /// Gives a file another name.
    fn rename(&self, from: &str, to: &str) -> Result<()>;

    /// Removes a file.
    fn remove(&self, path: &str) -> Result<()>;

    /// Makes everything durable.
    fn sync(&self) -> Result<()>;
}

/// untorn on an image.
pub(super) struct OurNames {
    volume: Volume,
    _image: TempPath,
}

impl OurNames {
    /// A new volume of `size` bytes in the folder.
    pub fn new(folder: &Path, size: u64) -> Result<Self> {
        let image = sparse_image(folder, size)?;
        rewrite(&image)?;
        let volume = format_and_open(&image, OpenOptions::default())?;
        Ok(Self { volume, _image: image })
    }
}

impl Names for OurNames {
    fn name(&self) -> &'static str {
        "untorn"
    }

    fn make_dir(&self, path: &str) -> Result<()> {
        self.volume.create_dir(path, NewFile { permissions: 0o755, ..NewFile::default() })?;
        Ok(())
    }

    fn remove_dir(&self, path: &str) -> Result<()> {
        Ok(self.volume.remove(path)?)
    }

    fn create(&self, path: &str) -> Result<()> {
        drop(self.volume.create_file(path, NewFile::default())?);
        Ok(())
    }

    fn stat(&self, path: &str) -> Result<()> {
        self.volume.metadata(path)?;
        Ok(())
    }

    fn list(&self, path: &str) -> Result<usize> {
        let mut listing = self.volume.list_dir(path, Cookie::START)?;
        // Without the directory itself and the one above.
        let counted = listing.try_fold(0, |count, entry| entry.map(|_| count + 1));
        Ok(counted? - 2)
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        self.volume.rename(from, to, Rename::Replace)?;
        Ok(())
    }

    fn remove(&self, path: &str) -> Result<()> {
        Ok(self.volume.remove(path)?)
    }

    fn sync(&self) -> Result<()> {
        Ok(self.volume.sync()?)
    }
}

/// Linux XFS on a loop device with direct I/O over an image.
pub(super) struct LinuxNames {
    mounted: Mounted,
    root: String,
    /// Goes when dropped, after the mount.
    _image: TempPath,
}

impl LinuxNames {
    /// A new volume of `size` bytes in the folder; nothing where the kernel cannot be asked.
    pub fn new(folder: &Path, size: u64) -> Result<Option<Self>> {
        if !demand() {
            return Ok(None);
        }
        let image = sparse_image(folder, size)?;
        rewrite(&image)?;
        format_and_open(&image, OpenOptions::default())?.close()?;
        let (caching, options) = (Caching::Direct, "nodiscard".to_owned());
        let options = MountOptions { caching, options, ..MountOptions::default() };
        let mounted = Mounted::with(&image, &options)?;
        let root = mounted.at("").to_string_lossy().trim_end_matches('/').to_owned();
        Ok(Some(Self { mounted, root, _image: image }))
    }

    fn at(&self, path: &str) -> String {
        [&self.root, path].concat()
    }
}

impl Names for LinuxNames {
    fn name(&self) -> &'static str {
        "linux"
    }

    fn make_dir(&self, path: &str) -> Result<()> {
        Ok(std::fs::create_dir(self.at(path))?)
    }

    fn remove_dir(&self, path: &str) -> Result<()> {
        Ok(std::fs::remove_dir(self.at(path))?)
    }

    fn create(&self, path: &str) -> Result<()> {
        let file: File = HostOptions::new().write(true).create_new(true).open(self.at(path))?;
        drop(file);
        Ok(())
    }

    fn stat(&self, path: &str) -> Result<()> {
        std::fs::symlink_metadata(self.at(path))?;
        Ok(())
    }

    fn list(&self, path: &str) -> Result<usize> {
        let mut count = 0;
        for entry in std::fs::read_dir(self.at(path))? {
            entry?;
            count += 1;
        }
        Ok(count)
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        Ok(std::fs::rename(self.at(from), self.at(to))?)
    }

    fn remove(&self, path: &str) -> Result<()> {
        Ok(std::fs::remove_file(self.at(path))?)
    }

    fn sync(&self) -> Result<()> {
        self.mounted.sync()
    }
}
