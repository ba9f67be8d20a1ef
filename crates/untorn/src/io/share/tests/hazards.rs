//! One test a hazard, or a few that go together.

use super::{BLOCK, Bench, contents};
use crate::ag::tests::recount;
use crate::ag::{Claim, Effort, Hold, Published, Users, lend, own, pick, release, stage};
use crate::inode::{CowPiece, CowState};
use crate::{Error, File, OpenOptions, Result, Sync, Volume};
use untorn_format::inode::{ForkFormat, InodeFlags, InodeFlags2};
use untorn_format::records::{RmapOwner, RmapRec};
use untorn_format::{AgBlock, AgExtent, AgNumber, FileBlock};

#[test]
fn h41_h28_clones_of_a_file_that_is_written_hold_whole_writes_check() {
    let bench = Bench::new();
    let source = bench.whole("/source", &[1; 16 * BLOCK as usize]);
    let dest = bench.file("/dest");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for round in 2..150u8 {
                source.write_atomic(0, &[round; 16 * BLOCK as usize], Sync::Visible).unwrap();
            }
        });
        for _ in 0..60 {
            dest.clone_from(&source).unwrap();
            let bytes = contents(&dest);
            assert!(bytes.iter().all(|&byte| byte == bytes[0]), "a clone of half a write");
        }
    });
    bench.judge("h41");
}

#[test]
fn h42_blocks_beside_a_cloned_range_stay_as_they_are_check() {
    let bench = Bench::new();
    let source = bench.whole("/source", &[1; 64 * BLOCK as usize]);
    let dest = bench.whole("/dest", &[2; 64 * BLOCK as usize]);
    // Leaves idle blocks around, as the hint says.
    dest.write_atomic(30 * BLOCK, &[3; BLOCK as usize], Sync::Visible).unwrap();
    let before = dest.extents().unwrap();
    dest.clone_range(28 * BLOCK, &source, 8 * BLOCK..12 * BLOCK).unwrap();
    let mut expected = vec![2; 64 * BLOCK as usize];
    expected[28 * BLOCK as usize..32 * BLOCK as usize].fill(1);
    assert!(contents(&dest) == expected);
    let after = dest.extents().unwrap();
    assert_eq!(before.first().map(|e| e.at), after.first().map(|e| e.at));
    assert_eq!(after.iter().filter(|e| e.shared).map(|e| e.length).sum::<u64>(), 4 * BLOCK);
    bench.judge("h42");
}

#[test]
fn h50_a_write_over_shared_and_other_blocks_changes_no_sharer_check() {
    let bench = Bench::new();
    let source = bench.whole("/source", &[1; 32 * BLOCK as usize]);
    let sharer = bench.whole("/sharer", &[2; 32 * BLOCK as usize]);
    for at in (0..32).step_by(3) {
        sharer.clone_range(at * BLOCK, &source, at * BLOCK..(at + 1) * BLOCK).unwrap();
    }
    let before = contents(&sharer);
    source.write_at(100, &[9; 31 * BLOCK as usize], Sync::Visible).unwrap();
    source.write_cached(5000, &[8; 20 * BLOCK as usize], Sync::Durable).unwrap();
    assert!(contents(&sharer) == before, "the sharer changed");
    bench.judge("h50");
}

/// Takes all free blocks of an AG out of reach.
fn fill(bench: &Bench, ag: AgNumber) -> Vec<std::ops::Range<u32>> {
    let core = bench.core();
    let _owner = core.ag(ag).owner.lock();
    let mut taken = Vec::new();
    while let Some(run) = pick(&mut Published(core), ag, None, u32::MAX, 1, Effort::All).unwrap() {
        let range = run.start.0..run.end().0;
        core.ag(ag).held.lock().insert(range.clone(), Hold::Claimed);
        taken.push(range);
    }
    taken
}

#[test]
fn h62_a_map_grows_in_another_group_where_the_files_own_is_full_check() {
    let bench = Bench::new();
    let home = |bench: &Bench, file: &File| bench.core().geometry.split_ino(file.ino()).unwrap().0;
    let source = bench.file("/source");
    let dest = bench.file("/dest");
    let ag = home(&bench, &dest);
    let blocked = fill(&bench, ag);
    // Blocks elsewhere, in more pieces than the inode can hold.
    for at in (0..80).step_by(2) {
        source.write_atomic(at * BLOCK, &[at as u8 + 1; BLOCK as usize], Sync::Visible).unwrap();
    }
    dest.clone_from(&source).unwrap();
    assert_eq!(dest.inode().core().unwrap().format, ForkFormat::Btree);
    assert!(contents(&dest) == contents(&source));
    for range in blocked {
        bench.core().ag(ag).held.lock().remove(range, Hold::Claimed);
    }
    bench.judge("h62");
}

