//! The address spaces of a directory and the positions in them.
//!
//! A directory's fork is cut in three: data blocks from byte 0, the hashed index from 32 GiB, the
//! free index from 64 GiB. Entries lie at multiples of eight bytes of the data space, so a 32-bit
//! [`DataPtr`] names any of them. Pure arithmetic.

use crate::{FileBlock, Geometry};

/// log2 of the alignment of entries.
const ALIGN_LOG: u32 = 3;
/// log2 of the size of each space in bytes.
const SPACE_LOG: u32 = 32 + ALIGN_LOG;

/// One of the three parts of a directory's fork.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Space {
    /// Entries, from byte 0.
    Data,
    /// Hashed index, from byte 32 GiB; its first block is the root.
    Leaf,
    /// Free index, from byte 64 GiB.
    Free,
}

impl Space {
    fn start(self) -> u64 {
        match self {
            Self::Data => 0,
            Self::Leaf => 1 << SPACE_LOG,
            Self::Free => 2 << SPACE_LOG,
        }
    }
}

/// A directory block counted from the start of its space, in units of the directory block size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DirBlock(pub u32);

/// Position of an entry in the data space, in units of eight bytes. Zero is no entry: a header
/// stands there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DataPtr(pub u32);

impl DataPtr {
    /// What stale index entries hold.
    pub const NULL: Self = Self(0);

    /// The entry at byte `offset` of a directory's only block.
    pub fn in_first_block(offset: usize) -> Option<Self> {
        u32::try_from(offset >> ALIGN_LOG).ok().map(Self)
    }
    /// Byte in the data space.
    pub fn byte(self) -> u64 {
        u64::from(self.0) << ALIGN_LOG
    }
}

impl Geometry {
    /// File block where a space of a directory begins.
    pub fn dir_space(&self, space: Space) -> FileBlock {
        FileBlock(space.start() >> self.block_log)
    }
    /// First file block of directory block `block` of `space`.
    pub fn dir_file_block(&self, space: Space, block: DirBlock) -> FileBlock {
        FileBlock(self.dir_space(space).0 + (u64::from(block.0) << self.dir_block_log))
    }
    /// The space and directory block that hold file block `block`; `None` past the free space.
    pub fn dir_block_of(&self, block: FileBlock) -> Option<(Space, DirBlock)> {
        let in_space = |space: Space| {
            let index = block.0.checked_sub(self.dir_space(space).0)? >> self.dir_block_log;
            let fits = index < 1 << (SPACE_LOG - u32::from(self.block_log + self.dir_block_log));
            fits.then_some((space, DirBlock(u32::try_from(index).ok()?)))
        };
        in_space(Space::Data).or_else(|| in_space(Space::Leaf)).or_else(|| in_space(Space::Free))
    }
    /// The position of byte `offset` of data block `block`; `None` past the data space.
    pub fn dir_ptr(&self, block: DirBlock, offset: usize) -> Option<DataPtr> {
        let start = u64::from(block.0) << (self.block_log + self.dir_block_log);
        let byte = start.checked_add(u64::try_from(offset).ok()?)?;
        u32::try_from(byte >> ALIGN_LOG).ok().map(DataPtr)
    }
    /// The data block that holds `ptr` and the byte in it.
    pub fn dir_place(&self, ptr: DataPtr) -> (DirBlock, usize) {
        let log = u32::from(self.block_log + self.dir_block_log);
        let offset = ptr.byte() & ((1 << log) - 1);
        (DirBlock((ptr.byte() >> log) as u32), offset as usize)
    }
    /// The free index block that holds the best of data block `block`, and its index there.
    pub fn dir_free_place(&self, block: DirBlock) -> (DirBlock, usize) {
        let per_block = super::free::capacity(self.dir_block_size()) as u32;
        (DirBlock(block.0 / per_block), (block.0 % per_block) as usize)
    }
}
