//! Whole volumes through the public face: races of many threads, damage that opening meets.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod chains;
mod ends;
mod races;

use std::sync::Arc;
use untorn::{OpenOptions, Volume, mkfs};
use untorn_device::MemoryDevice;

const BLOCK: usize = 4096;

/// A new volume in memory.
fn made() -> Arc<MemoryDevice> {
    let device = Arc::new(MemoryDevice::new(48 << 20));
    let contents = mkfs::Contents::Zeroed;
    mkfs::make(&*device, &mkfs::Options { contents, ..Default::default() }).unwrap();
    device
}

fn open(device: &Arc<MemoryDevice>) -> Volume {
    Volume::open(device.clone(), OpenOptions::default()).unwrap()
}

fn assert_sound(device: &MemoryDevice) {
    let findings = untorn_check::check(device, &Default::default()).unwrap().findings;
    assert!(findings.is_empty(), "{:?}", &findings[..findings.len().min(4)]);
}
