//! Opening a device of the host: what lies at the path, how large it is, how its bytes move.
//!
//! Invariants: nothing is read or written before the file is ours.

use std::{
    fs::{self, File},
    io,
    ops::RangeInclusive,
    os::unix::fs::{FileExt, FileTypeExt, MetadataExt, OpenOptionsExt},
    path::Path,
    sync::Arc,
};

use rustix::{
    fs::{AtFlags, OFlags, SeekFrom, StatxFlags, fcntl_getfl, fcntl_setfl, seek, statx},
    io::Errno,
};

use super::{FileDevice, Kind, ownership};
use crate::{AlignedBuffer, DeviceError, DeviceGeometry, Result};

/// What the device will be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Reading; others may read at the same time.
    ReadOnly,
    /// Reading and writing; nobody else may have it.
    ReadWrite,
}

/// How bytes move between memory and the medium.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caching {
    /// Past the host's page cache.
    Direct,
    /// Through the host's page cache.
    Buffered,
}

/// How a device of the host is to be opened.
#[derive(Clone, Debug)]
pub struct OpenOptions {
    access: Access,
    sector_size: Option<u32>,
    caching: Caching,
}

/// Sector size, in bytes, of a regular file unless asked otherwise.
const SECTOR_SIZE: u32 = 512;
/// The sector sizes that can be asked for, in bytes, if they are powers of two.
const SECTOR_SIZES: RangeInclusive<u32> = 512..=65536;
/// Memory alignment, in bytes, where a host that takes direct I/O does not say what it wants.
const CAUTIOUS_ALIGNMENT: u32 = 4096;

impl OpenOptions {
    /// Direct I/O where the host allows it; 512-byte sectors, or those of the block node.
    pub fn new(access: Access) -> Self {
        Self { access, sector_size: None, caching: Caching::Direct }
    }

    /// Asks for sectors of `bytes` bytes: a power of two from 512 to 65536, and for a block node
    /// not smaller than its own.
    pub fn sector_size(self, bytes: u32) -> Self {
        Self { sector_size: Some(bytes), ..self }
    }

    /// [`Caching::Direct`] is a wish, [`Caching::Buffered`] an order.
    pub fn caching(self, caching: Caching) -> Self {
        Self { caching, ..self }
    }

    /// Opens what lies at `path`. See [`FileDevice::open`].
    pub fn open(self, path: impl AsRef<Path>) -> Result<FileDevice> {
        self.check_sector_size()?;
        let path = path.as_ref();
        let metadata = fs::metadata(path).map_err(|error| open_error(path, error))?;
        match kind_of(&metadata) {
            Some(Kind::RegularFile) => self.open_file(path, &metadata),
            Some(Kind::BlockNode) => self.open_node(path, &metadata),
            None => Err(DeviceError::Unusable(format!(
                "{} is neither a regular file nor a block device",
                path.display()
            ))),
        }
    }

    /// Creates a regular file of `size` bytes and opens it. See [`FileDevice::create`].
    pub fn create(self, path: impl AsRef<Path>, size: u64) -> Result<FileDevice> {
        self.check_sector_size()?;
        let path = path.as_ref();
        let file = fs::OpenOptions::new().read(true).write(true).create_new(true).open(path);
        let file = file.map_err(|error| open_error(path, error))?;
        self.sized(path, file, size).inspect_err(|_| {
            // It was made here, just now.
            let _ = fs::remove_file(path);
        })
    }

    /// Gives a new file its size and opens it.
    fn sized(self, path: &Path, file: fs::File, size: u64) -> Result<FileDevice> {
        ownership::claim_file(&file, path, self.access)?;
        file.set_len(size).map_err(|error| open_error(path, error))?;
        let sector_size = self.sector_size.unwrap_or(SECTOR_SIZE);
        self.finish(path, file, Kind::RegularFile, size, sector_size)
    }

    fn check_sector_size(&self) -> Result<()> {
        match self.sector_size {
            Some(wish) if !SECTOR_SIZES.contains(&wish) || !wish.is_power_of_two() => {
                Err(DeviceError::Unusable(format!(
                    "a sector size of {wish} bytes is not a power of two from {} to {}",
                    SECTOR_SIZES.start(),
                    SECTOR_SIZES.end()
                )))
            }
            _ => Ok(()),
        }
    }

    fn open_file(self, path: &Path, expected: &fs::Metadata) -> Result<FileDevice> {
        let file = self.open_unchanged(path, expected, OFlags::empty())?;
        ownership::claim_file(&file, path, self.access)?;
        let size = file.metadata().map_err(|error| open_error(path, error))?.len();
        let sector_size = self.sector_size.unwrap_or(SECTOR_SIZE);
        self.finish(path, file, Kind::RegularFile, size, sector_size)
    }

