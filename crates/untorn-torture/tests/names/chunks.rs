//! Chunks of inodes come and go, whole or in parts.

use super::{PLAIN, assert_sound, made, open};
use std::sync::Arc;
use untorn::{EmptyChunks, Make, Name, NewFile, OpenOptions, Sync, Volume};
use untorn_device::MemoryDevice;
use untorn_torture::kernel::{Mounted, Scratch, demand, tree, xfs_repair_n};

const MANY: usize = 300;

fn make_many(volume: &Volume) -> Vec<(untorn_format::Ino, String)> {
    let mut all = Vec::new();
    for i in 0..MANY {
        let dir = format!("/d{}", i / 40);
        if i % 40 == 0 {
            volume.make(&dir, Make::Directory, NewFile::default()).unwrap();
        }
        let name = format!("{i}");
        let dir = volume.lookup(&dir).unwrap();
        volume.make(Name::In(dir, name.as_bytes()), Make::File, NewFile::default()).unwrap();
        all.push((dir, name));
    }
    all
}

fn remove_all(volume: &Volume, all: &[(untorn_format::Ino, String)]) {
    for (dir, name) in all {
        volume.detach(Name::In(*dir, name.as_bytes()), untorn::Removal::Any).unwrap();
    }
    for i in 0..MANY.div_ceil(40) {
        volume.remove(format!("/d{i}")).unwrap();
    }
}

#[test]
fn chunks_that_nobody_uses_are_given_back_check() {
    let device = made(PLAIN);
    let volume = open(&device);
    let before = volume.space().unwrap();
    let all = make_many(&volume);
    assert!(volume.space().unwrap().inodes >= before.inodes + MANY as u64);
    remove_all(&volume, &all);
    volume.sync().unwrap();
    let after = volume.space().unwrap();
    assert_eq!((after.inodes, after.free), (before.inodes, before.free));
    // The blocks serve other things at once.
    let file = volume.create_file("/large", NewFile::default()).unwrap();
    file.write_atomic(0, &vec![7; 8 << 20], Sync::Durable).unwrap();
    volume.close().unwrap();
    assert_sound(&*device, "after chunks were given back");
}

#[test]
fn chunks_stay_where_that_was_asked_check() {
    let device = made(PLAIN);
    let options = OpenOptions { empty_chunks: EmptyChunks::Keep, ..OpenOptions::default() };
    let volume = Volume::open(device.clone(), options).unwrap();
    let all = make_many(&volume);
    let most = volume.space().unwrap().inodes;
    remove_all(&volume, &all);
    assert_eq!(volume.space().unwrap().inodes, most);
    volume.close().unwrap();
    assert_sound(&*device, "with empty chunks");
}

/// A volume whose free space is runs of four blocks, too short for a whole chunk.
fn shattered() -> Arc<MemoryDevice> {
    let device = made(PLAIN);
    let volume = open(&device);
    let file = volume.create_file("/comb", NewFile::default()).unwrap();
    let blocks = volume.space().unwrap().available - 64;
    file.allocate(0..blocks * 4096, untorn::SizeRule::Keep).unwrap();
    for at in (0..blocks - 8).step_by(8) {
        file.punch_hole(at * 4096..(at + 4) * 4096).unwrap();
    }
    let rest = volume.create_file("/rest", NewFile::default()).unwrap();
    let _ = rest.allocate(0..48 * 4096, untorn::SizeRule::Keep);
    volume.close().unwrap();
    device
}

#[test]
fn parts_of_chunks_are_made_where_space_is_shattered_check() {
    let device = shattered();
    let volume = open(&device);
    let all = make_many(&volume);
    volume.close().unwrap();
    assert_sound(&*device, "with parts of chunks");
    if demand() {
        let scratch = Scratch::new().unwrap();
        let image = scratch.image("parts.img");
        device.store(&image).unwrap();
        xfs_repair_n(&image).unwrap().assert_clean();
        let mounted = Mounted::new(&image).unwrap();
        assert!(tree(&mounted.root()).unwrap().len() > MANY);
        mounted.unmount().unwrap();
    }
    let volume = open(&device);
    remove_all(&volume, &all);
    volume.close().unwrap();
    assert_sound(&*device, "after parts of chunks were given back");
}
