//! Claims: blocks picked in memory, so that data can be written before anything is allocated.

use super::Hold;
use super::space::{self, Effort};
use super::trees::{Published, look_published_agf};
use crate::core::Core;
use crate::error::{Error, Result};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use untorn_format::ag::{AgfDisk, AgiDisk};
use untorn_format::{AgBlock, AgExtent, AgNumber, BlockKind, FsBlock, Place};

/// A run of free blocks that belongs to whoever holds this value. Dropping it gives them back; the
/// transaction that takes them out of the free-space btrees ends it with [`Claim::settle`].
pub(crate) struct Claim {
    /// Nothing once the blocks were taken.
    core: Option<Arc<Core>>,
    extent: AgExtent,
}

impl Claim {
    /// The claim on `extent`, which is held as claimed already.
    pub(super) fn new(core: &Arc<Core>, extent: AgExtent) -> Self {
        Self { core: Some(Arc::clone(core)), extent }
    }

    /// The blocks.
    pub fn extent(&self) -> AgExtent {
        self.extent
    }

    fn core(&self) -> &Arc<Core> {
        match &self.core {
            Some(core) => core,
            None => unreachable!("a settled claim is gone"),
        }
    }

    /// The volume's name of block `index` of the claim.
    pub fn block(&self, index: u64) -> FsBlock {
        let start = AgBlock(self.extent.start.0 + index as u32);
        self.core().geometry.fs_block(self.extent.ag, start)
    }

    /// Cuts the claim after `count` blocks; what follows is returned.
    pub fn split(&mut self, count: u64) -> Claim {
        let count = count as u32;
        assert!(0 < count && count < self.extent.length, "a split leaves blocks on both sides");
        let start = AgBlock(self.extent.start.0 + count);
        let rest = AgExtent { ag: self.extent.ag, start, length: self.extent.length - count };
        self.extent.length = count;
        Claim::new(self.core(), rest)
    }

    /// Ends a claim whose blocks a committed transaction took.
    pub fn settle(mut self) {
        self.core = None;
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if let Some(core) = &self.core {
            let range = self.extent.start.0..self.extent.end().0;
            core.ag(self.extent.ag).held.lock().remove(range, Hold::Claimed);
        }
    }
}

impl fmt::Debug for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let AgExtent { ag, start, length } = self.extent;
        write!(f, "Claim({ag}/{start}+{length})")
    }
}

impl Core {
    /// Claims `count` blocks for data, in as few runs as can be found, beginning at or behind
    /// `goal` where that is possible. Keeps back what metadata may need and what others have
    /// reserved. Refuses, holding nothing, when there is not enough.
    pub fn claim(self: &Arc<Self>, goal: Option<FsBlock>, count: u64) -> Result<Vec<Claim>> {
        let _reserve = self.reserve(count)?;
        self.claim_reserved(goal, count)
    }

    /// Claims `count` blocks that a reservation covers; the caller then gives that back.
    pub fn claim_reserved(
        self: &Arc<Self>,
        goal: Option<FsBlock>,
        count: u64,
    ) -> Result<Vec<Claim>> {
        let first = self.try_claim(goal, count, Effort::Some);
        if !matches!(first, Err(Error::NoSpace { .. })) {
            return first;
        }
        // The blocks exist, but are idle or busy somewhere.
        self.inodes.all().iter().for_each(|inode| inode.cow.lock().drop_idle());
        self.settle_busy()?;
        self.try_claim(goal, count, Effort::All)
    }

    /// Claims one run of exactly `count` blocks at or behind `goal` in its AG, if there is one and
    /// nobody has to give way for it.
    pub fn claim_run(self: &Arc<Self>, goal: Option<FsBlock>, count: u64) -> Result<Option<Claim>> {
        let Some((ag, block)) = goal.and_then(|goal| self.geometry.split(goal)) else {
            return Ok(None);
        };
        let Some(_reserve) = self.try_reserve(count)? else { return Ok(None) };
        self.claim_whole(ag, Some(block), count, Effort::Some)
    }