#[test]
fn h63_h64_a_clone_without_room_for_the_map_is_refused_whole_check() {
    let bench = Bench::new();
    let source = bench.shattered("/source", 600, 1);
    let dest = bench.file("/dest");
    let core = bench.core();
    core.settle_busy().unwrap();
    let rest = core.available().unwrap();
    let hold: Vec<Claim> = core.claim(None, rest).unwrap();
    let refused = dest.clone_from(&source);
    assert!(matches!(refused, Err(Error::NoSpace { .. })), "{refused:?}");
    assert_eq!((dest.size().unwrap(), dest.extents().unwrap().len()), (0, 0));
    drop(hold);
    dest.clone_from(&source).unwrap();
    assert!(contents(&dest) == contents(&source));
    bench.judge("h63");
}

#[test]
fn h65_one_extent_with_many_counts_goes_in_bounded_transactions_check() {
    let bench = Bench::cramped();
    let dest = bench.whole("/dest", &vec![5; 3000 * BLOCK as usize]);
    let sharer = bench.file("/sharer");
    for at in (0..3000).step_by(2) {
        sharer.clone_range(at * BLOCK, &dest, at * BLOCK..(at + 1) * BLOCK).unwrap();
    }
    let before = contents(&sharer);
    let source = bench.whole("/source", &vec![6; 3000 * BLOCK as usize]);
    dest.clone_from(&source).unwrap();
    assert!(contents(&dest) == contents(&source));
    assert!(contents(&sharer) == before, "the sharer changed");
    bench.judge("h65");
}

#[test]
fn h61_files_that_are_exchanged_both_ways_at_once_do_not_deadlock_check() {
    let bench = Bench::new();
    let one = bench.shattered("/one", 24, 1);
    let other = bench.shattered("/other", 24, 101);
    let third = bench.file("/third");
    std::thread::scope(|scope| {
        for (left, right) in [(&one, &other), (&other, &one)] {
            scope.spawn(move || {
                for _ in 0..40 {
                    left.exchange_range(0, right, 0, 24 * BLOCK).unwrap();
                }
            });
            let third = &third;
            scope.spawn(move || {
                for _ in 0..40 {
                    third.clone_from(left).unwrap();
                }
            });
        }
    });
    let mut all = [contents(&one), contents(&other)].concat();
    all.sort_unstable();
    let mut expected: Vec<u8> = (0..24u8).flat_map(|at| [at + 1, at + 101]).collect();
    expected.sort_unstable();
    all.dedup();
    assert_eq!(all, expected);
    bench.judge("h61");
}

#[test]
fn h66_calls_that_fail_leave_no_promise_and_no_claim_check() {
    let bench = Bench::new();
    let source = bench.shattered("/source", 40, 1);
    let dest = bench.whole("/dest", &[1; 40 * BLOCK as usize]);
    dest.write_cached(3, &[7; 100], Sync::Visible).unwrap();
    for at in [1, BLOCK + 7] {
        assert!(dest.clone_range(at, &source, 0..BLOCK).is_err());
        assert!(dest.exchange_range(at, &source, 0, BLOCK).is_err());
        assert!(dest.dedupe_range(at, &source, 0..BLOCK).is_err());
    }
    assert!(dest.clone_range(0, &source, 0..41 * BLOCK).is_err());
    assert!(dest.clone_range(!(BLOCK - 1), &source, 0..BLOCK).is_err());
    assert!(dest.copy_range(u64::MAX, &source, 0..BLOCK).is_err());
    assert!(dest.exchange_range(0, &source, !(BLOCK - 1), BLOCK).is_err());
    bench.judge("h66");
}

#[test]
fn h74_h75_cached_bytes_and_idle_blocks_do_not_outlive_an_exchange_check() {
    let bench = Bench::new();
    let one = bench.whole("/one", &[1; 20 * BLOCK as usize]);
    let other = bench.whole("/other", &[2; 20 * BLOCK as usize]);
    let claim = bench.core().claim(None, 4).unwrap().remove(0);
    let length = u64::from(claim.extent().length);
    let piece = CowPiece { length, state: CowState::Idle(claim) };
    one.inode().cow.lock().insert(FileBlock(2), piece);
    one.write_cached(8 * BLOCK + 5, &[3; 2000], Sync::Visible).unwrap();
    one.exchange_range(0, &other, 0, 20 * BLOCK).unwrap();
    assert_eq!(one.cow_extents().unwrap(), []);
    let mut expected = vec![1; 20 * BLOCK as usize];
    expected[8 * BLOCK as usize + 5..8 * BLOCK as usize + 2005].fill(3);
    assert!(contents(&other) == expected);
    assert!(contents(&one) == vec![2; 20 * BLOCK as usize]);
    one.write_at(0, &[4; 6 * BLOCK as usize], Sync::Visible).unwrap();
    assert!(contents(&other) == expected);
    bench.judge("h75");
}

