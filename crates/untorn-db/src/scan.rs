//! Every record of a btree of an AG, and every inode, as far as they can be read.
//!
//! Invariants: no block is read twice.

use crate::Result;
use crate::place::Volume;
use std::collections::HashSet;
use std::mem::offset_of;
use untorn_format::ag::{AgfDisk, AgiDisk, agfl_slot_offset, agfl_slots};
use untorn_format::btree::{BtreeKind, MAX_LEVELS, ShortHeader};
use untorn_format::inode::DinodeDisk;
use untorn_format::wire::{be16, be32, be64};
use untorn_format::{AgBlock, AgIno, AgNumber, Ino};

/// Free extents of an AG, start and length: those of the free list first,
/// then by block.
pub fn free(volume: &Volume<'_>, ag: AgNumber) -> Result<Vec<(u32, u32)>> {
    let bytes = header(volume, ag, 1)?;
    let Ok(agf) = AgfDisk::of(&bytes) else { return Ok(Vec::new()) };
    let mut found = free_list(volume, ag, agf)?;
    let records = tree(volume, BtreeKind::Bnobt, ag, agf.bno_root.get())?;
    let pairs = records.iter().filter_map(|record| be32(record, 0).zip(be32(record, 4)));
    found.extend(pairs);
    Ok(found)
}

fn free_list(volume: &Volume<'_>, ag: AgNumber, agf: &AgfDisk) -> Result<Vec<(u32, u32)>> {
    let bytes = header(volume, ag, 3)?;
    let slots = agfl_slots(volume.shape.geometry.sector_size());
    let first = agf.flfirst.get();
    if first >= slots || agf.flcount.get() > slots {
        return Ok(Vec::new());
    }
    let slot = |i: u32| be32(&bytes, agfl_slot_offset((first + i) % slots));
    Ok((0..agf.flcount.get()).filter_map(slot).map(|block| (block, 1)).collect())
}

/// What is done with an inode: number, core, bytes.
pub type Each<'a> = dyn FnMut(Ino, &DinodeDisk, &[u8]) -> Result<()> + 'a;

/// Inodes that are in use, with their bytes.
pub fn inodes(volume: &Volume<'_>, each: &mut Each<'_>) -> Result<()> {
    for ag in (0..volume.shape.geometry.ag_count).map(AgNumber) {
        let bytes = header(volume, ag, 2)?;
        let Ok(agi) = AgiDisk::of(&bytes) else { continue };
        for record in tree(volume, BtreeKind::Inobt, ag, agi.root.get())? {
            chunk(volume, ag, &record, each)?;
        }
    }
    Ok(())
}

fn chunk(volume: &Volume<'_>, ag: AgNumber, record: &[u8], each: &mut Each<'_>) -> Result<()> {
    let (start, free) = (be32(record, 0).unwrap_or(0), be64(record, 8).unwrap_or(0));
    let holes = match volume.shape.features.has_sparse_inodes() {
        true => be16(record, 4).unwrap_or(0),
        false => 0,
    };
    let used = (0..64u32).filter(|i| free >> i & 1 == 0 && holes >> (i / 4) & 1 == 0);
    for index in used {
        let ino = volume.shape.geometry.ino(ag, AgIno(start.saturating_add(index)));
        let Some(bytes) = inode(volume, ino)? else { continue };
        if let Ok(core) = DinodeDisk::of(&bytes) {
            each(ino, core, &bytes)?;
        }
    }
    Ok(())
}

/// The bytes of an inode; `None` where no volume has such a number.
pub fn inode(volume: &Volume<'_>, ino: Ino) -> Result<Option<Vec<u8>>> {
    let from = inode_byte(volume, ino);
    from.map(|from| volume.read(from, volume.shape.geometry.inode_size())).transpose()
}

/// Byte of the volume where an inode begins.
pub fn inode_byte(volume: &Volume<'_>, ino: Ino) -> Option<u64> {
    let geometry = &volume.shape.geometry;
    let (ag, in_ag) = geometry.split_ino(ino)?;
    let (block, index) = geometry.inode_block(in_ag);
    let base = geometry.byte_of(geometry.addr(ag, block));
    Some(base + u64::from(index) * geometry.inode_size() as u64)
}

/// Sector `index` of an AG.
fn header(volume: &Volume<'_>, ag: AgNumber, index: u32) -> Result<Vec<u8>> {
    let geometry = &volume.shape.geometry;
    volume.read(geometry.byte_of(geometry.header_addr(ag, index)), geometry.sector_size())
}

fn tree(volume: &Volume<'_>, kind: BtreeKind, ag: AgNumber, root: u32) -> Result<Vec<Vec<u8>>> {
    let mut walk = Walk { volume, kind, ag, seen: HashSet::new(), records: Vec::new() };
    walk.below(AgBlock(root), MAX_LEVELS.into())?;
    Ok(walk.records)
}

struct Walk<'a> {
    volume: &'a Volume<'a>,
    kind: BtreeKind,
    ag: AgNumber,
    seen: HashSet<u32>,
    records: Vec<Vec<u8>>,
}

impl Walk<'_> {
    fn below(&mut self, block: AgBlock, depth: usize) -> Result<()> {
        let geometry = &self.volume.shape.geometry;
        let inside = block.0 < geometry.blocks_of(self.ag);
        if depth == 0 || !inside || !self.seen.insert(block.0) {
            return Ok(());
        }
        let from = geometry.byte_of(geometry.addr(self.ag, block));
        let bytes = self.volume.read(from, geometry.block_size())?;
        let level = be16(&bytes, offset_of!(ShortHeader, level)).unwrap_or(0);
        let count = usize::from(be16(&bytes, offset_of!(ShortHeader, numrecs)).unwrap_or(0));
        let count = count.min(self.kind.max_records(bytes.len(), level));
        if level == 0 {
            let from = bytes.get(self.kind.record_offset(0)..).unwrap_or_default();
            let records = from.chunks_exact(self.kind.record_size()).take(count);
            self.records.extend(records.map(<[u8]>::to_vec));
            return Ok(());
        }
        let pointer = |i| be32(&bytes, self.kind.pointer_offset(bytes.len(), i));
        let children: Vec<_> = (0..count).filter_map(pointer).collect();
        children.into_iter().try_for_each(|child| self.below(AgBlock(child), depth - 1))
    }
}
