//! The tree against a map that holds the same records, for all seven trees.

use super::memory::{Memory, TestError};
use super::samples::Sample;
use super::verifier::check;
use crate::btree::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

type Twin<K> = BTreeMap<<K as TreeKind>::Rank, <K as TreeKind>::Record>;

/// A run of one operation over numbers.
#[derive(Clone, Debug)]
enum Op {
    Insert {
        from: u32,
        step: u32,
        count: u32,
        variant: u32,
    },
    Remove {
        from: u32,
        step: u32,
        count: u32,
    },
    /// Removes records one after the other where the position is.
    Drain {
        from: u32,
        count: u32,
    },
    Replace {
        from: u32,
        step: u32,
        count: u32,
        variant: u32,
    },
    Seek {
        at: u32,
        find: u32,
        moves: Vec<bool>,
    },
    /// Inserts with few blocks left, and takes everything back when they run out.
    Starve {
        from: u32,
        count: u32,
        blocks: u64,
    },
}

const SPAN: u32 = 3000;

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        4 => (0..SPAN, 1..5u32, 1..400u32, any::<u32>())
            .prop_map(|(from, step, count, variant)| Op::Insert { from, step, count, variant }),
        3 => (0..SPAN, 1..5u32, 1..400u32)
            .prop_map(|(from, step, count)| Op::Remove { from, step, count }),
        1 => (0..SPAN, 1..500u32).prop_map(|(from, count)| Op::Drain { from, count }),
        2 => (0..SPAN, 1..5u32, 1..100u32, any::<u32>())
            .prop_map(|(from, step, count, variant)| Op::Replace { from, step, count, variant }),
        2 => (0..SPAN, 0..3u32, prop::collection::vec(any::<bool>(), 0..40))
            .prop_map(|(at, find, moves)| Op::Seek { at, find, moves }),
        1 => (0..SPAN, 1..200u32, 0..6u64)
            .prop_map(|(from, count, blocks)| Op::Starve { from, count, blocks }),
    ];
    prop::collection::vec(op, 1..25)
}

/// An empty tree, or one with record 0 where the root is a fork.
fn start<K: Sample>(size: usize) -> (Memory, Twin<K>) {
    let Some(fork) = K::FORK else { return (Memory::block(K::KIND, size), Twin::<K>::new()) };
    let mut memory = Memory::fork(size, fork);
    let record = K::record(0, 0);
    Tree::new(K::kind(), &mut memory).build(size, Fill::Full, 1, [record]).unwrap();
    (memory, Twin::<K>::from([(K::rank(&record), record)]))
}

fn insert<K: Sample>(memory: &mut Memory, twin: &mut Twin<K>, record: K::Record) -> bool {
    let mut tree = Tree::new(K::kind(), memory);
    let done = tree.insert(&record);
    if done == Err(TestError::Full) {
        return false;
    }
    let fresh = !twin.contains_key(&K::rank(&record));
    assert_eq!(done.is_ok(), fresh, "{done:?}");
    twin.entry(K::rank(&record)).or_insert(record);
    if fresh {
        assert_eq!(tree.current().unwrap(), Some(record));
    }
    true
}

fn remove<K: Sample>(memory: &mut Memory, twin: &mut Twin<K>, at: u32) {
    let rank = K::rank(&K::record(at, 0));
    let mut tree = Tree::new(K::kind(), memory);
    let found = tree.seek(Find::Equal, rank).unwrap();
    assert_eq!(found, twin.remove(&rank));
    if let Some(record) = found {
        assert_eq!(tree.remove().unwrap(), record);
        assert_eq!(tree.next().unwrap(), twin.range(rank..).next().map(|pair| *pair.1));
    }
}

fn replace<K: Sample>(memory: &mut Memory, twin: &mut Twin<K>, record: K::Record) {
    let mut tree = Tree::new(K::kind(), memory);
    if tree.seek(Find::Equal, K::rank(&record)).unwrap().is_some() {
        tree.replace(&record).unwrap();
        assert_eq!(tree.current().unwrap(), Some(record));
        twin.insert(K::rank(&record), record);
    }
}

