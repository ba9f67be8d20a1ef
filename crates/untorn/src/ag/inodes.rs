//! Inodes of an AG: picking a free one, making a chunk of new ones, freeing one.
//!
//! The inobt has a record for every 64 inodes that have blocks (all or some of them); the finobt,
//! where the volume has one, repeats those with free inodes. Both, the AGI's counts and the
//! clusters agree after each call. Chunks are not given back when they become empty.

use super::trees::{Trees, edit_agi};
use super::{own, prepare, space};
use crate::btree::{self, ByLength, Find, Tree, TreeBlocks, TreeKind};
use crate::core::Core;
use crate::error::{Error, Result};
use crate::tx::Tx;
use std::borrow::Cow;
use std::sync::Arc;
use untorn_format::ag::AgiDisk;
use untorn_format::log::InodeCreate;
use untorn_format::records::{ChunkForm, INODES_PER_CHUNK, InobtRec, RmapOwner, RmapRec};
use untorn_format::{AgBlock, AgExtent, AgIno, AgNumber, BlockKind, Fault, Ino, Lsn, Place, inode};
use untorn_store::{BlockRef, Item, ItemKey, Logged};

/// Before snapshots of the inodes in it (class 1) in the order of the journal.
const CLASS: u8 = 0;

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

/// Takes a free inode of `ag`, of a new chunk if need be. `NoSpace` where there is neither.
pub(crate) fn allocate(tx: &mut Tx<'_>, ag: AgNumber) -> Result<Ino> {
    prepare(tx, ag)?;
    let chunk = match chunk_with_free(tx, ag)? {
        Some(chunk) => chunk,
        None => {
            make_chunk(tx, ag)?;
            chunk_with_free(tx, ag)?.ok_or_else(|| corrupt(ag, "ir_freecount", 0))?
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
    store(tx, ag, after)?;
    count(tx, ag, 0, 1)
}

/// A chunk of `ag` that has a free inode.
fn chunk_with_free(tx: &mut Tx<'_>, ag: AgNumber) -> Result<Option<InobtRec>> {
    let form = form(tx.core);
    if tx.core.features.has_finobt() {
        return tx.tree(ag, btree::FreeChunks(form)).first();
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

/// Makes a chunk of free inodes.
fn make_chunk(tx: &mut Tx<'_>, ag: AgNumber) -> Result<()> {
    let layout = tx.core.layout;
    let none = || Error::NoSpace { needed: layout.chunk_blocks.into(), available: 0 };
    let start = pick_aligned(tx, ag, layout.chunk_blocks, layout.chunk_align)?.ok_or_else(none)?;
    let extent = AgExtent { ag, start, length: layout.chunk_blocks };
    space::take(tx, extent)?;
    tx.core.promised.spend(extent.length);
    own(tx, ag, RmapRec::special(start, extent.length, RmapOwner::Inodes))?;
    tx.counters.free_blocks -= i64::from(extent.length);
    write_chunk(tx, extent);
    let first = tx.core.geometry.first_ino(start);
    for start in (0..layout.chunk_inodes).step_by(INODES_PER_CHUNK as usize) {
        let chunk = InobtRec {
            start: AgIno(first.0 + start),
            holes: 0,
            count: INODES_PER_CHUNK as u8,
            free_count: INODES_PER_CHUNK as u8,
            free: u64::MAX,
        };
        insert(tx, ag, chunk)?;
    }
    edit_agi(tx, ag, |agi| agi.newino.set(first.0))?;
    count(tx, ag, layout.chunk_inodes.into(), layout.chunk_inodes.into())
}

fn insert(tx: &mut Tx<'_>, ag: AgNumber, chunk: InobtRec) -> Result<()> {
    let form = form(tx.core);
    let mut tree = tx.tree(ag, btree::Chunks(form));
    tree.seek(Find::AtMost, chunk.start)?;
    tree.insert(&chunk)?;
    match tx.core.features.has_finobt() {
        true => tx.tree(ag, btree::FreeChunks(form)).insert(&chunk),
        false => Ok(()),
    }
}

/// `count` free blocks that begin at a multiple of `align`.
fn pick_aligned(tx: &mut Tx<'_>, ag: AgNumber, count: u32, align: u32) -> Result<Option<AgBlock>> {
    let held = tx.core.ag(ag).held.lock_arc();
    let mut tree = tx.tree(ag, ByLength);
    let mut found = tree.seek(Find::AtLeast, (count, AgBlock(0)))?;
    while let Some(free) = found {
        for gap in held.gaps(free.start.0..free.end().0) {
            let start = gap.start.next_multiple_of(align);
            if start.saturating_add(count) <= gap.end {
                return Ok(Some(AgBlock(start)));
            }
        }
        found = tree.next()?;
    }
    Ok(None)
}

/// Stages the clusters of a new chunk and the log item that says how they look.
fn write_chunk(tx: &mut Tx<'_>, extent: AgExtent) {
    let core = Arc::clone(tx.core);
    let generation = rand_generation(&core);
    let (geometry, layout) = (&core.geometry, core.layout);
    let blocks = (0..extent.length).step_by(layout.cluster_blocks as usize);
    let mut homes = Vec::new();
    for block in blocks.map(|skip| AgBlock(extent.start.0 + skip)) {
        let home = BlockRef {
            addr: geometry.addr(extent.ag, block),
            length: layout.cluster_blocks << geometry.block_log,
            kind: BlockKind::Inodes,
            owner: None,
        };
        let mut bytes = vec![0; home.length as usize];
        let first = geometry.first_ino(block);
        for (i, place) in bytes.chunks_exact_mut(geometry.inode_size()).enumerate() {
            let ino = geometry.ino(extent.ag, AgIno(first.0 + i as u32));
            inode::init_free(place, ino, core.meta_uuid(), generation);
        }
        tx.buffers_mut().create_unlogged(&home, bytes.into());
        homes.push(home);
    }
    let create = InodeCreate {
        ag: extent.ag,
        start: extent.start,
        count: layout.chunk_inodes,
        inode_size: geometry.inode_size() as u32,
        length: extent.length,
        generation,
    };
    tx.buffers_mut().log(Arc::new(NewChunk { create, homes }));
}

/// A generation number for new inodes: handles of older users of the blocks must not match.
fn rand_generation(core: &Core) -> u32 {
    let write = core.writes.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let now = crate::clock::now();
    now.nanos.rotate_left(7) ^ (now.seconds as u32) ^ (write as u32).rotate_left(20)
}

/// A new chunk as the journal and its clusters see it.
struct NewChunk {
    create: InodeCreate,
    homes: Vec<BlockRef>,
}

impl Item for NewChunk {
    fn key(&self) -> ItemKey {
        let id = u64::from(self.create.ag.0) << 32 | u64::from(self.create.start.0);
        ItemKey { class: CLASS, id }
    }

    fn log<'a>(&'a self, out: &mut Vec<Logged<'a>>) {
        out.push(self.create.encode().into_iter().map(Cow::Owned).collect());
    }

    fn homes(&self) -> &[BlockRef] {
        &self.homes
    }

    /// The published cluster is what is written: it began as this chunk and has only gained inodes
    /// that are durable.
    fn apply(&self, _home: &BlockRef, _bytes: &mut [u8], _lsn: Lsn) {}
}
