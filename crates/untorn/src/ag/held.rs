//! Blocks that the free-space btrees call free and that may not be picked.
//!
//! Two transient states of a block exist in memory only:
//! - claimed: picked for data that is being written or waits to be mapped;
//! - busy: freed by a transaction that is not durable yet. Should the machine stop now, the block
//!   still belongs to its old owner.
//!
//! Invariant: ranges never overlap; adjacent ranges of one state are one.

use std::collections::{BTreeMap, btree_map};
use std::iter::Peekable;
use std::ops::Range;

/// Why a block may not be picked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hold {
    /// Picked, not taken from the btrees yet.
    Claimed,
    /// Freed, not durably.
    Busy,
}

/// The held blocks of one AG.
#[derive(Debug, Default)]
pub(crate) struct Held {
    /// Start -> (end, state).
    ranges: BTreeMap<u32, (u32, Hold)>,
    claimed: u32,
    busy: u32,
    /// The shortest run that was looked for in vain since blocks last came free.
    lacking: Option<u32>,
}

impl Held {
    /// Blocks claimed.
    pub fn claimed(&self) -> u32 {
        self.claimed
    }

    /// Blocks busy.
    pub fn busy(&self) -> u32 {
        self.busy
    }

    fn total(&mut self, hold: Hold) -> &mut u32 {
        match hold {
            Hold::Claimed => &mut self.claimed,
            Hold::Busy => &mut self.busy,
        }
    }

    /// Holds `range`, no block of which may be held already.
    pub fn insert(&mut self, range: Range<u32>, hold: Hold) {
        let held = self.try_insert(range.clone(), hold);
        assert!(held.is_ok(), "held twice: {range:?}");
    }

    /// Holds `range`; nothing, and the first held range that overlaps it, where one does.
    pub fn try_insert(&mut self, range: Range<u32>, hold: Hold) -> Result<(), Range<u32>> {
        assert!(range.start < range.end, "a held range has blocks");
        if let Some(twice) = self.overlaps(&range) {
            return Err(twice);
        }
        *self.total(hold) += range.end - range.start;
        let mut end = range.end;
        if let Some(&(e, h)) = self.ranges.get(&end)
            && h == hold
        {
            self.ranges.remove(&end);
            end = e;
        }
        match self.ranges.range_mut(..range.start).next_back() {
            Some((_, (e, h))) if *e == range.start && *h == hold => *e = end,
            _ => drop(self.ranges.insert(range.start, (end, hold))),
        }
        Ok(())
    }

    /// Lets go of `range`, all of which is held as `hold`.
    pub fn remove(&mut self, range: Range<u32>, hold: Hold) {
        self.lacking = None;
        let found = self.ranges.range_mut(..=range.start).next_back();
        let Some((&start, last)) = found.filter(|(_, (e, h))| *e >= range.end && *h == hold) else {
            panic!("not held as {hold:?}: {range:?}");
        };
        let end = last.0;
        last.0 = range.start;
        if start == range.start {
            self.ranges.remove(&start);
        }
        if range.end < end {
            self.ranges.insert(range.end, (end, hold));
        }
        *self.total(hold) -= range.end - range.start;
    }

    /// The first held range that overlaps `range`.
    pub fn overlaps(&self, range: &Range<u32>) -> Option<Range<u32>> {
        let before = self.ranges.range(..=range.start).next_back();
        let before = before.filter(|&(_, &(end, _))| end > range.start);
        let hit = before.or_else(|| self.ranges.range(range.start..range.end).next());
        hit.map(|(&start, &(end, _))| start..end)
    }

    /// The parts of `range` that nobody holds, in order.
    pub fn gaps(&self, range: Range<u32>) -> impl Iterator<Item = Range<u32>> + '_ {
        let mut walk = self.walk(range.start);
        let mut left = range;
        std::iter::from_fn(move || walk.next_gap(&mut left))
    }

    /// A way through what is held from block `from` on.
    pub fn walk(&self, from: u32) -> Walk<'_> {
        let before = self.ranges.range(..from).next_back();
        let passed = before.map_or(0, |(_, &(end, _))| end);
        Walk { passed, ahead: self.ranges.range(from..).peekable() }
    }

    /// Whether a run of `length` blocks was looked for in vain since blocks last came free.
    pub fn lacks(&self, length: u32) -> bool {
        self.lacking.is_some_and(|lacking| lacking <= length)
    }

    /// Says that a run of `length` blocks was looked for, and whether one was found.
    pub fn note_search(&mut self, length: u32, found: bool) {
        self.lacking = match (found, self.lacking) {
            (true, lacking) => lacking.filter(|&lacking| lacking > length),
            (false, lacking) => Some(lacking.map_or(length, |lacking| lacking.min(length))),
        };
    }
}

