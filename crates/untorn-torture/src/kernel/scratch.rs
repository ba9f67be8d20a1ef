//! Where images live: a directory on a filesystem with direct I/O, one folder per test.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rustix::fs::{Mode, OFlags};

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
    folder: tempfile::TempDir,
}

impl Scratch {
    /// Makes an empty folder below [`scratch_root`].
    pub fn new() -> Result<Self> {
        let root = scratch_root();
        let made = tempfile::Builder::new().prefix("untorn-images-").tempdir_in(&root);
        let folder = made.with_context(|| format!("cannot make a folder in {}", root.display()))?;
        Ok(Self { folder })
    }

    /// The path of the image called `name`, which need not exist.
    pub fn image(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        self.folder.path()
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
