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

#[derive(Debug)]
struct Holder {
    ticket: u64,
    range: Range<u64>,
    sharing: Sharing,
}

#[derive(Debug, Default)]
struct State {
    next: u64,
    /// Holders and waiters in order of arrival.
    queue: Vec<Holder>,
}

impl State {
    /// Whether nothing that came before `ticket` is in its way.
    fn granted(&self, ticket: u64) -> bool {
        let Some(mine) = self.queue.iter().find(|h| h.ticket == ticket) else { return true };
        self.queue.iter().take_while(|h| h.ticket < ticket).all(|other| {
            let apart = other.range.end <= mine.range.start || mine.range.end <= other.range.start;
            let shared = other.sharing == Sharing::Shared && mine.sharing == Sharing::Shared;
            apart || shared
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
        let mut state = self.state.lock();
        let ticket = state.next;
        state.next += 1;
        state.queue.push(Holder { ticket, range, sharing });
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
    fn readers_share() {
        let lock = RangeLock::default();
        let _a = lock.lock(0..10, Sharing::Shared);
        let _b = lock.lock(0..10, Sharing::Shared);
    }
}
