//! Known ways in which calls of this kind went wrong, one test each, and the rules of the calls.

use super::super::super::tests::{BLOCK, Bench};
use crate::{Error, ExtentKind, FileFlag, NewFile, OpenOptions, SizeRule, Sync, Volume, mkfs};
use std::sync::Arc;
use untorn_device::MemoryDevice;
use untorn_format::inode::InodeFlags2;

/// Kinds of what lies in the file, block by block.
fn kinds(bench: &Bench) -> Vec<ExtentKind> {
    let listing = bench.volume.extents_of(bench.file.ino()).unwrap();
    let blocks = |e: &crate::FileExtent| std::iter::repeat_n(e.kind, (e.length / BLOCK) as usize);
    listing.iter().flat_map(blocks).collect()
}

#[test]
fn h28_changes_of_the_map_wait_for_writes_in_flight_model_check() {
    let mut bench = Bench::new();
    bench.write(0, 64 * BLOCK, 1);
    let file = &bench.file;
    std::thread::scope(|scope| {
        for thread in 0..2u8 {
            scope.spawn(move || {
                for round in 0..60u64 {
                    let at = (round * 7 + u64::from(thread) * 13) % 60 * BLOCK + 10;
                    file.write_atomic(at, &vec![9; 3 * BLOCK as usize], Sync::Visible).unwrap();
                }
            });
        }
        scope.spawn(move || {
            for round in 0..40u64 {
                let at = round * 11 % 60 * BLOCK;
                file.punch_hole(at..at + 2 * BLOCK + 5).unwrap();
                file.truncate((40 + round % 20) * BLOCK + 3).unwrap();
                file.insert_range(at % (8 * BLOCK)..at % (8 * BLOCK) + BLOCK).unwrap();
                file.collapse_range(0..BLOCK).unwrap();
            }
        });
    });
    bench.model = Bench::contents(&bench.file);
    assert!(bench.model.iter().all(|byte| [0, 1, 9].contains(byte)), "bytes of nobody");
    bench.judge("h28");
}

#[test]
fn h49_punching_a_part_of_cached_bytes_keeps_the_rest_of_them_model_check() {
    let mut bench = Bench::new();
    let bytes = vec![5; 40 * BLOCK as usize];
    bench.file.write_cached(0, &bytes, Sync::Visible).unwrap();
    bench.expect(0, &bytes);
    bench.file.punch_hole(10 * BLOCK + 1..20 * BLOCK - 1).unwrap();
    bench.model[10 * BLOCK as usize + 1..20 * BLOCK as usize - 1].fill(0);
    bench.judge("h49");
}

#[test]
fn h51_zeroing_reaches_cached_bytes_over_holes_and_shared_blocks_model_check() {
    let mut bench = Bench::new();
    bench.write(8 * BLOCK, 8 * BLOCK, 1);
    let sharer = bench.share();
    let before = bench.model.clone();
    // Over a hole with idle blocks beside, and over shared blocks.
    bench.idle(0..3);
    for at in [0, 9 * BLOCK] {
        let bytes = vec![7; 2 * BLOCK as usize];
        bench.file.write_cached(at, &bytes, Sync::Visible).unwrap();
        bench.expect(at as usize as u64, &bytes);
    }
    bench.file.zero_range(100..10 * BLOCK, SizeRule::Keep).unwrap();
    bench.model[100..10 * BLOCK as usize].fill(0);
    assert!(Bench::contents(&sharer) == before, "the sharer changed");
    drop(sharer);
    bench.judge("h51");
}

