//! Block devices: where bytes live. Knows nothing of XFS.
//!
//! A [`BlockDevice`] is an array of bytes with a logical sector size. Writes are volatile until a
//! [`BlockDevice::flush`] that began after they returned has itself returned. All methods take
//! `&self` and may be called from many threads; two writes to the same sectors at the same time
//! leave either content, sector by sector.
//!
//! Never here: knowledge of what the bytes mean, caching of them, or retries after an error.

use std::sync::Arc;

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

/// What the device was asked to do when it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Opening it.
    Open,
    /// Reading bytes.
    Read,
    /// Writing bytes.
    Write,
    /// Making earlier writes durable.
    Flush,
    /// Giving space back.
    Discard,
}

/// Why a device could not do what it was asked.
#[derive(Clone, Debug, thiserror::Error)]
pub enum DeviceError {
    /// The host refused or the medium failed.
    #[error("{operation:?} of {length} bytes at byte {offset} failed: {source}")]
    Io {
        /// What was asked.
        operation: Operation,
        /// Byte offset on the device.
        offset: u64,
        /// Length in bytes.
        length: u64,
        /// The host's error.
        source: Arc<std::io::Error>,
    },
    /// The request reaches past the end of the device.
    #[error(
        "{operation:?} of {length} bytes at byte {offset} reaches past the end of the device ({size} bytes)"
    )]
    OutOfRange {
        /// What was asked.
        operation: Operation,
        /// Byte offset on the device.
        offset: u64,
        /// Length in bytes.
        length: u64,
        /// Size of the device in bytes.
        size: u64,
    },
    /// Offset or length is not a multiple of the sector size.
    #[error(
        "{operation:?} of {length} bytes at byte {offset} is not aligned to {sector_size}-byte sectors"
    )]
    Misaligned {
        /// What was asked.
        operation: Operation,
        /// Byte offset on the device.
        offset: u64,
        /// Length in bytes.
        length: u64,
        /// Sector size in bytes.
        sector_size: u32,
    },
    /// The device was opened read-only.
    #[error("the device was opened read-only")]
    ReadOnly,
    /// Somebody else has the device: the text says who.
    #[error("{0}")]
    Busy(String),
    /// An earlier write or flush failed; nothing more is written (see the first error).
    #[error("the device was stopped by an earlier failure: {0}")]
    Stopped(Arc<DeviceError>),
    /// Not a device, partition or window that can be opened: the text says why and what to do.
    #[error("{0}")]
    Unusable(String),
}

/// Result of a device request.
pub type Result<T> = std::result::Result<T, DeviceError>;

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
    /// Says that the bytes are not needed; they read as anything afterwards. A hint.
    fn discard(&self, offset: u64, length: u64) -> Result<()>;
    /// Fills every request; requests may proceed in any order and at the same time.
    fn read_batch(&self, requests: &mut [ReadRequest<'_>]) -> Result<()> {
        requests.iter_mut().try_for_each(|r| self.read_at(r.offset, r.bytes))
    }
    /// Writes every request; requests may proceed in any order and at the same time.
    fn write_batch(&self, requests: &[WriteRequest<'_>]) -> Result<()> {
        requests.iter().try_for_each(|r| self.write_at(r.offset, r.bytes))
    }
}
