//! Linux as the judge of the space calls: the same calls on the same volume leave the same bytes,
//! sizes, maps and answers, and Linux reads what they left.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use rustix::fs::{Advice, FallocateFlags, OFlags, SeekFrom};
use std::fs::{File as LinuxFile, OpenOptions as LinuxOptions};
use std::num::NonZeroU64;
use std::ops::Range;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use untorn::{Error, ExtentKind, File, FileFlag, OpenOptions, SizeRule, Sync, Volume};
use untorn_device::{Access, FileDevice};
use untorn_torture::dice::Dice;
use untorn_torture::kernel::{
    Aligned, MkfsOptions, Mounted, Scratch, copy_image, demand, make_volume, xfs_bmap, xfs_repair_n,
};

const MIB: u64 = 1 << 20;
/// Direct writes are whole sectors.
const SECTOR: u64 = 512;

fn budget(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(default)
}

/// A call that both sides make.
#[derive(Clone, Debug)]
enum Call {
    Write(Range<u64>, u8),
    Truncate(u64),
    Allocate(Range<u64>, SizeRule),
    Punch(Range<u64>),
    Zero(Range<u64>, SizeRule),
    Collapse(Range<u64>),
    Insert(Range<u64>),
    Unshare(Range<u64>),
}

/// Where calls reach: this many blocks.
const REACH: u64 = 48;

fn call(dice: &mut Dice, block: u64, size: u64) -> Call {
    let reach = REACH * block;
    let mut at = dice.below(reach);
    let mut length = 1 + dice.below(reach / 4);
    match dice.below(4) {
        0 => {}
        // Up to the end of the file, or over it.
        1 if size > 0 => at = size.saturating_sub(length),
        _ => {
            at = at / block * block;
            length = length.next_multiple_of(block);
        }
    }
    let range = at..at + length;
    let whole = at / block * block..(at / block * block) + length.next_multiple_of(block);
    // Inside the file: behind its end Linux sets blocks aside on speculation.
    let inside = size / SECTOR * SECTOR;
    let sectors = (at / SECTOR * SECTOR).min(inside)
        ..((at / SECTOR * SECTOR) + length.next_multiple_of(SECTOR)).min(inside);
    let rule = *dice.pick(&[SizeRule::Grow, SizeRule::Keep]);
    match dice.below(20) {
        0..=5 if !sectors.is_empty() => Call::Write(sectors, 1 + dice.below(250) as u8),
        0..=7 => Call::Truncate(dice.below(reach)),
        8..=9 => Call::Allocate(range, rule),
        10..=12 => Call::Punch(range),
        13..=15 => Call::Zero(range, rule),
        16 => Call::Collapse(if dice.chance(1, 8) { range } else { whole }),
        17 if size > 2 * reach => Call::Truncate(dice.below(reach)),
        17..=18 => Call::Insert(if dice.chance(1, 8) { range } else { whole }),
        _ => Call::Unshare(range),
    }
}

/// What a file is after a call: everything that is compared.
#[derive(Debug, PartialEq, Eq)]
struct State {
    size: u64,
    bytes: Vec<u8>,
    /// Runs of blocks: first byte, end, whether they count as written.
    map: Vec<(u64, u64, bool)>,
    /// Answers of seeking from a few places.
    seeks: Vec<(u64, Option<u64>, Option<u64>)>,
}

fn places(size: u64, block: u64) -> impl Iterator<Item = u64> {
    (0..size + block).step_by(3 * block as usize + 100)
}

fn push(map: &mut Vec<(u64, u64, bool)>, run: (u64, u64, bool)) {
    match map.last_mut().filter(|last| last.1 == run.0 && last.2 == run.2) {
        Some(last) => last.1 = run.1,
        None => map.push(run),
    }
}

/// The side of Linux.
struct Theirs {
    mounted: Mounted,
    file: LinuxFile,
    direct: LinuxFile,
}

