//! Cached, direct and atomic I/O on one file against a byte model.

use super::{BLOCK, Bench};
use crate::mkfs;
use crate::{Error, File, NewFile, OpenOptions, Sync, Volume};
use std::sync::Arc;
use untorn_device::{BlockDevice, MemoryDevice};
use untorn_format::BlockKind;
use untorn_format::ag::AgfDisk;
use untorn_format::inode::DinodeDisk;

/// Numbers that look random (splitmix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }
}

fn open(device: &Arc<MemoryDevice>, page_bytes: usize) -> Volume {
    let options = OpenOptions { page_bytes, ..OpenOptions::default() };
    Volume::open(device.clone(), options).unwrap()
}

fn made(size: u64, options: mkfs::Options) -> Arc<MemoryDevice> {
    let device = Arc::new(MemoryDevice::new(size));
    let contents = mkfs::Contents::Zeroed;
    mkfs::make(&*device, &mkfs::Options { contents, uuid: Some([5; 16]), ..options }).unwrap();
    device
}

fn check(device: &MemoryDevice, what: &str) {
    let report = untorn_check::check(device, &untorn_check::Options::default()).unwrap();
    let findings = report.findings;
    assert!(findings.is_empty(), "{what}: {:?}", &findings[..findings.len().min(4)]);
}

fn contents(file: &File) -> Vec<u8> {
    let mut bytes = vec![0; file.size().unwrap() as usize];
    assert_eq!(file.read_cached(0, &mut bytes).unwrap(), bytes.len());
    bytes
}

/// One step of a run.
fn step(dice: &mut Dice, file: &File, model: &mut Vec<u8>, most: u64, count: u64) {
    let offset = dice.below(most);
    let length = (1 + dice.below(most / 6)).min(most - offset);
    let bytes: Vec<u8> = (0..length).map(|i| (count * 31 + i * 7 + 1) as u8).collect();
    let sync = if dice.below(12) == 0 { Sync::Durable } else { Sync::Visible };
    let wrote = match dice.below(9) {
        0..=2 => file.write_cached(offset, &bytes, sync).map(|()| true),
        3 => file.write_at(offset, &bytes, sync).map(|()| true),
        4 => file.write_atomic(offset, &bytes, sync).map(|()| true),
        5 => file.sync().map(|()| false),
        6 => read(file, model, offset, length, File::read_at),
        _ => read(file, model, offset, length, File::read_cached),
    };
    if wrote.unwrap() {
        let end = (offset + length) as usize;
        model.resize(model.len().max(end), 0);
        model[offset as usize..end].copy_from_slice(&bytes);
    }
    assert_eq!(file.size().unwrap(), model.len() as u64, "step {count}");
}

fn read(
    file: &File,
    model: &[u8],
    offset: u64,
    length: u64,
    how: impl Fn(&File, u64, &mut [u8]) -> crate::Result<usize>,
) -> crate::Result<bool> {
    let mut bytes = vec![0xee; length as usize];
    let count = how(file, offset, &mut bytes)?;
    let from = model.len().min(offset as usize);
    let expected = &model[from..model.len().min((offset + length) as usize)];
    assert!(&bytes[..count] == expected, "read of {length} bytes at {offset}");
    Ok(false)
}

fn run(seed: u64, block_size: u32, page_bytes: usize) {
    let what = format!("seed {seed}, {block_size} byte blocks, {page_bytes} bytes of cache");
    let options = mkfs::Options { block_size, ..mkfs::Options::default() };
    let device = made(if block_size > 4096 { 512 << 20 } else { 96 << 20 }, options);
    let mut dice = Dice(seed);
    let mut model = Vec::new();
    let most = 40 * u64::from(block_size).max(4096);
    let mut volume = open(&device, page_bytes);
    let mut file = volume.create_file("/file", NewFile::default()).unwrap();
    for count in 0..300 {
        step(&mut dice, &file, &mut model, most, count);
        if dice.below(60) == 0 {
            drop(file);
            volume.close().unwrap();
            check(&device, &what);
            volume = open(&device, page_bytes);
            file = volume.open_file("/file").unwrap();
        }
    }
    assert!(contents(&file) == model, "{what}");
    drop(file);
    assert_eq!(
        volume.core().pages.memory.dirty() > 0,
        !volume.core().pages.dirty_files().is_empty()
    );
    volume.sync().unwrap();
    assert_eq!(volume.core().pages.memory.dirty(), 0, "{what}");
    assert_eq!(volume.core().promised.blocks(), 0, "{what}: promises outlive what they were for");
    volume.close().unwrap();
    check(&device, &what);
}