    fn try_claim(
        self: &Arc<Self>,
        goal: Option<FsBlock>,
        count: u64,
        effort: Effort,
    ) -> Result<Vec<Claim>> {
        let goal = goal.and_then(|goal| self.geometry.split(goal));
        let first = goal.map_or(AgNumber(0), |(ag, _)| ag);
        let in_goal = |ag| goal.filter(|&(near, _)| near == ag).map(|(_, block)| block);
        let ags = || (0..self.geometry.ag_count).map(|i| rotate(first, i, self.geometry.ag_count));
        for ag in ags() {
            if let Some(claim) = self.claim_whole(ag, in_goal(ag), count, Effort::All)? {
                return Ok(vec![claim]);
            }
        }
        let (mut claims, mut left) = (Vec::new(), count);
        for ag in ags() {
            let pieces = self.claim_pieces(ag, left, effort)?;
            left -= pieces.iter().map(|claim| u64::from(claim.extent.length)).sum::<u64>();
            claims.extend(pieces);
            if left == 0 {
                return Ok(claims);
            }
        }
        Err(Error::NoSpace { needed: count, available: count - left })
    }

    /// Claims one run of `count` blocks in `ag`.
    fn claim_whole(
        self: &Arc<Self>,
        ag: AgNumber,
        goal: Option<AgBlock>,
        count: u64,
        effort: Effort,
    ) -> Result<Option<Claim>> {
        let _owner = self.ag(ag).owner.lock();
        let room = self.room_for_data(ag)?;
        let Some(want) = u32::try_from(count).ok().filter(|&want| want <= room) else {
            return Ok(None);
        };
        // What was looked for in vain may still be near this goal.
        let effort = match effort == Effort::Some && self.ag(ag).held.lock().lacks(want) {
            true => Effort::Near,
            false => effort,
        };
        let picked = space::pick(&mut Published(self), ag, goal, want, want, effort)?;
        self.ag(ag).held.lock().note_search(want, picked.is_some());
        Ok(picked.map(|extent| self.hold(extent)))
    }

    /// Claims up to `count` blocks in `ag`, in as few runs as can be found.
    fn claim_pieces(
        self: &Arc<Self>,
        ag: AgNumber,
        count: u64,
        effort: Effort,
    ) -> Result<Vec<Claim>> {
        let _owner = self.ag(ag).owner.lock();
        let room = self.room_for_data(ag)?;
        let want = u32::try_from(count).unwrap_or(u32::MAX).min(room);
        let picked = space::pick_pieces(&mut Published(self), ag, want, effort)?;
        Ok(picked.into_iter().map(|extent| self.hold(extent)).collect())
    }

    /// Makes a claim of blocks that were picked under the AG's lock.
    fn hold(self: &Arc<Self>, extent: AgExtent) -> Claim {
        let range = extent.start.0..extent.end().0;
        self.ag(extent.ag).held.lock().insert(range, Hold::Claimed);
        Claim::new(self, extent)
    }

    /// Blocks of `ag` that data may still claim. Exact for who has locked the AG; for others never
    /// too many: what is claimed and kept back for what waits is counted before what is free is
    /// read, what is busy afterwards, and a transaction publishes between its own.
    pub(super) fn room_for_data(&self, ag: AgNumber) -> Result<u32> {
        let claimed = self.ag(ag).held.lock().claimed();
        let growth = self.ag(ag).growth.load(Ordering::Acquire);
        let look = |agf: &AgfDisk| (agf.freeblks.get(), self.kept_back(ag, agf));
        let (free, kept_back) = look_published_agf(self, ag, look)?;
        let kept = claimed + self.ag(ag).held.lock().busy() + kept_back? + growth;
        Ok(free.saturating_sub(kept))
    }

