//! What changes of AG trees that wait must not do: refuse what fits, take what was promised, stop a
//! damaged volume or hide the damage.

use super::{BLOCK, Bench};
use crate::ag::disown;
use crate::inode::core_of;
use crate::map;
use crate::{Error, File, NewFile, OpenOptions, Sync, Volume, mkfs};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use untorn_device::MemoryDevice;
use untorn_format::records::{Extent, ExtentState, Fork, RmapOwner, RmapRec, RmapRole};
use untorn_format::{FileBlock, FsBlock};

/// Damages the volume: `file` maps `block` at its beginning, of which nobody else hears.
fn cross_link(bench: &Bench, file: &File, block: FsBlock) {
    let (core, inode) = (bench.core(), file.inode().clone());
    core.transact(65536, std::slice::from_ref(&inode), |tx| {
        let extent =
            Extent { file: FileBlock(0), start: block, length: 1, state: ExtentState::Written };
        map::map(tx, inode.ino, Fork::Data, extent)?;
        let run = core.ag_extent(block, 1)?;
        // The reverse mappings know nothing of it.
        disown(tx, run.ag, rmap(inode.ino, run.start, 0))?;
        let mut dinode = core_of(inode.ino, tx.inode_bytes(inode.ino))?;
        dinode.size = BLOCK;
        dinode.encode(tx.inode_mut(inode.ino));
        Ok(())
    })
    .unwrap();
    bench.volume.sync().unwrap();
}

fn rmap(ino: untorn_format::Ino, start: untorn_format::AgBlock, at: u64) -> RmapRec {
    RmapRec {
        start,
        length: 1,
        owner: RmapOwner::Inode(ino),
        offset: FileBlock(at),
        fork: Fork::Data,
        role: RmapRole::Mapped,
        state: ExtentState::Written,
    }
}

/// The write that meets the damage, and what others can still do.
fn meets(bench: &Bench, damaged: &File) -> (crate::Result<()>, crate::Result<()>) {
    let healthy = bench.volume.create_file("/healthy", NewFile::default()).unwrap();
    let met = damaged.write_atomic(0, &[9; BLOCK as usize], Sync::Visible);
    let met = met.and_then(|_| bench.volume.sync());
    let others = healthy.write_atomic(0, &[1; BLOCK as usize], Sync::Durable);
    (met.map(drop), others.map(drop))
}

/// A file whose block the reverse mappings do not know is overwritten.
#[test]
fn a_missing_reverse_mapping_refuses_one_write() {
    let mut bench = Bench::new();
    bench.write(0, 4 * BLOCK, 1);
    bench.volume.sync().unwrap();
    let (ino, (_, start, _, _)) = (bench.inode().ino, bench.extents()[0]);
    let core = bench.core().clone();
    core.transact(65536, &[], |tx| {
        let run = core.ag_extent(start, 1)?;
        crate::ag::prepare(tx, run.ag)?;
        disown(tx, run.ag, rmap(ino, run.start, 0))
    })
    .unwrap();
    bench.volume.sync().unwrap();
    let (met, others) = meets(&bench, &bench.file);
    assert!(matches!(met, Err(Error::Corrupt(_))), "{met:?}");
    assert!(others.is_ok(), "the whole volume stopped: {others:?}");
}

/// Two files map one block (no reverse mappings); both are overwritten.
#[test]
fn a_block_with_two_owners_refuses_one_write() {
    let mut options = mkfs::Options::default();
    (options.features.rmapbt, options.features.reflink) = (false, false);
    let mut bench = Bench::of(32 << 20, options);
    bench.write(0, 4 * BLOCK, 1);
    bench.volume.sync().unwrap();
    let other = bench.volume.create_file("/other", NewFile::default()).unwrap();
    cross_link(&bench, &other, bench.extents()[0].1);
    bench.write(0, BLOCK, 2);
    let (met, others) = meets(&bench, &other);
    assert!(matches!(met, Err(Error::Corrupt(_))), "{met:?}");
    assert!(others.is_ok(), "the whole volume stopped: {others:?}");
}

