//! What lies where in each allocation group of a new volume.
//!
//! ```text
//! | headers | btree roots | log (one group) | free list | ... | root inodes (group 0) | free ... |
//! ```
//! The place of the root inodes is the one that xfs_repair computes from the sizes of the rest.

use untorn_format::records::{AllocRec, INODES_PER_CHUNK, RmapOwner, RmapRec};
use untorn_format::{AgBlock, AgNumber, Geometry};

use super::error::{Result, demand};
use super::fixed::{FixedBlocks, owner};

/// Sizes that say where everything lies.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    /// The volume.
    pub geometry: Geometry,
    /// Blocks that begin each group.
    pub fixed: FixedBlocks,
    /// Blocks in each group's free list.
    pub free_list: u32,
    /// Alignment of the root's inode chunk in blocks; 0 for none.
    pub inode_align: u32,
}

/// One allocation group of a new volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Group {
    /// Its number.
    pub ag: AgNumber,
    /// Its blocks.
    pub length: u32,
    /// Blocks of its free list.
    pub free_list: Vec<AgBlock>,
    /// First block of its inode chunks (group 0).
    pub inodes: Option<AgBlock>,
    /// Who owns the blocks in use, by block; neighbours of one owner are one.
    pub used: Vec<RmapRec>,
    /// Free extents, by block.
    pub free: Vec<AllocRec>,
}

impl Layout {
    /// Blocks of the inode chunk, or of the several that one block holds, that the root lies in.
    pub(super) fn chunk_blocks(&self) -> u32 {
        chunk_blocks(&self.geometry)
    }
    /// First block of the root's inode chunk, in group 0.
    pub(super) fn root_block(&self) -> AgBlock {
        let log = self.log_in(AgNumber(0)).map_or(0, |log| log.length);
        let before = self.fixed.end() + self.free_list + log;
        AgBlock(before.next_multiple_of(self.inode_align.max(1)))
    }
    /// The log, if it lies in `ag`.
    fn log_in(&self, ag: AgNumber) -> Option<AllocRec> {
        let (home, start) = self.geometry.split(self.geometry.log_start)?;
        (home == ag).then_some(AllocRec { start, length: self.geometry.log_blocks })
    }
    /// Refuses a log that leaves no room for what its group needs, or none for the root where
    /// xfs_repair looks for it.
    pub(super) fn check(&self) -> Result<()> {
        let root = self.root_block().0;
        let end = u64::from(root) + u64::from(self.chunk_blocks());
        let fits = end <= u64::from(self.geometry.blocks_of(AgNumber(0)));
        let log = self.log_in(AgNumber(0));
        let clear = log.is_none_or(|log| log.end().0 <= root);
        let rule = "leaves no room for the root directory where xfs_repair looks for it: choose \
                    another group or stripe unit for the log";
        demand(fits && clear, "log size", self.geometry.log_blocks, rule)?;
        let home = self.geometry.split(self.geometry.log_start).map(|(ag, _)| ag);
        let last = AgNumber(self.geometry.ag_count - 1);
        let full = [home, Some(AgNumber(0)), Some(last)].into_iter().flatten().find(|&ag| {
            let group = self.group(ag);
            group.free_list.len() < self.free_list as usize || group.free.is_empty()
        });
        demand(full.is_none(), "log size", self.geometry.log_blocks, "leaves no free blocks")
    }
    /// The group `ag`.
    pub(super) fn group(&self, ag: AgNumber) -> Group {
        let length = self.geometry.blocks_of(ag);
        let run = |start: AgBlock, length, owner| RmapRec::special(start, length, owner);
        let mut used = vec![run(AgBlock(0), self.fixed.headers, RmapOwner::Fs)];
        used.extend(self.fixed.roots.iter().map(|&(kind, block)| run(block, 1, owner(kind))));
        used.extend(self.log_in(ag).map(|log| run(log.start, log.length, RmapOwner::Log)));
        let inodes = (ag.0 == 0).then(|| self.root_block());
        used.extend(inodes.map(|start| run(start, self.chunk_blocks(), RmapOwner::Inodes)));
        let list = free_list(&gaps(&used, length), self.free_list);
        used.extend(list.map(|list| run(list.start, list.length, RmapOwner::Ag)));
        let free = gaps(&used, length);
        let blocks = list.map(|list| (list.start.0..list.end().0).map(AgBlock).collect());
        used.sort_unstable_by_key(|run| run.start);
        let free_list = blocks.unwrap_or_default();
        Group { ag, length, free_list, inodes, used: joined(&used), free }
    }
}

/// Blocks of a chunk of inodes; one where a block holds several chunks.
pub(super) fn chunk_blocks(geometry: &Geometry) -> u32 {
    (INODES_PER_CHUNK >> geometry.inodes_per_block_log).max(1)
}

/// The blocks below `end` that nobody owns.
fn gaps(used: &[RmapRec], end: u32) -> Vec<AllocRec> {
    let mut sorted: Vec<_> = used.iter().map(|run| (run.start.0, run.end().0)).collect();
    sorted.sort_unstable();
    sorted.push((end, end));
    let mut from = 0;
    let mut gaps = Vec::new();
    for (start, end) in sorted {
        if let Some(length) = start.checked_sub(from).filter(|&length| length > 0) {
            gaps.push(AllocRec { start: AgBlock(from), length });
        }
        from = from.max(end);
    }
    gaps
}

/// The blocks of a free list of `blocks` blocks: the start of the first extent that has as many.
fn free_list(free: &[AllocRec], blocks: u32) -> Option<AllocRec> {
    let room = free.iter().find(|extent| extent.length >= blocks && blocks > 0)?;
    Some(AllocRec { start: room.start, length: blocks })
}

/// The runs with neighbours of one owner made one.
fn joined(used: &[RmapRec]) -> Vec<RmapRec> {
    let mut joined: Vec<RmapRec> = Vec::new();
    for run in used {
        match joined.last_mut() {
            Some(last) if last.owner == run.owner && last.end() == run.start => {
                last.length += run.length;
            }
            _ => joined.push(*run),
        }
    }
    joined
}
