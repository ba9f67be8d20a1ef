//! The CoW fork, its claims and its reservations against an array of states.

use super::Bench;
use crate::btree::tests::cases;
use crate::core::Core;
use crate::inode::{CowPiece, CowSpan, CowState, WriteId};
use proptest::prelude::*;
use std::ops::Range;
use std::sync::Arc;
use untorn_format::{FileBlock, FsBlock};

const BLOCKS: u64 = 64;
/// The only write in progress.
const WRITE: WriteId = WriteId(7);

/// What a block of the CoW fork is, and the block of the volume behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cell {
    Hole,
    Delalloc,
    Waiting(FsBlock),
    Idle(FsBlock),
    /// Whether cached bytes wait for it.
    InFlight(FsBlock, bool),
}

#[derive(Clone, Debug)]
enum Op {
    Idle(Range<u64>),
    Reserve(Range<u64>),
    Wait(Range<u64>),
    Begin(Range<u64>),
    End(Range<u64>),
    Remove(Range<u64>),
    DropIdle,
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let range = || (0..BLOCKS, 1..16u64).prop_map(|(at, length)| at..(at + length).min(BLOCKS));
    let op = prop_oneof![
        4 => range().prop_map(Op::Idle),
        3 => range().prop_map(Op::Reserve),
        3 => range().prop_map(Op::Wait),
        3 => range().prop_map(Op::Begin),
        2 => range().prop_map(Op::End),
        1 => range().prop_map(Op::Remove),
        1 => Just(Op::DropIdle),
    ];
    prop::collection::vec(op, 1..80)
}

/// Runs of `range` whose blocks are as `wanted` says.
fn runs(twin: &[Cell], range: &Range<u64>, wanted: impl Fn(Cell) -> bool) -> Vec<Range<u64>> {
    let mut runs: Vec<Range<u64>> = Vec::new();
    for at in range.clone().filter(|&at| wanted(twin[at as usize])) {
        match runs.last_mut().filter(|run| run.end == at) {
            Some(run) => run.end += 1,
            None => runs.push(at..at + 1),
        }
    }
    runs
}

fn each(twin: &mut [Cell], range: &Range<u64>, change: impl Fn(Cell) -> Cell) {
    let inside = &mut twin[range.start as usize..range.end as usize];
    inside.iter_mut().for_each(|cell| *cell = change(*cell));
}

fn is_hole(cell: Cell) -> bool {
    cell == Cell::Hole
}

