//! What trees look like: how full, how they are built, how they give up levels.

use super::memory::{Memory, RootBytes};
use super::samples::Sample;
use super::verifier::check;
use crate::btree::*;
use untorn_format::AgBlock;
use untorn_format::btree::{BtreeKind, Header, root};
use untorn_format::records::AllocRec;

fn filled<K: Sample>(size: usize, fill: Fill, count: u32) -> Memory {
    let mut memory = match K::FORK {
        Some(fork) => Memory::fork(size, fork),
        None => Memory::block(K::KIND, size),
    };
    memory.blocks.clear();
    let records = (0..count).map(|at| K::record(at, at));
    Tree::new(K::kind(), &mut memory).build(size, fill, count.into(), records).unwrap();
    memory
}

/// Entries of the blocks of a level, and how many there could be.
fn fullness(memory: &Memory, level: u16) -> (usize, usize) {
    let headers = memory.blocks.values().map(|bytes| Header::decode(memory.kind, bytes).unwrap());
    let counts = headers.filter(|header| header.level == level).map(|header| header.numrecs);
    let (blocks, entries) =
        counts.fold((0, 0), |sum, count| (sum.0 + 1, sum.1 + usize::from(count)));
    (entries, blocks * memory.kind.max_records(memory.size, level))
}

fn builds<K: Sample>() {
    for fill in [Fill::Full, Fill::Loose] {
        for count in (1..200).chain([251, 1000, 4321, 40_000]) {
            let memory = filled::<K>(256, fill, count);
            let expected: Vec<_> = (0..count).map(|at| K::record(at, at)).collect();
            assert_eq!(check(K::kind(), &memory), expected);
        }
    }
}

#[test]
fn a_built_tree_holds_its_records_and_every_invariant() {
    builds::<ByBlock>();
    builds::<Chunks>();
    builds::<Rmaps>();
    builds::<Refcounts>();
    builds::<Extents>();
}

#[test]
fn an_empty_tree_is_built_as_an_empty_leaf() {
    let memory = filled::<ByBlock>(512, Fill::Full, 0);
    assert_eq!(check(ByBlock, &memory), []);
    assert_eq!(memory.blocks.len(), 1);
}

#[test]
fn a_built_tree_is_as_full_as_was_asked_for() {
    let (entries, room) = fullness(&filled::<ByBlock>(1024, Fill::Full, 50_000), 0);
    assert!(entries * 100 >= room * 99, "{entries} of {room}");
    let (entries, room) = fullness(&filled::<ByBlock>(1024, Fill::Loose, 50_000), 0);
    assert!((70..76).contains(&(entries * 100 / room)), "{entries} of {room}");
}

/// Percent of a level that is used after records arrived in order.
fn appended<K: Sample>(count: u32) -> usize {
    let mut memory = filled::<K>(1024, Fill::Full, 1);
    let mut tree = Tree::new(K::kind(), &mut memory);
    (1..count).for_each(|at| tree.insert(&K::record(at, 0)).unwrap());
    check(K::kind(), &memory);
    let (entries, room) = fullness(&memory, 0);
    entries * 100 / room
}

#[test]
fn records_that_arrive_in_order_leave_full_leaves() {
    assert!(appended::<ByBlock>(20_000) >= 98);
    assert!(appended::<Extents>(20_000) >= 98);
    assert!(appended::<Rmaps>(20_000) >= 98);
}

#[test]
fn records_that_arrive_in_no_order_leave_leaves_three_quarters_full() {
    let mut memory = filled::<ByBlock>(1024, Fill::Full, 1);
    let mut tree = Tree::new(ByBlock, &mut memory);
    // 7919 is prime: all numbers below 20011 come, in no order.
    (1..20_011u32).for_each(|n| tree.insert(&ByBlock::record(n * 7919 % 20_011, 0)).unwrap());
    let (entries, room) = fullness(&memory, 0);
    assert!(entries * 100 / room >= 75, "{entries} of {room}");
}

#[test]
fn a_record_may_move_up_to_its_neighbours_and_not_past_them() {
    let mut memory = filled::<ByBlock>(256, Fill::Full, 1000);
    for at in 1..999u32 {
        let mut tree = Tree::new(ByBlock, &mut memory);
        let found = tree.seek(Find::Equal, AgBlock(at * 64)).unwrap().unwrap();
        // The one before moved up by 60, so that this one can be at most 4 lower.
        let lower = AllocRec { start: AgBlock(at * 64 - 3), ..found };
        tree.replace(&lower).unwrap();
        tree.replace(&AllocRec { start: AgBlock(at * 64 + 60), ..found }).unwrap();
        let past = AllocRec { start: AgBlock(at * 64 + 64), ..found };
        assert!(tree.replace(&past).is_err(), "{at}");
    }
    let starts: Vec<_> = check(ByBlock, &memory).iter().map(|record| record.start.0).collect();
    let moved = (1..999).map(|at| at * 64 + 60);
    assert_eq!(starts, [0].into_iter().chain(moved).chain([999 * 64]).collect::<Vec<_>>());
}

#[test]
fn a_fork_takes_levels_and_gives_them_back() {
    let mut memory = filled::<Extents>(256, Fill::Full, 1);
    let mut tallest = 0;
    for at in 1..5000 {
        Tree::new(Extents, &mut memory).insert(&Extents::record(at, at)).unwrap();
        tallest = tallest.max(memory.levels());
    }
    assert!(tallest >= 4, "{tallest} levels");
    let mut tree = Tree::new(Extents, &mut memory);
    tree.first().unwrap();
    for _ in 0..4990 {
        tree.remove().unwrap();
        tree.next().unwrap();
    }
    let RootBytes::Fork(bytes) = &memory.root else { panic!() };
    let (level, leaves) = root::shape(bytes).unwrap();
    assert!(level == 1 && leaves <= 2, "{leaves} leaves below level {level}");
    assert_eq!(check(Extents, &memory).len(), 10);
}

#[test]
fn a_lone_leaf_below_a_fork_dissolves_into_its_records() {
    let mut memory = filled::<Extents>(256, Fill::Full, 9);
    let before = check(Extents, &memory);
    let mut tree = Tree::new(Extents, &mut memory);
    assert_eq!(tree.dissolve(8).unwrap(), None);
    assert_eq!(tree.dissolve(9).unwrap(), Some(before));
    assert!(memory.blocks.is_empty());
    let mut larger = filled::<Extents>(256, Fill::Full, 30);
    assert_eq!(Tree::new(Extents, &mut larger).dissolve(100).unwrap(), None);
}

#[test]
fn a_walk_from_a_rank_shows_all_records_from_there_on() {
    let mut memory = filled::<ByLength>(256, Fill::Loose, 3000);
    let all = check(ByLength, &memory);
    let from = ByLength::rank(&all[1234]);
    let mut tree = Tree::new(ByLength, &mut memory);
    let seen: Vec<_> = tree.records_from(from).map(Result::unwrap).collect();
    assert_eq!(seen, all[1234..]);
}

#[test]
fn a_level_more_is_reserved_only_when_half_full_nodes_need_it() {
    // Leaves of 121 records, nodes of 80: at least 60 and 40.
    assert_eq!(levels_for(BtreeKind::Bnobt, 1024, 1), 1);
    assert_eq!(levels_for(BtreeKind::Bnobt, 1024, 60), 1);
    assert_eq!(levels_for(BtreeKind::Bnobt, 1024, 61), 2);
    assert_eq!(levels_for(BtreeKind::Bnobt, 1024, 60 * 40 + 1), 3);
    assert_eq!(blocks_for(BtreeKind::Bnobt, 1024, 60 * 40), 41);
}
