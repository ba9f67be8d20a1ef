//! Power cuts over plain cached writes: what was synced is there, nothing is there that nobody
//! wrote, no file is longer than it ever was.
//!
//! The volume was full of `STALE` bytes before: a block that shows up in a file before its bytes do
//! is seen. Every byte that is written tells which operation wrote it.
//!
//! With the background thread on, a run cannot be repeated; it is recorded once, live, and the
//! power is cut at every place of that record. `UNTORN_CUT_CACHED` makes the runs longer,
//! `UNTORN_CUT_STEP` (1 for all) says how many cuts are passed over.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;
use std::time::Duration;
use untorn::{Ages, Background, File, NewFile, OpenOptions, Sync, Volume, mkfs};
use untorn_device::{BlockDevice, MemoryDevice};
use untorn_torture::dice::Dice;
use untorn_torture::disk::{Event, Family, SimDisk};

/// What blocks hold that nobody has written since; no operation writes it.
const STALE: u8 = 0xEE;
/// Largest size of a file in bytes.
const MOST: u64 = 96 << 10;
/// Files, each with its thread.
const FILES: usize = 2;

fn budget(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(default)
}

/// What is done to a file.
#[derive(Clone, Copy, Debug)]
enum Op {
    Write { offset: u64, length: u64, byte: u8 },
    Truncate(u64),
    Sync,
}

fn operations(seed: u64, count: usize) -> Vec<Op> {
    let mut dice = Dice::new(seed);
    let op = |number: usize| {
        let byte = 1 + (number % 230) as u8;
        match dice.below(12) {
            0..=1 => Op::Sync,
            2 => Op::Truncate(dice.below(MOST)),
            _ => {
                let offset = dice.below(MOST - 1);
                let length = 1 + dice.below((MOST - offset).min(20_000));
                Op::Write { offset, length, byte }
            }
        }
    };
    (0..count).map(op).collect()
}

fn apply(op: Op, state: &mut Vec<u8>) {
    match op {
        Op::Write { offset, length, byte } => {
            let (start, end) = (offset as usize, (offset + length) as usize);
            state.resize(state.len().max(end), 0);
            state[start..end].fill(byte);
        }
        Op::Truncate(size) => state.resize(size as usize, 0),
        Op::Sync => {}
    }
}

/// A mark says of one file how many operations have begun and how many of those are durable.
fn mark(file: usize, begun: usize, durable: usize) -> u64 {
    (file as u64) << 48 | (begun as u64) << 24 | durable as u64
}

/// Does all of `ops`, and tells the disk.
fn play(disk: &SimDisk, file: &File, number: usize, ops: &[Op], pause: Duration) {
    let mut durable = 0;
    for (index, &op) in ops.iter().enumerate() {
        disk.mark(mark(number, index + 1, durable));
        match op {
            Op::Write { offset, length, byte } => {
                file.write_cached(offset, &vec![byte; length as usize], Sync::Visible).unwrap();
            }
            Op::Truncate(size) => file.truncate(size).unwrap(),
            Op::Sync => {
                file.sync().unwrap();
                durable = index + 1;
                disk.mark(mark(number, index + 1, durable));
            }
        }
        std::thread::sleep(pause);
    }
}

fn path(number: usize) -> String {
    format!("/{number}")
}

/// A disk with a volume whose free blocks hold `STALE`, and empty files on it.
fn disk(block_size: u32) -> Arc<SimDisk> {
    let medium = Arc::new(MemoryDevice::new(32 << 20));
    let contents = mkfs::Contents::Zeroed;
    let options = mkfs::Options { contents, block_size, ..Default::default() };
    mkfs::make(&*medium, &options).unwrap();
    let volume = Volume::open(medium.clone(), OpenOptions::default()).unwrap();
    let space = volume.space().unwrap();
    let room = space.available * u64::from(space.block_size);
    let stale = volume.create_file("/stale", NewFile::default()).unwrap();
    // But for what the map of the file may need.
    for at in (0..room - (512 << 10)).step_by(64 << 10) {
        stale.write_at(at, &[STALE; 64 << 10], Sync::Visible).unwrap();
    }
    drop(stale);
    volume.remove("/stale").unwrap();
    for number in 0..FILES {
        drop(volume.create_file(path(number), NewFile::default()).unwrap());
    }
    volume.close().unwrap();
    SimDisk::new(medium.snapshot())
}

