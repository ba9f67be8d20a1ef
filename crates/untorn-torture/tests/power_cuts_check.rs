//! Atomic writes on a simulated disk, cut at every request.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;
use untorn::{NewFile, OpenOptions, Volume, mkfs};
use untorn_device::{BlockDevice, MemoryDevice};
use untorn_torture::cuts::{Recording, Scenario, scenarios};
use untorn_torture::disk::{Family, SimDisk};

/// Writes of each scenario: a smoke by default, a soak with `UNTORN_CUT_WRITES`.
fn writes() -> usize {
    std::env::var("UNTORN_CUT_WRITES").ok().and_then(|n| n.parse().ok()).unwrap_or(12)
}

fn survive(scenario: &Scenario) {
    let recording = Recording::make(scenario).unwrap_or_else(|e| panic!("{}: {e}", scenario.name));
    let (mut cuts, mut replayed, mut undone) = (0, 0, 0);
    for cut in recording.cuts().families(&Family::ALL).distinct() {
        let outcome = recording.judge(&cut);
        let outcome = outcome.unwrap_or_else(|what| panic!("{}: {what}", scenario.name));
        cuts += 1;
        replayed += usize::from(outcome.replayed);
        undone += usize::from(outcome.survived < outcome.begun);
    }
    println!(
        "{}: {cuts} cuts of {} requests, {replayed} replayed, {undone} without the last write",
        scenario.name,
        recording.events()
    );
    assert!(replayed > 0 && undone > 0, "the cuts met nothing worth meeting");
}

macro_rules! survives {
    ($($name:ident = $index:literal;)*) => {$(
        #[test]
        fn $name() {
            survive(&scenarios(writes(), 1)[$index]);
        }
    )*};
}

survives! {
    overwrites_of_a_whole_file_survive_power_cuts_check = 0;
    a_growing_file_survives_power_cuts_check = 1;
    a_shattered_volume_survives_power_cuts_check = 2;
    holes_survive_power_cuts_check = 3;
    small_blocks_survive_power_cuts_check = 4;
    durable_writes_survive_power_cuts_check = 5;
    discards_of_freed_blocks_survive_power_cuts_check = 6;
    trimming_survives_power_cuts_check = 7;
}

/// Files that exist, with their sizes.
fn listing(volume: &Volume) -> Vec<(Vec<u8>, u64)> {
    let mut found: Vec<_> = volume
        .read_dir("/d")
        .unwrap()
        .into_iter()
        .map(|entry| (entry.name, volume.metadata_of(entry.ino).unwrap().inode.size))
        .collect();
    found.sort();
    found
}

#[test]
fn files_made_and_removed_survive_power_cuts_check() {
    // More files than one chunk of inodes has, in a directory of one block.
    make_and_remove(4096, 0, |step| format!("/d/{step}"));
}

#[test]
fn directories_that_grow_and_shrink_survive_power_cuts_check() {
    make_and_remove(1024, 0, |step| format!("/d/{step}-{}", "long".repeat(20)));
}

#[test]
fn directories_that_get_and_lose_an_index_of_several_leaves_survive_power_cuts_check() {
    // A leaf of 1 KiB has up to 120 names.
    make_and_remove(1024, 62, |step| format!("/d/{step}-{}", "long".repeat(step as usize % 9)));
}

/// Makes and removes files under names that come with a number, in a directory that has `before`
/// files to begin with.
fn make_and_remove(block_size: u32, before: u64, name: impl Fn(u64) -> String) {
    let make = |volume: &Volume, number| {
        drop(volume.create_file(name(number), NewFile::default()).unwrap());
    };
    let medium = Arc::new(MemoryDevice::new(48 << 20));
    let contents = mkfs::Contents::Zeroed;
    let options = mkfs::Options { contents, block_size, ..Default::default() };
    mkfs::make(&*medium, &options).unwrap();
    let volume = Volume::open(medium.clone(), OpenOptions::default()).unwrap();
    volume.create_dir("/d", NewFile::default()).unwrap();
    (1000..1000 + before).for_each(|number| make(&volume, number));
    volume.close().unwrap();
    let disk = SimDisk::new(medium.snapshot());
    let volume = Volume::open(disk.clone(), OpenOptions::default()).unwrap();
    let mut states = vec![listing(&volume)];
    let mut durable = 0;
    for step in 0..150u64 {
        disk.mark(durable << 32 | (states.len() as u64));
        match step % 5 {
            4 if step <= 105 => volume.remove(name(step - 2)).unwrap(),
            // At the end the directory shrinks again.
            2..=3 if step > 105 => volume.remove(name(step - 102)).unwrap(),
            _ if step > 105 && before > 0 => volume.remove(name(1000 + step - 106)).unwrap(),
            _ => make(&volume, step),
        }
        states.push(listing(&volume));
        if step % 11 == 0 {
            volume.sync().unwrap();
            durable = states.len() as u64 - 1;
            disk.mark(durable << 32 | durable);
        }
    }
    volume.close().unwrap();
    disk.mark((states.len() as u64 - 1) << 32 | (states.len() as u64 - 1));
    let mut cuts = 0;
    for cut in disk.cuts().distinct() {
        let mark = cut.mark.unwrap_or(0);
        let (least, most) = ((mark >> 32) as usize, (mark & 0xffff_ffff) as usize);
        let image: Arc<dyn BlockDevice> = Arc::new(cut.image.snapshot());
        let volume = Volume::open(image.clone(), OpenOptions::default())
            .unwrap_or_else(|e| panic!("{cut}: {e}"));
        let found = listing(&volume);
        assert!(states[least..=most].contains(&found), "{cut}: neither of {least} to {most}");
        volume.close().unwrap();
        let report = untorn_check::check(&*image, &Default::default()).unwrap();
        assert!(report.findings.is_empty(), "{cut}: {:?}", report.findings.first());
        cuts += 1;
    }
    println!("{cuts} cuts");
    assert!(cuts > 100);
}

#[test]
fn a_journal_that_goes_round_survives_power_cuts_check() {
    let mut scenario = scenarios(400, 5)[2].clone();
    scenario.volume = 24 << 20;
    scenario.longest = 60 << 10;
    let recording = Recording::make(&scenario).unwrap();
    let mut cuts = 0;
    for cut in recording.cuts().families(&Family::ALL).step_by(23) {
        recording.judge(&cut).unwrap_or_else(|what| panic!("{what}"));
        cuts += 1;
    }
    println!("{cuts} cuts of {} requests", recording.events());
    assert!(cuts > 100);
}
