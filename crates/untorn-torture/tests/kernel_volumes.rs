//! Linux as the judge of whole volumes: what it filled is read here, what it crashed is recovered
//! here, what was written, cut or killed here is mounted there.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use untorn::{File, NewFile, OpenOptions, Sync, Trim, Volume};
use untorn_device::{Access, FileDevice};
use untorn_torture::cuts::{Recording, scenarios};
use untorn_torture::dice::Dice;
use untorn_torture::kernel::{
    Flush, MkfsOptions, Mounted, Recipe, Scratch, Storm, copy_image, demand, fill, linux_recovers,
    make_volume, tree, workload_during_crash, xfs_repair_n,
};
use untorn_torture::tree::{Tree, diff};
use untorn_torture::volume_tree::{as_stored, image_tree, volume_tree};

const MIB: u64 = 1 << 20;

fn budget(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(default)
}

fn geometries() -> Vec<(&'static str, u64, MkfsOptions, Recipe)> {
    let base = MkfsOptions::default;
    vec![
        (
            "every form, 4k, rmapbt",
            600 * MIB,
            MkfsOptions { rmapbt: true, ..base() },
            Recipe::EveryForm,
        ),
        (
            "every form, 1k, no rmapbt",
            600 * MIB,
            MkfsOptions { block_size: 1024, rmapbt: false, ..base() },
            Recipe::EveryForm,
        ),
        (
            "many files, 16 AGs",
            400 * MIB,
            MkfsOptions { ag_count: Some(16), rmapbt: true, ..base() },
            Recipe::ManyFiles { count: 2000 },
        ),
        (
            "aged, no finobt, no sparse inodes",
            400 * MIB,
            MkfsOptions { finobt: false, inobtcount: false, sparse: false, ..base() },
            Recipe::Aged { operations: 3000 },
        ),
        (
            "8k directory blocks, 1k blocks",
            400 * MIB,
            MkfsOptions { block_size: 1024, directory_block_size: Some(8192), ..base() },
            Recipe::ManyFiles { count: 1500 },
        ),
    ]
}

/// Volumes whose files and free space lie in single blocks; too full to be written to.
fn fragmented() -> Vec<(&'static str, u64, MkfsOptions, Recipe)> {
    let options = MkfsOptions { rmapbt: true, ..MkfsOptions::default() };
    vec![
        ("shattered", 320 * MIB, options.clone(), Recipe::Shattered),
        ("crumbs, one file of 8000 extents", 320 * MIB, options, Recipe::Crumbs { blocks: 8000 }),
    ]
}

fn filled(
    scratch: &Scratch,
    size: u64,
    options: &MkfsOptions,
    recipe: Recipe,
) -> (std::path::PathBuf, Tree) {
    let image = scratch.image("filled.img");
    make_volume(&image, size, options).unwrap();
    let mounted = Mounted::new(&image).unwrap();
    fill(&mounted.root(), recipe, 7).unwrap();
    mounted.unmount().unwrap();
    let mounted = Mounted::new(&image).unwrap();
    let walked = as_stored(tree(&mounted.root()).unwrap());
    mounted.unmount().unwrap();
    (image, walked)
}

fn open(image: &Path) -> Volume {
    let device = FileDevice::open(image, Access::ReadWrite).unwrap();
    Volume::open(Arc::new(device), OpenOptions::default()).unwrap()
}

fn linux_tree(image: &Path) -> Tree {
    let mounted = Mounted::new(image).unwrap();
    let walked = as_stored(tree(&mounted.root()).unwrap());
    mounted.unmount().unwrap();
    walked
}

#[track_caller]
fn assert_same(what: &str, left: &Tree, right: &Tree) {
    let differences = diff(left, right);
    assert!(differences.is_empty(), "{what}: {differences}");
}

#[test]
fn volumes_that_linux_filled_read_the_same_kernel() {
    if !demand() {
        return;
    }
    for (name, size, options, recipe) in geometries().into_iter().chain(fragmented()) {
        let scratch = Scratch::new().unwrap();
        let (image, linux) = filled(&scratch, size, &options, recipe);
        let ours = image_tree(&image).unwrap_or_else(|e| panic!("{name}: {e:#}"));
        assert_same(name, &linux, &ours);
        println!("{name}: {} files the same", ours.len());
    }
}

