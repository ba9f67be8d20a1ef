//! What happens while nobody asks: what is old is dealt with, what is not is left alone.

use super::{BLOCK, Bench};
use crate::background::{Commits, pass};
use crate::{Ages, Background, NewFile, OpenOptions, Sync, Volume, mkfs};
use std::sync::Arc;
use std::time::{Duration, Instant};
use untorn_device::MemoryDevice;
use untorn_store::{Load, Sequence, WaitsFor};

/// A pass at a time `seconds` from now.
fn pass_in(bench: &Bench, seconds: u64, commits: &mut Commits) {
    let now = Instant::now() + Duration::from_secs(seconds);
    pass(bench.core(), Ages::default(), now, commits);
}

fn dirty(bench: &Bench) -> usize {
    bench.core().pages.memory.dirty()
}

#[test]
fn cached_bytes_are_written_back_when_they_are_old_check() {
    let mut bench = Bench::new();
    let bytes = [7; 3 * BLOCK as usize];
    bench.file.write_cached(5, &bytes, Sync::Visible).unwrap();
    bench.expect(5, &bytes);
    pass_in(&bench, 29, &mut Commits::default());
    assert!(dirty(&bench) > 0 && bench.extents().is_empty(), "written back before its time");
    pass_in(&bench, 31, &mut Commits::default());
    assert_eq!(dirty(&bench), 0);
    assert!(!bench.extents().is_empty());
    bench.judge("written back by age");
}

#[test]
fn h73_idle_blocks_are_given_back_when_they_are_old_check() {
    let mut bench = Bench::new();
    bench.write(0, 64 * BLOCK, 1);
    bench.write(3 * BLOCK, BLOCK, 2);
    assert!(bench.inode().cow.lock().idle_blocks() > 0, "the hint set nothing aside");
    pass_in(&bench, 299, &mut Commits::default());
    assert!(bench.inode().cow.lock().idle_blocks() > 0);
    pass_in(&bench, 301, &mut Commits::default());
    assert_eq!(bench.inode().cow.lock().idle_blocks(), 0);
    bench.judge("idle blocks");
}

#[test]
fn commits_are_made_durable_when_they_are_old_check() {
    let mut bench = Bench::new();
    bench.core().store.force_all().unwrap();
    bench.write(0, BLOCK, 1);
    let sequence = bench.inode().sequence();
    let mut commits = Commits::default();
    let is_open = |bench: &Bench| bench.core().store.open_sequence() == sequence;
    for seconds in [0, 29] {
        pass_in(&bench, seconds, &mut commits);
        assert!(is_open(&bench), "forced after {seconds} seconds");
    }
    pass_in(&bench, 31, &mut commits);
    assert!(!is_open(&bench));
    assert!(bench.core().store.open_sequence() > Sequence(0));
    bench.judge("commits");
}

#[test]
fn what_was_durable_long_ago_is_written_home_once_check() {
    let mut bench = Bench::new();
    bench.write(0, BLOCK, 1);
    bench.core().store.force_all().unwrap();
    let mut commits = Commits::default();
    let waits = |bench: &Bench| (bench.core().store.waits_for(), bench.core().store.pending().1);
    pass_in(&bench, 0, &mut commits);
    pass_in(&bench, 29, &mut commits);
    assert!(waits(&bench).1 > 1, "written home before its time");
    pass_in(&bench, 31, &mut commits);
    assert_eq!(waits(&bench), (WaitsFor::Home, 1), "all but what the covering checkpoint says");
    let sequence = bench.core().store.open_sequence();
    for seconds in [40, 80, 120, 160] {
        pass_in(&bench, seconds, &mut commits);
    }
    assert_eq!(bench.core().store.open_sequence(), sequence, "an idle volume writes for ever");
    bench.judge("written home");
}

fn volume(ages: Ages, page_bytes: usize) -> (Arc<MemoryDevice>, Volume) {
    let device = Arc::new(MemoryDevice::new(64 << 20));
    mkfs::make(&*device, &mkfs::Options::default()).unwrap();
    let background = Background::On(ages);
    let options = OpenOptions { background, page_bytes, ..OpenOptions::default() };
    let volume = Volume::open(device.clone(), options).unwrap();
    (device, volume)
}

fn assert_clean(device: &MemoryDevice) {
    let report = untorn_check::check(device, &untorn_check::Options::default()).unwrap();
    assert!(report.findings.is_empty(), "{:?}", report.findings.first());
}