impl Theirs {
    fn new(image: &Path) -> Self {
        let mounted = Mounted::new(image).unwrap();
        let open = |flags: OFlags| {
            let mut options = LinuxOptions::new();
            options.read(true).write(true).custom_flags(flags.bits() as i32);
            options.open(mounted.at("file")).unwrap()
        };
        let (file, direct) = (open(OFlags::empty()), open(OFlags::DIRECT));
        Self { mounted, file, direct }
    }

    fn make(&self, call: &Call) -> std::io::Result<()> {
        let fallocate = |flags: FallocateFlags, range: &Range<u64>| {
            let length = range.end - range.start;
            rustix::fs::fallocate(&self.file, flags, range.start, length)
        };
        let keep = |rule: &SizeRule| match rule {
            SizeRule::Grow => FallocateFlags::empty(),
            SizeRule::Keep => FallocateFlags::KEEP_SIZE,
        };
        match call {
            Call::Write(range, byte) => {
                let mut bytes = Aligned::new((range.end - range.start) as usize);
                bytes.fill(*byte);
                self.direct.write_all_at(&bytes, range.start)?;
            }
            Call::Truncate(size) => self.file.set_len(*size)?,
            Call::Allocate(range, rule) => fallocate(keep(rule), range)?,
            Call::Punch(range) => {
                fallocate(FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE, range)?;
            }
            Call::Zero(range, rule) => fallocate(FallocateFlags::ZERO_RANGE | keep(rule), range)?,
            Call::Collapse(range) => fallocate(FallocateFlags::COLLAPSE_RANGE, range)?,
            Call::Insert(range) => fallocate(FallocateFlags::INSERT_RANGE, range)?,
            Call::Unshare(range) => {
                fallocate(FallocateFlags::UNSHARE_RANGE | FallocateFlags::KEEP_SIZE, range)?;
            }
        }
        // Cached pages count as data to seeking, clean ones over unwritten blocks too.
        self.file.sync_all()?;
        Ok(rustix::fs::fadvise(&self.file, 0, None::<NonZeroU64>, Advice::DontNeed)?)
    }

    fn state(&self, block: u64) -> State {
        let size = self.file.metadata().unwrap().size();
        let mut bytes = Aligned::new(size.next_multiple_of(4096) as usize);
        let mut read = 0;
        while read < size as usize {
            let count = self.direct.read_at(&mut bytes[read..], read as u64).unwrap();
            assert!(count > 0);
            read += count;
        }
        let seek = |from| match rustix::fs::seek(&self.file, from) {
            Ok(at) => Some(at),
            Err(rustix::io::Errno::NXIO) => None,
            Err(error) => panic!("{error}"),
        };
        let seeks = places(size, block)
            .map(|at| (at, seek(SeekFrom::Data(at)), seek(SeekFrom::Hole(at))))
            .collect();
        let map = self.map();
        State { size, bytes: bytes[..size as usize].to_vec(), map, seeks }
    }

    /// Lines of `xfs_bmap -vp`: number, sectors from and to, blocks or a hole, ..., flags.
    fn map(&self) -> Vec<(u64, u64, bool)> {
        let text = xfs_bmap(&self.mounted.at("file")).unwrap();
        let mut map = Vec::new();
        for line in text.lines().filter(|line| line.contains("..") && !line.contains("hole")) {
            let (_, rest) = line.split_once('[').unwrap();
            let (range, rest) = rest.split_once(']').unwrap();
            let (from, to) = range.split_once("..").unwrap();
            let [from, to] = [from, to].map(|n| n.trim().parse::<u64>().unwrap());
            // Bit 4 of the octal flags: unwritten.
            let flags = rest.split_whitespace().last().unwrap();
            let flags =
                if flags.len() >= 5 { u32::from_str_radix(flags, 8).unwrap_or(0) } else { 0 };
            push(&mut map, (from * 512, (to + 1) * 512, flags & 0o10000 == 0));
        }
        map
    }
}

