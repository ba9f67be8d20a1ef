//! Reverse mappings against a set of owned blocks.

use crate::ag::rmap::{Overlaps, map, unmap, unmap_any};
use crate::btree::tests::{Memory, TestError, cases, check};
use crate::btree::{Rmaps, Tree};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use untorn_format::btree::BtreeKind;
use untorn_format::records::{ExtentState, Fork, RmapOwner, RmapRec, RmapRole};
use untorn_format::{AgBlock, FileBlock, Ino};

/// One block of one owner: owner and flagged offset as in a key, and whether it is written.
type Owned = (u32, u64, u64, bool);

/// Every owned block on its own.
#[derive(Clone, Default)]
struct Twin {
    owned: BTreeMap<(u32, u64, u64), (RmapRec, bool)>,
}

fn blocks(mapping: &RmapRec) -> impl Iterator<Item = RmapRec> {
    let mapping = *mapping;
    (0..mapping.length).map(move |n| {
        let moves = mapping.owner.is_inode() && mapping.role == RmapRole::Mapped;
        let offset = FileBlock(mapping.offset.0 + if moves { u64::from(n) } else { 0 });
        RmapRec { start: AgBlock(mapping.start.0 + n), length: 1, offset, ..mapping }
    })
}

fn key(block: &RmapRec) -> (u32, u64, u64) {
    let key = block.low_key();
    (key.start.0, key.owner, key.offset)
}

fn may_share(block: &RmapRec) -> bool {
    block.owner.is_inode() && block.role == RmapRole::Mapped && block.fork == Fork::Data
}

impl Twin {
    /// Whether a volume may hold `mapping` beside what there is.
    fn allows(&self, mapping: &RmapRec) -> bool {
        blocks(mapping).all(|block| {
            let start = block.start.0;
            let mut others = self.owned.range((start, 0, 0)..=(start, u64::MAX, u64::MAX));
            others.all(|(other, (record, _))| {
                *other != key(&block) && may_share(&block) && may_share(record)
            })
        })
    }
    /// Whether blocks have several owners once `mapping` is there too.
    fn overlaps_with(&self, mapping: &RmapRec) -> Overlaps {
        let new = blocks(mapping).map(|block| key(&block));
        let keys: BTreeSet<_> = self.owned.keys().copied().chain(new).collect();
        let starts: BTreeSet<u32> = keys.iter().map(|key| key.0).collect();
        if starts.len() < keys.len() { Overlaps::Some } else { Overlaps::None }
    }
    fn map(&mut self, mapping: &RmapRec) {
        let written = mapping.state == ExtentState::Written;
        self.owned.extend(blocks(mapping).map(|block| (key(&block), (block, written))));
    }
    fn unmap(&mut self, mapping: &RmapRec) {
        blocks(mapping).for_each(|block| assert!(self.owned.remove(&key(&block)).is_some()));
    }
    /// The records that there must be: runs as long as can be.
    fn records(&self) -> Vec<RmapRec> {
        let mut left: BTreeSet<Owned> =
            self.owned.iter().map(|(key, value)| (key.0, key.1, key.2, value.1)).collect();
        let mut records = Vec::new();
        while let Some(first) = left.pop_first() {
            let mut record = self.owned[&(first.0, first.1, first.2)].0;
            let step = u64::from(record.owner.is_inode() && record.role == RmapRole::Mapped);
            let mut next = first;
            loop {
                next = (next.0 + 1, next.1, next.2 + step, next.3);
                if !left.remove(&next) {
                    break;
                }
                record.length += 1;
            }
            records.push(record);
        }
        records
    }
}

#[derive(Clone, Debug)]
enum Op {
    Map(RmapRec),
    /// Unmaps a part of what there is.
    Unmap {
        which: prop::sample::Index,
        from: prop::sample::Index,
        length: u32,
    },
    /// Gives a part of what there is the other state.
    Convert {
        which: prop::sample::Index,
        from: prop::sample::Index,
        length: u32,
    },
}

fn mappings() -> impl Strategy<Value = RmapRec> {
    let sort = prop_oneof![
        6 => (0..4u64, 0..200u64, any::<bool>()).prop_map(|(ino, offset, written)| {
            let state = if written { ExtentState::Written } else { ExtentState::Unwritten };
            (Ino(64 + ino), Fork::Data, RmapRole::Mapped, FileBlock(offset), state)
        }),
        1 => (0..2u64, 0..50u64).prop_map(|(ino, offset)| {
            let state = ExtentState::Written;
            (Ino(64 + ino), Fork::Attr, RmapRole::Mapped, FileBlock(offset), state)
        }),
        1 => (0..2u64, any::<bool>()).prop_map(|(ino, attr)| {
            let fork = if attr { Fork::Attr } else { Fork::Data };
            (Ino(64 + ino), fork, RmapRole::BmbtBlock, FileBlock(0), ExtentState::Written)
        }),
    ];
    let file = (0..300u32, 1..24u32, sort).prop_map(|(start, length, sort)| RmapRec {
        start: AgBlock(start),
        length,
        owner: RmapOwner::Inode(sort.0),
        fork: sort.1,
        role: sort.2,
        offset: sort.3,
        state: sort.4,
    });
    let special = (0..300u32, 1..6u32, any::<bool>()).prop_map(|(start, length, ag)| {
        let owner = if ag { RmapOwner::Ag } else { RmapOwner::Inodes };
        RmapRec::special(AgBlock(start), length, owner)
    });
    // The same offset for the same block is what shared files mostly have.
    let aligned = file.clone().prop_map(|mapping| match mapping.role {
        RmapRole::Mapped => {
            RmapRec { offset: FileBlock(u64::from(mapping.start.0) + 7), ..mapping }
        }
        RmapRole::BmbtBlock => mapping,
    });
    prop_oneof![3 => aligned, 2 => file, 1 => special]
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let part = || (any::<prop::sample::Index>(), any::<prop::sample::Index>(), 1..30u32);
    let op = prop_oneof![
        4 => mappings().prop_map(Op::Map),
        2 => part().prop_map(|(which, from, length)| Op::Unmap { which, from, length }),
        1 => part().prop_map(|(which, from, length)| Op::Convert { which, from, length }),
    ];
    prop::collection::vec(op, 1..250)
}

