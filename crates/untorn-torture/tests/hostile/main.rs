//! Layouts that nobody wishes for: full and in pieces, a million extents, the smallest log, the
//! largest file, one very large volume.
//!
//! Sizes are a smoke. `UNTORN_HOSTILE_MIB` (full volumes), `UNTORN_HOSTILE_EXTENTS` (a file of so
//! many), `UNTORN_HOSTILE_OPS` (calls on each) make them real.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod edges;
mod full;
mod million;

use std::sync::Arc;
use untorn::{Background, File, NewFile, OpenOptions, Volume, mkfs};
use untorn_device::{BlockDevice, MemoryDevice};

const MIB: u64 = 1 << 20;

fn budget(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(default)
}

/// A new volume in memory.
fn made(size: u64, choose: impl Fn(&mut mkfs::Options)) -> Arc<MemoryDevice> {
    let device = Arc::new(MemoryDevice::new(size));
    let contents = mkfs::Contents::Zeroed;
    let mut options = mkfs::Options { contents, uuid: Some([9; 16]), ..mkfs::Options::default() };
    choose(&mut options);
    mkfs::make(&*device, &options).unwrap();
    device
}

/// The smallest log that a volume of this size and block size may have, in bytes.
fn smallest_log(size: u64, block_size: u32) -> u64 {
    let accepted = |log: u64| {
        let device = MemoryDevice::new(size);
        let contents = mkfs::Contents::Zeroed;
        let log = mkfs::Log { size: Some(log), ..mkfs::Log::default() };
        let options = mkfs::Options { contents, block_size, log, ..mkfs::Options::default() };
        mkfs::make(&device, &options).is_ok()
    };
    (1..512).map(|mib| mib * MIB).find(|&log| accepted(log)).unwrap()
}

fn open(device: &Arc<MemoryDevice>) -> Volume {
    let options = OpenOptions { background: Background::Off, ..OpenOptions::default() };
    Volume::open(device.clone(), options).unwrap()
}

fn create(volume: &Volume, path: &str) -> File {
    volume.create_file(path, NewFile::default()).unwrap()
}

fn contents(file: &File) -> Vec<u8> {
    let mut bytes = vec![0; file.size().unwrap() as usize];
    assert_eq!(file.read_at(0, &mut bytes).unwrap(), bytes.len());
    bytes
}

/// Closes the volume; the checker finds nothing.
fn close(device: &dyn BlockDevice, volume: Volume) {
    volume.close().unwrap();
    let findings = untorn_check::check(device, &Default::default()).unwrap().findings;
    assert!(findings.is_empty(), "{:?}", &findings[..findings.len().min(4)]);
}
