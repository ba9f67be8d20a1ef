//! Namespace workloads against the model, under power cuts, in many threads, and with Linux as the
//! judge.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod alike;
mod chunks;
mod cuts;
mod deep;
mod full;
mod kernel;
mod lookups;
mod model;
mod rounds;
mod threads;

use std::sync::Arc;
use untorn::{OpenOptions, Volume, mkfs};
use untorn_device::{BlockDevice, MemoryDevice};

/// A number from the environment.
fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(default)
}

/// What kind of volume a workload runs on.
#[derive(Clone, Copy, Debug)]
struct Shape {
    block_size: u32,
    inode_size: u32,
}

const PLAIN: Shape = Shape { block_size: 4096, inode_size: 512 };

fn made(shape: Shape) -> Arc<MemoryDevice> {
    let device = Arc::new(MemoryDevice::new(64 << 20));
    let Shape { block_size, inode_size } = shape;
    let options = mkfs::Options {
        block_size,
        inode_size,
        contents: mkfs::Contents::Zeroed,
        ..Default::default()
    };
    mkfs::make(&*device, &options).unwrap();
    device
}

fn open<D: BlockDevice + 'static>(device: &Arc<D>) -> Volume {
    let device: Arc<dyn BlockDevice> = device.clone();
    Volume::open(device, OpenOptions::default()).unwrap()
}

#[track_caller]
fn assert_sound(device: &dyn BlockDevice, what: &str) {
    let findings = untorn_check::check(device, &Default::default()).unwrap().findings;
    assert!(findings.is_empty(), "{what}: {:?}", &findings[..findings.len().min(4)]);
}