#[test]
fn crashes_of_linux_recover_to_what_linux_recovers_kernel() {
    if !demand() {
        return;
    }
    let mut intents = 0;
    for seed in 0..budget("UNTORN_CRASHES", 6) {
        let scratch = Scratch::new().unwrap();
        let image = scratch.image("crashed.img");
        let options = MkfsOptions {
            block_size: if seed % 3 == 2 { 1024 } else { 4096 },
            rmapbt: seed % 2 == 0,
            ..MkfsOptions::default()
        };
        make_volume(&image, 320 * MIB, &options).unwrap();
        let flush = if seed % 2 == 0 { Flush::Log } else { Flush::NoLog };
        let storm = match seed % 3 {
            0 => Storm::of_everything(600 + 100 * seed, flush, seed),
            _ => Storm::of_long_chains(500 + 100 * seed, flush, seed),
        };
        let done = workload_during_crash(Mounted::new(&image).unwrap(), &storm).unwrap();
        let (theirs, mine) = (scratch.image("linux.img"), scratch.image("mine.img"));
        copy_image(&image, &theirs).unwrap();
        copy_image(&image, &mine).unwrap();
        let (linux, verdict) = linux_recovers(&theirs).unwrap();
        verdict.assert_clean_but_for_cut_off_attributes();
        let linux = as_stored(linux);
        let seen = image_tree(&image).unwrap_or_else(|e| panic!("seed {seed}: {e:#}"));
        assert_same(&format!("seed {seed}, read only"), &linux, &seen);
        let volume = open(&mine);
        intents += volume.recovery().intents;
        println!("seed {seed}: {:?}, {} files held", volume.recovery(), done.held);
        volume.close().unwrap();
        xfs_repair_n(&mine).unwrap().assert_clean_but_for_cut_off_attributes();
        assert_same(&format!("seed {seed}, recovered"), &linux, &linux_tree(&mine));
    }
    println!("{intents} intents finished");
}

/// Atomic writes all over the files of a tree, some files made and some removed.
fn scribble(volume: &Volume, tree: &Tree, seed: u64) {
    let mut dice = Dice::new(seed);
    let regular: Vec<_> =
        tree.iter().filter(|(_, e)| e.content.is_some() && e.size < 4 * MIB).collect();
    for index in 0..300 {
        let (path, entry) = *dice.pick(&regular);
        let Ok(file) = volume.file(untorn_format::Ino(entry.ino.unwrap())) else { continue };
        let offset = dice.below(entry.size + 9000);
        let length = 1 + dice.below(70_000) as usize;
        let bytes = dice.bytes(length);
        let sync = if index % 20 == 0 { Sync::Durable } else { Sync::Visible };
        let written = match index % 4 {
            0 => file.write_at(offset, &bytes, sync),
            _ => file.write_atomic(offset, &bytes, sync),
        };
        written.unwrap_or_else(|e| panic!("{} at {offset}+{length}: {e}", path.display()));
    }
    volume.create_dir("/made", NewFile { permissions: 0o755, ..NewFile::default() }).unwrap();
    for index in 0..40 {
        let file = volume.create_file(format!("/made/{index}"), NewFile::default()).unwrap();
        file.write_atomic(index, &dice.bytes(10_000), Sync::Visible).unwrap();
    }
    for index in (0..40).step_by(2) {
        volume.remove(format!("/made/{index}")).unwrap();
    }
}

#[test]
fn volumes_written_here_are_read_by_linux_kernel() {
    if !demand() {
        return;
    }
    for (index, (name, size, options, recipe)) in geometries().into_iter().enumerate() {
        let scratch = Scratch::new().unwrap();
        let (image, before) = filled(&scratch, size, &options, recipe);
        let volume = open(&image);
        scribble(&volume, &before, index as u64);
        let here = volume_tree(&volume).unwrap();
        volume.close().unwrap();
        let report = untorn_check::check(
            &FileDevice::open(&image, Access::ReadOnly).unwrap(),
            &untorn_check::Options::default(),
        );
        let findings = report.unwrap().findings;
        assert!(findings.is_empty(), "{name}: {:?}", &findings[..findings.len().min(5)]);
        xfs_repair_n(&image).unwrap().assert_clean();
        assert_same(name, &here, &linux_tree(&image));
    }
}

#[test]
fn power_cuts_here_are_recovered_by_linux_kernel() {
    if !demand() {
        return;
    }
    let every = budget("UNTORN_CUT_STRIDE", 60) as usize;
    for scenario in scenarios(12, 3) {
        let recording = Recording::make(&scenario).unwrap();
        let scratch = Scratch::new().unwrap();
        let families =
            [untorn_torture::disk::Family::Prefix, untorn_torture::disk::Family::FlushedOnly];
        let mut cuts = 0;
        for cut in recording.cuts().families(&families).distinct().step_by(every.max(1) / 6 + 1) {
            let image = scratch.image("cut.img");
            cut.image.store(&image).unwrap();
            let mounted = Mounted::new(&image).unwrap();
            let bytes = std::fs::read(mounted.at("file")).unwrap();
            mounted.unmount().unwrap();
            recording
                .match_state(&cut, &bytes)
                .unwrap_or_else(|e| panic!("{}: {e}", scenario.name));
            xfs_repair_n(&image).unwrap().assert_clean();
            cuts += 1;
        }
        println!("{}: Linux recovered {cuts} power cuts", scenario.name);
        assert!(cuts > 0);
    }
}

