//! Directory blocks that Linux laid down in several pieces: recovered from a journal of Linux,
//! read, changed, under power cuts, and read by Linux again.

#![allow(clippy::unwrap_used)]

use rustix::fs::{FallocateFlags, fallocate};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use untorn::{Error, OpenOptions, Rename, Volume};
use untorn_device::{Access, BlockDevice, FileDevice, MemoryDevice};
use untorn_torture::disk::{Family, SimDisk};
use untorn_torture::kernel::{
    Flush, MkfsOptions, Mounted, Scratch, demand, make_volume, xfs_bmap, xfs_repair_n,
};

const SIZE: u64 = 64 << 20;
/// Free blocks, none beside another.
const CRUMBS: u64 = 3000;

type Names = BTreeSet<String>;

/// A number from the environment.
fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(default)
}

/// A new volume where no feature keeps blocks back, for they would lie in one run.
fn volume(image: &Path, block_size: u32, directory_block_size: u32) {
    let options = MkfsOptions {
        block_size,
        directory_block_size: Some(directory_block_size),
        reflink: false,
        finobt: false,
        inobtcount: false,
        ..MkfsOptions::default()
    };
    make_volume(image, SIZE, &options).unwrap();
}

/// Leaves nothing free but single blocks: a file over all the rest.
fn shatter(mounted: &Mounted) {
    let status = Command::new("xfs_io")
        .args(["-x", "-c", "resblks 1"])
        .arg(mounted.root())
        .output()
        .unwrap()
        .status;
    assert!(status.success(), "xfs_io sets what Linux keeps back");
    let loaf = File::create(mounted.at("loaf")).unwrap();
    let block = rustix::fs::statvfs(mounted.root()).unwrap().f_bsize;
    let (mut at, mut step) = (0, 1 << 14);
    while step > 0 {
        match fallocate(&loaf, FallocateFlags::empty(), at * block, step * block) {
            Ok(()) => at += step,
            Err(_) => step /= 2,
        }
    }
    let punch = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    for crumb in 0..CRUMBS {
        fallocate(&loaf, punch, (2 * crumb + 1) * block, block).unwrap();
    }
    mounted.sync().unwrap();
}

fn name(number: u64) -> String {
    format!("some-longer-name-{number}")
}

/// Fills `/d` with links to `/one`, for new inodes want a run of blocks; what is synced and what
/// only the journal has are of all forms of changes.
fn fill(mounted: &Mounted, count: u64) {
    let at = |number| mounted.at("d").join(name(number));
    let link = |number| fs::hard_link(mounted.at("one"), at(number)).unwrap();
    (0..count).for_each(link);
    mounted.sync().unwrap();
    (count..count + count / 8).for_each(link);
    (0..count).step_by(97).for_each(|number| fs::remove_file(at(number)).unwrap());
    // Only the number in the entry changes: the first piece stays out of the journal.
    for spare in 0..SPARES {
        fs::rename(mounted.at(format!("spare-{spare}")), at(41 * (spare + 1) % count)).unwrap();
    }
}

const SPARES: u64 = 6;

/// An image whose journal has directory blocks in pieces; the names in `/d`.
fn crashed(image: &Path, (block_size, directory_block_size): (u32, u32), count: u64) -> Names {
    volume(image, block_size, directory_block_size);
    let mounted = Mounted::new(image).unwrap();
    fs::create_dir(mounted.at("d")).unwrap();
    File::create(mounted.at("one")).unwrap();
    (0..SPARES).for_each(|n| drop(File::create(mounted.at(format!("spare-{n}"))).unwrap()));
    shatter(&mounted);
    fill(&mounted, count);
    let map = xfs_bmap(&mounted.at("d")).unwrap();
    assert!(map.lines().count() >= 6, "the directory is hardly in pieces:\n{map}");
    let names = listed_by_linux(&mounted);
    mounted.crash(Flush::Log).unwrap();
    names
}

