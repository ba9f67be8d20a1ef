//! Growing, labels and UUIDs: the power is cut at every request, and the volume is what it was or
//! what it shall be.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::sync::Arc;
use untorn::{Label, NewFile, NewUuid, OpenOptions, Sync, Volume, mkfs, probe};
use untorn_device::{BlockDevice, MemoryDevice};
use untorn_format::Superblock;
use untorn_torture::disk::{Family, SimDisk};
use untorn_torture::kernel::{self, Mounted, Scratch, xfs_repair_n};

const MIB: u64 = 1 << 20;
const UUID: [u8; 16] = *b"another identity";

/// A volume of `before` MiB at the start of a device of `after` MiB, with a file.
fn medium(before: u64, after: u64, options: &mkfs::Options) -> Arc<MemoryDevice> {
    let device = Arc::new(MemoryDevice::new(after * MIB));
    let size = Some(before * MIB);
    let contents = mkfs::Contents::Zeroed;
    mkfs::make(&*device, &mkfs::Options { size, contents, ..options.clone() }).unwrap();
    let volume = Volume::open(device.clone(), OpenOptions::default()).unwrap();
    let file = volume.create_file("/file", NewFile::default()).unwrap();
    file.write_atomic(0, &[7; 300_000], Sync::Visible).unwrap();
    volume.close().unwrap();
    device
}

fn assert_clean(device: &dyn BlockDevice, what: &dyn std::fmt::Display) {
    let report = untorn_check::check(device, &Default::default()).unwrap();
    assert!(report.findings.is_empty(), "{what}: {:?}", report.findings.first());
}

/// The file is still there, and the volume can be written.
fn use_it(device: &Arc<dyn BlockDevice>, what: &dyn std::fmt::Display) {
    let volume = Volume::open(device.clone(), OpenOptions::default());
    let volume = volume.unwrap_or_else(|error| panic!("{what}: {error}"));
    let file = volume.file(volume.lookup("/file").unwrap()).unwrap();
    let mut bytes = vec![0; 300_000];
    file.read_at(0, &mut bytes).unwrap();
    assert!(bytes.iter().all(|&byte| byte == 7), "{what}");
    file.write_atomic(100_000, &[7; 50_000], Sync::Durable).unwrap();
    volume.close().unwrap();
    assert_clean(&**device, what);
}

type Change = fn(Arc<dyn BlockDevice>);

