//! What a crash undoes must not find its old blocks overwritten: a block that lost its sharer, or
//! moved to another place, is written in place only once that is durable.

use super::{BLOCK, Bench};
use crate::{File, NewFile, OpenOptions, Sync, Volume};
use std::sync::Arc;
use untorn_device::MemoryDevice;

/// The writes that may go in place.
const WRITES: [fn(&File, u64, &[u8]); 2] = [
    |file, offset, bytes| file.write_at(offset, bytes, Sync::Visible).unwrap(),
    |file, offset, bytes| {
        file.write_cached(offset, bytes, Sync::Visible).unwrap();
        // A direct read brings them to the device and forces nothing.
        let mut back = vec![0; bytes.len()];
        file.read_at(offset, &mut back).unwrap();
    },
];

/// The volume is gone without a word; what `/file` and `/other` hold when it is opened again.
fn after_a_crash(device: &Arc<MemoryDevice>, volume: Volume) -> [Vec<u8>; 2] {
    volume.abandon();
    let report = |device: &MemoryDevice| {
        untorn_check::check(device, &untorn_check::Options::default()).unwrap().findings
    };
    let volume = Volume::open(Arc::clone(device) as _, OpenOptions::default()).unwrap();
    let both = ["/file", "/other"].map(|name| Bench::contents(&volume.open_file(name).unwrap()));
    volume.close().unwrap();
    assert!(report(device).is_empty(), "{:?}", report(device));
    both
}

#[test]
fn what_lost_its_sharer_is_not_overwritten_before_that_is_durable_check() {
    for write in WRITES {
        let mut bench = Bench::new();
        bench.write(0, 4 * BLOCK, 1);
        let other = bench.share();
        bench.volume.sync().unwrap();
        // The first file goes its own way in one block, durably for nobody yet.
        bench.file.write_atomic(BLOCK, &[2; BLOCK as usize], Sync::Visible).unwrap();
        write(&other, BLOCK, &[3; BLOCK as usize]);
        let Bench { device, volume, file, model, .. } = bench;
        drop((file, other));
        let [first, _] = after_a_crash(&device, volume);
        let mut new = model.clone();
        new[BLOCK as usize..2 * BLOCK as usize].fill(2);
        assert!(first == model || first == new, "the sharer's synced bytes changed");
    }
}

#[test]
fn what_was_exchanged_is_not_overwritten_before_that_is_durable_check() {
    for write in WRITES {
        let mut bench = Bench::new();
        bench.write(0, 4 * BLOCK, 1);
        let other = bench.volume.create_file("/other", NewFile::default()).unwrap();
        other.write_atomic(0, &[2; 4 * BLOCK as usize], Sync::Visible).unwrap();
        bench.volume.sync().unwrap();
        bench.file.exchange_range(0, &other, 0, 4 * BLOCK).unwrap();
        write(&bench.file, BLOCK, &[3; BLOCK as usize]);
        let Bench { device, volume, file, .. } = bench;
        drop((file, other));
        let [_, second] = after_a_crash(&device, volume);
        let whole = second.iter().all(|&byte| byte == 1) || second.iter().all(|&byte| byte == 2);
        assert!(whole, "the other file's synced bytes changed");
    }
}

#[test]
fn what_moved_inside_a_file_is_not_overwritten_before_that_is_durable_check() {
    for write in WRITES {
        let mut bench = Bench::new();
        for block in 0..6 {
            bench.write(block * BLOCK, BLOCK, 10 + block as u8);
        }
        drop(bench.volume.create_file("/other", NewFile::default()).unwrap());
        bench.volume.sync().unwrap();
        bench.file.collapse_range(BLOCK..2 * BLOCK).unwrap();
        write(&bench.file, 2 * BLOCK, &[99; BLOCK as usize]);
        let Bench { device, volume, file, .. } = bench;
        drop(file);
        let [first, _] = after_a_crash(&device, volume);
        let blocks: Vec<u8> = first.chunks(BLOCK as usize).map(|block| block[0]).collect();
        let old = blocks == [10, 11, 12, 13, 14, 15];
        let new = blocks[..2] == [10, 12] && blocks[3..] == [14, 15];
        assert!(old || new, "{blocks:?}");
    }
}