fn listed_by_linux(mounted: &Mounted) -> Names {
    let entries = fs::read_dir(mounted.at("d")).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

fn listed(volume: &Volume) -> Names {
    let entries = volume.read_dir("/d").unwrap().into_iter();
    let entries = entries.filter(|entry| entry.name != b"." && entry.name != b"..");
    let names: Names = entries.map(|entry| String::from_utf8(entry.name).unwrap()).collect();
    for name in names.iter().step_by(5) {
        volume.lookup(format!("/d/{name}")).unwrap();
    }
    names
}

fn open(device: Arc<dyn BlockDevice>) -> Volume {
    Volume::open(device, OpenOptions::default()).unwrap()
}

#[track_caller]
fn assert_sound(device: &dyn BlockDevice, what: &str) {
    let findings = untorn_check::check(device, &Default::default()).unwrap().findings;
    assert!(findings.is_empty(), "{what}: {:?}", &findings[..findings.len().min(4)]);
}

/// Adds, removes and renames; `state` is told after each call.
fn change(volume: &Volume, names: &mut Names, count: u64, mut state: impl FnMut(&Volume, &Names)) {
    let one = volume.lookup("/one").unwrap();
    for number in 0..count {
        let new = format!("new-{number}-{}", "x".repeat((number * 7 % 50) as usize));
        volume.link(one, &format!("/d/{new}")).unwrap();
        names.insert(new.clone());
        state(volume, names);
        let old = names.iter().nth(number as usize * 31 % names.len()).unwrap().clone();
        match number % 3 {
            0 => {
                volume.remove(format!("/d/{old}")).unwrap();
                names.remove(&old);
            }
            _ => {
                let renamed = format!("renamed-{number}");
                let (from, to) = (format!("/d/{old}"), format!("/d/{renamed}"));
                drop(volume.rename(&from, &to, Rename::Replace).unwrap());
                names.remove(&old);
                names.insert(renamed);
            }
        }
        state(volume, names);
    }
}

const SHAPES: [(u32, u32, u64); 4] =
    [(4096, 16384, 1500), (1024, 16384, 1500), (1024, 4096, 90), (2048, 4096, 1500)];

#[test]
fn pieces_in_a_journal_of_linux_are_recovered_read_and_gathered_kernel() {
    if !demand() {
        return;
    }
    for (block, directory_block, count) in SHAPES {
        let scratch = Scratch::new().unwrap();
        let image = scratch.image("pieces.img");
        let mut names = crashed(&image, (block, directory_block), count);
        let volume = open(Arc::new(FileDevice::open(&image, Access::ReadWrite).unwrap()));
        assert!(!volume.recovery().was_clean);
        assert!(listed(&volume) == names, "untorn finds what Linux had");
        without_room(&volume, &mut names);
        volume.close().unwrap();
        judge(&image, &names, "recovered");
        let volume = open(Arc::new(FileDevice::open(&image, Access::ReadWrite).unwrap()));
        volume.remove("/loaf").unwrap();
        change(&volume, &mut names, count / 3, |_, _| {});
        assert!(listed(&volume) == names);
        volume.close().unwrap();
        judge(&image, &names, "changed");
    }
}

/// Where no run is free, what would change a block in pieces is refused.
fn without_room(volume: &Volume, names: &mut Names) {
    let mut refused = 0;
    for name in names.iter().step_by(23).cloned().collect::<Vec<_>>() {
        match volume.remove(format!("/d/{name}")) {
            Ok(()) => drop(names.remove(&name)),
            Err(Error::NoRun { .. }) => refused += 1,
            Err(error) => panic!("{name}: {error}"),
        }
    }
    assert!(refused > 0, "no block in pieces was to be changed");
    assert!(listed(volume) == *names, "what was refused changed something");
}

/// The checker, xfs_repair and Linux.
fn judge(image: &Path, names: &Names, what: &str) {
    assert_sound(&FileDevice::open(image, Access::ReadOnly).unwrap(), what);
    xfs_repair_n(image).unwrap().assert_clean();
    let mounted = Mounted::new(image).unwrap();
    let found = listed_by_linux(&mounted);
    assert!(found == *names, "{what}: Linux lists {} of {} names", found.len(), names.len());
    found.iter().for_each(|name| assert!(mounted.at("d").join(name).exists(), "{name}"));
    mounted.unmount().unwrap();
    xfs_repair_n(image).unwrap().assert_clean();
}

/// Recovers and changes the volume on a disk that remembers; the names after each call.
fn run(medium: MemoryDevice, names: Names, calls: u64) -> (Arc<SimDisk>, Vec<Names>) {
    let disk = SimDisk::new(medium);
    let mark = |durable: usize, begun: usize| disk.mark((durable as u64) << 32 | begun as u64);
    let (mut states, mut durable) = (vec![names.clone()], 0);
    mark(0, 0);
    let volume = open(disk.clone());
    volume.remove("/loaf").unwrap();
    mark(0, 1);
    let mut now = names;
    change(&volume, &mut now, calls, |volume, names| {
        states.push(names.clone());
        if states.len() % 7 == 0 {
            volume.sync().unwrap();
            durable = states.len() - 1;
        }
        mark(durable, states.len());
    });
    volume.close().unwrap();
    mark(states.len() - 1, states.len() - 1);
    (disk, states)
}

#[test]
fn recovery_and_gathering_of_pieces_survive_power_cuts_kernel() {
    if !demand() {
        return;
    }
    for (block, directory_block, count) in [(4096, 16384, 1700), (1024, 4096, 400)] {
        let scratch = Scratch::new().unwrap();
        let image = scratch.image("pieces.img");
        let names = crashed(&image, (block, directory_block), count);
        let calls = number("UNTORN_CUT_WRITES", 12);
        let (disk, states) = run(MemoryDevice::load(&image).unwrap(), names, calls);
        let mut cuts = 0;
        for cut in disk.cuts().families(&Family::ALL).distinct() {
            let image: Arc<dyn BlockDevice> = Arc::new(cut.image.snapshot());
            let volume = Volume::open(image.clone(), OpenOptions::default())
                .unwrap_or_else(|error| panic!("{cut}: {error}"));
            let mark = cut.mark.unwrap_or(0);
            let (least, most) = ((mark >> 32) as usize, (mark & 0xffff_ffff) as usize);
            let most = most.min(states.len() - 1);
            let found = listed(&volume);
            assert!(states[least..=most].contains(&found), "{cut}: no state of {least} to {most}");
            volume.close().unwrap();
            assert_sound(&*image, &cut.to_string());
            cuts += 1;
        }
        println!("{cuts} cuts over {} states", states.len());
        assert!(cuts > 50);
    }
}