/// This side.
struct Ours {
    volume: Volume,
    file: File,
}

impl Ours {
    fn new(image: &Path) -> Self {
        let device = FileDevice::open(image, Access::ReadWrite).unwrap();
        let volume = Volume::open(Arc::new(device), OpenOptions::default()).unwrap();
        let file = volume.open_file("/file").unwrap();
        Self { volume, file }
    }

    fn make(&self, call: &Call) -> untorn::Result<()> {
        match call.clone() {
            Call::Write(range, byte) => {
                let bytes = vec![byte; (range.end - range.start) as usize];
                self.file.write_at(range.start, &bytes, Sync::Visible)
            }
            Call::Truncate(size) => self.file.truncate(size),
            Call::Allocate(range, rule) => self.file.allocate(range, rule),
            Call::Punch(range) => self.file.punch_hole(range),
            Call::Zero(range, rule) => self.file.zero_range(range, rule),
            Call::Collapse(range) => self.file.collapse_range(range),
            Call::Insert(range) => self.file.insert_range(range),
            Call::Unshare(range) => self.file.unshare_range(range),
        }
    }

    fn state(&self, block: u64) -> State {
        let size = self.file.size().unwrap();
        let mut bytes = vec![0; size as usize];
        assert_eq!(self.file.read_at(0, &mut bytes).unwrap(), bytes.len());
        let seek = |at| (at, self.file.seek_data(at).unwrap(), self.file.seek_hole(at).unwrap());
        let mut map = Vec::new();
        for extent in self.volume.extents_of(self.file.ino()).unwrap() {
            let end = extent.offset + extent.length;
            match extent.kind {
                ExtentKind::Hole | ExtentKind::Delalloc => {}
                ExtentKind::Unwritten => push(&mut map, (extent.offset, end, false)),
                ExtentKind::Written => push(&mut map, (extent.offset, end, true)),
            }
        }
        State { size, bytes, map, seeks: places(size, block).map(seek).collect() }
    }
}

fn differ(theirs: &State, ours: &State) -> Option<String> {
    if theirs.size != ours.size {
        return Some(format!("size {} there, {} here", theirs.size, ours.size));
    }
    if let Some(at) = theirs.bytes.iter().zip(&ours.bytes).position(|(a, b)| a != b) {
        return Some(format!("byte {at} is {} there, {} here", theirs.bytes[at], ours.bytes[at]));
    }
    if theirs.map != ours.map {
        return Some(format!("maps\nthere {:?}\nhere  {:?}", theirs.map, ours.map));
    }
    let seeks = theirs.seeks.iter().zip(&ours.seeks).find(|(a, b)| a != b);
    seeks.map(|(there, here)| format!("seeking: {there:?} there, {here:?} here"))
}

/// A volume with a file that has bytes, holes, blocks set aside, and blocks that another shares.
fn prepare(image: &Path, options: &MkfsOptions, block: u64) {
    make_volume(image, 320 * MIB, options).unwrap();
    let mounted = Mounted::new(image).unwrap();
    let file = LinuxFile::create(mounted.at("file")).unwrap();
    for index in 0..16 {
        file.write_all_at(&vec![100 + index as u8; block as usize + 77], index * 3 * block)
            .unwrap();
    }
    rustix::fs::fallocate(&file, FallocateFlags::KEEP_SIZE, 30 * block, 30 * block).unwrap();
    file.sync_all().unwrap();
    if options.reflink {
        let copied = Command::new("cp")
            .arg("--reflink=always")
            .args([mounted.at("file"), mounted.at("sharer")])
            .status();
        assert!(copied.unwrap().success());
    }
    drop(file);
    mounted.unmount().unwrap();
}

