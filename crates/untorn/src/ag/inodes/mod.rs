//! Inodes of an AG: picking a free one, making a chunk of new ones, freeing one.
//!
//! The inobt has a record for every 64 inodes that have blocks (all or some of them); the finobt,
//! where the volume has one, repeats those with free inodes. Both, the AGI's counts and the
//! clusters agree after each call.
//!
//! A chunk whose inodes are all free goes, unless the volume was opened to keep them.

mod chunk;
mod look;

pub use chunk::EmptyChunks;
pub(crate) use look::is_allocated;

use super::prepare;
use super::trees::{Trees, edit_agi};
use crate::btree::{self, Find, Tree, TreeBlocks, TreeKind};
use crate::core::Core;
use crate::error::{Error, Result};
use crate::tx::Tx;
use untorn_format::ag::AgiDisk;
use untorn_format::records::{ChunkForm, INODES_PER_CHUNK, InobtRec};
use untorn_format::{AgIno, AgNumber, BlockKind, Fault, Ino, Place};

fn form(core: &Core) -> ChunkForm {
    match core.features.has_sparse_inodes() {
        true => ChunkForm::Sparse,
        false => ChunkForm::Full,
    }
}

fn corrupt(ag: AgNumber, field: &'static str, value: u64) -> Error {
    let fault = Fault::Field { what: "inode btree", field, value };
    fault.at(Place { ag: Some(ag), ..Place::default() }).into()
}

/// Takes a free inode of `ag`, the nearest to `near` if that is given, of a new chunk if need be.
/// `NoSpace` where there is neither.
pub(crate) fn allocate(tx: &mut Tx<'_>, ag: AgNumber, near: Option<AgIno>) -> Result<Ino> {
    prepare(tx, ag)?;
    let chunk = match chunk_with_free(tx, ag, near)? {
        Some(chunk) => chunk,
        None => {
            chunk::make(tx, ag)?;
            chunk_with_free(tx, ag, None)?.ok_or_else(|| corrupt(ag, "ir_freecount", 0))?
        }
    };
    let index = chunk.first_free().ok_or_else(|| corrupt(ag, "ir_free", chunk.free))?;
    let after =
        InobtRec { free: chunk.free & !(1 << index), free_count: chunk.free_count - 1, ..chunk };
    store(tx, ag, after)?;
    count(tx, ag, 0, -1)?;
    Ok(tx.core.geometry.ino(ag, AgIno(chunk.start.0 + index)))
}

/// Makes an inode free. Its bytes must say so too.
pub(crate) fn free(tx: &mut Tx<'_>, ino: Ino) -> Result<()> {
    let outside = || {
        Error::from(
            Fault::Field { what: "inode number", field: "ino", value: ino.0 }.at(Place::inode(ino)),
        )
    };
    let (ag, in_ag) = tx.core.geometry.split_ino(ino).ok_or_else(outside)?;
    prepare(tx, ag)?;
    let kind = btree::Chunks(form(tx.core));
    let found = tx.tree(ag, kind).seek(Find::AtMost, in_ag)?;
    let chunk = found.filter(|chunk| in_ag.0 - chunk.start.0 < INODES_PER_CHUNK);
    let chunk = chunk.ok_or_else(|| corrupt(ag, "inode without a chunk", in_ag.0.into()))?;
    let bit = 1u64 << (in_ag.0 - chunk.start.0);
    if chunk.allocated() & bit == 0 || chunk.free & bit != 0 {
        return Err(corrupt(ag, "inode freed twice", in_ag.0.into()));
    }
    let after = InobtRec { free: chunk.free | bit, free_count: chunk.free_count + 1, ..chunk };
    if chunk::goes(tx.core, &after) {
        return chunk::remove(tx, ag, chunk);
    }
    store(tx, ag, after)?;
    count(tx, ag, 0, 1)
}

/// A chunk of `ag` that has a free inode.
fn chunk_with_free(tx: &mut Tx<'_>, ag: AgNumber, near: Option<AgIno>) -> Result<Option<InobtRec>> {
    let form = form(tx.core);
    if tx.core.features.has_finobt() {
        return nearest(tx, ag, near.unwrap_or(AgIno(0)));
    }
    let header = tx.core.header(ag, BlockKind::Agi);
    let image = tx.read(&header)?;
    let agi = AgiDisk::of(&image).map_err(|fault| fault.at(Place::at(header.addr)))?;
    if agi.freecount.get() == 0 {
        return Ok(None);
    }
    let mut tree = tx.tree(ag, btree::Chunks(form));
    let mut chunk = tree.first()?;
    while let Some(found) = chunk.filter(|chunk| chunk.free_count == 0) {
        chunk = tree.next()?.filter(|next| next.start > found.start);
    }
    Ok(chunk)
}

/// The chunk with a free inode that is nearest to `near`.
fn nearest(tx: &mut Tx<'_>, ag: AgNumber, near: AgIno) -> Result<Option<InobtRec>> {
    let mut tree = tx.tree(ag, btree::FreeChunks(form(tx.core)));
    let Some(left) = tree.seek(Find::AtMost, near)? else { return tree.first() };
    let right = tree.next()?;
    let distance = |chunk: &InobtRec| chunk.start.0.abs_diff(near.0);
    let closer = right.filter(|right| distance(right) < distance(&left));
    Ok(Some(closer.unwrap_or(left)))
}

/// Writes a chunk that changed to both trees.
fn store(tx: &mut Tx<'_>, ag: AgNumber, chunk: InobtRec) -> Result<()> {
    let form = form(tx.core);
    let mut tree = tx.tree(ag, btree::Chunks(form));
    let before = tree.seek(Find::Equal, chunk.start)?;
    let before = before.ok_or_else(|| corrupt(ag, "ir_startino", chunk.start.0.into()))?;
    tree.replace(&chunk)?;
    if !tx.core.features.has_finobt() {
        return Ok(());
    }
    let mut tree = tx.tree(ag, btree::FreeChunks(form));
    match (before.free_count, chunk.free_count) {
        (0, 0) => Ok(()),
        (0, _) => tree.insert(&chunk),
        (_, 0) => find(&mut tree, ag, chunk.start)?.remove().map(|_| ()),
        _ => find(&mut tree, ag, chunk.start)?.replace(&chunk),
    }
}

fn find<K, B>(tree: &mut Tree<K, B>, ag: AgNumber, start: AgIno) -> Result<&mut Tree<K, B>>
where
    K: TreeKind<Rank = AgIno, Record = InobtRec>,
    B: TreeBlocks<Error = Error>,
{
    match tree.seek(Find::Equal, start)? {
        Some(_) => Ok(tree),
        None => Err(corrupt(ag, "chunk missing from the finobt", start.0.into())),
    }
}

/// Adds to the counts of inodes and of free inodes.
fn count(tx: &mut Tx<'_>, ag: AgNumber, inodes: i64, free: i64) -> Result<()> {
    let add = |count: u32, change: i64| count.wrapping_add_signed(change as i32);
    edit_agi(tx, ag, |agi| {
        agi.count.set(add(agi.count.get(), inodes));
        agi.freecount.set(add(agi.freecount.get(), free));
    })?;
    tx.counters.inodes += inodes;
    tx.counters.free_inodes += free;
    Ok(())
}