#[test]
fn h53_idle_blocks_of_the_cow_fork_change_no_answer_of_seeking_check() {
    let mut bench = Bench::new();
    bench.write(0, 4 * BLOCK, 1);
    bench.write(20 * BLOCK, 4 * BLOCK, 2);
    bench.idle(2..9);
    bench.idle(15..22);
    let file = &bench.file;
    assert_eq!(file.seek_hole(0).unwrap(), Some(4 * BLOCK));
    assert_eq!(file.seek_data(4 * BLOCK).unwrap(), Some(20 * BLOCK));
    assert_eq!(file.seek_data(21 * BLOCK + 5).unwrap(), Some(21 * BLOCK + 5));
    assert_eq!(file.seek_hole(21 * BLOCK).unwrap(), Some(24 * BLOCK));
    assert_eq!(file.seek_hole(24 * BLOCK).unwrap(), None);
    assert_eq!(file.seek_data(24 * BLOCK).unwrap(), None);
    bench.judge("h53");
}

#[test]
fn unwritten_blocks_are_holes_to_seeking_until_something_is_cached_over_them_check() {
    let mut bench = Bench::new();
    bench.file.allocate(0..16 * BLOCK, SizeRule::Grow).unwrap();
    assert_eq!(bench.file.seek_data(0).unwrap(), None);
    bench.file.write_cached(5 * BLOCK + 7, b"data", Sync::Visible).unwrap();
    assert_eq!(bench.file.seek_data(0).unwrap(), Some(5 * BLOCK));
    assert_eq!(bench.file.seek_hole(5 * BLOCK).unwrap(), Some(6 * BLOCK));
    bench.model = vec![0; 16 * BLOCK as usize];
    bench.expect(5 * BLOCK + 7, b"data");
    bench.judge("seek");
}

#[test]
fn h70_h82_hints_keep_their_limits_and_do_not_change_under_blocks_check() {
    let mut bench = Bench::new();
    let half = u64::from(bench.core().geometry.ag_blocks / 2) * BLOCK;
    for wrong in [BLOCK + 1, 1, half + BLOCK, u64::MAX / BLOCK * BLOCK] {
        assert!(matches!(bench.file.set_extent_size_hint(wrong), Err(Error::Invalid(_))));
        assert!(matches!(bench.file.set_cow_extent_size_hint(wrong), Err(Error::Invalid(_))));
    }
    bench.file.set_extent_size_hint(half / BLOCK * BLOCK).unwrap();
    bench.file.set_extent_size_hint(8 * BLOCK).unwrap();
    bench.file.set_cow_extent_size_hint(4 * BLOCK).unwrap();
    // Bytes that have no blocks yet count as blocks.
    bench.file.write_cached(0, &[1; 10], Sync::Visible).unwrap();
    bench.expect(0, &[1; 10]);
    assert!(matches!(bench.file.set_extent_size_hint(0), Err(Error::Invalid(_))));
    bench.file.set_cow_extent_size_hint(0).unwrap();
    assert_eq!(bench.file.extent_size_hint().unwrap(), 8 * BLOCK);
    assert_eq!(bench.file.cow_extent_size_hint().unwrap(), 0);
    bench.judge("h70");
}

#[test]
fn h74_unsharing_below_cached_bytes_keeps_them_model_check() {
    let mut bench = Bench::new();
    bench.write(0, 16 * BLOCK, 1);
    let sharer = bench.share();
    let before = bench.model.clone();
    let bytes = vec![8; 3 * BLOCK as usize];
    bench.file.write_cached(4 * BLOCK + 9, &bytes, Sync::Visible).unwrap();
    bench.expect(4 * BLOCK + 9, &bytes);
    bench.file.unshare_range(0..16 * BLOCK).unwrap();
    let listing = bench.volume.extents_of(bench.file.ino()).unwrap();
    assert!(listing.iter().all(|extent| !extent.shared), "blocks are still shared");
    assert!(!bench.inode().core().unwrap().is_reflink(), "it shares nothing any more");
    assert!(Bench::contents(&sharer) == before, "the sharer changed");
    drop(sharer);
    bench.judge("h74");
}

