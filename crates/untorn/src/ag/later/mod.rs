//! Changes of an AG's trees that wait until the open checkpoint closes.
//!
//! A commit that puts blocks in the place of others changes five trees, each in another leaf. What
//! a checkpoint says of a tree is one image of each block, however often that changed: so changes
//! that nobody looks at are gathered and made together, in the order of their blocks, by whoever
//! wants to change the AG's trees next or by the close of the checkpoint, which cannot go without
//! them.
//!
//! Until then the trees say what they said before. Blocks that are to be taken stay claimed, those
//! that are to be given are in no free extent: nobody can pick either.
//!
//! Invariants, while the AG is locked: what waits was looked up in the trees and in what waited
//! before it ([`is_sound`]), so that a damaged volume refuses the operation and not the checkpoint.
//! The store was promised the journal that the changes take at most. The blocks by which the trees
//! may grow are kept back in the AG ([`super::Ag::growth`]) and from what may be promised.
//!
//! Never here: blocks with several users, changes of other trees.

mod list;

pub(crate) use list::{Change, Changes, Later};

use super::rmap::Overlaps;
use super::space::{self, give, take};
use super::trees::{Trees, look_agf};
use super::{Users, freelist, rmap};
use crate::btree::Rmaps;
use crate::core::Core;
use crate::error::{Error, Owner, Result};
use crate::tx::Tx;
use list::{Parts, rest};
use smallvec::SmallVec;
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use untorn_device::DeviceError;
use untorn_format::records::RmapRec;
use untorn_format::{AgBlock, AgExtent, AgNumber};
use untorn_store::{Closing, PutOff, StoreError};

/// Changes of one AG that wait at most.
const MOST: usize = 4096;
/// Journal bytes that a change is likely to take, for the size of the checkpoint.
const LIKELY: u64 = 256;
/// Blocks that one transaction takes for metadata in a row, at most.
const LARGEST_RUN: u32 = 128;

fn extent(ag: AgNumber, range: Range<u32>) -> AgExtent {
    AgExtent { ag, start: AgBlock(range.start), length: range.end - range.start }
}

/// Whether `counts` more changes may wait in these AGs, all of which the transaction has locked.
pub(crate) fn may_wait(tx: &Tx<'_>, counts: &[(AgNumber, usize)]) -> Result<bool> {
    let core = tx.core;
    if core.hurry.load(Ordering::Acquire) > 0 {
        return Ok(false);
    }
    let mut promised = 0;
    for &(ag, count) in counts {
        let count = count + core.ag(ag).later.lock().count;
        let shape = Shape::of(tx, ag)?;
        promised += shape.promise(core, count);
        let room = core.room_for_data(ag)? > shape.growth(count);
        if count > MOST || !room || tx.changes_at_once(ag) {
            return Ok(false);
        }
    }
    Ok(promised <= core.largest_transaction / 4)
}

/// A change of the same operation that is about all blocks of the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Follows {
    Nothing,
    Take,
    Disown,
}

impl Follows {
    /// What `change` follows of `others`; `None` where one of them contradicts it.
    fn of(change: &Change, others: &[Change]) -> Option<Self> {
        let range = change.blocks();
        let mut found = Self::Nothing;
        for other in others {
            let blocks = other.blocks();
            if range.start >= blocks.end || blocks.start >= range.end {
                continue;
            }
            let whole = blocks.start <= range.start && range.end <= blocks.end;
            found = match (other, change) {
                (Change::Take(_), Change::Own(_)) if whole => Self::Take,
                (Change::Disown(_), Change::Give(_)) if whole => Self::Disown,
                (Change::Take(_), Change::Own(_)) | (Change::Disown(_), Change::Give(_)) => found,
                _ => return None,
            };
        }
        Some(found)
    }
}

