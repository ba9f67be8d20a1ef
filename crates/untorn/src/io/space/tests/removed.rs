//! Files removed in many transactions: what a power cut between them leaves on the chain of
//! unlinked inodes is taken up by whoever opens the volume next.

use crate::attr::SetMode;
use crate::tx::MOST_IN_TESTS;
use crate::{NewFile, OpenOptions, Removal, Volume, mkfs};
use std::sync::Arc;
use untorn_device::{BlockDevice, MemoryDevice};
use untorn_format::Ino;
use untorn_format::attr::Namespace;
use untorn_torture::disk::{Cut, Family, SimDisk};
use untorn_torture::kernel::{self, Mounted, Scratch, xfs_repair_n};

const SIZE: u64 = 320 << 20;

/// Attributes of the file: their values lie in many extents, since those of another file lie
/// between them.
const ATTRIBUTES: u32 = 60;

/// A volume with `/file`, whose attributes fill an index of several levels, and what it was asked
/// while that was removed in transactions of two extents.
fn removed_in_steps() -> Arc<SimDisk> {
    let disk = SimDisk::new(with_many_attributes().0.snapshot());
    let volume = Volume::open(disk.clone(), OpenOptions::default()).unwrap();
    MOST_IN_TESTS.set(2);
    volume.remove("/file").unwrap();
    MOST_IN_TESTS.set(u64::MAX);
    volume.close().unwrap();
    disk
}

/// The volume, and the inode of the file.
fn with_many_attributes() -> (Arc<MemoryDevice>, Ino) {
    let medium = Arc::new(MemoryDevice::new(SIZE));
    let options = mkfs::Options {
        contents: mkfs::Contents::Zeroed,
        uuid: Some([5; 16]),
        ..mkfs::Options::default()
    };
    mkfs::make(&*medium, &options).unwrap();
    let volume = Volume::open(medium.clone(), OpenOptions::default()).unwrap();
    let file = volume.create_file("/file", NewFile::default()).unwrap().ino();
    let other = volume.create_file("/other", NewFile::default()).unwrap().ino();
    for number in 0..ATTRIBUTES {
        let name = format!("a name that is long enough to fill leaves: {number:0200}");
        for ino in [file, other] {
            let key = (Namespace::User, name.as_bytes());
            volume.set_attribute(ino, key, &[number as u8; 9000], SetMode::Upsert).unwrap();
        }
    }
    volume.close().unwrap();
    (medium, file)
}

/// Blocks of the index over the attributes of an inode: `xfs_da3_blkinfo` tells them.
fn index_nodes(medium: &MemoryDevice, ino: Ino) -> Vec<u64> {
    const MAGIC: [u8; 2] = 0x3ebe_u16.to_be_bytes();
    let mut block = [0; 4096];
    let mut is_node = |at: &u64| {
        medium.read_at(*at, &mut block).unwrap();
        block[8..10] == MAGIC && block[48..56] == ino.0.to_be_bytes()
    };
    (0..SIZE).step_by(4096).filter(|at| is_node(at)).collect()
}

/// Unlinked inodes that the volume frees when it is opened.
fn opened(cut: &Cut) -> u64 {
    let device: Arc<dyn BlockDevice> = Arc::new(cut.image.snapshot());
    let volume = Volume::open(device.clone(), OpenOptions::default())
        .unwrap_or_else(|error| panic!("{cut}: {error}"));
    let freed = volume.recovery().unlinked;
    volume.close().unwrap();
    let report = untorn_check::check(&*device, &untorn_check::Options::default()).unwrap();
    assert!(report.findings.is_empty(), "{cut}: {:?}", report.findings.first());
    freed
}

#[test]
fn attributes_freed_in_steps_are_freed_whole_after_power_cuts_check() {
    let disk = removed_in_steps();
    let halves: u64 = disk.cuts().families(&Family::ALL).distinct().map(|cut| opened(&cut)).sum();
    assert!(halves > 10, "only {halves} cuts met the middle");
}

/// As Linux leaves a file when it loses power in the middle of freeing its attributes: the root of
/// the index is there, its other blocks are not.
#[test]
fn a_file_whose_index_of_attributes_is_gone_is_freed_when_the_volume_opens_check() {
    let (medium, ino) = with_many_attributes();
    let nodes = index_nodes(&medium, ino);
    assert!(!nodes.is_empty());
    let volume = Volume::open(medium.clone(), OpenOptions::default()).unwrap();
    let orphan = volume.detach("/file", Removal::Any).unwrap();
    volume.sync().unwrap();
    let left = Arc::new(medium.snapshot());
    drop(orphan);
    for at in nodes {
        left.write_at(at, &[0; 4096]).unwrap();
    }
    let volume = Volume::open(left.clone(), OpenOptions::default()).unwrap();
    assert_eq!(volume.recovery().unlinked, 1);
    volume.close().unwrap();
    let report = untorn_check::check(&*left, &untorn_check::Options::default()).unwrap();
    assert!(report.findings.is_empty(), "{:?}", report.findings.first());
}

#[test]
fn linux_frees_attributes_that_a_power_cut_left_half_freed_kernel() {
    if !kernel::demand() {
        return;
    }
    let disk = removed_in_steps();
    let scratch = Scratch::new().unwrap();
    let mut halves = 0;
    for cut in disk.cuts().families(&[Family::Prefix]).distinct() {
        if opened(&cut) == 0 {
            continue;
        }
        halves += 1;
        let image = scratch.image("half.img");
        cut.image.snapshot().store(&image).unwrap();
        Mounted::new(&image).unwrap().unmount().unwrap();
        let verdict = xfs_repair_n(&image).unwrap();
        assert!(verdict.clean, "{cut}: {}", verdict.output);
    }
    assert!(halves > 5, "only {halves} cuts met the middle");
}
