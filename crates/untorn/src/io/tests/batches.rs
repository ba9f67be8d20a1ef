//! Batches against byte models, with power cuts between their requests; the door of `RWF_ATOMIC`.

use super::{BLOCK, Bench};
use crate::inode::Sharing;
use crate::io::batch::{Step, commit_batch};
use crate::io::commit::Beside;
use crate::mkfs;
use crate::{
    AtomicRefusal, Caching, Error, File, LinuxWrite, NewFile, NewMetadata, OpenOptions, Position,
    SetTime, SizeRule, Sync, Volume, Wait,
};
use std::sync::Arc;
use untorn_device::{BlockDevice, MemoryDevice};
use untorn_format::inode::Timestamp;

/// What a batch does to a file, in memory.
fn apply(model: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    model.resize(model.len().max(offset + bytes.len()), 0);
    model[offset..offset + bytes.len()].copy_from_slice(bytes);
}

fn random(seed: &mut u64, limit: u64) -> u64 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*seed >> 33) % limit
}

#[test]
fn batches_over_two_files_agree_with_the_model_check() {
    for seed in 0..30u64 {
        let mut bench = Bench::new();
        let other = bench.volume.create_file("/two", NewFile::default()).unwrap();
        let mut models = [Vec::new(), Vec::new()];
        let mut dice = seed + 1;
        for round in 0..25u64 {
            let steps: Vec<(usize, u64, Option<Vec<u8>>)> = (0..1 + random(&mut dice, 6))
                .map(|index| {
                    let offset = random(&mut dice, 30 * BLOCK);
                    let length = 1 + random(&mut dice, 3 * BLOCK);
                    let bytes = vec![(round * 7 + index + 1) as u8; length as usize];
                    let what = (random(&mut dice, 5) > 0).then_some(bytes);
                    (random(&mut dice, 2) as usize, offset, what)
                })
                .collect();
            if random(&mut dice, 3) == 0 {
                bench.file.write_cached(round * 99, &[200; 5000], Sync::Visible).unwrap();
                apply(&mut models[0], round as usize * 99, &[200; 5000]);
            }
            let files: [&File; 2] = [&bench.file, &other];
            let mut batch = bench.volume.atomic();
            for (file, offset, what) in &steps {
                batch = match what {
                    Some(bytes) => batch.write(files[*file], *offset, bytes),
                    None => batch.truncate(files[*file], *offset),
                };
                match what {
                    Some(bytes) => apply(&mut models[*file], *offset as usize, bytes),
                    None => models[*file].resize(*offset as usize, 0),
                }
            }
            batch.commit(Sync::Visible).unwrap();
            for (file, model) in files.iter().zip(&models) {
                assert!(Bench::contents(file) == *model, "seed {seed}, round {round}");
            }
        }
        let [first, _] = models;
        bench.model = first;
        drop(other);
        bench.judge(&format!("batches, seed {seed}"));
    }
}

/// The two files of a volume.
fn both(device: &Arc<MemoryDevice>) -> [Vec<u8>; 2] {
    let volume = Volume::open(Arc::clone(device) as _, OpenOptions::default()).unwrap();
    let files = ["/file", "/two"].map(|name| Bench::contents(&volume.open_file(name).unwrap()));
    volume.close().unwrap();
    files
}

#[test]
fn a_batch_is_whole_or_not_at_all_wherever_the_device_stops_check() {
    let mut bench = Bench::new();
    bench.write(0, 20 * BLOCK, 1);
    let two = bench.volume.create_file("/two", NewFile::default()).unwrap();
    two.write_atomic(0, &vec![2; 9000], Sync::Visible).unwrap();
    drop(two);
    let Bench { device, volume, file, model, .. } = bench;
    drop(file);
    volume.close().unwrap();
    let start = device.snapshot();
    let old = [model.clone(), vec![2; 9000]];
    let mut new = old.clone();
    new[0].truncate(50_000);
    apply(&mut new[0], 700, &[9; 9000]);
    apply(&mut new[1], 30_000, &[8; 5000]);
    let (mut seen_old, mut seen_new) = (0, 0);
    for stop in 0..40 {
        let medium = Arc::new(start.snapshot());
        let faulty = Arc::new(StopAfter::new(Arc::clone(&medium), stop));
        let outcome = attempt(faulty);
        let found = both(&medium);
        assert!(found == old || found == new, "torn when the device stopped at write {stop}");
        assert!(outcome.is_err() || found == new, "durable, and not there: stop {stop}");
        seen_old += u32::from(found == old);
        seen_new += u32::from(found == new);
        let report = untorn_check::check(&*medium, &untorn_check::Options::default()).unwrap();
        assert!(report.findings.is_empty(), "stop {stop}: {:?}", report.findings);
    }
    assert!(seen_old > 2 && seen_new > 2, "{seen_old} old, {seen_new} new");
}

