//! Tests of `btree`: round trips, bounds, hostile bytes.

use super::root::Root;
use super::*;
use crate::kind::{self, Identity};
use crate::units::*;
use crate::{Fault, Geometry};
use proptest::prelude::*;

pub(crate) fn geometry(block_log: u8) -> Geometry {
    Geometry {
        block_log,
        sector_log: 9,
        inode_log: 9,
        inodes_per_block_log: block_log - 9,
        ag_block_log: 15,
        dir_block_log: 0,
        ag_blocks: 25600,
        ag_count: 4,
        data_blocks: 102400,
        log_start: FsBlock(65542),
        log_blocks: 16384,
    }
}

fn identity(geometry: &Geometry, ag: u32, block: u32) -> Identity<'_> {
    let addr = geometry.addr(AgNumber(ag), AgBlock(block));
    Identity { geometry, uuid: [9; 16], addr, owner: None, newest: Some(Lsn::new(3, 0)) }
}

/// An empty sealed block at block 50 of AG 1.
fn block(kind: BtreeKind, geometry: &Geometry, edit: impl Fn(&mut Header)) -> Vec<u8> {
    let mut bytes = vec![0xaa; geometry.block_size()];
    let identity = identity(geometry, 1, 50);
    let owner = if kind.is_long() { 131 } else { 1 };
    init(kind, &mut bytes, 0, &identity, owner);
    let mut header = Header::decode(kind, &bytes).unwrap();
    edit(&mut header);
    header.store(kind, &mut bytes);
    kind::seal(kind.block_kind(), &mut bytes, Lsn::new(2, 7));
    bytes
}

/// Records of a leaf and entries of a node, fullest, for blocks of 4096 bytes as xfs_db's
/// `btheight` says them.
#[test]
fn blocks_hold_as_many_entries_as_xfs_db_says() {
    let expected = [
        (BtreeKind::Bnobt, 505, 336),
        (BtreeKind::Cntbt, 505, 336),
        (BtreeKind::Inobt, 252, 505),
        (BtreeKind::Finobt, 252, 505),
        (BtreeKind::Rmapbt, 168, 91),
        (BtreeKind::Refcountbt, 336, 505),
        (BtreeKind::Bmbt, 251, 251),
    ];
    for (kind, leaf, node) in expected {
        assert_eq!((kind.max_records(4096, 0), kind.max_records(4096, 1)), (leaf, node));
        assert_eq!(kind.min_records(4096, 0), leaf / 2);
    }
}

#[test]
fn entries_of_a_full_block_lie_inside_and_apart() {
    for kind in BtreeKind::ALL {
        for size in [1024, 2048, 4096, 65536] {
            let (leaf, node) = (kind.max_records(size, 0), kind.max_records(size, 1));
            assert!(kind.record_offset(leaf) <= size);
            assert!(kind.record_offset(leaf + 1) > size);
            assert_eq!(kind.key_offset(node), kind.pointer_offset(size, 0));
            assert!(kind.pointer_offset(size, node) <= size);
        }
    }
}

#[test]
fn every_kind_is_known_by_its_magic_and_its_block_kind() {
    for kind in BtreeKind::ALL {
        assert_eq!(BtreeKind::from_magic(kind.magic()), Some(kind));
        assert_eq!(BtreeKind::of_block(kind.block_kind()), Some(kind));
    }
    assert_eq!(BtreeKind::from_magic(0), None);
}

#[test]
fn a_fresh_block_verifies_once_sealed() {
    let geometry = geometry(12);
    for kind in BtreeKind::ALL {
        let bytes = block(kind, &geometry, |header| header.links.left = Some(77));
        verify(kind, &bytes, &identity(&geometry, 1, 50)).unwrap();
        let header = Header::decode(kind, &bytes).unwrap();
        assert_eq!((header.level, header.numrecs, header.lsn), (0, 0, Lsn::new(2, 7)));
        assert_eq!(header.links, Links { left: Some(77), right: None });
        assert!(bytes[kind.header_size()..].iter().all(|byte| *byte == 0));
    }
}

#[test]
fn bounds_of_a_block_are_checked() {
    let geometry = geometry(12);
    let field = |kind, edit: &dyn Fn(&mut Header)| {
        let bytes = block(kind, &geometry, edit);
        match verify(kind, &bytes, &identity(&geometry, 1, 50)) {
            Err(Fault::Field { field, .. }) => field,
            other => panic!("{other:?}"),
        }
    };
    for kind in BtreeKind::ALL {
        assert_eq!(field(kind, &|h| h.level = MAX_LEVELS), "bb_level");
        let (leaf, node) = (kind.max_records(4096, 0), kind.max_records(4096, 1));
        assert_eq!(field(kind, &|h| h.numrecs = leaf as u16 + 1), "bb_numrecs");
        assert_eq!(field(kind, &|h| (h.level, h.numrecs) = (1, node as u16 + 1)), "bb_numrecs");
        assert_eq!(field(kind, &|h| h.links.left = Some(25600)), "bb_leftsib");
        assert_eq!(field(kind, &|h| h.links.right = Some(0)), "bb_rightsib");
        // A block that is its own neighbour.
        let own = if kind.is_long() { 1 << 15 | 50 } else { 50 };
        assert_eq!(field(kind, &|h| h.links.right = Some(own)), "bb_rightsib");
    }
    assert_eq!(field(BtreeKind::Bmbt, &|h| h.links.right = Some(4 << 15)), "bb_rightsib");
}

#[test]
fn an_ag_block_in_another_ag_is_found() {
    let geometry = geometry(12);
    let mut bytes = block(BtreeKind::Bnobt, &geometry, |_| ());
    bytes[48..52].copy_from_slice(&2u32.to_be_bytes());
    kind::seal(crate::BlockKind::Bnobt, &mut bytes, Lsn(0));
    let found = verify(BtreeKind::Bnobt, &bytes, &identity(&geometry, 1, 50));
    assert_eq!(found, Err(Fault::Owner { what: "bnobt", found: 2, expected: 1 }));
}

#[test]
fn a_root_in_an_inode_places_pointers_by_the_room() {
    let root = Root {
        level: 2,
        children: vec![(FileBlock(0), FsBlock(10)), (FileBlock(99), FsBlock(20))],
    };
    for room in [336, 192, root::size_for(2)] {
        let mut fork = vec![0x55; room];
        root.encode(&mut fork);
        assert_eq!(Root::decode(&fork), Ok(root.clone()));
        let at = 4 + (room - 4) / 16 * 8;
        assert_eq!(fork[at..at + 8], 10u64.to_be_bytes());
    }
}

#[test]
fn roots_that_cannot_be_are_faults() {
    let root = Root { level: 1, children: vec![(FileBlock(5), FsBlock(10)); 2] };
    let mut fork = vec![0; 100];
    root.encode(&mut fork);
    assert!(matches!(Root::decode(&fork), Err(Fault::Order { index: 0, .. })));
    assert!(Root::decode(&[0; 100]).is_err());
    assert!(Root::decode(&[0, 1, 0, 7]).is_err());
    assert!(Root::decode(&[0]).is_err());
}

proptest! {
    #[test]
    fn roots_survive_the_inode(count in 1..20usize, level in 1..9u16, spare in 0..40usize) {
        let children =
            (0..count as u64).map(|i| (FileBlock(i * 3), FsBlock(i * 7 + 1))).collect();
        let root = Root { level, children };
        let mut fork = vec![0; root::size_for(count) + spare];
        root.encode(&mut fork);
        prop_assert_eq!(Root::decode(&fork), Ok(root));
    }
}
