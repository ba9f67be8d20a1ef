//! Atomic writes proper: what they may read, what they may publish, what a failure leaves.

use super::super::{BLOCK, Bench};
use super::{set_aside, stale_bench};
use crate::io::AtomicWriteLimits;
use crate::{Error, File, LinuxWrite, NewFile, OpenOptions, Position, Sync, Volume, mkfs};
use std::sync::Arc;
use untorn_device::{BlockDevice, MemoryDevice};

/// The ways to write bytes.
type Write = fn(&File, u64, &[u8], Sync) -> crate::Result<()>;
const WRITES: [Write; 3] = [File::write_atomic, File::write_at, File::write_cached];

#[test]
fn h4_blocks_set_aside_show_nothing_of_what_they_hold_model_check() {
    // The calls of the mail that found it, with blocks set aside around each place.
    let mut bench = stale_bench();
    let atomic = [0x57000u64, 0x66000, 0x18000];
    for at in atomic {
        set_aside(&bench, at / BLOCK - 2..at / BLOCK);
        set_aside(&bench, at / BLOCK + 1..at / BLOCK + 7);
        bench.write(at, 0x1000, (at >> 12) as u8);
    }
    let copy = |bench: &mut Bench, from: u64, to: u64| {
        let range = from..from + 0x1000;
        assert_eq!(bench.file.copy_range(to, &bench.file, range.clone()).unwrap(), 0x1000);
        let bytes = bench.model[range.start as usize..range.end as usize].to_vec();
        bench.expect(to, &bytes);
    };
    copy(&mut bench, 0x57000, 0x60800);
    bench.file.truncate(0x11200).unwrap();
    bench.model.truncate(0x11200);
    for at in [0x43000, 0x15000] {
        bench.write(at, 0x1000, (at >> 12) as u8);
        set_aside(&bench, at / BLOCK + 8..at / BLOCK + 11);
    }
    copy(&mut bench, 0xd000, 0x1d800);
    assert!(Bench::contents(&bench.file) == bench.model);
    bench.judge("h4");
}

#[test]
fn h8_the_rest_of_a_block_over_a_hole_is_zeroes_model_check() {
    for write in WRITES {
        for set_aside in [5..6, 0..20] {
            let mut bench = stale_bench();
            bench.write(30 * BLOCK, BLOCK, 1);
            bench.idle(set_aside);
            write(&bench.file, 5 * BLOCK + 1000, &[2; 50], Sync::Visible).unwrap();
            bench.expect(5 * BLOCK + 1000, &[2; 50]);
            // Longer than a block, with both ends inside one.
            write(&bench.file, 8 * BLOCK + 1000, &[3; 9000], Sync::Visible).unwrap();
            bench.expect(8 * BLOCK + 1000, &[3; 9000]);
            bench.judge("h8");
        }
    }
}

#[test]
fn h9_bytes_around_a_write_come_from_the_data_fork_model_check() {
    for write in WRITES {
        let mut bench = stale_bench();
        bench.write(0, 20 * BLOCK, 1);
        bench.idle(3..12);
        write(&bench.file, 5 * BLOCK + 1000, &[2; 50], Sync::Visible).unwrap();
        bench.expect(5 * BLOCK + 1000, &[2; 50]);
        bench.judge("h9");
    }
}

/// A new volume of this shape, and a file on it.
fn made(choose: impl Fn(&mut mkfs::Options)) -> (Arc<MemoryDevice>, Volume, File) {
    let device = Arc::new(MemoryDevice::new(256 << 20));
    let contents = mkfs::Contents::Zeroed;
    let mut options = mkfs::Options { contents, ..mkfs::Options::default() };
    choose(&mut options);
    mkfs::make(&*device, &options).unwrap();
    let volume = Volume::open(device.clone(), OpenOptions::default()).unwrap();
    let file = volume.create_file("/file", NewFile::default()).unwrap();
    (device, volume, file)
}

fn close(device: &MemoryDevice, volume: Volume) {
    volume.close().unwrap();
    let findings = untorn_check::check(device, &Default::default()).unwrap().findings;
    assert!(findings.is_empty(), "{:?}", findings.first());
}

#[test]
fn h15_limits_are_powers_of_two_and_writes_of_that_length_are_done_check() {
    for block_size in [1024, 4096, 16384, 65536] {
        let (device, volume, file) = made(|options| options.block_size = block_size);
        let AtomicWriteLimits { unit_min, unit_max, .. } = file.atomic_write_limits();
        assert!(unit_min.is_power_of_two() && unit_max.is_power_of_two() && unit_min <= unit_max);
        for length in [unit_min, unit_max] {
            let bytes = vec![7; length as usize];
            let at = Position::At(3 * length);
            file.write_rwf_atomic(at, &[&bytes], &LinuxWrite::default()).unwrap();
        }
        let long = vec![7; 2 * unit_max as usize];
        let refused = file.write_rwf_atomic(Position::At(0), &[&long], &LinuxWrite::default());
        assert!(matches!(refused, Err(Error::AtomicRefused(_))));
        drop(file);
        close(&device, volume);
    }
}