    fn open_node(self, path: &Path, expected: &fs::Metadata) -> Result<FileDevice> {
        let opened = self.open_unchanged(path, expected, OFlags::EXCL);
        let file = opened.map_err(|error| ownership::explain_node(error, path, expected.rdev()))?;
        let own = rustix::fs::ioctl_blksszget(&file).map_err(|e| open_error(path, e.into()))?;
        let size = seek(&file, SeekFrom::End(0)).map_err(|e| open_error(path, e.into()))?;
        let sector_size = self.sector_size.unwrap_or(own);
        if sector_size < own {
            return Err(DeviceError::Unusable(format!(
                "{} has sectors of {own} bytes; it cannot be used in sectors of {sector_size}",
                path.display()
            )));
        }
        self.finish(path, file, Kind::BlockNode, size, sector_size)
    }

    /// Opens the path and makes sure that it still leads to what was looked at.
    fn open_unchanged(&self, path: &Path, expected: &fs::Metadata, flags: OFlags) -> Result<File> {
        let file = fs::OpenOptions::new()
            .read(true)
            .write(self.access == Access::ReadWrite)
            .custom_flags(flags.bits().cast_signed())
            .open(path)
            .map_err(|error| open_error(path, error))?;
        let found = file.metadata().map_err(|error| open_error(path, error))?;
        if (found.dev(), found.ino()) != (expected.dev(), expected.ino()) {
            return Err(DeviceError::Busy(format!(
                "{} was replaced while it was being opened; try again",
                path.display()
            )));
        }
        Ok(file)
    }

    fn finish(
        self,
        path: &Path,
        file: File,
        kind: Kind,
        size: u64,
        sector_size: u32,
    ) -> Result<FileDevice> {
        let size = size - size % u64::from(sector_size);
        if size == 0 {
            return Err(DeviceError::Unusable(format!(
                "{} is smaller than one sector of {sector_size} bytes",
                path.display()
            )));
        }
        let direct = self.go_direct(&file, sector_size).map_err(|e| open_error(path, e.into()))?;
        let caching = direct.map_or(Caching::Buffered, |_| Caching::Direct);
        let memory_alignment = direct.unwrap_or(1);
        let read_only = self.access == Access::ReadOnly;
        let geometry = DeviceGeometry { size, sector_size, memory_alignment, read_only };
        Ok(FileDevice { path: path.to_owned(), file, geometry, caching, kind })
    }

    /// Switches the descriptor to direct I/O if that is wished and the host takes whole sectors.
    /// Returns the memory alignment that the host wants.
    fn go_direct(&self, file: &File, sector_size: u32) -> rustix::io::Result<Option<u32>> {
        let alignment = match self.caching {
            Caching::Direct => wanted_alignment(file, sector_size)?,
            Caching::Buffered => None,
        };
        let Some(alignment) = alignment else { return Ok(None) };
        let flags = fcntl_getfl(file)?;
        match fcntl_setfl(file, flags | OFlags::DIRECT) {
            Ok(()) => {}
            Err(Errno::INVAL) => return Ok(None),
            Err(error) => return Err(error),
        }
        if takes_direct_reads(file, sector_size, alignment) {
            return Ok(Some(alignment));
        }
        fcntl_setfl(file, flags)?;
        Ok(None)
    }
}

/// The memory alignment that direct I/O in whole sectors needs; none where the host says that it
/// has no direct I/O or moves larger units only. A host that says nothing is tried with caution.
fn wanted_alignment(file: &File, sector_size: u32) -> rustix::io::Result<Option<u32>> {
    let status = match statx(file, "", AtFlags::EMPTY_PATH, StatxFlags::DIOALIGN) {
        Ok(status) => status,
        Err(Errno::NOSYS) => return Ok(Some(CAUTIOUS_ALIGNMENT)),
        Err(error) => return Err(error),
    };
    if !StatxFlags::from_bits_retain(status.stx_mask).contains(StatxFlags::DIOALIGN) {
        return Ok(Some(CAUTIOUS_ALIGNMENT));
    }
    let (memory, unit) = (status.stx_dio_mem_align, status.stx_dio_offset_align);
    let fits = memory.is_power_of_two() && unit > 0 && sector_size.is_multiple_of(unit);
    Ok(fits.then_some(memory))
}

/// Some hosts accept the flag and refuse the first request.
fn takes_direct_reads(file: &File, sector_size: u32, alignment: u32) -> bool {
    let mut sector = AlignedBuffer::zeroed(sector_size as usize, alignment as usize);
    let refused = Some(Errno::INVAL.raw_os_error());
    file.read_at(&mut sector, 0).map_or_else(|error| error.raw_os_error() != refused, |_| true)
}

fn kind_of(metadata: &fs::Metadata) -> Option<Kind> {
    let kind = metadata.file_type();
    match (kind.is_file(), kind.is_block_device()) {
        (true, _) => Some(Kind::RegularFile),
        (_, true) => Some(Kind::BlockNode),
        _ => None,
    }
}

/// The host would not open, or tell about, what lies at the path.
pub(super) fn open_error(path: &Path, source: io::Error) -> DeviceError {
    DeviceError::Open { path: path.to_owned(), source: Arc::new(source) }
}
