//! Blocks of attributes that were freed belong to whoever has them next, also in a replay.

use super::*;
use crate::dir;
use crate::namespace::dir_fork::DirTx;

/// Fills the volume with one file and makes it durable; its bytes.
fn fill_volume(bench: &Bench) -> Vec<u8> {
    let file = bench.volume.create_file("/all", NewFile::default()).unwrap();
    let bytes = vec![0xab; 4096];
    let mut size = 0;
    while file.write_atomic(size, &bytes, Sync::Visible).is_ok() {
        size += bytes.len() as u64;
    }
    assert!(size > 20 << 20, "the volume is full: {size} bytes");
    file.sync().unwrap();
    vec![0xab; size as usize]
}

/// Leaves the journal as a power cut would and opens the volume again.
fn cut(bench: Bench) -> Bench {
    let Bench { device, volume, ino, model } = bench;
    volume.sync().unwrap();
    volume.abandon();
    let opened: Arc<dyn BlockDevice> = device.clone();
    let volume = Volume::open(opened, OpenOptions::default()).unwrap();
    assert!(!volume.recovery().was_clean, "the journal was replayed");
    Bench { device, volume, ino, model }
}

/// Makes an empty directory that has its two entries in a block.
fn block_directory(bench: &Bench) {
    let core = bench.volume.core();
    let ino = bench.volume.create_dir("/directory", NewFile::default()).unwrap();
    let inode = core.inodes.load(core, ino).unwrap();
    core.transact(16 << 10, &[inode], |tx| dir::leave_inode(&mut DirTx { tx, ino })).unwrap();
    assert_eq!(bench.volume.metadata_of(ino).unwrap().inode.blocks, 1);
}

fn survives(free: impl FnOnce(&mut Bench)) {
    let mut bench = Bench::new(&options(4096, 512));
    for number in 0..200u64 {
        bench.set(format!("attribute-{number}").as_bytes(), &[9; 60]);
    }
    bench.set(b"value", &[9; 30_000]);
    block_directory(&bench);
    bench.volume.sync().unwrap();
    free(&mut bench);
    bench.volume.sync().unwrap();
    let bytes = fill_volume(&bench);
    let bench = cut(bench);
    let file = bench.volume.open_file("/all").unwrap();
    let mut found = vec![0; bytes.len()];
    assert_eq!(file.read_at(0, &mut found).unwrap(), bytes.len());
    let differs = found.iter().zip(&bytes).position(|(a, b)| a != b);
    assert_eq!(differs, None, "a replay wrote over the file");
    drop(file);
    let Bench { device, volume, ino, model } = bench;
    volume.close().unwrap();
    let opened: Arc<dyn BlockDevice> = device.clone();
    let volume = Volume::open(opened, OpenOptions::default()).unwrap();
    Bench { device, volume, ino, model }.check("after the replay");
}

#[test]
fn blocks_of_removed_attributes_are_not_replayed_over_data() {
    survives(|bench| {
        for (_, name) in bench.model.clone().into_keys() {
            bench.remove(&name);
        }
    });
}

#[test]
fn blocks_of_attributes_of_a_removed_file_are_not_replayed_over_data() {
    survives(|bench| bench.volume.remove("/file").unwrap());
}

#[test]
fn blocks_of_a_removed_directory_are_not_replayed_over_data() {
    survives(|bench| bench.volume.remove("/directory").unwrap());
}
