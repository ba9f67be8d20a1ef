//! Logs that Linux left dirty, replayed here and by Linux.
//!
//! Two judges. Where nothing is left to finish after the replay (no intent, no unlinked inode, no
//! staging block), Linux mounts a copy read-only, which replays and changes nothing else: the two
//! images must then be equal in every byte outside the log and the superblock. Elsewhere Linux
//! mounts an image that was replayed here and whose log is still dirty: it finds every change home
//! already, finishes what is left to finish, and must arrive where it arrives from the untouched
//! copy.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs::{File, Permissions};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;
use untorn_device::{Access, BlockDevice, FileDevice};
use untorn_format::ag::AgiDisk;
use untorn_format::log::cycle_of;
use untorn_format::{AgNumber, Superblock};
use untorn_store::journal::LogArea;
use untorn_store::replay::{Replayed, recover};
use untorn_torture::kernel::{
    self, Flush, Life, MkfsOptions, MountOptions, Mounted, Scratch, Storm, copy_image, make_volume,
    tree, unfinished_intents, workload_during_crash, xfs_repair_n,
};
use untorn_torture::tree::diff;

const SIZE: u64 = 320 << 20;

fn superblock(image: &Path) -> Superblock {
    let mut sector = vec![0; 4096];
    File::open(image).unwrap().read_exact_at(&mut sector, 0).unwrap();
    Superblock::decode(&sector).unwrap()
}

fn replay(image: &Path) -> Replayed {
    let device: Arc<dyn BlockDevice> =
        Arc::new(FileDevice::open(image, Access::ReadWrite).unwrap());
    recover(device, &superblock(image)).unwrap()
}

/// Geometries that differ in what they log.
fn geometries() -> Vec<(&'static str, MkfsOptions)> {
    let usual = MkfsOptions::default;
    vec![
        ("4k", usual()),
        ("4k rmapbt small log", MkfsOptions { rmapbt: true, log_size: Some(13 << 20), ..usual() }),
        ("1k rmapbt", MkfsOptions { block_size: 1024, rmapbt: true, ..usual() }),
        (
            "1k old",
            MkfsOptions {
                block_size: 1024,
                reflink: false,
                finobt: false,
                inobtcount: false,
                sparse: false,
                bigtime: false,
                ..usual()
            },
        ),
        (
            "4k nrext64 log stripe",
            MkfsOptions {
                nrext64: true,
                rmapbt: true,
                log_stripe: Some(64 * 1024),
                ag_count: Some(2),
                ..usual()
            },
        ),
    ]
}

/// Syncs small changes until the log has gone around.
fn turn_log(mounted: &Mounted, image: &Path) {
    let area = LogArea::of(&superblock(image)).unwrap();
    let file = File::create(mounted.at("turner")).unwrap();
    let log = File::open(image).unwrap();
    let mut first = [0; 512];
    while cycle_of(&first) < 2 {
        for mode in 0..64 {
            file.set_permissions(Permissions::from_mode(0o600 | (mode % 8))).unwrap();
            file.sync_all().unwrap();
        }
        log.read_exact_at(&mut first, area.start).unwrap();
    }
}

/// The lines of what xfs_repair says, in order since it works on several AGs at once, without the
/// place in its own code that differs in each run.
fn findings(output: &str) -> Vec<String> {
    let mut lines: Vec<_> = output.lines().map(without_code_address).collect();
    lines.sort_unstable();
    lines
}

fn without_code_address(line: &str) -> String {
    let Some((what, rest)) = line.split_once(" detected at 0x") else { return line.to_owned() };
    let rest = rest.trim_start_matches(|c: char| c.is_ascii_hexdigit());
    format!("{what} detected{rest}")
}

/// How many times as much is tried (`UNTORN_CASES`).
fn factor() -> u64 {
    std::env::var("UNTORN_CASES").ok().and_then(|word| word.parse().ok()).unwrap_or(1)
}

