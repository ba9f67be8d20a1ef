//! A device that stops for good at its first failed write or flush.
//!
//! After a failed flush nobody knows which of the earlier writes are durable, and a second flush
//! may report success without them. So nothing is written after a failure: what the journal says
//! then stays true, and recovery finds a volume that a power cut could have left.
//!
//! Invariants: once a write or flush has failed, none begins any more, and each later one is
//! answered with the first failure. Reads go on. A request that was refused before anything was
//! written (misaligned, out of range, read-only) stops nothing, nor does a failed discard.
//!
//! Never here: retries; a way to start again.

use std::sync::{Arc, OnceLock};

use crate::{
    BlockDevice, DeviceError, DeviceGeometry, Discarded, ReadRequest, Result, WriteRequest,
};

/// Wraps a device so that its first failed write or flush is its last.
pub struct Latch {
    device: Arc<dyn BlockDevice>,
    first: OnceLock<Arc<DeviceError>>,
}

impl Latch {
    /// A latch on `device`, not stopped.
    pub fn new(device: Arc<dyn BlockDevice>) -> Self {
        Self { device, first: OnceLock::new() }
    }

    /// The failure that stopped the device, if one did.
    pub fn stopped(&self) -> Option<Arc<DeviceError>> {
        self.first.get().cloned()
    }

    fn check(&self) -> Result<()> {
        self.stopped().map_or(Ok(()), |first| Err(DeviceError::Stopped(first)))
    }

    fn watch(&self, outcome: Result<()>) -> Result<()> {
        if let Err(error @ (DeviceError::Io { .. } | DeviceError::Stopped(_))) = &outcome {
            self.first.get_or_init(|| Arc::new(error.clone()));
        }
        outcome
    }
}

impl BlockDevice for Latch {
    fn geometry(&self) -> DeviceGeometry {
        self.device.geometry()
    }

    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> Result<()> {
        self.device.read_at(offset, bytes)
    }

    fn read_batch(&self, requests: &mut [ReadRequest<'_>]) -> Result<()> {
        self.device.read_batch(requests)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<()> {
        self.check()?;
        self.watch(self.device.write_at(offset, bytes))
    }

    fn write_batch(&self, requests: &[WriteRequest<'_>]) -> Result<()> {
        self.check()?;
        self.watch(self.device.write_batch(requests))
    }

    fn flush(&self) -> Result<()> {
        self.check()?;
        self.watch(self.device.flush())?;
        // What the caller concludes from this flush must not rest on a write of somebody else
        // that failed while it ran.
        self.check()
    }

    fn discard(&self, offset: u64, length: u64) -> Result<Discarded> {
        self.check()?;
        self.device.discard(offset, length)
    }
}

#[cfg(test)]
mod tests;
