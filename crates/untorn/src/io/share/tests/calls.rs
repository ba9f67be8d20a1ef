//! What the calls promise, and what they refuse.

use super::{BLOCK, Bench, contents};
use crate::mkfs;
use crate::{
    Dedupe, Error, ExchangeOptions, ExtentKind, FileExtent, OpenOptions, Rehearsal, Span, Sync,
};
use untorn_format::inode::{InodeFlags, InodeFlags2};

#[test]
fn a_clone_takes_no_blocks_and_the_files_part_when_one_is_written_check() {
    let bench = Bench::new();
    let source = bench.whole("/source", &[1; 100 * BLOCK as usize + 9]);
    let dest = bench.file("/dest");
    bench.volume.sync().unwrap();
    let before = bench.volume.space().unwrap().free;
    dest.clone_from(&source).unwrap();
    assert_eq!(before, bench.volume.space().unwrap().free);
    assert!(dest.extents().unwrap().iter().all(|extent| extent.shared));
    dest.write_at(5, &[2; 10], Sync::Visible).unwrap();
    assert!(contents(&source) == vec![1; 100 * BLOCK as usize + 9]);
    assert_eq!(dest.extents().unwrap().iter().filter(|extent| !extent.shared).count(), 1);
    bench.judge("clone");
}

#[test]
fn cached_bytes_are_cloned_with_the_others_check() {
    let bench = Bench::new();
    let (source, dest) = (bench.file("/source"), bench.file("/dest"));
    source.write_cached(0, &[1; 3 * BLOCK as usize + 5], Sync::Visible).unwrap();
    dest.write_cached(0, &[2; 100], Sync::Visible).unwrap();
    dest.clone_from(&source).unwrap();
    let mut bytes = vec![0; 3 * BLOCK as usize + 5];
    assert_eq!(dest.read_cached(0, &mut bytes).unwrap(), bytes.len());
    assert!(bytes.iter().all(|&byte| byte == 1));
    bench.judge("cached");
}

#[test]
fn what_a_file_hides_behind_its_end_does_not_appear_when_a_clone_makes_it_longer_check() {
    let bench = Bench::new();
    let source = bench.whole("/source", &[1; 8 * BLOCK as usize]);
    let dest = bench.whole("/dest", &[7; 6 * BLOCK as usize]);
    // A shorter file with written blocks behind its end, as a crash may leave it.
    bench.set(&dest, |core| core.size = BLOCK + 100);
    dest.clone_range(7 * BLOCK, &source, 0..BLOCK).unwrap();
    let mut expected = vec![0; 8 * BLOCK as usize];
    expected[..BLOCK as usize + 100].fill(7);
    expected[7 * BLOCK as usize..].fill(1);
    assert!(contents(&dest) == expected);
    bench.judge("hidden");
}

#[test]
fn the_hint_for_copy_on_write_goes_with_a_clone_of_the_whole_file_check() {
    let bench = Bench::new();
    let source = bench.whole("/source", &[1; 8 * BLOCK as usize]);
    bench.set(&source, |core| {
        core.flags2 = core.flags2.with(InodeFlags2::COWEXTSIZE);
        core.cow_extent_size = 16;
    });
    let (whole, part) = (bench.file("/whole"), bench.file("/part"));
    whole.clone_from(&source).unwrap();
    part.clone_range(0, &source, 0..4 * BLOCK).unwrap();
    let core = whole.inode().core().unwrap();
    assert!(core.flags2.has(InodeFlags2::COWEXTSIZE));
    assert_eq!(core.cow_extent_size, 16);
    assert_eq!(part.inode().core().unwrap().cow_extent_size, 0);
    bench.judge("hint");
}

