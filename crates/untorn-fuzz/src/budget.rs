//! A device that answers so many requests and no more.

use std::sync::atomic::{AtomicU64, Ordering};
use untorn_device::{BlockDevice, DeviceError, DeviceGeometry, Discarded, Result};

/// A device that fails every request after so many: whoever loops over it ends.
pub struct Budget<D> {
    device: D,
    left: AtomicU64,
}

impl<D> Budget<D> {
    /// `requests` requests to `device`.
    pub fn new(device: D, requests: u64) -> Self {
        Self { device, left: AtomicU64::new(requests) }
    }

    /// Whether all requests are spent.
    pub fn is_spent(&self) -> bool {
        self.left.load(Ordering::Relaxed) == 0
    }

    fn spend(&self) -> Result<()> {
        let less = |left: u64| left.checked_sub(1);
        match self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less) {
            Ok(_) => Ok(()),
            Err(_) => Err(DeviceError::Unusable("no requests are left".to_owned())),
        }
    }
}

impl<D: BlockDevice> BlockDevice for Budget<D> {
    fn geometry(&self) -> DeviceGeometry {
        self.device.geometry()
    }

    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> Result<()> {
        self.spend()?;
        self.device.read_at(offset, bytes)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<()> {
        self.spend()?;
        self.device.write_at(offset, bytes)
    }

    fn flush(&self) -> Result<()> {
        self.spend()?;
        self.device.flush()
    }

    fn discard(&self, offset: u64, length: u64) -> Result<Discarded> {
        self.spend()?;
        self.device.discard(offset, length)
    }
}
