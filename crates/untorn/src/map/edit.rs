//! Changing extent maps inside a transaction.
//!
//! Every change is a few records out and a few records in. What the inode and the AGs count, and
//! the reverse mappings, change with them; the fork changes its form when its list grows too long
//! or its tree becomes short enough.

use super::fork::{read_list, shape_of, staged};
use super::list;
use super::tree::ForkTree;
use crate::ag::{LaterChange, Users, disown, own_mapped, prepare, prepare_contents};
use crate::btree::{self, Fill, Find, Tree, TreeBlocks};
use crate::error::{Error, Result};
use crate::inode::core_of;
use crate::tx::Tx;
use smallvec::SmallVec;
use std::ops::Range;
use untorn_format::features::Features;
use untorn_format::inode::{self, DinodeDisk, ForkFormat, InodeCore, InodeFlags2, max_extents};
use untorn_format::records::{Extent, ExtentState, Fork, RmapOwner, RmapRec, RmapRole};
use untorn_format::{Fault, FileBlock, FsBlock, Ino, Place};

/// Maps `extent` into a hole of the fork. The blocks were taken already.
pub(crate) fn map(tx: &mut Tx<'_>, ino: Ino, fork: Fork, extent: Extent) -> Result<()> {
    join(tx, ino, fork, &[], extent)?;
    reverse(tx, ino, fork, extent, Reverse::Map)?;
    count_blocks(tx, ino, i64::from(extent.length))
}

/// Unmaps all that is mapped in `range`; the pieces, in order. Their blocks are nobody's now.
pub(crate) fn unmap(
    tx: &mut Tx<'_>,
    ino: Ino,
    fork: Fork,
    range: Range<FileBlock>,
) -> Result<Vec<Extent>> {
    let found = overlapping(tx, ino, fork, &range)?;
    if found.is_empty() {
        return Ok(found);
    }
    let cuts = || found.iter().map(|extent| cut(*extent, &range));
    let rest: Vec<_> = cuts().flat_map(|cut| [cut.left, cut.right]).flatten().collect();
    change(tx, ino, fork, &found, &rest)?;
    let pieces: Vec<_> = cuts().map(|cut| cut.middle).collect();
    for piece in &pieces {
        reverse(tx, ino, fork, *piece, Reverse::Unmap)?;
    }
    let blocks: i64 = pieces.iter().map(|piece| i64::from(piece.length)).sum();
    count_blocks(tx, ino, -blocks)?;
    Ok(pieces)
}

/// All extents that reach into `range`. Those of a damaged fork may overlap, or be more than were
/// counted.
fn overlapping(
    tx: &mut Tx<'_>,
    ino: Ino,
    fork: Fork,
    range: &Range<FileBlock>,
) -> Result<Vec<Extent>> {
    let mut found: Vec<Extent> = Vec::new();
    if range.is_empty() {
        return Ok(found);
    }
    let (_, count) = shape_of(ino, tx.inode_bytes(ino), fork)?;
    let mut extents = staged(tx, ino, fork)?;
    let mut next = extents.at_or_after(range.start)?;
    while let Some(extent) = next.filter(|extent| extent.file < range.end) {
        if found.last().is_some_and(|last| last.file_end() > extent.file) {
            return Err(corrupt(ino, "block that is mapped twice", extent.file));
        }
        if found.len() as u64 >= count {
            return Err(corrupt(ino, "count of extents too small", extent.file));
        }
        found.push(extent);
        // Behind the last there is nothing to look for.
        let is_last = extent.file_end() >= range.end;
        next = if is_last { None } else { extents.following(&extent)? };
    }
    Ok(found)
}

/// Gives all that is mapped in `range` the state `to`.
pub(crate) fn convert(
    tx: &mut Tx<'_>,
    ino: Ino,
    range: Range<FileBlock>,
    to: ExtentState,
) -> Result<()> {
    let fork = Fork::Data;
    let mut at = range.start;
    while let Some(extent) = staged(tx, ino, fork)?.at_or_after(at)?.filter(|e| e.file < range.end)
    {
        at = extent.file_end();
        if extent.state == to {
            continue;
        }
        let cut = cut(extent, &range);
        let rest: Vec<_> = [cut.left, cut.right].into_iter().flatten().collect();
        change(tx, ino, fork, &[extent], &rest)?;
        reverse(tx, ino, fork, cut.middle, Reverse::Unmap)?;
        let converted = Extent { state: to, ..cut.middle };
        join(tx, ino, fork, &[], converted)?;
        reverse(tx, ino, fork, converted, Reverse::Map)?;
    }
    Ok(())
}

/// The part of `extent` inside `range`, which it overlaps.
pub(crate) fn trim(extent: Extent, range: &Range<FileBlock>) -> Extent {
    cut(extent, range).middle
}

