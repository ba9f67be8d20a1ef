//! A device whose reads can be made to cost the same wherever they go.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use untorn_device::{
    BlockDevice, DeviceError, DeviceGeometry, Discarded, MemoryDevice, ReadRequest, WriteRequest,
};

type Result<T> = std::result::Result<T, DeviceError>;

/// A device in memory. While it is blank, whatever is read is zeroes, which come from nowhere: what
/// a large device keeps is in no cache of the processor, and fetching it is not the library's time.
pub(super) struct Blank {
    inner: MemoryDevice,
    blank: AtomicBool,
}

impl Blank {
    pub fn new(size: u64) -> Arc<Self> {
        Arc::new(Self { inner: MemoryDevice::new(size), blank: AtomicBool::new(false) })
    }

    /// Runs `body` while the device is blank.
    pub fn while_blank<R>(&self, body: impl FnOnce() -> R) -> R {
        self.blank.store(true, Ordering::Relaxed);
        let result = body();
        self.blank.store(false, Ordering::Relaxed);
        result
    }

    fn is_blank(&self) -> bool {
        self.blank.load(Ordering::Relaxed)
    }
}

impl BlockDevice for Blank {
    fn geometry(&self) -> DeviceGeometry {
        self.inner.geometry()
    }

    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> Result<()> {
        match self.is_blank() {
            true => bytes.fill(0),
            false => self.inner.read_at(offset, bytes)?,
        }
        Ok(())
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<()> {
        self.inner.write_at(offset, bytes)
    }

    fn flush(&self) -> Result<()> {
        self.inner.flush()
    }

    fn discard(&self, offset: u64, length: u64) -> Result<Discarded> {
        self.inner.discard(offset, length)
    }

    fn read_batch(&self, requests: &mut [ReadRequest<'_>]) -> Result<()> {
        match self.is_blank() {
            true => requests.iter_mut().for_each(|request| request.bytes.fill(0)),
            false => self.inner.read_batch(requests)?,
        }
        Ok(())
    }

    fn write_batch(&self, requests: &[WriteRequest<'_>]) -> Result<()> {
        self.inner.write_batch(requests)
    }
}
