//! One file of very many extents: what it costs to open, read, write, clone, check and cut it off.

use super::{MIB, budget, close, create, made, open};
use std::time::{Duration, Instant};
use untorn::{File, Sync};
use untorn_torture::dice::Dice;

const BLOCK: u64 = 1024;
/// Extents made in one commit.
const BATCH: u64 = 500;

fn stamp(extent: u64) -> [u8; BLOCK as usize] {
    [1 + (extent % 251) as u8; BLOCK as usize]
}

/// Tells how long something took.
fn timed<R>(what: &str, times: u32, body: impl FnOnce() -> R) -> (R, Duration) {
    let began = Instant::now();
    let result = body();
    let took = began.elapsed();
    println!("{what}: {took:?}, {:?} each", took / times);
    (result, took)
}

fn expect_block(file: &File, extent: u64, byte: u8) {
    let mut bytes = [0; 2 * BLOCK as usize];
    let count = file.read_at(extent * 2 * BLOCK, &mut bytes).unwrap();
    assert!(count >= BLOCK as usize, "extent {extent}");
    assert!(bytes[..BLOCK as usize].iter().all(|&found| found == byte), "extent {extent}");
    assert!(bytes[BLOCK as usize..].iter().all(|&byte| byte == 0), "behind extent {extent}");
}

#[test]
fn a_file_of_very_many_extents_costs_what_its_work_costs_check() {
    let extents = budget("UNTORN_HOSTILE_EXTENTS", 10_000).next_multiple_of(BATCH);
    // All of it fits into one group, with room for the trees.
    let size = 256 * MIB + extents * BLOCK * 5;
    let device = made(size, |options| {
        options.block_size = BLOCK as u32;
        options.features.nrext64 = true;
    });
    let volume = open(&device);
    let file = create(&volume, "/file");
    timed("made", extents as u32, || {
        for first in (0..extents).step_by(BATCH as usize) {
            let stamps: Vec<_> = (first..first + BATCH).map(|e| (e, stamp(e))).collect();
            let batch = volume.atomic();
            let batch = stamps.iter().fold(batch, |batch, (extent, bytes)| {
                batch.write(&file, extent * 2 * BLOCK, bytes)
            });
            batch.commit(Sync::Visible).unwrap();
        }
    });
    assert_eq!(volume.metadata("/file").unwrap().inode.extents, extents);
    drop(file);
    timed("closed", 1, || volume.close().unwrap());
    let (volume, opening) = timed("opened", 1, || open(&device));
    assert!(opening < Duration::from_secs(2), "opening cost {opening:?}");
    let file = volume.open_file("/file").unwrap();
    let mut dice = Dice::new(5);
    timed("random reads", 1000, || {
        for _ in 0..1000 {
            let extent = dice.below(extents);
            expect_block(&file, extent, stamp(extent)[0]);
        }
    });
    let middle = extents / 2;
    let bytes = vec![254; 40 * BLOCK as usize];
    timed("atomic writes over 20 extents", 50, || {
        for _ in 0..50 {
            file.write_atomic(middle * 2 * BLOCK, &bytes, Sync::Visible).unwrap();
        }
    });
    let other = create(&volume, "/other");
    timed("cloned", extents as u32, || other.clone_from(&file).unwrap());
    expect_block(&other, middle - 1, stamp(middle - 1)[0]);
    timed("atomic writes over shared blocks", 50, || {
        for round in 0..50 {
            file.write_atomic(round * 2 * BLOCK + 100, &[253; 500], Sync::Visible).unwrap();
        }
    });
    expect_block(&other, 7, stamp(7)[0]);
    timed("cut off to nothing", extents as u32, || file.truncate(0).unwrap());
    expect_block(&other, extents - 1, stamp(extents - 1)[0]);
    assert_eq!(volume.metadata("/file").unwrap().inode.blocks, 0);
    drop((file, other));
    timed("closed and checked", extents as u32, || close(&*device, volume));
}
