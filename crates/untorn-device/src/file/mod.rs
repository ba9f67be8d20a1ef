//! Devices of the host: regular files that hold an image, and block nodes.
//!
//! - `open`: options, what kind of thing lies at a path, sizes, direct I/O or not
//! - `ownership`: nobody else has it, or the error says who
//! - `host`: what the kernel says about mounts, loop devices and locks
//! - `transfer`: moving bytes, direct or bounced, alone or in batches
//!
//! Invariants: from opening to drop the file is locked, or the node is held exclusively. Bytes
//! move either always past the host's page cache or always through it, never both ways, so that
//! the two never disagree.
//!
//! Direct I/O is used where the host's file system takes it in units no larger than the device's
//! sectors. Where the host wants larger units (an image with 512-byte sectors on a disk with 4096)
//! everything goes through the page cache: reading, changing and writing whole host blocks here
//! would need locks against writers of neighbouring sectors and gain nothing on the page cache.
//!
//! Never here: retries of failed requests.

mod host;
mod open;
mod ownership;
mod transfer;

use std::{
    fmt,
    fs::File,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustix::{
    fs::{FallocateFlags, FlockOperation, fallocate, flock},
    io::Errno,
};

pub use self::open::{Access, Caching, OpenOptions};
use self::transfer::Channel;
use crate::{
    BlockDevice, DeviceError, DeviceGeometry, Discarded, Operation, ReadRequest, Result,
    WriteRequest, raw,
};

/// A regular file or a block node that this process owns.
pub struct FileDevice {
    path: PathBuf,
    file: File,
    geometry: DeviceGeometry,
    caching: Caching,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    RegularFile,
    BlockNode,
}

impl FileDevice {
    /// Opens the regular file or block node at `path` with 512-byte sectors (a node: its own) and
    /// direct I/O where the host allows it. [`DeviceError::Busy`] where somebody else has it: the
    /// kernel mounted it, a loop device is attached to it, another process holds it.
    pub fn open(path: impl AsRef<Path>, access: Access) -> Result<Self> {
        OpenOptions::new(access).open(path)
    }

    /// Creates a regular file of `size` bytes, all of it a hole, and opens it for writing. Refuses
    /// a path that exists. `size` is a multiple of 512.
    pub fn create(path: impl AsRef<Path>, size: u64) -> Result<Self> {
        OpenOptions::new(Access::ReadWrite).create(path, size)
    }

    /// The path that it was opened at.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether bytes move directly or through the host's page cache.
    pub fn caching(&self) -> Caching {
        self.caching
    }

    fn channel(&self) -> Channel<'_> {
        let alignment = self.geometry.memory_alignment as usize;
        Channel { file: &self.file, alignment }
    }

    fn check(&self, operation: Operation, offset: u64, length: usize) -> Result<()> {
        self.geometry.check(operation, offset, length as u64)
    }
}

impl Drop for FileDevice {
    fn drop(&mut self) {
        // A process that another thread is starting has this descriptor too until it runs its
        // program; the lock must not last until then. On a node there is none to let go.
        let _ = flock(&self.file, FlockOperation::Unlock);
    }
}

/// The device's error for a request that the host refused.
fn io_error(operation: Operation, offset: u64, length: u64, source: io::Error) -> DeviceError {
    DeviceError::Io { operation, offset, length, source: Arc::new(source) }
}

impl BlockDevice for FileDevice {
    fn geometry(&self) -> DeviceGeometry {
        self.geometry
    }

    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> Result<()> {
        self.check(Operation::Read, offset, bytes.len())?;
        let length = bytes.len() as u64;
        let read = self.channel().read(offset, bytes);
        read.map_err(|error| io_error(Operation::Read, offset, length, error))
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<()> {
        self.check(Operation::Write, offset, bytes.len())?;
        let written = self.channel().write(offset, bytes);
        written.map_err(|error| io_error(Operation::Write, offset, bytes.len() as u64, error))
    }

    fn flush(&self) -> Result<()> {
        if self.geometry.read_only {
            return Ok(());
        }
        let size = self.geometry.size;
        self.file.sync_data().map_err(|error| io_error(Operation::Flush, 0, size, error))
    }

    fn discard(&self, offset: u64, length: u64) -> Result<Discarded> {
        self.geometry.check(Operation::Discard, offset, length)?;
        if length == 0 {
            return Ok(Discarded::Done);
        }
        let hole = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        let outcome = match self.kind {
            Kind::RegularFile => fallocate(&self.file, hole, offset, length),
            Kind::BlockNode => raw::discard_on_node(&self.file, offset, length),
        };
        match outcome {
            Ok(()) => Ok(Discarded::Done),
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(Discarded::Ignored),
            Err(error) => Err(io_error(Operation::Discard, offset, length, error.into())),
        }
    }

    fn read_batch(&self, requests: &mut [ReadRequest<'_>]) -> Result<()> {
        for request in requests.iter() {
            self.check(Operation::Read, request.offset, request.bytes.len())?;
        }
        for run in requests.chunk_by_mut(|a, b| a.offset + a.bytes.len() as u64 == b.offset) {
            let [first, ..] = run else { continue };
            let offset = first.offset;
            let length = run.iter().map(|request| request.bytes.len() as u64).sum();
            let read = self.channel().read_run(offset, run);
            read.map_err(|error| io_error(Operation::Read, offset, length, error))?;
        }
        Ok(())
    }

    fn write_batch(&self, requests: &[WriteRequest<'_>]) -> Result<()> {
        for request in requests {
            self.check(Operation::Write, request.offset, request.bytes.len())?;
        }
        for run in requests.chunk_by(|a, b| a.offset + a.bytes.len() as u64 == b.offset) {
            let [first, ..] = run else { continue };
            let length = run.iter().map(|request| request.bytes.len() as u64).sum();
            let written = self.channel().write_run(first.offset, run);
            written.map_err(|error| io_error(Operation::Write, first.offset, length, error))?;
        }
        Ok(())
    }
}

impl fmt::Debug for FileDevice {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("FileDevice")
            .field("path", &self.path)
            .field("kind", &self.kind)
            .field("geometry", &self.geometry)
            .field("caching", &self.caching)
            .finish()
    }
}

#[cfg(test)]
mod tests;