/// A part of one of the records that there are.
fn part(twin: &Twin, op: &Op) -> Option<RmapRec> {
    let (Op::Unmap { which, from, length } | Op::Convert { which, from, length }) = op else {
        return None;
    };
    let records = twin.records();
    if records.is_empty() {
        return None;
    }
    let record = which.get(&records);
    let skip = from.index(record.length as usize) as u32;
    let first = blocks(record).nth(skip as usize)?;
    Some(RmapRec { length: (*length).min(record.length - skip), ..first })
}

fn flipped(mapping: RmapRec) -> RmapRec {
    let state = match mapping.state {
        ExtentState::Written => ExtentState::Unwritten,
        ExtentState::Unwritten => ExtentState::Written,
    };
    RmapRec { state, ..mapping }
}

/// Whether blocks may have several owners.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sharing {
    Yes,
    No,
}

fn run(ops: &[Op], sharing: Sharing) {
    let (mut memory, mut twin) = (Memory::block(BtreeKind::Rmapbt, 256), Twin::default());
    for op in ops {
        let mut tree = Tree::new(Rmaps, &mut memory);
        match (op, part(&twin, op)) {
            (Op::Map(mapping), _)
                if twin.allows(mapping)
                    && (sharing == Sharing::Yes
                        || twin.overlaps_with(mapping) == Overlaps::None) =>
            {
                map(&mut tree, *mapping, twin.overlaps_with(mapping)).unwrap();
                twin.map(mapping);
            }
            (Op::Unmap { .. }, Some(part)) => {
                unmap(&mut tree, part).unwrap();
                twin.unmap(&part);
                assert!(unmap(&mut tree, part).is_err());
            }
            (Op::Convert { .. }, Some(part)) if may_share(&part) => {
                assert!(unmap(&mut tree, flipped(part)).is_err());
                unmap(&mut tree, part).unwrap();
                map(&mut tree, flipped(part), twin.overlaps_with(&part)).unwrap();
                twin.unmap(&part);
                twin.map(&flipped(part));
            }
            _ => continue,
        }
        assert_eq!(check(Rmaps, &memory), twin.records());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(32), ..ProptestConfig::default() })]

    #[test]
    fn mapped_and_unmapped_blocks_are_recorded_as_runs_as_long_as_can_be_model(ops in ops()) {
        run(&ops, Sharing::Yes);
    }

    #[test]
    fn blocks_of_one_owner_each_are_recorded_by_the_plain_search_model(ops in ops()) {
        run(&ops, Sharing::No);
    }
}

fn special(start: u32, length: u32) -> RmapRec {
    RmapRec::special(AgBlock(start), length, RmapOwner::Ag)
}

#[test]
fn blocks_can_be_taken_from_an_owner_nobody_knows() {
    let mut memory = Memory::block(BtreeKind::Rmapbt, 256);
    let mut tree = Tree::new(Rmaps, &mut memory);
    map(&mut tree, special(10, 20), Overlaps::None).unwrap();
    assert_eq!(unmap_any(&mut tree, AgBlock(14)..AgBlock(16)), Ok(true));
    assert_eq!(unmap_any(&mut tree, AgBlock(14)..AgBlock(16)), Ok(false));
    let beyond = unmap_any(&mut tree, AgBlock(12)..AgBlock(15));
    assert!(matches!(beyond, Err(TestError::Corrupt(..))), "{beyond:?}");
    assert_eq!(check(Rmaps, &memory), [special(10, 4), special(16, 14)]);
}

#[test]
fn blocks_that_their_owner_has_already_are_a_fault() {
    let mut memory = Memory::block(BtreeKind::Rmapbt, 256);
    let mut tree = Tree::new(Rmaps, &mut memory);
    map(&mut tree, special(10, 20), Overlaps::None).unwrap();
    assert!(map(&mut tree, special(15, 2), Overlaps::None).is_err());
    assert!(map(&mut tree, special(10, 1), Overlaps::None).is_err());
    assert!(unmap(&mut tree, special(25, 6)).is_err());
}