/// A file maps a block that counts as free. Another file gets it; then the first is overwritten.
/// The block then still is the other file's.
#[test]
fn a_free_block_that_a_file_maps_is_nobody_elses() {
    let mut bench = Bench::new();
    bench.write(0, BLOCK, 1);
    bench.volume.sync().unwrap();
    bench.inode().cow.lock().drop_idle();
    let other = bench.volume.create_file("/other", NewFile::default()).unwrap();
    let third = bench.volume.create_file("/third", NewFile::default()).unwrap();
    let next = FsBlock(bench.extents()[0].1.0 + 1);
    cross_link(&bench, &other, next);
    bench.write(BLOCK, BLOCK, 7);
    let extents = bench.extents();
    assert_eq!((extents[0].1.0 + 1, extents[0].2), (next.0, 2), "the other's block: {extents:?}");
    let _ = other.write_atomic(0, &[9; BLOCK as usize], Sync::Visible);
    let _ = bench.volume.sync();
    // Whoever asks for blocks does not get those of the first file.
    let mut index = 0;
    while third.write_atomic(index * BLOCK, &[0xee; BLOCK as usize], Sync::Visible).is_ok() {
        index += 1;
    }
    let mut bytes = vec![0; BLOCK as usize];
    bench.file.read_at(BLOCK, &mut bytes).unwrap();
    assert!(bytes.iter().all(|&byte| byte == 7), "another file's bytes: {:#x}", bytes[0]);
}

/// A batch over files in many groups, with a small journal.
fn many_groups(block_size: u32, groups: u64) {
    let group = if block_size > 16384 { 64 << 20 } else { 16 << 20 };
    let device = Arc::new(MemoryDevice::new(groups * group));
    let mut options = mkfs::Options { block_size, ..mkfs::Options::default() };
    options.groups = mkfs::Groups::Size(group);
    options.log.room = mkfs::LogRoom::Least;
    options.contents = mkfs::Contents::Zeroed;
    let features = &mut options.features;
    (features.rmapbt, features.reflink, features.finobt) = (false, false, false);
    (features.inobtcount, features.sparse) = (false, false);
    mkfs::make(&*device, &options).unwrap();
    let volume = Volume::open(device.clone(), OpenOptions::default()).unwrap();
    let block = u64::from(block_size);
    // Directories come in different groups, their files with them.
    let mut files = Vec::new();
    for index in 0..groups {
        volume.create_dir(format!("/d{index}"), NewFile::default()).unwrap();
        let file = volume.create_file(format!("/d{index}/f"), NewFile::default()).unwrap();
        file.write_atomic(0, &vec![1; 2 * block as usize], Sync::Visible).unwrap();
        files.push(file);
    }
    volume.sync().unwrap();
    let bytes = vec![2; block as usize];
    for part in files.chunks(31) {
        let mut batch = volume.atomic();
        for file in part {
            batch = batch.write(file, 0, &bytes);
        }
        batch.commit(Sync::Visible).unwrap();
    }
    volume.sync().unwrap();
    drop(files);
    volume.close().unwrap();
    let report = untorn_check::check(&*device, &untorn_check::Options::default()).unwrap();
    assert!(report.is_clean(), "{:?}", report.findings.first());
}

#[test]
fn a_batch_over_many_groups_fits_check() {
    for block_size in [1024, 4096, 16384, 65536] {
        many_groups(block_size, 31);
    }
}

/// With a limit for transactions, changes wait in many groups at once.
#[test]
fn many_groups_settle_with_a_small_limit() {
    let groups = 320_u64;
    let device = Arc::new(MemoryDevice::new(groups * (16 << 20)));
    let mut options = mkfs::Options { block_size: 1024, ..mkfs::Options::default() };
    options.groups = mkfs::Groups::Size(16 << 20);
    options.contents = mkfs::Contents::Zeroed;
    options.log.size = Some(12 << 20);
    mkfs::make(&*device, &options).unwrap();
    let open = OpenOptions { largest_transaction: Some(176 << 10), ..OpenOptions::default() };
    let volume = Volume::open(device.clone(), open).unwrap();
    let mut files = Vec::new();
    for index in 0..groups {
        volume.create_dir(format!("/d{index}"), NewFile::default()).unwrap();
        let file = volume.create_file(format!("/d{index}/f"), NewFile::default()).unwrap();
        file.write_atomic(0, &vec![1; 1024 * 1024], Sync::Visible).unwrap();
        files.push(file);
    }
    volume.sync().unwrap();
    for turn in 0..4_u64 {
        for file in &files {
            file.write_atomic(turn * 200 * 1024, &[2; 1024], Sync::Visible).unwrap();
        }
    }
    volume.sync().unwrap();
}