#[test]
fn h18_a_volume_that_shares_no_blocks_has_atomic_writes_too_check() {
    let (device, volume, file) = made(|options| options.features.reflink = false);
    let bytes = vec![7; 16 * BLOCK as usize];
    for at in [0, 16 * BLOCK, 0] {
        file.write_rwf_atomic(Position::At(at), &[&bytes], &LinuxWrite::default()).unwrap();
    }
    assert!(Bench::contents(&file) == vec![7; 32 * BLOCK as usize]);
    drop(file);
    close(&device, volume);
}

#[test]
fn h19_many_writers_of_one_file_all_come_to_an_end_check() {
    let bench = Bench::new();
    std::thread::scope(|scope| {
        for writer in 0..8u64 {
            let file = &bench.file;
            scope.spawn(move || {
                let bytes = vec![writer as u8 + 1; 64 << 10];
                for round in 0..16 {
                    let at = (writer + round) % 8 * (64 << 10);
                    file.write_atomic(at, &bytes, Sync::Visible).unwrap();
                }
            });
        }
    });
    let mut bench = bench;
    bench.model = Bench::contents(&bench.file);
    for part in bench.model.chunks(64 << 10) {
        assert!(part.iter().all(|byte| *byte == part[0] && part[0] != 0), "a write was torn");
    }
    bench.judge("h19");
}

#[test]
fn h22_an_atomic_write_over_cached_bytes_that_cannot_be_written_back_fails_whole_check() {
    let mut bench = Bench::new();
    bench.write(0, 8 * BLOCK, 1);
    bench.file.write_cached(3 * BLOCK + 5, &[2; 9000], Sync::Visible).unwrap();
    bench.expect(3 * BLOCK + 5, &[2; 9000]);
    bench.gate.fail();
    let failed = bench.file.write_atomic(2 * BLOCK, &[3; 4 * BLOCK as usize], Sync::Visible);
    assert!(matches!(failed, Err(Error::Device(_))), "{failed:?}");
    bench.gate.open();
    assert!(Bench::contents(&bench.file) == bench.model, "cached bytes were lost");
    bench.judge("h22");
}

#[test]
fn h26_a_write_after_one_that_failed_publishes_its_own_blocks_alone_model_check() {
    let mut bench = stale_bench();
    bench.write(0, 16 * BLOCK, 1);
    let free = bench.core().free_for_data().unwrap() + bench.inode().cow.lock().idle_blocks();
    bench.gate.fail();
    let failed = bench.file.write_atomic(2 * BLOCK, &[3; 9 * BLOCK as usize], Sync::Visible);
    assert!(matches!(failed, Err(Error::Device(_))), "{failed:?}");
    bench.gate.open();
    let idle = bench.inode().cow.lock().idle_blocks();
    assert_eq!(bench.core().free_for_data().unwrap() + idle, free, "blocks are held for nobody");
    bench.write(4 * BLOCK + 9, 100, 4);
    bench.judge("h26");
}

#[test]
fn h29_a_write_that_ends_with_the_machine_leaves_nothing_check() {
    let mut bench = Bench::new();
    bench.write(0, 16 * BLOCK, 1);
    // Two pieces, begun one after the other.
    bench.idle(5..8);
    bench.volume.sync().unwrap();
    let before = bench.volume.space().unwrap().free;
    bench.gate.close();
    let left = std::thread::scope(|scope| {
        let write = || bench.file.write_atomic(2 * BLOCK, &[9; 9 * BLOCK as usize], Sync::Visible);
        let writer = scope.spawn(write);
        bench.gate.wait_until_met();
        let left = Arc::new(bench.device.snapshot());
        bench.gate.open();
        writer.join().unwrap().unwrap();
        left
    });
    let volume = Volume::open(left.clone() as Arc<dyn BlockDevice>, OpenOptions::default());
    let volume = volume.unwrap();
    assert_eq!(volume.space().unwrap().free, before, "blocks are missing");
    let file = volume.open_file("/file").unwrap();
    assert!(Bench::contents(&file) == bench.model, "a part of it is there");
    drop(file);
    close(&left, volume);
    bench.expect(2 * BLOCK, &[9; 9 * BLOCK as usize]);
    bench.judge("h29");
}

#[test]
fn h79_a_file_never_seems_to_lose_its_blocks_while_they_are_replaced_check() {
    let mut bench = Bench::new();
    bench.write(0, 8 * BLOCK, 1);
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for round in 0..200u64 {
                let at = round % 7 * BLOCK;
                bench.file.write_atomic(at, &[2; 2 * BLOCK as usize], Sync::Visible).unwrap();
            }
        });
        while !writer.is_finished() {
            let core = bench.volume.metadata("/file").unwrap().inode;
            assert_eq!((core.blocks, core.size), (8, 8 * BLOCK));
        }
    });
    bench.model = vec![2; 8 * BLOCK as usize];
    bench.judge("h79");
}
