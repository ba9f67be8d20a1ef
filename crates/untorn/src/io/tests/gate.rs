//! A device whose writes can be held up or fail: a write is in flight for as long as a test looks
//! at it.

use parking_lot::{Condvar, Mutex};
use std::sync::Arc;
use std::time::Duration;
use untorn_device::{
    BlockDevice, DeviceError, DeviceGeometry, Discarded, MemoryDevice, Result, WriteRequest,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Door {
    Open,
    /// The next write waits.
    Closed,
    /// A write waits.
    Met,
    /// Writes fail.
    Broken,
}

/// Memory behind a gate.
pub(in crate::io) struct Gate {
    inner: Arc<MemoryDevice>,
    door: Mutex<Door>,
    changed: Condvar,
}

impl Gate {
    pub fn over(inner: Arc<MemoryDevice>) -> Arc<Self> {
        Arc::new(Self { inner, door: Mutex::new(Door::Open), changed: Condvar::new() })
    }

    /// Holds up the next write; those of others that follow it pass.
    pub fn close(&self) {
        *self.door.lock() = Door::Closed;
    }

    /// Waits until a write is held up.
    pub fn wait_until_met(&self) {
        let mut door = self.door.lock();
        while *door != Door::Met {
            let waited = self.changed.wait_for(&mut door, Duration::from_secs(60));
            assert!(!waited.timed_out(), "nobody writes");
        }
    }

    /// Lets the write go on.
    pub fn open(&self) {
        *self.door.lock() = Door::Open;
        self.changed.notify_all();
    }

    /// Lets every write fail, until it is opened.
    pub fn fail(&self) {
        *self.door.lock() = Door::Broken;
    }

    fn pass(&self) -> Result<()> {
        let mut door = self.door.lock();
        if *door == Door::Broken {
            return Err(DeviceError::Unusable("the gate is broken".to_owned()));
        }
        if *door == Door::Closed {
            *door = Door::Met;
            self.changed.notify_all();
            while *door == Door::Met {
                self.changed.wait(&mut door);
            }
        }
        Ok(())
    }
}

impl BlockDevice for Gate {
    fn geometry(&self) -> DeviceGeometry {
        self.inner.geometry()
    }
    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> Result<()> {
        self.inner.read_at(offset, bytes)
    }
    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<()> {
        self.pass()?;
        self.inner.write_at(offset, bytes)
    }
    fn write_batch(&self, requests: &[WriteRequest<'_>]) -> Result<()> {
        self.pass()?;
        self.inner.write_batch(requests)
    }
    fn flush(&self) -> Result<()> {
        self.inner.flush()
    }
    fn discard(&self, offset: u64, length: u64) -> Result<Discarded> {
        self.inner.discard(offset, length)
    }
}