/// Bytes of a record: its number, over and over.
fn record(number: u64, length: usize) -> Vec<u8> {
    number.to_le_bytes().iter().copied().cycle().take(length).collect()
}

const RECORD: usize = 20_000;
const RECORDS: u64 = 64;

/// Writes records until it is killed; runs in a process of its own.
#[test]
fn writer_that_is_killed() {
    let Ok(image) = std::env::var("UNTORN_KILLED_IMAGE") else { return };
    let volume = open(Path::new(&image));
    let file: File = volume.open_file("/records").unwrap();
    let mut dice = Dice::new(9);
    for round in 1..=10_000u64 {
        let slot = dice.below(RECORDS);
        let sync = if round % 7 == 0 { Sync::Durable } else { Sync::Visible };
        let bytes = record(round * RECORDS + slot, RECORD);
        file.write_atomic(slot * RECORD as u64, &bytes, sync).unwrap();
    }
    volume.close().unwrap();
}

fn assert_whole(slot: u64, bytes: &[u8]) {
    let number = u64::from_le_bytes(bytes[..8].try_into().unwrap());
    assert_eq!(number % RECORDS, slot, "slot {slot} has another record");
    assert!(bytes == record(number, RECORD), "record {number} in slot {slot} is torn");
}

#[test]
fn a_killed_writer_leaves_every_record_whole_kernel() {
    if !demand() {
        return;
    }
    for kill in 0..budget("UNTORN_KILLS", 6) {
        let scratch = Scratch::new().unwrap();
        let image = scratch.image("killed.img");
        make_volume(&image, 320 * MIB, &MkfsOptions { rmapbt: true, ..MkfsOptions::default() })
            .unwrap();
        let volume = open(&image);
        let file = volume.create_file("/records", NewFile::default()).unwrap();
        for slot in 0..RECORDS {
            file.write_atomic(slot * RECORD as u64, &record(slot, RECORD), Sync::Visible).unwrap();
        }
        drop(file);
        volume.close().unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "writer_that_is_killed"])
            .env("UNTORN_KILLED_IMAGE", &image)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(150 + 170 * kill));
        child.kill().unwrap();
        child.wait().unwrap();
        let mut bytes = vec![0; RECORD];
        if kill % 2 == 0 {
            let mounted = Mounted::new(&image).unwrap();
            let file = std::fs::File::open(mounted.at("records")).unwrap();
            for slot in 0..RECORDS {
                file.read_exact_at(&mut bytes, slot * RECORD as u64).unwrap();
                assert_whole(slot, &bytes);
            }
            drop(file);
            mounted.unmount().unwrap();
        } else {
            let volume = open(&image);
            println!("kill {kill}: {:?}", volume.recovery());
            let file = volume.open_file("/records").unwrap();
            for slot in 0..RECORDS {
                assert_eq!(file.read_at(slot * RECORD as u64, &mut bytes).unwrap(), RECORD);
                assert_whole(slot, &bytes);
            }
            drop(file);
            volume.close().unwrap();
        }
        xfs_repair_n(&image).unwrap().assert_clean();
    }
}

#[test]
fn a_volume_that_was_trimmed_holds_for_linux_what_it_held_kernel() {
    if !demand() {
        return;
    }
    let scratch = Scratch::new().unwrap();
    let options = MkfsOptions { ag_count: Some(8), rmapbt: true, ..MkfsOptions::default() };
    let recipe = Recipe::Aged { operations: 1500 };
    let (image, _) = filled(&scratch, 400 * MIB, &options, recipe);
    // Stale bytes in the free space, so that there is something to give back.
    let mounted = Mounted::new(&image).unwrap();
    let stale = mounted.at("stale");
    std::fs::write(&stale, vec![0x5a; 48 << 20]).unwrap();
    mounted.sync().unwrap();
    std::fs::remove_file(&stale).unwrap();
    mounted.unmount().unwrap();
    let before = linux_tree(&image);
    let taken = || std::fs::metadata(&image).unwrap().blocks() * 512;
    let full = taken();
    let volume = open(&image);
    let free = volume.space().unwrap();
    let trimmed = volume.trim(&Trim::default(), |_| ()).unwrap();
    volume.close().unwrap();
    let free = free.free * u64::from(free.block_size);
    assert!(trimmed <= free && trimmed > free / 10 * 9, "{trimmed} of {free} free bytes");
    assert!(taken() + (40 << 20) < full, "{} of {full} bytes are left", taken());
    xfs_repair_n(&image).unwrap().assert_clean();
    assert_same("trimmed", &before, &linux_tree(&image));
}