/// All operations of a file and how far they were at every event.
struct Track {
    ops: Vec<Op>,
    /// Number of events, operations begun by then, operations durable by then.
    marks: Vec<(usize, usize, usize)>,
}

impl Track {
    fn new(number: usize, ops: Vec<Op>, events: &[Event]) -> Self {
        let mine = |(at, event): (usize, &Event)| match *event {
            Event::Mark(mark) if (mark >> 48) as usize == number => {
                Some((at + 1, (mark >> 24 & 0xff_ffff) as usize, (mark & 0xff_ffff) as usize))
            }
            _ => None,
        };
        let marks = events.iter().enumerate().filter_map(mine).collect();
        Self { ops, marks }
    }

    /// Whether the power may have left `found`, going after `at` events.
    fn judge(&self, at: usize, found: &[u8]) -> Result<(), String> {
        let passed = self.marks.partition_point(|mark| mark.0 <= at);
        let (begun, durable) = passed.checked_sub(1).map_or((0, 0), |last| {
            let (_, begun, durable) = self.marks[last];
            (begun, durable)
        });
        let mut state = Vec::new();
        self.ops[..durable].iter().for_each(|&op| apply(op, &mut state));
        let mut held = vec![false; found.len()];
        let mut sizes = state.len()..=state.len();
        note(&state, found, &mut held);
        let mut exact = state.len() == found.len();
        for &op in &self.ops[durable..begun] {
            let before = state.len();
            apply(op, &mut state);
            note(&state, found, &mut held);
            exact |= (before.min(state.len())..=before.max(state.len())).contains(&found.len());
            sizes = *sizes.start().min(&state.len())..=*sizes.end().max(&state.len());
        }
        if !exact {
            return Err(format!("{} bytes, where {sizes:?} are legal", found.len()));
        }
        match held.iter().position(|held| !held) {
            None => Ok(()),
            Some(byte) => Err(format!(
                "byte {byte} is 0x{:02x}, which it never was between operations {durable} and \
                 {begun}",
                found[byte]
            )),
        }
    }
}

/// Marks the bytes of `found` that are what `state` has there; behind its end there are zeroes.
fn note(state: &[u8], found: &[u8], held: &mut [bool]) {
    let here = state.iter().copied().chain(std::iter::repeat(0));
    for ((held, found), here) in held.iter_mut().zip(found).zip(here) {
        *held |= *found == here;
    }
}

fn contents(file: &File) -> Vec<u8> {
    let mut bytes = vec![0; file.size().unwrap() as usize];
    assert_eq!(file.read_at(0, &mut bytes).unwrap(), bytes.len());
    bytes
}

/// Recovers cuts of all that the disk was asked and judges each.
fn survive(disk: &SimDisk, all: Vec<Vec<Op>>, what: &str) {
    let events = disk.events();
    let track = |(number, ops)| Track::new(number, ops, &events);
    let tracks: Vec<Track> = all.into_iter().enumerate().map(track).collect();
    let cuts = disk.cuts().families(&Family::ALL).distinct();
    let step = budget("UNTORN_CUT_STEP", 1 + events.len() / 150);
    let mut judged = 0;
    for cut in cuts.step_by(step) {
        let image: Arc<dyn BlockDevice> = Arc::new(cut.image.snapshot());
        let options = OpenOptions { background: Background::Off, ..OpenOptions::default() };
        let volume = Volume::open(image.clone(), options)
            .unwrap_or_else(|error| panic!("{what}: {cut}: {error}"));
        for (number, track) in tracks.iter().enumerate() {
            let found = contents(&volume.open_file(path(number)).unwrap());
            let verdict = track.judge(cut.at, &found);
            verdict.unwrap_or_else(|why| panic!("{what}: {cut}: file {number}: {why}"));
        }
        volume.close().unwrap();
        let report = untorn_check::check(&*image, &Default::default()).unwrap();
        assert!(report.findings.is_empty(), "{what}: {cut}: {:?}", report.findings.first());
        judged += 1;
    }
    println!("{what}: {judged} cuts of {} requests", events.len());
    assert!(judged > 100, "{what}: too few cuts to say anything");
}