fn drain<K: Sample>(memory: &mut Memory, twin: &mut Twin<K>, from: u32, count: u32) {
    let rank = K::rank(&K::record(from, 0));
    let mut tree = Tree::new(K::kind(), memory);
    let mut next = tree.seek(Find::AtLeast, rank).unwrap();
    for _ in 0..count {
        let expected = twin.range(rank..).next().map(|pair| *pair.1);
        assert_eq!(next, expected);
        let Some(record) = next else { break };
        assert_eq!(tree.remove().unwrap(), record);
        twin.remove(&K::rank(&record));
        next = tree.next().unwrap();
    }
}

fn seek<K: Sample>(memory: &mut Memory, twin: &Twin<K>, at: u32, find: u32, moves: &[bool]) {
    let rank = K::rank(&K::record(at, 0));
    let mut tree = Tree::new(K::kind(), memory);
    let (find, mut expected) = match find {
        0 => (Find::Equal, twin.get_key_value(&rank)),
        1 => (Find::AtMost, twin.range(..=rank).next_back()),
        _ => (Find::AtLeast, twin.range(rank..).next()),
    };
    assert_eq!(tree.seek(find, rank).unwrap(), expected.map(|pair| *pair.1));
    for forward in moves {
        let here = expected.map(|pair| *pair.0);
        let (found, goal) = match (forward, here) {
            (true, Some(here)) => (tree.next(), twin.range(here..).nth(1)),
            (true, None) => (tree.next(), twin.range(rank..).next()),
            (false, Some(here)) => (tree.prev(), twin.range(..here).next_back()),
            (false, None) => (tree.prev(), twin.range(..rank).next_back()),
        };
        assert_eq!(found.unwrap(), goal.map(|pair| *pair.1));
        expected = goal.or(expected);
    }
}

fn run<K: Sample>(size: usize, ops: &[Op]) {
    let (mut memory, mut twin) = start::<K>(size);
    for op in ops {
        match op.clone() {
            Op::Insert { from, step, count, variant } => {
                for n in 0..count {
                    let record = K::record(from + n * step, variant.wrapping_add(n));
                    insert::<K>(&mut memory, &mut twin, record);
                }
            }
            Op::Remove { from, step, count } => {
                (0..count).for_each(|n| remove::<K>(&mut memory, &mut twin, from + n * step));
            }
            Op::Drain { from, count } => drain::<K>(&mut memory, &mut twin, from, count),
            Op::Replace { from, step, count, variant } => {
                for n in 0..count {
                    let record = K::record(from + n * step, variant.wrapping_add(n));
                    replace::<K>(&mut memory, &mut twin, record);
                }
            }
            Op::Seek { at, find, moves } => seek::<K>(&mut memory, &twin, at, find, &moves),
            Op::Starve { from, count, blocks } => {
                let before = (memory.clone(), twin.clone());
                memory.left = blocks;
                let done =
                    (0..count).all(|n| insert::<K>(&mut memory, &mut twin, K::record(from + n, n)));
                if !done {
                    (memory, twin) = before;
                }
                memory.left = u64::MAX;
            }
        }
        compare::<K>(&mut memory, &twin);
    }
}

fn compare<K: Sample>(memory: &mut Memory, twin: &Twin<K>) {
    let expected: Vec<_> = twin.values().copied().collect();
    assert_eq!(check(K::kind(), memory), expected);
    let count = Tree::new(K::kind(), &mut *memory).count_blocks().unwrap();
    assert_eq!(count, memory.blocks.len() as u64);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(24), ..ProptestConfig::default() })]

    #[test]
    fn free_space_by_block_does_as_its_twin_model(ops in ops()) {
        run::<ByBlock>(256, &ops);
    }
    #[test]
    fn free_space_by_length_does_as_its_twin_model(ops in ops()) {
        run::<ByLength>(256, &ops);
    }
    #[test]
    fn inode_chunks_do_as_their_twin_model(ops in ops()) {
        run::<Chunks>(256, &ops);
    }
    #[test]
    fn free_inode_chunks_do_as_their_twin_model(ops in ops()) {
        run::<FreeChunks>(256, &ops);
    }
    #[test]
    fn reverse_mappings_do_as_their_twin_model(ops in ops()) {
        run::<Rmaps>(256, &ops);
    }
    #[test]
    fn reference_counts_do_as_their_twin_model(ops in ops()) {
        run::<Refcounts>(256, &ops);
    }
    #[test]
    fn file_extents_do_as_their_twin_model(ops in ops()) {
        run::<Extents>(256, &ops);
    }
    #[test]
    fn overlap_queries_find_what_a_scan_finds_model(
        spans in prop::collection::vec((0..4000u32, any::<u32>()), 0..600),
        queries in prop::collection::vec((0..9000u32, 0..200u32), 1..40),
    ) {
        let (mut memory, mut twin) = start::<Rmaps>(256);
        for (at, variant) in spans {
            insert::<Rmaps>(&mut memory, &mut twin, Rmaps::record(at, variant));
        }
        for (start, length) in queries {
            overlap(&mut memory, &twin, start, start + length);
        }
    }
}