#[test]
fn h79_cached_bytes_count_as_blocks_before_they_have_any_check() {
    let mut bench = Bench::new();
    let blocks = |bench: &Bench| bench.volume.metadata("/file").unwrap().inode.blocks;
    bench.file.write_cached(5, &[1; 10_000], Sync::Visible).unwrap();
    bench.expect(5, &[1; 10_000]);
    assert_eq!(blocks(&bench), 3);
    bench.file.sync().unwrap();
    assert_eq!(blocks(&bench), 3);
    bench.file.write_cached(0, &[2; 100], Sync::Visible).unwrap();
    bench.expect(0, &[2; 100]);
    assert_eq!(blocks(&bench), 3, "bytes over the file's own blocks take no others");
    bench.judge("blocks of cached bytes");
}

#[test]
fn cached_bytes_of_a_file_that_claims_all_blocks_there_can_be_are_counted() {
    let bench = Bench::new();
    bench.file.write_atomic(0, &[1; 100], Sync::Visible).unwrap();
    let inode = std::slice::from_ref(bench.inode());
    let lie = |tx: &mut crate::tx::Tx<'_>| {
        let dinode = DinodeDisk::of_mut(tx.inode_mut(inode[0].ino)).unwrap();
        dinode.nblocks.set(u64::MAX);
        Ok(())
    };
    bench.core().transact(65536, inode, lie).unwrap();
    bench.file.write_cached(BLOCK, &[1; 100], Sync::Visible).unwrap();
    assert_eq!(bench.volume.metadata("/file").unwrap().inode.blocks, u64::MAX);
    bench.volume.clone().abandon();
}

#[test]
fn cached_direct_and_atomic_io_agree_with_the_model_check() {
    let rounds = std::env::var("UNTORN_SEEDS").ok().and_then(|n| n.parse().ok()).unwrap_or(3);
    for seed in 0..rounds {
        for (block_size, page_bytes) in
            [(4096, 64 << 20), (4096, 64 << 10), (1024, 1 << 20), (65536, 1 << 20)]
        {
            run(seed, block_size, page_bytes);
        }
    }
}

#[test]
fn a_full_volume_refuses_the_cached_write_and_nothing_later() {
    let device = made(48 << 20, mkfs::Options::default());
    let volume = open(&device, 256 << 20);
    let file = volume.create_file("/file", NewFile::default()).unwrap();
    let bytes = vec![7; 1 << 20];
    let mut size = 0;
    let refused = loop {
        match file.write_cached(size, &bytes, Sync::Visible) {
            Ok(()) => size += bytes.len() as u64,
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, Error::NoSpace { .. }), "{refused}");
    // What was taken is written, though nothing was on the device when space ran out.
    volume.sync().unwrap();
    let length = file.size().unwrap();
    assert!(length >= size && size > 8 << 20, "{size} of {length}");
    assert!(contents(&file)[..size as usize].iter().all(|&byte| byte == 7));
    drop(file);
    volume.close().unwrap();
    check(&device, "full");
}

/// Fills the volume with two files block by block and removes one: free space is single blocks.
fn shatter(volume: &Volume) {
    let files = ["/keep", "/gone"].map(|n| volume.create_file(n, NewFile::default()).unwrap());
    let (mut at, mut turn) = (0, 0);
    while files[turn].write_atomic(at * BLOCK, &[1; BLOCK as usize], Sync::Visible).is_ok() {
        (at, turn) = (at + turn as u64, 1 - turn);
    }
    volume.remove("/gone").unwrap();
    volume.sync().unwrap();
}

#[test]
fn a_shattered_full_volume_refuses_the_cached_write_and_nothing_later() {
    let device = made(48 << 20, mkfs::Options::default());
    let volume = open(&device, 256 << 20);
    shatter(&volume);
    let file = volume.create_file("/file", NewFile::default()).unwrap();
    let mut at = 0;
    let refused = loop {
        // Every other block: as many extents as blocks.
        match file.write_cached(at * 2 * BLOCK, &[3; BLOCK as usize], Sync::Visible) {
            Ok(()) => at += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, Error::NoSpace { .. }), "{refused}");
    assert!(at > 1500, "only {at} blocks fitted");
    volume.sync().unwrap();
    drop(file);
    volume.close().unwrap();
    check(&device, "shattered");
}

