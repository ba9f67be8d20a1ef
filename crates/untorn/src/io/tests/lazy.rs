//! Times of writes in place that wait in memory.

use crate::background::{self, Ages};
use crate::mkfs;
use crate::{
    Background, File, FileFlag, NewFile, NewMetadata, OpenOptions, SetTime, Sync, Times, Volume,
};
use std::sync::Arc;
use std::time::{Duration, Instant};
use untorn_device::MemoryDevice;
use untorn_format::inode::Timestamp;

fn open(device: &Arc<MemoryDevice>, times: Times) -> Volume {
    let options = OpenOptions { times, background: Background::Off, ..OpenOptions::default() };
    Volume::open(device.clone(), options).unwrap()
}

/// A file of one block that is durable, and its time.
fn made(times: Times) -> (Arc<MemoryDevice>, Volume, File, Timestamp) {
    let device = Arc::new(MemoryDevice::new(32 << 20));
    mkfs::make(&*device, &mkfs::Options::default()).unwrap();
    let volume = open(&device, times);
    let file = volume.create_file("/file", NewFile::default()).unwrap();
    file.write_at(0, &[1; 4096], Sync::Durable).unwrap();
    let time = mtime(&volume);
    std::thread::sleep(Duration::from_millis(2));
    (device, volume, file, time)
}

fn mtime(volume: &Volume) -> Timestamp {
    volume.metadata("/file").unwrap().inode.mtime
}

/// The time after a power cut.
fn cut(device: &Arc<MemoryDevice>, volume: Volume, file: File) -> Timestamp {
    drop(file);
    volume.abandon();
    let volume = open(device, Times::Eager);
    let time = mtime(&volume);
    let mut bytes = [0; 4096];
    volume.open_file("/file").unwrap().read_at(0, &mut bytes).unwrap();
    assert_eq!(bytes, [2; 4096]);
    volume.close().unwrap();
    let report = untorn_check::check(&**device, &untorn_check::Options::default()).unwrap();
    assert!(report.findings.is_empty(), "{:?}", report.findings);
    time
}

#[test]
fn a_lazy_time_is_seen_at_once_and_needs_no_journal_check() {
    let (device, volume, file, before) = made(Times::Lazy);
    let sequence = volume.core().store.open_sequence();
    file.write_at(0, &[2; 4096], Sync::Durable).unwrap();
    assert_eq!(volume.core().store.open_sequence(), sequence, "the journal was written");
    assert!(mtime(&volume) > before);
    assert_eq!(cut(&device, volume, file), before, "bytes survive, the time does not");
}

#[test]
fn a_complete_write_and_one_of_a_file_marked_synchronous_keep_their_times_check() {
    for sync in [Sync::Complete, Sync::Durable] {
        let (device, volume, file, before) = made(Times::Lazy);
        if sync == Sync::Durable {
            file.set_flags(file.flags().unwrap().with(FileFlag::Synchronous)).unwrap();
        }
        file.write_at(0, &[2; 4096], sync).unwrap();
        let time = mtime(&volume);
        assert!(time > before);
        assert_eq!(cut(&device, volume, file), time, "{sync:?}");
    }
}

#[test]
fn an_eager_time_survives_with_its_write_check() {
    let (device, volume, file, before) = made(Times::Eager);
    file.write_at(0, &[2; 4096], Sync::Durable).unwrap();
    assert!(cut(&device, volume, file) > before);
}

#[test]
fn syncs_and_closes_make_lazy_times_durable_check() {
    let syncs: [fn(&Volume, &File); 3] = [
        |_, file| file.sync().unwrap(),
        |volume, _| volume.sync().unwrap(),
        |volume, _| volume.clone().close().unwrap(),
    ];
    for sync in syncs {
        let (device, volume, file, before) = made(Times::Lazy);
        file.write_at(0, &[2; 4096], Sync::Visible).unwrap();
        let seen = mtime(&volume);
        sync(&volume, &file);
        let after = cut(&device, volume, file);
        assert!(after == seen && after > before);
    }
}

#[test]
fn lazy_times_are_written_after_a_day_check() {
    let (device, volume, file, before) = made(Times::Lazy);
    file.write_at(0, &[2; 4096], Sync::Durable).unwrap();
    let hours = |hours: u64| Instant::now() + Duration::from_secs(hours * 60 * 60);
    let core = volume.core();
    let pass = |now| background::pass(core, Ages::default(), now, &mut Default::default());
    pass(hours(23));
    let durable = || volume.file(file.ino()).unwrap().inode().core().unwrap().mtime;
    assert_eq!(durable(), before);
    pass(hours(25));
    assert!(durable() > before);
    volume.sync().unwrap();
    assert!(cut(&device, volume, file) > before);
}

#[test]
fn a_time_that_somebody_sets_is_not_overridden_by_a_lazy_one_check() {
    let (device, volume, file, _) = made(Times::Lazy);
    file.write_at(0, &[2; 4096], Sync::Durable).unwrap();
    let set = Timestamp { seconds: 1_000_000, nanos: 5 };
    let change = NewMetadata { mtime: Some(SetTime::To(set)), ..NewMetadata::default() };
    volume.set_metadata_of(file.ino(), &change).unwrap();
    assert_eq!(mtime(&volume), set);
    file.sync().unwrap();
    assert_eq!(cut(&device, volume, file), set);
}

#[test]
fn a_removed_file_takes_its_lazy_time_with_it_check() {
    let (device, volume, file, _) = made(Times::Lazy);
    file.write_at(0, &[2; 4096], Sync::Visible).unwrap();
    drop(file);
    volume.remove("/file").unwrap();
    volume.sync().unwrap();
    volume.close().unwrap();
    let report = untorn_check::check(&*device, &untorn_check::Options::default()).unwrap();
    assert!(report.findings.is_empty(), "{:?}", report.findings);
}