fn attempt(device: Arc<StopAfter>) -> crate::Result<()> {
    let volume = Volume::open(device, OpenOptions::default())?;
    let [file, two] = [volume.open_file("/file")?, volume.open_file("/two")?];
    let batch = volume.atomic().truncate(&file, 50_000).write(&file, 700, &[9; 9000]);
    batch.write(&two, 30_000, &[8; 5000]).commit(Sync::Durable)?;
    drop((file, two));
    volume.close()
}

#[test]
fn permissions_come_with_the_bytes_whenever_the_power_fails_check() {
    let device = Arc::new(MemoryDevice::new(64 << 20));
    mkfs::make(&*device, &mkfs::Options::default()).unwrap();
    let volume = Volume::open(device.clone(), OpenOptions::default()).unwrap();
    let old = NewFile { permissions: 0o644, ..NewFile::default() };
    volume.replace_file("/file", &[1; 5000], old, Sync::Durable).unwrap();
    volume.close().unwrap();
    let before = device.snapshot();
    let (mut seen_old, mut seen_new) = (0, 0);
    for stop in 0..12 {
        let medium = Arc::new(before.snapshot());
        let stopped = Arc::new(StopAfter::new(Arc::clone(&medium), stop));
        drop(make_private(stopped));
        let volume = Volume::open(medium.clone(), OpenOptions::default()).unwrap();
        let inode = volume.metadata("/file").unwrap().inode;
        let bytes = Bench::contents(&volume.open_file("/file").unwrap());
        match (inode.mode & 0o7777, inode.uid, &bytes[..]) {
            (0o644, 0, bytes) if bytes == [1; 5000] => seen_old += 1,
            (0o600, 7, bytes) if bytes == [2; 900] => seen_new += 1,
            (mode, uid, bytes) => panic!("{stop}: {mode:o}, {uid}, {} bytes", bytes.len()),
        }
        volume.close().unwrap();
        let report = untorn_check::check(&*medium, &untorn_check::Options::default()).unwrap();
        assert!(report.findings.is_empty(), "stop {stop}: {:?}", report.findings);
    }
    assert!(seen_old > 1 && seen_new > 1, "{seen_old} old, {seen_new} new");
}

#[test]
fn a_batch_without_bytes_sets_times_past_what_waits_in_the_cache_check() {
    let bench = Bench::new();
    bench.file.write_cached(0, &[5; 5000], Sync::Visible).unwrap();
    let set = Timestamp { seconds: 77, nanos: 7 };
    let change = NewMetadata { mtime: Some(SetTime::To(set)), ..NewMetadata::default() };
    bench.volume.atomic().set_metadata(&bench.file, change).commit(Sync::Visible).unwrap();
    let mtime = || bench.volume.metadata("/file").unwrap().inode.mtime;
    assert_eq!(mtime(), set);
    bench.volume.sync().unwrap();
    assert_eq!((mtime(), Bench::contents(&bench.file)), (set, vec![5; 5000]));
    let mut bench = bench;
    bench.model = vec![5; 5000];
    bench.judge("times of a batch");
}

fn make_private(device: Arc<StopAfter>) -> crate::Result<()> {
    let volume = Volume::open(device, OpenOptions::default())?;
    let file = volume.open_file("/file")?;
    let private = NewMetadata { permissions: Some(0o600), uid: Some(7), ..NewMetadata::default() };
    let batch = volume.atomic().truncate(&file, 0).write(&file, 0, &[2; 900]);
    batch.set_metadata(&file, private).commit(Sync::Durable)?;
    drop(file);
    volume.close()
}