#[test]
fn h75_idle_cow_blocks_do_not_stay_where_the_bytes_moved_away_model_check() {
    let mut bench = Bench::new();
    for block in 0..24 {
        bench.write(block * BLOCK, BLOCK, 1 + block as u8);
    }
    bench.idle(2..20);
    bench.file.insert_range(4 * BLOCK..6 * BLOCK).unwrap();
    let at = 4 * BLOCK as usize;
    bench.model.splice(at..at, std::iter::repeat_n(0, 2 * BLOCK as usize));
    assert_eq!(bench.inode().cow.lock().idle_blocks(), 0);
    bench.write(9 * BLOCK + 5, 100, 77);
    bench.file.collapse_range(BLOCK..3 * BLOCK).unwrap();
    bench.model.drain(BLOCK as usize..3 * BLOCK as usize);
    assert_eq!(bench.inode().cow.lock().idle_blocks(), 0);
    bench.judge("h75");
}

#[test]
fn h83_unsharing_goes_to_the_end_of_its_range_and_no_further_check() {
    let mut bench = Bench::new();
    bench.write(0, 32 * BLOCK, 1);
    let sharer = bench.share();
    // A range whose end, taken for a length, would reach twice as far; cold cache.
    bench.file.unshare_range(10 * BLOCK..12 * BLOCK).unwrap();
    let shared = |at: u64| {
        let listing = bench.volume.extents_of(bench.file.ino()).unwrap();
        listing
            .iter()
            .find(|e| e.offset <= at * BLOCK && at * BLOCK < e.offset + e.length)
            .unwrap()
            .shared
    };
    let own: Vec<u64> = (0..32).filter(|&block| !shared(block)).collect();
    assert_eq!(own, [10, 11]);
    assert!(bench.inode().core().unwrap().flags2.has(InodeFlags2::REFLINK));
    drop(sharer);
    bench.judge("h83");
}

#[test]
fn ends_inside_blocks_are_zeroed_and_whole_blocks_freed_model_check() {
    let mut bench = Bench::new();
    bench.write(0, 10 * BLOCK, 3);
    bench.file.punch_hole(BLOCK + 100..4 * BLOCK + 200).unwrap();
    bench.model[BLOCK as usize + 100..4 * BLOCK as usize + 200].fill(0);
    use ExtentKind::{Hole as H, Written as W};
    assert_eq!(kinds(&bench), [W, W, H, H, W, W, W, W, W, W]);
    // A range inside a block zeroes it and frees nothing.
    bench.file.punch_hole(6 * BLOCK + 1..6 * BLOCK + 2).unwrap();
    bench.model[6 * BLOCK as usize + 1] = 0;
    assert_eq!(kinds(&bench), [W, W, H, H, W, W, W, W, W, W]);
    bench.judge("punch");
}

#[test]
fn zeroing_converts_own_blocks_and_replaces_shared_ones_model_check() {
    let mut bench = Bench::new();
    bench.write(0, 8 * BLOCK, 3);
    let sharer = bench.share();
    let shared = bench.model.clone();
    bench.write(BLOCK, 2 * BLOCK, 4);
    let place = |bench: &Bench| bench.extents()[1].1;
    let before = place(&bench);
    for range in [BLOCK..3 * BLOCK, 4 * BLOCK..6 * BLOCK] {
        bench.file.zero_range(range.clone(), SizeRule::Keep).unwrap();
        bench.model[range.start as usize..range.end as usize].fill(0);
    }
    assert_eq!(place(&bench), before, "its own blocks stayed where they were");
    assert!(Bench::contents(&sharer) == shared, "the sharer changed");
    use ExtentKind::{Unwritten as U, Written as W};
    assert_eq!(kinds(&bench), [W, U, U, W, U, U, W, W]);
    drop(sharer);
    bench.judge("zero");
}