/// Runs `turn` so many times on a volume of which `left` blocks are free, while two threads
/// overwrite single blocks; the first error.
fn beside_overwriters(
    left: u64,
    turns: u32,
    mut turn: impl FnMut(&Volume) -> crate::Result<()>,
) -> Option<(u32, Error)> {
    let mut bench = Bench::with(64 << 20, mkfs::Groups::Count(1));
    bench.write(0, 64 * BLOCK, 1);
    let filler = bench.volume.create_file("/filler", NewFile::default()).unwrap();
    bench.volume.sync().unwrap();
    let available = bench.volume.space().unwrap().available;
    filler.allocate(0..(available - left) * BLOCK, crate::SizeRule::Grow).unwrap();
    bench.volume.sync().unwrap();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for thread in 0..2_u64 {
            let (file, stop) = (&bench.file, &stop);
            scope.spawn(move || {
                for count in (0..32).cycle().take_while(|_| !stop.load(Ordering::Relaxed)) {
                    let at = (thread * 32 + count) * BLOCK;
                    let _ = file.write_atomic(at, &[2; BLOCK as usize], Sync::Visible);
                }
            });
        }
        let failed = (0..turns).find_map(|number| {
            if number % 100 == 0 {
                let _ = bench.volume.sync();
                bench.inode().cow.lock().drop_idle();
            }
            turn(&bench.volume).err().map(|error| (number, error))
        });
        stop.store(true, Ordering::Relaxed);
        failed
    })
}

/// Lets the others come between.
fn pause() {
    std::thread::sleep(std::time::Duration::from_micros(50));
}

/// A cached write got its blocks promised; its writeback must find them whatever others overwrite.
#[test]
fn promised_blocks_are_there() {
    let failed = beside_overwriters(120, 500, |volume| {
        let core = volume.core();
        let blocks = core.available()?.saturating_sub(8);
        let Ok(_reserve) = core.reserve(blocks) else { return Ok(()) };
        pause();
        // What writeback does with what a cached write reserved.
        core.claim_reserved(None, blocks).map(drop)
    });
    assert!(failed.is_none(), "turn, error: {failed:?}");
}

/// The same as users see it: a cached write that succeeded fails when it is synced.
#[test]
fn a_cached_write_that_succeeded_can_be_synced() {
    let failed = beside_overwriters(150, 600, |volume| {
        let cached = volume.create_file("/cached", NewFile::default())?;
        let blocks = volume.core().available()?.saturating_sub(20);
        let bytes = vec![3; (blocks * BLOCK) as usize];
        if cached.write_cached(0, &bytes, Sync::Visible).is_ok() {
            pause();
            cached.sync()?;
        }
        drop(cached);
        volume.remove("/cached")
    });
    assert!(failed.is_none(), "turn, error: {failed:?}");
}

/// A file maps a block that counts as free; another file gets it with others, and both are
/// overwritten: the block comes once and goes twice.
fn a_block_that_goes_twice(rmapbt: bool) {
    let mut options = mkfs::Options::default();
    options.features.rmapbt = rmapbt;
    let mut bench = Bench::of(32 << 20, options);
    bench.write(0, BLOCK, 1);
    bench.volume.sync().unwrap();
    bench.inode().cow.lock().drop_idle();
    let other = bench.volume.create_file("/other", NewFile::default()).unwrap();
    let next = FsBlock(bench.extents()[0].1.0 + 1);
    cross_link(&bench, &other, next);
    bench.write(BLOCK, 10 * BLOCK, 7);
    let extents = bench.extents();
    assert_eq!((extents[0].1.0 + 1, extents[0].2), (next.0, 11), "the other's block: {extents:?}");
    let one = bench.file.write_atomic(BLOCK, &[8; BLOCK as usize], Sync::Visible);
    let two = other.write_atomic(0, &[9; BLOCK as usize], Sync::Visible);
    let synced = bench.volume.sync();
    assert!(one.is_ok() && two.is_err() && synced.is_ok());
}

#[test]
fn a_block_that_goes_twice_is_refused() {
    [true, false].into_iter().for_each(a_block_that_goes_twice);
}
