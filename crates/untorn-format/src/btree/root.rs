//! The root of a bmbt inside an inode fork (`xfs_bmdr_block`): a header of four bytes, then keys,
//! then pointers placed by how many keys the whole fork could hold.
//!
//! ```text
//! | level u16 | numrecs u16 | key 0 | ... (max of fork) | ptr 0 | ... |
//! ```

use crate::fault::Fault;
use crate::units::{FileBlock, FsBlock};
use crate::wire::{be16, be64};

/// Bytes of the header.
pub const HEADER_SIZE: usize = 4;
const ENTRY: usize = 16;
const WHAT: &str = "bmbt root";

/// Most entries of a root in a fork of `fork_size` bytes.
pub fn max_records(fork_size: usize) -> usize {
    fork_size.saturating_sub(HEADER_SIZE) / ENTRY
}

/// Bytes of fork that a root of `entries` entries needs.
pub fn size_for(entries: usize) -> usize {
    HEADER_SIZE + entries * ENTRY
}

/// Offset in the fork of key `index`.
pub fn key_offset(index: usize) -> usize {
    HEADER_SIZE + index * 8
}

/// Offset in a fork of `fork_size` bytes of pointer `index`.
pub fn pointer_offset(fork_size: usize, index: usize) -> usize {
    key_offset(max_records(fork_size)) + index * 8
}

/// Level and number of entries of the root in `fork`. Checks nothing.
pub fn shape(fork: &[u8]) -> Result<(u16, u16), Fault> {
    let short = Fault::Short { what: WHAT, have: fork.len(), need: HEADER_SIZE };
    be16(fork, 0).zip(be16(fork, 2)).ok_or(short)
}

/// Writes level and number of entries into the root in `fork`.
pub fn set_shape(fork: &mut [u8], level: u16, entries: u16) {
    fork[..2].copy_from_slice(&level.to_be_bytes());
    fork[2..4].copy_from_slice(&entries.to_be_bytes());
}

/// The root of a bmbt as a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root {
    /// Level of the root itself: at least 1.
    pub level: u16,
    /// First file block and block of each child, in order.
    pub children: Vec<(FileBlock, FsBlock)>,
}

impl Root {
    /// Reads the root that fills `fork`. A level of zero or past [`super::MAX_LEVELS`], no
    /// entries, and more than fit are faults; so are keys out of order.
    pub fn decode(fork: &[u8]) -> Result<Self, Fault> {
        let short = Fault::Short { what: WHAT, have: fork.len(), need: size_for(1) };
        let (level, count) = shape(fork)?;
        if level == 0 || level >= super::MAX_LEVELS {
            return Err(Fault::Field { what: WHAT, field: "bb_level", value: level.into() });
        }
        if count == 0 || usize::from(count) > max_records(fork.len()) {
            return Err(Fault::Field { what: WHAT, field: "bb_numrecs", value: count.into() });
        }
        let child = |index| {
            let key = be64(fork, key_offset(index))?;
            Some((FileBlock(key), FsBlock(be64(fork, pointer_offset(fork.len(), index))?)))
        };
        let children: Option<Vec<_>> = (0..usize::from(count)).map(child).collect();
        let children = children.ok_or(short)?;
        match children.windows(2).position(|pair| pair[0].0 >= pair[1].0) {
            Some(index) => Err(Fault::Order { what: WHAT, rule: "keys must ascend", index }),
            None => Ok(Self { level, children }),
        }
    }
    /// Moves the entries to `block`, which was made an empty bmbt block of this root's level at
    /// `at`: the root above it, with that one child.
    pub fn push_down(&self, block: &mut [u8], at: FsBlock) -> Result<Self, Fault> {
        let kind = super::BtreeKind::Bmbt;
        let (count, most) = (self.children.len(), kind.max_records(block.len(), self.level));
        let level = self.level + 1;
        if count > most || level >= super::MAX_LEVELS {
            return Err(Fault::Field { what: WHAT, field: "bb_numrecs", value: count as u64 });
        }
        let header = super::Header::decode(kind, block)?;
        super::Header { numrecs: count as u16, ..header }.store(kind, block);
        for (index, (key, child)) in self.children.iter().enumerate() {
            let (key_at, pointer_at) =
                (kind.key_offset(index), kind.pointer_offset(block.len(), index));
            block[key_at..key_at + 8].copy_from_slice(&key.0.to_be_bytes());
            block[pointer_at..pointer_at + 8].copy_from_slice(&child.0.to_be_bytes());
        }
        let first = self.children.first().map_or(FileBlock(0), |(key, _)| *key);
        Ok(Self { level, children: vec![(first, at)] })
    }
    /// Writes the root into `fork`, all of it; the rest becomes zero. The entries must fit.
    pub fn encode(&self, fork: &mut [u8]) {
        let size = fork.len();
        assert!(self.children.len() <= max_records(size), "{} entries", self.children.len());
        fork.fill(0);
        fork[..2].copy_from_slice(&self.level.to_be_bytes());
        fork[2..4].copy_from_slice(&(self.children.len() as u16).to_be_bytes());
        for (index, (key, block)) in self.children.iter().enumerate() {
            let (key_at, pointer_at) = (key_offset(index), pointer_offset(size, index));
            fork[key_at..key_at + 8].copy_from_slice(&key.0.to_be_bytes());
            fork[pointer_at..pointer_at + 8].copy_from_slice(&block.0.to_be_bytes());
        }
    }
}
