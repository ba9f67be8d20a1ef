//! Held blocks against an array of states.

use crate::ag::{Held, Hold};
use crate::btree::tests::cases;
use proptest::prelude::*;
use std::ops::Range;

const BLOCKS: u32 = 200;

#[derive(Clone, Debug)]
enum Op {
    Insert(Range<u32>, Hold),
    Remove(Range<u32>),
    Gaps(Range<u32>),
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let range = || (0..BLOCKS, 1..30u32).prop_map(|(at, length)| at..(at + length).min(BLOCKS));
    let hold = prop_oneof![Just(Hold::Claimed), Just(Hold::Busy)];
    let op = prop_oneof![
        3 => (range(), hold).prop_map(|(range, hold)| Op::Insert(range, hold)),
        3 => range().prop_map(Op::Remove),
        2 => range().prop_map(Op::Gaps),
    ];
    prop::collection::vec(op, 1..150)
}

/// Runs of blocks of `range` in the state `wanted`.
fn runs(twin: &[Option<Hold>], range: Range<u32>, wanted: Option<Hold>) -> Vec<Range<u32>> {
    let mut runs: Vec<Range<u32>> = Vec::new();
    for at in range.filter(|&at| twin[at as usize] == wanted) {
        match runs.last_mut().filter(|run| run.end == at) {
            Some(run) => run.end += 1,
            None => runs.push(at..at + 1),
        }
    }
    runs
}

fn fill(twin: &mut [Option<Hold>], range: Range<u32>, hold: Option<Hold>) {
    twin[range.start as usize..range.end as usize].fill(hold);
}

fn run(ops: &[Op]) {
    let (mut held, mut twin) = (Held::default(), vec![None; BLOCKS as usize]);
    for op in ops.iter().cloned() {
        match op {
            Op::Insert(range, hold) => {
                for free in runs(&twin, range, None) {
                    held.insert(free.clone(), hold);
                    fill(&mut twin, free, Some(hold));
                }
            }
            Op::Remove(range) => {
                for hold in [Hold::Claimed, Hold::Busy] {
                    for run in runs(&twin, range.clone(), Some(hold)) {
                        held.remove(run.clone(), hold);
                        fill(&mut twin, run, None);
                    }
                }
            }
            Op::Gaps(range) => {
                let free = runs(&twin, range.clone(), None);
                assert!(held.gaps(range.clone()).eq(free.iter().cloned()), "{op:?}", op = range);
                let first = range.clone().find(|&at| twin[at as usize].is_some());
                let found = held.overlaps(&range).map(|found| found.start.max(range.start));
                assert_eq!(found, first);
            }
        }
        let count = |hold| twin.iter().filter(|state| **state == Some(hold)).count() as u32;
        assert_eq!((held.claimed(), held.busy()), (count(Hold::Claimed), count(Hold::Busy)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(150), ..ProptestConfig::default() })]

    #[test]
    fn held_blocks_agree_with_an_array_model(ops in ops()) {
        run(&ops);
    }
}