#[test]
fn equal_bytes_share_blocks_and_times_stay_check() {
    let bench = Bench::new();
    let one = bench.whole("/one", &[1; 8 * BLOCK as usize + 17]);
    let other = bench.whole("/other", &[1; 8 * BLOCK as usize + 17]);
    other.write_at(5 * BLOCK, &[2], Sync::Visible).unwrap();
    let before = other.inode().core().unwrap();
    let size = other.size().unwrap();
    assert_eq!(other.dedupe_range(0, &one, 0..size).unwrap(), Dedupe::Differs);
    let same = other.dedupe_range(0, &one, 0..5 * BLOCK).unwrap();
    assert_eq!(same, Dedupe::Same(5 * BLOCK));
    let same = other.dedupe_range(6 * BLOCK, &one, 6 * BLOCK..size).unwrap();
    assert_eq!(same, Dedupe::Same(2 * BLOCK + 17));
    // The last block is not the last of both.
    let same = other.dedupe_range(0, &one, 0..3 * BLOCK + 17).unwrap();
    assert_eq!(same, Dedupe::Same(3 * BLOCK));
    let after = other.inode().core().unwrap();
    assert_eq!((before.mtime, before.change_count), (after.mtime, after.change_count));
    assert_eq!(other.extents().unwrap().iter().filter(|extent| !extent.shared).count(), 1);
    bench.judge("dedupe");
}

#[test]
fn holes_and_written_zeroes_are_the_same_bytes_check() {
    let bench = Bench::new();
    let zeroes = bench.whole("/zeroes", &[0; 16 * BLOCK as usize]);
    let hole = bench.file("/hole");
    hole.write_at(16 * BLOCK - 1, &[0], Sync::Visible).unwrap();
    let before = bench.volume.space().unwrap().free;
    assert_eq!(zeroes.dedupe_range(0, &hole, 0..15 * BLOCK).unwrap(), Dedupe::Same(15 * BLOCK));
    bench.volume.sync().unwrap();
    assert_eq!(bench.volume.space().unwrap().free, before + 15);
    bench.judge("zeroes");
}

#[test]
fn copies_share_what_they_can_check() {
    let bench = Bench::new();
    let source = bench.shattered("/source", 40, 1);
    let dest = bench.file("/dest");
    let count = dest.copy_range(100, &source, 100..u64::MAX / 4).unwrap();
    assert_eq!(count, 40 * BLOCK - 100);
    assert!(contents(&dest)[100..] == contents(&source)[100..]);
    let shared: u64 = dest.extents().unwrap().iter().filter(|e| e.shared).map(|e| e.length).sum();
    assert_eq!(shared, 39 * BLOCK);
    let askew = bench.file("/askew");
    assert_eq!(askew.copy_range(1, &source, 0..40 * BLOCK).unwrap(), 40 * BLOCK);
    assert!(contents(&askew)[1..] == contents(&source));
    assert_eq!(askew.copy_range(0, &source, 40 * BLOCK..50 * BLOCK).unwrap(), 0);
    bench.judge("copy");
}

#[test]
fn without_reflink_bytes_are_copied_and_sharing_is_refused_by_name_check() {
    let choose = |options: &mut mkfs::Options| {
        options.features.reflink = false;
        options.groups = mkfs::Groups::Count(2);
    };
    let bench = Bench::with(choose, OpenOptions::default());
    let source = bench.whole("/source", &[1; 8 * BLOCK as usize]);
    let dest = bench.whole("/dest", &[2; 8 * BLOCK as usize]);
    for refused in [
        dest.clone_from(&source),
        dest.dedupe_range(0, &source, 0..BLOCK).map(drop),
        bench.volume.clone_file("/source", "/new").map(drop),
    ] {
        let named =
            matches!(&refused, Err(Error::Unsupported { what, .. }) if what.contains("reflink"));
        assert!(named, "{refused:?}");
    }
    dest.exchange_range(0, &source, 4 * BLOCK, 4 * BLOCK).unwrap();
    assert_eq!(source.copy_range(BLOCK, &dest, 0..BLOCK).unwrap(), BLOCK);
    assert_eq!(contents(&source)[BLOCK as usize..][..3], [1, 1, 1]);
    bench.judge("no reflink");
}

#[test]
fn files_that_must_not_change_are_refused_check() {
    let bench = Bench::new();
    let source = bench.whole("/source", &[1; 8 * BLOCK as usize]);
    let dest = bench.whole("/dest", &[2; 8 * BLOCK as usize]);
    let with = |flag: InodeFlags| bench.set(&dest, move |core| core.flags = core.flags.with(flag));
    for flag in [InodeFlags::IMMUTABLE, InodeFlags::APPEND] {
        with(flag);
        let dedupe = dest.dedupe_range(BLOCK, &dest, 0..BLOCK).map(drop);
        assert_eq!(dedupe.is_ok(), flag == InodeFlags::APPEND, "bytes stay: {dedupe:?}");
        for refused in [
            dest.clone_from(&source),
            dest.copy_range(0, &source, 0..9).map(drop),
            source.exchange_range(0, &dest, 0, BLOCK),
        ] {
            assert!(matches!(refused, Err(Error::Protected(_))), "{refused:?}");
        }
        bench.volume.clone_file("/dest", format!("/clone of {flag:?}")).unwrap();
        bench.set(&dest, move |core| core.flags = core.flags.without(flag));
    }
    source.clone_range(0, &dest, 0..BLOCK).unwrap();
    assert!(contents(&dest) == [2; 8 * BLOCK as usize]);
    bench.judge("fixed");
}

