//! Reverse mappings: who owns the blocks of an AG.
//!
//! Invariant: two records that go on from each other (same owner, fork, role and state; blocks and,
//! where there is one, offset adjoin) are one record. Linux leaves them so and its checks rely on
//! it, so that whatever one owner mapped lies within a single record.
//!
//! Only the contents of files may overlap: for those, neighbours and holders are found by their
//! highest keys where the plain search misses them.

use crate::btree::{Find, Rmaps, Tree, TreeBlocks, TreeKind};
use std::ops::{ControlFlow, Range};
use untorn_format::records::{Fork, RmapKey, RmapOwner, RmapRec, RmapRole};
use untorn_format::{AgBlock, Fault, FileBlock};

/// Whether records of the tree may overlap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Overlaps {
    /// Blocks of the AG have several owners.
    Some,
    /// None has: the plain search finds everything.
    None,
}

/// Records `mapping`. Where its owner has the first block already, the volume is corrupt.
pub(crate) fn map<B: TreeBlocks>(
    tree: &mut Tree<Rmaps, B>,
    mapping: RmapRec,
    overlaps: Overlaps,
) -> Result<(), B::Error> {
    let left = find(tree, &mapping, -1, overlaps)?;
    if left.is_some_and(|left| is_kin(&left, &mapping) && left.end() > mapping.start) {
        return Err(wrong(tree, "block that its owner owns already", mapping.start));
    }
    let left = left.filter(|left| goes_on(left, &mapping));
    let right = right_of(tree, &mapping, overlaps)?.filter(|right| goes_on(&mapping, right));
    if right.is_some() {
        tree.remove()?;
    }
    let length = mapping.length + right.map_or(0, |right| right.length);
    let Some(left) = left else { return tree.insert(&RmapRec { length, ..mapping }) };
    stand_on(tree, &left)?;
    tree.replace(&RmapRec { length: left.length + length, ..left })
}

/// The record that begins where `mapping` ends and would go on as it does. Without overlaps it is
/// the next one behind the position, which [`find`] left before `mapping`.
fn right_of<B: TreeBlocks>(
    tree: &mut Tree<Rmaps, B>,
    mapping: &RmapRec,
    overlaps: Overlaps,
) -> Result<Option<RmapRec>, B::Error> {
    let key = part(mapping, mapping.end()).low_key();
    match overlaps {
        Overlaps::Some => tree.seek(Find::Equal, key),
        Overlaps::None => Ok(tree.next()?.filter(|next| next.low_key() == key)),
    }
}

/// Moves to `record`, unless the position is on it. It was found through highest keys: where the
/// search for its own key misses it, the tree is not in order.
fn stand_on<B: TreeBlocks>(tree: &mut Tree<Rmaps, B>, record: &RmapRec) -> Result<(), B::Error> {
    if tree.current()? == Some(*record)
        || tree.seek(Find::Equal, record.low_key())? == Some(*record)
    {
        return Ok(());
    }
    Err(wrong(tree, "record out of order", record.start))
}

/// Takes `mapping`, a record or a part of one, away. Where the record has another state, or there
/// is none, the volume is corrupt.
pub(crate) fn unmap<B: TreeBlocks>(
    tree: &mut Tree<Rmaps, B>,
    mapping: RmapRec,
) -> Result<(), B::Error> {
    let holder = find(tree, &mapping, 0, Overlaps::Some)?.filter(|holder| holds(holder, &mapping));
    match holder {
        Some(holder) => cut(tree, holder, mapping.start..mapping.end()),
        None => Err(wrong(tree, "block that its owner does not own", mapping.start)),
    }
}

/// Whether `mapping` is a record or a part of one.
pub(super) fn is_mapped<B: TreeBlocks>(
    tree: &mut Tree<Rmaps, B>,
    mapping: &RmapRec,
) -> Result<bool, B::Error> {
    let holder = find(tree, mapping, 0, Overlaps::Some)?;
    Ok(holder.is_some_and(|holder| holds(&holder, mapping)))
}

/// Takes `blocks` away from whoever owns them all, alone; `false` where nobody owns any. For an
/// extent of which the journal says that it is to be freed, but not whose it was.
pub(crate) fn unmap_any<B: TreeBlocks>(
    tree: &mut Tree<Rmaps, B>,
    blocks: Range<AgBlock>,
) -> Result<bool, B::Error> {
    let last = AgBlock(blocks.end.0.saturating_sub(1));
    let low = RmapKey { start: blocks.start, owner: 0, offset: 0 };
    let high = RmapKey { start: last, owner: u64::MAX, offset: u64::MAX };
    let Some(owner) = tree.overlapping(low, high, ControlFlow::Break)? else { return Ok(false) };
    if owner.start > blocks.start || owner.end() < blocks.end {
        return Err(wrong(tree, "block that its owner does not own", blocks.start));
    }
    cut(tree, owner, blocks).map(|()| true)
}

