//! Volumes under a scheduler that chooses, wherever a thread takes a lock or asks the device, who
//! goes on; many orders of a few threads instead of few orders of many.
//!
//! ```text
//!   tests -> untorn (volume/) -> untorn-store (store/) -> parking_lot (locks/)
//!            the same sources    the same sources         shuttle
//! ```
//! Production code knows nothing of it: the packages below build its sources a second time, with
//! other locks under the name `parking_lot`.
//!
//! - A run that fails prints its schedule; `shuttle::replay` follows it again.
//! - A deadlock is found at once: nobody can go on.
//! - Not seen here: orders inside atomics and `Arc`, the background thread, closing while others
//!   work (who closes is known by the thread of the machine, and here all share one).

use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::{Config, Runner};
use std::sync::Arc;
use untorn_device::{BlockDevice, DeviceGeometry, Discarded, Result};
use untorn_torture::disk::SimDisk;

/// Schedules of each kind that are tried: a smoke, or `UNTORN_SCHEDULES`.
pub fn schedules() -> usize {
    std::env::var("UNTORN_SCHEDULES").ok().and_then(|n| n.parse().ok()).unwrap_or(20)
}

/// Runs `body` under many schedules: half of them all by chance, half with few changes of who goes
/// on, at places by chance.
pub fn explore(body: impl Fn() + Send + Sync + 'static) {
    let body = Arc::new(body);
    let again = Arc::clone(&body);
    Runner::new(RandomScheduler::new(schedules()), roomy()).run(move || again());
    Runner::new(PctScheduler::new(3, schedules()), roomy()).run(move || body());
}

/// Runs `body` once, where locks can be taken: under the scheduler alone.
pub fn once(body: impl Fn() + Send + Sync + 'static) {
    Runner::new(RandomScheduler::new(1), roomy()).run(body);
}

/// Stacks as threads of the machine have them; the scheduler's own 32 KiB overflow.
fn roomy() -> Config {
    let mut config = Config::new();
    config.stack_size = 2 << 20;
    config
}

/// A disk before whose requests others may have their turn.
pub struct Slow(pub Arc<SimDisk>);

impl BlockDevice for Slow {
    fn geometry(&self) -> DeviceGeometry {
        self.0.geometry()
    }
    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> Result<()> {
        self.0.read_at(offset, bytes)
    }
    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<()> {
        shuttle::thread::yield_now();
        self.0.write_at(offset, bytes)
    }
    fn flush(&self) -> Result<()> {
        shuttle::thread::yield_now();
        let flushed = self.0.flush();
        shuttle::thread::yield_now();
        flushed
    }
    fn discard(&self, offset: u64, length: u64) -> Result<Discarded> {
        self.0.discard(offset, length)
    }
}
