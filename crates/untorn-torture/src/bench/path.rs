//! Files of a mounted filesystem, reached by system calls.

use super::subject::{Door, Durability, Subject};
use crate::kernel::RWF_ATOMIC;
use anyhow::{Context, Result, ensure};
use rustix::fs::{Advice, OFlags, fadvise};
use rustix::io::{ReadWriteFlags, pwritev2};
use std::fs::{File, OpenOptions};
use std::io::IoSlice;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

/// How a file is overwritten so that a crash does not tear the write.
#[derive(Debug)]
pub(super) enum Overwriting {
    /// By a plain write: a crash may tear it.
    Plain,
    /// By RWF_ATOMIC.
    Atomic,
    /// To this file first, then in place, with a sync after each.
    Twice(File),
    /// In place, then a block to this file, with a sync after each: no less makes bytes durable
    /// before the note that counts them. A crash may tear it.
    Noted(File),
}

/// Bytes of a note.
const NOTE: usize = 4096;

/// A file at a path.
#[derive(Debug)]
pub(super) struct PathFile {
    direct: File,
    cached: File,
    overwriting: Overwriting,
}

/// Opens a file, which is made where there is none, for direct I/O.
pub(super) fn open_direct(path: &Path) -> Result<File> {
    let direct = OFlags::DIRECT.bits().cast_signed();
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).custom_flags(direct);
    options.open(path).with_context(|| format!("no direct I/O on {}", path.display()))
}

impl PathFile {
    /// The file at `path`, which is made where there is none.
    pub fn open(path: &Path, overwriting: Overwriting) -> Result<Self> {
        let direct = open_direct(path)?;
        let cached = OpenOptions::new().read(true).write(true).open(path)?;
        Ok(Self { direct, cached, overwriting })
    }

    fn file(&self, door: Door) -> &File {
        match door {
            Door::Cached => &self.cached,
            Door::Direct | Door::Atomic => &self.direct,
        }
    }
}

fn write_once(file: &File, offset: u64, bytes: &[u8], flags: ReadWriteFlags) -> Result<()> {
    let written = pwritev2(file, &[IoSlice::new(bytes)], offset, flags)?;
    ensure!(written == bytes.len(), "{written} of {} bytes were written", bytes.len());
    Ok(())
}

impl Subject for PathFile {
    fn overwrite(&self, offset: u64, bytes: &[u8], durability: Durability) -> Result<()> {
        let flags = match durability {
            Durability::Unsynced => ReadWriteFlags::empty(),
            Durability::Dsync => ReadWriteFlags::DSYNC,
        };
        match &self.overwriting {
            Overwriting::Plain => write_once(&self.direct, offset, bytes, flags),
            Overwriting::Atomic => write_once(&self.direct, offset, bytes, flags | RWF_ATOMIC),
            Overwriting::Twice(side) => {
                side.write_all_at(bytes, 0)?;
                side.sync_data()?;
                self.direct.write_all_at(bytes, offset)?;
                Ok(self.direct.sync_data()?)
            }
            Overwriting::Noted(side) => {
                self.direct.write_all_at(bytes, offset)?;
                self.direct.sync_data()?;
                side.write_all_at(&bytes[..bytes.len().min(NOTE)], 0)?;
                Ok(side.sync_data()?)
            }
        }
    }

    fn write(&self, door: Door, offset: u64, bytes: &[u8]) -> Result<()> {
        Ok(self.file(door).write_all_at(bytes, offset)?)
    }

    fn read(&self, door: Door, offset: u64, bytes: &mut [u8]) -> Result<()> {
        Ok(self.file(door).read_exact_at(bytes, offset)?)
    }

    fn sync(&self) -> Result<()> {
        Ok(self.cached.sync_data()?)
    }

    fn forget(&self) -> Result<()> {
        self.cached.sync_data()?;
        Ok(fadvise(&self.cached, 0, None, Advice::DontNeed)?)
    }
}
