//! What waits in an AG, block by block.
//!
//! Pure bookkeeping: no I/O, no locks. A block comes (is taken, is owned) and goes (is disowned, is
//! given) at most once, in this order; what came and went is kept apart, for it never was
//! anybody's.

use super::super::rmap;
use smallvec::SmallVec;
use std::collections::BTreeMap;
use std::ops::Range;
use untorn_format::records::RmapRec;
use untorn_format::{AgBlock, AgExtent};

/// One change that waits.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Change {
    /// Claimed blocks leave free space.
    Take(AgExtent),
    /// Contents of a file that shares none lie there.
    Own(RmapRec),
    /// They lie there no longer.
    Disown(RmapRec),
    /// Blocks without an owner become free.
    Give(AgExtent),
}

impl Change {
    /// The blocks that it is about.
    pub fn blocks(&self) -> Range<u32> {
        match self {
            Self::Take(extent) | Self::Give(extent) => extent.start.0..extent.end().0,
            Self::Own(mapping) | Self::Disown(mapping) => mapping.start.0..mapping.end().0,
        }
    }
}

/// Changes of one operation: blocks that come and blocks that go, and whose they are.
pub(crate) type Changes = SmallVec<[Change; 4]>;

/// A few ranges of blocks, in order.
pub(super) type Parts = SmallVec<[Range<u32>; 2]>;

/// Blocks as runs that neither overlap nor adjoin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Runs(BTreeMap<u32, u32>);

impl Runs {
    pub fn overlaps(&self, range: &Range<u32>) -> bool {
        let before = self.0.range(..range.end).next_back();
        before.is_some_and(|(_, &end)| end > range.start)
    }

    /// Adds blocks none of which are there.
    pub fn insert(&mut self, range: Range<u32>) {
        let (mut start, mut end) = (range.start, range.end);
        if let Some(further) = self.0.remove(&end) {
            end = further;
        }
        if let Some((&before, &until)) = self.0.range(..start).next_back()
            && until == start
        {
            start = before;
        }
        self.0.insert(start, end);
    }

    /// Takes out what is there of `range`: those parts, in order.
    pub fn remove(&mut self, range: &Range<u32>) -> Parts {
        let mut parts = Parts::new();
        while let Some((&start, &end)) = self.0.range(..range.end).next_back()
            && end > range.start
        {
            self.0.remove(&start);
            if start < range.start {
                self.0.insert(start, range.start);
            }
            if range.end < end {
                self.0.insert(range.end, end);
            }
            parts.push(start.max(range.start)..end.min(range.end));
        }
        parts.reverse();
        parts
    }

    /// What is there of `range`, in order.
    pub fn clone_part(&self, range: &Range<u32>) -> Parts {
        let before = self.0.range(..range.start).next_back();
        let reaching = before.into_iter().filter(|(_, end)| **end > range.start);
        let inside = reaching.chain(self.0.range(range.clone()));
        inside.map(|(&start, &end)| start.max(range.start)..end.min(range.end)).collect()
    }

    pub fn iter(&self) -> impl Iterator<Item = Range<u32>> + '_ {
        self.0.iter().map(|(&start, &end)| start..end)
    }
}

/// What is left of `range` without `parts` of it, which are in order.
pub(super) fn rest(range: Range<u32>, parts: &[Range<u32>]) -> Parts {
    let starts = std::iter::once(range.start).chain(parts.iter().map(|part| part.end));
    let ends = parts.iter().map(|part| part.start).chain(std::iter::once(range.end));
    starts.zip(ends).filter(|(from, to)| from < to).map(|(from, to)| from..to).collect()
}

/// The changes of an AG that wait.
#[derive(Clone, Debug, Default)]
pub(crate) struct Later {
    pub(super) takes: Runs,
    pub(super) owns: BTreeMap<u32, RmapRec>,
    pub(super) disowns: Vec<RmapRec>,
    pub(super) gives: Runs,
    /// Taken and given again.
    pub(super) passed: Runs,
    /// How many changes these were.
    pub(super) count: usize,
    /// Journal bytes promised to them.
    pub(super) promise: u64,
}

impl Later {
    /// Blocks that are going to be free.
    pub fn blocks_given(&self) -> u64 {
        self.gives.iter().map(|run| u64::from(run.end - run.start)).sum()
    }

    /// What owners of blocks of `range` wait, each with what of it lies there, in order.
    pub(super) fn owners(&self, range: &Range<u32>) -> SmallVec<[RmapRec; 1]> {
        let before = self.owns.range(..range.start).next_back();
        let inside = self.owns.range(range.clone());
        let reaching = before.into_iter().filter(|(_, record)| record.end().0 > range.start);
        let cut = |(_, record): (&u32, &RmapRec)| {
            let start = record.start.0.max(range.start);
            let length = record.end().0.min(range.end) - start;
            RmapRec { length, ..rmap::part(record, AgBlock(start)) }
        };
        reaching.chain(inside).map(cut).collect()
    }

