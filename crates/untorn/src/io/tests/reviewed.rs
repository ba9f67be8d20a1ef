//! What callers that meet, close, abandon or remove may do to each other, and what a crash may show
//! of a file that grew in the cache.

use super::super::Request;
use super::super::begin::Begun;
use super::cached::Blind;
use super::{BLOCK, Bench};
use crate::inode::Sharing;
use crate::mkfs;
use crate::{Error, File, NewFile, OpenOptions, Result, SizeRule, Sync, Volume};
use std::sync::Arc;
use std::time::Duration;
use untorn_device::MemoryDevice;
use untorn_format::records::{Extent, ExtentState, Fork};
use untorn_format::{FileBlock, Ino};

fn check(device: &MemoryDevice) {
    let report = untorn_check::check(device, &untorn_check::Options::default()).unwrap();
    assert!(report.findings.is_empty(), "{:?}", report.findings);
}

/// `call` waits for whoever holds block 2 of the file.
fn waits_for_block_two(bench: &Bench, call: impl FnOnce() + Send) {
    let held = bench.inode().ranges.lock(2 * BLOCK..3 * BLOCK, Sharing::Exclusive);
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            call();
            done.store(true, std::sync::atomic::Ordering::SeqCst);
        });
        std::thread::sleep(Duration::from_millis(60));
        let early = done.load(std::sync::atomic::Ordering::SeqCst);
        drop(held);
        assert!(!early, "the map was changed under somebody who holds a block");
    });
}

#[test]
fn blocks_that_a_hint_adds_are_nobody_elses_meanwhile() {
    let calls: [fn(&File) -> Result<()>; 3] = [
        |file| file.allocate(0..BLOCK, SizeRule::Keep),
        |file| file.unshare_range(0..BLOCK),
        |file| file.zero_range(0..BLOCK, SizeRule::Keep),
    ];
    for call in calls {
        let mut bench = Bench::new();
        bench.file.set_extent_size_hint(16 * BLOCK).unwrap();
        bench.file.truncate(1 << 20).unwrap();
        waits_for_block_two(&bench, || call(&bench.file).unwrap());
        bench.model = vec![0; 1 << 20];
        bench.judge("blocks that a hint adds");
    }
}

#[test]
fn blocks_of_a_zeroed_range_follow_the_hint_where_there_is_room_check() {
    for room in [true, false] {
        let mut bench = Bench::new();
        bench.file.set_extent_size_hint(16 * BLOCK).unwrap();
        let held = if room { Vec::new() } else { bench.squeeze(2) };
        bench.file.zero_range(20 * BLOCK + 7..21 * BLOCK, SizeRule::Grow).unwrap();
        let blocks: u32 = bench.extents().iter().map(|extent| extent.2).sum();
        assert_eq!(blocks, if room { 16 } else { 1 });
        assert_eq!(bench.extents()[0].0, if room { 16 } else { 20 });
        bench.model = vec![0; 21 * BLOCK as usize];
        drop(held);
        bench.judge("zero as the hint says");
    }
}

#[test]
fn a_write_in_progress_keeps_its_blocks_when_the_volume_is_abandoned() {
    let mut bench = Bench::new();
    bench.write(0, 8 * BLOCK, 1);
    bench.volume.sync().unwrap();
    let request = Request { offset: 0, length: 4 * BLOCK };
    let blocks = vec![std::ops::Range { start: 0, end: 4 }];
    let begun = Begun::new(bench.core(), bench.inode(), request, blocks).unwrap();
    bench.volume.clone().abandon();
    // Its commit takes the blocks; nobody else may have given them back before.
    let held = bench.core().ags.iter().map(|ag| ag.held.lock().claimed()).sum::<u32>();
    assert_eq!(held, 4);
    drop(begun);
    let held = bench.core().ags.iter().map(|ag| ag.held.lock().claimed()).sum::<u32>();
    assert_eq!(held, 0);
}

#[test]
fn a_batch_knows_a_removed_file_from_the_one_that_has_its_number_now() {
    let mut bench = Bench::new();
    let old = bench.volume.create_file("/old", NewFile::default()).unwrap();
    bench.volume.remove("/old").unwrap();
    let new = bench.volume.create_file("/new", NewFile::default()).unwrap();
    assert_eq!(old.ino(), new.ino(), "the number is used again");
    new.write_atomic(0, &[7; 100], Sync::Visible).unwrap();
    let batch = bench.volume.atomic().write(&new, 0, b"x").truncate(&old, 0);
    let refused = batch.commit(Sync::Visible);
    assert!(matches!(refused, Err(Error::NotRegular(_))), "{refused:?}");
    assert!(Bench::contents(&new) == [7; 100]);
    drop((old, new));
    bench.write(0, 10, 1);
    bench.judge("reused number");
}