/// An extent in three parts: before, inside and behind a range.
pub(super) struct Cut {
    pub left: Option<Extent>,
    pub middle: Extent,
    pub right: Option<Extent>,
}

pub(super) fn cut(extent: Extent, range: &Range<FileBlock>) -> Cut {
    let from = extent.file.max(range.start);
    let to = extent.file_end().min(range.end);
    let part = |from: FileBlock, to: FileBlock| {
        let skip = from.0 - extent.file.0;
        let length = to.0.saturating_sub(from.0) as u32;
        Extent { file: from, start: FsBlock(extent.start.0 + skip), length, state: extent.state }
    };
    let some = |extent: Extent| (extent.length > 0).then_some(extent);
    Cut {
        left: some(part(extent.file, from)),
        middle: part(from, to),
        right: some(part(to, extent.file_end())),
    }
}

/// Puts `extent` in, one with the neighbours that it continues.
fn join(tx: &mut Tx<'_>, ino: Ino, fork: Fork, out: &[Extent], extent: Extent) -> Result<()> {
    let (left, right) = staged(tx, ino, fork)?.around(extent.file)?;
    let overlaps = left.is_some_and(|left| left.file_end() > extent.file)
        || right.is_some_and(|right| right.file < extent.file_end());
    if overlaps {
        return Err(corrupt(ino, "block that is mapped already", extent.file));
    }
    let mut whole = extent;
    let mut out = out.to_vec();
    for neighbour in [left, right].into_iter().flatten() {
        if let Some(joined) = joined(neighbour, whole) {
            out.push(neighbour);
            whole = joined;
        }
    }
    change(tx, ino, fork, &out, &[whole])
}

fn corrupt(ino: Ino, field: &'static str, at: FileBlock) -> Error {
    Fault::Field { what: "extent map", field, value: at.0 }.at(Place::inode(ino)).into()
}

/// Two extents as one, where one goes on as the other and the length allows it.
pub(super) fn joined(a: Extent, b: Extent) -> Option<Extent> {
    let (first, second) = if a.file < b.file { (a, b) } else { (b, a) };
    let length = first.length.checked_add(second.length)?;
    let one = first.continues_as(second) && length <= Extent::MAX_LENGTH;
    one.then_some(Extent { length, ..first })
}

/// Takes the records `out` out of the fork and puts `records` in.
pub(super) fn change(
    tx: &mut Tx<'_>,
    ino: Ino,
    fork: Fork,
    out: &[Extent],
    records: &[Extent],
) -> Result<()> {
    let (format, before) = shape_of(ino, tx.inode_bytes(ino), fork)?;
    let missing = || corrupt(ino, "count of extents too small", FileBlock(0));
    let count = before + records.len() as u64;
    let count = count.checked_sub(out.len() as u64).ok_or_else(missing)?;
    let flags2 = dinode(tx, ino)?.wide_flags();
    let counts = counting(tx.core.features, flags2, fork, count).ok_or_else(|| {
        let what = format!("a fork of inode {ino} with {count} extents");
        let remedy = "copy the file, or upgrade the volume to nrext64".to_owned();
        Error::Unsupported { what, remedy }
    })?;
    if counts != flags2 {
        // Both counters move.
        let core = InodeCore { flags2: counts, ..core_of(ino, tx.inode_bytes(ino))? };
        core.encode(tx.inode_mut(ino));
    }
    match format {
        ForkFormat::Btree => {
            let mut tree = Tree::new(btree::Extents, ForkTree { tx, ino, fork });
            change_records(ino, &mut tree, out, records)?;
            if out.len() == records.len() {
                return Ok(());
            }
            dinode_mut(tx, ino)?.set_fork_shape(fork, ForkFormat::Btree, count);
            shrink_to_list(tx, ino, fork, count)
        }
        _ => {
            let list = read_list(ino, tx.inode_bytes(ino), fork, before)?;
            change_list(tx, ino, fork, (format, list), out, records)
        }
    }
}

fn dinode<'a>(tx: &'a Tx<'_>, ino: Ino) -> Result<&'a DinodeDisk> {
    let dinode = DinodeDisk::of(tx.inode_bytes(ino));
    Ok(dinode.map_err(|fault| fault.at(Place::inode(ino)))?)
}

fn dinode_mut<'a>(tx: &'a mut Tx<'_>, ino: Ino) -> Result<&'a mut DinodeDisk> {
    let dinode = DinodeDisk::of_mut(tx.inode_mut(ino));
    Ok(dinode.map_err(|fault| fault.at(Place::inode(ino)))?)
}

