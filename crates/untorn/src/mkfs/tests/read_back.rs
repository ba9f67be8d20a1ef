//! What was made, read back through the format layer.

use super::*;
use crate::mkfs::{FeatureSet, Groups, Log, RootHints};
use std::time::{Duration, UNIX_EPOCH};
use untorn_device::BlockDevice;
use untorn_format::ag::{Agf, Agi};
use untorn_format::btree::BtreeKind;
use untorn_format::inode::{InodeCore, InodeFlags, InodeFlags2, InodeIdentity};
use untorn_format::kind::{self, BlockKind};
use untorn_format::log::{RecordHeader, RecordSum, check_record};
use untorn_format::{AgBlock, AgNumber, DiskAddr, Ino, Superblock};

fn read(device: &MemoryDevice, addr: DiskAddr, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    device.read_at(addr.0 * 512, &mut bytes).unwrap();
    bytes
}

fn shapes() -> Vec<(u64, Options)> {
    let base = Options::default();
    let mut shapes = vec![];
    for block_size in [1024, 2048, 4096, 8192, 16384, 32768, 65536] {
        for features in [FeatureSet::ALL, FeatureSet::NONE] {
            shapes.push((1024, Options { block_size, features, ..base.clone() }));
        }
    }
    let log = Log::default();
    shapes.extend([
        (16, base.clone()),
        (64, base.clone()),
        (300, Options { sector_size: Some(4096), ..base.clone() }),
        (300, Options { inode_size: 2048, ..base.clone() }),
        (300, Options { log: Log { group: Some(0), ..log }, ..base.clone() }),
        (999, Options { groups: Groups::Size(100 << 20), ..base.clone() }),
        (999, Options { log: Log { stripe_unit: Some(262144), ..log }, ..base }),
    ]);
    shapes
}

#[test]
fn every_block_verifies_as_what_it_is() {
    for (mib, options) in shapes() {
        let (device, made) = made(mib, options);
        let superblock = &made.superblock;
        let geometry = superblock.geometry();
        let verify = |kind: BlockKind, addr, length| {
            let identity = superblock.identity(addr, None);
            kind::verify(kind, &read(&device, addr, length), &identity).unwrap();
        };
        let sector = geometry.sector_size();
        for ag in (0..geometry.ag_count).map(AgNumber) {
            let headers = [BlockKind::Superblock, BlockKind::Agf, BlockKind::Agi, BlockKind::Agfl];
            for (index, kind) in (0..).zip(headers) {
                verify(kind, geometry.header_addr(ag, index), sector);
            }
            let addr = |index| geometry.header_addr(ag, index);
            let identity = |index| superblock.identity(addr(index), None);
            let agf = Agf::decode(&read(&device, addr(1), sector), &identity(1)).unwrap();
            let agi = Agi::decode(&read(&device, addr(2), sector), &identity(2)).unwrap();
            let trees = [
                (Some(agf.bnobt), BtreeKind::Bnobt),
                (Some(agf.cntbt), BtreeKind::Cntbt),
                (agf.rmapbt, BtreeKind::Rmapbt),
                (agf.refcountbt, BtreeKind::Refcountbt),
                (Some(agi.inobt), BtreeKind::Inobt),
                (agi.finobt, BtreeKind::Finobt),
            ];
            for (tree, kind) in trees.into_iter().filter_map(|(tree, kind)| Some((tree?, kind))) {
                verify(kind.block_kind(), geometry.addr(ag, tree.block), geometry.block_size());
            }
        }
    }
}

#[test]
fn the_counters_of_the_superblock_are_the_sums_of_the_groups() {
    for (mib, options) in shapes() {
        let (device, made) = made(mib, options);
        let superblock = &made.superblock;
        let geometry = superblock.geometry();
        let mut sums = (0, 0, 0);
        for ag in (0..geometry.ag_count).map(AgNumber) {
            let header = |index| {
                let addr = geometry.header_addr(ag, index);
                (read(&device, addr, geometry.sector_size()), superblock.identity(addr, None))
            };
            let (bytes, identity) = header(1);
            let agf = Agf::decode(&bytes, &identity).unwrap();
            let (bytes, identity) = header(2);
            let agi = Agi::decode(&bytes, &identity).unwrap();
            sums.0 += u64::from(agf.free_blocks + agf.free_list.count + agf.btree_blocks);
            sums.1 += u64::from(agi.count);
            sums.2 += u64::from(agi.free_count);
        }
        let counters = superblock.counters;
        assert_eq!(sums, (counters.free_blocks, counters.inodes, counters.free_inodes));
    }
}