fn geometries() -> Vec<(&'static str, u64, MkfsOptions)> {
    let base = MkfsOptions::default;
    vec![
        ("4k, rmapbt, reflink", 4096, MkfsOptions { rmapbt: true, ..base() }),
        ("1k, no rmapbt", 1024, MkfsOptions { block_size: 1024, rmapbt: false, ..base() }),
        (
            "4k, nothing shared, 16 AGs",
            4096,
            MkfsOptions { rmapbt: false, reflink: false, ag_count: Some(16), ..base() },
        ),
    ]
}

#[test]
fn calls_leave_what_they_leave_on_linux_kernel() {
    if !demand() {
        return;
    }
    for seed in 0..budget("UNTORN_SPACE_SEEDS", 2) {
        for (name, block, options) in geometries() {
            let scratch = Scratch::new().unwrap();
            let (linux, here) = (scratch.image("linux.img"), scratch.image("here.img"));
            prepare(&linux, &options, block);
            copy_image(&linux, &here).unwrap();
            let sharer = Mounted::new(&linux).unwrap();
            let shared = std::fs::read(sharer.at("sharer")).ok();
            sharer.unmount().unwrap();
            let refused = compare(name, seed, block, &linux, &here);
            for image in [&linux, &here] {
                xfs_repair_n(image).unwrap().assert_clean();
                let mounted = Mounted::new(image).unwrap();
                assert_eq!(std::fs::read(mounted.at("sharer")).ok(), shared, "the sharer changed");
                mounted.unmount().unwrap();
            }
            println!("{name}, seed {seed}: both refused {refused} calls");
        }
    }
}

/// Makes the calls on both sides; how many both refused.
fn compare(name: &str, seed: u64, block: u64, linux: &Path, here: &Path) -> usize {
    let (theirs, ours) = (Theirs::new(linux), Ours::new(here));
    let mut dice = Dice::at(seed, block);
    let mut refused = 0;
    let mut state = theirs.state(block);
    assert_eq!(differ(&state, &ours.state(block)), None, "{name}: before the first call");
    for index in 0..budget("UNTORN_SPACE_CALLS", 250) {
        let call = call(&mut dice, block, state.size);
        let (there, here) = (theirs.make(&call), ours.make(&call));
        let what = format!("{name}, seed {seed}, call {index}: {call:?}");
        match (&there, &here) {
            (Ok(()), Ok(())) => {}
            (Err(there), Err(Error::Invalid(_))) => {
                assert_eq!(there.kind(), std::io::ErrorKind::InvalidInput, "{what}");
                refused += 1;
            }
            _ => panic!("{what}: {there:?} there, {here:?} here"),
        }
        let before = state.map.clone();
        state = theirs.state(block);
        if let Some(difference) = differ(&state, &ours.state(block)) {
            panic!("{what}: {difference}\nbefore {before:?}");
        }
    }
    let Theirs { mounted, file, direct } = theirs;
    drop((file, direct));
    mounted.unmount().unwrap();
    let Ours { volume, file } = ours;
    drop(file);
    volume.close().unwrap();
    // What each left, the other reads.
    let (theirs, ours) = (Theirs::new(here), Ours::new(linux));
    assert_eq!(differ(&theirs.state(block), &ours.state(block)), None, "{name}: exchanged");
    assert_eq!(differ(&theirs.state(block), &state), None, "{name}: read by Linux");
    let Theirs { mounted, file, direct } = theirs;
    drop((file, direct));
    mounted.unmount().unwrap();
    refused
}