#[test]
fn h78_dirty_pages_of_a_removed_file_go_with_it() {
    let device = made(48 << 20, mkfs::Options::default());
    let volume = open(&device, 64 << 20);
    // The directory may take blocks the first time.
    volume.create_file("/other", NewFile::default()).unwrap();
    let before = volume.space().unwrap().available;
    let file = volume.create_file("/file", NewFile::default()).unwrap();
    file.write_cached(0, &vec![1; 3 << 20], Sync::Visible).unwrap();
    assert!(volume.space().unwrap().available + 768 <= before, "space is set aside");
    volume.remove("/file").unwrap();
    assert!(file.write_cached(0, b"x", Sync::Visible).is_err());
    volume.sync().unwrap();
    assert_eq!(volume.core().pages.memory.used(), 0);
    assert_eq!(volume.core().promised.blocks(), 0);
    assert_eq!(volume.space().unwrap().available, before);
    drop(file);
    volume.close().unwrap();
    check(&device, "removed");
}

#[test]
fn the_cache_stays_inside_its_limit_model() {
    let device = made(128 << 20, mkfs::Options::default());
    let limit = 4 << 20;
    let volume = open(&device, limit);
    let file = volume.create_file("/file", NewFile::default()).unwrap();
    let bytes: Vec<u8> = (0..24u32 << 20).map(|i| (i >> 9) as u8).collect();
    let memory = &volume.core().pages.memory;
    file.write_cached(0, &bytes, Sync::Visible).unwrap();
    assert!(memory.used() <= limit + (2 << 20), "{}", memory.used());
    let mut back = vec![0; 1 << 20];
    for at in 0..24 {
        assert_eq!(file.read_cached(at << 20, &mut back).unwrap(), 1 << 20);
        assert!(back == bytes[(at as usize) << 20..(at as usize + 1) << 20]);
        assert!(memory.used() <= limit + (4 << 20), "{}", memory.used());
    }
    drop(file);
    volume.close().unwrap();
    check(&device, "limit");
}

#[test]
fn a_cut_after_a_sync_keeps_cached_bytes_and_size() {
    let device = made(64 << 20, mkfs::Options::default());
    let volume = open(&device, 64 << 20);
    let file = volume.create_file("/file", NewFile::default()).unwrap();
    file.write_cached(100, &[5; 10_000], Sync::Visible).unwrap();
    file.sync().unwrap();
    file.write_cached(5000, &[6; 100_000], Sync::Visible).unwrap();
    drop(file);
    volume.abandon();
    let volume = open(&device, 64 << 20);
    let file = volume.open_file("/file").unwrap();
    let bytes = contents(&file);
    assert_eq!(bytes.len(), 10_100, "the write that was not synced is not there");
    assert!(bytes[..100].iter().all(|&b| b == 0) && bytes[100..].iter().all(|&b| b == 5));
    drop(file);
    volume.close().unwrap();
    let device: Arc<dyn BlockDevice> = device;
    let report = untorn_check::check(&*device, &untorn_check::Options::default()).unwrap();
    assert!(report.findings.is_empty(), "{:?}", report.findings);
}

#[test]
fn a_direct_write_after_a_cached_one_is_the_last_change() {
    let device = made(64 << 20, mkfs::Options::default());
    let volume = open(&device, 64 << 20);
    let file = volume.create_file("/file", NewFile::default()).unwrap();
    let changed = || volume.metadata("/file").unwrap().inode.mtime;
    let later = || std::thread::sleep(std::time::Duration::from_millis(5));
    let made = changed();
    later();
    file.write_cached(0, &[1; 5000], Sync::Visible).unwrap();
    let cached = changed();
    assert!(cached > made, "a cached write is a change before it is on the device");
    later();
    file.sync().unwrap();
    assert_eq!(changed(), cached, "writing back is no change");
    file.write_at(0, &[2; 4096], Sync::Visible).unwrap();
    assert!(changed() > cached);
    drop(file);
    volume.close().unwrap();
    check(&device, "times");
}

