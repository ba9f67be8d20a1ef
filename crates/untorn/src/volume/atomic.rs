//! Atomic writes of several ranges and files, and the door of `RWF_ATOMIC`.

use super::file::at_least;
use super::{File, Volume};
use crate::error::{Error, Result};
use crate::inode::Inode;
use crate::io::{self, AtomicWriteLimits, Beside, LinuxWrite, Position, Step, Sync};
use crate::namespace::{NewMetadata, change_metadata_in};
use crate::tx::Tx;
use std::sync::Arc;

/// Journal bytes that new metadata of one more file is expected to take: its inode is counted with
/// its bytes.
const METADATA_SHARE: u64 = 1024;

/// Changes of files that happen together or not at all. Made by [`Volume::atomic`].
#[must_use = "a batch does nothing until it is committed"]
pub struct Atomic<'v, 'b> {
    volume: &'v Volume,
    steps: Vec<(Arc<Inode>, Step<'b>)>,
    metadata: Vec<(Arc<Inode>, NewMetadata)>,
    /// A file of another volume was named.
    foreign: Option<Error>,
}

impl Volume {
    /// Begins a batch: any number of writes to any ranges of any files of this volume, and new
    /// sizes, in one commit. After a power cut, a crash or an error at any time all of it is there
    /// or nothing; readers never see a part.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use untorn::{NewFile, OpenOptions, Sync, Volume, mkfs};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let device = Arc::new(untorn_device::MemoryDevice::new(64 << 20));
    /// # mkfs::make(&*device, &mkfs::Options::default())?;
    /// # let volume = Volume::open(device, OpenOptions::default())?;
    /// let accounts = volume.create_file("/accounts", NewFile::default())?;
    /// let log = volume.create_file("/log", NewFile::default())?;
    /// volume
    ///     .atomic()
    ///     .write(&accounts, 0, b"debit")
    ///     .write(&accounts, 8192, b"credit")
    ///     .write(&log, 0, b"moved")
    ///     .truncate(&log, 5)
    ///     .commit(Sync::Durable)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn atomic<'b>(&self) -> Atomic<'_, 'b> {
        Atomic { volume: self, steps: Vec::new(), metadata: Vec::new(), foreign: None }
    }
}

impl<'b> Atomic<'_, 'b> {
    /// Adds a write of `bytes` at byte `offset` of `file`. Where writes overlap, later ones win.
    pub fn write(self, file: &File, offset: u64, bytes: &'b [u8]) -> Self {
        self.add(file, Step::Write(offset, bytes))
    }

    /// Makes `file` so many bytes long; what is cut off is gone, what is added is zeroes.
    pub fn truncate(self, file: &File, size: u64) -> Self {
        self.add(file, Step::Truncate(size))
    }

    /// Changes owner, permissions and times of `file` with its bytes, which count as changed:
    /// nobody ever sees new bytes under old permissions, or old ones under new.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use untorn::{NewFile, OpenOptions, Volume, mkfs};
    /// use untorn::{NewMetadata, Sync};
    ///
    /// # let device = Arc::new(untorn_device::MemoryDevice::new(64 << 20));
    /// # mkfs::make(&*device, &mkfs::Options::default()).unwrap();
    /// # let volume = Volume::open(device, OpenOptions::default())?;
    /// # let file = volume.create_file("/key", NewFile::default())?;
    /// let private = NewMetadata { permissions: Some(0o600), ..NewMetadata::default() };
    /// let batch = volume.atomic().write(&file, 0, b"secret");
    /// batch.set_metadata(&file, private).commit(Sync::Durable)?;
    /// # Ok::<(), untorn::Error>(())
    /// ```
    pub fn set_metadata(mut self, file: &File, change: NewMetadata) -> Self {
        self.metadata.push((Arc::clone(&file.inode), change));
        self.add(file, Step::Hold)
    }

    fn add(mut self, file: &File, step: Step<'b>) -> Self {
        if !Arc::ptr_eq(&self.volume.core, &file.volume.core) {
            let what = format!("inode {} is a file of another volume", file.ino());
            self.foreign = Some(Error::Invalid(what));
        }
        self.steps.push((Arc::clone(&file.inode), step));
        self
    }

    /// Does all of it. A batch that one journal transaction cannot carry is refused with
    /// [`Error::TooLarge`], one that does not find space with [`Error::NoSpace`]; nothing changed
    /// then. It is durable where one of its files is marked synchronous, whatever `sync` says.
    pub fn commit(self, sync: Sync) -> Result<()> {
        self.volume.demand_write("write")?;
        if let Some(error) = self.foreign {
            return Err(error);
        }
        let Self { volume, steps, metadata, .. } = self;
        let sync = steps.iter().try_fold(sync, |sync, (inode, _)| at_least(inode, sync))?;
        let run = |tx: &mut Tx<'_>| {
            let mut all = metadata.iter();
            all.try_for_each(|(inode, change)| change_metadata_in(tx, inode, change))
        };
        let beside = Beside { bytes: METADATA_SHARE * metadata.len() as u64, run: &run };
        io::commit_batch(&volume.core, steps, &beside, sync)
    }
}

impl File {
    /// What an `RWF_ATOMIC` write to this file may be, as `statx` tells it.
    pub fn atomic_write_limits(&self) -> AtomicWriteLimits {
        self.volume.core.atomic_write_limits()
    }

    /// Writes as `pwritev2` with `RWF_ATOMIC` does on Linux 6.18: the length a power of two, the
    /// offset a multiple of it, one buffer, within [`File::atomic_write_limits`]; refused in the
    /// same order with [`Error::AtomicRefused`] otherwise. [`File::write_atomic`] has none of these
    /// limits.
    pub fn write_rwf_atomic(
        &self,
        position: Position,
        buffers: &[&[u8]],
        how: &LinuxWrite,
    ) -> Result<usize> {
        self.volume.demand_write("write")?;
        let how = LinuxWrite { sync: self.at_least(how.sync)?, ..*how };
        io::write_linux(&self.volume.core, &self.inode, position, buffers, &how)
    }
}
