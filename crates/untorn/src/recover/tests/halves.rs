//! Operations that take several transactions, cut between any two of them: untorn recovers each
//! half, and Linux does, to the same tree and a sound volume.

use crate::attr::SetMode;
use crate::mkfs;
use crate::tx::MOST_IN_TESTS;
use crate::{Make, NewFile, OpenOptions, Removal, Rename, SizeRule, Sync, Volume};
use std::path::Path;
use std::sync::Arc;
use untorn_device::{BlockDevice, FileDevice, MemoryDevice};
use untorn_format::Ino;
use untorn_format::attr::Namespace;
use untorn_torture::disk::{Cut, Family, SimDisk};
use untorn_torture::kernel::{self, Mounted, Scratch, xfs_repair_n};
use untorn_torture::tree::diff;
use untorn_torture::volume_tree::{as_stored, image_tree};

const BLOCK: u64 = 4096;

/// An operation, and what is there before.
struct Case {
    name: &'static str,
    before: fn(&Volume),
    act: fn(&Volume),
}

const CASES: [Case; 10] = [
    Case { name: "file", before: |v| comb(v, "/f"), act: |v| v.remove("/f").unwrap() },
    Case {
        name: "rename over attributes",
        before: |v| {
            comb(v, "/a");
            comb(v, "/b");
            give_attributes(v, v.lookup("/b").unwrap(), Namespace::User);
        },
        act: |v| drop(v.rename("/a", "/b", Rename::Replace).unwrap()),
    },
    Case { name: "link and directory", before: link_and_directory, act: remove_both },
    Case { name: "unnamed", before: |_| (), act: use_unnamed },
    Case {
        name: "sizes",
        before: |v| comb(v, "/f"),
        act: |v| {
            let file = v.open_file("/f").unwrap();
            file.truncate(13 * BLOCK + 5).unwrap();
            file.allocate(20 * BLOCK..40 * BLOCK, SizeRule::Keep).unwrap();
            file.truncate(30 * BLOCK + 5).unwrap();
        },
    },
    Case {
        name: "holes",
        before: |v| comb(v, "/f"),
        act: |v| {
            let file = v.open_file("/f").unwrap();
            file.punch_hole(BLOCK / 2..9 * BLOCK + 1).unwrap();
            file.zero_range(11 * BLOCK..19 * BLOCK + 1, SizeRule::Keep).unwrap();
        },
    },
    Case {
        name: "shifts",
        before: shared,
        act: |v| {
            let file = v.open_file("/f").unwrap();
            file.collapse_range(3 * BLOCK..8 * BLOCK).unwrap();
            file.insert_range(5 * BLOCK..9 * BLOCK).unwrap();
        },
    },
    Case {
        name: "sharing",
        before: shared,
        act: |v| {
            let (file, sharer) = (v.open_file("/f").unwrap(), v.open_file("/sharer").unwrap());
            sharer.unshare_range(0..30 * BLOCK).unwrap();
            sharer.clone_range(2 * BLOCK, &file, 4 * BLOCK..20 * BLOCK).unwrap();
            v.remove("/f").unwrap();
        },
    },
    Case { name: "attributes", before: |v| comb(v, "/f"), act: change_attributes },
    Case { name: "inodes", before: many_files, act: put_data_where_inodes_were },
];

/// A file of many extents.
fn comb(volume: &Volume, path: &str) {
    let file = volume.create_file(path, NewFile::default()).unwrap();
    for block in (0..30).step_by(2) {
        file.write_at(block * BLOCK, &[block as u8 + 1; 4096], Sync::Visible).unwrap();
    }
}

fn shared(volume: &Volume) {
    comb(volume, "/f");
    volume.clone_file("/f", "/sharer").unwrap();
}

fn set(volume: &Volume, ino: Ino, (namespace, number): (Namespace, u32), length: usize) {
    let name = format!("{number:0200}");
    let key = (namespace, name.as_bytes());
    let value = vec![number as u8; length];
    volume.set_attribute(ino, key, &value, SetMode::Upsert).unwrap();
}

/// Attributes with an index of several blocks, their values in many extents.
fn give_attributes(volume: &Volume, ino: Ino, namespace: Namespace) {
    let between = volume.make_unnamed(volume.root(), NewFile::default()).unwrap();
    for number in 0..20 {
        set(volume, ino, (namespace, number), 9000);
        set(volume, between.ino(), (Namespace::User, number), 9000);
    }
}

fn link_and_directory(volume: &Volume) {
    let make = |name: &str, what| volume.make(name, what, NewFile::default()).unwrap();
    give_attributes(volume, make("/link", Make::Symlink(&[b'x'; 900])), Namespace::Trusted);
    give_attributes(volume, make("/dir", Make::Directory), Namespace::User);
}

fn remove_both(volume: &Volume) {
    let link = volume.detach("/link", Removal::Any).unwrap();
    volume.remove("/dir").unwrap();
    drop(link);
}

