//! The inode cache keeps its limit; the journal says of inodes what it must.

use crate::{NewFile, NewMetadata, OpenOptions, Removal, Volume, mkfs};
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

#[test]
fn the_journal_carries_an_unlinked_pointer_only_when_it_changes_check() {
    let device = Arc::new(MemoryDevice::new(64 << 20));
    mkfs::make(&*device, &mkfs::Options::default()).unwrap();
    let volume = Volume::open(Arc::clone(&device) as _, OpenOptions::default()).unwrap();
    let file = volume.create_file("/file", NewFile::default()).unwrap();
    let inode = volume.core().inodes.load(volume.core(), file.ino()).unwrap();
    let carries = || inode.logs_unlinked(volume.core().store.open_sequence());
    let change = NewMetadata { uid: Some(5), ..NewMetadata::default() };
    assert!(carries(), "what stood at its home is not known");
    volume.set_metadata_of(file.ino(), &change).unwrap();
    assert!(carries(), "a later commit into the same checkpoint says it again");
    volume.sync().unwrap();
    assert!(!carries(), "an older checkpoint said it");
    volume.set_metadata_of(file.ino(), &change).unwrap();
    assert!(!carries());
    let orphan = volume.detach("/file", Removal::Any).unwrap();
    assert!(carries(), "it stands on a chain now");
    drop((file, orphan, inode));
    volume.close().unwrap();
    assert!(untorn_check::check(&*device, &Default::default()).unwrap().findings.is_empty());
}