#[test]
fn the_superblock_is_the_one_that_was_promised_and_its_copies_are_unfinished() {
    for (mib, options) in shapes() {
        let (device, made) = made(mib, options);
        let geometry = made.superblock.geometry();
        for ag in (0..geometry.ag_count).map(AgNumber) {
            let bytes = read(&device, geometry.addr(ag, AgBlock(0)), geometry.sector_size());
            let copy = Superblock { in_progress: ag.0 != 0, ..made.superblock.clone() };
            assert_eq!(Superblock::decode(&bytes).unwrap(), copy);
        }
    }
}

#[test]
fn the_log_holds_one_unmount_record_and_zeroes() {
    for (mib, options) in shapes() {
        let (device, made) = made(mib, options);
        let geometry = made.superblock.geometry();
        let start = geometry.addr_of(geometry.log_start).unwrap();
        let log = read(&device, start, geometry.log_blocks as usize * geometry.block_size());
        let header = RecordHeader::decode(&log).unwrap();
        let record = header.blocks() as usize * 512;
        assert_eq!(check_record(&header, &log[..record]).unwrap(), RecordSum::Good);
        assert_eq!((header.cycle, header.operations), (1, 1));
        assert!(log[record..].iter().all(|&byte| byte == 0));
    }
}

fn inode(device: &MemoryDevice, superblock: &Superblock, ino: Ino) -> InodeCore {
    let geometry = superblock.geometry();
    let (ag, in_ag) = geometry.split_ino(ino).unwrap();
    let (block, index) = geometry.inode_block(in_ag);
    let bytes = read(device, geometry.addr(ag, block), geometry.block_size());
    let size = geometry.inode_size();
    let bytes = &bytes[index as usize * size..][..size];
    let (features, uuid) = (superblock.features, superblock.meta_uuid);
    InodeCore::decode(bytes, &InodeIdentity { geometry, features, uuid, ino, newest: None })
        .unwrap()
}

#[test]
fn the_root_directory_hands_down_what_it_was_told() {
    let root = RootHints {
        extent_size: 65536,
        cow_extent_size: 131072,
        project: Some(70000),
        ..RootHints::default()
    };
    let time = Some(UNIX_EPOCH + Duration::new(5_000_000_000, 7));
    let (device, made) = made(64, Options { root, time, ..Options::default() });
    let core = inode(&device, &made.superblock, made.superblock.root_ino);
    assert_eq!((core.extent_size, core.cow_extent_size, core.project), (16, 32, 70000));
    assert!(core.flags.has(InodeFlags::EXTSZINHERIT) && core.flags.has(InodeFlags::PROJINHERIT));
    assert!(core.flags2.has(InodeFlags2::COWEXTSIZE));
    assert_eq!((core.mtime.seconds, core.mtime.nanos), (5_000_000_000, 7));
    assert_eq!((core.mode, core.nlink, core.size), (0o040755, 2, 6));
}

#[test]
fn all_inodes_of_the_first_chunk_verify() {
    for (mib, options) in shapes() {
        let (device, made) = made(mib, options);
        let superblock = &made.superblock;
        let inodes = superblock.counters.inodes;
        let used = (0..inodes).filter(|&index| {
            let core = inode(&device, superblock, Ino(superblock.root_ino.0 + index));
            core.kind().is_some()
        });
        assert_eq!(used.collect::<Vec<_>>(), [0, 1, 2]);
    }
}

#[test]
fn a_new_sparse_device_gets_little_written() {
    let (device, _) = made(1024, Options::default());
    assert!(device.allocated_bytes() < 400_000, "{} bytes", device.allocated_bytes());
}
