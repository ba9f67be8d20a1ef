//! Free space of an AG: picking, taking, giving back.
//!
//! Both free-space btrees hold the same extents, by block and by length. What they call free and
//! [`super::Held`] holds may not be picked.
//!
//! [`pick`] only looks. [`take`] and [`give`] change the btrees inside a transaction that has
//! locked the AG; blocks given are busy until it is durable.

use super::rmap::Overlaps;
use super::trees::{Trees, edit_agf, look_agf};
use super::{Users, Walk, freelist, refcount, rmap};
use crate::btree::{ByBlock, ByLength, Find, Refcounts, Rmaps, Tree, TreeBlocks};
use crate::core::Core;
use crate::error::{Error, Result};
use crate::tx::Tx;
use std::ops::Range;
use std::sync::atomic::Ordering;
use untorn_format::records::{AllocRec, RmapRec};
use untorn_format::{AgBlock, AgExtent, AgNumber, Fault, Place};

/// Free extents, and gaps between what is held in them, looked at near a place.
const NEAR: usize = 16;
/// The same of at least the wanted length, the shortest first.
const FIT: usize = 16;
/// Gaps looked at before a search that need not succeed ends.
const LONG: usize = 256;
/// Free extents that are held from end to end passed over before waiting for them is cheaper.
const SKIP: usize = 1024;

/// How long a search goes on past what is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effort {
    /// Only near the goal.
    Near,
    /// Only so long as doing without, or waiting, would not be faster.
    Some,
    /// Until everything was looked at.
    All,
}

/// The best piece found so far.
struct Best {
    want: u32,
    piece: Option<Range<u32>>,
    /// Gaps that may still be looked at.
    looks: usize,
}

impl Best {
    fn length(&self) -> u32 {
        self.piece.as_ref().map_or(0, |p| p.end - p.start)
    }

    fn is_enough(&self) -> bool {
        self.length() >= self.want
    }

    /// Whether the search is over.
    fn is_over(&self) -> bool {
        self.looks == 0 || self.is_enough()
    }

    /// Looks at a free range, which `walk` has not passed.
    fn offer(&mut self, walk: &mut Walk<'_>, mut free: Range<u32>) {
        self.looks = self.looks.saturating_sub(1);
        while let Some(gap) = walk.next_gap(&mut free) {
            if gap.end - gap.start > self.length() {
                self.piece = Some(gap.start..gap.end.min(gap.start.saturating_add(self.want)));
            }
            if self.is_over() {
                break;
            }
            self.looks -= 1;
        }
    }
}

/// Something that knows the AGs' transient holds.
pub(crate) trait Holds {
    /// What is shared.
    fn core(&self) -> &Core;
}

impl Holds for Tx<'_> {
    fn core(&self) -> &Core {
        self.core
    }
}

impl Holds for super::Published<'_> {
    fn core(&self) -> &Core {
        self.0
    }
}

/// Finds up to `want` free blocks of `ag` in one run, at or behind `goal` if that can be, at least
/// `least`. The AG must be locked.
///
/// A free extent may hold thousands of claims: where the last search ended, the next one goes on,
/// so that it does not pass over them again.
pub(crate) fn pick<T: Trees + Holds>(
    source: &mut T,
    ag: AgNumber,
    goal: Option<AgBlock>,
    want: u32,
    least: u32,
    effort: Effort,
) -> Result<Option<AgExtent>> {
    let mut best = Best { want, piece: None, looks: 0 };
    if let Some(goal) = goal {
        pick_near(source, ag, goal, &mut best)?;
    }
    let is_elsewhere = !best.is_enough() && effort != Effort::Near;
    if is_elsewhere {
        pick_elsewhere(source, ag, &mut best, least, effort)?;
    }
    let Some(piece) = best.piece.filter(|p| p.end - p.start >= least) else { return Ok(None) };
    if is_elsewhere {
        source.core().ag(ag).rotor.store(piece.end, Ordering::Relaxed);
    }
    picked(source, ag, piece).map(Some)
}