/// More files than chains, so that some stand behind others.
fn use_unnamed(volume: &Volume) {
    let make = |_| volume.make_unnamed(volume.root(), NewFile::default()).unwrap();
    let mut all: Vec<_> = (0..68).map(make).collect();
    for orphan in &all[..4] {
        orphan.file().unwrap().write_at(0, &[7; 9000], Sync::Visible).unwrap();
    }
    all[1].link("/named").unwrap();
    drop(all.remove(2));
    drop(all.pop());
    // Nobody frees the rest but who opens the volume.
    all.into_iter().for_each(std::mem::forget);
}

fn change_attributes(volume: &Volume) {
    let ino = volume.lookup("/f").unwrap();
    for (number, length) in [(0, 10), (1, 400), (2, 9000), (3, 3000), (2, 20_000), (2, 5)] {
        set(volume, ino, (Namespace::User, number), length);
    }
    for number in [1, 2, 3, 0] {
        let name = format!("{number:0200}");
        volume.remove_attribute(ino, (Namespace::User, name.as_bytes())).unwrap();
    }
}

fn many_files(volume: &Volume) {
    for number in 0..130 {
        volume.create_file(format!("/{number}"), NewFile::default()).unwrap();
    }
}

fn put_data_where_inodes_were(volume: &Volume) {
    MOST_IN_TESTS.set(u64::MAX);
    (0..115).for_each(|number| volume.remove(format!("/{number}")).unwrap());
    MOST_IN_TESTS.set(2);
    (115..130).for_each(|number| volume.remove(format!("/{number}")).unwrap());
    let file = volume.create_file("/data", NewFile::default()).unwrap();
    for piece in 0..6 {
        file.write_at(piece << 16, &[0xee; 1 << 16], Sync::Durable).unwrap();
    }
}

/// The disk on which the operation was made in transactions of two parts, each durable.
fn made(case: &Case, options: &mkfs::Options) -> Arc<SimDisk> {
    let medium = Arc::new(MemoryDevice::new(64 << 20));
    let contents = mkfs::Contents::Zeroed;
    let options = mkfs::Options { contents, uuid: Some([3; 16]), ..options.clone() };
    mkfs::make(&*medium, &options).unwrap();
    let volume = Volume::open(medium.clone(), OpenOptions::default()).unwrap();
    (case.before)(&volume);
    volume.close().unwrap();
    let disk = SimDisk::new(medium.snapshot());
    let volume = Volume::open(disk.clone(), OpenOptions::default()).unwrap();
    MOST_IN_TESTS.set(2);
    (case.act)(&volume);
    MOST_IN_TESTS.set(u64::MAX);
    volume.close().unwrap();
    disk
}

/// One cut for each flush: a transaction more each time.
fn steps(disk: &SimDisk) -> Vec<Cut> {
    disk.cuts().families(&[Family::FlushedOnly]).distinct().collect()
}

fn demand_sound(device: &dyn BlockDevice, what: &str) {
    let report = untorn_check::check(device, &untorn_check::Options::default()).unwrap();
    assert!(report.findings.is_empty(), "{what}: {:?}", report.findings.first());
}

fn linux_recovers(image: &Path, what: &str) {
    let mine = image_tree(image).unwrap();
    let mounted = Mounted::new(image).unwrap_or_else(|error| panic!("{what}: {error:#}"));
    let theirs = as_stored(kernel::tree(&mounted.root()).unwrap());
    mounted.unmount().unwrap();
    let differences = diff(&mine, &theirs);
    assert!(differences.is_empty(), "{what}: {differences}");
    let verdict = xfs_repair_n(image).unwrap();
    assert!(verdict.clean, "{what}: {}", verdict.output);
    demand_sound(&FileDevice::open(image, untorn_device::Access::ReadOnly).unwrap(), what);
}

#[test]
fn halves_of_long_operations_are_recovered_check() {
    for case in &CASES {
        let cuts = steps(&made(case, &mkfs::Options::default()));
        assert!(cuts.len() > 6, "{}: only {} cuts", case.name, cuts.len());
        for cut in cuts {
            let device: Arc<dyn BlockDevice> = Arc::new(cut.image.snapshot());
            let volume = Volume::open(device.clone(), OpenOptions::default())
                .unwrap_or_else(|error| panic!("{}, {cut}: {error}", case.name));
            volume.close().unwrap();
            demand_sound(&*device, &format!("{}, {cut}", case.name));
        }
    }
}

/// `UNTORN_HALVES` cuts of each operation; 12 where it is not set.
#[test]
fn halves_of_long_operations_are_recovered_by_linux_kernel() {
    if !kernel::demand() {
        return;
    }
    let most = std::env::var("UNTORN_HALVES").ok().and_then(|n| n.parse().ok()).unwrap_or(12);
    let scratch = Scratch::new().unwrap();
    let image = scratch.image("half.img");
    for case in &CASES {
        let cuts = steps(&made(case, &mkfs::Options::default()));
        let (count, stride) = (cuts.len(), cuts.len().div_ceil(most));
        for cut in cuts.into_iter().skip(stride / 2).step_by(stride) {
            cut.image.store(&image).unwrap();
            linux_recovers(&image, &format!("{}, {cut}", case.name));
        }
        println!("{}: {} of {count} halves", case.name, count.div_ceil(stride));
    }
}