/// Whether `change` can wait in `ag`, which the transaction has locked: nothing that waits
/// contradicts it, nor do the trees. What cannot is for the trees themselves to refuse.
pub(crate) fn is_sound(tx: &mut Tx<'_>, ag: AgNumber, change: &Change) -> Result<bool> {
    let range = change.blocks();
    let Some(follows) = Follows::of(change, tx.put_off_here(ag)) else { return Ok(false) };
    let later = tx.core.ag(ag).later.lock();
    let (comes, owners) = match follows {
        // The same was asked, and answered, before they were taken.
        Follows::Take => return Ok(true),
        Follows::Disown => (later.takes.clone_part(&range), SmallVec::new()),
        Follows::Nothing if later.gives.overlaps(&range) || later.passed.overlaps(&range) => {
            return Ok(false);
        }
        Follows::Nothing => (later.takes.clone_part(&range), later.owners(&range)),
    };
    drop(later);
    match change {
        Change::Take(_) | Change::Own(_) => Ok(comes.is_empty() && owners.is_empty()),
        Change::Disown(mapping) => {
            let held = owners.iter().all(|owner| {
                let part = rmap::part(mapping, owner.start);
                *owner == RmapRec { length: owner.length, ..part }
            });
            let parts: Parts = owners.iter().map(|owner| owner.start.0..owner.end().0).collect();
            let mut tree = tx.tree(ag, Rmaps);
            for run in rest(range, &parts) {
                let part = rmap::part(mapping, AgBlock(run.start));
                let part = RmapRec { length: run.end - run.start, ..part };
                if !rmap::is_mapped(&mut tree, &part)? {
                    return Ok(false);
                }
            }
            Ok(held)
        }
        Change::Give(_) => {
            for run in rest(range, &comes) {
                if space::is_any_free(tx, extent(ag, run))? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
    }
}

/// Makes the changes that wait in `ag`, which the transaction has locked, part of it.
pub(crate) fn settle(tx: &mut Tx<'_>, ag: AgNumber) -> Result<()> {
    // Nothing waits where nothing is kept back for it.
    if tx.core.ag(ag).growth.load(Ordering::Relaxed) == 0 || !tx.begin_settling(ag) {
        return Ok(());
    }
    let Later { takes, owns, disowns, gives, passed, .. } = tx.core.ag(ag).later.lock().clone();
    // What came and went again was never anybody's: no journal names it.
    passed.iter().for_each(|range| tx.note_taken(extent(ag, range)));
    for range in takes.iter() {
        freelist::fix(tx, ag)?;
        take(tx, extent(ag, range.clone()))?;
        tx.note_taken(extent(ag, range));
    }
    let overlaps = space::overlaps(tx, ag, Users::One)?;
    change_mappings(tx, ag, joined(owns.into_values().collect()), Reverse::Map(overlaps))?;
    change_mappings(tx, ag, joined(disowns), Reverse::Unmap)?;
    for range in gives.iter() {
        freelist::fix(tx, ag)?;
        give(tx, extent(ag, range))?;
    }
    Ok(())
}

/// Mappings in order, those that go on from each other as one.
fn joined(mut records: Vec<RmapRec>) -> Vec<RmapRec> {
    records.sort_unstable_by_key(|record| record.start);
    records.dedup_by(|next, run| {
        let goes_on = rmap::goes_on(run, next);
        run.length += if goes_on { next.length } else { 0 };
        goes_on
    });
    records
}

/// What happens to reverse mappings.
#[derive(Clone, Copy)]
enum Reverse {
    Map(Overlaps),
    Unmap,
}

/// Changes the reverse mappings of `ag`, where the volume keeps them. `mappings` lie in order, so
/// one position in the tree serves many.
fn change_mappings(
    tx: &mut Tx<'_>,
    ag: AgNumber,
    mappings: Vec<RmapRec>,
    what: Reverse,
) -> Result<()> {
    if !tx.core.features.has_rmapbt() {
        return Ok(());
    }
    let mut left = mappings.into_iter().peekable();
    while left.peek().is_some() {
        freelist::fix(tx, ag)?;
        let full = freelist::length(tx, ag)?;
        let mut tree = tx.tree(ag, Rmaps);
        for mapping in left.by_ref() {
            match what {
                Reverse::Map(overlaps) => rmap::map(&mut tree, mapping, overlaps)?,
                Reverse::Unmap => rmap::unmap(&mut tree, mapping)?,
            }
            if tree.holder().free_list()? < full {
                break;
            }
        }
    }
    Ok(())
}

/// Makes them, too, where the AG is so full that others might take the blocks that are kept back
/// for its trees.
pub(crate) fn settle_if_short(tx: &mut Tx<'_>, ag: AgNumber) -> Result<()> {
    let growth = tx.core.ag(ag).growth.load(Ordering::Relaxed);
    if growth == 0 {
        return Ok(());
    }
    let room = Shape::of(tx, ag)?.unheld(tx.core, ag);
    if room < growth.saturating_mul(4) + LARGEST_RUN { settle(tx, ag) } else { Ok(()) }
}

/// Blocks kept back in an AG for what waits. More than before are kept back at once, fewer only
/// when the trees that took the others are published: who counts what can be promised must see one
/// or the other. Dropping it gives back what it has more than before.
struct Growth<'c> {
    core: &'c Core,
    ag: AgNumber,
    before: u32,
    blocks: u32,
    published: bool,
}

impl<'c> Growth<'c> {
    /// Keeps `blocks` back; nothing where they were promised to others. The AG is locked.
    fn keep(core: &'c Core, ag: AgNumber, blocks: u32) -> Result<Option<Self>> {
        let kept = &core.ag(ag).growth;
        let before = kept.load(Ordering::Relaxed);
        let keep = || kept.store(blocks.max(before), Ordering::Relaxed);
        let more = u64::from(blocks.saturating_sub(before));
        let kept = core.keep_back(more, keep)?;
        Ok(kept.then_some(Self { core, ag, before, blocks, published: false }))
    }
}

impl Drop for Growth<'_> {
    fn drop(&mut self) {
        let blocks = if self.published { self.blocks } else { self.before };
        // Behind what the commit has published.
        self.core.ag(self.ag).growth.store(blocks, Ordering::Release);
    }
}