    pub(super) fn push(&mut self, change: Change) {
        self.count += 1;
        let range = change.blocks();
        match change {
            Change::Take(_) => self.takes.insert(range),
            Change::Own(mapping) => drop(self.owns.insert(range.start, mapping)),
            Change::Disown(mapping) => self.disown(mapping, range),
            Change::Give(_) => {
                let parts = self.takes.remove(&range);
                for run in rest(range, &parts) {
                    self.gives.insert(run);
                }
                parts.into_iter().for_each(|run| self.passed.insert(run));
            }
        }
    }

    fn disown(&mut self, mapping: RmapRec, range: Range<u32>) {
        let parts = self.owners(&range);
        for part in &parts {
            let end = part.end();
            let Some((&start, &whole)) = self.owns.range(..=part.start.0).next_back() else {
                unreachable!("it was just found");
            };
            self.owns.remove(&start);
            if start < part.start.0 {
                let length = part.start.0 - start;
                self.owns.insert(start, RmapRec { length, ..whole });
            }
            if end < whole.end() {
                let length = whole.end().0 - end.0;
                self.owns.insert(end.0, RmapRec { length, ..rmap::part(&whole, end) });
            }
        }
        let parts: Parts = parts.iter().map(|part| part.start.0..part.end().0).collect();
        let others = rest(range, &parts).into_iter().map(|run| RmapRec {
            length: run.end - run.start,
            ..rmap::part(&mapping, AgBlock(run.start))
        });
        self.disowns.extend(others);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;
    use untorn_format::records::{ExtentState, Fork, RmapOwner, RmapRole};
    use untorn_format::{AgNumber, FileBlock, Ino};

    fn extent(start: u32, length: u32) -> AgExtent {
        AgExtent { ag: AgNumber(0), start: AgBlock(start), length }
    }

    fn owner(run: &AgExtent, shift: u64) -> RmapRec {
        RmapRec {
            start: run.start,
            length: run.length,
            owner: RmapOwner::Inode(Ino(7)),
            offset: FileBlock(u64::from(run.start.0) + shift),
            fork: Fork::Data,
            role: RmapRole::Mapped,
            state: ExtentState::Written,
        }
    }

    /// Runs that do not overlap, in any order.
    fn scattered() -> impl Strategy<Value = Vec<AgExtent>> {
        let lengths = prop::collection::vec((0..3_u32, 1..6_u32), 0..30);
        let runs = lengths.prop_map(|lengths| {
            let mut at = 0;
            let place = |(gap, length)| {
                let start = at + gap;
                at = start + length;
                extent(start, length)
            };
            lengths.into_iter().map(place).collect::<Vec<_>>()
        });
        runs.prop_shuffle()
    }

    fn blocks(runs: &Runs) -> BTreeSet<u32> {
        let all: Vec<u32> = runs.iter().flatten().collect();
        assert_eq!(all.len(), all.iter().collect::<BTreeSet<_>>().len());
        all.into_iter().collect()
    }

    fn offsets<'a>(records: impl IntoIterator<Item = &'a RmapRec>) -> BTreeMap<u32, u64> {
        let each = |record: &RmapRec| {
            let (start, offset) = (record.start.0, record.offset.0);
            (0..record.length).map(move |i| (start + i, offset + u64::from(i)))
        };
        records.into_iter().flat_map(each).collect()
    }

    proptest! {
        #[test]
        fn what_came_and_went_is_kept_apart_model(taken in scattered(), given in scattered()) {
            let mut later = Later::default();
            for run in &taken {
                later.push(Change::Take(*run));
                later.push(Change::Own(owner(run, 3)));
            }
            for run in &given {
                later.push(Change::Disown(owner(run, 3)));
                later.push(Change::Give(*run));
            }
            let all = |runs: &[AgExtent]| -> BTreeSet<u32> {
                runs.iter().flat_map(|run| run.start.0..run.end().0).collect()
            };
            let (came, went) = (all(&taken), all(&given));
            prop_assert!(blocks(&later.passed).iter().eq(came.intersection(&went)));
            prop_assert!(blocks(&later.takes).iter().eq(came.difference(&went)));
            prop_assert!(blocks(&later.gives).iter().eq(went.difference(&came)));
            let kept = |gone: &BTreeSet<u32>, runs: &[AgExtent]| {
                let records: Vec<RmapRec> = runs.iter().map(|run| owner(run, 3)).collect();
                let mut offsets = offsets(&records);
                offsets.retain(|block, _| !gone.contains(block));
                offsets
            };
            prop_assert_eq!(offsets(later.owns.values()), kept(&went, &taken));
            prop_assert_eq!(offsets(&later.disowns), kept(&came, &given));
            prop_assert_eq!(later.blocks_given(), went.difference(&came).count() as u64);
        }
    }
}
