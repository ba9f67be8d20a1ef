//! States of the CoW fork, and cached bytes above it.

use super::super::{BLOCK, Bench};
use super::stale_bench;
use crate::inode::CowSpan;
use crate::io::Request;
use crate::io::begin::Begun;
use crate::{Error, Sync};
use untorn_format::FileBlock;

#[test]
fn h31_a_reservation_that_gets_blocks_beside_idle_ones_stays_apart_from_them_model_check() {
    let mut bench = stale_bench();
    bench.write(0, 16 * BLOCK, 1);
    bench.idle(6..10);
    bench.delalloc(2..6);
    {
        let request = Request { offset: 3 * BLOCK, length: 2 * BLOCK };
        let blocks = vec![std::ops::Range { start: 3, end: 5 }];
        let _begun = Begun::new(bench.core(), bench.inode(), request, blocks).unwrap();
        let cow = bench.inode().cow.lock();
        assert_eq!(cow.at(FileBlock(2), 16), CowSpan::Delalloc { end: 3 });
        assert!(matches!(cow.at(FileBlock(3), 16), CowSpan::InFlight { .. }));
        assert!(matches!(cow.at(FileBlock(4), 16), CowSpan::InFlight { end: 5, .. }));
        assert_eq!(cow.at(FileBlock(5), 16), CowSpan::Delalloc { end: 6 });
        assert!(matches!(cow.at(FileBlock(6), 16), CowSpan::Idle { end: 10, .. }));
    }
    assert!(Bench::contents(&bench.file) == bench.model);
    drop(bench.inode().cow.lock().remove(0..u64::MAX));
    bench.judge("h31");
}

#[test]
fn h36_writers_that_write_back_one_reservation_lose_nothing_model_check() {
    let mut bench = stale_bench();
    bench.write(0, BLOCK, 1);
    let length = 16 * BLOCK;
    for round in 0..30u8 {
        // One reservation for all, over a hole.
        bench.file.truncate(BLOCK).unwrap();
        bench.model.truncate(BLOCK as usize);
        bench.file.write_cached(BLOCK, &vec![round + 1; length as usize], Sync::Visible).unwrap();
        bench.expect(BLOCK, &vec![round + 1; length as usize]);
        std::thread::scope(|scope| {
            for writer in 0..3u64 {
                let file = &bench.file;
                scope.spawn(move || {
                    let at = (2 + writer * 5) * BLOCK + 77;
                    file.write_cached(at, &[100 + writer as u8; 5000], Sync::Durable).unwrap();
                });
            }
        });
        for writer in 0..3u64 {
            bench.expect((2 + writer * 5) * BLOCK + 77, &[100 + writer as u8; 5000]);
        }
        assert!(Bench::contents(&bench.file) == bench.model, "round {round}");
    }
    bench.judge("h36");
}

#[test]
fn h39_blocks_set_aside_are_mapped_only_where_something_was_written_check() {
    let mut bench = stale_bench();
    bench.write(0, BLOCK, 1);
    bench.idle(2..12);
    bench.file.write_cached(5 * BLOCK, &[2; BLOCK as usize], Sync::Durable).unwrap();
    bench.expect(5 * BLOCK, &[2; BLOCK as usize]);
    let mapped: Vec<_> = bench.extents().iter().map(|e| (e.0, e.2)).collect();
    assert_eq!(mapped, [(0, 1), (5, 1)]);
    bench.judge("h39");
}

#[test]
fn h45_a_cached_write_that_fails_leaves_the_reservations_of_others_check() {
    let mut bench = Bench::new();
    bench.write(0, 2 * BLOCK, 1);
    bench.file.write_cached(3 * BLOCK, &[2; BLOCK as usize], Sync::Visible).unwrap();
    bench.expect(3 * BLOCK, &[2; BLOCK as usize]);
    let promised = bench.core().promised.blocks();
    // More than there is: refused after the first blocks were looked at.
    let most = bench.volume.space().unwrap().available + 100;
    let huge = vec![3; (most * BLOCK) as usize];
    let refused = bench.file.write_cached(2 * BLOCK, &huge, Sync::Visible);
    assert!(matches!(refused, Err(Error::NoSpace { .. })), "{refused:?}");
    // It wrote back what was there, to make room; nothing else is gone or left.
    assert!(bench.core().promised.blocks() <= promised);
    bench.file.write_cached(3 * BLOCK + 9, &[4; 20], Sync::Visible).unwrap();
    bench.expect(3 * BLOCK + 9, &[4; 20]);
    bench.judge("h45");
}

#[test]
fn h47_reservations_of_a_writeback_that_failed_go_with_their_pages_check() {
    let mut bench = Bench::new();
    bench.write(0, 8 * BLOCK, 1);
    let sharer = bench.share();
    let before = bench.core().free_for_data().unwrap();
    bench.file.write_cached(2 * BLOCK, &[2; 4 * BLOCK as usize], Sync::Visible).unwrap();
    bench.file.write_cached(20 * BLOCK, &[2; 4 * BLOCK as usize], Sync::Visible).unwrap();
    bench.gate.fail();
    assert!(matches!(bench.file.sync(), Err(Error::Device(_))));
    bench.gate.open();
    // What waits for blocks still does; punching gives up pages and blocks together.
    bench.file.punch_hole(2 * BLOCK..6 * BLOCK).unwrap();
    bench.file.truncate(8 * BLOCK).unwrap();
    bench.model[2 * BLOCK as usize..6 * BLOCK as usize].fill(0);
    bench.inode().cow.lock().drop_idle();
    assert_eq!(bench.core().promised.blocks(), 0, "promises are left");
    assert_eq!(bench.core().ags.iter().map(|ag| ag.held.lock().claimed()).sum::<u32>(), 0);
    bench.volume.sync().unwrap();
    assert!(bench.core().free_for_data().unwrap() + 1 >= before, "blocks are missing");
    drop(sharer);
    bench.judge("h47");
}

#[test]
fn h67_hints_that_reach_far_on_a_sparse_file_overflow_no_count_check() {
    let mut bench = Bench::new();
    let half = u64::from(bench.core().geometry.ag_blocks / 2) * BLOCK;
    bench.file.set_cow_extent_size_hint(half).unwrap();
    bench.write(0, BLOCK, 1);
    let places = [1 << 33, 1 << 40, 1 << 50, (1 << 62) + 4096];
    for at in places {
        bench.file.write_atomic(at, &[5; 100], Sync::Visible).unwrap();
        bench.file.write_cached(at + (1 << 20), &[6; 100], Sync::Visible).unwrap();
        bench.file.write_cached(at, &[7; 50], Sync::Visible).unwrap();
    }
    bench.volume.sync().unwrap();
    assert_eq!(bench.core().promised.blocks(), 0);
    for at in places {
        let mut bytes = [0; 101];
        bench.file.read_at(at, &mut bytes).unwrap();
        assert_eq!((bytes[49], bytes[50], bytes[100]), (7, 5, 0));
    }
    bench.file.truncate(BLOCK).unwrap();
    bench.judge("h67");
}