/// Both files by turns, one operation each: the same every time.
#[test]
fn h48_cached_writes_leave_what_was_synced_and_no_bytes_of_others_after_power_cuts_check() {
    for (block_size, page_bytes) in [(4096, 64 << 10), (1024, 128 << 20)] {
        let disk = disk(block_size);
        let options =
            OpenOptions { background: Background::Off, page_bytes, ..OpenOptions::default() };
        let volume = Volume::open(disk.clone(), options).unwrap();
        let files: Vec<File> =
            (0..FILES).map(|number| volume.open_file(path(number)).unwrap()).collect();
        let count = budget("UNTORN_CUT_CACHED", 60);
        let all: Vec<Vec<Op>> =
            (0..FILES).map(|n| operations(7 + n as u64 + u64::from(block_size), count)).collect();
        for (number, (file, ops)) in files.iter().zip(&all).enumerate() {
            play(&disk, file, number, ops, Duration::ZERO);
        }
        drop(files);
        volume.close().unwrap();
        survive(&disk, all, &format!("{block_size} bytes a block"));
    }
}

/// Each file with a thread of its own, and the background thread behind their backs.
#[test]
fn a_live_run_with_work_in_the_background_survives_power_cuts_check() {
    let disk = disk(4096);
    let ages = Ages {
        look: Duration::from_millis(1),
        dirty: Duration::from_millis(2),
        committed: Duration::from_millis(4),
        idle: Duration::from_millis(3),
    };
    let page_bytes = 64 << 10;
    let background = Background::On(ages);
    let options = OpenOptions { background, page_bytes, ..OpenOptions::default() };
    let volume = Volume::open(disk.clone(), options).unwrap();
    let count = budget("UNTORN_CUT_CACHED", 60);
    let all: Vec<Vec<Op>> =
        (0..FILES).map(|number| operations(90 + number as u64, count)).collect();
    std::thread::scope(|scope| {
        for (number, ops) in all.iter().enumerate() {
            let (disk, file) = (&disk, volume.open_file(path(number)).unwrap());
            scope.spawn(move || play(disk, &file, number, ops, Duration::from_micros(700)));
        }
    });
    volume.close().unwrap();
    survive(&disk, all, "live");
}

#[test]
fn the_judge_finds_stale_bytes_lost_syncs_and_sizes_of_nobody() {
    let ops = vec![
        Op::Write { offset: 0, length: 10, byte: 1 },
        Op::Sync,
        Op::Write { offset: 5, length: 10, byte: 2 },
    ];
    let track = Track { ops, marks: vec![(0, 3, 2)] };
    let judge = |found: &[u8]| track.judge(9, found);
    for fine in [&[1; 10][..], &[1, 1, 1, 1, 1, 2, 1, 2, 1, 2], &[&[1; 10][..], &[0, 2]].concat()] {
        assert_eq!(judge(fine), Ok(()), "{fine:?}");
    }
    assert!(judge(&[1; 9]).is_err_and(|why| why.contains("9 bytes")));
    assert!(judge(&[1; 16]).is_err_and(|why| why.contains("16 bytes")));
    for wrong in [STALE, 0, 3] {
        let mut bytes = [1; 10];
        bytes[7] = wrong;
        assert!(judge(&bytes).is_err_and(|why| why.contains("byte 7")));
    }
}