#[test]
fn h81_both_files_know_that_they_share_and_an_exchange_hands_it_on_check() {
    let bench = Bench::new();
    let source = bench.whole("/source", &[1; 8 * BLOCK as usize]);
    let dest = bench.file("/dest");
    let third = bench.whole("/third", &[2; 8 * BLOCK as usize]);
    assert!(!source.inode().core().unwrap().is_reflink());
    dest.clone_from(&source).unwrap();
    for file in [&source, &dest] {
        assert!(file.inode().core().unwrap().is_reflink());
    }
    third.exchange_range(0, &dest, 0, 8 * BLOCK).unwrap();
    assert!(third.inode().core().unwrap().is_reflink());
    third.write_at(0, &[3; BLOCK as usize], Sync::Visible).unwrap();
    assert!(contents(&source) == [1; 8 * BLOCK as usize]);
    bench.judge("h81");
}

#[test]
fn h85_staged_blocks_are_not_taken_for_shared_ones_check() {
    let bench = Bench::new();
    let source = bench.whole("/source", &[1; 4 * BLOCK as usize]);
    let core = bench.core();
    let claim = core.claim(None, 3).unwrap().remove(0);
    // As Linux leaves them in a crash.
    let left = core.transact(16 << 10, &[], |tx| {
        tx.take_claimed(claim.extent())?;
        let run = claim.extent();
        own(tx, run.ag, RmapRec::special(run.start, run.length, RmapOwner::Cow))?;
        stage(tx, run)
    });
    left.unwrap();
    let run = claim.extent();
    claim.settle();
    assert_eq!(core.shared_parts(run).unwrap(), []);
    let dest = bench.file("/dest");
    dest.clone_from(&source).unwrap();
    let Bench { device, volume } = bench;
    drop((source, dest));
    volume.close().unwrap();
    let volume = Volume::open(device.clone(), OpenOptions::default()).unwrap();
    assert_eq!(volume.recovery().staging_blocks, u64::from(run.length));
    Bench { device, volume }.judge("h85");
}

/// The run of one block of a file.
fn run_of(file: &File, block: u64) -> AgExtent {
    let (extents, byte) = (file.extents().unwrap(), block * BLOCK);
    let extent = extents.iter().find(|e| e.offset <= byte && byte < e.offset + e.length).unwrap();
    let (_, ag, within) = extent.at.unwrap();
    let start = AgBlock(((within + byte - extent.offset) / BLOCK) as u32);
    AgExtent { ag: AgNumber(ag), start, length: 1 }
}

/// Makes the count of a block that one file uses as high as can be counted, less one.
fn share_often(bench: &Bench, run: AgExtent) {
    let set = bench.core().transact(16 << 10, &[], |tx| {
        lend(tx, run)?;
        recount(tx, run, u32::MAX - 1)
    });
    set.unwrap();
}

/// Undoes [`share_often`].
fn share_no_more(bench: &Bench, run: AgExtent) {
    let set = bench.core().transact(16 << 10, &[], |tx| {
        recount(tx, run, 2)?;
        release(tx, run, Users::Several)
    });
    set.unwrap();
}

#[test]
fn h87_a_block_that_cannot_be_counted_is_not_shared_further_but_copied_check() {
    let bench = Bench::new();
    let source = bench.whole("/source", &[1; 8 * BLOCK as usize]);
    bench.set(&source, |core| core.flags2 = core.flags2.with(InodeFlags2::REFLINK));
    let often = run_of(&source, 3);
    share_often(&bench, often);
    let dest = bench.file("/dest");
    let refused = dest.clone_from(&source);
    assert!(matches!(refused, Err(Error::TooShared(_))), "{refused:?}");
    assert_eq!((dest.size().unwrap(), dest.extents().unwrap().len()), (0, 0));
    dest.clone_range(0, &source, 0..3 * BLOCK).unwrap();
    assert_eq!(dest.copy_range(0, &source, 0..8 * BLOCK).unwrap(), 8 * BLOCK);
    assert!(contents(&dest) == contents(&source));
    let again = dest.clone_range(9 * BLOCK, &source, 3 * BLOCK..4 * BLOCK);
    assert!(matches!(again, Err(Error::TooShared(_))), "{again:?}");
    share_no_more(&bench, often);
    bench.judge("h87");
}

