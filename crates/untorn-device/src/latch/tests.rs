//! The first failure is the last thing that happens.

use std::{
    io,
    sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
};

use super::*;
use crate::{Discarded, MemoryDevice, Operation};

/// Counts what it does and fails while `broken` is set.
struct Fragile {
    memory: MemoryDevice,
    broken: AtomicBool,
    done: AtomicU32,
}

impl Fragile {
    fn act(&self, operation: Operation) -> Result<()> {
        self.done.fetch_add(1, Relaxed);
        if !self.broken.load(Relaxed) {
            return Ok(());
        }
        let source = Arc::new(io::Error::other("broken"));
        Err(DeviceError::Io { operation, offset: 0, length: 0, source })
    }
}

impl BlockDevice for Fragile {
    fn geometry(&self) -> DeviceGeometry {
        self.memory.geometry()
    }
    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> Result<()> {
        self.memory.read_at(offset, bytes)
    }
    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<()> {
        self.geometry().check(Operation::Write, offset, bytes.len() as u64)?;
        self.act(Operation::Write)?;
        self.memory.write_at(offset, bytes)
    }
    fn flush(&self) -> Result<()> {
        self.act(Operation::Flush)
    }
    fn discard(&self, _: u64, _: u64) -> Result<Discarded> {
        self.act(Operation::Discard).map(|()| Discarded::Done)
    }
}

fn fragile() -> (Arc<Fragile>, Latch) {
    let memory = MemoryDevice::new(1 << 16);
    let device =
        Arc::new(Fragile { memory, broken: AtomicBool::new(false), done: AtomicU32::new(0) });
    (device.clone(), Latch::new(device))
}

fn is_stopped_by<T>(outcome: Result<T>, operation: Operation) -> bool {
    let Err(DeviceError::Stopped(first)) = outcome else { return false };
    matches!(*first, DeviceError::Io { operation: found, .. } if found == operation)
}

#[test]
fn after_a_failed_write_nothing_is_written_or_flushed_even_if_the_device_recovers() {
    let (device, latch) = fragile();
    device.broken.store(true, Relaxed);
    assert!(matches!(latch.write_at(0, &[1; 512]), Err(DeviceError::Io { .. })));
    device.broken.store(false, Relaxed);
    let done = device.done.load(Relaxed);
    assert!(is_stopped_by(latch.write_at(0, &[1; 512]), Operation::Write));
    let batch = [WriteRequest { offset: 0, bytes: &[1; 512] }];
    assert!(is_stopped_by(latch.write_batch(&batch), Operation::Write));
    assert!(is_stopped_by(latch.flush(), Operation::Write));
    assert!(is_stopped_by(latch.discard(0, 512), Operation::Write));
    assert_eq!(device.done.load(Relaxed), done, "nothing reached the device");
}

#[test]
fn a_failed_flush_stops_the_device_and_reads_go_on() {
    let (device, latch) = fragile();
    latch.write_at(0, &[1; 512]).unwrap();
    device.broken.store(true, Relaxed);
    assert!(matches!(latch.flush(), Err(DeviceError::Io { operation: Operation::Flush, .. })));
    assert!(is_stopped_by(latch.write_at(0, &[2; 512]), Operation::Flush));
    let mut bytes = [0; 512];
    latch.read_at(0, &mut bytes).unwrap();
    assert_eq!(bytes, [1; 512]);
    assert!(latch.stopped().is_some());
}

#[test]
fn a_refused_request_or_a_failed_discard_stops_nothing() {
    let (device, latch) = fragile();
    assert!(latch.write_at(1, &[1; 512]).is_err());
    device.broken.store(true, Relaxed);
    assert!(latch.discard(0, 512).is_err());
    device.broken.store(false, Relaxed);
    latch.write_at(0, &[1; 512]).unwrap();
    latch.flush().unwrap();
    assert!(latch.stopped().is_none());
}