#[test]
fn a_closed_volume_takes_no_cached_writes() {
    let device = made(64 << 20, mkfs::Options::default());
    let volume = open(&device, 64 << 20);
    let file = volume.create_file("/file", NewFile::default()).unwrap();
    file.write_cached(0, &[1; 5000], Sync::Visible).unwrap();
    volume.close().unwrap();
    let refused = file.write_cached(0, &[2; 5000], Sync::Visible);
    assert!(matches!(refused, Err(Error::Stopped(_))), "{refused:?}");
    check(&device, "closed");
}

/// A device that reads nothing while it is told not to.
pub(super) struct Blind {
    pub inner: Arc<MemoryDevice>,
    pub blind: std::sync::atomic::AtomicBool,
}

impl BlockDevice for Blind {
    fn geometry(&self) -> untorn_device::DeviceGeometry {
        self.inner.geometry()
    }
    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> untorn_device::Result<()> {
        match self.blind.load(std::sync::atomic::Ordering::SeqCst) {
            true => Err(untorn_device::DeviceError::Unusable("blind".to_owned())),
            false => self.inner.read_at(offset, bytes),
        }
    }
    fn write_at(&self, offset: u64, bytes: &[u8]) -> untorn_device::Result<()> {
        self.inner.write_at(offset, bytes)
    }
    fn flush(&self) -> untorn_device::Result<()> {
        self.inner.flush()
    }
    fn discard(&self, offset: u64, length: u64) -> untorn_device::Result<untorn_device::Discarded> {
        self.inner.discard(offset, length)
    }
}

#[test]
fn h46_a_cached_write_that_cannot_read_its_block_reserves_nothing() {
    let device = made(64 << 20, mkfs::Options::default());
    let blind = Arc::new(Blind { inner: device.clone(), blind: false.into() });
    let volume = Volume::open(blind.clone(), OpenOptions::default()).unwrap();
    let file = volume.create_file("/file", NewFile::default()).unwrap();
    file.write_atomic(0, &vec![3; 2 * BLOCK as usize], Sync::Visible).unwrap();
    blind.blind.store(true, std::sync::atomic::Ordering::SeqCst);
    // The last block is in the file, those behind it are not: they get a reservation first.
    let refused = file.write_cached(BLOCK + 100, &vec![4; 3 * BLOCK as usize], Sync::Visible);
    assert!(matches!(refused, Err(Error::Device(_))), "{refused:?}");
    assert_eq!(volume.core().promised.blocks(), 0);
    blind.blind.store(false, std::sync::atomic::Ordering::SeqCst);
    assert!(contents(&file) == vec![3; 2 * BLOCK as usize]);
    drop(file);
    volume.close().unwrap();
    check(&device, "blind");
}

#[test]
fn a_full_volume_keeps_what_linux_reserves_in_each_group() {
    let device = made(2 << 30, mkfs::Options::default());
    let volume = open(&device, 1 << 20);
    let file = volume.create_file("/file", NewFile::default()).unwrap();
    let (mut at, mut step) = (0u64, 64u64 << 20);
    while step >= BLOCK {
        match file.allocate(at..at + step, crate::SizeRule::Grow) {
            Ok(()) => at += step,
            Err(Error::NoSpace { .. }) => step /= 2,
            Err(error) => panic!("{error}"),
        }
    }
    assert!(at > 1 << 30, "{at}");
    volume.sync().unwrap();
    let core = volume.core();
    for ag in (0..core.geometry.ag_count).map(untorn_format::AgNumber) {
        let image = core.store.cache().read(&core.header(ag, BlockKind::Agf)).unwrap();
        let agf = AgfDisk::of(&image).unwrap();
        let limits = &core.limits;
        let wanted = limits.refcount_reserve(ag, agf.refcount_blocks.get()).unused()
            + limits.rmap_reserve(ag, agf.rmap_blocks.get()).unused()
            + limits.finobt_reserve(ag, 1).unused();
        let free = agf.freeblks.get() + agf.flcount.get();
        assert!(free >= wanted, "group {}: {free} blocks free, {wanted} reserved", ag.0);
    }
    drop(file);
    volume.close().unwrap();
    check(&device, "reserved");
}