#[test]
fn a_copy_ends_where_its_source_does_however_much_was_asked_for_check() {
    let bench = Bench::new();
    let bytes: Vec<u8> = (0..3 * BLOCK as usize + 5).map(|at| (at / 100) as u8).collect();
    let length = bytes.len() as u64;
    let (file, other) = (bench.whole("/file", &bytes), bench.file("/other"));
    assert_eq!(other.copy_range(7, &file, 0..u64::MAX).unwrap(), length);
    assert_eq!(other.copy_range(i64::MAX as u64, &file, length..u64::MAX).unwrap(), 0);
    assert!(contents(&other)[7..] == bytes);
    // Behind itself: the ranges overlap as they were asked for, not as they are.
    assert_eq!(file.copy_range(4 * BLOCK, &file, 0..u64::MAX).unwrap(), length);
    assert!(contents(&file)[4 * BLOCK as usize..] == bytes);
    let overlapping = file.copy_range(length - 1, &file, 0..u64::MAX);
    assert!(matches!(overlapping, Err(Error::Invalid(_))), "{overlapping:?}");
    bench.judge("a copy to the end");
}

#[test]
fn files_of_two_volumes_share_nothing_check() {
    let (bench, other) = (Bench::new(), Bench::new());
    let source = other.whole("/source", &[1; 10]);
    let dest = bench.file("/dest");
    assert!(matches!(dest.clone_from(&source), Err(Error::Invalid(_))));
    assert!(matches!(dest.exchange_range(0, &source, 0, 10), Err(Error::Invalid(_))));
    bench.judge("one volume");
}

#[test]
fn a_file_that_changed_meanwhile_is_not_exchanged_check() {
    let bench = Bench::new();
    let target = bench.whole("/target", &[1; 3 * BLOCK as usize]);
    let new = bench.whole("/new", &[2; 5000]);
    let before = contents(&new);
    let since = target.freshness().unwrap();
    target.exchange_if_unchanged(&new, since).unwrap();
    assert!(contents(&target) == before);
    assert_eq!(new.size().unwrap(), 3 * BLOCK);
    let writes: [&dyn Fn(); 4] = [
        &|| target.write_at(0, &[3], Sync::Visible).unwrap(),
        &|| target.write_atomic(9, &[3], Sync::Visible).unwrap(),
        &|| target.write_cached(8, &[3], Sync::Visible).unwrap(),
        &|| target.clone_range(0, &new, 0..BLOCK).unwrap(),
    ];
    for write in writes {
        let since = target.freshness().unwrap();
        write();
        let refused = target.exchange_if_unchanged(&new, since);
        assert!(matches!(refused, Err(Error::Changed(_))), "{refused:?}");
        assert_eq!(new.size().unwrap(), 3 * BLOCK);
    }
    // What was cached before the token was taken counts as before.
    target.write_cached(8, &[4], Sync::Visible).unwrap();
    let since = target.freshness().unwrap();
    target.exchange_if_unchanged(&new, since).unwrap();
    bench.judge("fresh");
}

#[test]
fn an_exchange_that_is_too_large_is_refused_and_a_rehearsal_says_so_check() {
    let bench = Bench::cramped();
    let one = bench.shattered("/one", 900, 1);
    let other = bench.shattered("/other", 900, 99);
    let before = [contents(&one), contents(&other)];
    let options = ExchangeOptions { rehearsal: Rehearsal::Yes, ..ExchangeOptions::default() };
    let rehearse = |blocks: u64| one.exchange(0, &other, 0, Span::Bytes(blocks * BLOCK), options);
    rehearse(3).unwrap();
    for refused in [rehearse(900), one.exchange_range(0, &other, 0, 900 * BLOCK)] {
        assert!(matches!(refused, Err(Error::TooLarge { .. })), "{refused:?}");
    }
    assert!([contents(&one), contents(&other)] == before);
    one.exchange_range(0, &other, 0, 3 * BLOCK).unwrap();
    assert!([contents(&one), contents(&other)] != before);
    bench.judge("too large");
}