/// Asks for the mappings of blocks `first..=last`.
fn overlap(memory: &mut Memory, twin: &Twin<Rmaps>, first: u32, last: u32) {
    use untorn_format::{AgBlock, records::RmapKey};
    let low = RmapKey { start: AgBlock(first), owner: 0, offset: 0 };
    let high = RmapKey { start: AgBlock(last), owner: u64::MAX, offset: u64::MAX };
    let mut found = Vec::new();
    let mut tree = Tree::new(Rmaps, memory);
    let ended = tree.overlapping(low, high, |record| {
        found.push(record);
        std::ops::ControlFlow::<()>::Continue(())
    });
    assert_eq!(ended, Ok(None));
    let meets = |record: &&_| low <= Rmaps::high(record) && Rmaps::rank(record) <= high;
    let expected: Vec<_> = twin.values().filter(meets).copied().collect();
    assert_eq!(found, expected);
}

impl Rmaps {
    fn high(record: &<Self as TreeKind>::Record) -> <Self as TreeKind>::Rank {
        record.high_key()
    }
}

/// `UNTORN_CASES` multiplies how much is tried.
pub(crate) fn cases(base: u32) -> u32 {
    let factor = std::env::var("UNTORN_CASES").ok().and_then(|word| word.parse().ok());
    base * factor.unwrap_or(1)
}

/// Ten thousand times `UNTORN_CASES` random single operations on blocks of 1 KiB.
fn storm<K: Sample>(seed: u64) {
    let (mut memory, mut twin) = start::<K>(1024);
    let mut state = seed;
    let mut random = |below: u32| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 33) % u64::from(below)) as u32
    };
    for turn in 0..cases(100_000) {
        // Tides: the tree grows for a while, then shrinks, so that levels come and go.
        let rising = turn / 20_000 % 2 == 0;
        let at = random(30_000);
        match random(8) {
            0..5 if rising => {
                insert::<K>(&mut memory, &mut twin, K::record(at, random(1 << 20)));
            }
            0..5 => drain::<K>(&mut memory, &mut twin, at, 2),
            5..7 if rising => remove::<K>(&mut memory, &mut twin, at),
            _ => replace::<K>(&mut memory, &mut twin, K::record(at, random(1 << 20))),
        }
        if turn % 10_000 == 0 {
            compare::<K>(&mut memory, &twin);
        }
    }
    compare::<K>(&mut memory, &twin);
    drain::<K>(&mut memory, &mut twin, 0, u32::MAX);
    compare::<K>(&mut memory, &twin);
}

#[test]
fn a_storm_of_free_extents_leaves_a_right_tree_model() {
    storm::<ByBlock>(1);
    storm::<ByLength>(2);
}

#[test]
fn a_storm_of_inode_chunks_leaves_a_right_tree_model() {
    storm::<Chunks>(3);
}

#[test]
fn a_storm_of_reverse_mappings_leaves_a_right_tree_model() {
    storm::<Rmaps>(4);
}

#[test]
fn a_storm_of_reference_counts_leaves_a_right_tree_model() {
    storm::<Refcounts>(5);
}

#[test]
fn a_storm_of_file_extents_leaves_a_right_tree_model() {
    storm::<Extents>(6);
}