/// The flags of an inode that can count `count` extents: with wide counters where the volume allows
/// them and narrow ones do not reach; `None` where none do.
fn counting(
    features: Features,
    flags2: InodeFlags2,
    fork: Fork,
    count: u64,
) -> Option<InodeFlags2> {
    let wide = flags2.with(InodeFlags2::NREXT64);
    let choices = [Some(flags2), features.has_nrext64().then_some(wide)];
    choices.into_iter().flatten().find(|&flags2| count <= max_extents(fork, flags2))
}

fn fork_mut<'a>(tx: &'a mut Tx<'_>, ino: Ino, fork: Fork) -> Result<&'a mut [u8]> {
    let bytes = tx.inode_mut(ino);
    let bytes = match fork {
        Fork::Data => inode::data_fork_mut(bytes),
        Fork::Attr => inode::attr_fork_mut(bytes),
    };
    Ok(bytes.map_err(|fault| fault.at(Place::inode(ino)))?)
}

/// The same for a fork that is a list, whose form and records come along.
fn change_list(
    tx: &mut Tx<'_>,
    ino: Ino,
    fork: Fork,
    (format, mut list): (ForkFormat, Vec<Extent>),
    out: &[Extent],
    records: &[Extent],
) -> Result<()> {
    list.retain(|extent| !out.contains(extent));
    list.extend(records);
    list.sort_unstable_by_key(|extent| extent.file);
    let count = list.len() as u64;
    if list.len() <= list::capacity(fork_mut(tx, ino, fork)?.len()) {
        dinode_mut(tx, ino)?.set_fork_shape(fork, format, count);
        list::encode(&list, fork_mut(tx, ino, fork)?);
        return Ok(());
    }
    dinode_mut(tx, ino)?.set_fork_shape(fork, ForkFormat::Btree, count);
    let size = tx.core.geometry.block_size();
    let mut tree = Tree::new(btree::Extents, ForkTree { tx, ino, fork });
    tree.build(size, Fill::Loose, count, list)
}

/// Takes the records `out` out of the tree of a fork of `ino` and puts `records` in.
pub(super) fn change_records(
    ino: Ino,
    tree: &mut Tree<btree::Extents, ForkTree<'_, '_>>,
    out: &[Extent],
    records: &[Extent],
) -> Result<()> {
    let mut records: SmallVec<[Extent; 3]> = records.into();
    for old in out {
        let found = tree.seek(Find::Equal, old.file)?;
        if found.as_ref() != Some(old) {
            return Err(corrupt(ino, "extent that is not where it was", old.file));
        }
        match records.iter().position(|new| new.file == old.file) {
            Some(index) => tree.replace(&records.swap_remove(index))?,
            None => drop(tree.remove()?),
        }
    }
    records.iter().try_for_each(|record| tree.insert(record))
}

/// Moves the records of a tree that has become short back into the inode.
fn shrink_to_list(tx: &mut Tx<'_>, ino: Ino, fork: Fork, count: u64) -> Result<()> {
    let room = list::capacity(fork_mut(tx, ino, fork)?.len());
    if count > room as u64 {
        return Ok(());
    }
    let mut tree = Tree::new(btree::Extents, ForkTree { tx, ino, fork });
    let mut list = Vec::with_capacity(room);
    let mut next = tree.first()?;
    // One more than were counted shows that the count lies.
    while let Some(extent) = next.filter(|_| list.len() as u64 <= count) {
        list.push(extent);
        next = tree.next()?;
    }
    if list.len() as u64 != count {
        return Err(corrupt(ino, "count of extents unlike its tree", FileBlock(count)));
    }
    let mut blocks = Vec::new();
    tree.visit_blocks(|block, _| blocks.push(block))?;
    blocks.into_iter().try_for_each(|block| tree.blocks().free(block))?;
    dinode_mut(tx, ino)?.set_fork_shape(fork, ForkFormat::Extents, count);
    list::encode(&list, fork_mut(tx, ino, fork)?);
    Ok(())
}

pub(super) fn count_blocks(tx: &mut Tx<'_>, ino: Ino, change: i64) -> Result<()> {
    if change == 0 {
        return Ok(());
    }
    let dinode = dinode_mut(tx, ino)?;
    dinode.nblocks.set(dinode.nblocks.get().saturating_add_signed(change));
    Ok(())
}

/// What happens to a reverse mapping.
#[derive(Clone, Copy)]
pub(super) enum Reverse {
    Map,
    Unmap,
}

