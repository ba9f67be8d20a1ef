//! The [`BlockDevice`] trait, what a device says about itself, and requests to it.
//!
//! Never here: a device.

use std::sync::Arc;

use crate::{DeviceError, Operation, Result};

/// What a device is: its size and the unit it reads and writes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceGeometry {
    /// Size in bytes.
    pub size: u64,
    /// Logical sector size in bytes: every offset and length given to the device is a multiple of
    /// it (512 or 4096).
    pub sector_size: u32,
    /// Address and length alignment in bytes at which the device reads and writes the caller's
    /// memory without a copy (1 when any memory will do).
    pub memory_alignment: u32,
    /// Writes are refused.
    pub read_only: bool,
}

impl DeviceGeometry {
    /// Whether a request of `length` bytes at byte `offset` is whole sectors inside the device and
    /// may be made at all ([`DeviceError::Misaligned`], [`DeviceError::OutOfRange`],
    /// [`DeviceError::ReadOnly`]).
    pub fn check(&self, operation: Operation, offset: u64, length: u64) -> Result<()> {
        let (size, sector_size) = (self.size, self.sector_size);
        if self.read_only && matches!(operation, Operation::Write | Operation::Discard) {
            return Err(DeviceError::ReadOnly);
        }
        if !(offset | length).is_multiple_of(u64::from(sector_size)) {
            return Err(DeviceError::Misaligned { operation, offset, length, sector_size });
        }
        match offset.checked_add(length) {
            Some(end) if end <= size => Ok(()),
            _ => Err(DeviceError::OutOfRange { operation, offset, length, size }),
        }
    }
}

/// One write of a batch: bytes and the byte offset that they go to.
#[derive(Clone, Copy, Debug)]
pub struct WriteRequest<'a> {
    /// Byte offset on the device.
    pub offset: u64,
    /// The bytes.
    pub bytes: &'a [u8],
}

/// One read of a batch: where to read from and the memory that receives it.
#[derive(Debug)]
pub struct ReadRequest<'a> {
    /// Byte offset on the device.
    pub offset: u64,
    /// The memory, filled whole.
    pub bytes: &'a mut [u8],
}

/// What a device did about bytes that nobody needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Discarded {
    /// It gave back what held them.
    Done,
    /// Nothing: it cannot.
    Ignored,
}

/// An array of bytes that survives.
pub trait BlockDevice: Send + Sync {
    /// Size, sector size, memory alignment.
    fn geometry(&self) -> DeviceGeometry;
    /// Fills `bytes` from byte `offset`. Memory that is not aligned is bounced.
    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> Result<()>;
    /// Writes `bytes` at byte `offset`. Volatile until flushed. Memory that is not aligned is
    /// bounced.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<()>;
    /// Makes every write that returned before this call durable.
    fn flush(&self) -> Result<()>;
    /// Says that the bytes are not needed; they read as anything afterwards. A hint: whether the
    /// device can do anything with it.
    fn discard(&self, offset: u64, length: u64) -> Result<Discarded>;
    /// Fills every request; requests may proceed in any order and at the same time.
    fn read_batch(&self, requests: &mut [ReadRequest<'_>]) -> Result<()> {
        requests.iter_mut().try_for_each(|r| self.read_at(r.offset, r.bytes))
    }
    /// Writes every request; requests may proceed in any order and at the same time.
    fn write_batch(&self, requests: &[WriteRequest<'_>]) -> Result<()> {
        requests.iter().try_for_each(|r| self.write_at(r.offset, r.bytes))
    }
}

impl<D: BlockDevice + ?Sized> BlockDevice for Arc<D> {
    fn geometry(&self) -> DeviceGeometry {
        (**self).geometry()
    }
    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> Result<()> {
        (**self).read_at(offset, bytes)
    }
    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<()> {
        (**self).write_at(offset, bytes)
    }
    fn flush(&self) -> Result<()> {
        (**self).flush()
    }
    fn discard(&self, offset: u64, length: u64) -> Result<Discarded> {
        (**self).discard(offset, length)
    }
    fn read_batch(&self, requests: &mut [ReadRequest<'_>]) -> Result<()> {
        (**self).read_batch(requests)
    }
    fn write_batch(&self, requests: &[WriteRequest<'_>]) -> Result<()> {
        (**self).write_batch(requests)
    }
}
