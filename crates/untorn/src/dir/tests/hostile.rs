//! Indexes whose blocks are each in order but do not fit together: readers end, with a fault.

use crate::da::tests::made::{MadeFork, OWNER};
use crate::dir::{Cookie, Directory};
use crate::inode::core_of;
use crate::tx::Tx;
use crate::{NewFile, OpenOptions, Volume, mkfs};
use proptest::prelude::*;
use std::ops::ControlFlow;
use std::sync::Arc;
use untorn_device::MemoryDevice;
use untorn_format::BlockKind::{DaNode, DirLeafN};
use untorn_format::{Fault, Ino, da};

/// Da block of the root: 32 GiB in blocks of 4 KiB.
const ROOT: u32 = 8 << 20;
const NAME: &[u8] = b"name";

fn look_up(fork: &mut MadeFork) -> Result<bool, Fault> {
    let mut directory = Directory { ino: Ino(OWNER), size: 8192, inline: None, blocks: fork };
    directory.lookup(NAME).map(|found| found.is_some())
}

fn field(fault: Result<bool, Fault>) -> &'static str {
    match fault {
        Err(Fault::Field { field, .. }) => field,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_node_below_itself_is_a_fault() {
    let mut fork = MadeFork::new();
    for level in 1..=5 {
        fork.index(ROOT, DaNode, (0, 0), level, &[(u32::MAX, ROOT)]);
        assert!(look_up(&mut fork).is_err(), "level {level}");
    }
}

#[test]
fn levels_that_do_not_fall_by_one_are_a_fault() {
    let mut fork = MadeFork::new();
    fork.index(ROOT, DaNode, (0, 0), 3, &[(u32::MAX, ROOT + 1)]);
    fork.index(ROOT + 1, DaNode, (0, 0), 1, &[(u32::MAX, ROOT + 2)]);
    fork.index(ROOT + 2, DirLeafN, (0, 0), 0, &[]);
    assert_eq!(field(look_up(&mut fork)), "level");
    fork.index(ROOT, DaNode, (0, 0), 2, &[(u32::MAX, ROOT + 1)]);
    assert_eq!(look_up(&mut fork), Ok(false));
    fork.index(ROOT + 1, DirLeafN, (0, 0), 0, &[]);
    assert_eq!(field(look_up(&mut fork)), "level");
}

#[test]
fn leaves_in_a_ring_are_a_fault() {
    let hash = da::hash_name(NAME);
    let mut fork = MadeFork::new();
    let ring = [ROOT + 1, ROOT + 2, ROOT + 3];
    fork.index(ROOT, DaNode, (0, 0), 1, &[(u32::MAX, ring[0])]);
    for index in 0..3 {
        let links = (ring[(index + 2) % 3], ring[(index + 1) % 3]);
        fork.index(ring[index], DirLeafN, links, 0, &[(hash, 0)]);
        // One stale entry.
        let leaf = fork.blocks.get_mut(&da::DaBlock(ring[index])).unwrap();
        leaf[58..60].copy_from_slice(&1u16.to_be_bytes());
        untorn_format::kind::seal(DirLeafN, leaf, untorn_format::Lsn(0));
    }
    assert_eq!(field(look_up(&mut fork)), "forw");
}

#[test]
fn a_leaf_that_does_not_name_the_one_before_it_is_a_fault() {
    let mut fork = MadeFork::new();
    fork.index(ROOT, DaNode, (0, 0), 1, &[(u32::MAX, ROOT + 1)]);
    fork.index(ROOT + 1, DirLeafN, (0, ROOT + 2), 0, &[]);
    fork.index(ROOT + 2, DirLeafN, (ROOT + 7, 0), 0, &[]);
    assert_eq!(field(look_up(&mut fork)), "back");
}

#[test]
fn an_entry_in_a_hole_is_a_fault() {
    let mut fork = MadeFork::new();
    fork.index(ROOT, DirLeafN, (0, 0), 0, &[(da::hash_name(NAME), 512 + 8)]);
    assert_eq!(field(look_up(&mut fork)), "hole");
    fork.index(ROOT, DirLeafN, (0, 0), 0, &[(da::hash_name(b"other"), 512 + 8)]);
    assert_eq!(look_up(&mut fork), Ok(false));
}

#[test]
fn a_directory_without_blocks_lists_nothing_and_its_missing_index_is_a_fault() {
    let mut fork = MadeFork::new();
    assert!(look_up(&mut fork).is_err());
    let mut directory = Directory { ino: Ino(OWNER), size: 8192, inline: None, blocks: fork };
    let list = directory.list(Cookie(u64::MAX), |_| ControlFlow::Break(()));
    assert_eq!(list, Ok(()));
    let list = directory.list(Cookie::START, |entry| panic!("{entry:?}"));
    assert_eq!(list, Ok(()));
}

proptest! {
    #[test]
    fn readers_of_random_indexes_end(
        nodes in proptest::collection::vec(
            (0u32..8, any::<bool>(), 0u32..8, 0u32..8, 1u16..4),
            1..8,
        ),
        pairs in proptest::collection::vec((0u32..4, 0u32..8), 1..20),
    ) {
        let mut fork = MadeFork::new();
        let hash = da::hash_name(NAME);
        for (at, is_leaf, back, forw, level) in nodes {
            let pair = |&(step, to): &(u32, u32)| (hash - 2 + step, ROOT + to);
            let mut pairs: Vec<_> = pairs.iter().map(pair).collect();
            pairs.sort_unstable();
            let (kind, level) = if is_leaf { (DirLeafN, 0) } else { (DaNode, level) };
            fork.index(ROOT + at, kind, (ROOT + back, ROOT + forw), level, &pairs);
        }
        let _ = look_up(&mut fork);
    }
}

/// A volume with `/directory` of many blocks, which says that it is `size` bytes long.
fn volume_with_a_directory_that_claims(size: u64) -> (Arc<MemoryDevice>, Volume) {
    let device = Arc::new(MemoryDevice::new(48 << 20));
    let options = mkfs::Options { block_size: 1024, ..mkfs::Options::default() };
    mkfs::make(&*device, &options).unwrap();
    let volume = Volume::open(Arc::clone(&device) as _, OpenOptions::default()).unwrap();
    let directory = volume.create_dir("/directory", NewFile::default()).unwrap();
    let file = volume.create_file("/file", NewFile::default()).unwrap().ino();
    (0..NAMES).for_each(|number| volume.link(file, &path_of(number)).unwrap());
    let inode = volume.core().inode_by_number(directory).unwrap();
    let lie = |tx: &mut Tx<'_>| {
        let mut core = core_of(directory, tx.inode_bytes(directory))?;
        core.size = size;
        core.encode(tx.inode_mut(directory));
        Ok(())
    };
    volume.core().transact(1 << 16, std::slice::from_ref(&inode), lie).unwrap();
    (device, volume)
}

const NAMES: u32 = 400;

fn path_of(number: u32) -> String {
    format!("/directory/{number:0>40}")
}

#[test]
fn a_size_of_billions_of_blocks_costs_nothing_when_blocks_are_given_back_check() {
    let (device, volume) = volume_with_a_directory_that_claims(32 << 30);
    // A step for every block that the size claims would be hours.
    (1..NAMES).rev().for_each(|number| volume.remove(path_of(number)).unwrap());
    assert!(volume.metadata("/directory").unwrap().inode.size <= 1024);
    volume.close().unwrap();
    let report = untorn_check::check(&*device, &untorn_check::Options::default()).unwrap();
    assert!(report.is_clean(), "{report:?}");
}