fn pick_elsewhere<T: Trees + Holds>(
    source: &mut T,
    ag: AgNumber,
    best: &mut Best,
    least: u32,
    effort: Effort,
) -> Result<()> {
    let rotor = AgBlock(source.core().ag(ag).rotor.load(Ordering::Relaxed));
    pick_near(source, ag, rotor, best)?;
    if !best.is_enough() {
        pick_fitting(source, ag, best)?;
    }
    if !best.is_enough() {
        best.looks = if effort == Effort::All { usize::MAX } else { LONG };
        pick_longest(source, ag, best, least)?;
    }
    Ok(())
}

/// Finds `want` free blocks of `ag`, or as many as there are, in as few runs as can be, in order.
/// The AG must be locked.
pub(crate) fn pick_pieces<T: Trees + Holds>(
    source: &mut T,
    ag: AgNumber,
    want: u32,
    effort: Effort,
) -> Result<Vec<AgExtent>> {
    let held = source.core().ag(ag).held.lock_arc();
    let (mut pieces, mut left, mut skipped) = (Vec::new(), want, 0);
    let mut tree = source.tree(ag, ByLength);
    let mut found = tree.last()?;
    while let Some(free) = found.filter(|_| left > 0) {
        let before = left;
        for gap in held.gaps(free.start.0..free.end().0) {
            let length = left.min(gap.end - gap.start);
            left -= length;
            pieces.extend((length > 0).then_some(gap.start..gap.start + length));
        }
        skipped += usize::from(left == before);
        if effort == Effort::Some && skipped >= SKIP {
            break;
        }
        found = tree.prev()?;
    }
    drop(tree);
    pieces.sort_unstable_by_key(|piece| piece.start);
    pieces.into_iter().map(|piece| picked(source, ag, piece)).collect()
}

/// What was found in a btree, as blocks of the AG.
fn picked<T: Holds>(source: &T, ag: AgNumber, piece: Range<u32>) -> Result<AgExtent> {
    if piece.end > source.core().geometry.blocks_of(ag) {
        return Err(corrupt(ag, "extent past the end of its AG", piece.end.into()));
    }
    Ok(AgExtent { ag, start: AgBlock(piece.start), length: piece.end - piece.start })
}

/// Looks at and behind `goal`.
fn pick_near<T: Trees + Holds>(
    source: &mut T,
    ag: AgNumber,
    goal: AgBlock,
    best: &mut Best,
) -> Result<()> {
    let held = source.core().ag(ag).held.lock_arc();
    best.looks = NEAR;
    let mut tree = source.tree(ag, ByBlock);
    let mut found = tree.seek(Find::AtMost, goal)?;
    if found.is_none() {
        found = tree.next()?;
    }
    let mut walk = held.walk(goal.0);
    while let Some(free) = found {
        best.offer(&mut walk, free.start.0.max(goal.0)..free.end().0);
        if best.is_over() {
            break;
        }
        found = tree.next()?;
    }
    Ok(())
}

/// Looks at the shortest extents that are long enough.
fn pick_fitting<T: Trees + Holds>(source: &mut T, ag: AgNumber, best: &mut Best) -> Result<()> {
    let held = source.core().ag(ag).held.lock_arc();
    best.looks = FIT;
    let mut tree = source.tree(ag, ByLength);
    let mut found = tree.seek(Find::AtLeast, (best.want, AgBlock(0)))?;
    while let Some(free) = found {
        best.offer(&mut held.walk(free.start.0), free.start.0..free.end().0);
        if best.is_over() {
            break;
        }
        found = tree.next()?;
    }
    Ok(())
}

/// Looks at ever shorter extents, of at least `least` blocks.
fn pick_longest<T: Trees + Holds>(
    source: &mut T,
    ag: AgNumber,
    best: &mut Best,
    least: u32,
) -> Result<()> {
    let held = source.core().ag(ag).held.lock_arc();
    let mut tree = source.tree(ag, ByLength);
    let mut found = tree.last()?;
    while let Some(free) = found.filter(|free| free.length > best.length().max(least - 1)) {
        best.offer(&mut held.walk(free.start.0), free.start.0..free.end().0);
        if best.is_over() {
            break;
        }
        found = tree.prev()?;
    }
    Ok(())
}

fn corrupt(ag: AgNumber, field: &'static str, value: u64) -> Error {
    let fault = Fault::Field { what: "free space btree", field, value };
    fault.at(Place { ag: Some(ag), ..Place::default() }).into()
}