/// What a transaction changes of what waits in an AG.
pub(crate) struct Update<'c> {
    /// Whether it made the changes that had waited.
    settled: bool,
    /// What it puts off itself.
    new: Changes,
    /// What the store is told.
    pub put_off: PutOff,
    growth: Growth<'c>,
}

impl<'c> Update<'c> {
    /// The update by `tx`, which is about to commit. Where there is no room for what would wait,
    /// the operation starts again and changes the trees itself.
    pub fn of(tx: &Tx<'c>, ag: AgNumber, settled: bool, new: Changes) -> Result<Self> {
        let (waiting, kept) = {
            let later = tx.core.ag(ag).later.lock();
            (if settled { 0 } else { later.count }, later.promise)
        };
        let count = waiting + new.len();
        let expected = LIKELY * new.len() as u64;
        let start_again = || Error::Restart(Owner::Contents(ag));
        let (mut promise, mut growth) = (0, 0);
        if count > 0 {
            let shape = Shape::of(tx, ag)?;
            (promise, growth) = (shape.promise(tx.core, count), shape.growth(count));
            if shape.unheld(tx.core, ag) < growth {
                return Err(start_again());
            }
        }
        let growth = Growth::keep(tx.core, ag, growth)?.ok_or_else(start_again)?;
        if count > 0 {
            // Before the store hears of it: who closes the checkpoint looks here.
            tx.core.later.lock().insert(ag);
        }
        Ok(Self { settled, new, put_off: PutOff { promise, expected, kept }, growth })
    }

    /// The transaction is committed.
    pub fn publish(mut self) {
        self.growth.published = true;
        let Growth { core, ag, .. } = self.growth;
        let mut later = core.ag(ag).later.lock();
        if self.settled {
            *later = Later::default();
        }
        self.new.drain(..).for_each(|change| later.push(change));
        later.promise = self.put_off.promise;
        if later.count == 0 {
            core.later.lock().remove(&ag);
        }
    }
}

/// What the AGF of an AG says of its trees, as a transaction sees it.
#[derive(Clone, Copy, Debug)]
struct Shape {
    /// Blocks of the trees.
    blocks: u64,
    /// The highest of their levels.
    levels: u64,
    /// Blocks that the trees call free.
    free: u32,
}

impl Shape {
    fn of(tx: &Tx<'_>, ag: AgNumber) -> Result<Self> {
        let roots = 3;
        look_agf(tx, ag, |agf| {
            let levels = [agf.bno_level.get(), agf.cnt_level.get(), agf.rmap_level.get()];
            Self {
                blocks: u64::from(agf.btreeblks.get()) + roots,
                levels: u64::from(levels.into_iter().max().unwrap_or(1)),
                free: agf.freeblks.get(),
            }
        })
    }

    /// Free blocks that nobody holds.
    fn unheld(&self, core: &Core, ag: AgNumber) -> u32 {
        let held = core.ag(ag).held.lock();
        self.free.saturating_sub(held.claimed() + held.busy())
    }

    /// Blocks by which the trees grow at most where each of `count` changes adds a record to each:
    /// every leaf may be full and split at its first, then again after sixteen.
    fn growth(&self, count: usize) -> u32 {
        let count = count as u64;
        let growth = self.blocks.min(3 * count) + 3 * (count / 16) + 3 * self.levels + 16;
        u32::try_from(growth).unwrap_or(u32::MAX)
    }

    /// Journal bytes that `count` changes take at most: each block that they can change whole, in
    /// alternate chunks.
    fn promise(&self, core: &Core, count: usize) -> u64 {
        let size = core.geometry.block_size() as u64;
        // A change looks six places up at most, and may move records to a neighbour in each level.
        let near = 12 * (self.levels + 1) * count as u64;
        let changed = near.min(self.blocks) + u64::from(self.growth(count));
        let headers = 2 * 4096;
        changed * (size + size / 8 + 128) + headers
    }
}