#[test]
fn much_that_is_dirty_is_written_back_before_it_is_old_check() {
    let (device, volume) = volume(Ages::default(), 4 << 20);
    let file = volume.create_file("/file", NewFile::default()).unwrap();
    file.write_cached(0, &vec![1; 3 << 19], Sync::Visible).unwrap();
    let memory = Arc::clone(&volume.core().pages.memory);
    let began = Instant::now();
    while memory.dirty() > memory.limit / 4 {
        assert!(began.elapsed() < Duration::from_secs(60), "{} bytes are dirty", memory.dirty());
        std::thread::sleep(Duration::from_millis(1));
    }
    volume.close().unwrap();
    assert_clean(&device);
}

#[test]
fn h72_work_behind_the_back_of_writers_loses_nothing_model_check() {
    let zero = Duration::ZERO;
    let look = Duration::from_micros(50);
    let (device, volume) = volume(Ages { look, dirty: zero, committed: zero, idle: zero }, 1 << 20);
    std::thread::scope(|scope| {
        for thread in 0..3u64 {
            let volume = &volume;
            scope.spawn(move || {
                let path = format!("/{thread}");
                let file = volume.create_file(&path, NewFile::default()).unwrap();
                let mut model = Vec::new();
                for round in 0..150u64 {
                    let offset = (round * 7919 + thread) % 90_000;
                    let bytes = vec![round as u8 + 1; 1 + (round * 131 % 9_000) as usize];
                    match round % 4 {
                        0 => file.write_atomic(offset, &bytes, Sync::Visible).unwrap(),
                        1 | 2 => file.write_cached(offset, &bytes, Sync::Visible).unwrap(),
                        _ => {
                            file.truncate(offset).unwrap();
                            model.resize(offset as usize, 0);
                            continue;
                        }
                    }
                    let end = offset as usize + bytes.len();
                    model.resize(model.len().max(end), 0);
                    model[offset as usize..end].copy_from_slice(&bytes);
                }
                let mut found = vec![0; model.len() + 1];
                let count = file.read_cached(0, &mut found).unwrap();
                assert!(found[..count] == model, "{path} differs from its model");
            });
        }
    });
    volume.close().unwrap();
    assert_clean(&device);
}

#[test]
fn a_volume_that_is_dropped_or_abandoned_ends_its_thread() {
    let ages = Ages { look: Duration::from_micros(10), ..Ages::default() };
    let (_, volume) = volume(ages, 1 << 20);
    volume.create_file("/file", NewFile::default()).unwrap();
    let core = Arc::downgrade(volume.core());
    drop(volume);
    assert_eq!(core.strong_count(), 0, "the thread holds the volume");
    let (_, volume) = self::volume(ages, 1 << 20);
    volume.create_file("/file", NewFile::default()).unwrap();
    let core = Arc::downgrade(volume.core());
    volume.abandon();
    assert_eq!(core.strong_count(), 0, "the thread holds the volume");
}

#[test]
fn a_close_in_the_midst_of_writers_and_passes_leaves_a_sound_volume_check() {
    let zero = Duration::ZERO;
    for round in 0..12u64 {
        let look = Duration::from_micros(20);
        let ages = Ages { look, dirty: zero, committed: zero, idle: zero };
        let (device, volume) = volume(ages, 1 << 20);
        std::thread::scope(|scope| {
            for thread in 0..2u64 {
                let file = volume.create_file(format!("/{thread}"), NewFile::default()).unwrap();
                // Until the volume is closed under it.
                scope.spawn(move || {
                    for at in 0.. {
                        let offset = at * 4099 % 200_000;
                        let written = match at % 5 {
                            4 => file.truncate(offset),
                            _ => file.write_cached(offset, &[1; 5000], Sync::Visible).map(drop),
                        };
                        if written.is_err() {
                            break;
                        }
                    }
                });
            }
            std::thread::sleep(Duration::from_millis(round));
            volume.close().unwrap();
        });
        assert_clean(&device);
    }
}

#[test]
fn a_checkpoint_that_has_grown_large_is_written_by_the_thread_check() {
    let device = Arc::new(MemoryDevice::new(256 << 20));
    mkfs::make(&*device, &mkfs::Options::default()).unwrap();
    let volume = Volume::open(device.clone(), OpenOptions::default()).unwrap();
    let store = &volume.core().store;
    let before = store.open_sequence();
    let mut files = 0;
    while store.load() == Load::Light && store.open_sequence() == before {
        drop(volume.create_file(format!("/{files}"), NewFile::default()).unwrap());
        files += 1;
    }
    // Nobody commits any more, and the ages are those of minutes.
    let began = Instant::now();
    while store.load() != Load::Light && began.elapsed() < Duration::from_secs(4) {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(store.load(), Load::Light, "{files} files are in no checkpoint");
    assert!(store.open_sequence() > before);
    volume.close().unwrap();
    let findings = untorn_check::check(&*device, &Default::default()).unwrap().findings;
    assert!(findings.is_empty(), "{findings:?}");
}