/// Takes `extent`, all of it free, out of the free-space btrees.
pub(crate) fn take(tx: &mut Tx<'_>, extent: AgExtent) -> Result<()> {
    let AgExtent { ag, start, .. } = extent;
    let mut tree = tx.tree(ag, ByBlock);
    let found = tree.seek(Find::AtMost, start)?.filter(|free| free.end() >= extent.end());
    let free = found.ok_or_else(|| corrupt(ag, "block that is not free", start.0.into()))?;
    let left = rest(free.start, start);
    let right = rest(extent.end(), free.end());
    match (left, right) {
        (None, None) => drop(tree.remove()?),
        (Some(one), None) | (None, Some(one)) => tree.replace(&one)?,
        (Some(left), Some(right)) => {
            tree.replace(&left)?;
            tree.insert(&right)?;
        }
    }
    let mut tree = tx.tree(ag, ByLength);
    remove_length(&mut tree, ag, free)?;
    [left, right].into_iter().flatten().try_for_each(|piece| tree.insert(&piece))?;
    // Only where the longest may have been cut is it looked for.
    let before = longest(tx, ag)?;
    let longest = match free.length < before {
        true => before,
        false => tx.tree(ag, ByLength).last()?.map_or(0, |free| free.length),
    };
    count(tx, ag, -i64::from(extent.length), longest)
}

fn rest(from: AgBlock, to: AgBlock) -> Option<AllocRec> {
    let length = to.0.checked_sub(from.0).filter(|&n| n > 0)?;
    Some(AllocRec { start: from, length })
}

fn remove_length<B: TreeBlocks<Error = Error>>(
    tree: &mut Tree<ByLength, B>,
    ag: AgNumber,
    free: AllocRec,
) -> Result<()> {
    match tree.seek(Find::Equal, (free.length, free.start))? {
        Some(_) => tree.remove().map(|_| ()),
        None => Err(corrupt(ag, "extent missing by length", free.start.0.into())),
    }
}

/// Gives `extent` to the free-space btrees. Nobody may pick it until the transaction is durable.
pub(crate) fn give(tx: &mut Tx<'_>, extent: AgExtent) -> Result<()> {
    let AgExtent { ag, start, length } = extent;
    let mut tree = tx.tree(ag, ByBlock);
    let left = tree.seek(Find::AtMost, start)?;
    let right = tree.next()?;
    let overlaps = left.is_some_and(|left| left.end() > start)
        || right.is_some_and(|right| right.start < extent.end());
    if overlaps {
        return Err(corrupt(ag, "block freed twice", start.0.into()));
    }
    let left = left.filter(|left| left.end() == start);
    let right = right.filter(|right| right.start == extent.end());
    let mut whole = AllocRec { start, length };
    if let Some(right) = right {
        whole.length += right.length;
        tree.seek(Find::Equal, right.start)?;
        tree.remove()?;
    }
    if let Some(left) = left {
        whole = AllocRec { start: left.start, length: left.length + whole.length };
        tree.seek(Find::Equal, left.start)?;
        tree.replace(&whole)?;
    } else {
        tree.insert(&whole)?;
    }
    let mut tree = tx.tree(ag, ByLength);
    for old in [left, right].into_iter().flatten() {
        remove_length(&mut tree, ag, old)?;
    }
    tree.insert(&whole)?;
    let longest = longest(tx, ag)?.max(whole.length);
    count(tx, ag, length.into(), longest)?;
    tx.note_freed(extent)
}

/// Whether a block of `extent` is free.
pub(crate) fn is_any_free(tx: &mut Tx<'_>, extent: AgExtent) -> Result<bool> {
    let mut tree = tx.tree(extent.ag, ByBlock);
    let left = tree.seek(Find::AtMost, extent.start)?;
    let right = tree.next()?;
    Ok(left.is_some_and(|left| left.end() > extent.start)
        || right.is_some_and(|right| right.start < extent.end()))
}

/// The length of the longest free extent, as the AGF has it.
fn longest(tx: &Tx<'_>, ag: AgNumber) -> Result<u32> {
    look_agf(tx, ag, |agf| agf.longest.get())
}