/// Cuts the power at every request of `change`; the superblock that recovery finds is `told`. What
/// follows the first superblock may be behind where `lag` says so.
fn survive(medium: &MemoryDevice, change: Change, told: impl Fn(&Superblock) -> u64, lag: Lag) {
    let before = told(&probe(medium).unwrap());
    let disk = SimDisk::new(medium.snapshot());
    change(disk.clone());
    let after = told(&probe(&*disk).unwrap());
    assert_ne!(before, after, "nothing was changed");
    let (mut old, mut new) = (0, 0);
    for cut in disk.cuts().families(&Family::ALL).distinct() {
        let image: Arc<dyn BlockDevice> = Arc::new(cut.image.snapshot());
        let volume = Volume::open(image.clone(), OpenOptions::default());
        volume.unwrap_or_else(|error| panic!("{cut}: {error}")).close().unwrap();
        let found = told(&probe(&*image).unwrap());
        assert!(found == before || found == after, "{cut}: {found}");
        if found == before {
            old += 1;
        } else {
            new += 1;
            if lag == Lag::UntilAgain {
                change(image.clone());
            }
        }
        use_it(&image, &cut);
    }
    println!("{old} cuts left the old, {new} the new");
    assert!(old > 3 && new > 3, "the cuts met nothing worth meeting: {old}, {new}");
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Lag {
    Never,
    UntilAgain,
}

fn grow(device: Arc<dyn BlockDevice>) {
    untorn::grow(device, None).unwrap();
}

#[test]
fn growing_survives_power_cuts_check() {
    let base = mkfs::Options::default();
    let blocks = |superblock: &Superblock| superblock.geometry.data_blocks;
    let no_rmap = mkfs::FeatureSet { rmapbt: false, ..mkfs::FeatureSet::USUAL };
    let exchange = mkfs::FeatureSet { parent: false, ..mkfs::FeatureSet::ALL };
    let groups = mkfs::Groups::Size(32 * MIB);
    let cases = [
        // The last group grows, new ones follow.
        (86, 150, mkfs::Options { groups, ..base.clone() }),
        // New groups alone.
        (64, 128, mkfs::Options { block_size: 1024, ..base.clone() }),
        // The last group alone.
        (86, 90, mkfs::Options { features: no_rmap, groups, ..base.clone() }),
        (64, 200, mkfs::Options { features: exchange, ..base }),
    ];
    for (from, to, options) in cases {
        survive(&medium(from, to, &options), grow, blocks, Lag::Never);
    }
}

/// A volume of more groups than a transaction changes where nothing is gained by more.
fn many_groups() -> Arc<MemoryDevice> {
    let groups = mkfs::Groups::Size(16 * MIB);
    medium(16 * 300, 16 * 310, &mkfs::Options { groups, ..Default::default() })
}

#[test]
fn growing_a_volume_of_many_groups_survives_power_cuts_check() {
    let disk = SimDisk::new(many_groups().snapshot());
    grow(disk.clone());
    for cut in disk.cuts().families(&[Family::FlushedOnly]).distinct() {
        use_it(&(Arc::new(cut.image.snapshot()) as Arc<dyn BlockDevice>), &cut);
    }
}

#[test]
fn growing_past_what_the_journal_carries_at_once_is_completed_by_growing_again_check() {
    let groups = mkfs::Groups::Size(16 * MIB);
    let mut options = mkfs::Options { groups, block_size: 1024, ..Default::default() };
    options.log.room = mkfs::LogRoom::Least;
    let disk = SimDisk::new(medium(16 * 6700, 16 * 6701, &options).snapshot());
    grow(disk.clone());
    let mut halves = 0;
    for cut in disk.cuts().families(&[Family::FlushedOnly]).distinct() {
        let image: Arc<dyn BlockDevice> = Arc::new(cut.image.snapshot());
        Volume::open(image.clone(), OpenOptions::default()).unwrap().close().unwrap();
        let report = untorn_check::check(&*image, &Default::default()).unwrap();
        halves += u32::from(!report.findings.is_empty());
        grow(image.clone());
        use_it(&image, &cut);
    }
    assert!(halves > 0, "all copies changed with the size");
}

#[test]
fn copies_that_say_an_old_size_are_put_right_by_growing_again_check() {
    let device = medium(64, 128, &mkfs::Options::default());
    let (copy, mut old) = (16 * MIB, [0; 512]);
    device.read_at(copy, &mut old).unwrap();
    grow(device.clone());
    device.write_at(copy, &old).unwrap();
    grow(device.clone());
    assert_clean(&*device, &"grown again");
}

#[test]
fn labels_survive_power_cuts_check() {
    let label = |device| untorn::set_label(device, Label::new("new label").unwrap()).unwrap();
    let told = |superblock: &Superblock| u64::from(superblock.label[0]);
    survive(&medium(64, 64, &mkfs::Options::default()), label, told, Lag::Never);
}

#[test]
fn uuids_survive_power_cuts_check() {
    let set = |device| assert_eq!(untorn::set_uuid(device, NewUuid::Set(UUID)).unwrap(), UUID);
    let told = |superblock: &Superblock| u64::from(superblock.uuid == UUID);
    survive(&medium(64, 64, &mkfs::Options::default()), set, told, Lag::UntilAgain);
}

#[test]
fn a_restored_uuid_leaves_no_trace_check() {
    let device = medium(64, 64, &mkfs::Options::default());
    let before = probe(&*device).unwrap();
    untorn::set_uuid(device.clone(), NewUuid::Set(UUID)).unwrap();
    let changed = probe(&*device).unwrap();
    assert!(changed.features.has_meta_uuid() && changed.meta_uuid == before.uuid);
    let device: Arc<dyn BlockDevice> = device;
    use_it(&device, &"changed");
    untorn::set_uuid(device.clone(), NewUuid::Restore).unwrap();
    let after = probe(&*device).unwrap();
    assert_eq!((after.uuid, after.features), (before.uuid, before.features));
    use_it(&device, &"restored");
    let nil = untorn::set_uuid(device.clone(), NewUuid::Set([0; 16])).unwrap_err();
    assert!(nil.to_string().contains("--generate"), "{nil}");
}

#[test]
fn a_volume_grows_by_what_makes_whole_groups_and_never_shrinks_check() {
    let device = medium(64, 200, &mkfs::Options::default());
    let grown = untorn::grow(device.clone(), Some(64 * MIB + 4096)).unwrap();
    assert_eq!(grown.blocks, grown.blocks_before, "4 KiB are no group");
    let grown = untorn::grow(device.clone(), Some(100 * MIB)).unwrap();
    assert_eq!((grown.groups_before, grown.groups), (4, 6), "{grown:?}");
    assert_clean(&*device, &"grown");
    let smaller = untorn::grow(device.clone(), Some(80 * MIB)).unwrap_err();
    assert!(smaller.to_string().contains("not made smaller"), "{smaller}");
    let larger = untorn::grow(device.clone(), Some(201 * MIB)).unwrap_err();
    assert!(larger.to_string().contains("truncate -s"), "{larger}");
    untorn::grow(device.clone(), None).unwrap();
    assert_clean(&*device, &"grown again");
}

/// Linux mounts, recovers and fills what untorn grew; xfs_repair finds nothing.
#[test]
fn linux_takes_over_what_was_grown_and_renamed_kernel() {
    if !kernel::demand() {
        return;
    }
    let scratch = Scratch::new().unwrap();
    let groups = mkfs::Groups::Size(32 * MIB);
    let features = mkfs::FeatureSet::USUAL;
    let options = mkfs::Options { features, groups, ..Default::default() };
    let changes: [(Change, bool); 3] = [
        (grow, true),
        (|device| untorn::set_label(device, Label::new("label").unwrap()).unwrap(), true),
        (|device| assert_eq!(untorn::set_uuid(device, NewUuid::Set(UUID)).unwrap(), UUID), false),
    ];
    for (change, repaired) in changes {
        let disk = SimDisk::new(medium(86, 150, &options).snapshot());
        change(disk.clone());
        let families = [Family::Prefix, Family::FlushedOnly];
        let mut cuts = 0;
        for cut in disk.cuts().families(&families).distinct() {
            let image = scratch.image("cut.img");
            cut.image.store(&image).unwrap();
            let mounted = Mounted::new(&image).unwrap_or_else(|error| panic!("{cut}: {error:#}"));
            assert_eq!(std::fs::read(mounted.at("file")).unwrap(), vec![7; 300_000], "{cut}");
            std::fs::write(mounted.at("more"), vec![3; 5_000_000]).unwrap();
            mounted.unmount().unwrap();
            if repaired {
                xfs_repair_n(&image).unwrap().assert_clean();
            }
            cuts += 1;
        }
        println!("Linux recovered {cuts} cuts");
        let image = scratch.image("whole.img");
        disk.content().store(&image).unwrap();
        let mounted = Mounted::new(&image).unwrap();
        mounted.unmount().unwrap();
        xfs_repair_n(&image).unwrap().assert_clean();
    }
}