/// A device that takes so many writes and then fails.
struct StopAfter {
    inner: Arc<MemoryDevice>,
    left: std::sync::atomic::AtomicI64,
}

impl StopAfter {
    fn new(inner: Arc<MemoryDevice>, writes: i64) -> Self {
        Self { inner, left: writes.into() }
    }
}

impl BlockDevice for StopAfter {
    fn geometry(&self) -> untorn_device::DeviceGeometry {
        self.inner.geometry()
    }
    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> untorn_device::Result<()> {
        self.inner.read_at(offset, bytes)
    }
    fn write_at(&self, offset: u64, bytes: &[u8]) -> untorn_device::Result<()> {
        if self.left.fetch_sub(1, std::sync::atomic::Ordering::SeqCst) <= 0 {
            return Err(untorn_device::DeviceError::Unusable("unplugged".to_owned()));
        }
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
fn a_batch_that_the_journal_cannot_carry_is_refused_with_the_limit() {
    let mut bench = Bench::new();
    bench.write(0, 100 * BLOCK, 1);
    let limit = bench.core().store.largest_transaction();
    let mut batch = bench.volume.atomic();
    for block in 0..limit / 512 + 64 {
        batch = batch.write(&bench.file, block * 2 * BLOCK, b"x");
    }
    let refused = batch.commit(Sync::Visible).unwrap_err();
    let full = matches!(refused, Error::TooLarge { .. } | Error::NoSpace { .. });
    assert!(full, "{refused}");
    bench.judge("refused batch");
}

#[test]
fn a_batch_names_the_size_that_no_file_can_have() {
    let bench = Bench::new();
    let refused = bench.volume.atomic().truncate(&bench.file, 1 << 63).commit(Sync::Visible);
    let alone = bench.file.truncate(1 << 63);
    assert!(matches!(refused, Err(Error::Invalid(_))), "{refused:?}");
    assert_eq!(refused.unwrap_err().to_string(), alone.unwrap_err().to_string());
    bench.judge("a size");
}

#[test]
fn files_of_another_volume_are_refused() {
    let (one, two) = (Bench::new(), Bench::new());
    let refused = one.volume.atomic().write(&two.file, 0, b"x").commit(Sync::Visible);
    assert!(matches!(refused, Err(Error::Invalid(_))), "{refused:?}");
    one.judge("one");
    two.judge("two");
}

#[test]
fn h13_h71_the_linux_door_refuses_what_linux_refuses_in_its_order() {
    let mut bench = Bench::new();
    bench.write(0, 16 * BLOCK, 1);
    let limits = bench.file.atomic_write_limits();
    assert_eq!((limits.unit_min, limits.segments_max, limits.unit_max_opt), (BLOCK, 1, 0));
    assert!(limits.unit_max.is_power_of_two() && limits.unit_max >= 16 * BLOCK);
    let how = LinuxWrite::default();
    let cached = LinuxWrite { caching: Caching::Cached, ..how };
    let bytes = vec![7; 4 * BLOCK as usize];
    let (half, three, two) = (&bytes[..2048], &bytes[..3 * 4096], &bytes[..8192]);
    let long = vec![0; 2 * limits.unit_max as usize];
    use AtomicRefusal as R;
    let limit = |size_limit| LinuxWrite { size_limit: Some(size_limit), ..how };
    let now = |size_limit| LinuxWrite { wait: Wait::Refused, ..limit(size_limit) };
    let cases: [(Position, &[&[u8]], LinuxWrite, R); 13] = [
        (Position::At(1), &[half], cached, R::TooShort),
        (Position::At(1), &[&long], cached, R::TooLong),
        (Position::At(1), &[two, two], cached, R::Buffers),
        (Position::At(1), &[three], cached, R::Length),
        (Position::At(BLOCK), &[two], cached, R::Alignment),
        (Position::At(0), &[two], cached, R::NotDirect),
        (Position::At(0), &[two], LinuxWrite { wait: Wait::Refused, ..how }, R::WouldWait),
        (Position::At(8192), &[two], now(12288), R::WouldWait),
        (Position::At(8192), &[two], now(8192), R::BehindLimit),
        (Position::At(8192), &[two], limit(8192), R::BehindLimit),
        (Position::At(8192), &[two], limit(12288), R::Shortened),
        (Position::At(1 << 63), &[two], how, R::BehindLimit),
        (Position::At(i64::MAX as u64 + 1 - 8192), &[two], how, R::Shortened),
    ];
    for (position, buffers, how, expected) in cases {
        match bench.file.write_rwf_atomic(position, buffers, &how) {
            Err(Error::AtomicRefused(refusal)) => assert_eq!(refusal, expected, "{position:?}"),
            other => panic!("{expected:?} expected, not {other:?}"),
        }
    }
    assert_eq!(bench.file.write_rwf_atomic(Position::At(1), &[], &cached).unwrap(), 0);
    assert_eq!(bench.file.write_rwf_atomic(Position::At(8192), &[two], &how).unwrap(), 8192);
    bench.expect(8192, two);
    bench.judge("linux door");
}

#[test]
fn an_append_is_checked_at_the_place_that_it_gets() {
    let mut bench = Bench::new();
    bench.write(0, 3 * BLOCK, 1);
    let (how, bytes) = (LinuxWrite::default(), vec![5; 2 * BLOCK as usize]);
    let refused = bench.file.write_rwf_atomic(Position::Append, &[&bytes], &how);
    let misaligned = matches!(refused, Err(Error::AtomicRefused(AtomicRefusal::Alignment)));
    assert!(misaligned, "{refused:?}");
    bench.file.write_rwf_atomic(Position::Append, &[&bytes[..4096]], &how).unwrap();
    bench.expect(3 * BLOCK, &bytes[..4096]);
    bench.file.write_rwf_atomic(Position::Append, &[&bytes], &how).unwrap();
    bench.expect(4 * BLOCK, &bytes);
    bench.judge("append");
}

#[test]
fn h17_the_largest_write_of_the_linux_door_fits_the_journal_on_single_blocks() {
    let mut bench = Bench::new();
    // Every other block free: nothing lies together.
    let keep = bench.volume.create_file("/keep", NewFile::default()).unwrap();
    let gone = bench.volume.create_file("/gone", NewFile::default()).unwrap();
    let unit = bench.file.atomic_write_limits().unit_max.min(2 << 20);
    for at in 0..unit / BLOCK + 8 {
        keep.write_atomic(at * BLOCK, &[1; BLOCK as usize], Sync::Visible).unwrap();
        gone.write_atomic(at * BLOCK, &[1; BLOCK as usize], Sync::Visible).unwrap();
    }
    let rest = bench.volume.space().unwrap().available.saturating_sub(16);
    let fill = bench.volume.create_file("/fill", NewFile::default()).unwrap();
    fill.write_atomic(0, &vec![1; (rest * BLOCK) as usize], Sync::Visible).unwrap();
    bench.volume.remove("/gone").unwrap();
    bench.volume.sync().unwrap();
    let bytes = vec![6; unit as usize];
    bench.file.write_rwf_atomic(Position::At(0), &[&bytes], &LinuxWrite::default()).unwrap();
    bench.expect(0, &bytes);
    assert!(bench.extents().len() as u64 > unit / BLOCK / 2, "{}", bench.extents().len());
    drop((keep, gone, fill));
    bench.judge("single blocks");
}

#[test]
fn h17_the_limits_of_the_linux_door_are_those_of_the_transactions_that_were_chosen_check() {
    let device = Arc::new(MemoryDevice::new(64 << 20));
    mkfs::make(&*device, &mkfs::Options::default()).unwrap();
    let little = OpenOptions { largest_transaction: Some(128 << 10), ..OpenOptions::default() };
    let volume = Volume::open(device.clone(), little).unwrap();
    let file = volume.create_file("/file", NewFile::default()).unwrap();
    shatter(&volume);
    let unit = file.atomic_write_limits().unit_max;
    assert!(unit >= 4 * BLOCK, "{unit}");
    for byte in [1, 2] {
        let bytes = vec![byte; unit as usize];
        file.write_rwf_atomic(Position::At(0), &[&bytes], &LinuxWrite::default()).unwrap();
    }
    drop(file);
    volume.close().unwrap();
    let report = untorn_check::check(&*device, &untorn_check::Options::default()).unwrap();
    assert!(report.findings.is_empty(), "{:?}", report.findings);
}

/// Leaves every other block of the volume free: nothing lies together.
fn shatter(volume: &Volume) {
    let make = |name| volume.create_file(name, NewFile::default()).unwrap();
    let (keep, gone, fill) = (make("/keep"), make("/gone"), make("/fill"));
    let half = volume.space().unwrap().available / 2 - 64;
    for at in 0..half {
        keep.write_atomic(at * BLOCK, &[1; BLOCK as usize], Sync::Visible).unwrap();
        gone.write_atomic(at * BLOCK, &[1; BLOCK as usize], Sync::Visible).unwrap();
    }
    let rest = volume.space().unwrap().available * BLOCK;
    fill.allocate(0..rest, SizeRule::Grow).unwrap();
    drop(gone);
    volume.remove("/gone").unwrap();
    volume.sync().unwrap();
}

#[test]
fn h17_what_the_journal_cannot_carry_is_refused_before_a_byte_is_written_check() {
    let inner = Arc::new(MemoryDevice::new(64 << 20));
    mkfs::make(&*inner, &mkfs::Options::default()).unwrap();
    let device = Arc::new(StopAfter::new(inner.clone(), i64::MAX));
    let mut options =
        OpenOptions { largest_transaction: Some(128 << 10), ..OpenOptions::default() };
    options.background = crate::Background::Off;
    let volume = Volume::open(device.clone(), options).unwrap();
    let file = volume.create_file("/file", NewFile::default()).unwrap();
    shatter(&volume);
    let written = || i64::MAX - device.left.load(std::sync::atomic::Ordering::SeqCst);
    let before = written();
    let bytes = vec![7; 2000 * BLOCK as usize];
    let single = file.write_atomic(0, &bytes, Sync::Visible);
    let blocks = (0..2000).map(|block| block * 2 * BLOCK);
    let batch = blocks.fold(volume.atomic(), |batch, at| batch.write(&file, at, b"x"));
    for refused in [single, batch.commit(Sync::Visible)] {
        let named = matches!(refused, Err(Error::TooLarge { limit, .. }) if limit == 128 << 10);
        assert!(named, "{refused:?}");
    }
    assert_eq!((written(), file.size().unwrap()), (before, 0));
    // What is more than surely fits, and fits, is done.
    let fits = 2 * file.atomic_write_limits().unit_max;
    file.write_atomic(0, &bytes[..fits as usize], Sync::Visible).unwrap();
    assert_eq!(Bench::contents(&file), bytes[..fits as usize]);
    drop(file);
    volume.close().unwrap();
    let report = untorn_check::check(&*inner, &untorn_check::Options::default()).unwrap();
    assert!(report.findings.is_empty(), "{:?}", report.findings);
}

#[test]
fn a_batch_over_as_many_files_as_the_journal_can_carry_is_done_check() {
    const FILES: usize = 900;
    let device = Arc::new(MemoryDevice::new(300 << 20));
    let mut options = mkfs::Options::default();
    options.log.room = mkfs::LogRoom::Least;
    mkfs::make(&*device, &options).unwrap();
    let volume = Volume::open(device.clone(), OpenOptions::default()).unwrap();
    let make = |index| volume.create_file(format!("/{index}"), NewFile::default()).unwrap();
    let files: Vec<File> = (0..FILES).map(make).collect();
    let write = |files: &[File], byte: u8| {
        let bytes = [byte; BLOCK as usize];
        let all = files.iter().fold(volume.atomic(), |batch, file| batch.write(file, 0, &bytes));
        all.commit(Sync::Visible)
    };
    write(&files, 1).unwrap();
    write(&files, 2).unwrap();
    assert!(files.iter().all(|file| Bench::contents(file) == [2; BLOCK as usize]));
    drop(files);
    volume.close().unwrap();
    // With so little that the same batch does not fit, whatever it was thought to need.
    let few = OpenOptions { largest_transaction: Some(300 << 10), ..OpenOptions::default() };
    let volume = Volume::open(device.clone(), few).unwrap();
    let open = |index| volume.open_file(format!("/{index}")).unwrap();
    let files: Vec<File> = (0..FILES).map(open).collect();
    let bytes = [3; BLOCK as usize];
    let all = files.iter().fold(volume.atomic(), |batch, file| batch.write(file, 0, &bytes));
    let refused = all.commit(Sync::Visible);
    let named = matches!(refused, Err(Error::TooLarge { need, limit }) if need > limit);
    assert!(named, "{refused:?}");
    assert!(files.iter().all(|file| Bench::contents(file) == [2; BLOCK as usize]));
    drop(files);
    volume.close().unwrap();
    let report = untorn_check::check(&*device, &untorn_check::Options::default()).unwrap();
    assert!(report.findings.is_empty(), "{:?}", report.findings);
}

#[test]
fn h17_a_batch_of_many_files_is_refused_before_a_byte_is_written_whatever_the_limit() {
    const FILES: usize = 300;
    let inner = Arc::new(MemoryDevice::new(64 << 20));
    mkfs::make(&*inner, &mkfs::Options::default()).unwrap();
    let device = Arc::new(StopAfter::new(inner, i64::MAX));
    let open = |limit| {
        let background = crate::Background::Off;
        let options = OpenOptions { background, largest_transaction: limit, ..Default::default() };
        Volume::open(device.clone(), options).unwrap()
    };
    let volume = open(None);
    for index in 0..FILES {
        let file = volume.create_file(format!("/{index}"), NewFile::default()).unwrap();
        file.write_atomic(0, &[1; BLOCK as usize], Sync::Visible).unwrap();
    }
    volume.close().unwrap();
    let written = || i64::MAX - device.left.load(std::sync::atomic::Ordering::SeqCst);
    for limit in (64..512).step_by(16) {
        let volume = open(Some(limit << 10));
        let open = |index| volume.open_file(format!("/{index}")).unwrap();
        let files: Vec<File> = (0..FILES).map(open).collect();
        let before = written();
        let bytes = [2; BLOCK as usize];
        let all = files.iter().fold(volume.atomic(), |batch, file| batch.write(file, 0, &bytes));
        if let Err(refused) = all.commit(Sync::Visible) {
            assert!(matches!(refused, Error::TooLarge { .. }), "{refused}");
            assert_eq!(written(), before, "{limit} KiB");
        }
        drop(files);
        volume.close().unwrap();
    }
}

#[test]
fn a_file_that_is_replaced_costs_one_transaction() {
    let mut bench = Bench::new();
    bench.write(0, 3 * BLOCK, 1);
    let runs = std::sync::atomic::AtomicU32::new(0);
    let run = |_: &mut crate::tx::Tx<'_>| {
        runs.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Ok(())
    };
    let bytes = [2; BLOCK as usize];
    let steps = [Step::Truncate(0), Step::Write(0, &bytes)];
    let steps = steps.map(|step| (bench.inode().clone(), step)).to_vec();
    commit_batch(bench.core(), steps, &Beside { bytes: 0, run: &run }, Sync::Visible).unwrap();
    assert_eq!(runs.into_inner(), 1);
    bench.model = bytes.to_vec();
    bench.judge("replaced");
}

#[test]
fn a_batch_that_keeps_the_size_locks_what_it_writes_alone_check() {
    let mut bench = Bench::new();
    bench.file.write_atomic(0, &[1; 8 * BLOCK as usize], Sync::Visible).unwrap();
    bench.file.write_cached(8 * BLOCK, &[2; BLOCK as usize], Sync::Visible).unwrap();
    let inode = bench.inode();
    {
        let _elsewhere = inode.ranges.lock(2 * BLOCK..3 * BLOCK, Sharing::Exclusive);
        let batch = bench.volume.atomic().write(&bench.file, 1, &[3; 9]);
        batch.write(&bench.file, 4 * BLOCK, &[4; 7]).commit(Sync::Visible).unwrap();
    }
    assert_eq!(inode.core().unwrap().size, 8 * BLOCK, "what is cached behind is not committed");
    let mut model = vec![1; 8 * BLOCK as usize];
    model.resize(9 * BLOCK as usize, 2);
    apply(&mut model, 1, &[3; 9]);
    apply(&mut model, 4 * BLOCK as usize, &[4; 7]);
    bench.model = model;
    bench.judge("a batch that keeps the size");
}
