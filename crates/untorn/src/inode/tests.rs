//! The inode cache keeps its limit.

use crate::{NewFile, OpenOptions, Volume, mkfs};
use std::sync::Arc;
use untorn_device::MemoryDevice;

#[test]
fn a_walk_over_many_inodes_stays_within_the_limit_of_idle_ones() {
    let (files, idle) = (3_000, 64);
    let device = Arc::new(MemoryDevice::new(128 << 20));
    mkfs::make(&*device, &mkfs::Options::default()).unwrap();
    let volume = Volume::open(Arc::clone(&device) as _, OpenOptions::default()).unwrap();
    for number in 0..files {
        drop(volume.create_file(format!("/{number}"), NewFile::default()).unwrap());
    }
    volume.close().unwrap();
    let options = OpenOptions { idle_inodes: idle, ..OpenOptions::default() };
    let volume = Volume::open(device, options).unwrap();
    let mut most = 0;
    for entry in volume.read_dir("/").unwrap() {
        volume.metadata_of(entry.ino).unwrap();
        most = most.max(volume.core().inodes.count());
    }
    // The root is in use; each shard holds its share and the one that it was asked for.
    assert!((idle / 2..=idle + 16 + 1).contains(&most), "{most}");
    let held: Vec<_> = (0..files).map(|n| volume.open_file(format!("/{n}")).unwrap()).collect();
    assert!(volume.core().inodes.count() >= held.len(), "what is in use stays");
    volume.close().unwrap();
}