pub(super) fn reverse(
    tx: &mut Tx<'_>,
    ino: Ino,
    fork: Fork,
    extent: Extent,
    what: Reverse,
) -> Result<()> {
    if !tx.core.features.has_rmapbt() {
        return Ok(());
    }
    let run = tx.core.ag_extent(extent.start, extent.length)?;
    let mapping = RmapRec {
        start: run.start,
        length: run.length,
        owner: RmapOwner::Inode(ino),
        offset: extent.file,
        fork,
        role: RmapRole::Mapped,
        state: extent.state,
    };
    if tx.puts_off(run.ag) && fork == Fork::Data {
        let change = match what {
            Reverse::Map => LaterChange::Own(mapping),
            Reverse::Unmap => LaterChange::Disown(mapping),
        };
        return tx.put_off(run.ag, change);
    }
    match fork {
        Fork::Data => prepare_contents(tx, run.ag)?,
        Fork::Attr => prepare(tx, run.ag)?,
    }
    match what {
        Reverse::Map => {
            let users = match dinode(tx, ino)?.wide_flags().has(InodeFlags2::REFLINK) {
                true => Users::Several,
                false => Users::One,
            };
            own_mapped(tx, run.ag, mapping, users)
        }
        Reverse::Unmap => disown(tx, run.ag, mapping),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{File, NewFile, OpenOptions, Sync, Volume, mkfs, probe};
    use std::sync::Arc;
    use untorn_device::MemoryDevice;

    fn features(nrext64: bool) -> Features {
        let device = MemoryDevice::new(32 << 20);
        let mut options = mkfs::Options::default();
        options.features.nrext64 = nrext64;
        mkfs::make(&device, &options).unwrap();
        probe(&device).unwrap().features
    }

    #[test]
    fn h69_extents_that_cannot_be_counted_are_refused_before_the_map_changes() {
        let (narrow, wide) = (InodeFlags2::default(), InodeFlags2::NREXT64);
        let most = max_extents(Fork::Data, narrow);
        let (old, new) = (features(false), features(true));
        assert_eq!(counting(old, narrow, Fork::Data, most), Some(narrow));
        assert_eq!(counting(old, narrow, Fork::Data, most + 1), None);
        assert_eq!(counting(new, narrow, Fork::Data, most), Some(narrow));
        assert_eq!(counting(new, narrow, Fork::Data, most + 1), Some(wide));
        let most = max_extents(Fork::Data, wide);
        assert_eq!(counting(new, wide, Fork::Data, most + 1), None);
        assert_eq!(counting(old, narrow, Fork::Attr, 1 << 15), None);
        assert_eq!(counting(new, narrow, Fork::Attr, 1 << 15), Some(wide));
    }

    /// A file with a tree of extents of two blocks, each behind a hole of one.
    fn scattered() -> (Volume, File) {
        let device = Arc::new(MemoryDevice::new(64 << 20));
        mkfs::make(&*device, &mkfs::Options::default()).unwrap();
        let volume = Volume::open(device, OpenOptions::default()).unwrap();
        let file = volume.create_file("/file", NewFile::default()).unwrap();
        for block in (0..150).step_by(3) {
            file.write_atomic(block * 4096, &[1; 8192], Sync::Visible).unwrap();
        }
        (volume, file)
    }

    /// What is told where all of a damaged fork is unmapped.
    fn told(damage: impl Fn(&mut Tx<'_>, Ino, Extent) -> Result<()>) -> String {
        let (volume, file) = scattered();
        let ino = file.ino();
        let inode = Arc::clone(file.inode());
        let done = volume.core().transact(1 << 16, &[inode], |tx| {
            let first = staged(tx, ino, Fork::Data)?.at_or_after(FileBlock(0))?.unwrap();
            damage(tx, ino, first)?;
            unmap(tx, ino, Fork::Data, FileBlock(0)..FileBlock(200))
        });
        done.unwrap_err().to_string()
    }

    #[test]
    fn extents_that_lie_in_others_are_not_unmapped() {
        let told = told(|tx, ino, first| {
            let long = Extent { length: 5, ..first };
            change(tx, ino, Fork::Data, &[first], &[long])
        });
        assert!(told.contains("mapped twice"), "{told}");
    }

    #[test]
    fn no_more_extents_are_unmapped_than_were_counted() {
        let told = told(|tx, ino, _| {
            dinode_mut(tx, ino)?.set_fork_shape(Fork::Data, ForkFormat::Btree, 30);
            Ok(())
        });
        // Where it is met, not once all are gathered.
        assert!(told.contains("count of extents too small") && told.contains("90"), "{told}");
    }

    #[test]
    fn nothing_is_unmapped_of_an_empty_range() {
        let (volume, file) = scattered();
        let inode = Arc::clone(file.inode());
        let empty = FileBlock(4)..FileBlock(4);
        let body = |tx: &mut Tx<'_>| unmap(tx, file.ino(), Fork::Data, empty.clone());
        let (pieces, _) = volume.core().transact(1 << 16, &[inode], body).unwrap();
        assert!(pieces.is_empty());
    }
}
