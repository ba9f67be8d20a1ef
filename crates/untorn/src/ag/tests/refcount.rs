//! Reference counts against an array of counts.

use crate::ag::refcount::{
    decrease, find_full, find_shared, increase, next_staged, stage, unstage,
};
use crate::btree::tests::{Memory, cases, check};
use crate::btree::{Refcounts, Tree};
use proptest::prelude::*;
use std::ops::Range;
use untorn_format::AgBlock;
use untorn_format::btree::BtreeKind;
use untorn_format::records::{RefcountDomain, RefcountRec};

const BLOCKS: usize = 400;
const MOST: u32 = RefcountRec::MAX_REFS;

/// Owners of each block, and whether it is staged.
struct Twin {
    refs: Vec<u32>,
    staged: Vec<bool>,
}

fn runs<T: PartialEq + Copy>(values: &[T]) -> impl Iterator<Item = (Range<usize>, T)> + '_ {
    let mut at = 0;
    std::iter::from_fn(move || {
        let (start, value) = (at, *values.get(at)?);
        at += values[start..].iter().take_while(|other| **other == value).count();
        Some((start..at, value))
    })
}

fn record(domain: RefcountDomain, blocks: Range<usize>, refs: u32) -> RefcountRec {
    let (start, length) = (AgBlock(blocks.start as u32), blocks.len() as u32);
    RefcountRec { domain, start, length, refs }
}

impl Twin {
    fn records(&self) -> Vec<RefcountRec> {
        let shared = runs(&self.refs).filter(|run| run.1 > 1);
        let shared = shared.map(|(run, refs)| record(RefcountDomain::Shared, run, refs));
        let staged = runs(&self.staged).filter(|run| run.1);
        let staged = staged.map(|(run, _)| record(RefcountDomain::Cow, run, 1));
        shared.chain(staged).collect()
    }
    fn find_shared(&self, blocks: Range<usize>) -> Option<Range<usize>> {
        let start = blocks.clone().find(|&block| self.refs[block] > 1)?;
        let end = (start..blocks.end).find(|&block| self.refs[block] < 2);
        Some(start..end.unwrap_or(blocks.end))
    }
    /// The first part of `blocks` all of which has an owner.
    fn owned(&self, blocks: Range<usize>) -> Range<usize> {
        let end = blocks.clone().find(|&block| self.refs[block] == 0);
        blocks.start..end.unwrap_or(blocks.end)
    }
    fn decrease(&mut self, blocks: Range<usize>) -> Vec<Range<AgBlock>> {
        for refs in self.refs[blocks.clone()].iter_mut().filter(|refs| **refs != MOST) {
            *refs -= 1;
        }
        let freed = runs(&self.refs[blocks.clone()]).filter(|run| run.1 == 0);
        freed.map(|(run, _)| ag(blocks.start + run.start..blocks.start + run.end)).collect()
    }
}

fn ag(blocks: Range<usize>) -> Range<AgBlock> {
    AgBlock(blocks.start as u32)..AgBlock(blocks.end as u32)
}

#[derive(Clone, Debug)]
enum Op {
    Increase(Range<usize>),
    Decrease(Range<usize>),
    Find(Range<usize>),
    Full(Range<usize>),
    Stage(Range<usize>),
    Unstage(Range<usize>),
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let range =
        || (0..BLOCKS, 1..60usize).prop_map(|(start, length)| start..(start + length).min(BLOCKS));
    let op = prop_oneof![
        4 => range().prop_map(Op::Increase),
        3 => range().prop_map(Op::Decrease),
        2 => range().prop_map(Op::Find),
        2 => range().prop_map(Op::Full),
        1 => range().prop_map(Op::Stage),
        1 => range().prop_map(Op::Unstage),
    ];
    prop::collection::vec(op, 1..200)
}

/// Counts start at one owner; some blocks have almost as many as can be counted.
fn start() -> (Memory, Twin) {
    let mut memory = Memory::block(BtreeKind::Refcountbt, 256);
    let mut twin = Twin { refs: vec![1; BLOCKS], staged: vec![false; BLOCKS] };
    for (at, below) in [(300..310, 1), (310..330, 0), (330..340, 2), (380..400, 3)] {
        let full = record(RefcountDomain::Shared, at.clone(), MOST - below);
        Tree::new(Refcounts, &mut memory).insert(&full).unwrap();
        twin.refs[at].fill(MOST - below);
    }
    (memory, twin)
}

fn run(ops: &[Op]) {
    let (mut memory, mut twin) = start();
    for op in ops.iter().cloned() {
        let mut tree = Tree::new(Refcounts, &mut memory);
        match op {
            Op::Increase(blocks) => {
                let blocks = twin.owned(blocks);
                increase(&mut tree, ag(blocks.clone())).unwrap();
                twin.refs[blocks].iter_mut().for_each(|refs| *refs = refs.saturating_add(1));
            }
            Op::Decrease(blocks) => {
                let blocks = twin.owned(blocks);
                let freed = decrease(&mut tree, ag(blocks.clone())).unwrap();
                assert_eq!(freed, twin.decrease(blocks));
            }
            Op::Find(blocks) => {
                let found = find_shared(&mut tree, ag(blocks.clone())).unwrap();
                assert_eq!(found, twin.find_shared(blocks).map(ag));
            }
            Op::Full(mut blocks) => {
                let found = find_full(&mut tree, ag(blocks.clone())).unwrap();
                let full = blocks.find(|&block| twin.refs[block] >= MOST - 1);
                assert_eq!(found, full.map(|block| AgBlock(block as u32)));
            }
            Op::Stage(blocks) => {
                let free = !twin.staged[blocks.clone()].contains(&true);
                assert_eq!(stage(&mut tree, ag(blocks.clone())).is_ok(), free);
                twin.staged[blocks].fill(true);
                if !free {
                    return;
                }
            }
            Op::Unstage(blocks) => {
                let staged = !twin.staged[blocks.clone()].contains(&false);
                assert_eq!(unstage(&mut tree, ag(blocks.clone())).is_ok(), staged);
                if !staged {
                    return;
                }
                twin.staged[blocks].fill(false);
            }
        }
        assert_eq!(check(Refcounts, &memory), twin.records());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(48), ..ProptestConfig::default() })]

    #[test]
    fn counts_of_every_block_are_right_and_records_as_long_as_can_be_model(ops in ops()) {
        run(&ops);
    }
}

#[test]
fn staged_blocks_are_found_in_order() {
    let mut memory = Memory::block(BtreeKind::Refcountbt, 256);
    let mut tree = Tree::new(Refcounts, &mut memory);
    increase(&mut tree, ag(0..1000)).unwrap();
    for at in (2000..3000).step_by(10) {
        stage(&mut tree, ag(at..at + 3)).unwrap();
    }
    let (mut found, mut from) = (0, AgBlock(0));
    while let Some(run) = next_staged(&mut tree, from).unwrap() {
        assert_eq!(run, ag(2000 + found * 10..2003 + found * 10));
        (found, from) = (found + 1, run.end);
    }
    assert_eq!(found, 100);
}
