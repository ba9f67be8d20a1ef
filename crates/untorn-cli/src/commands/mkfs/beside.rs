//! The file that becomes an image when all of it is written.
//!
//! It has no name until then, so nothing of it is left whatever ends the command. Only on hosts
//! that do not know how it has one, which goes with it.

use super::fill::scratch;
use anyhow::Context;
use rustix::fs::{AtFlags, CWD, Mode, OFlags, RenameFlags, linkat, open, renameat_with};
use rustix::io::Errno;
use std::cell::Cell;
use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use untorn_device::{Access, FileDevice};

/// A file beside the image.
pub struct Beside<'a> {
    image: &'a Path,
    /// The name that it has, or gets before the image's.
    path: PathBuf,
    /// Whether that name is its own by now.
    named: Cell<bool>,
    nameless: Option<Nameless>,
}

/// A file without a name, and a path that leads to it.
struct Nameless {
    file: File,
    path: PathBuf,
}

impl<'a> Beside<'a> {
    /// A file beside `image`.
    pub fn new(image: &'a Path) -> anyhow::Result<Self> {
        let name = image.file_name().context("names no file")?;
        let name = format!(".{}.{}", name.to_string_lossy(), std::process::id());
        let path = image.with_file_name(name);
        let nameless = Nameless::new(&scratch(image));
        Ok(Self { image, path, named: Cell::new(false), nameless })
    }

    /// Makes it, of `size` bytes.
    pub fn create(&self, size: u64) -> anyhow::Result<FileDevice> {
        Ok(match &self.nameless {
            Some(nameless) => {
                nameless.file.set_len(size)?;
                FileDevice::open(&nameless.path, Access::ReadWrite)?
            }
            None => {
                let device = FileDevice::create(&self.path, size)?;
                self.named.set(true);
                device
            }
        })
    }

    /// Gives it the name of the image, in place of what may be there.
    pub fn become_image(self, there: bool) -> anyhow::Result<()> {
        if let Some(Nameless { path, .. }) = &self.nameless {
            linkat(CWD, path, CWD, &self.path, AtFlags::SYMLINK_FOLLOW)?;
            self.named.set(true);
        }
        match there {
            true => {
                let permissions = fs::metadata(self.image)?.permissions();
                fs::set_permissions(&self.path, permissions)?;
                fs::rename(&self.path, self.image)?;
            }
            false => {
                match renameat_with(CWD, &self.path, CWD, self.image, RenameFlags::NOREPLACE) {
                    // A host that does not know how.
                    Err(Errno::INVAL | Errno::NOSYS) => fs::rename(&self.path, self.image)?,
                    renamed => renamed?,
                }
            }
        }
        Ok(File::open(scratch(self.image))?.sync_all()?)
    }
}

impl Nameless {
    /// One in `folder`; `None` where the host does not know how.
    fn new(folder: &Path) -> Option<Self> {
        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        let file = File::from(open(folder, flags, Mode::from_raw_mode(0o666)).ok()?);
        let path = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
        path.exists().then_some(Self { file, path })
    }
}

impl Drop for Beside<'_> {
    fn drop(&mut self) {
        // After the renaming there is nothing of this name.
        if self.named.get() {
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn it_has_no_name_until_it_has_the_images() {
        let folder = tempfile::tempdir().unwrap();
        let image = folder.path().join("image");
        for there in [false, true] {
            let beside = Beside::new(&image).unwrap();
            let device = beside.create(4096).unwrap();
            // A killed command drops nothing.
            assert_eq!(names(folder.path()).len(), usize::from(there));
            drop(device);
            beside.become_image(there).unwrap();
            assert_eq!(names(folder.path()), ["image"]);
            assert_eq!(fs::metadata(&image).unwrap().len(), 4096);
        }
        let mut named = Beside::new(&image).unwrap();
        named.nameless = None;
        drop(named.create(8192).unwrap());
        named.become_image(true).unwrap();
        assert_eq!(names(folder.path()), ["image"]);
        assert_eq!(fs::metadata(&image).unwrap().len(), 8192);
    }
}
