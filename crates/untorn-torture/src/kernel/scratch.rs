//! Where images live: a directory on a filesystem with direct I/O, one folder per test.

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rustix::fs::{FlockOperation, Mode, OFlags};

use super::command;

/// The directory that temporary images go to: `UNTORN_SCRATCH`, else the first of the system's
/// temporary directory and `/var/tmp` that can do direct I/O.
pub fn scratch_root() -> PathBuf {
    if let Some(chosen) = std::env::var_os("UNTORN_SCRATCH") {
        return chosen.into();
    }
    let candidates = [std::env::temp_dir(), PathBuf::from("/var/tmp")];
    let first = candidates.iter().find(|folder| does_direct_io(folder));
    first.unwrap_or(&candidates[0]).clone()
}

fn does_direct_io(folder: &Path) -> bool {
    let Ok(probe) = tempfile::NamedTempFile::new_in(folder) else { return false };
    rustix::fs::open(probe.path(), OFlags::RDWR | OFlags::DIRECT, Mode::empty()).is_ok()
}

/// A folder of one test's images, removed when dropped.
#[derive(Debug)]
pub struct Scratch {
    folder: Owned,
}

impl Scratch {
    /// Makes an empty folder below [`scratch_root`].
    pub fn new() -> Result<Self> {
        Ok(Self { folder: Owned::new(&scratch_root(), IMAGES)? })
    }

    /// The path of the image called `name`, which need not exist.
    pub fn image(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.folder.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(self.path());
    }
}

/// Folders of images begin like this.
const IMAGES: &str = "untorn-images-";

/// A folder with a file called `owner` in it, which its owner holds locked while it lives.
#[derive(Debug)]
pub(super) struct Owned {
    /// The folder.
    pub path: PathBuf,
    _owner: File,
}

impl Owned {
    /// Makes an empty folder whose name begins with `prefix`. Nobody removes it.
    pub fn new(root: &Path, prefix: &str) -> Result<Self> {
        let made = tempfile::Builder::new().prefix(prefix).tempdir_in(root);
        let path = made.with_context(|| format!("no folder in {}", root.display()))?.keep();
        // Locked before it gets its name: whoever sees the name finds the lock taken.
        let owner = File::create(path.join("owner.new"))?;
        rustix::fs::flock(&owner, FlockOperation::NonBlockingLockExclusive)?;
        std::fs::rename(path.join("owner.new"), path.join("owner"))?;
        Ok(Self { path, _owner: owner })
    }

    /// The folders below `root` with this prefix whose owners are dead. They are ours now.
    pub fn orphans(root: &Path, prefix: &str) -> Vec<Self> {
        let Ok(entries) = std::fs::read_dir(root) else { return Vec::new() };
        let paths = entries.flatten().map(|entry| entry.path());
        let named = paths.filter(|path| {
            path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(prefix))
        });
        let orphans = named.filter_map(|path| {
            let owner = File::open(path.join("owner")).ok()?;
            rustix::fs::flock(&owner, FlockOperation::NonBlockingLockExclusive).ok()?;
            Some(Self { path, _owner: owner })
        });
        orphans.collect()
    }
}

/// Removes the images whose owners are dead; nothing is mounted on them any more.
pub(super) fn sweep(root: &Path) {
    for orphan in Owned::orphans(root, IMAGES) {
        let _ = std::fs::remove_dir_all(&orphan.path);
    }
}

/// Copies an image that nobody writes, keeping it sparse.
pub fn copy_image(from: &Path, to: &Path) -> Result<()> {
    let options = ["--sparse=always", "--reflink=auto", "--"].map(std::ffi::OsString::from);
    let mut arguments = options.to_vec();
    arguments.extend([from.into(), to.into()]);
    command::run("cp", &arguments)?;
    Ok(())
}