fn describe(name: &str, flush: Flush, replayed: &Replayed) {
    println!(
        "{name} {flush:?}: head {}, {} transactions, {} items, {} blocks, {} intents",
        replayed.journal.head(),
        replayed.transactions,
        replayed.items,
        replayed.blocks,
        replayed.intents.len()
    );
}

/// The first byte in which the images differ outside the log and the first superblock.
fn first_difference(one: &Path, two: &Path) -> Option<u64> {
    const CHUNK: usize = 1 << 16;
    let area = LogArea::of(&superblock(one)).unwrap();
    let log = area.start..area.start + u64::from(area.blocks) * 512;
    let (one, two) = (File::open(one).unwrap(), File::open(two).unwrap());
    let size = one.metadata().unwrap().len();
    assert_eq!(size, two.metadata().unwrap().len());
    let (mut a, mut b) = (vec![0; CHUNK], vec![0; CHUNK]);
    for at in (0..size).step_by(CHUNK) {
        one.read_exact_at(&mut a, at).unwrap();
        two.read_exact_at(&mut b, at).unwrap();
        if a == b {
            continue;
        }
        let differs = |index: &usize| {
            let byte = at + *index as u64;
            a[*index] != b[*index] && byte >= 512 && !log.contains(&byte)
        };
        if let Some(index) = (0..CHUNK).find(differs) {
            return Some(at + index as u64);
        }
    }
    None
}

/// Whether a chain of unlinked inodes begins in any AG: Linux removes such inodes when it mounts.
fn has_unlinked(image: &Path) -> bool {
    let sb = superblock(image);
    let geometry = sb.geometry();
    let file = File::open(image).unwrap();
    (0..geometry.ag_count).map(AgNumber).any(|ag| {
        let mut sector = vec![0; geometry.sector_size()];
        let addr = geometry.header_addr(ag, 2);
        file.read_exact_at(&mut sector, geometry.byte_of(addr)).unwrap();
        let agi = AgiDisk::of(&sector).unwrap();
        agi.unlinked.iter().any(|first| first.get() != u32::MAX)
    })
}

fn assert_equal(one: &Path, two: &Path, what: &str) {
    let Some(byte) = first_difference(one, two) else { return };
    let start = byte / 512 * 512;
    let show = |path: &Path| {
        let mut sector = vec![0; 512];
        File::open(path).unwrap().read_exact_at(&mut sector, start).unwrap();
        let rows = sector.chunks(32).map(|row| format!("  {row:02x?}\n"));
        rows.collect::<String>()
    };
    panic!(
        "{what}: byte {byte} (daddr {}, {} in it) differs\n{}\n{}",
        byte / 512,
        byte % 512,
        show(one),
        show(two)
    );
}

#[test]
fn a_replay_that_leaves_nothing_to_finish_equals_that_of_linux_kernel() {
    if !kernel::demand() {
        return;
    }
    let scratch = Scratch::new().unwrap();
    let mut compared = 0;
    for (name, options) in geometries() {
        for seed in 0..3 * factor() {
            let flush = if seed % 3 == 0 { Flush::Log } else { Flush::NoLog };
            let (ours, theirs) = (scratch.image("ours.img"), scratch.image("theirs.img"));
            make_volume(&ours, SIZE, &options).unwrap();
            let mounted = Mounted::new(&ours).unwrap();
            if options.log_size.is_some() && seed % 1000 == 1 {
                turn_log(&mounted, &ours);
            }
            let quiet = ["write", "append", "allocate", "zero", "link", "symlink"];
            let more = ["folder", "xattr", "xattr-remove", "node", "fsync", "direct"];
            let mut life = Life::new(&mounted.root(), seed).unwrap();
            life = life.only(&[&quiet[..], &more[..]].concat());
            for _ in 0..1200 + 400 * (seed % 5) {
                life.step().unwrap();
            }
            drop(life);
            mounted.crash(flush).unwrap();
            copy_image(&ours, &theirs).unwrap();
            let replayed = replay(&ours);
            describe(name, flush, &replayed);
            assert!(replayed.items > 100);
            if !replayed.intents.is_empty() || has_unlinked(&ours) {
                continue;
            }
            compared += 1;
            let read_only = MountOptions { options: "ro".into(), ..MountOptions::default() };
            Mounted::with(&theirs, &read_only).unwrap().unmount().unwrap();
            assert_equal(&ours, &theirs, name);
        }
    }
    println!("{compared} images compared");
    assert!(compared > 5);
}

