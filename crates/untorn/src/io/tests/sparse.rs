//! Blocks that are freed go back to the device at once, where the volume was opened so.

use crate::{Error, FreedBlocks, NewFile, OpenOptions, Sync, Trim, Volume, mkfs};
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use untorn_device::{Access, BlockDevice, DeviceGeometry, Discarded, FileDevice, MemoryDevice};

fn discarding() -> OpenOptions {
    OpenOptions { freed: FreedBlocks::Discard, ..OpenOptions::default() }
}

/// A device that cannot discard and counts who asked.
struct Deaf(MemoryDevice, std::sync::atomic::AtomicU64);

impl BlockDevice for Deaf {
    fn geometry(&self) -> DeviceGeometry {
        self.0.geometry()
    }
    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> untorn_device::Result<()> {
        self.0.read_at(offset, bytes)
    }
    fn write_at(&self, offset: u64, bytes: &[u8]) -> untorn_device::Result<()> {
        self.0.write_at(offset, bytes)
    }
    fn flush(&self) -> untorn_device::Result<()> {
        self.0.flush()
    }
    fn discard(&self, _: u64, _: u64) -> untorn_device::Result<Discarded> {
        self.1.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Ok(Discarded::Ignored)
    }
}

fn assert_clean(device: &dyn BlockDevice) {
    let report = untorn_check::check(device, &untorn_check::Options::default()).unwrap();
    assert!(report.findings.is_empty(), "{:?}", report.findings.first());
}

#[test]
fn an_image_file_stays_as_sparse_as_its_volume_is_empty_check() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("image");
    std::fs::File::create(&path).unwrap().set_len(64 << 20).unwrap();
    let device = Arc::new(FileDevice::open(&path, Access::ReadWrite).unwrap());
    mkfs::make(&*device, &mkfs::Options::default()).unwrap();
    let volume = Volume::open(device.clone(), discarding()).unwrap();
    let taken = || std::fs::metadata(&path).unwrap().blocks() * 512;
    let kept = volume.create_file("/kept", NewFile::default()).unwrap();
    kept.write_atomic(0, &[7; 300_000], Sync::Durable).unwrap();
    let before = taken();
    let file = volume.create_file("/file", NewFile::default()).unwrap();
    file.write_atomic(0, &vec![1; 16 << 20], Sync::Durable).unwrap();
    assert!(taken() >= before + (16 << 20));
    file.truncate(0).unwrap();
    volume.sync().unwrap();
    assert!(taken() < before + (1 << 20), "{} bytes, {before} before", taken());
    let mut found = vec![0; 300_000];
    kept.read_at(0, &mut found).unwrap();
    assert!(found == [7; 300_000]);
    drop((kept, file));
    volume.close().unwrap();
    assert_clean(&*device);
}

#[test]
fn a_device_that_cannot_discard_is_told_once_and_trimming_it_is_refused_check() {
    let device = Arc::new(Deaf(MemoryDevice::new(64 << 20), Default::default()));
    mkfs::make(&*device, &mkfs::Options::default()).unwrap();
    let volume = Volume::open(device.clone(), discarding()).unwrap();
    let file = volume.create_file("/file", NewFile::default()).unwrap();
    for round in 0..4 {
        file.write_atomic(0, &[round; 10_000], Sync::Durable).unwrap();
    }
    let asked = || device.1.load(std::sync::atomic::Ordering::Relaxed);
    assert_eq!(asked(), 1);
    let refused = volume.trim(&Trim::default(), |_| ()).unwrap_err();
    assert!(matches!(refused, Error::Unsupported { .. }), "{refused}");
    drop(file);
    volume.close().unwrap();
    assert_clean(&*device);
}
