//! Fills mounted volumes through Linux, so that readers meet every form that XFS has.
//!
//! A recipe and a seed give the same calls every time; what Linux makes of them (inode numbers,
//! placement) may vary with its version. Counts scale with the block size, so that each form is
//! reached on 1 KiB blocks as on 64 KiB blocks. What the volume cannot hold (shared extents without
//! `reflink`) is left out.

mod attributes;
mod directories;
mod extents;
mod files;
mod shatter;

use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use rustix::io::Errno;

use super::life::Life;
use crate::dice::Dice;

/// What a volume is filled with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recipe {
    /// Each form of directory, file, fork, attribute and inode once; wants about 150 MB.
    EveryForm,
    /// Many small files in a few directories, some removed again.
    ManyFiles {
        /// How many are made.
        count: u64,
    },
    /// One directory of many long names: many free-index blocks, deep hash trees.
    HugeDirectory {
        /// How many names.
        names: u64,
    },
    /// Full of small files, then every other one removed, then files written into the gaps.
    Shattered,
    /// Free space in single blocks; the rest belongs to one file with as many extents.
    Crumbs {
        /// How many free blocks.
        blocks: u64,
    },
    /// What many random operations leave.
    Aged {
        /// How many operations.
        operations: u64,
    },
}

/// Fills the volume mounted at `root`.
pub fn fill(root: &Path, recipe: Recipe, seed: u64) -> Result<()> {
    let mut site = Site::new(root, seed)?;
    match recipe {
        Recipe::EveryForm => every_form(&mut site),
        Recipe::ManyFiles { count } => files::many(&mut site, count),
        Recipe::HugeDirectory { names } => directories::huge(&mut site, names),
        Recipe::Shattered => shatter::shattered(&mut site),
        Recipe::Crumbs { blocks } => shatter::crumbs(&mut site, blocks),
        Recipe::Aged { operations } => {
            let mut life = Life::new(&site.folder("aged")?, site.dice.roll())?;
            (0..operations).try_for_each(|_| life.step().map(drop)).map_err(Into::into)
        }
    }
}

fn every_form(site: &mut Site) -> Result<()> {
    directories::every_form(site)?;
    files::every_form(site)?;
    extents::every_form(site)?;
    attributes::every_form(site)?;
    files::many(site, 2000)
}

/// The place being filled.
struct Site {
    root: PathBuf,
    dice: Dice,
    /// Block size of the volume in bytes.
    block: u64,
}

impl Site {
    fn new(root: &Path, seed: u64) -> Result<Self> {
        let block = rustix::fs::statvfs(root)?.f_bsize;
        Ok(Self { root: root.to_owned(), dice: Dice::new(seed), block })
    }

    /// A new directory of that name in the root.
    fn folder(&self, name: &str) -> Result<PathBuf> {
        let path = self.root.join(name);
        std::fs::create_dir_all(&path)?;
        Ok(path)
    }

    /// Free blocks that anybody may take.
    fn free_blocks(&self) -> Result<u64> {
        Ok(rustix::fs::statvfs(&self.root)?.f_bavail)
    }
}

/// Writes a file. See [`write_at`].
fn write(path: &Path, bytes: impl AsRef<[u8]>) -> Result<()> {
    write_at(&File::create(path)?, bytes.as_ref(), 0)
}

/// Writes bytes at an offset, again where Linux finds no memory: blocks larger than a page need
/// page cache in as long pieces, and a busy machine may have none at the moment.
fn write_at(file: &File, bytes: &[u8], offset: u64) -> Result<()> {
    for _ in 0..100 {
        match file.write_all_at(bytes, offset) {
            Err(error) if error.kind() == ErrorKind::OutOfMemory => {}
            other => return Ok(other?),
        }
        file.sync_data()?;
        // Asks the kernel to put free memory together; not every kernel can.
        let _ = std::fs::write("/proc/sys/vm/compact_memory", "1");
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(file.write_all_at(bytes, offset)?)
}

/// What grows to a number of numbered things and then shrinks to those that stay.
type Shrunk<'a> = (&'a str, u64, &'a dyn Fn(u64) -> bool);

/// What the volume does not offer is not an error.
fn if_supported(result: Result<()>) -> Result<()> {
    match result {
        Err(error) if error.downcast_ref() == Some(&Errno::OPNOTSUPP) => Ok(()),
        other => other,
    }
}
