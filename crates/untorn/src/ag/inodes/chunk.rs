//! Chunks of inodes: made of free blocks, given back when nobody uses one of theirs.
//!
//! A whole chunk is 64 inodes, aligned. Where free space is shattered, a part of one is made on
//! volumes that allow it: its record has holes where it has no blocks, which later parts fill.

use super::{corrupt, count, find, form, store};
use crate::ag::trees::{Trees, edit_agi};
use crate::ag::{own, space};
use crate::btree::{self, ByLength, Find};
use crate::core::Core;
use crate::error::{Error, Result};
use crate::tx::Tx;
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use untorn_format::log::InodeCreate;
use untorn_format::records::{INODES_PER_CHUNK, INODES_PER_HOLE_BIT, InobtRec, RmapOwner, RmapRec};
use untorn_format::{AgBlock, AgExtent, AgIno, AgNumber, BlockKind, Lsn, inode};
use untorn_store::{BlockRef, Item, ItemKey, Logged};

/// Before snapshots of the inodes in it (class 1) in the order of the journal.
const CLASS: u8 = 0;

/// Makes free inodes: a whole chunk, or a part of one.
pub(super) fn make(tx: &mut Tx<'_>, ag: AgNumber) -> Result<()> {
    let layout = tx.core.layout;
    let inodes = tx.core.counters.inodes.load(Ordering::Relaxed) + tx.counters.inodes;
    let limit = layout.most_inodes.and_then(|most| i64::try_from(most).ok());
    let none = || Error::NoSpace { needed: layout.chunk_blocks.into(), available: 0 };
    if limit.is_some_and(|most| inodes + i64::from(layout.chunk_inodes) > most) {
        return Err(none());
    }
    let all = AgBlock(0)..AgBlock(tx.core.geometry.blocks_of(ag));
    let whole = pick_aligned(tx, ag, (layout.chunk_blocks, layout.chunk_align), all)?;
    if let Some(start) = whole {
        return make_whole(tx, AgExtent { ag, start, length: layout.chunk_blocks });
    }
    let part = match places_of_parts(tx.core, ag) {
        Some(places) => {
            let length = layout.smallest_chunk_blocks;
            let start = pick_aligned(tx, ag, (length, length), places)?;
            start.map(|start| AgExtent { ag, start, length })
        }
        None => None,
    };
    make_part(tx, part.ok_or_else(none)?)
}

/// Where parts of chunks may lie: so that the whole would lie inside the AG.
fn places_of_parts(core: &Core, ag: AgNumber) -> Option<Range<AgBlock>> {
    let layout = core.layout;
    let legal = core.features.has_sparse_inodes()
        && layout.chunk_inodes == INODES_PER_CHUNK
        && layout.cluster_align == layout.chunk_blocks
        && layout.smallest_chunk_blocks < layout.chunk_blocks;
    let end = core.geometry.blocks_of(ag) / layout.chunk_blocks * layout.chunk_blocks;
    legal.then_some(AgBlock(layout.chunk_blocks)..AgBlock(end))
}

fn make_whole(tx: &mut Tx<'_>, extent: AgExtent) -> Result<()> {
    take_blocks(tx, extent)?;
    let layout = tx.core.layout;
    let first = tx.core.geometry.first_ino(extent.start);
    for start in (0..layout.chunk_inodes).step_by(INODES_PER_CHUNK as usize) {
        let chunk = InobtRec {
            start: AgIno(first.0 + start),
            holes: 0,
            count: INODES_PER_CHUNK as u8,
            free_count: INODES_PER_CHUNK as u8,
            free: u64::MAX,
        };
        insert(tx, extent.ag, chunk)?;
    }
    count(tx, extent.ag, layout.chunk_inodes.into(), layout.chunk_inodes.into())
}

/// Makes a part of a chunk, of which other parts may be there already.
fn make_part(tx: &mut Tx<'_>, extent: AgExtent) -> Result<()> {
    take_blocks(tx, extent)?;
    let geometry = &tx.core.geometry;
    let start = extent.start.0 / tx.core.layout.chunk_blocks * tx.core.layout.chunk_blocks;
    let chunk = geometry.first_ino(AgBlock(start));
    let inodes = extent.length * geometry.inodes_per_block();
    let skip = geometry.first_ino(extent.start).0 - chunk.0;
    let bits = (1u32 << (inodes / INODES_PER_HOLE_BIT)) - 1;
    let part = (bits << (skip / INODES_PER_HOLE_BIT)) as u16;
    let form = form(tx.core);
    let before = tx.tree(extent.ag, btree::Chunks(form)).seek(Find::Equal, chunk)?;
    let inodes_byte = inodes as u8;
    match before {
        None => {
            let (count, free_count) = (inodes_byte, inodes_byte);
            let holes = !part;
            let new = InobtRec { start: chunk, holes, count, free_count, free: u64::MAX };
            insert(tx, extent.ag, new)?;
        }
        Some(before) if before.holes & part != part => {
            return Err(corrupt(extent.ag, "free blocks with inodes", extent.start.0.into()));
        }
        Some(before) => {
            let holes = before.holes & !part;
            let count = before.count + inodes_byte;
            let free_count = before.free_count + inodes_byte;
            store(tx, extent.ag, InobtRec { holes, count, free_count, ..before })?;
        }
    }
    count(tx, extent.ag, inodes.into(), inodes.into())
}