fn xfs_io(path: &Path, command: &str) -> String {
    let output = Command::new("xfs_io").args(["-c", command]).arg(path).output().unwrap();
    assert!(output.status.success(), "{command}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn hints_flags_and_projects_are_what_linux_reads_and_does_kernel() {
    if !demand() {
        return;
    }
    const BLOCK: u64 = 4096;
    let scratch = Scratch::new().unwrap();
    let (linux, here) = (scratch.image("linux.img"), scratch.image("here.img"));
    prepare(&linux, &MkfsOptions::default(), BLOCK);
    let mounted = Mounted::new(&linux).unwrap();
    std::fs::remove_file(mounted.at("file")).unwrap();
    LinuxFile::create(mounted.at("file")).unwrap();
    mounted.unmount().unwrap();
    copy_image(&linux, &here).unwrap();
    // Set on both sides, with blocks set aside by the hint.
    let ranges = [20 * BLOCK..21 * BLOCK, 3 * BLOCK..35 * BLOCK + 9, 90 * BLOCK..91 * BLOCK];
    let theirs = Theirs::new(&linux);
    xfs_io(&theirs.mounted.at("file"), "extsize 65536");
    xfs_io(&theirs.mounted.at("file"), "cowextsize 32768");
    xfs_io(&theirs.mounted.at("file"), "chproj 70000");
    xfs_io(&theirs.mounted.at("file"), "chattr +dA");
    let ours = Ours::new(&here);
    ours.file.set_extent_size_hint(65536).unwrap();
    ours.file.set_cow_extent_size_hint(32768).unwrap();
    ours.file.set_project_id(70000).unwrap();
    let flags = ours.file.flags().unwrap().with(FileFlag::NoDump).with(FileFlag::NoAccessTime);
    ours.file.set_flags(flags).unwrap();
    for range in ranges {
        let call = Call::Allocate(range, SizeRule::Grow);
        theirs.make(&call).unwrap();
        ours.make(&call).unwrap();
        let (there, here) = (theirs.state(BLOCK), ours.state(BLOCK));
        assert_eq!(differ(&there, &here), None, "{call:?}");
    }
    let Theirs { mounted, file, direct } = theirs;
    drop((file, direct));
    let stat = xfs_io(&mounted.at("file"), "stat -v");
    mounted.unmount().unwrap();
    let linux_traits = Ours::new(&linux).file.traits().unwrap();
    assert_eq!(linux_traits, ours.file.traits().unwrap());
    // Hints and flags that a directory hands down, here and there.
    let dir = ours.volume.create_dir("/d", untorn::NewFile::default()).unwrap();
    let mut traits = ours.volume.traits_of(dir).unwrap();
    (traits.extent_size, traits.cow_extent_size, traits.project) = (16 * BLOCK, 8 * BLOCK, 9);
    for flag in [FileFlag::ProjectInherit, FileFlag::NoDump, FileFlag::Synchronous] {
        traits.flags = traits.flags.with(flag);
    }
    ours.volume.set_traits_of(dir, &traits).unwrap();
    let made_here = ours.volume.create_file("/d/here", untorn::NewFile::default()).unwrap();
    let below = ours.volume.create_dir("/d/dir-here", untorn::NewFile::default()).unwrap();
    let handed = (made_here.traits().unwrap(), ours.volume.traits_of(below).unwrap());
    let Ours { volume, file } = ours;
    drop((file, made_here));
    volume.close().unwrap();
    xfs_repair_n(&here).unwrap().assert_clean();
    let mounted = Mounted::new(&here).unwrap();
    let named = |text: &str| {
        text.lines().filter(|l| l.contains("fsxattr")).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(named(&xfs_io(&mounted.at("file"), "stat -v")), named(&stat));
    LinuxFile::create(mounted.at("d/there")).unwrap();
    std::fs::create_dir(mounted.at("d/dir-there")).unwrap();
    mounted.unmount().unwrap();
    let ours = Ours::new(&here);
    let there = ours.volume.open_file("/d/there").unwrap().traits().unwrap();
    let entries = ours.volume.read_dir("/d").unwrap();
    let dir = entries.iter().find(|entry| entry.name == b"dir-there").unwrap().ino;
    assert_eq!((there, ours.volume.traits_of(dir).unwrap()), handed);
    ours.volume.close().unwrap();
    xfs_repair_n(&here).unwrap().assert_clean();
}
