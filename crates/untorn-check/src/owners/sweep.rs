//! Sweeps over the blocks of an AG, from the first to the last, with all claims to them: finds runs
//! that nobody claims, runs that two claim who must not, and runs that files share.
//!
//! The cost is that of sorting the claims, however they overlap.

use super::claims::Claim;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// A run of blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) start: u32,
    pub(crate) length: u32,
}

/// A run of blocks with as many owners.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shared {
    pub(crate) start: u32,
    pub(crate) length: u32,
    /// Owners; two or more.
    pub(crate) refs: u32,
}

/// Two claims to the same blocks, at least one of which must not be shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Conflict {
    pub(crate) start: u32,
    pub(crate) a: Claim,
    pub(crate) b: Claim,
}

/// What a sweep tells; each list in order of blocks, but for `sharers`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Swept {
    /// Blocks that nobody claims.
    pub(crate) unowned: Vec<Run>,
    /// Blocks that two claim.
    pub(crate) conflicts: Vec<Conflict>,
    /// Blocks that files share.
    pub(crate) shared: Vec<Shared>,
    /// Claims that share blocks although their file lacks the flag.
    pub(crate) unflagged: Vec<Claim>,
}

/// Sweeps over an AG of `blocks` blocks with `claims` in any order.
pub(crate) fn sweep(mut claims: Vec<Claim>, blocks: u32) -> Swept {
    claims.sort_unstable_by_key(|claim| (claim.start, claim.length));
    let mut sweep = Sweep {
        claims: &claims,
        at: 0,
        active: BinaryHeap::new(),
        exclusive: 0,
        recent: None,
        swept: Swept::default(),
    };
    for index in 0..claims.len() {
        sweep.begin(index);
    }
    sweep.advance(blocks);
    sweep.swept
}

struct Sweep<'c> {
    claims: &'c [Claim],
    at: u32,
    /// Claims that cover `at`, the first to end on top.
    active: BinaryHeap<Reverse<(u32, usize)>>,
    /// How many of them must not be shared, and the one of those that began last.
    exclusive: usize,
    recent: Option<Claim>,
    swept: Swept,
}

impl Sweep<'_> {
    /// Comes to the start of a claim.
    fn begin(&mut self, index: usize) {
        let Some(claim) = self.claims.get(index).copied() else { return };
        self.advance(claim.start);
        if let Some(other) = self.top() {
            self.meet(claim, other);
        }
        self.active.push(Reverse((claim.end(), index)));
        if !claim.is_shareable() {
            self.exclusive += 1;
            self.recent = Some(claim);
        }
    }

    fn top(&self) -> Option<Claim> {
        let Reverse((_, index)) = self.active.peek()?;
        self.claims.get(*index).copied()
    }

    /// Leaves the claim that ends first.
    fn end(&mut self) {
        let ended = self.top();
        self.active.pop();
        if ended.is_some_and(|claim| !claim.is_shareable()) {
            self.exclusive -= 1;
        }
    }

    /// A claim begins while `other`, and perhaps more, last.
    fn meet(&mut self, claim: Claim, other: Claim) {
        let exclusive = self.recent.filter(|_| self.exclusive > 0);
        if let Some(a) = exclusive.or((!claim.is_shareable()).then_some(other)) {
            self.swept.conflicts.push(Conflict { start: claim.start, a, b: claim });
        }
        let alone = self.active.len() == 1;
        for sharer in [alone.then_some(other), Some(claim)].into_iter().flatten() {
            if sharer.is_shareable() && !sharer.is_flagged() {
                self.swept.unflagged.push(sharer);
            }
        }
    }

    /// Moves on to block `to`, past the ends of claims before it.
    fn advance(&mut self, to: u32) {
        while self.at < to {
            let end = self.active.peek().map_or(to, |Reverse((end, _))| (*end).min(to));
            self.cover(end);
            while self.active.peek().is_some_and(|Reverse((end, _))| *end <= self.at) {
                self.end();
            }
        }
    }

    /// Covers the blocks up to `end` with what is active.
    fn cover(&mut self, end: u32) {
        let (start, length) = (self.at, end.saturating_sub(self.at));
        self.at = end;
        if length == 0 {
            return;
        }
        match self.active.len() {
            0 => self.swept.unowned.push(Run { start, length }),
            1 => {}
            _ if self.exclusive > 0 => {}
            refs => self.share(Shared { start, length, refs: refs as u32 }),
        }
    }

    fn share(&mut self, run: Shared) {
        match self.swept.shared.last_mut() {
            Some(last) if last.refs == run.refs && last.start + last.length == run.start => {
                last.length += run.length;
            }
            _ => self.swept.shared.push(run),
        }
    }
}
