//! The simulated disk against a naive model of it, and its faults.

mod faults;
mod model;
mod plan;

use untorn_device::{BlockDevice, MemoryDevice};

/// Everything that a device holds.
fn whole(device: &dyn BlockDevice) -> Vec<u8> {
    let mut bytes = vec![0; device.geometry().size as usize];
    device.read_at(0, &mut bytes).unwrap();
    bytes
}

/// The first byte of every sector.
fn firsts(device: &MemoryDevice) -> Vec<u8> {
    let sector_size = device.geometry().sector_size as usize;
    whole(device).chunks(sector_size).map(|sector| sector[0]).collect()
}