#[test]
fn a_hint_widens_what_is_set_aside_and_gives_way_when_space_is_short_check() {
    let mut bench = Bench::new();
    bench.file.set_extent_size_hint(16 * BLOCK).unwrap();
    bench.file.allocate(20 * BLOCK..21 * BLOCK, SizeRule::Grow).unwrap();
    let laid = |bench: &Bench| -> Vec<_> {
        bench.extents().iter().map(|&(at, _, length, _)| (at, length)).collect()
    };
    assert_eq!(laid(&bench), [(16, 16)]);
    // Short of space, one block is one block.
    let filler = bench.volume.create_file("/filler", NewFile::default()).unwrap();
    let free = bench.volume.space().unwrap().available;
    filler.allocate(0..(free - 4) * BLOCK, SizeRule::Keep).unwrap();
    bench.file.allocate(40 * BLOCK..41 * BLOCK, SizeRule::Keep).unwrap();
    assert_eq!(laid(&bench), [(16, 16), (40, 1)]);
    // And what does not fit at all changes nothing.
    let wide = bench.file.allocate(100 * BLOCK..110 * BLOCK, SizeRule::Grow);
    assert!(matches!(wide, Err(Error::NoSpace { .. })));
    assert_eq!(laid(&bench), [(16, 16), (40, 1)]);
    bench.model = vec![0; 21 * BLOCK as usize];
    bench.judge("hint");
}

#[test]
fn a_shorter_file_shows_zeroes_where_it_grows_again_model_check() {
    let mut bench = Bench::new();
    bench.write(0, 3 * BLOCK, 9);
    for size in [BLOCK + 5, 2 * BLOCK, 5, 3 * BLOCK + 7, 0, 100] {
        bench.file.truncate(size).unwrap();
        bench.model.resize(size as usize, 0);
        assert!(Bench::contents(&bench.file) == bench.model, "{size}");
    }
    bench.judge("truncate");
}

#[test]
fn a_full_volume_can_be_truncated_though_the_last_block_is_shared_model_check() {
    let mut bench = Bench::new();
    bench.write(0, 4 * BLOCK, 9);
    let sharer = bench.share();
    let before = bench.model.clone();
    let filler = bench.volume.create_file("/filler", NewFile::default()).unwrap();
    let free = bench.volume.space().unwrap().available;
    filler.allocate(0..free * BLOCK, SizeRule::Keep).unwrap();
    bench.file.truncate(BLOCK + 5).unwrap();
    bench.model.truncate(BLOCK as usize + 5);
    // What is behind the end in the last block stayed; growing again must not show it.
    assert!(matches!(bench.file.truncate(2 * BLOCK), Err(Error::NoSpace { .. })));
    filler.truncate(0).unwrap();
    filler.punch_hole(0..free * BLOCK).unwrap();
    bench.file.truncate(2 * BLOCK).unwrap();
    bench.model.resize(2 * BLOCK as usize, 0);
    assert!(Bench::contents(&sharer) == before, "the sharer changed");
    drop(sharer);
    bench.judge("full");
}

#[test]
fn what_nobody_asked_for_behind_the_end_is_trimmed_check() {
    let mut bench = Bench::new();
    bench.write(0, 3 * BLOCK, 9);
    bench.preallocate(3..9);
    bench.file.trim_past_end().unwrap();
    assert_eq!(bench.extents().iter().map(|e| e.2).sum::<u32>(), 3);
    bench.file.allocate(3 * BLOCK..9 * BLOCK, SizeRule::Keep).unwrap();
    bench.file.trim_past_end().unwrap();
    assert_eq!(bench.extents().iter().map(|e| e.2).sum::<u32>(), 9);
    assert!(bench.file.flags().unwrap().contains(FileFlag::Preallocated));
    bench.judge("trim");
}

