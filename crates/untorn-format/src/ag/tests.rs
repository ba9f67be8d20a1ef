//! Tests of `ag`: round trips, bounds, hostile bytes.

use super::*;
use crate::btree::BtreeKind;
use crate::kind::{self, BlockKind};
use crate::{Geometry, wire};
use proptest::prelude::*;
use std::collections::VecDeque;
use zerocopy::IntoBytes;

const UUID: [u8; 16] = [3; 16];

/// A field and what spoils it.
type Edit<T> = (&'static str, fn(&mut T));

fn geometry() -> Geometry {
    Geometry {
        block_log: 12,
        sector_log: 9,
        inode_log: 9,
        inodes_per_block_log: 3,
        ag_block_log: 15,
        dir_block_log: 0,
        ag_blocks: 25600,
        ag_count: 4,
        // The last AG is short.
        data_blocks: 3 * 25600 + 1000,
        log_start: FsBlock(65542),
        log_blocks: 16384,
    }
}

fn identity(geometry: &Geometry, ag: u32, sector: u32) -> Identity<'_> {
    let addr = geometry.header_addr(AgNumber(ag), sector);
    Identity { geometry, uuid: UUID, addr, owner: None, newest: None }
}

fn tree(block: u32) -> TreeRoot {
    TreeRoot { block: AgBlock(block), levels: 1 }
}

fn agf() -> Agf {
    Agf {
        ag: AgNumber(3),
        length: 1000,
        bnobt: tree(1),
        cntbt: tree(2),
        rmapbt: Some(tree(5)),
        refcountbt: None,
        free_list: AgflRing::fresh(6, 119),
        free_blocks: 900,
        longest: 890,
        btree_blocks: 0,
        rmap_blocks: 1,
        refcount_blocks: 0,
        lsn: Lsn(0),
    }
}

fn agi() -> Agi {
    Agi {
        ag: AgNumber(3),
        length: 1000,
        count: 128,
        free_count: 61,
        inobt: tree(3),
        finobt: Some(tree(4)),
        inobt_blocks: 1,
        finobt_blocks: 1,
        newest_chunk: Some(AgIno(128)),
        unlinked: std::array::from_fn(|bucket| (bucket == 7).then_some(AgIno(135))),
        lsn: Lsn(0),
    }
}

fn sector(header: &[u8], kind: BlockKind) -> Vec<u8> {
    let mut bytes = vec![0; 512];
    bytes[..header.len()].copy_from_slice(header);
    kind::seal(kind, &mut bytes, Lsn(0));
    bytes
}

fn agf_sector(edit: impl Fn(&mut AgfDisk)) -> Vec<u8> {
    let mut raw = agf().to_disk(UUID);
    edit(&mut raw);
    sector(raw.as_bytes(), BlockKind::Agf)
}

fn agi_sector(edit: impl Fn(&mut AgiDisk)) -> Vec<u8> {
    let mut raw = agi().to_disk(UUID);
    edit(&mut raw);
    sector(raw.as_bytes(), BlockKind::Agi)
}

#[test]
fn headers_survive_the_disk() {
    let geometry = geometry();
    let found = Agf::decode(&agf_sector(|_| ()), &identity(&geometry, 3, 1));
    assert_eq!(found, Ok(agf()));
    let found = Agi::decode(&agi_sector(|_| ()), &identity(&geometry, 3, 2));
    assert_eq!(found, Ok(agi()));
    assert_eq!(Agi::bucket_of(AgIno(135)), 7);
}

#[test]
fn bounds_of_an_agf_are_checked() {
    let geometry = geometry();
    let edits: [Edit<AgfDisk>; 13] = [
        ("agf_versionnum", |raw| raw.version.set(2)),
        ("agf_length", |raw| raw.length.set(25600)),
        ("agf_bno_root", |raw| raw.bno_root.set(0)),
        ("agf_cnt_root", |raw| raw.cnt_root.set(1000)),
        ("agf_bno_level", |raw| raw.bno_level.set(0)),
        ("agf_cnt_level", |raw| raw.cnt_level.set(17)),
        ("agf_rmap_root", |raw| raw.rmap_root.set(u32::MAX)),
        ("agf_flfirst", |raw| raw.flfirst.set(119)),
        ("agf_fllast", |raw| raw.fllast.set(119)),
        ("agf_flcount", |raw| raw.flcount.set(7)),
        ("agf_freeblks", |raw| raw.freeblks.set(1001)),
        ("agf_longest", |raw| raw.longest.set(901)),
        ("agf_refcount_blocks", |raw| raw.refcount_blocks.set(1001)),
    ];
    for (expected, edit) in edits {
        let found = Agf::decode(&agf_sector(edit), &identity(&geometry, 3, 1));
        let Err(Fault::Field { field, .. }) = found else { panic!("{expected}: {found:?}") };
        assert_eq!(field, expected);
    }
}

