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
//! Invariants, while the AG is locked: each block is taken at most once before it is given, for
//! what is given cannot be picked before it is durable. The store was promised the journal that
//! the changes take at most, and the AG keeps back the blocks by which its trees may grow.
//!
//! Never here: blocks with several users, changes of other trees.

use super::rmap::Overlaps;
use super::space::{self, give, take};
use super::trees::Trees;
use super::{Users, freelist, rmap};
use crate::btree::Rmaps;
use crate::core::Core;
use crate::error::{Error, Result};
use crate::tx::Tx;
use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use untorn_device::DeviceError;
use untorn_format::ag::AgfDisk;
use untorn_format::records::RmapRec;
use untorn_format::{AgBlock, AgExtent, AgNumber, BlockKind, Place};
use untorn_store::{Closing, PutOff, StoreError};

/// Changes of one AG that wait at most.
const MOST: usize = 4096;
/// Journal bytes that a change is likely to take, for the size of the checkpoint.
const LIKELY: u64 = 256;
/// Blocks that one transaction takes for metadata in a row, at most.
const LARGEST_RUN: u32 = 128;

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

/// Changes of an AG that wait, sort by sort.
#[derive(Clone, Debug, Default)]
pub(crate) struct Later {
    takes: Vec<AgExtent>,
    owns: Vec<RmapRec>,
    disowns: Vec<RmapRec>,
    gives: Vec<AgExtent>,
    /// Journal bytes promised to them.
    promise: u64,
}

impl Later {
    pub fn push(&mut self, change: Change) {
        match change {
            Change::Take(extent) => self.takes.push(extent),
            Change::Own(mapping) => self.owns.push(mapping),
            Change::Disown(mapping) => self.disowns.push(mapping),
            Change::Give(extent) => self.gives.push(extent),
        }
    }

    fn len(&self) -> usize {
        self.takes.len() + self.owns.len() + self.disowns.len() + self.gives.len()
    }

    /// Blocks that are going to be free.
    pub fn blocks_given(&self) -> u64 {
        self.gives.iter().map(|extent| u64::from(extent.length)).sum()
    }

    fn append(&mut self, mut more: Self) {
        self.takes.append(&mut more.takes);
        self.owns.append(&mut more.owns);
        self.disowns.append(&mut more.disowns);
        self.gives.append(&mut more.gives);
    }
}

/// Whether `count` more changes of `ag`, which the transaction has locked, may wait.
pub(crate) fn may_wait(tx: &Tx<'_>, ag: AgNumber, count: usize) -> Result<bool> {
    let core = tx.core;
    if core.hurry.load(Ordering::Acquire) > 0 {
        return Ok(false);
    }
    let count = count + core.ag(ag).later.lock().len();
    let most = core.largest_transaction / 4;
    let small = count <= MOST && promise(tx, ag, count)? <= most;
    Ok(small && core.room_for_data(ag)? > growth(tx, ag, count)?)
}

/// Makes the changes that wait in `ag`, which the transaction has locked, part of it.
pub(crate) fn settle(tx: &mut Tx<'_>, ag: AgNumber) -> Result<()> {
    // Nothing waits where nothing is kept back for it.
    if tx.core.ag(ag).growth.load(Ordering::Relaxed) == 0 || !tx.begin_settling(ag) {
        return Ok(());
    }
    let Later { takes, owns, disowns, gives, .. } = tx.core.ag(ag).later.lock().clone();
    let (takes, gives) = (runs(takes), runs(gives));
    let passed = common(&takes, &gives);
    // What came and went again was never anybody's: no journal names it.
    passed.iter().for_each(|extent| tx.note_taken(*extent));
    for extent in takes.iter().flat_map(|run| without(*run, &passed)) {
        freelist::fix(tx, ag)?;
        take(tx, extent)?;
        tx.note_taken(extent);
    }
    let overlaps = space::overlaps(tx, ag, Users::One)?;
    change_mappings(tx, ag, mappings(ag, owns, &passed), Reverse::Map(overlaps))?;
    change_mappings(tx, ag, mappings(ag, disowns, &passed), Reverse::Unmap)?;
    for extent in gives.iter().flat_map(|run| without(*run, &passed)) {
        freelist::fix(tx, ag)?;
        give(tx, extent)?;
    }
    Ok(())
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
    let free = agf_of(tx, ag, |agf| agf.freeblks.get())?;
    let held = tx.core.ag(ag).held.lock();
    let room = free.saturating_sub(held.claimed() + held.busy());
    drop(held);
    if room < growth.saturating_mul(4) + LARGEST_RUN { settle(tx, ag) } else { Ok(()) }
}