#[test]
fn protected_files_refuse_what_their_flags_say_check() {
    let mut bench = Bench::new();
    bench.write(0, 3 * BLOCK, 9);
    let file = &bench.file;
    let refused = |result: crate::Result<()>| matches!(result, Err(Error::Protected(_)));
    let none = file.flags().unwrap();
    file.set_flags(none.with(FileFlag::AppendOnly)).unwrap();
    assert!(refused(file.write_at(0, &[1], Sync::Visible)));
    assert!(refused(file.write_cached(0, &[1], Sync::Visible)));
    assert!(refused(file.write_atomic(0, &[1], Sync::Visible)));
    assert!(refused(file.truncate(1)));
    assert!(refused(file.punch_hole(0..1)));
    assert!(refused(file.zero_range(0..1, SizeRule::Keep)));
    assert!(refused(file.collapse_range(0..BLOCK)));
    assert!(refused(file.insert_range(0..BLOCK)));
    assert!(refused(bench.volume.remove("/file")));
    file.append_atomic(&[4], Sync::Visible).unwrap();
    file.allocate(0..9 * BLOCK, SizeRule::Keep).unwrap();
    file.set_flags(file.flags().unwrap().without(FileFlag::AppendOnly).with(FileFlag::Immutable))
        .unwrap();
    assert!(refused(file.allocate(0..BLOCK, SizeRule::Keep)));
    assert!(refused(file.append_atomic(&[4], Sync::Visible).map(|_| ())));
    assert!(refused(file.unshare_range(0..BLOCK)));
    file.trim_past_end().unwrap();
    file.set_flags(file.flags().unwrap().without(FileFlag::Immutable)).unwrap();
    bench.expect(3 * BLOCK, &[4]);
    bench.judge("protected");
}

#[test]
fn directories_hand_down_hints_flags_and_projects_check() {
    let device = Arc::new(MemoryDevice::new(32 << 20));
    let options = mkfs::Options { contents: mkfs::Contents::Zeroed, ..Default::default() };
    mkfs::make(&*device, &options).unwrap();
    let volume = Volume::open(device.clone(), OpenOptions::default()).unwrap();
    let dir = volume.create_dir("/d", NewFile::default()).unwrap();
    let mut traits = volume.traits_of(dir).unwrap();
    traits.extent_size = 16 * BLOCK;
    traits.cow_extent_size = 8 * BLOCK;
    traits.project = 0x1_0002;
    traits.flags = traits.flags.with(FileFlag::ProjectInherit).with(FileFlag::NoDump);
    volume.set_traits_of(dir, &traits).unwrap();
    let file = volume.create_file("/d/f", NewFile::default()).unwrap();
    let below = volume.create_dir("/d/d", NewFile::default()).unwrap();
    let of_file = file.traits().unwrap();
    assert_eq!((of_file.extent_size, of_file.cow_extent_size), (16 * BLOCK, 8 * BLOCK));
    assert_eq!(of_file.project, 0x1_0002);
    assert!(of_file.flags.iter().eq([FileFlag::NoDump, FileFlag::ExtentSize]));
    let of_dir = volume.traits_of(below).unwrap();
    let handed = of_dir.flags.iter().collect::<Vec<_>>();
    assert_eq!(handed, [FileFlag::NoDump, FileFlag::ProjectInherit, FileFlag::ExtentSizeInherit]);
    assert_eq!(of_dir.extent_size, 16 * BLOCK);
    // What is only for directories, and what follows something else, is refused.
    let flags = of_file.flags;
    for flag in [FileFlag::ProjectInherit, FileFlag::ExtentSizeInherit, FileFlag::Preallocated] {
        assert!(matches!(file.set_flags(flags.with(flag)), Err(Error::Invalid(_))), "{flag:?}");
    }
    // What Linux takes for no project.
    assert!(matches!(file.set_project_id(u32::MAX), Err(Error::Invalid(_))));
    // An immutable directory takes and loses no names.
    let locked = volume.traits_of(dir).unwrap();
    let immutable = crate::Traits { flags: locked.flags.with(FileFlag::Immutable), ..locked };
    volume.set_traits_of(dir, &immutable).unwrap();
    let new = volume.create_file("/d/g", NewFile::default());
    assert!(matches!(new.map(|_| ()), Err(Error::Protected(_))));
    assert!(matches!(volume.remove("/d/f"), Err(Error::Protected(_))));
    volume.set_traits_of(dir, &locked).unwrap();
    drop(file);
    volume.close().unwrap();
    let report = untorn_check::check(&*device, &untorn_check::Options::default()).unwrap();
    assert!(report.findings.is_empty(), "{:?}", report.findings);
}