#[test]
fn offsets_near_the_end_of_numbers_are_answered() {
    let bench = Bench::new();
    for offset in [u64::MAX, u64::MAX - 5, u64::MAX - 4096] {
        assert_eq!(bench.file.read_at(offset, &mut [0; 3]).unwrap(), 0);
        assert_eq!(bench.file.read_cached(offset, &mut [0; 3]).unwrap(), 0);
        assert!(bench.file.write_cached(offset, b"x", Sync::Visible).is_err());
        assert!(bench.file.write_atomic(offset, b"x", Sync::Visible).is_err());
        let other = bench.share();
        let _ = bench.file.copy_range(offset % BLOCK, &other, offset..u64::MAX);
        drop(other);
        bench.volume.remove("/other").unwrap();
    }
    bench.judge("far offsets");
}

/// Makes what lies behind the end of `/file` something else than zeroes: in its last block, and in
/// `blocks` written blocks behind, as a crash in the middle of a truncate leaves them.
fn hide_behind_the_end(bench: &Bench, size: u64, blocks: std::ops::Range<u64>) {
    let (core, inode) = (bench.core(), bench.inode());
    core.transact(65536, std::slice::from_ref(inode), |tx| {
        let mut dinode = crate::inode::core_of(inode.ino, tx.inode_bytes(inode.ino))?;
        dinode.size = size;
        dinode.encode(tx.inode_mut(inode.ino));
        Ok(())
    })
    .unwrap();
    let mut at = blocks.start;
    for claim in core.claim(None, blocks.end - blocks.start).unwrap() {
        let length = claim.extent().length;
        let start = claim.block(0);
        let device = core.store.device();
        let byte = super::super::blocks::byte_of(core, start).unwrap();
        device.write_at(byte, &vec![0xaa; (u64::from(length) * BLOCK) as usize]).unwrap();
        core.transact(65536, std::slice::from_ref(inode), |tx| {
            tx.take_claimed(claim.extent())?;
            let (file, state) = (FileBlock(at), ExtentState::Written);
            crate::map::map(tx, inode.ino, Fork::Data, Extent { file, start, length, state })
        })
        .unwrap();
        claim.settle();
        at += u64::from(length);
    }
    bench.volume.sync().unwrap();
}

fn after_a_crash(bench: Bench) -> Vec<u8> {
    let Bench { device, volume, file, .. } = bench;
    drop(file);
    // The journal, not the pages.
    volume.core().store.force_all().unwrap();
    volume.abandon();
    let volume = Volume::open(Arc::clone(&device) as _, OpenOptions::default()).unwrap();
    let bytes = Bench::contents(&volume.open_file("/file").unwrap());
    volume.close().unwrap();
    check(&device);
    bytes
}

#[test]
fn what_was_cut_off_never_shows_when_the_file_grew_in_the_cache_check() {
    type Grow = fn(&Bench);
    let grows: [Grow; 3] = [
        // The last block is dirty because of a write into it, then a later block goes first.
        |bench| {
            bench.file.write_cached(100, &[5; 50], Sync::Visible).unwrap();
            bench.file.write_cached(8 * BLOCK, b"x", Sync::Visible).unwrap();
            bench.file.read_at(8 * BLOCK, &mut [0; 1]).unwrap();
        },
        // Far behind the end, then the far block goes first.
        |bench| {
            bench.file.write_cached(8 * BLOCK, b"x", Sync::Visible).unwrap();
            bench.file.read_at(8 * BLOCK, &mut [0; 1]).unwrap();
        },
        // Over all that is hidden, then the last block goes first.
        |bench| {
            let bytes = vec![5; (8 * BLOCK - 90) as usize];
            bench.file.write_cached(100, &bytes, Sync::Visible).unwrap();
            bench.file.read_at(8 * BLOCK, &mut [0; 1]).unwrap();
        },
    ];
    for (index, grow) in grows.into_iter().enumerate() {
        let mut bench = Bench::new();
        bench.write(0, BLOCK, 0xaa);
        hide_behind_the_end(&bench, 100, 1..6);
        grow(&bench);
        let bytes = after_a_crash(bench);
        assert!(bytes.len() as u64 > 8 * BLOCK, "the far block was committed");
        let shown = bytes[100..].iter().position(|&byte| byte == 0xaa);
        assert_eq!(shown, None, "case {index}: byte {:?} shows what was cut off", shown);
    }
}