/// Makes all changes that wait.
pub(crate) fn settle_waiting(core: &Arc<Core>) -> Result<()> {
    let ags = core.later.lock().clone();
    for ag in ags {
        let bytes = core.ag(ag).later.lock().promise;
        core.transact(bytes, &[], |tx| space::prepare_contents(tx, ag))?;
    }
    Ok(())
}

/// Settles whatever waits when a checkpoint closes.
pub(crate) struct LateChanges(pub Weak<Core>);

impl Closing for LateChanges {
    fn settle(&self, close: &mut dyn FnMut() -> bool) -> untorn_store::Result<()> {
        let Some(core) = self.0.upgrade() else {
            unreachable!("who closes a checkpoint has the volume");
        };
        settle_all(&core, close).map_err(as_store)
    }
}

fn settle_all(core: &Arc<Core>, close: &mut dyn FnMut() -> bool) -> Result<()> {
    let mut ags: BTreeSet<AgNumber> = BTreeSet::new();
    loop {
        // Once all that ever had something are locked, nobody can put off more.
        ags.extend(core.later.lock().iter());
        let mut tx = Tx::closing(core);
        for ag in &ags {
            tx.lock_ag(*ag)?;
            settle(&mut tx, *ag)?;
        }
        tx.commit()?;
        if close() {
            return Ok(());
        }
    }
}

fn as_store(error: Error) -> StoreError {
    match error {
        Error::Device(error) => error.into(),
        Error::Corrupt(corrupt) => corrupt.into(),
        Error::Stopped(first) => StoreError::Stopped(first),
        other => DeviceError::Unusable(format!("what was put off failed: {other}")).into(),
    }
}

/// While this lives nothing is put off.
pub(crate) struct Hurry<'c>(&'c Core);

impl<'c> Hurry<'c> {
    pub fn new(core: &'c Core) -> Self {
        core.hurry.fetch_add(1, Ordering::AcqRel);
        Self(core)
    }
}

impl Drop for Hurry<'_> {
    fn drop(&mut self) {
        self.0.hurry.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use untorn_format::records::{ExtentState, Fork, RmapOwner, RmapRole};
    use untorn_format::{FileBlock, Ino};

    fn run(start: u32, length: u32) -> AgExtent {
        extent(AgNumber(0), start..start + length)
    }

    fn mapping(start: u32, length: u32) -> RmapRec {
        RmapRec {
            start: AgBlock(start),
            length,
            owner: RmapOwner::Inode(Ino(7)),
            offset: FileBlock(0),
            fork: Fork::Data,
            role: RmapRole::Mapped,
            state: ExtentState::Written,
        }
    }

    #[test]
    fn only_a_change_about_all_blocks_of_the_next_spares_its_lookups() {
        let take = |start, length| Change::Take(run(start, length));
        let own = |start, length| Change::Own(mapping(start, length));
        let disown = |start, length| Change::Disown(mapping(start, length));
        let give = |start, length| Change::Give(run(start, length));
        let cases = [
            (own(10, 4), vec![], Some(Follows::Nothing)),
            (own(10, 4), vec![take(10, 4)], Some(Follows::Take)),
            (own(10, 4), vec![own(6, 4), take(8, 9), own(14, 1)], Some(Follows::Take)),
            (own(10, 4), vec![take(10, 3)], Some(Follows::Nothing)),
            (own(10, 4), vec![take(11, 3)], Some(Follows::Nothing)),
            (own(10, 4), vec![take(10, 2), take(12, 2)], Some(Follows::Nothing)),
            (own(10, 4), vec![take(10, 4), own(13, 2)], None),
            (own(10, 4), vec![give(9, 2), take(10, 4)], None),
            (give(10, 4), vec![disown(10, 4)], Some(Follows::Disown)),
            (give(10, 4), vec![disown(10, 1), disown(11, 2)], Some(Follows::Nothing)),
            (give(10, 4), vec![disown(10, 4), give(13, 1)], None),
            (give(10, 4), vec![take(10, 4)], None),
            (disown(10, 4), vec![own(10, 4)], None),
            (take(10, 4), vec![disown(12, 1)], None),
            (take(10, 4), vec![take(14, 4), give(9, 1)], Some(Follows::Nothing)),
        ];
        for (change, others, follows) in cases {
            assert_eq!(Follows::of(&change, &others), follows, "{change:?} after {others:?}");
        }
    }
}