    /// Blocks of `ag` kept back so that its btrees can grow as its blocks come into use.
    fn kept_back(&self, ag: AgNumber, agf: &AgfDisk) -> Result<u32> {
        let wants = self.ag(ag).wants(self, ag);
        let finobt = wants.finobt.saturating_sub(self.finobt_blocks(ag)?);
        let refcount = wants.refcountbt.saturating_sub(agf.refcount_blocks.get());
        let rmap = wants.rmapbt.saturating_sub(agf.rmap_blocks.get());
        let listed = agf.flcount.get();
        Ok((finobt + refcount + rmap).saturating_sub(listed) + FREE_LIST_RESERVE)
    }

    /// Blocks that Linux keeps for the trees of `ag` where it has the volume mounted, of those that
    /// count as free: the whole share of the reverse mappings, whose blocks do, and what finobt and
    /// refcount tree may still grow by; the blocks of both free-space trees, too, once it has
    /// looked at them, which it does for the others' sake.
    pub fn kept_by_linux(&self, ag: AgNumber) -> Result<u64> {
        let features = &self.features;
        if !(features.has_finobt() || features.has_reflink() || features.has_rmapbt()) {
            return Ok(0);
        }
        let (refcount, rmap, counted) = look_published_agf(self, ag, |agf| {
            (agf.refcount_blocks.get(), agf.rmap_blocks.get(), agf.btreeblks.get())
        })?;
        let wants = self.ag(ag).wants(self, ag);
        let finobt = wants.finobt.saturating_sub(self.finobt_blocks(ag)?);
        let refcount = wants.refcountbt.saturating_sub(refcount);
        // Roots do not count among the blocks of trees.
        let free_space = counted.saturating_sub(rmap.saturating_sub(1));
        Ok([finobt, refcount, wants.rmapbt, free_space].into_iter().map(u64::from).sum())
    }

    /// Whether the trees of an AG, whose header `agf` is, could soon no longer grow: less than a
    /// tenth of what is kept back for some of them would be left beside the others. The AG is
    /// locked.
    pub(super) fn is_short_of_tree_blocks(&self, ag: AgNumber, agf: &AgfDisk) -> Result<bool> {
        let wants = self.ag(ag).wants(self, ag);
        let held = self.ag(ag).held.lock();
        let room = agf.freeblks.get().saturating_sub(held.claimed() + held.busy());
        drop(held);
        let for_rmap = wants.rmapbt.saturating_sub(agf.rmap_blocks.get());
        let for_others = wants.refcountbt.saturating_sub(agf.refcount_blocks.get())
            + wants.finobt.saturating_sub(self.finobt_blocks(ag)?);
        let others = wants.refcountbt + wants.finobt;
        Ok(room < for_others + wants.rmapbt / 10 || room < for_rmap + others / 10)
    }

    /// Blocks of the AG's finobt as far as they are counted: the root at least.
    fn finobt_blocks(&self, ag: AgNumber) -> Result<u32> {
        if !self.features.has_inobtcount() {
            return Ok(1);
        }
        let header = self.header(ag, BlockKind::Agi);
        let image = self.store.cache().read(&header)?;
        let agi = AgiDisk::of(&image).map_err(|fault| fault.at(Place::at(header.addr)))?;
        Ok(agi.fblocks.get())
    }

    /// Free blocks that data may claim, over all AGs.
    pub fn free_for_data(&self) -> Result<u64> {
        (0..self.geometry.ag_count).map(|ag| Ok(u64::from(self.room_for_data(AgNumber(ag))?))).sum()
    }
}

/// Free blocks of an AG kept for the free list and for btree blocks of files in it.
const FREE_LIST_RESERVE: u32 = 16;

fn rotate(first: AgNumber, by: u32, count: u32) -> AgNumber {
    AgNumber(((u64::from(first.0) + u64::from(by)) % u64::from(count)) as u32)
}