#[test]
fn a_cloned_file_is_like_its_source_check() {
    for bench in [Bench::new(), Bench::cramped()] {
        let source = bench.shattered("/source", 300, 1);
        bench.set(&source, |core| {
            (core.mode, core.uid, core.gid) = (0o100_751, 1000, 77);
        });
        let new = bench.volume.clone_file("/source", "/new").unwrap();
        assert!(contents(&new) == contents(&source));
        let core = new.inode().core().unwrap();
        assert_eq!((core.mode, core.uid, core.gid, core.nlink), (0o100_751, 1000, 77, 1));
        let refused = bench.volume.clone_file("/source", "/new").map(drop);
        assert!(matches!(refused, Err(Error::Exists(_))), "{refused:?}");
        bench.volume.create_dir("/dir", crate::NewFile::default()).unwrap();
        assert!(bench.volume.clone_file("/dir", "/dir-2").is_err());
        bench.file("/empty");
        assert_eq!(bench.volume.clone_file("/empty", "/empty-2").unwrap().size().unwrap(), 0);
        bench.judge("like");
    }
}

#[test]
fn lists_show_what_is_shared_reserved_and_waiting_check() {
    let bench = Bench::new();
    let file = bench.whole("/file", &[1; 8 * BLOCK as usize]);
    let sharer = bench.file("/sharer");
    sharer.clone_range(0, &file, 2 * BLOCK..4 * BLOCK).unwrap();
    file.write_cached(3 * BLOCK, &[2; BLOCK as usize], Sync::Visible).unwrap();
    file.write_cached(12 * BLOCK, &[3; 2 * BLOCK as usize], Sync::Visible).unwrap();
    let rows: Vec<_> = file
        .extents()
        .unwrap()
        .iter()
        .map(|e| (e.offset / BLOCK, e.length / BLOCK, e.kind, e.shared, e.at.is_some()))
        .collect();
    let written = ExtentKind::Written;
    assert_eq!(
        rows,
        [
            (0, 2, written, false, true),
            (2, 2, written, true, true),
            (4, 4, written, false, true),
            (8, 4, ExtentKind::Hole, false, false),
            (12, 2, ExtentKind::Delalloc, false, false),
        ]
    );
    let whole = file.extents().unwrap();
    assert_eq!(file.extents_within(0..u64::MAX).unwrap(), whole);
    for (from, to) in (0..16).flat_map(|from| (from..16).map(move |to| (from, to))) {
        // The blocks that a range touches, whatever it has of them.
        let (start, end) = (from * BLOCK, (to + 1) * BLOCK);
        let cut = whole.iter().filter_map(|extent| {
            let (first, last) =
                (extent.offset.max(start), (extent.offset + extent.length).min(end));
            let skipped = first - extent.offset.min(first);
            let at = extent.at.map(|(byte, ag, in_ag)| (byte + skipped, ag, in_ag + skipped));
            let length = last.checked_sub(first).filter(|&length| length > 0)?;
            Some(FileExtent { offset: first, length, at, ..*extent })
        });
        let seen = file.extents_within(start + 1..end - 1).unwrap();
        assert_eq!(seen, cut.collect::<Vec<_>>(), "blocks {from} to {to}");
    }
    assert_eq!(file.extents_within(5..5).unwrap(), []);
    let waiting = file.cow_extents().unwrap();
    assert!(waiting.iter().all(|extent| extent.kind == ExtentKind::Delalloc));
    let places: Vec<_> = waiting.iter().map(|e| (e.offset / BLOCK, e.length / BLOCK)).collect();
    assert_eq!(places, [(3, 1), (12, 2)]);
    file.sync().unwrap();
    let after = file.extents().unwrap();
    assert!(after.iter().all(|extent| extent.kind != ExtentKind::Delalloc));
    assert_eq!(after.iter().filter(|e| e.shared).map(|e| e.length).sum::<u64>(), BLOCK);
    bench.judge("lists");
}