#[test]
fn ranges_that_cannot_be_are_refused_and_change_nothing_check() {
    let mut bench = Bench::new();
    bench.write(0, 8 * BLOCK, 1);
    let file = &bench.file;
    let before = bench.extents();
    let refused = |result: crate::Result<()>| matches!(result, Err(Error::Invalid(_)));
    let most = u64::MAX / 2;
    for range in [5..5, std::ops::Range { start: 7, end: 3 }, 0..u64::MAX, most - 5..most + 5] {
        assert!(refused(file.punch_hole(range.clone())), "{range:?}");
        assert!(refused(file.zero_range(range.clone(), SizeRule::Grow)), "{range:?}");
        assert!(refused(file.allocate(range.clone(), SizeRule::Grow)), "{range:?}");
        assert!(refused(file.collapse_range(range.clone())), "{range:?}");
        assert!(refused(file.insert_range(range.clone())), "{range:?}");
        assert!(refused(file.unshare_range(range.clone())), "{range:?}");
    }
    assert!(refused(file.truncate(u64::MAX)));
    assert!(refused(file.collapse_range(1..BLOCK)));
    assert!(refused(file.collapse_range(6 * BLOCK..8 * BLOCK)));
    assert!(refused(file.insert_range(8 * BLOCK..9 * BLOCK)));
    assert!(refused(file.insert_range(0..most / BLOCK * BLOCK)));
    assert!(matches!(file.allocate(0..most, SizeRule::Grow), Err(Error::NoSpace { .. })));
    assert_eq!(bench.extents(), before);
    bench.judge("refused");
}

#[test]
fn a_direct_write_beside_cached_ones_before_a_commit_keeps_what_it_wrote_model_check() {
    let mut bench = Bench::new();
    bench.file.zero_range(8 * BLOCK..16 * BLOCK, SizeRule::Keep).unwrap();
    let bytes = vec![3; 40 * BLOCK as usize];
    bench.file.write_cached(20 * BLOCK, &bytes, Sync::Visible).unwrap();
    bench.expect(20 * BLOCK, &bytes);
    // Partly over blocks that were set aside, partly over a hole: two ways to write.
    let bytes = vec![4; 10 * BLOCK as usize];
    bench.file.write_at(10 * BLOCK, &bytes, Sync::Durable).unwrap();
    bench.expect(10 * BLOCK, &bytes);
    assert!(bench.inode().core().unwrap().size >= 20 * BLOCK, "durable bytes behind the end");
    bench.judge("beside");
}

#[test]
fn h97_all_calls_on_a_file_marked_synchronous_are_durable_check() {
    let mut bench = Bench::new();
    bench.write(0, 8 * BLOCK, 1);
    bench.file.set_flags(bench.file.flags().unwrap().with(FileFlag::Synchronous)).unwrap();
    bench.file.punch_hole(BLOCK..2 * BLOCK).unwrap();
    bench.file.collapse_range(0..BLOCK).unwrap();
    bench.model.drain(..BLOCK as usize);
    bench.model[..BLOCK as usize].fill(0);
    bench.file.write_cached(3 * BLOCK, &[5; 9], Sync::Visible).unwrap();
    bench.expect(3 * BLOCK, &[5; 9]);
    bench.volume.clone().abandon();
    let Bench { device, model, .. } = bench;
    let volume = Volume::open(device.clone(), OpenOptions::default()).unwrap();
    let file = volume.open_file("/file").unwrap();
    assert!(Bench::contents(&file) == model, "something was not durable");
    drop(file);
    volume.close().unwrap();
    let report = untorn_check::check(&*device, &untorn_check::Options::default()).unwrap();
    assert!(report.findings.is_empty(), "{:?}", report.findings);
}