#[test]
fn a_close_that_failed_can_be_tried_again_and_loses_nothing_check() {
    let bench = Bench::new();
    let Bench { device, volume, file, .. } = bench;
    drop(file);
    volume.close().unwrap();
    let blind = Arc::new(Blind { inner: device.clone(), blind: false.into() });
    let store = untorn_store::StoreOptions { cache_bytes: 0 };
    let options = OpenOptions { store, ..OpenOptions::default() };
    let volume = Volume::open(blind.clone(), options).unwrap();
    let file = volume.open_file("/file").unwrap();
    file.write_cached(0, &[9; 5000], Sync::Visible).unwrap();
    blind.blind.store(true, std::sync::atomic::Ordering::SeqCst);
    assert!(volume.clone().close().is_err(), "nothing can be read");
    blind.blind.store(false, std::sync::atomic::Ordering::SeqCst);
    drop(file);
    volume.close().unwrap();
    check(&device);
    let volume = Volume::open(device.clone() as _, OpenOptions::default()).unwrap();
    assert!(volume.recovery().was_clean);
    assert!(Bench::contents(&volume.open_file("/file").unwrap()) == [9; 5000]);
    volume.close().unwrap();
}

#[test]
fn a_volume_that_is_given_up_lets_go_of_its_device() {
    let full_of_business = || {
        let mut bench = Bench::new();
        bench.write(0, 40 * BLOCK, 1);
        // Freed and not durable; set aside; reserved; dirty.
        bench.write(0, 40 * BLOCK, 2);
        bench.idle(50..60);
        bench.file.write_cached(70 * BLOCK, &[3; 5000], Sync::Visible).unwrap();
        bench
    };
    let Bench { gate, volume, file, .. } = full_of_business();
    volume.abandon();
    drop(file);
    assert_eq!(Arc::strong_count(&gate), 1, "an abandoned volume holds its device");
    let Bench { gate, volume, file, .. } = full_of_business();
    let failed = untorn_device::DeviceError::Unusable("it failed".to_owned());
    volume.core().store.stop(failed.into());
    drop((file, volume));
    assert_eq!(Arc::strong_count(&gate), 1, "a failed volume holds its device");
}

#[test]
fn one_file_that_cannot_be_written_back_holds_up_no_other() {
    let bench = Bench::new();
    let other = bench.volume.create_file("/other", NewFile::default()).unwrap();
    assert!(bench.inode().ino < Ino(other.ino().0));
    bench.file.write_cached(0, &[1; 100], Sync::Visible).unwrap();
    other.write_cached(0, &[2; 100], Sync::Visible).unwrap();
    // The first file loses its form: its map cannot be read any more.
    let good = bench.inode().image();
    let mut bad = good.to_vec();
    bad[5] = 9;
    bench.inode().publish(&bad.into(), bench.inode().sequence());
    assert!(bench.volume.sync().is_err());
    assert!(other.inode().pages.lock().all_clean(), "the other file was not written back");
    bench.inode().publish(&good, bench.inode().sequence());
    bench.volume.sync().unwrap();
    drop(other);
    let mut bench = bench;
    bench.expect(0, &[1; 100]);
    bench.judge("one bad file");
}

#[test]
fn a_page_that_another_reader_puts_in_meanwhile_is_not_taken_for_a_hole() {
    let mut bench = Bench::new();
    bench.write(0, 2 * BLOCK, 7);
    let mut bytes = vec![0; 2 * BLOCK as usize];
    // The reader has found nothing in memory and wants to see the map.
    let owner = bench.inode().owner.write();
    std::thread::scope(|scope| {
        scope.spawn(|| bench.file.read_cached(0, &mut bytes).unwrap());
        std::thread::sleep(Duration::from_millis(60));
        let mut page = bench.core().pages.memory.take();
        page.fill(7);
        bench.inode().pages.lock().insert(0, Arc::new(page));
        drop(owner);
    });
    assert!(bytes == bench.model, "bytes that were written read as zeroes");
}

#[test]
fn what_waits_for_idle_blocks_can_be_written_back_on_a_full_volume_check() {
    let device = Arc::new(MemoryDevice::new(640 << 20));
    // Next to nothing is kept back for btrees of the groups.
    let features = mkfs::FeatureSet::NONE;
    let small = mkfs::Options { block_size: 1024, features, ..mkfs::Options::default() };
    mkfs::make(&*device, &small).unwrap();
    let volume = Volume::open(device.clone(), OpenOptions::default()).unwrap();
    let file = volume.create_file("/file", NewFile::default()).unwrap();
    let end = 16_u64 << 20;
    file.write_cached(0, &vec![1; end as usize], Sync::Durable).unwrap();
    let kept = file.inode().cow.lock().idle_blocks();
    assert!(kept > 8000, "{kept} blocks are kept behind the end");
    for block in (0..kept).step_by(2) {
        file.write_cached(end + block * 1024, &[2; 1024], Sync::Visible).unwrap();
    }
    let filler = volume.create_file("/filler", NewFile::default()).unwrap();
    let mut at = 0;
    for piece in [8 << 20, 1 << 20, 64 << 10, 1024] {
        let bytes = vec![3; piece];
        while filler.write_at(at, &bytes, Sync::Visible).is_ok() {
            at += piece as u64;
        }
    }
    volume.sync().unwrap();
    drop((file, filler));
    volume.close().unwrap();
    check(&device);
}
