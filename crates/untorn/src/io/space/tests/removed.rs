//! Files removed in many transactions: what a power cut between them leaves on the chain of
//! unlinked inodes is taken up by whoever opens the volume next.

use crate::ag::disown;
use crate::attr::SetMode;
use crate::map;
use crate::tx::MOST_IN_TESTS;
use crate::{Error, NewFile, OpenOptions, Removal, SizeRule, Sync, Volume, mkfs};
use std::sync::Arc;
use untorn_device::{BlockDevice, MemoryDevice};
use untorn_format::attr::Namespace;
use untorn_format::records::{Extent, ExtentState, Fork, RmapOwner, RmapRec, RmapRole};
use untorn_format::{FileBlock, Ino};
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
    with_many_attributes_on(mkfs::Options::default())
}

fn with_many_attributes_on(options: mkfs::Options) -> (Arc<MemoryDevice>, Ino) {
    let medium = Arc::new(MemoryDevice::new(SIZE));
    let contents = mkfs::Contents::Zeroed;
    let options = mkfs::Options { contents, uuid: Some([5; 16]), ..options };
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

/// The block of a file's attributes where their index begins counts as that of another file.
#[test]
fn an_index_of_attributes_that_is_another_files_block_is_not_written_over() {
    let (medium, ino) = with_many_attributes();
    let volume = Volume::open(medium.clone(), OpenOptions::default()).unwrap();
    let other = volume.create_file("/data", NewFile::default()).unwrap();
    other.write_atomic(0, &[7; 4096], Sync::Durable).unwrap();
    let core = volume.core();
    let (inode, data) = (core.inodes.load(core, ino).unwrap(), other.inode().clone());
    let inodes = [inode, data];
    let (place, _) = core
        .transact(65536, &inodes, |tx| {
            let theirs = map::next_extent(tx, inodes[1].ino, Fork::Data, FileBlock(0))?.unwrap();
            let run = core.ag_extent(theirs.start, 1)?;
            map::unmap(tx, ino, Fork::Attr, FileBlock(0)..FileBlock(1))?;
            map::map(tx, ino, Fork::Attr, Extent { length: 1, ..theirs })?;
            // The reverse mappings know nothing of it.
            let (owner, offset) = (RmapOwner::Inode(ino), FileBlock(0));
            let (fork, role, state) = (Fork::Attr, RmapRole::Mapped, ExtentState::Written);
            let start = run.start;
            disown(tx, run.ag, RmapRec { start, length: 1, owner, offset, fork, role, state })?;
            Ok(core.geometry.addr(run.ag, run.start).0 << 9)
        })
        .unwrap();
    volume.sync().unwrap();
    MOST_IN_TESTS.set(2);
    let removed = volume.remove("/file");
    MOST_IN_TESTS.set(u64::MAX);
    assert!(matches!(removed, Err(Error::Corrupt(_))), "{removed:?}");
    drop(volume.close());
    let mut bytes = [0; 4096];
    medium.read_at(place, &mut bytes).unwrap();
    assert!(bytes == [7; 4096], "the other file has {:x?}", &bytes[..16]);
}

#[test]
fn an_index_of_attributes_that_is_mapped_twice_is_not_written_once_free() {
    for (fork, file) in [(Fork::Attr, FileBlock(1 << 20)), (Fork::Data, FileBlock(0))] {
        written_once_free(fork, file);
    }
}

/// Removes a file that has the root of its attributes at `file` of `fork`, too; no reverse mapping
/// tells.
fn written_once_free(fork: Fork, file: FileBlock) {
    let mut options = mkfs::Options::default();
    (options.features.rmapbt, options.features.reflink) = (false, false);
    let (medium, ino) = with_many_attributes_on(options);
    let volume = Volume::open(medium.clone(), OpenOptions::default()).unwrap();
    let core = volume.core();
    let inode = core.inodes.load(core, ino).unwrap();
    core.transact(65536, &[inode], |tx| {
        let root = map::next_extent(tx, ino, Fork::Attr, FileBlock(0))?.unwrap();
        map::map(tx, ino, fork, Extent { file, length: 1, ..root })
    })
    .unwrap();
    // A map that has room for more, and nothing free.
    let other = volume.create_file("/data", NewFile::default()).unwrap();
    for block in 0..100 {
        other.write_atomic(2 * block * 4096, &[7; 4096], Sync::Visible).unwrap();
    }
    volume.sync().unwrap();
    let filler = volume.create_file("/filler", NewFile::default()).unwrap();
    let free = volume.space().unwrap().available;
    filler.allocate(0..free * 4096, SizeRule::Grow).unwrap();
    MOST_IN_TESTS.set(2);
    let removed = volume.remove("/file");
    MOST_IN_TESTS.set(u64::MAX);
    assert!(matches!(removed, Err(Error::Corrupt(_))), "{removed:?}");
    // Where the block is free by now, this gets it.
    let mut end = 200 * 4096;
    while other.write_atomic(end, &[7; 4096], Sync::Durable).is_ok() {
        end += 4096;
    }
    core.store.bring_home().unwrap();
    let inode = other.inode().clone();
    let mut runs = Vec::new();
    let find = |tx: &mut crate::tx::Tx<'_>| {
        let mut at = FileBlock(0);
        while let Some(run) = map::next_extent(tx, inode.ino, Fork::Data, at)? {
            runs.push((core.geometry.addr_of(run.start).unwrap().0 << 9, run.length));
            at = run.file_end();
        }
        Ok(())
    };
    core.transact(4096, std::slice::from_ref(&inode), find).unwrap();
    for (at, blocks) in runs {
        let mut bytes = vec![0; blocks as usize * 4096];
        medium.read_at(at, &mut bytes).unwrap();
        let wrong = bytes.iter().position(|byte| *byte != 7);
        assert_eq!(wrong.map(|wrong| at + wrong as u64), None, "written over: {fork:?}");
    }
    volume.abandon();
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