/// Brings the AGF's totals up to date after `change` blocks came or went.
fn count(tx: &mut Tx<'_>, ag: AgNumber, change: i64, longest: u32) -> Result<()> {
    edit_agf(tx, ag, |agf| {
        let blocks = i64::from(agf.freeblks.get()) + change;
        agf.freeblks.set(u32::try_from(blocks).unwrap_or(0));
        agf.longest.set(longest);
    })
}

/// Records a reverse mapping in `ag`, where the volume keeps them.
pub(crate) fn own(tx: &mut Tx<'_>, ag: AgNumber, mapping: RmapRec) -> Result<()> {
    match tx.core.features.has_rmapbt() {
        true => rmap::map(&mut tx.tree(ag, Rmaps), mapping, Overlaps::Some),
        false => Ok(()),
    }
}

/// As [`own`], for what a file with `users` maps. Whoever shares blocks counts them first: where no
/// block of the AG is counted, none has two owners. A journal that is being recovered may come to
/// the mapping first; Linux has marked the file by then.
pub(crate) fn own_mapped(
    tx: &mut Tx<'_>,
    ag: AgNumber,
    mapping: RmapRec,
    users: Users,
) -> Result<()> {
    if !tx.core.features.has_rmapbt() {
        return Ok(());
    }
    let overlaps = overlaps(tx, ag, users)?;
    rmap::map(&mut tx.tree(ag, Rmaps), mapping, overlaps)
}

/// Whether reverse mappings of `ag` may overlap that of what a file with `users` maps.
pub(super) fn overlaps(tx: &mut Tx<'_>, ag: AgNumber, users: Users) -> Result<Overlaps> {
    let counted = |tx: &mut Tx<'_>| refcount::any(&mut tx.tree(ag, Refcounts));
    Ok(match users {
        Users::Several => Overlaps::Some,
        Users::One if tx.core.features.has_reflink() && counted(tx)? => Overlaps::Some,
        Users::One => Overlaps::None,
    })
}

/// Takes away (a part of) a reverse mapping that [`own`] recorded.
pub(crate) fn disown(tx: &mut Tx<'_>, ag: AgNumber, mapping: RmapRec) -> Result<()> {
    match tx.core.features.has_rmapbt() {
        true => rmap::unmap(&mut tx.tree(ag, Rmaps), mapping),
        false => Ok(()),
    }
}

/// A block of metadata from the free space of a prepared AG; it counts as free no longer. `owner`
/// says who gets it.
pub(crate) fn allocate_block(
    tx: &mut Tx<'_>,
    ag: AgNumber,
    near: Option<AgBlock>,
    owner: impl FnOnce(AgBlock) -> RmapRec,
) -> Result<AgBlock> {
    let extent =
        pick(tx, ag, near, 1, 1, Effort::All)?.ok_or(Error::NoSpace { needed: 1, available: 0 })?;
    take(tx, extent)?;
    tx.core.promised.spend(1);
    own(tx, ag, owner(extent.start))?;
    tx.counters.free_blocks -= 1;
    Ok(extent.start)
}

/// Gives back a block that [`allocate_block`] gave; `owner` is its reverse mapping.
pub(crate) fn free_block(tx: &mut Tx<'_>, ag: AgNumber, owner: RmapRec) -> Result<()> {
    disown(tx, ag, owner)?;
    give(tx, AgExtent { ag, start: owner.start, length: owner.length })?;
    tx.counters.free_blocks += i64::from(owner.length);
    Ok(())
}

/// Locks an AG and makes sure that its free list can serve a change of its free space, as far as
/// the AG has blocks for it. What waits may go on waiting: for changes that concern none of it.
pub(crate) fn prepare(tx: &mut Tx<'_>, ag: AgNumber) -> Result<()> {
    tx.lock_ag(ag)?;
    super::settle_if_short(tx, ag)?;
    freelist::fix(tx, ag)
}

/// The same for changes of what lies in files: those that waited are made first.
pub(crate) fn prepare_contents(tx: &mut Tx<'_>, ag: AgNumber) -> Result<()> {
    tx.lock_ag(ag)?;
    super::settle(tx, ag)?;
    freelist::fix(tx, ag)
}