/// What a transaction changes of what waits in an AG.
pub(crate) struct Update {
    ag: AgNumber,
    /// Whether it made the changes that had waited.
    settled: bool,
    /// What it puts off itself.
    new: Later,
    /// What the store is told.
    pub put_off: PutOff,
    /// Blocks that the AG keeps back for what waits then.
    growth: u32,
}

impl Update {
    /// The update by `tx`, which is about to commit.
    pub fn of(tx: &Tx<'_>, ag: AgNumber, settled: bool, new: Later) -> Result<Self> {
        let (waiting, kept) = {
            let later = tx.core.ag(ag).later.lock();
            (if settled { 0 } else { later.len() }, later.promise)
        };
        let count = waiting + new.len();
        let expected = LIKELY * new.len() as u64;
        let (promise, growth) = match count {
            0 => (0, 0),
            count => (promise(tx, ag, count)?, growth(tx, ag, count)?),
        };
        if count > 0 {
            // Before the store hears of it: who closes the checkpoint looks here.
            tx.core.later.lock().insert(ag);
        }
        Ok(Self { ag, settled, new, put_off: PutOff { promise, expected, kept }, growth })
    }

    /// The transaction is committed.
    pub fn publish(self, core: &Core) {
        let Self { ag, settled, new, put_off, growth } = self;
        let mut later = core.ag(ag).later.lock();
        if settled {
            *later = Later::default();
        }
        later.append(new);
        later.promise = put_off.promise;
        core.ag(ag).growth.store(growth, Ordering::Relaxed);
        if later.len() == 0 {
            core.later.lock().remove(&ag);
        }
    }
}

/// Runs in order, those that adjoin as one.
fn runs(mut extents: Vec<AgExtent>) -> Vec<AgExtent> {
    extents.sort_unstable_by_key(|extent| extent.start);
    extents.dedup_by(|next, run| {
        let adjoins = run.end() == next.start;
        run.length += if adjoins { next.length } else { 0 };
        adjoins
    });
    extents
}

/// What is in both, of runs in order.
fn common(a: &[AgExtent], b: &[AgExtent]) -> Vec<AgExtent> {
    let (mut a, mut b) = (a.iter().peekable(), b.iter().peekable());
    let mut both = Vec::new();
    while let (Some(one), Some(other)) = (a.peek(), b.peek()) {
        let (start, end) = (one.start.max(other.start), one.end().min(other.end()));
        if start < end {
            both.push(AgExtent { ag: one.ag, start, length: end.0 - start.0 });
        }
        if one.end() <= other.end() {
            a.next()
        } else {
            b.next()
        };
    }
    both
}

/// What is left of `run` without `passed`, runs in order.
fn without(run: AgExtent, passed: &[AgExtent]) -> Vec<AgExtent> {
    let first = passed.partition_point(|other| other.end() <= run.start);
    let overlapping = passed.iter().skip(first).take_while(|other| other.start < run.end());
    let (mut left, mut from) = (Vec::new(), run.start);
    let mut until = |from: AgBlock, to: AgBlock| {
        let length = to.0.saturating_sub(from.0);
        left.extend((length > 0).then_some(AgExtent { start: from, length, ..run }));
    };
    for other in overlapping {
        until(from, other.start);
        from = other.end();
    }
    until(from, run.end());
    left
}

/// Mappings in order without those of `passed`, those that go on from each other as one.
fn mappings(ag: AgNumber, records: Vec<RmapRec>, passed: &[AgExtent]) -> Vec<RmapRec> {
    let pieces = |record: &RmapRec| {
        let run = AgExtent { ag, start: record.start, length: record.length };
        let record = *record;
        without(run, passed)
            .into_iter()
            .map(move |piece| RmapRec { length: piece.length, ..rmap::part(&record, piece.start) })
    };
    let mut records: Vec<RmapRec> = records.iter().flat_map(pieces).collect();
    records.sort_unstable_by_key(|record| record.start);
    records.dedup_by(|next, run| {
        let goes_on = rmap::goes_on(run, next);
        run.length += if goes_on { next.length } else { 0 };
        goes_on
    });
    records
}