/// A way through what is held, in order: for ranges that rise.
pub(crate) struct Walk<'h> {
    /// Where what was passed ends.
    passed: u32,
    ahead: Peekable<btree_map::Range<'h, u32, (u32, Hold)>>,
}

impl Walk<'_> {
    /// The first part of `range` that nobody holds; `range` becomes what lies behind it.
    pub fn next_gap(&mut self, range: &mut Range<u32>) -> Option<Range<u32>> {
        loop {
            range.start = range.start.max(self.passed).min(range.end);
            if range.start == range.end {
                return None;
            }
            let gap = match self.ahead.peek() {
                Some(&(&start, &(end, _))) if start <= range.start => {
                    self.passed = end;
                    self.ahead.next();
                    continue;
                }
                Some(&(&start, _)) => range.start..start.min(range.end),
                None => range.clone(),
            };
            range.start = gap.end;
            return Some(gap);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_what_nobody_holds() {
        let mut held = Held::default();
        held.insert(10..20, Hold::Claimed);
        held.insert(20..25, Hold::Busy);
        held.insert(30..31, Hold::Busy);
        assert_eq!(held.gaps(0..40).collect::<Vec<_>>(), [0..10, 25..30, 31..40]);
        assert_eq!(held.gaps(12..22).count(), 0);
        assert!(held.gaps(24..26).eq(std::iter::once(25..26)));
        assert_eq!((held.claimed(), held.busy()), (10, 6));
    }

    #[test]
    fn one_walk_finds_the_gaps_of_ranges_that_rise() {
        let mut held = Held::default();
        for range in [5..10, 12..13, 20..30, 40..41] {
            held.insert(range, Hold::Claimed);
        }
        let mut walk = held.walk(6);
        let asked = [
            (6..12, vec![(10, 12)]),
            (12..22, vec![(13, 20)]),
            (25..28, vec![]),
            (29..33, vec![(30, 33)]),
            (35..50, vec![(35, 40), (41, 50)]),
            (60..60, vec![]),
            (70..80, vec![(70, 80)]),
        ];
        for (mut range, gaps) in asked {
            let what = range.clone();
            let found = std::iter::from_fn(|| walk.next_gap(&mut range));
            assert!(found.map(|gap| (gap.start, gap.end)).eq(gaps), "{what:?}");
        }
    }

    #[test]
    fn neighbours_of_one_state_join_and_split_again() {
        let mut held = Held::default();
        held.insert(0..5, Hold::Claimed);
        held.insert(10..15, Hold::Claimed);
        held.insert(5..10, Hold::Claimed);
        assert_eq!(held.ranges.len(), 1);
        held.remove(6..8, Hold::Claimed);
        assert!(held.gaps(0..15).eq(std::iter::once(6..8)));
        assert_eq!(held.claimed(), 13);
    }

    #[test]
    fn what_overlaps_is_told_and_nothing_is_held() {
        let mut held = Held::default();
        held.insert(5..10, Hold::Claimed);
        held.insert(20..25, Hold::Busy);
        for (range, first) in [(0..6, 5..10), (9..21, 5..10), (24..30, 20..25), (10..30, 20..25)] {
            assert_eq!(held.try_insert(range.clone(), Hold::Busy), Err(first), "{range:?}");
        }
        assert_eq!((held.claimed(), held.busy()), (5, 5));
        assert_eq!(held.try_insert(10..20, Hold::Claimed), Ok(()));
        assert!(held.gaps(0..30).eq([0..5, 25..30]));
        assert_eq!((held.claimed(), held.ranges.len()), (15, 2));
    }

    #[test]
    fn what_was_looked_for_in_vain_is_known_until_blocks_come_free() {
        let mut held = Held::default();
        held.insert(0..8, Hold::Claimed);
        held.note_search(32, false);
        held.note_search(16, false);
        assert!(held.lacks(16) && held.lacks(32) && !held.lacks(8));
        held.note_search(8, true);
        assert!(held.lacks(16), "a shorter run says nothing of longer ones");
        held.note_search(16, true);
        assert!(!held.lacks(32));
        held.note_search(16, false);
        held.remove(0..4, Hold::Claimed);
        assert!(!held.lacks(16));
    }

    #[test]
    #[should_panic(expected = "held twice")]
    fn holding_a_block_twice_is_our_mistake() {
        let mut held = Held::default();
        held.insert(0..5, Hold::Claimed);
        held.insert(4..6, Hold::Busy);
    }
}