/// Takes `blocks`, all of them its own, out of the record `holder`.
fn cut<B: TreeBlocks>(
    tree: &mut Tree<Rmaps, B>,
    holder: RmapRec,
    blocks: Range<AgBlock>,
) -> Result<(), B::Error> {
    stand_on(tree, &holder)?;
    if holder.start < blocks.start {
        let length = blocks.start.0 - holder.start.0;
        tree.replace(&RmapRec { length, ..holder })?;
    } else {
        tree.remove()?;
    }
    if blocks.end < holder.end() { tree.insert(&part(&holder, blocks.end)) } else { Ok(()) }
}

/// The record of the same owner, fork and role that has the first block of `mapping`, or the block
/// before it, at the offset that belongs to it. May give a record that does not, where there is
/// none.
fn find<B: TreeBlocks>(
    tree: &mut Tree<Rmaps, B>,
    mapping: &RmapRec,
    before: i64,
    overlaps: Overlaps,
) -> Result<Option<RmapRec>, B::Error> {
    let plain = tree.seek(Find::AtMost, mapping.low_key())?;
    let Some(point) = point(mapping, before) else { return Ok(None) };
    if overlaps == Overlaps::None
        || !may_overlap(mapping)
        || plain.is_some_and(|plain| covers(&plain, &point))
    {
        return Ok(plain);
    }
    let key = point.low_key();
    tree.overlapping(key, key, |record| match covers(&record, &point) {
        true => ControlFlow::Break(record),
        false => ControlFlow::Continue(()),
    })
}

/// The block `by` blocks from the start of `mapping`, as a mapping of its own; `None` where blocks
/// or offsets begin only there.
fn point(mapping: &RmapRec, by: i64) -> Option<RmapRec> {
    let start = mapping.start.0.checked_add_signed(by as i32)?;
    let offset = match has_offset(mapping) {
        true => mapping.offset.0.checked_add_signed(by)?,
        false => 0,
    };
    Some(RmapRec { start: AgBlock(start), length: 1, offset: FileBlock(offset), ..*mapping })
}

/// What is left of `record` from block `start` on; a length of zero counts as one.
pub(super) fn part(record: &RmapRec, start: AgBlock) -> RmapRec {
    let skipped = start.0 - record.start.0;
    let length = (record.length - skipped).max(1);
    let offset = match has_offset(record) {
        true => FileBlock(record.offset.0 + u64::from(skipped)),
        false => record.offset,
    };
    RmapRec { start, length, offset, ..*record }
}

fn has_offset(record: &RmapRec) -> bool {
    record.owner.is_inode() && record.role == RmapRole::Mapped
}

/// Whether other records may overlap those of this sort.
fn may_overlap(record: &RmapRec) -> bool {
    has_offset(record) && record.fork == Fork::Data
}

/// Whether both are of one owner, fork and role.
fn is_kin(a: &RmapRec, b: &RmapRec) -> bool {
    (a.owner, a.fork, a.role) == (b.owner, b.fork, b.role)
}

/// Whether `record` has the blocks of `mapping` for the same owner at the same offset.
fn covers(record: &RmapRec, mapping: &RmapRec) -> bool {
    is_kin(record, mapping)
        && record.start <= mapping.start
        && mapping.end() <= record.end()
        && (!has_offset(record)
            || mapping.offset.0.checked_sub(record.offset.0)
                == Some(u64::from(mapping.start.0 - record.start.0)))
}

fn holds(record: &RmapRec, mapping: &RmapRec) -> bool {
    covers(record, mapping) && record.state == mapping.state
}

/// Whether `next` goes on where `record` ends, so that the two are one record.
pub(super) fn goes_on(record: &RmapRec, next: &RmapRec) -> bool {
    is_kin(record, next)
        && record.state == next.state
        && record.end() == next.start
        && record.owner != RmapOwner::Null
        && (!has_offset(record)
            || record.offset.0.checked_add(record.length.into()) == Some(next.offset.0))
}

fn wrong<B: TreeBlocks>(tree: &Tree<Rmaps, B>, field: &'static str, block: AgBlock) -> B::Error {
    tree.corrupt(Fault::Field { what: Rmaps::KIND.name(), field, value: block.0.into() })
}