#[test]
fn h97_what_is_synced_is_there_after_a_crash_check() {
    for exchange in [false, true] {
        let bench = Bench::new();
        let source = bench.whole("/source", &[1; 8 * BLOCK as usize]);
        let dest = bench.whole("/dest", &[2; 8 * BLOCK as usize]);
        bench.volume.sync().unwrap();
        match exchange {
            true => dest.exchange_range(0, &source, 0, 8 * BLOCK).unwrap(),
            false => dest.clone_from(&source).unwrap(),
        }
        dest.sync().unwrap();
        drop((source, dest));
        let Bench { device, volume } = bench;
        volume.abandon();
        let volume = Volume::open(device.clone(), OpenOptions::default()).unwrap();
        let dest = volume.open_file("/dest").unwrap();
        assert!(contents(&dest) == [1; 8 * BLOCK as usize], "exchange: {exchange}");
        drop(dest);
        Bench { device, volume }.judge("h97");
    }
}

#[test]
fn h97_calls_on_a_file_marked_synchronous_are_durable_check() {
    type Call = fn(&File, &File) -> Result<()>;
    const LENGTH: u64 = 8 * BLOCK;
    let calls: [(&str, Call); 5] = [
        ("clone a file", |dest, source| dest.clone_from(source)),
        ("clone", |dest, source| dest.clone_range(0, source, 0..LENGTH)),
        ("dedupe", |dest, source| dest.dedupe_range(BLOCK, source, BLOCK..LENGTH).map(|_| ())),
        ("copy", |dest, source| dest.copy_range(0, source, 0..LENGTH).map(|_| ())),
        ("exchange", |dest, source| dest.exchange_range(0, source, 0, LENGTH)),
    ];
    for ((what, call), marked) in calls.into_iter().flat_map(|call| [(call, 0), (call, 1)]) {
        let bench = Bench::new();
        let source = bench.whole("/source", &[1; LENGTH as usize]);
        let dest = bench.whole("/dest", &[1; LENGTH as usize]);
        dest.write_atomic(0, &[2; BLOCK as usize], Sync::Visible).unwrap();
        bench.set([&dest, &source][marked], |core| core.flags = core.flags.with(InodeFlags::SYNC));
        bench.volume.sync().unwrap();
        call(&dest, &source).unwrap();
        let after = (contents(&dest), dest.extents().unwrap());
        drop((source, dest));
        let Bench { device, volume } = bench;
        volume.abandon();
        let volume = Volume::open(device.clone(), OpenOptions::default()).unwrap();
        let dest = volume.open_file("/dest").unwrap();
        assert!((contents(&dest), dest.extents().unwrap()) == after, "{what}, marked: {marked}");
        drop(dest);
        Bench { device, volume }.judge(what);
    }
}

#[test]
fn h97_a_clone_of_a_file_marked_synchronous_is_durable_check() {
    let bench = Bench::new();
    let source = bench.whole("/source", &[1; 8 * BLOCK as usize]);
    bench.set(&source, |core| core.flags = core.flags.with(InodeFlags::SYNC));
    bench.volume.sync().unwrap();
    drop(bench.volume.clone_file("/source", "/clone").unwrap());
    drop(source);
    let Bench { device, volume } = bench;
    volume.abandon();
    let volume = Volume::open(device.clone(), OpenOptions::default()).unwrap();
    assert!(contents(&volume.open_file("/clone").unwrap()) == [1; 8 * BLOCK as usize]);
    Bench { device, volume }.judge("clone of a synchronous file");
}

#[test]
fn h98_a_part_of_a_clone_is_an_error_check() {
    let bench = Bench::cramped();
    let source = bench.shattered("/source", 1500, 1);
    let dest = bench.whole("/dest", &vec![9; 1500 * BLOCK as usize]);
    bench.set(&source, |core| core.flags2 = core.flags2.with(InodeFlags2::REFLINK));
    let often = run_of(&source, 1400);
    share_often(&bench, often);
    let refused = dest.clone_from(&source);
    assert!(matches!(refused, Err(Error::TooShared(_))), "{refused:?}");
    let (found, new) = (contents(&dest), contents(&source));
    let block = BLOCK as usize;
    let fresh = found.chunks(block).zip(new.chunks(block)).take_while(|(a, b)| a == b).count();
    assert!(0 < fresh && fresh < 1401, "{fresh} blocks were cloned");
    assert!(found[fresh * block..].iter().all(|&byte| byte == 9));
    share_no_more(&bench, often);
    bench.judge("h98");
}