fn apply(bench: &Bench, twin: &mut [Cell], op: &Op) {
    let core = bench.core();
    let cow = || bench.inode().cow.lock();
    match op {
        Op::Idle(range) => {
            for hole in runs(twin, range, is_hole) {
                let mut at = hole.start;
                for claim in core.claim(None, hole.end - hole.start).unwrap() {
                    let length = u64::from(claim.extent().length);
                    for skip in 0..length {
                        twin[(at + skip) as usize] = Cell::Idle(claim.block(skip));
                    }
                    let piece = CowPiece { length, state: CowState::Idle(claim) };
                    cow().insert(FileBlock(at), piece);
                    at += length;
                }
            }
        }
        Op::Reserve(range) => {
            for hole in runs(twin, range, is_hole) {
                let reserve = core.reserve(hole.end - hole.start + 2).unwrap();
                cow().reserve(hole.clone(), reserve, |_| 2);
                each(twin, &hole, |_| Cell::Delalloc);
            }
        }
        Op::Wait(range) => {
            if !runs(twin, range, |cell| matches!(cell, Cell::InFlight(..))).is_empty() {
                return;
            }
            let mut spare = core.reserve(3).unwrap();
            let bare = cow().wait_in(range.clone(), &mut spare, |_| 2);
            assert_eq!(bare, runs(twin, range, is_hole), "{op:?}");
            each(twin, range, |cell| match cell {
                Cell::Idle(block) => Cell::Waiting(block),
                other => other,
            });
        }
        Op::Begin(range) => {
            let ready = |cell| matches!(cell, Cell::Idle(_) | Cell::Waiting(_));
            for run in runs(twin, range, ready) {
                cow().begin_write(run.clone(), WRITE);
                assert!(cow().is_in_flight(run.clone(), WRITE));
                each(twin, &run, |cell| match cell {
                    Cell::Idle(block) => Cell::InFlight(block, false),
                    Cell::Waiting(block) => Cell::InFlight(block, true),
                    other => other,
                });
            }
        }
        Op::End(range) => {
            for run in runs(twin, range, |cell| matches!(cell, Cell::InFlight(..))) {
                cow().end_write(run.clone());
                each(twin, &run, |cell| match cell {
                    Cell::InFlight(block, true) => Cell::Waiting(block),
                    _ => Cell::Hole,
                });
            }
        }
        Op::Remove(range) => {
            let removed = cow().remove(range.clone());
            let length: u64 = removed.iter().map(|(_, piece)| piece.length).sum();
            let expected = runs(twin, range, |cell| !is_hole(cell));
            assert_eq!(length, expected.iter().map(|run| run.end - run.start).sum::<u64>());
            each(twin, range, |_| Cell::Hole);
        }
        Op::DropIdle => {
            cow().drop_idle();
            each(twin, &(0..BLOCKS), |cell| match cell {
                Cell::Idle(_) => Cell::Hole,
                other => other,
            });
        }
    }
}

/// The fork says of every block what the twin says; volume and fork count alike.
fn compare(bench: &Bench, twin: &[Cell], op: &Op) {
    let cow = bench.inode().cow.lock();
    for (at, &cell) in (0..).zip(twin) {
        let found = match cow.at(FileBlock(at), BLOCKS) {
            CowSpan::Hole { .. } => Cell::Hole,
            CowSpan::Delalloc { .. } => Cell::Delalloc,
            CowSpan::Waiting { start, .. } => Cell::Waiting(start),
            CowSpan::Idle { start, .. } => Cell::Idle(start),
            CowSpan::InFlight { start, write, .. } => {
                assert_eq!(write, WRITE);
                let waits = matches!(cell, Cell::InFlight(_, true));
                Cell::InFlight(start, waits)
            }
        };
        assert_eq!(found, cell, "block {at} after {op:?}");
    }
    let count = |wanted: fn(Cell) -> bool| twin.iter().filter(|&&cell| wanted(cell)).count() as u64;
    let has_block = count(|cell| !matches!(cell, Cell::Hole | Cell::Delalloc));
    assert_eq!(claimed(bench.core()), has_block, "claims after {op:?}");
    let reserved = count(|cell| cell == Cell::Delalloc);
    let promised = bench.core().promised.blocks();
    assert!(promised >= reserved, "{promised} promised, {reserved} reserved after {op:?}");
    let grows = count(|cell| matches!(cell, Cell::Waiting(_) | Cell::InFlight(_, true)));
    assert!(reserved + grows > 0 || promised == 0, "a promise is left after {op:?}");
}

fn claimed(core: &Arc<Core>) -> u64 {
    core.ags.iter().map(|ag| u64::from(ag.held.lock().claimed())).sum()
}

#[test]
fn the_cow_fork_and_what_it_holds_agree_with_an_array_model() {
    let config =
        ProptestConfig { cases: cases(60), failure_persistence: None, ..ProptestConfig::default() };
    let bench = Bench::new();
    proptest!(config, |(ops in ops())| {
        drop(bench.inode().cow.lock().remove(0..u64::MAX));
        let mut twin = vec![Cell::Hole; BLOCKS as usize];
        for op in &ops {
            apply(&bench, &mut twin, op);
            compare(&bench, &twin, op);
        }
    });
    drop(bench.inode().cow.lock().remove(0..u64::MAX));
    bench.judge("the CoW fork");
}