/// What the AGF of `ag` says of its trees: blocks, the highest of their levels.
fn trees(tx: &Tx<'_>, ag: AgNumber) -> Result<(u64, u64)> {
    let roots = 3;
    agf_of(tx, ag, |agf| {
        let levels = [agf.bno_level.get(), agf.cnt_level.get(), agf.rmap_level.get()];
        let levels = levels.into_iter().max().unwrap_or(1);
        (u64::from(agf.btreeblks.get()) + roots, u64::from(levels))
    })
}

fn agf_of<R>(tx: &Tx<'_>, ag: AgNumber, look: impl FnOnce(&AgfDisk) -> R) -> Result<R> {
    let header = tx.core.header(ag, BlockKind::Agf);
    let image = tx.read(&header)?;
    let agf = AgfDisk::of(&image).map_err(|fault| fault.at(Place::at(header.addr)))?;
    Ok(look(agf))
}

/// Blocks by which the trees of `ag` grow at most where each of `count` changes adds a record to
/// each: every leaf may be full and split at its first, then again after sixteen.
fn growth(tx: &Tx<'_>, ag: AgNumber, count: usize) -> Result<u32> {
    let (blocks, levels) = trees(tx, ag)?;
    let growth = blocks.min(3 * count as u64) + 3 * (count as u64 / 16) + 3 * levels + 16;
    Ok(u32::try_from(growth).unwrap_or(u32::MAX))
}

/// Journal bytes that `count` changes of `ag` take at most: each block that they can change whole,
/// in alternate chunks.
fn promise(tx: &Tx<'_>, ag: AgNumber, count: usize) -> Result<u64> {
    let (blocks, levels) = trees(tx, ag)?;
    let size = tx.core.geometry.block_size() as u64;
    // A change looks six places up at most, and may move records to a neighbour in each level.
    let near = 12 * (levels + 1) * count as u64;
    let changed = near.min(blocks) + u64::from(growth(tx, ag, count)?);
    let headers = 2 * 4096;
    Ok(changed * (size + size / 8 + 128) + headers)
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
    use proptest::prelude::*;
    use std::collections::BTreeMap;
    use untorn_format::records::{ExtentState, Fork, RmapOwner, RmapRole};
    use untorn_format::{FileBlock, Ino};

    fn run(start: u32, length: u32) -> AgExtent {
        AgExtent { ag: AgNumber(0), start: AgBlock(start), length }
    }

    fn blocks(runs: &[AgExtent]) -> BTreeSet<u32> {
        runs.iter().flat_map(|run| run.start.0..run.end().0).collect()
    }

    /// Runs that do not overlap, in any order.
    fn scattered() -> impl Strategy<Value = Vec<AgExtent>> {
        let lengths = prop::collection::vec((0..3_u32, 1..6_u32), 0..30);
        let runs = lengths.prop_map(|lengths| {
            let mut at = 0;
            let place = |(gap, length)| {
                let start = at + gap;
                at = start + length;
                run(start, length)
            };
            lengths.into_iter().map(place).collect::<Vec<_>>()
        });
        runs.prop_shuffle()
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

    fn offsets<'a>(records: impl IntoIterator<Item = &'a RmapRec>) -> BTreeMap<u32, u64> {
        let each = |record: &RmapRec| {
            let (start, offset) = (record.start.0, record.offset.0);
            (0..record.length).map(move |i| (start + i, offset + u64::from(i)))
        };
        records.into_iter().flat_map(each).collect()
    }

    proptest! {
        #[test]
        fn what_came_and_went_is_left_out_of_both_model(
            taken in scattered(),
            given in scattered(),
        ) {
            let (came, went) = (blocks(&taken), blocks(&given));
            let owned: Vec<RmapRec> = taken.iter().map(|run| owner(run, 3)).collect();
            let (takes, gives) = (runs(taken), runs(given));
            for merged in [&takes, &gives] {
                prop_assert!(merged.windows(2).all(|pair| pair[0].end() < pair[1].start));
            }
            let passed = common(&takes, &gives);
            prop_assert!(blocks(&passed).iter().eq(came.intersection(&went)));
            let left: Vec<_> = takes.iter().flat_map(|run| without(*run, &passed)).collect();
            prop_assert!(blocks(&left).iter().eq(came.difference(&went)));
            let kept = mappings(AgNumber(0), owned.clone(), &passed);
            let mut all = offsets(&owned);
            all.retain(|block, _| !went.contains(block));
            prop_assert_eq!(offsets(&kept), all);
            prop_assert!(kept.windows(2).all(|pair| !rmap::goes_on(&pair[0], &pair[1])));
        }
    }
}
