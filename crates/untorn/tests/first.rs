//! First slice: make, open, create, write, close, open, read.
use std::sync::Arc;
use untorn::{NewFile, OpenOptions, Sync, Volume, mkfs};
use untorn_device::{BlockDevice, MemoryDevice};

#[test]
fn a_file_survives_closing_and_opening() {
    let mut options = mkfs::Options { contents: mkfs::Contents::Zeroed, ..Default::default() };
    options.features.rmapbt = std::env::var("RMAP").is_ok();
    options.features.reflink = std::env::var("REFLINK").is_ok();
    let memory = MemoryDevice::new(64 << 20);
    let device: Arc<dyn BlockDevice> = Arc::new(memory.snapshot());
    mkfs::make(&*device, &options).unwrap();
    let volume = Volume::open(device.clone(), OpenOptions::default()).unwrap();
    volume.create_dir("/d", NewFile::default()).unwrap();
    let file = volume.create_file("/d/f", NewFile::default()).unwrap();
    let bytes: Vec<u8> = (0..100_000u32).map(|i| i as u8).collect();
    file.write_atomic(10, &bytes, Sync::Durable).unwrap();
    file.write_atomic(5000, &bytes[..9000], Sync::Visible).unwrap();
    volume.clone().close().unwrap();
    let volume = Volume::open(device.clone(), OpenOptions::default()).unwrap();
    assert!(volume.recovery().was_clean);
    let file = volume.open_file("/d/f").unwrap();
    let mut read = vec![0; 200_000];
    let n = file.read_at(0, &mut read).unwrap();
    assert_eq!(n, 100_010);
    let mut expect = vec![0; 10];
    expect.extend(&bytes);
    expect[5000..14000].copy_from_slice(&bytes[..9000]);
    assert_eq!(&read[..n], &expect[..]);
    if let Ok(out) = std::env::var("OUT") {
        let mut all = vec![0; 64 << 20];
        device.read_at(0, &mut all).unwrap();
        std::fs::write(out, all).unwrap();
    }
}