#[test]
fn linux_arrives_at_the_same_volume_through_our_replay_kernel() {
    if !kernel::demand() {
        return;
    }
    let scratch = Scratch::new().unwrap();
    let mut clean = 0;
    for (index, (name, options)) in geometries().into_iter().enumerate() {
        for seed in 0..2 * factor() {
            let flush = if seed % 2 == 0 { Flush::Log } else { Flush::NoLog };
            let seed = seed + 1000 * index as u64;
            let (ours, theirs) = (scratch.image("ours.img"), scratch.image("theirs.img"));
            make_volume(&ours, SIZE, &options).unwrap();
            let mounted = Mounted::new(&ours).unwrap();
            if options.log_size.is_some() && seed % 1000 == 1 {
                turn_log(&mounted, &ours);
            }
            let storm = Storm::of_everything(1000 + 500 * (seed % 4), flush, seed);
            workload_during_crash(mounted, &storm).unwrap();
            copy_image(&ours, &theirs).unwrap();
            let replayed = replay(&ours);
            describe(name, flush, &replayed);
            drop(replayed);
            let (one, two) = (Mounted::new(&ours).unwrap(), Mounted::new(&theirs).unwrap());
            let trees = (tree(&one.root()).unwrap(), tree(&two.root()).unwrap());
            diff(&trees.0, &trees.1).assert_none("replayed here", "replayed by Linux");
            one.unmount().unwrap();
            two.unmount().unwrap();
            // A crash in the middle of setting an attribute leaves it incomplete, also by Linux.
            let verdicts = [&ours, &theirs].map(|image| xfs_repair_n(image).unwrap());
            clean += u32::from(verdicts[1].clean);
            assert_eq!(findings(&verdicts[0].output), findings(&verdicts[1].output));
        }
    }
    println!("{clean} images were clean");
    assert!(clean > 5);
}

#[test]
fn the_place_in_the_code_of_xfs_repair_is_no_finding() {
    let line =
        |place| format!("Metadata corruption detected at {place}, xfs_da3_node block 0x8/0x1000");
    assert_eq!(findings(&line("0x55f1c705914b")), findings(&line("0x563e2d13b14b")));
    assert_eq!(
        findings(&line("0x55")),
        ["Metadata corruption detected, xfs_da3_node block 0x8/0x1000"]
    );
}

#[test]
fn the_same_intents_are_left_as_xfs_logprint_says_xfsprogs() {
    if !kernel::demand() {
        return;
    }
    let scratch = Scratch::new().unwrap();
    let mut seen = 0;
    for seed in 0..6 {
        let image = scratch.image("volume.img");
        make_volume(&image, SIZE, &MkfsOptions { rmapbt: true, ..MkfsOptions::default() }).unwrap();
        let storm = Storm::of_long_chains(600, Flush::Log, seed);
        workload_during_crash(Mounted::new(&image).unwrap(), &storm).unwrap();
        let told = unfinished_intents(&image).unwrap();
        let replayed = replay(&image);
        let mut ours = std::collections::BTreeMap::<String, usize>::new();
        for pending in &replayed.intents {
            use untorn_format::log::IntentKind::*;
            let name = match pending.intent.kind() {
                Free => "EFI",
                Rmap => "RUI",
                Refcount => "CUI",
                Map => "BUI",
                Attr | Exchange => continue,
            };
            *ours.entry(name.to_owned()).or_default() += 1;
        }
        println!("seed {seed}: {ours:?}");
        seen += ours.len();
        let told: std::collections::BTreeMap<_, _> =
            told.into_iter().filter(|(_, count)| *count > 0).collect();
        assert_eq!(ours, told);
    }
    println!("{seen} kinds of intents seen");
}