#[test]
fn bounds_of_an_agi_are_checked() {
    let geometry = geometry();
    let edits: [Edit<AgiDisk>; 7] = [
        ("agi_versionnum", |raw| raw.version.set(0)),
        ("agi_length", |raw| raw.length.set(999)),
        ("agi_count", |raw| raw.count.set(8001)),
        ("agi_freecount", |raw| raw.freecount.set(129)),
        ("agi_root", |raw| raw.root.set(0)),
        ("agi_free_level", |raw| raw.free_level.set(0)),
        ("agi_unlinked", |raw| raw.unlinked[63].set(8000)),
    ];
    for (expected, edit) in edits {
        let found = Agi::decode(&agi_sector(edit), &identity(&geometry, 3, 2));
        let Err(Fault::Field { field, .. }) = found else { panic!("{expected}: {found:?}") };
        assert_eq!(field, expected);
    }
}

#[test]
fn a_header_of_another_ag_is_found() {
    let geometry = geometry();
    let found = Agf::decode(&agf_sector(|_| ()), &identity(&geometry, 2, 1));
    assert_eq!(found, Err(Fault::Owner { what: "AGF", found: 3, expected: 2 }));
}

#[test]
fn a_fresh_free_list_verifies_and_reads_back() {
    let geometry = geometry();
    let blocks: Vec<_> = (10..16).map(AgBlock).collect();
    let mut bytes = vec![0; 512];
    init_agfl(&mut bytes, AgNumber(3), UUID, &blocks);
    kind::seal(BlockKind::Agfl, &mut bytes, Lsn(5));
    verify_agfl(&bytes, &identity(&geometry, 3, 3)).unwrap();
    assert_eq!(agf().free_list.blocks(&bytes, 1000), Ok(blocks));
    assert_eq!(wire::be32(&bytes, agfl_slot_offset(6)), Some(NULL_AG_BLOCK));
}

#[test]
fn a_free_list_with_a_block_outside_its_ag_is_found() {
    let geometry = geometry();
    for block in [0, 1000, u32::MAX - 1] {
        let mut bytes = vec![0; 512];
        init_agfl(&mut bytes, AgNumber(3), UUID, &[AgBlock(block)]);
        kind::seal(BlockKind::Agfl, &mut bytes, Lsn(5));
        let found = verify_agfl(&bytes, &identity(&geometry, 3, 3));
        let value = u64::from(block);
        assert_eq!(found, Err(Fault::Field { what: "AGFL", field: "agfl_bno", value }));
    }
}

#[test]
fn an_empty_ring_may_end_anywhere() {
    let mut raw = agf().to_disk(UUID);
    for (first, last) in [(0, 118), (0, 0), (5, 4)] {
        raw.flfirst.set(first);
        raw.fllast.set(last);
        raw.flcount.set(0);
        assert_eq!(AgflRing::from_agf(&raw, 119).unwrap().in_use().count(), 0);
    }
}

#[test]
fn sealed_offsets_are_those_of_the_fields() {
    let at = |kind: BlockKind| kind.seal_at().unwrap();
    assert_eq!(at(BlockKind::Agf).lsn, Some(std::mem::offset_of!(AgfDisk, lsn)));
    assert_eq!(at(BlockKind::Agi).lsn, Some(std::mem::offset_of!(AgiDisk, lsn)));
    assert_eq!(at(BlockKind::Agfl).lsn, Some(std::mem::offset_of!(AgflDisk, lsn)));
    assert!(BtreeKind::ALL.into_iter().all(|kind| kind.block_kind().seal_at().is_some()));
}

proptest! {
    #[test]
    fn a_ring_holds_what_a_queue_holds_model(
        start in 0..7u32,
        steps in proptest::collection::vec(any::<bool>(), 0..60),
    ) {
        let mut ring = AgflRing { first: start, last: (start + 6) % 7, count: 0, slots: 7 };
        let (mut slots, mut queue, mut next) = ([0; 7], VecDeque::new(), 1);
        for push in steps {
            if push {
                let slot = ring.push();
                prop_assert_eq!(slot.is_none(), queue.len() == 7);
                if let Some(slot) = slot {
                    slots[slot as usize] = next;
                    queue.push_back(next);
                    next += 1;
                }
            } else {
                let popped = ring.pop().map(|slot| slots[slot as usize]);
                prop_assert_eq!(popped, queue.pop_front());
            }
            let held: Vec<_> = ring.in_use().map(|slot| slots[slot as usize]).collect();
            prop_assert_eq!(held, Vec::from(queue.clone()));
            let mut raw = agf().to_disk(UUID);
            ring.store(&mut raw);
            prop_assert_eq!(AgflRing::from_agf(&raw, 7), Ok(ring));
        }
    }
}
