//! Byte ranges of one file in use by data I/O: overlapping writers take turns, readers share.
//!
//! A writer excludes everyone from its range until its change is published, so a reader sees all
//! of it or nothing. Grants are in order of arrival where ranges overlap, so nobody starves.

use parking_lot::{Condvar, Mutex};
use std::ops::Range;

/// Whether others may use a range at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sharing {
    /// With others that share.
    Shared,
    /// With nobody.
    Exclusive,
}

/// What one holder uses: ranges in order that do not overlap.
#[derive(Debug)]
enum Used {
    One(Range<u64>),
    Several(Vec<Range<u64>>),
}

impl Used {
    fn ranges(&self) -> &[Range<u64>] {
        match self {
            Self::One(range) => std::slice::from_ref(range),
            Self::Several(ranges) => ranges,
        }
    }

    fn overlaps(&self, other: &Self) -> bool {
        let (few, many) = match (self.ranges(), other.ranges()) {
            (a, b) if a.len() <= b.len() => (a, b),
            (a, b) => (b, a),
        };
        few.iter().any(|range| {
            let next = many.partition_point(|other| other.end <= range.start);
            many.get(next).is_some_and(|other| other.start < range.end)
        })
    }
}

#[derive(Debug)]
struct Holder {
    ticket: u64,
    used: Used,
    sharing: Sharing,
}

#[derive(Debug, Default)]
struct State {
    next: u64,
    /// Holders and waiters in order of arrival.
    queue: Vec<Holder>,
}

impl State {
    /// Puts somebody at the end of the queue.
    fn enter(&mut self, used: Used, sharing: Sharing) -> u64 {
        let ticket = self.next;
        self.next += 1;
        self.queue.push(Holder { ticket, used, sharing });
        ticket
    }

    /// Whether nothing that came before `ticket` is in its way.
    fn granted(&self, ticket: u64) -> bool {
        let Some(mine) = self.queue.iter().find(|h| h.ticket == ticket) else { return true };
        self.queue.iter().take_while(|h| h.ticket < ticket).all(|other| {
            let shared = other.sharing == Sharing::Shared && mine.sharing == Sharing::Shared;
            shared || !other.used.overlaps(&mine.used)
        })
    }
}

/// The ranges of one file that are in use.
#[derive(Debug, Default)]
pub(crate) struct RangeLock {
    state: Mutex<State>,
    changed: Condvar,
}

impl RangeLock {
    /// Waits until `range` may be used.
    pub fn lock(&self, range: Range<u64>, sharing: Sharing) -> RangeGuard<'_> {
        self.wait_for(Used::One(range), sharing)
    }

    /// Waits until all of `ranges`, which are in order and do not overlap, may be used at once.
    pub fn lock_all(&self, ranges: Vec<Range<u64>>, sharing: Sharing) -> RangeGuard<'_> {
        let in_order = |pair: &[Range<u64>]| matches!(pair, [a, b] if a.end <= b.start);
        assert!(ranges.windows(2).all(in_order), "ranges are in order");
        self.wait_for(Used::Several(ranges), sharing)
    }

    /// Takes `range` unless somebody is in the way.
    pub fn try_lock(&self, range: Range<u64>, sharing: Sharing) -> Option<RangeGuard<'_>> {
        let mut state = self.state.lock();
        let ticket = state.enter(Used::One(range), sharing);
        if state.granted(ticket) {
            return Some(RangeGuard { lock: self, ticket });
        }
        // Nobody can have begun to wait for it: the state was locked all the time.
        state.queue.pop();
        None
    }

    /// How many wait for a range.
    #[cfg(test)]
    pub fn waiters(&self) -> usize {
        let state = self.state.lock();
        state.queue.iter().filter(|holder| !state.granted(holder.ticket)).count()
    }

    fn wait_for(&self, used: Used, sharing: Sharing) -> RangeGuard<'_> {
        let mut state = self.state.lock();
        let ticket = state.enter(used, sharing);
        while !state.granted(ticket) {
            self.changed.wait(&mut state);
        }
        RangeGuard { lock: self, ticket }
    }
}

/// A range in use; free again when dropped.
#[derive(Debug)]
pub(crate) struct RangeGuard<'l> {
    lock: &'l RangeLock,
    ticket: u64,
}

impl Drop for RangeGuard<'_> {
    fn drop(&mut self) {
        let mut state = self.lock.state.lock();
        state.queue.retain(|h| h.ticket != self.ticket);
        if !state.queue.is_empty() {
            self.lock.changed.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[test]
    fn overlapping_writers_take_turns_and_others_do_not_wait() {
        let lock = RangeLock::default();
        let first = lock.lock(0..10, Sharing::Exclusive);
        let apart = lock.lock(10..20, Sharing::Exclusive);
        let inside = AtomicU32::new(0);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let _second = lock.lock(5..12, Sharing::Exclusive);
                inside.store(1, Ordering::SeqCst);
            });
            std::thread::sleep(std::time::Duration::from_millis(20));
            assert_eq!(inside.load(Ordering::SeqCst), 0, "entered a range in use");
            drop(apart);
            drop(first);
        });
        assert_eq!(inside.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn several_ranges_are_used_at_once_and_leave_the_gaps_alone() {
        let used = |ranges: &[Range<u64>]| Used::Several(ranges.to_vec());
        let several = used(&[10..20, 30..40]);
        for apart in [used(&[]), Used::One(20..30), used(&[0..10, 20..30, 40..50])] {
            assert!(!several.overlaps(&apart) && !apart.overlaps(&several), "{apart:?}");
        }
        for over in [Used::One(0..11), Used::One(15..16), used(&[0..1, 25..31, 50..60])] {
            assert!(several.overlaps(&over) && over.overlaps(&several), "{over:?}");
        }
    }

    #[test]
    fn who_may_not_wait_gets_what_is_free_and_is_in_nobodys_way_otherwise() {
        let lock = RangeLock::default();
        let held = lock.lock(0..10, Sharing::Shared);
        assert!(lock.try_lock(5..15, Sharing::Exclusive).is_none());
        assert!(lock.try_lock(5..15, Sharing::Shared).is_some());
        assert!(lock.try_lock(10..15, Sharing::Exclusive).is_some());
        drop(held);
        assert!(lock.try_lock(0..15, Sharing::Exclusive).is_some());
        assert!(lock.state.lock().queue.is_empty(), "somebody stayed in the queue");
    }

    #[test]
    fn readers_share() {
        let lock = RangeLock::default();
        let _a = lock.lock(0..10, Sharing::Shared);
        let _b = lock.lock(0..10, Sharing::Shared);
    }
}