/// Takes free blocks and fills them with free inodes.
fn take_blocks(tx: &mut Tx<'_>, extent: AgExtent) -> Result<()> {
    space::take(tx, extent)?;
    tx.core.promised.spend(extent.length);
    own(tx, extent.ag, RmapRec::special(extent.start, extent.length, RmapOwner::Inodes))?;
    tx.counters.free_blocks -= i64::from(extent.length);
    write_chunk(tx, extent);
    let first = tx.core.geometry.first_ino(extent.start);
    edit_agi(tx, extent.ag, |agi| agi.newino.set(first.0))
}

/// Whether a chunk that is like this is given back.
pub(super) fn goes(core: &Core, chunk: &InobtRec) -> bool {
    let alone = core.geometry.inodes_per_block() <= INODES_PER_CHUNK;
    alone && chunk.free == u64::MAX && core.empty_chunks == EmptyChunks::GiveBack
}

/// What becomes of chunks of inodes that nobody uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EmptyChunks {
    /// Their blocks become free space.
    #[default]
    GiveBack,
    /// They stay (the mount option `ikeep` of Linux).
    Keep,
}

/// Gives back the blocks of `chunk`, whose last inode is being freed.
pub(super) fn remove(tx: &mut Tx<'_>, ag: AgNumber, chunk: InobtRec) -> Result<()> {
    let form = form(tx.core);
    find(&mut tx.tree(ag, btree::Chunks(form)), ag, chunk.start)?.remove()?;
    if tx.core.features.has_finobt() && chunk.free_count > 0 {
        find(&mut tx.tree(ag, btree::FreeChunks(form)), ag, chunk.start)?.remove()?;
    }
    count(tx, ag, -i64::from(chunk.count), -i64::from(chunk.free_count))?;
    for run in runs(tx.core, ag, &chunk) {
        cancel_clusters(tx, run);
        let owner = RmapRec::special(run.start, run.length, RmapOwner::Inodes);
        space::free_block(tx, ag, owner)?;
    }
    Ok(())
}

/// The runs of blocks that a chunk has.
fn runs(core: &Core, ag: AgNumber, chunk: &InobtRec) -> Vec<AgExtent> {
    let per_block = core.geometry.inodes_per_block();
    let (first, _) = core.geometry.inode_block(chunk.start);
    let allocated = chunk.allocated();
    let mut runs: Vec<AgExtent> = Vec::new();
    for index in (0..INODES_PER_CHUNK).step_by(per_block as usize) {
        if allocated >> index & 1 == 0 {
            continue;
        }
        let start = AgBlock(first.0 + index / per_block);
        match runs.last_mut().filter(|run| run.end() == start) {
            Some(run) => run.length += 1,
            None => runs.push(AgExtent { ag, start, length: 1 }),
        }
    }
    runs
}

/// Tells the journal that the clusters in `run` are gone, with all that it has of their inodes.
fn cancel_clusters(tx: &mut Tx<'_>, run: AgExtent) {
    let core = Arc::clone(tx.core);
    let blocks = (run.start.0..run.end().0).map(AgBlock);
    let clusters: BTreeSet<AgBlock> = blocks.map(|block| core.cluster_of(block)).collect();
    for start in clusters {
        tx.buffers_mut().cancel(&cluster(&core, run.ag, start));
    }
}

fn cluster(core: &Core, ag: AgNumber, start: AgBlock) -> BlockRef {
    BlockRef {
        addr: core.geometry.addr(ag, start),
        length: core.layout.cluster_blocks << core.geometry.block_log,
        kind: BlockKind::Inodes,
        owner: None,
    }
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

/// `length` free blocks inside `places` that begin at a multiple of `align`.
fn pick_aligned(
    tx: &mut Tx<'_>,
    ag: AgNumber,
    (length, align): (u32, u32),
    places: Range<AgBlock>,
) -> Result<Option<AgBlock>> {
    let held = tx.core.ag(ag).held.lock_arc();
    let mut tree = tx.tree(ag, ByLength);
    let mut found = tree.seek(Find::AtLeast, (length, AgBlock(0)))?;
    while let Some(free) = found {
        for gap in held.gaps(free.start.0..free.end().0) {
            let start = gap.start.max(places.start.0).next_multiple_of(align);
            if start.saturating_add(length) <= gap.end.min(places.end.0) {
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
        let home = cluster(&core, extent.ag, block);
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
        count: extent.length * geometry.inodes_per_block(),
        inode_size: geometry.inode_size() as u32,
        length: extent.length,
        generation,
    };
    tx.buffers_mut().log(Arc::new(NewChunk { create, homes }));
}

/// A generation number for new inodes: handles of older users of the blocks must not match.
fn rand_generation(core: &Core) -> u32 {
    let write = core.writes.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let now = core.clock.now();
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
